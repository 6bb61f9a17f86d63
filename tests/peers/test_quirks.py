"""test_quirks.py - what single models do otherwise, by a file of the administrator: read, shown, and obeyed in scans of
devices that are not of our making."""

import glob
import os
import subprocess

import pytest

import common
import epson_models
import scan_bench
from epson_blocks import quads
from epson_device import Lines
from esci_device import EsciDevice, EsciManner
from served import House

FILE = """
quirks:
  - {model: PID 08C8, why: the glass of the second floor, pixel_order: rgb}
  - {model: PID 1147, firmware: FB  3.01, why: seen, back_rotation: 0}
  - {model: PID 1147, firmware: FB  3.02, why: seen, first_sheet: last}
  - {model: PID 1147, firmware: FB  3.03, why: seen, format: raw, pixel_order: gbr}
  - {model: PID 1147, firmware: FB  3.04, why: seen, block_kib: 16}
  - {model: PID 1147, firmware: FB  3.05, why: seen, format: jpeg}
  - {model: PID FF*, why: seen, transport: plain, registration: version-3}
  - {model: PID 1147, firmware: FB  3, why: all of these, block_kib: 256}
"""
ADDRESSES = scan_bench.addresses(13000)


def configured(path):
    made = House({"devices": {"quirks": path}}).start()
    made.configure(sides="two", dpi=75, color="color")
    return made


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quirks")
    folder.chmod(0o755)
    made = folder / "quirks.yaml"
    made.write_text(FILE, encoding="utf-8")
    return str(made)


@pytest.fixture(scope="module")
def house(path):
    made = configured(path)
    try:
        yield made
        made.stop()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return [open(name, "rb").read() for name in common.make_pictures(folder, 4, 320, 440)]


def scan(house, pages, firmware=b"2.00", model=epson_models.XP7100, **manner):
    return scan_bench.Scan(house, next(ADDRESSES), pages, model, two_sided=True,
                           info=(b"#VERh008FB  2.00", b"#VERh008FB  " + firmware), **manner)


def shown(house, bench):
    """The rows that the device is shown with, as (firmware, block_kib)."""
    return [(q["firmware"], q["block_kib"]) for q in house.show("device", "show", bench.id)["quirks"]]


def test_backs(house, small):
    """The row is above what the device says, the setting of the device above the row."""
    with scan(house, small, b"3.01") as bench:
        assert shown(house, bench) == []  # its firmware is known after a scan
        for set_to, turned in ("auto", 0), ("180", 180), ("0", 0):
            house.cli("device", "set", bench.id, "--back-rotation", set_to)
            pages, _ = bench.stored(bench.run())
            assert [p["rotation"] for p in pages] == [0, turned] * 2
        assert shown(house, bench) == [("FB  3.01", 0), ("FB  3", 256)]
        row = house.show("device", "show", bench.id)["quirks"][0]
        assert (row["model"], row["back_rotation"], row["why"]) == ("PID 1147", "0", "seen")
    with scan(house, small, b"2.00") as bench:  # another firmware: as it says
        pages, _ = bench.stored(bench.run())
        assert [p["rotation"] for p in pages] == [0, 180] * 2
        assert shown(house, bench) == []


def test_order_of_the_sheets(house, small):
    with scan(house, small[2:] + small[:2], b"3.02") as bench:
        assert bench.run()["pages_reversed"]
    with scan(house, small, b"3.01") as bench:
        assert not bench.run()["pages_reversed"]


def test_format_and_pixels(house):
    picture = Lines(bytes(range(240)) * 30, 80, 0, 30)
    with scan(house, [picture, picture], b"3.03") as bench:
        _, stored = bench.stored(bench.run())
        assert dict(quads(bench.device.parameters))["FMT"] == ["RAW"]
        for page in stored:
            assert page[:-64] == bytes(picture) and page[-64:].split()[:8][7] == b"gbr"


def test_only_jpeg(house, small):
    """Black and white, which is asked as lines where there are any, is grey of a model whose lines are no good."""
    house.configure(sides="two", dpi=75, color="bw")
    try:
        with scan(house, small[:2], b"3.05") as bench:
            batch = bench.run()
            assert (batch["state"], batch["pages"]) == ("done", 2), batch
            given = dict(quads(bench.device.parameters))
            assert (given["FMT"], given["COL"]) == (["JPG"], ["M008"])
    finally:
        house.configure(sides="two", dpi=75, color="color")


@pytest.mark.parametrize("firmware,kib", [(b"3.04", 16), (b"3.09", 256), (b"2.00", 1024)])
def test_size_of_blocks(house, small, firmware, kib):
    with scan(house, small, firmware, block_max=1 << 20, first_block=1 << 20) as bench:
        bench.run()
        assert dict(quads(bench.device.parameters))["BSZ"] == [kib * 1024]


def test_transport_and_registration(house, small):
    """What has to be known before a scan: by the product that the request tells, at the second request."""
    model = epson_models.XP7100._replace(
        product="PID FF01", info=epson_models.XP7100.info.replace(b"PID 1147", b"PID FF01"))
    with scan(house, small, model=model) as bench:
        common.wait_until(lambda: "Ver" in bench.device.register(("127.0.0.1", house.udp_port)), "version 3")
        bench.run()
        assert bench.device.hellos == 0
        house.cli("device", "set", bench.id, "--transport", "auto", "--registration", "version-2")
        common.wait_until(lambda: "Ver" not in bench.device.register(("127.0.0.1", house.udp_port)), "version 2")


