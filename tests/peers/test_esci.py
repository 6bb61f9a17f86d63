"""test_esci.py - the real server against an older device (ESC/I) that is not of our making (esci_device.py).

Pages must be stored as the device sent them, line by line, and every fault gets its named reason."""

import glob
import itertools
import os

import pytest

import common
from esci_device import EsciDevice, EsciManner
from raw_pages import images_in, output_of
from served import running

DPI = 75
GLASS = (632, 877)    # 8.5 x 11.7 inches at 75 dpi, lines of whole bytes
FEEDER = (632, 1050)  # 8.5 x 14 inches
TRAILER = 64


@pytest.fixture(scope="module")
def house():
    with running(job={"dpi": DPI}) as made:
        yield made


addresses = (f"127.0.9.{i + 1}" for i in itertools.count())


class Bench:
    """An older device beside the server, registered and approved; job: what its job says."""

    def __init__(self, house, sheets=1, job=None, **manner):
        self.house = house
        house.configure(**{"dpi": DPI, "color": "color", "source": "auto", "sides": "one", **(job or {})})
        self.device = EsciDevice(next(addresses), house.scan_port, sheets, EsciManner(**manner))
        self.device.register(("127.0.0.1", house.udp_port))
        self.id = house.approve(self.device.address)

    def press(self):
        self.seen = [b["id"] for b in self.house.batches(self.id)]
        assert b"<StatusOut>OK<" in self.device.press(("127.0.0.1", self.house.tcp_port))

    def batch(self, patience_s=common.PATIENCE_S):
        self.device.wait_end(patience_s)
        return self.house.settled_batch(self.id, self.seen, patience_s)

    def scan(self, patience_s=common.PATIENCE_S):
        self.press()
        return self.batch(patience_s)

    def stored(self, batch):
        """The raw files of a batch: (side, lines, trailer)."""
        files = sorted(glob.glob(os.path.join(self.house.data, "**", batch["id"], "p*.raw"), recursive=True))
        for path in files:
            with open(path, "rb") as f:
                data = f.read()
            yield os.path.basename(path)[5].upper(), data[:-TRAILER], data[-TRAILER:].decode().split()

    def assert_stored(self, batch, sides, order="gbr"):
        """Every page is what the device fed, with a trailer that says so."""
        assert (batch["state"], batch["pages"]) == ("done", len(sides)), batch
        stored = list(self.stored(batch))
        assert [side for side, _, _ in stored] == list(sides)
        assert len(self.device.fed) == len(stored)
        for (values, fed), (_, lines, said) in zip(self.device.fed, stored):
            assert lines == fed
            width, height = values["width"], values["height"]
            channels = 3 if values["color"] else 1
            assert said == ["PLATEN-RAW", "1", str(width), str(height), str(len(fed) // height),
                            str(channels), str(values["bits"]), order if channels == 3 else "gray",
                            str(values["dpi"])]
        assert self.device.complaints == []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.close()


# Takes long by nature: begins with the file, and is looked at by its last test.
SLOW = {"busy": ({"not_ready": 10 ** 6}, "device-busy"),
        "drawing": ({"feeding_polls": 10 ** 6}, "no-progress")}


@pytest.fixture(scope="module", autouse=True)
def slow(house):
    benches = {}
    for name, (manner, _) in SLOW.items():
        benches[name] = Bench(house, job={"color": "gray"}, **manner)
        benches[name].press()
    yield benches
    for bench in benches.values():
        bench.device.close()


def upper_colour(bench, batch, folder):
    """The colour of the plain upper half of the first page of the delivered PDF."""
    first = images_in(bench.house.delivered_file(batch["id"], ".pdf"), folder, "-all")[0]
    return tuple(output_of("convert", first, "-crop", "1x1+50+50", "-depth", "8", "rgb:-"))


def near(one, two):
    return all(abs(a - b) < 8 for a, b in zip(one, two))


# ---- what it scans --------------------------------------------------------------------------------

def test_glass_in_colour(house, tmp_path):
    """The model that sends green, blue, red."""
    with Bench(house, sheets=0) as bench:
        batch = bench.scan()
        bench.assert_stored(batch, "A")
        values = bench.device.fed[0][0]
        assert (values["width"], values["height"]) == GLASS
        assert (values["source"], values["color"], values["bits"], values["gamma"]) == (0, 0x13, 8, 4)
        assert near(upper_colour(bench, batch, tmp_path / "i"), (60, 200, 30))
    assert house.devices()[bench.device.address]["product"] == "PID 08C8"


def test_other_models_send_red_green_blue(house, tmp_path):
    with Bench(house, sheets=0, product=b"PID 0893") as bench:
        batch = bench.scan()
        bench.assert_stored(batch, "A", order="rgb")
        assert near(upper_colour(bench, batch, tmp_path / "i"), (200, 30, 60))


def test_feeder_until_it_is_empty(house):
    with Bench(house, sheets=3) as bench:
        bench.assert_stored(bench.scan(), "AAA")
        values = bench.device.fed[0][0]
        assert (values["width"], values["height"], values["source"]) == (*FEEDER, 1)
        assert bench.device.asked == [1, 2, 3]
        assert bench.device.commands[-1] == "\x1b)"


def test_both_sides(house):
    with Bench(house, sheets=2, job={"sides": "two"}) as bench:
        bench.assert_stored(bench.scan(), "ABAB")
        assert bench.device.fed[0][0]["source"] == 2


def test_backs_are_turned_where_the_settings_say_so(house):
    """Nobody has seen how backs of these devices come: upright, unless a person says otherwise."""
    with Bench(house, sheets=2, job={"sides": "two"}) as bench:
        for set_to, turned in ("auto", 0), ("180", 180), ("0", 0):
            house.cli("device", "set", bench.id, "--back-rotation", set_to)
            batch = bench.scan()
            pages = house.show("batch", "pages", batch["id"])
            assert [p["rotation"] for p in pages] == [0, turned] * 2, set_to


def test_both_sides_where_the_device_has_none(house):
    with Bench(house, sheets=2, job={"sides": "two"}, duplex=False) as bench:
        bench.assert_stored(bench.scan(), "AA")


@pytest.mark.parametrize("color,bits", [("gray", 8), ("bw", 1)])
def test_without_colour(house, color, bits):
    with Bench(house, sheets=2, job={"color": color}) as bench:
        bench.assert_stored(bench.scan(), "AA")
        assert {(v["color"], v["bits"]) for v, _ in bench.device.fed} == {(0, bits)}


def test_the_job_names_the_glass_although_paper_is_in_the_feeder(house):
    with Bench(house, sheets=3, job={"source": "flatbed"}) as bench:
        bench.assert_stored(bench.scan(), "A")
        assert bench.device.fed[0][0]["source"] == 0


def test_dpi_beyond_what_it_can(house):
    with Bench(house, sheets=0, job={"dpi": 50, "color": "bw"}) as bench:
        bench.assert_stored(bench.scan(), "A")
        assert bench.device.fed[0][0]["dpi"] == 75  # the least it has


@pytest.mark.parametrize("manner", [
    {"split": True}, {"drip": 700, "drip_pause_s": 0}, {"short_reads": 5000}, {"empty_reads": 2},
    {"block_lines": 100}, {"block_lines": 1050}, {"feeding_polls": 3}, {"not_ready": 3},
    {"warming_up": 3}, {"take": b"\x15"}, {"take_busy": 2}, {"gamma": False}, {"lock_naks": 1},
    {"notices": True}, {"feeder": True, "source_command": True, "duplex": False}], ids=str)
def test_manners(house, manner):
    with Bench(house, sheets=2, job={"color": "gray"}, **manner) as bench:
        bench.assert_stored(bench.scan(), "AA")


def test_without_a_feeder(house):
    with Bench(house, sheets=0, feeder=False, source_command=False) as bench:
        bench.assert_stored(bench.scan(), "A")
        assert "\x1be" in bench.device.commands


def test_again_and_again(house):
    with Bench(house, sheets=1, job={"color": "bw"}) as bench:
        for _ in range(3):
            bench.device.fed.clear()
            bench.assert_stored(bench.scan(), "A")


# ---- how it fails ---------------------------------------------------------------------------------

def assert_ended(bench, batch, code, pages, state="broken"):
    assert (batch["state"], batch["reason"]["code"], batch["pages"]) == (state, code, pages), batch
    stored = list(bench.stored(batch))
    assert [lines for _, lines, _ in stored] == [lines for _, lines in bench.device.fed[:pages]]


@pytest.mark.parametrize("fault,code", [
    ("jam", "paper-jam"), ("cover", "cover-open"), ("error", "device-error"), ("drop", "connection-lost")])
def test_fault_in_the_second_page(house, fault, code):
    with Bench(house, sheets=3, job={"color": "gray"}, fault=fault, fault_page=2) as bench:
        assert_ended(bench, bench.scan(), code, 1)
        assert bench.device.complaints == []
        if fault != "drop":
            assert bench.device.commands[-3:] == ["\x18", "\x1cF", "\x1b)"]


def test_nak_instead_of_a_block(house):
    with Bench(house, sheets=3, job={"color": "gray"}, fault="block-nak", fault_page=2) as bench:
        batch = bench.scan()
        assert_ended(bench, batch, "device-rejected", 1)
        assert batch["reason"]["text"] == "The device refused a command (the next block, NAK)."
        assert bench.device.commands[-3:] == ["\x18", "\x1cF", "\x1b)"]
        assert bench.device.complaints == []


def test_ten_while_the_paper_is_drawn_is_no_cancel(house):
    with Bench(house, sheets=2, job={"color": "gray"}, feeding_polls=2, feeding_status=0x10) as bench:
        bench.assert_stored(bench.scan(), "AA")


def test_fault_on_the_glass(house):
    with Bench(house, sheets=0, job={"color": "gray"}, fault="cover", fault_page=1) as bench:
        assert_ended(bench, bench.scan(), "cover-open", 0)


def test_cancelled_at_the_panel(house):
    with Bench(house, sheets=3, job={"color": "gray"}, fault="panel-cancel", fault_page=2) as bench:
        assert_ended(bench, bench.scan(), "cancelled-at-device", 1, "cancelled")
        assert bench.device.commands[-2:] == ["\x18", "\x1b)"]
        assert bench.device.complaints == []


def test_empty_feeder_where_the_job_wants_it(house):
    with Bench(house, sheets=0, job={"source": "adf"}) as bench:
        assert_ended(bench, bench.scan(), "no-paper", 0)
        assert bench.device.commands[-1] == "\x1b)"


@pytest.mark.parametrize("manner,code", [
    ({"fault": "in-use"}, "device-busy"), ({"refuse_parameters": True}, "parameters-refused"),
    ({"fault": "start-nak"}, "device-error"), ({"fault": "start-fatal"}, "cover-open"),
    ({"fault": "torn-lines"}, "page-broken"), ({"fault": "garbage-welcome"}, "protocol-error")], ids=str)
def test_fault_before_the_first_page(house, manner, code):
    with Bench(house, sheets=1, job={"color": "gray"}, **manner) as bench:
        assert_ended(bench, bench.scan(), code, 0)
        assert bench.device.complaints == []


def test_source_that_it_does_not_have(house):
    with Bench(house, sheets=0, job={"source": "adf"}, feeder=False) as bench:
        assert_ended(bench, bench.scan(), "source-missing", 0)


def test_page_is_asked_for_more_only_when_it_is_stored(house):
    """What acknowledges a page is the command behind it."""
    seen = []
    with Bench(house, sheets=3, job={"color": "gray"}) as bench:
        def asked(number):
            with house.database() as db:
                seen.append((number, db.execute("SELECT count(*) FROM page WHERE batch_id = (SELECT id FROM "
                                                "batch ORDER BY started_at DESC LIMIT 1)").fetchone()[0]))
        bench.device.page_asked = asked
        bench.assert_stored(bench.scan(), "AAA")
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_not_ready_for_ever(slow):
    for name, (_, code) in SLOW.items():
        bench = slow[name]
        assert_ended(bench, bench.batch(100), code, 0)
        assert bench.device.complaints == []


def test_settings_of_the_job(house):
    """Size and threshold go to the device; what it cannot do is said, or refused by a strict job."""
    job = {"source": "flatbed", "color": "bw", "threshold": 77, "paper": "a5"}
    with Bench(house, job=job) as bench:
        batch = bench.scan()
        bench.assert_stored(batch, "A")
        given = bench.device.fed[0][0]
        assert "notes" not in batch and given["threshold"] == 77
        assert (given["width"], given["height"]) == (583 * DPI // 100 // 8 * 8, 827 * DPI // 100)
        offer = house.show("device", "show", bench.id)["offer"]
        assert offer["formats"] == ["raw"] and offer["colors"] == ["color", "gray", "bw"]
        assert offer["adf"]["sides"] == 2 and offer["flatbed"]["dpi_range"]["min"] == 75
    job = {"source": "flatbed", "crop": True, "brightness": 20}
    with Bench(house, job=job) as bench:
        batch = bench.scan()
        bench.assert_stored(batch, "A")
        assert [n["setting"] for n in batch["notes"]] == ["crop", "brightness"]
    with Bench(house, job={**job, "strict_settings": True}) as bench:
        batch = bench.scan()
        assert_ended(bench, batch, "settings-not-offered", 0)
        assert [n["setting"] for n in batch["notes"]] == ["crop", "brightness"]
        assert "cut pages to the paper; The device cannot set the brightness)." in \
            batch["reason"]["text"]
    assert bench.device.complaints == []


def test_page_limit(house):
    with Bench(house, sheets=4, job={"page_limit": 2}) as bench:
        batch = bench.scan()
        bench.assert_stored(batch, "AA")
        assert batch["state"] == "done" and batch["pages"] == 2
