"""test_sides.py - pages of every kind from a device that is not of our making: two sides, one after the
other or in turn, upside down or not, the last sheet first; lines in colour, grey and 1 bit; sizes that
are told at the end of a page."""

import hashlib
import json
import os

import pytest

import common
import epson_models
import scan_bench
from epson_blocks import quads
from epson_device import Lines, Manner
from served import House, pdf_pages

JOBS = {  # name: (panel choice, what the job says)
    "Letters": ("1-sided-pdf", {}),
    "Sheets": ("2-sided-pdf", {}),
    "Always": ("1-sided-jpeg", {"sides": "two"}),
    "Never": ("2-sided-jpeg", {"sides": "one"}),
    "Forms": ("1-sided-preview", {"color": "bw", "sides": "two"}),
    "Grey": ("2-sided-preview", {"color": "gray"}),
}
ADDRESSES = scan_bench.addresses(2000)
CHOICES = {"Letters": "02", "Sheets": "12", "Always": "01", "Never": "11", "Forms": "04", "Grey": "14"}
RAW_ONLY = {"capa": (b"#FMTLISTRAW JPG ", b"#FMTLISTRAW ")}


@pytest.fixture(scope="module")
def house():
    made = House().start()
    try:
        config = {"destinations": [{"name": "Delivered", "kind": "folder",
                                    "settings": {"path": made.delivered}}],
                  "jobs": [{"name": name, "file_name": name + "_{date}_{time}_{seq:3}", **says,
                            "destinations": [{"destination": "Delivered"}]}
                           for name, (_, says) in JOBS.items()],
                  "job_groups": [{"name": "Everyone", "jobs": [
                      {"job": name, "panel_choice": choice} for name, (choice, _) in JOBS.items()]}]}
        path = os.path.join(made.top, "config.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)  # JSON is YAML
        made.cli("config", "apply", path)
        yield made
        made.stop()
    finally:
        made.remove()


class Scan(scan_bench.Scan):
    """A device of this file; jobs by their names."""

    def __init__(self, house, pages, model=epson_models.XP7100, **manner):
        super().__init__(house, next(ADDRESSES), pages, model, **manner)

    def run(self, job):  # pylint: disable=arguments-renamed
        return super().run(CHOICES[job])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 6, 320, 440)]


# ---- two sides --------------------------------------------------------------------------------

@pytest.mark.parametrize("manner", [{}, {"in_turn": True}, {"in_turn": True, "block_max": 3000},
                                    {"split": True, "drip": 500, "in_turn": True},
                                    {"end_with_data": True}, {"end_with_data": True, "in_turn": True},
                                    {"end_by_error": True, "in_turn": True}, {"notices": True}],
                         ids=lambda m: "-".join(m) or "ordinary")
def test_two_sides(house, small, manner):
    """The panel's choice 2-sided gives front and back of each sheet, in their order."""
    with Scan(house, small, two_sided=True, **manner) as scan:
        batch = scan.run("Sheets")
        assert (batch["state"], batch["pages"]) == ("done", 6), batch
        pages, stored = scan.stored(batch)
        assert stored == small
        assert [(p["number"], p["side"]) for p in pages] == list(zip(range(1, 7), "ABABAB"))
        # INFO says 2SCN: this feeder turns the sheet, its backs are upside down.
        assert [p["rotation"] for p in pages] == [0, 180] * 3
        assert [p["file"] for p in pages[:2]] == ["p0001a.jpg", "p0002b.jpg"]
        assert pdf_pages(house.delivered_file(batch["id"], ".pdf")) == small
        assert dict(quads(scan.device.parameters))["ADF"] == ["DPLX"]
        assert dict(quads(scan.device.parameters))["PAG"] == [0]


def test_who_says_how_many_sides(house, small):
    """The panel's choice is honoured unless the job says otherwise; a glass has one side."""
    with Scan(house, small[:2]) as scan:
        for job, sides in (("Letters", 1), ("Sheets", 2), ("Always", 2), ("Never", 1), ("Grey", 2)):
            scan.device.manner = Manner(two_sided=sides == 2)
            batch = scan.run(job)
            assert (batch["state"], batch["pages"]) == ("done", 2), (job, batch)
            pages, _ = scan.stored(batch)
            assert [p["side"] for p in pages] == (["A", "B"] if sides == 2 else ["A", "A"]), job
        scan.device.pages, scan.device.manner = small[:1], Manner(two_sided=True, feeder_loaded=False)
        batch = scan.run("Sheets")
        assert (batch["state"], batch["pages"]) == ("done", 1), batch
        assert scan.device.parameters.startswith(b"#FB ")