def test_a_row_of_ones_own_is_above_that_of_the_program(house):
    house.configure(dpi=75, color="color", source="auto", sides="one")
    try:
        with EsciDevice(next(ADDRESSES), house.scan_port, 1, EsciManner()) as device:
            device.register(("127.0.0.1", house.udp_port))
            id_ = house.approve(device.address)
            assert b"<StatusOut>OK<" in device.press(("127.0.0.1", house.tcp_port))
            device.wait_end()
            batch = house.settled_batch(id_)
            assert batch["state"] == "done", batch
            rows = house.show("device", "show", id_)["quirks"]
            assert [(r["pixel_order"], r["why"][:7]) for r in rows] == [("rgb", "the gla"), ("gbr", "WF-3620")]
            raw, = glob.glob(os.path.join(house.spool, "**", batch["id"], "p*.raw"), recursive=True)
            with open(raw, "rb") as f:
                assert f.read()[-64:].split()[7] == b"rgb"
    finally:
        house.configure(sides="two", dpi=75, color="color")


def test_settings_of_a_device_in_a_configuration_file(house, small, tmp_path):
    """What is set of a device is exported and comes back; YAML may have 180 as a number."""
    with scan(house, small) as bench:
        house.cli("device", "set", bench.id, "--back-rotation", "180", "--transport", "plain")
        text = house.cli("config", "export")
        exported = tmp_path / "config.yaml"
        exported.write_text(text, encoding="utf-8")
        assert "back_rotation" in text and "transport: plain" in text
        house.cli("device", "set", bench.id, "--back-rotation", "0", "--transport", "auto")
        exported.write_text(text.replace('"180"', "180").replace("'180'", "180"), encoding="utf-8")
        house.cli("config", "apply", str(exported))
        now = house.show("device", "show", bench.id)
        assert (now["back_rotation"], now["transport"]) == ("180", "plain")
        bench.run()
        assert bench.device.hellos == 0


def test_a_bad_file_is_told_before_the_start(path, tmp_path):
    """Every problem, with its place; the server does not start with half of what was meant."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("quirks:\n  - {model: A, why: b, pixel_order: bgr}\n  - {model: C, why: d}\n", encoding="utf-8")
    for name, problems in (str(bad), ["quirks[1]: line 2: pixel_order: ", "quirks[2]: line 3: "]), (str(tmp_path / "none"), ["none"]):
        house = House({"devices": {"quirks": name}})
        try:
            for more in ["--check-config"], []:
                done = subprocess.run([house.program("platend"), "--config", house.conf_path, *more],
                                      capture_output=True, text=True, timeout=60, check=False)
                assert done.returncode == 2, done
                for problem in problems:
                    assert name in done.stderr and problem in done.stderr, done.stderr
        finally:
            house.remove()
    house = House({"devices": {"quirks": path}})
    try:
        done = subprocess.run([house.program("platend"), "--config", house.conf_path, "--check-config"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and "sound" in done.stdout, done
    finally:
        house.remove()


BAD_ROWS = {
    "- {model: X, back_rotation: 90}": ["quirks[1]: line 2: why: is missing", "quirks[1]: line 2: back_rotation: "],
    "- {model: X, why: y, blok_kib: 3, block_kib: 5000}": ["line 2: blok_kib: ", "line 2: block_kib: "],
    "- {model: X, why: y}": ['line 2: the row of "X" says nothing'],
    "- {model: X, why: y, transport: auto}": ['transport: "auto" is unknown here; known: tls, plain'],
    "- {model: X, why: y, block_kib: 0}": ["line 2: block_kib: "],
}


def check_config(tmp_path, text, **more):
    bad = tmp_path / "rows.yaml"
    bad.write_text(text, encoding="utf-8")
    house = House({"devices": {"quirks": str(bad)}, **more})
    try:
        done = subprocess.run([house.program("platend"), "--config", house.conf_path, "--check-config"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2, done
        return done.stderr.splitlines()
    finally:
        house.remove()


@pytest.mark.parametrize("row", BAD_ROWS)
def test_everything_that_is_wrong_with_a_row_is_said(row, tmp_path):
    said = check_config(tmp_path, f"quirks:\n  {row}\n")
    assert len(said) == len(BAD_ROWS[row]), said
    for wanted in BAD_ROWS[row]:
        assert any(wanted in line for line in said), said


def test_what_is_no_list_of_rows(tmp_path):
    assert "line 1: quirks is empty" in "".join(check_config(tmp_path, "quirks:\n"))
    assert "line 1: quirks is no list" in "".join(check_config(tmp_path, "quirks: 5\n"))
    said, = check_config(tmp_path, "quirks: []\nbogus: 3\n")
    assert 'line 2: "bogus": there is only quirks' in said


def test_problems_of_both_files_are_said(tmp_path):
    said = "".join(check_config(tmp_path, "quirks:\n  - {model: X, why: y}\n", log={"level": "loud"}))
    assert "level" in said and "says nothing" in said
