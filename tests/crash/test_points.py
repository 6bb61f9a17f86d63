"""The server or a worker dies at every fault point in the sources, on several visits to it; then the
server starts again. Nothing that a device was told is safe is lost, nothing arrives twice or half."""

import concurrent.futures
import glob
import os
import re

import pytest
from house import CHOICES, TOP, House, pages, wait_until

VISITS = (1, 2, 3, 5, 8, 13, 21)  # the first ones of some points are before any scan
AT_ONCE = 3  # houses; most of the time is waiting for disks


def points():
    found = set()
    for path in glob.glob(os.path.join(TOP, "src", "*", "*.c")):
        with open(path, encoding="utf-8") as f:
            found.update(re.findall(r'\bfault_point\("([^"]+)"\)', f.read()))
    return sorted(found)


def is_of_retention(point):
    """Such a point is come to when files are removed: at once when their batch is done."""
    return point.startswith("purge.")


def died_or_rests(house, removing):
    """True when the server died, or when nothing moves: the fault never came or was a worker's."""
    if not house.is_running():
        return True
    try:
        return all(b["state"] in ("done", "broken", "attention")
                   and (b["files"] == "removed" or b["pages"] and b["state"] == "broken"
                        or not removing)
                   for b in house.batches())
    except (ConnectionError, FileNotFoundError, OSError):
        return False


def die_and_go_on(house, device, fault, softly):
    """One life of the server that ends at the fault, and one after it. True when it came to the fault.
    softly: a server whose workers die is asked to end, else it dies with them."""
    removing = is_of_retention(fault)
    if house.start(fault):
        for choice in (CHOICES["Scan"], CHOICES["Pictures"]):
            if house.is_running():
                device.scan_whatever_happens(3, choice)
        wait_until(lambda: died_or_rests(house, removing) or "fault=" in house.log(), "the fault or the end")
    fired = f"fault={fault}" in house.log()
    if softly and not (removing and fired) and house.is_running():  # files are removed by the server
        house.stop(may_die=fired)
    house.kill()
    house.start()
    house.send_everything()
    if removing:
        house.wait_removed()
    house.check_delivered()
    house.check_numbers()
    house.check_fsck()
    return fired


def survive(point):
    """How many of the visits were come to."""
    with House(keep_files_days=0 if is_of_retention(point) else 30) as house:
        house.start()
        house.define()
        device = house.device(pages(6 * len(VISITS), point))
        house.stop()
        for done, visit in enumerate(VISITS):
            if not die_and_go_on(house, device, f"{point}:{visit}", done % 2 == 1):
                return done
        return len(VISITS)


@pytest.fixture(scope="module")
def runs(request):
    """A run per point that is asked for, some at once."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {p: pool.submit(survive, p) for p in
               [item.callspec.params["point"] for item in request.session.items
                if hasattr(item, "callspec") and "point" in item.callspec.params]}


@pytest.mark.parametrize("point", points())
def test_death_at(runs, point):
    assert runs[point].result() > 0, f"no run came to fault_point(\"{point}\")"
