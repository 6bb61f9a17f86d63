"""test_scale.py - many devices at one server: 50 that scan 20 pages each at the same time, then a thousand batches,
then 500 devices that only announce themselves.

What is lost, doubled or swapped shows in the stamps of the pages (fleet.py). Memory is that of the release build
beside the one under test: a sanitizer keeps what was freed, and says nothing about growth."""

import os
import subprocess
import time

import pytest

import common
from fleet import Fleet, private_bytes, stamp_of, unstamped, wait_rest
from served import running

DEVICES, SHEETS, IDLE = 50, 20, 500
BATCHES, GROWTH_BYTES = 1000, 4 << 20
ASKING = 2     # connections of this program that the server has just not closed yet
SCANS_S = 120  # no measure of speed: when it is clear that nothing more comes
RELEASE = os.path.join(os.path.dirname(common.BUILD), "release")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pages")
    common.make_pictures(made, 5, 160, 220)
    return made


@pytest.fixture(scope="module")
def fed(folder):
    return [(folder / name).read_bytes() for name in sorted(os.listdir(folder))]


def fleet_of(house, folder, count, address, *more):
    return Fleet(house, folder, count, address, "LOAD", "--panel-port", 0, "--announce-every", 5, *more)


def images(path, folder):
    """The JPEG streams of a document, one process for all of them."""
    subprocess.run(["pdfimages", "-j", path, os.path.join(folder, "page")], check=True, capture_output=True)
    found = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            found.append(f.read())
        os.remove(os.path.join(folder, name))
    return found


def assert_whole(house, fleet, fed, sheets, scratch):
    """One batch of each device was delivered: its own pages, each once, in order, with the bytes that were fed."""
    found = {}
    for batch in house.show("batch", "list", "--limit", "200"):
        assert batch["device_id"] not in found and (batch["state"], batch["pages"]) == ("done", sheets), batch
        found[batch["device_id"]] = images(house.delivered_file(batch["id"], ".pdf"), scratch)
    assert set(found) == set(fleet.ids.values())
    for address, device in fleet.ids.items():
        pages = found[device]
        assert [stamp_of(page) for page in pages] == [(fleet.serials[address], n + 1) for n in range(sheets)]
        assert [unstamped(page) for page in pages] == [fed[n % len(fed)] for n in range(sheets)]
    assert len(os.listdir(house.delivered)) == 2 * fleet.count  # a document and its index each


def test_pages_of_fifty_devices_at_once(folder, fed, tmp_path):
    with running({"devices": {"identify": "true"}}) as house:
        with fleet_of(house, folder, DEVICES, "127.80.0.1", "--sheets", SHEETS) as fleet:
            fleet.approve()
            fleet.wait_shown()
            fleet.press()
            assert set(fleet.wait_ends(SCANS_S).values()) == {SHEETS}
            wait_rest(house, SCANS_S)
            assert_whole(house, fleet, fed, SHEETS, tmp_path)


class Usage:
    """What the server holds when nothing is under way."""

    def __init__(self, house):
        self.memory = private_bytes(house.process.pid)
        self.descriptors = len(os.listdir(f"/proc/{house.process.pid}/fd"))
        self.threads = len(os.listdir(f"/proc/{house.process.pid}/task"))
        self.log = os.path.getsize(house.log)

    def __repr__(self):
        return (f"{self.memory / (1 << 20):.1f} MiB, {self.descriptors} descriptors, {self.threads} threads,"
                f" {self.log} bytes of log")


def scan_until(house, fleet, batches):
    """Every device scans one sheet after another until there were so many batches."""
    for _ in range(batches // DEVICES):
        fleet.press(1)
        assert set(fleet.wait_ends(SCANS_S).values()) == {1}
        wait_rest(house, SCANS_S)


def announced(house, fleet):
    """When the devices were seen last: those of them that the server has seen."""
    seen = house.api("GET", "/api/v1/devices")[1]["items"]
    return {d["address"]: d["last_seen"] for d in seen if d["address"] in fleet.panels}


def wait_cycles(house, fleet, cycles):
    """Until every device has announced itself so many more times."""
    for _ in range(cycles):
        before = announced(house, fleet)
        time.sleep(1)
        common.wait_until(lambda b=before: all(at > b[a] for a, at in announced(house, fleet).items()),
                          "every device to be heard again")


def assert_no_growth(before, now, what):
    assert now.memory <= before.memory + GROWTH_BYTES, f"{what}: {before}, then {now}"
    assert now.descriptors <= before.descriptors + ASKING, f"{what}: {before}, then {now}"
    assert now.threads <= before.threads, f"{what}: {before}, then {now}"


def test_nothing_grows(folder):
    with running({"devices": {"identify": "true"}}, build=RELEASE) as house:
        with fleet_of(house, folder, DEVICES, "127.80.1.1", "--sheets", SHEETS) as fleet:
            fleet.approve()
            fleet.wait_shown()
            fresh = Usage(house)
            fleet.press()
            assert set(fleet.wait_ends(SCANS_S).values()) == {SHEETS}
            wait_rest(house, SCANS_S)
            early = Usage(house)
            # What all of them took at once is given back.
            assert early.memory <= fresh.memory + GROWTH_BYTES, f"before the scans: {fresh}, after: {early}"
            scan_until(house, fleet, BATCHES - DEVICES)
            late = Usage(house)
            print(f"before: {fresh}; after batch {DEVICES}: {early}; after batch {BATCHES}: {late}")
            assert_no_growth(early, late, f"after batch {DEVICES} and {BATCHES}")
        with Fleet(house, folder, IDLE, "127.80.8.1", "IDLE", "--announce-every", 2) as idle:
            idle.approve()
            wait_cycles(house, idle, 2)
            early = Usage(house)
            wait_cycles(house, idle, 6)
            late = Usage(house)
            print(f"{IDLE} idle devices: {early}; six announcements later: {late}")
            assert_no_growth(early, late, "while devices are idle")
            assert late.log == early.log, house.log_text()[early.log:][:2000]
