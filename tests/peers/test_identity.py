"""test_identity.py - an approved device keeps its place when its address changes, and nobody else gets it.

The real server against epson_device.py at several addresses of the loopback network."""

import itertools
import json
import os
import re
import time

import pytest

import common
import epson_models
from epson_device import Device, Manner
from served import House, pdf_pages, running

addresses = (f"127.0.{i // 250 + 20}.{i % 250 + 1}" for i in itertools.count())
serials = (f"X5EW{i:06}" for i in itertools.count(700000))
PAGE = epson_models.ff680w_page()


def model(serial):
    return epson_models.FF680W._replace(
        info=epson_models.FF680W.info.replace(b"X5EW260651", serial.encode()))


@pytest.fixture(scope="module")
def house():
    with running({"devices": {"identify": "true"}}) as made:
        yield made


class Unit:
    """A device with a serial number of its own that can be carried to another address."""

    def __init__(self, house, approve=True, **manner):
        self.house, self.serial, self.manner = house, next(serials), manner
        self.device, self.id, self.all = None, None, []
        self.place()
        self.register()
        if approve:
            self.wait_serial()
            self.id = house.approve(self.device.address)

    def place(self, address=None, serial=None, **manner):
        device = Device(address or next(addresses), self.house.scan_port,
                        model(serial or self.serial), [PAGE], Manner(**{**self.manner, **manner}))
        self.device = device
        self.all.append(device)
        return device

    def carry(self, address=None):
        """To another address; at the former one nobody listens any more."""
        self.device.close()
        return self.place(address)

    def register(self):
        return self.device.register(("127.0.0.1", self.house.udp_port))

    def row(self):
        return self.house.devices().get(self.device.address)

    def wait_serial(self):
        common.wait_until(lambda: (self.row() or {}).get("serial") == self.serial, "its number")

    def wait_moved(self):
        common.wait_until(lambda: (self.row() or {}).get("id") == self.id, "the new address")

    def press(self):
        """True when the panel was told OK."""
        return b"<StatusOut>OK<" in self.device.press(("127.0.0.1", self.house.tcp_port))

    def scan(self):
        seen = [b["id"] for b in self.house.batches(self.id)]
        assert self.press()
        return self.house.settled_batch(self.id, seen)

    def assert_scans(self):
        batch = self.scan()
        assert batch["state"] == "done", batch
        assert pdf_pages(self.house.delivered_file(batch["id"], ".pdf")) == [PAGE]

    def events(self, kind):
        return [e["text"] for e in self.house.show("event", "list", "--after", "0", "--limit", "1000")
                if e["kind"] == kind and e["device"] == self.id]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for device in self.all:
            device.close()
            assert device.complaints == []


@pytest.mark.parametrize("events", [[1, 4, 0x55], [3], [2]])
def test_device_that_reports_events_while_it_is_asked(house, events):
    with Unit(house, approve=False, events={"INFO": events}) as unit:
        unit.device.wait_end()
        unit.device.manner.events.clear()
        unit.id = house.approve(unit.device.address)
        unit.assert_scans()


def test_a_new_device_says_who_it_is(house):
    """Whoever approves it sees the serial number before; it is asked once, and left in order."""
    with Unit(house, approve=False) as unit:
        unit.wait_serial()
        assert unit.row()["state"] == "seen" and unit.row()["product"] == "FF-680W"
        assert unit.device.commands == ["INFO", "CAPA", "FIN"]
        for _ in range(3):
            unit.register()
        assert not unit.press()
        unit.id = house.approve(unit.device.address)
        unit.assert_scans()
        assert unit.device.sessions == 2, "one look, one scan"


def test_a_device_that_is_asked_may_say_more(house):
    """Events between its answers are of no scan: nobody is told of them, and nobody minds."""
    with Unit(house, approve=False, notices=True, status=b"#GLSDIRT") as unit:
        unit.wait_serial()
        assert unit.device.commands == ["INFO", "CAPA", "FIN"]


