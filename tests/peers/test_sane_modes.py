"""test_sane_modes.py - SANE scans from platen-mfp in every mode it has, and tells its faults apart."""

import subprocess

import pytest

import common
from e2p_client import golden
from sane_peer import (AREA, DEVICE, SIZE, assert_pixels, cut, difference, fixture_net as net,  # noqa: F401
                       fixture_sane as sane, grey, halved, pushed_right, scanimage, start, toned, turned)

# SANE_Status, the exit codes of scanimage; an empty feeder behind a page is good.
GOOD, CANCELLED, INVALID, JAMMED, NO_DOCUMENTS, COVER_OPEN, IO_ERROR = 0, 2, 4, 6, 7, 8, 9
DUPLEX = ["--source", "ADF Duplex"]


def batch(net, sane, cwd, *options):
    return scanimage(net, sane, "-d", DEVICE, *AREA, *options, "--batch=%d.pnm", "--format=pnm", cwd=cwd)


def make_page(path, *words, size=SIZE, seed=1):
    subprocess.run(["convert", "-size", f"{size[0]}x{size[1]}", "-seed", str(seed), "plasma:fractal",
                    *words, "-depth", "8", path], check=True)


# ---- colours and areas --------------------------------------------------------------------------

@pytest.mark.parametrize("mode,seen", [("Color", lambda p: p), ("Gray", grey),
                                       ("Lineart", lambda p: grey(p, 128))])
def test_raw_pixels(net, sane, tmp_path, mode, seen):
    fed = common.make_pictures(tmp_path / "in", 1, *SIZE)
    with start(net, tmp_path / "in", "--formats", "raw", "--line-padding", 3):
        done = batch(net, sane, tmp_path, "--mode", mode)
    assert done.returncode == GOOD, done.stderr
    assert_pixels(tmp_path / "1.pnm", seen(common.pixels(fed[0])))


def test_grey_as_jpeg_from_a_colour_page(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 1, *SIZE)
    with start(net, tmp_path / "in", "--formats", "jpeg"):
        done = batch(net, sane, tmp_path, "--mode", "Gray")
    assert done.returncode == GOOD, done.stderr
    assert difference(tmp_path / "1.pnm", grey(common.pixels(fed[0]))) < 3


def test_areas_of_the_glass_at_half_the_resolution(net, sane, tmp_path):
    (tmp_path / "in").mkdir()
    page = tmp_path / "in" / "page.png"
    make_page(page, "-units", "PixelsPerInch", "-density", "150", size=(1168, 1476))
    whole = halved(common.pixels(page))
    with start(net, tmp_path / "in", "--source", "flatbed"):
        for name, x, y in ("a", 1, 2), ("b", 2, 1):  # inches
            done = scanimage(net, sane, "-d", DEVICE, "--resolution", "75", "-l", str(x * 25.4), "-t",
                             str(y * 25.4), "-x", "100", "-y", "101.6", "-o", name + ".pnm",
                             "--format=pnm", cwd=tmp_path)
            assert done.returncode == GOOD, done.stderr
            width, height, _ = common.pixels(tmp_path / (name + ".pnm"))
            assert (width, height) in ((288, 300), (288, 299))
            assert_pixels(tmp_path / (name + ".pnm"), cut(whole, x * 75, y * 75, width, height))


