"""test_mfp_legacy_served.py - platend scans from platen-mfp --legacy (ESC/I), from the glass and from the feeder.

Both are ours: SANE judges the device (test_sane_legacy.py), esci_device.py the server (test_esci.py). Here the pages
are what was fed, and what goes wrong has its name."""

import glob
import itertools
import os

import pytest

import common
from sane_peer import cut, grey
from served import running
from test_mfp import call

DPI = 75
SHEET = (584, 738)
GLASS = (632, 877)  # 8.5 x 11.7 inches at 75 dpi, in lines of whole bytes
TRAILER = 64
addresses = (f"127.0.63.{i + 1}" for i in itertools.count())


@pytest.fixture(scope="module", name="house")
def fixture_house():
    with running(job={"dpi": DPI}) as made:
        yield made


@pytest.fixture(scope="module", name="pages")
def fixture_pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    common.make_pictures(folder, 4, *SHEET)
    return folder


class Old:
    """platen-mfp --legacy beside the server, registered and approved."""

    def __init__(self, house, pages, *options, job=None):
        self.house, self.address, self.known = house, next(addresses), []
        house.configure(**{"dpi": DPI, "color": "color", "source": "auto", "sides": "one", **(job or {})})
        self.mfp = common.start_mfp("--legacy", "--pages", pages, "--port", house.scan_port, "--enpc-port", 0,
                                    "--address", self.address, "--server", f"127.0.0.1:{house.udp_port}",
                                    "--announce-every", 1, "--panel-port", 0, *options)

    def __enter__(self):
        self.mfp.__enter__()
        self.id = self.house.approve(self.address)
        self.mfp.wait_line("destination ")
        return self

    def __exit__(self, *error):
        self.mfp.__exit__(*error)

    def post(self, path, body=None):
        status, answer = call(self.mfp, path, body, "POST")
        assert status == 204, answer

    def scan(self):
        common.wait_until(lambda: call(self.mfp, "/state")[1]["state"] == "ready", "the panel to be ready")
        self.post("/press", {"name": "Platen", "choice": "02"})
        batch = self.house.settled_batch(self.id, self.known)
        self.known.append(batch["id"])
        return batch

    def stored(self, batch):
        """Lines of the batch's raw files, in order."""
        for path in sorted(glob.glob(os.path.join(self.house.data, "**", batch["id"], "p*.raw"), recursive=True)):
            with open(path, "rb") as f:
                yield f.read()[:-TRAILER]


def fed(pages, i):
    return common.pixels(sorted(pages.iterdir())[i])


def assert_upper_left(lines, picture, size, channels=3):
    """The sheet lies at the upper left of lines of this size; around it is white."""
    width, height = size
    assert len(lines) == width * channels * height
    sheet = picture if channels == 3 else grey(picture)
    came = (width, height, lines if channels == 3 else bytes(v for v in lines for _ in range(3)))
    assert cut(came, 0, 0, *SHEET) == cut(sheet, 0, 0, *SHEET)
    beside = cut(came, SHEET[0], 0, width - SHEET[0], height)[2] + cut(came, 0, SHEET[1], width, height - SHEET[1])[2]
    assert set(beside) == {255}


@pytest.mark.parametrize("color,channels", [("color", 3), ("gray", 1)])
def test_glass(house, pages, color, channels):
    with Old(house, pages, "--source", "flatbed", job={"color": color}) as old:
        for i in range(2):
            batch = old.scan()
            assert (batch["state"], batch["pages"]) == ("done", 1), batch
            lines, = old.stored(batch)
            assert_upper_left(lines, fed(pages, i), GLASS, channels)
            assert old.mfp.wait_line("scan-end ") == "scan-end pages=1 outcome=done"


def test_feeder(house, pages):
    with Old(house, pages) as old:
        for _ in range(2):
            batch = old.scan()
            assert (batch["state"], batch["pages"]) == ("done", 4), batch
            stored = list(old.stored(batch))
            for i, lines in enumerate(stored):
                assert_upper_left(lines, fed(pages, i), (GLASS[0], len(lines) // GLASS[0] // 3))
            assert len(stored) == 4
            assert old.mfp.wait_line("scan-end ") == "scan-end pages=4 outcome=done"
            old.post("/load", {"sheets": 4})


def test_both_sides(house, pages):
    with Old(house, pages, "--duplex", "sequential", job={"sides": "two"}) as old:
        batch = old.scan()
        assert (batch["state"], batch["pages"]) == ("done", 4), batch
        for i, lines in enumerate(old.stored(batch)):
            assert_upper_left(lines, fed(pages, i), (GLASS[0], len(lines) // GLASS[0] // 3))


def test_an_empty_feeder_means_the_glass(house, pages):
    """A job that leaves the source to the device takes the feeder while it has sheets."""
    with Old(house, pages, "--sheets", 1) as old:
        assert old.scan()["pages"] == 1
        lines, = old.stored(old.scan())
        assert_upper_left(lines, fed(pages, 0), GLASS)


def test_tone(house, pages):
    """Brightness is nothing that such a device is told: the batch says so, and the picture is as it lies."""
    with Old(house, pages, "--source", "flatbed", job={"brightness": 40}) as old:
        batch = old.scan()
        assert batch["state"] == "done" and any("brightness" in str(note) for note in batch["notes"]), batch
        lines, = old.stored(batch)
        assert_upper_left(lines, fed(pages, 0), GLASS)


@pytest.mark.parametrize("fault,reason", [("jam", "paper-jam"), ("cover", "cover-open"), ("error", "device-error"),
                                          ("drop", "connection-lost"), ("device-cancel", "cancelled-at-device")])
def test_reason_of_a_fault_within_the_second_page(house, pages, fault, reason):
    with Old(house, pages, "--fault", f"{fault}@2") as old:
        batch = old.scan()
        assert batch["reason"]["code"] == reason
        pages_kept = list(old.stored(batch))
        assert len(pages_kept) == batch["pages"] == 1
        assert_upper_left(pages_kept[0], fed(pages, 0), (GLASS[0], len(pages_kept[0]) // GLASS[0] // 3))
        old.post("/clear")
        old.post("/load", {"sheets": 2})
        assert old.scan()["pages"] == 2


@pytest.mark.parametrize("fault,reason", [("jam", "paper-jam"), ("cover", "cover-open"), ("reserved", "device-busy"),
                                          ("parameters", "parameters-refused")])
def test_reason_of_a_fault_before_the_first_page(house, pages, fault, reason):
    with Old(house, pages, "--fault", fault) as old:
        batch = old.scan()
        assert (batch["reason"]["code"], batch["pages"]) == (reason, 0)