def test_a_changed_address_is_harmless(house):
    with Unit(house) as unit:
        unit.assert_scans()
        former = unit.device.address
        unit.carry()
        unit.register()
        unit.wait_moved()
        assert former not in house.devices()
        assert unit.events("device.moved") == [f"{former} -> {unit.device.address}"]
        common.wait_until(lambda: f"level=info event=device.moved id={unit.id} "
                          in house.log_text(), "its line")
        unit.assert_scans()
        unit.carry(former)  # and back
        unit.register()
        unit.wait_moved()
        unit.assert_scans()


def test_a_trace_goes_to_the_new_address(house):
    with Unit(house) as unit:
        former = unit.device.address
        trace = json.loads(house.cli("device", "trace", unit.id, "--json"))["id"]
        unit.carry()
        unit.register()
        unit.wait_moved()
        unit.assert_scans()
        house.cli("trace", "stop", trace)
    rows = [json.loads(line) for line in house.cli("trace", "get", trace).splitlines()]
    assert rows[0]["address"] == former
    moved, = [i for i, row in enumerate(rows) if row.get("event") == "moved"]
    assert rows[moved]["text"] == unit.device.address
    after = [row.get("says", "") for row in rows[moved:] if row.get("on") == "scan"]
    assert [s for s in after if s.startswith("from it INFOx")] and [s for s in after if s.startswith("to it TRDT")]


def test_start_at_a_new_address_goes_on(house):
    """Before any announcement: it is asked while the panel waits."""
    with Unit(house) as unit:
        unit.carry()
        unit.assert_scans()
        assert unit.row()["id"] == unit.id
        assert [d for d in house.devices().values() if d["serial"] == unit.serial] == [unit.row()]


def test_start_while_it_is_asked_who_it_is(house):
    """A device serves one connection at a time: the inquiry gives way to the scan, and says good-bye."""
    with Unit(house, approve=False, busy={"INFO": 9}) as unit:  # it would take longer than it is given
        common.wait_until(lambda: unit.device.commands, "the inquiry")
        unit.id = house.approve(unit.device.address)
        assert set(unit.device.commands) == {"INFO"} and unit.device.unlocks == 0
        unit.device.manner.busy = {}  # from the next connection on
        begun = time.monotonic()
        batch = unit.scan()
        assert batch["state"] == "done" and time.monotonic() - begun < 10, batch
        assert (unit.device.sessions, unit.device.unlocks) == (2, 2)


def test_job_control_while_it_is_asked(house):
    """The same of a device of version 3 that is to be told of jobs."""
    with Unit(house, approve=False, busy={"INFO": 9}) as unit:
        unit.device.version = "3.00"
        common.wait_until(lambda: unit.device.commands, "the inquiry")
        house.approve(unit.device.address)
        assert set(unit.device.commands) == {"INFO"} and unit.device.unlocks == 0
        assert b">OK<" in unit.device.ask_jobs(("127.0.0.1", house.tcp_port))
        assert unit.device.talks == ["scan", "JOBW", "unlock", "answer"]
        assert unit.device.unlocks == 2


def test_start_at_a_new_address_while_it_is_asked(house):
    """It has announced itself there and is being asked: Start waits for that, and it is asked once."""
    with Unit(house, busy={"INFO": 2}) as unit:
        unit.carry()
        unit.register()
        common.wait_until(lambda: unit.device.commands, "the inquiry")
        unit.assert_scans()
        assert unit.row()["id"] == unit.id and unit.device.sessions == 2


def test_two_devices_that_exchange_their_addresses(house):
    """The first scan finds it out; it takes no page and nobody has to be approved again."""
    with Unit(house) as one, Unit(house) as two:
        places = one.device.address, two.device.address
        one.device.close()
        two.device.close()
        one.place(places[1])
        two.place(places[0])
        seen = [b["id"] for b in house.batches(two.id)]
        assert one.press()
        batch = house.settled_batch(two.id, seen)
        assert batch["reason"]["code"] == "another-device" and batch["pages"] == 0
        one.wait_moved()
        two.wait_moved()
        one.assert_scans()
        two.assert_scans()


