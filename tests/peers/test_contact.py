"""test_contact.py - approved devices of which nothing is heard: silent, offline, and back.

The real server, with a short patience, against devices that are not of our making."""

import itertools
import re

import pytest

import common
import epson_models
from epson_device import Device
from served import running

addresses = (f"127.0.50.{i + 1}" for i in itertools.count())
PAGE = epson_models.ff680w_page()


@pytest.fixture(scope="module")
def house():
    with running({"devices": {"silent_after_s": 2}}) as made:
        yield made


def new_device(house, address):
    return Device(address, house.scan_port, epson_models.FF680W, [PAGE])


def register(house, device):
    return device.register(("127.0.0.1", house.udp_port))


def wait_contact(house, id_, contact):
    return common.wait_until(
        lambda: (row := house.show("device", "show", id_))["contact"] == contact and row, contact)


def contacts(house, id_):
    return [e["kind"] for e in house.show("event", "list", "--limit", "1000")
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
        assert house.show("device", "show", id_)["contact"] == "heard"
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
        register(house, device)
        wait_contact(house, id_, "heard")
        assert contacts(house, id_)[:5] == ["device.silent", "device.offline", "device.silent",
                                            "device.heard"]
        assert device.complaints == []
    finally:
        device.close()


def test_who_announces_himself_stays_heard(house):
    """And is not knocked at; one that waits for approval is nobody's concern."""
    with new_device(house, next(addresses)) as device, new_device(house, next(addresses)) as other:
        register(house, device)
        id_ = house.approve(device.address)
        register(house, other)
        for _ in range(12):
            register(house, device)
            common.time.sleep(0.4)
        assert contacts(house, id_) == [] and device.sessions == 0
        waiting = house.devices()[other.address]
        assert waiting["contact"] == "heard" and other.sessions == 0


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