def test_ff680w_scans_two_sides_with_double_feed_detection(house, small):
    """Single pass (1SCN): backs are upright; SANE's note about DFL1 is heeded, as it is offered."""
    page = epson_models.ff680w_page()
    with Scan(house, [page, page], epson_models.FF680W, two_sided=True, in_turn=True, crop=8) as scan:
        batch = scan.run("Sheets")
        assert (batch["state"], batch["pages"]) == ("done", 2), batch
        pages, stored = scan.stored(batch)
        assert stored == [page, page]
        assert [p["rotation"] for p in pages] == [0, 0]
        # The end of the page says 2182 lines, its beginning 2190.
        assert [(p["crop_width_px"], p["crop_height_px"]) for p in pages] == [(1687, 2182)] * 2
        assert dict(quads(scan.device.parameters))["ADF"] == ["DPLX", "DFL1"]
        assert not batch["pages_reversed"]


def test_last_sheet_first(house, small):
    """A feeder that delivers the last sheet first (PFN1): documents have the sheets in order."""
    with Scan(house, [small[2], small[3], small[0], small[1]], two_sided=True,
              info=(b"FORDPF1N", b"FORDPFN1")) as scan:
        batch = scan.run("Sheets")
        assert batch["pages_reversed"] and batch["pages"] == 4
        assert pdf_pages(house.delivered_file(batch["id"], ".pdf")) == small[:4]