# ---- nobody takes another's place ----------------------------------------------------------------

def assert_not_moved(victim, thief, address):
    assert house_row(victim)["address"] == address and house_row(victim)["state"] == "registered"
    assert not thief.press()


def house_row(unit):
    return unit.house.show("device", "show", unit.id)


def test_who_says_the_number_of_a_device_that_is_there(house):
    with Unit(house) as unit:
        true = unit.device
        with Unit(house, approve=False) as thief:
            thief.wait_serial()
            thief.device.close()
            thief.place(serial=unit.serial)
            thief.register()
            common.wait_until(lambda: unit.events("device.not-moved"), "the alarm")
            assert re.match(f"{thief.device.address} says the serial number {unit.serial}, which "
                            f"the device at {true.address} still has. ",
                            unit.events("device.not-moved")[0])
            assert_not_moved(unit, thief, true.address)
        unit.device = true
        unit.assert_scans()


@pytest.mark.parametrize("manner", [{"fault": "silent-welcome"}, {"fault": "locked"},
                                    {"fault": "garbage-welcome"}])
def test_a_former_address_that_does_not_say_who_is_there(house, manner):
    """Busy, silent, not a device of this kind: it may still be the true one."""
    with Unit(house) as unit:
        address = unit.device.address
        unit.device.close()
        unit.all.clear()
        holder = unit.place(address, **manner)
        thief = unit.place()
        unit.register()
        common.wait_until(lambda: unit.events("device.not-moved"), "the event")
        common.wait_until(lambda: f"level=warning event=device.not-moved id={unit.id} "
                          in house.log_text(), "its line")
        assert f"the device at {address} still takes connections" in unit.events("device.not-moved")[0]
        assert_not_moved(unit, unit, address)
        holder.complaints.clear()
        if manner["fault"] != "locked":
            return
        holder.close()  # now it is free: a press some time later finds out
        common.wait_until(unit.press, "the new place", 60)
        house.settled_batch(unit.id)
        assert house_row(unit)["address"] == thief.address


def test_a_revoked_device_does_not_come_back_elsewhere(house):
    with Unit(house) as unit:
        house.cli("device", "revoke", unit.id)
        unit.carry()
        unit.register()
        unit.wait_serial()
        assert unit.row()["id"] != unit.id and unit.row()["state"] == "seen"
        assert not unit.press()


def test_presses_and_announcements_do_not_make_us_ask_all_the_time(house):
    """At most once in ten seconds, however often somebody presses."""
    begun = time.monotonic()
    with Unit(house, approve=False) as unit:
        unit.wait_serial()
        for _ in range(30):
            unit.register()
            assert not unit.press()
        assert unit.device.sessions <= 2 + (time.monotonic() - begun) // 10


def test_who_says_no_number_is_treated_as_ever(house):
    """Another device at an approved address that has none: it has to be approved."""
    with Unit(house) as unit:
        unit.assert_scans()
        unit.device.close()
        other = Device(unit.device.address, house.scan_port, epson_models.XP7100, [PAGE])
        unit.device = other
        unit.all.append(other)
        batch = unit.scan()
        assert batch["reason"]["code"] == "another-device"
        common.wait_until(lambda: house_row(unit)["state"] == "seen", "the distrust")
        assert house_row(unit)["serial"] == unit.serial


def test_it_can_be_switched_off():
    made = House().start()
    try:
        made.configure()
        with Unit(made, approve=False) as unit:
            common.wait_until(unit.row, "its row")
            assert not unit.press()
            assert unit.device.sessions == 0
        made.stop()
    finally:
        made.remove()