def test_every_format_of_pages(net, sane, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    make_page(folder / "a.png", seed=1)
    make_page(tmp_path / "b1.png", seed=2)
    make_page(tmp_path / "b2.png", "-colorspace", "Gray", seed=3)
    subprocess.run(["convert", tmp_path / "b1.png", tmp_path / "b2.png", "-compress", "LZW",
                    "+density", folder / "b.tif"], check=True)
    make_page(tmp_path / "c.png", "-units", "PixelsPerInch", "-density", "75", seed=4)
    subprocess.run(["img2pdf", tmp_path / "c.png", tmp_path / "c.png", "-o", folder / "c.pdf"], check=True)
    with start(net, folder, "--dpi", 75) as mfp:
        done = batch(net, sane, tmp_path)
    assert "Batch terminated, 5 pages scanned" in done.stderr
    for number, source in (1, folder / "a.png"), (2, tmp_path / "b1.png"), (3, tmp_path / "b2.png"):
        assert_pixels(tmp_path / f"{number}.pnm", common.pixels(source))
    width, height, rgb = common.pixels(tmp_path / "c.png")
    for number in (4, 5):  # rendered at 300 dpi and averaged back
        found = common.pixels(tmp_path / f"{number}.pnm")
        assert abs(found[0] - width) <= 1 and abs(found[1] - height) <= 1
        height = min(height, found[1])
        wanted = cut((width, height, rgb), 0, 0, width, height)
        found = cut(found, 0, 0, width, height)
        assert sum(abs(a - b) for a, b in zip(found[2], wanted[2])) / len(wanted[2]) < 4
    assert mfp.lines[-1] == "scan-end pages=5 outcome=done"


# ---- two sides ----------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["sequential", "interleaved", "double-pass"])
@pytest.mark.parametrize("formats", ["raw", "jpeg"])
def test_both_sides(net, sane, tmp_path, how, formats):
    fed = common.make_pictures(tmp_path / "in", 4, *SIZE)
    with start(net, tmp_path / "in", "--duplex", how, "--formats", formats, "--exit-after", 1) as mfp:
        done = batch(net, sane, tmp_path, *DUPLEX)
        assert "Batch terminated, 4 pages scanned" in done.stderr
        assert mfp.wait_exit() == 0
    for i in range(4):
        wanted = common.pixels(fed[i])
        if how == "double-pass" and i % 2:
            wanted = turned(wanted)
        if formats == "raw" or wanted == common.pixels(fed[i]):
            assert_pixels(tmp_path / f"{i + 1}.pnm", wanted)
        else:  # turned, so encoded again
            assert difference(tmp_path / f"{i + 1}.pnm", wanted) < 4


def test_last_sheet_first(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 4, *SIZE)
    with start(net, tmp_path / "in", "--duplex", "sequential", "--last-first"):
        done = batch(net, sane, tmp_path, *DUPLEX)
    assert "Batch terminated, 4 pages scanned" in done.stderr
    for number, page in enumerate([2, 3, 0, 1], 1):
        assert_pixels(tmp_path / f"{number}.pnm", common.pixels(fed[page]))


# ---- models -------------------------------------------------------------------------------------

def sheetfed_tables():
    """Those that SANE sends to sheet-fed models: their scans are paler than those of others."""
    para = golden("para-sane-ff680w")
    return [para[para.index(b"#GMT" + channel + b"h100") + 12:][:256] for channel in (b"RED ", b"GRN ", b"BLU ")]


@pytest.mark.parametrize("model,product,sides,jpeg", [
    ("ET-2750", "PID 112A", 1, False), ("XP-7100", "PID 1147", 2, False),
    ("ET-4950", "PID 11D1", 2, False), ("FF-680W", "FF-680W", 2, True),
    ("DS-575W", "DS-575W", 2, True)])
def test_models(net, sane, tmp_path, model, product, sides, jpeg):
    fed = common.make_pictures(tmp_path / "in", 2 * sides, *SIZE)
    two_passes = model in ("XP-7100", "ET-4950")
    how = [] if sides == 1 else ["--duplex", "sequential" if two_passes else "interleaved"]
    with start(net, tmp_path / "in", "--model", model, *how) as mfp:
        listed = scanimage(net, sane, "-L")
        assert f"is a Epson {product} ESC/I-2" in listed.stdout
        if sides == 1:
            for i in range(2):
                done = scanimage(net, sane, "-d", DEVICE, *AREA, "-o", f"{i + 1}.pnm", "--format=pnm",
                                 cwd=tmp_path)
                assert done.returncode == GOOD, done.stderr
                mfp.wait_line("scan-end")
        else:
            done = batch(net, sane, tmp_path, *DUPLEX)
            assert "Batch terminated, 4 pages scanned" in done.stderr
    for i in range(2 * sides):
        wanted = common.pixels(fed[i])
        if two_passes:  # 8.5 inches at 75 dpi; SANE looks from the left, the sheet lies right
            wanted = pushed_right(turned(wanted) if i % 2 else wanted, 637 - SIZE[0])
        if jpeg:
            wanted = pushed_right(wanted, 3)  # the sheet lies in the middle, at column 26; SANE looks from 23
            assert difference(tmp_path / f"{i + 1}.pnm", toned(wanted, *sheetfed_tables())) < 4
            assert difference(tmp_path / f"{i + 1}.pnm", wanted) > 10
        else:
            assert_pixels(tmp_path / f"{i + 1}.pnm", wanted)


# ---- faults -------------------------------------------------------------------------------------

@pytest.mark.parametrize("fault,code,kept", [
    ("jam@2", JAMMED, 1), ("cover", COVER_OPEN, 0), ("cover@2", COVER_OPEN, 1),
    ("double-feed@2", IO_ERROR, 1), ("empty@2", GOOD, 1), ("empty", NO_DOCUMENTS, 0),
    ("error@1", IO_ERROR, 0), ("lamp", IO_ERROR, 0), ("lock", IO_ERROR, 0),
    ("device-cancel@2", CANCELLED, 1), ("parameters", INVALID, 0), ("busy", GOOD, 3)])
def test_faults_are_told_apart(net, sane, tmp_path, fault, code, kept):
    fed = common.make_pictures(tmp_path / "in", 3, *SIZE)
    with start(net, tmp_path / "in", "--formats", "jpeg", "--fault", fault) as mfp:
        done = batch(net, sane, tmp_path)
        assert done.returncode == code, done.stderr
        if "@" in fault:
            mfp.wait_line("scan-end ")
    for i in range(kept):
        assert_pixels(tmp_path / f"{i + 1}.pnm", common.pixels(fed[i]))
    assert not (tmp_path / f"{kept + 1}.pnm").exists()
    if "@" in fault:
        assert mfp.lines[-1].startswith(f"scan-end pages={kept} outcome=")
