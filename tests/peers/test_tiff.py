"""The file format tiff: judged by libtiff's own tools and by ImageMagick, pixel by pixel."""

import subprocess

import pytest

from raw_pages import output_of, read_pnm
from test_raw_pages import CROP, DPI, KINDS, VIEWS, put_jpeg, put_raw, seen_of, write
from workers import WORKER, page_of, result_of


def write_tiff(folder, pages, **more):
    path = write(folder, pages, "scan.tif", format="tiff", **more)
    check = subprocess.run(["tiffinfo", "-d", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    assert check.stderr == b"", check.stderr
    return path


def directories(path):
    """What tiffinfo says of each page: a dictionary of its lines."""
    found = []
    for line in output_of("tiffinfo", path).decode().splitlines():
        if line.startswith("=== TIFF directory") or line.startswith("TIFF Directory"):
            found.append({})
        elif ":" in line and found:
            name, value = line.strip().split(":", 1)
            found[-1][name] = value.strip()
    return [d for d in found if d]


def seen(path, number, channels):
    """A page as ImageMagick shows it through libtiff, which turns a JPEG as its tag says (and -auto-orient
    would turn it once more)."""
    kind = "ppm:-" if channels == 3 else "pgm:-"
    return read_pnm(output_of("convert", f"{path}[{number}]", "-depth", "8", kind))


@pytest.mark.parametrize("kind", KINDS)
def test_raw_pages_are_seen_in_a_tiff(tmp_path, kind):
    picture, (mean, largest) = put_raw(tmp_path, kind)
    path = write_tiff(tmp_path, [("p0001a.raw", view) for view in VIEWS.values()])
    for number, view in enumerate(VIEWS.values()):
        found = seen_of(picture, view).difference(seen(path, number, picture.channels))
        assert found[0] <= mean and found[1] <= largest, (view, found)
    described = directories(path)
    assert len(described) == len(VIEWS)
    scheme = "CCITT Group 4" if KINDS[kind][1] == 1 else "JPEG"
    for number, page in enumerate(described):
        assert page["Compression Scheme"] == scheme
        assert page["Resolution"] == f"{DPI}, {DPI} pixels/inch"
        assert page["Page Number"] == f"{number}-{len(VIEWS)}"
        assert page["DateTime"] == "2026:11:22 10:15:30" and page["Software"].startswith("Platen ")


@pytest.mark.parametrize("options", [[], ["-grayscale"], ["-progressive"], ["-sample", "1x1"], ["-sample", "2x1"],
                                     ["-sample", "1x2"], ["-sample", "4x1"], ["-rgb"]])
def test_jpegs_are_strips_of_a_tiff(tmp_path, options):
    picture = put_jpeg(tmp_path, "p0001a.jpg", (203, 150), 3, *options)
    path = write_tiff(tmp_path, [("p0001a.jpg", view) for view in VIEWS.values()])
    for number, view in enumerate(VIEWS.values()):
        mean, _ = seen_of(picture, view).difference(seen(path, number, picture.channels))
        assert mean < 1.5, (view, mean)
    whole = [name for name in VIEWS if name in ("upright", "turned", "too much")]
    copies = path.read_bytes().count((tmp_path / "p0001a.jpg").read_bytes())
    assert copies == (0 if "-progressive" in options else len(whole))
    orientations = [page.get("Orientation") for page in directories(path)]
    assert orientations == ["row 0 bottom, col 0 rhs" if "rotation" in view else "row 0 top, col 0 lhs"
                            for view in VIEWS.values()]


def test_pages_of_all_kinds_share_a_tiff(tmp_path):
    colour, _ = put_raw(tmp_path, "colour")
    bits, _ = put_raw(tmp_path, "black and white", "p0003a.raw")
    jpeg = put_jpeg(tmp_path, "p0002a.jpg")
    pages = [("p0001a.raw", {}), ("p0002a.jpg", {"rotation": 180, **CROP}), ("p0003a.raw", {})] * 50
    path = write_tiff(tmp_path, pages)
    assert len(directories(path)) == 150
    for number in (0, 1, 2, 76, 148, 149):
        expected = [colour, jpeg.cropped(181, 113).turned(), bits][number % 3]
        mean, _ = seen(path, number, expected.channels).difference(expected)
        assert mean < 4, number
    first = path.read_bytes()
    assert write_tiff(tmp_path, pages).read_bytes() == first
    # Others can take it apart and put it together again.
    output_of("tiffcp", "-c", "none", path, tmp_path / "again.tif")
    assert len(directories(tmp_path / "again.tif")) == 150


def test_bits_of_black_and_white_are_exact_and_small(tmp_path):
    picture, _ = put_raw(tmp_path, "black and white, padded")
    path = write_tiff(tmp_path, [("p0001a.raw", {})])
    output_of("tiffcp", "-c", "none", path, tmp_path / "plain.tif")
    assert seen(tmp_path / "plain.tif", 0, 1).difference(picture) == (0, 0)
    assert path.stat().st_size < 2500
    page = directories(path)[0]
    assert page["Photometric Interpretation"] == "min-is-white" and page["Bits/Sample"] == "1"


def test_a_picture_that_no_tiff_takes_is_named(tmp_path):
    output_of("convert", "-size", "60x40", "xc:white", "-colorspace", "CMYK", tmp_path / "p0001a.jpg")
    result = result_of(WORKER, {
        "type": "task", "id": "w", "task": "write", "folder": str(tmp_path), "scan_dpi": DPI,
        "created_ms": 0, "utc_offset_min": 0,
        "document": {"number": 1, "name": "x.tif", "format": "tiff", "title": "",
                     "pages": [page_of(tmp_path / "p0001a.jpg", 1)]}})
    assert "CMYK" in result["error"]["text"] and "pdf" in result["error"]["remedy"]
    assert not (tmp_path / "out" / "x.tif").exists()


def test_a_tiff_is_composed_by_hand(tmp_path):
    picture, _ = put_raw(tmp_path, "grey", "page.raw")
    output_of(WORKER, "compose", "--format", "tiff", "--quality", "95", "page.raw", "page.raw", "-o", "x.tif",
              cwd=tmp_path)
    assert seen(tmp_path / "x.tif", 1, 1).difference(picture)[0] < 2