FAULTS = {"jam-in-page": "paper-jam", "double-feed": "double-feed", "drop": "connection-lost",
          "event-80": "device-timeout", "cancel": "cancelled-at-device"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("in_turn", [False, True])
def test_fault_in_second_sheet(house, small, fault, in_turn):
    """What was stored before the fault stays, front of the sheet included when it had ended."""
    with Scan(house, small[:4], two_sided=True, in_turn=in_turn, fault=fault, fault_page=4,
              block_max=4000) as scan:
        batch = scan.run("Sheets")
        pages, stored = scan.stored(batch)
        assert batch["reason"]["code"] == FAULTS[fault]
        assert stored == small[:len(stored)]
        assert len(stored) == (2 if in_turn else 3)  # in turn both sides of the sheet were coming
        assert [p["sha256"] for p in pages] == [hashlib.sha256(p).hexdigest() for p in stored]


def test_asked_for_more_only_when_a_side_is_stored(house, small):
    """With two pages open the end of one is acknowledged when that one is durable."""
    seen = []

    def is_stored(page):
        with house.database() as db:
            rows = db.execute("SELECT count(*) FROM page JOIN batch ON batch.id = batch_id"
                              " WHERE device_id = ?", (scan.id,)).fetchone()[0]
        seen.append((page, rows))

    with Scan(house, small, two_sided=True, in_turn=True) as scan:
        scan.device.page_asked = is_stored
        scan.run("Sheets")
        assert [rows >= page for page, rows in seen] == [True] * 6, seen


@pytest.mark.parametrize("most", [40, 64, 100])
def test_parameters_in_parts(house, small, most):
    """A device that takes small blocks (#DSZ) gets the parameters in parts, each of whole keys."""
    with Scan(house, small[:2], two_sided=True, info=(b"#DSZi0001536", b"#DSZi%07d" % most)) as scan:
        batch = scan.run("Sheets")
        assert (batch["state"], batch["pages"]) == ("done", 2), batch
        assert scan.device.commands.count("PARA") > 1
        assert dict(quads(scan.device.parameters))["ADF"] == ["DPLX"]


# ---- lines ------------------------------------------------------------------------------------

def lines(width, height, channels, bits, padding=0, seed=1, end=None):
    """A page of lines: grey slopes; of 1 bit stripes. Behind each line stands padding of 0xEE."""
    rows = []
    for y in range(height):
        if bits == 1:
            row = bytes((0xF0 if (y // 4 + x + seed) % 2 else 0x0F) for x in range(-(-width // 8)))
        else:
            row = bytes((x + 2 * y + 40 * (x % channels) + seed) % 256 for x in range(width * channels))
        rows.append(row + b"\xEE" * padding)
    return Lines(b"".join(rows), width, padding, height, end)


def trailer(page, channels, bits, count=None):
    line = len(page) // (count or page.height)
    order = "rgb" if channels == 3 else "gray"
    text = f"PLATEN-RAW 1 {page.width} {count or page.height} {line} {channels} {bits} {order} 300"
    return text.ljust(63).encode() + b"\n"


@pytest.mark.parametrize("job,channels,bits,padding", [("Letters", 3, 8, 0), ("Letters", 3, 8, 3),
                                                       ("Grey", 1, 8, 1), ("Forms", 1, 1, 2)])
def test_lines(house, job, channels, bits, padding):
    """A device with RAW only: lines are kept as they come, and the documents are made of them."""
    pages = [lines(203, 290 + i, channels, bits, padding, i) for i in range(2)]
    two = job in ("Grey", "Forms")
    with Scan(house, pages, two_sided=two, in_turn=two, block_max=7000, **RAW_ONLY) as scan:
        batch = scan.run(job)
        assert (batch["state"], batch["pages"]) == ("done", 2), batch
        rows, stored = scan.stored(batch)
        assert stored == [bytes(p) + trailer(p, channels, bits) for p in pages]
        assert [r["file"][-4:] for r in rows] == [".raw", ".raw"]
        assert [(r["width_px"], r["height_px"]) for r in rows] == [(203, 290), (203, 291)]
        given = dict(quads(scan.device.parameters))
        assert given["FMT"] == ["RAW"] and "JPG" not in given
        assert given["COL"] == [{(3, 8): "C024", (1, 8): "M008", (1, 1): "M001"}[channels, bits]]
        assert given["GMM"] == ["UG10" if bits == 1 else "UG18"]
        assert house.delivered_file(batch["id"], ".pdf")


def test_one_bit_where_there_is_jpeg(house, small):
    """Black and white comes as lines from a device that has JPEG too; from one without, it is grey."""
    with Scan(house, [lines(200, 100, 1, 1)], two_sided=True) as scan:
        batch = scan.run("Forms")
        assert (batch["state"], batch["pages"]) == ("done", 1), batch
        assert dict(quads(scan.device.parameters))["FMT"] == ["RAW"]
    with Scan(house, small[:2], epson_models.FF680W, two_sided=True) as scan:
        batch = scan.run("Forms")
        assert (batch["state"], batch["pages"]) == ("done", 2), batch
        given = dict(quads(scan.device.parameters))
        assert (given["FMT"], given["COL"]) == (["JPG"], ["M008"])


def test_length_that_is_known_at_the_end(house):
    """A long page: its beginning announces the longest paper; fewer lines come. And one whose end says that
    fewer of its lines are real."""
    long_page, cut = lines(80, 5000, 1, 8), lines(160, 200, 1, 8, 0, 2, end=(150, 180))
    long_page.height, long_page.end = 72000, (80, 5000)
    with Scan(house, [long_page, cut], two_sided=True, **RAW_ONLY) as scan:
        batch = scan.run("Grey")
        assert (batch["state"], batch["pages"]) == ("done", 2), batch
        rows, stored = scan.stored(batch)
        assert stored[0] == bytes(long_page) + trailer(long_page, 1, 8, 5000)
        assert stored[1] == bytes(cut) + trailer(cut, 1, 8, 200)
        assert "crop_width_px" not in rows[0]
        assert (rows[1]["crop_width_px"], rows[1]["crop_height_px"]) == (150, 180)


@pytest.mark.parametrize("damage", ["half-a-line", "line-missing"])
def test_lines_that_are_no_page(house, damage):
    page = lines(80, 60, 1, 8)
    broken = {"half-a-line": Lines(page[:-40], 80, 0, 60),
              "line-missing": Lines(page[:-80], 80, 0, 60)}[damage]
    if damage == "line-missing":
        broken.end = (80, 60)
    with Scan(house, [page, broken], two_sided=True, **RAW_ONLY) as scan:
        batch = scan.run("Grey")
        assert (batch["state"], batch["reason"]["code"], batch["pages"]) == ("broken", "page-broken", 1)
        assert scan.device.commands[-3:] == ["FIN", "STAT", "FIN"]
