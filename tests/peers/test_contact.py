"""test_contact.py - approved devices of which nothing is heard: silent, offline, and back.

The real server, with a short patience, against devices that are not of our making."""

import contextlib
import itertools
import re
import threading
import time

import pytest

import common
import epson_models
from epson_device import Device
from served import running

SILENT_AFTER_S = 3
addresses = (f"127.0.50.{i + 1}" for i in itertools.count())
PAGE = epson_models.ff680w_page()


@pytest.fixture(scope="module")
def house():
    with running({"devices": {"silent_after_s": SILENT_AFTER_S}}) as made:
        yield made


def new_device(house, address):
    return Device(address, house.scan_port, epson_models.FF680W, [PAGE])


def register(house, device):
    return device.register(("127.0.0.1", house.udp_port))


def row_of(house, id_):
    """Without the cost of a program: some states are over in seconds."""
    status, row = house.api("GET", f"/api/v1/devices/{id_}")
    assert status == 200, row
    return row


def wait_contact(house, id_, contact):
    return common.wait_until(lambda: (row := row_of(house, id_))["contact"] == contact and row, contact)


def wait_heard(house, id_, device):
    """It announces itself, more than once if nobody looked in time."""
    def heard():
        register(house, device)
        return row_of(house, id_)["contact"] == "heard"
    common.wait_until(heard, "heard")


@contextlib.contextmanager
def announcing(house, device):
    """It announces itself all the time, whatever else the test does; a list that grows with each time."""
    over, times = threading.Event(), []

    def run():
        while not over.wait(0.3):
            device.announce(("127.0.0.1", house.udp_port))
            times.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()


def contacts(house, id_):
    return [e["kind"] for e in house.show("event", "list", "--after", "0", "--limit", "1000")
            if e["device"] == id_ and e["kind"] in ("device.heard", "device.silent", "device.offline")]


def metric(house, state):
    return int(re.search(rf'platen_device_contacts{{state="{state}"}} (\d+)',
                         house.cli("metrics"))[1])


def test_silent_offline_and_back(house):
    """Each change once, as an event with its time; a silent device can be scanned from."""
    address = next(addresses)
    device = new_device(house, address)
    try:
        register(house, device)
        id_ = house.approve(address)
        wait_heard(house, id_, device)
        row = wait_contact(house, id_, "silent")
        assert row["state"] == "registered" and row["contact_since"] > row["last_seen"]
        assert "last_scan" not in row
        house.cli("scan", "--device", id_, "--job", "Scan")
        assert house.settled_batch(id_)["state"] == "done"
        row = house.show("device", "show", id_)
        assert row["contact"] == "silent" and row["last_scan"] > row["last_seen"]
        device.close()
        wait_contact(house, id_, "offline")
        common.wait_until(lambda: metric(house, "offline") == 1, "the metric")
        device = new_device(house, address)
        wait_contact(house, id_, "silent")
        wait_heard(house, id_, device)
        seen = contacts(house, id_)
        while seen[:2] == ["device.silent", "device.heard"]:  # before it was looked at for the first time
            seen = seen[2:]
        assert seen[:4] == ["device.silent", "device.offline", "device.silent", "device.heard"]
        assert f"level=info event=device.offline id={id_} " in house.log_text()
        assert device.complaints == []
    finally:
        device.close()


def test_who_announces_himself_stays_heard(house):
    """And is not knocked at; one that waits for approval is nobody's concern."""
    with new_device(house, next(addresses)) as device, new_device(house, next(addresses)) as other:
        register(house, other)
        with announcing(house, device) as times:
            id_ = house.approve(device.address)
            approved = time.monotonic()
            common.wait_until(lambda: times[-1] > approved + 2 * SILENT_AFTER_S, "enough of it")
            assert contacts(house, id_) == [] and device.sessions == 0
        waiting = house.devices()[other.address]
        assert waiting["contact"] == "silent" and waiting["contact_since"] > waiting["last_seen"]
        assert other.sessions == 0 and contacts(house, waiting["id"]) == []
        register(house, other)
        common.wait_until(lambda: row_of(house, waiting["id"])["contact"] == "heard", "heard again")
        assert contacts(house, waiting["id"]) == []


def test_who_was_added_was_never_heard(house):
    """Until it announces itself, or has not for too long; the times are said."""
    with new_device(house, next(addresses)) as device, new_device(house, next(addresses)) as other:
        house.cli("device", "add", device.address, other.address)
        for address in device.address, other.address:
            row = house.devices()[address]
            assert row["contact"] == "never" and row["contact_since"] == row["first_seen"]
            assert "last_seen" not in row
        id_, other_id = (house.devices()[d.address]["id"] for d in (device, other))
        register(house, device)
        common.wait_until(lambda: contacts(house, id_) == ["device.heard"], "its event")
        wait_contact(house, other_id, "silent")
        assert contacts(house, other_id) == ["device.silent"]


def test_a_revoked_device_becomes_silent(house):
    """By the clock alone: nobody knocks at it."""
    with new_device(house, next(addresses)) as device:
        register(house, device)
        id_ = house.approve(device.address)
        wait_heard(house, id_, device)
        house.cli("device", "revoke", id_)
        sessions, before = device.sessions, contacts(house, id_)
        row = wait_contact(house, id_, "silent")
        assert row["state"] == "seen" and row["contact_since"] > row["last_seen"]
        time.sleep(SILENT_AFTER_S)
        assert row_of(house, id_)["contact"] == "silent"
        assert device.sessions == sessions and contacts(house, id_) == before


def test_a_start_counts_as_heard(house):
    with new_device(house, next(addresses)) as device:
        house.cli("device", "add", device.address, "--job-group", "Everyone")
        id_ = house.devices()[device.address]["id"]
        wait_contact(house, id_, "silent")
        device.press(("127.0.0.1", house.tcp_port))
        wait_contact(house, id_, "heard")


def test_many_that_are_gone(house):
    """More than are knocked at at once; a stop meanwhile is no trouble."""
    gone = [f"127.0.51.{i + 1}" for i in range(30)]
    house.cli("device", "add", *gone)
    common.wait_until(lambda: all(house.devices()[a]["contact"] == "offline" for a in gone), "all")
    for address in gone:
        house.cli("device", "delete", address)
