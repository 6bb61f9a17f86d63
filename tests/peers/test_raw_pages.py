"""Pages that come as raw lines, and pages that must be turned or cropped: what becomes of them in documents.

The raw files are made here from the description of their trailer; documents are judged by qpdf, poppler,
djpeg and jpegtran, pixel by pixel."""

import os

import pytest

from raw_pages import (Picture, images_in, jpeg_seen, output_of, page_seen, raw_bytes, read_pnm, scene)
from workers import WORKER, page_of, result_of

DPI = 100
WIDTH, HEIGHT = 203, 150
CROP = {"crop_width_px": 181, "crop_height_px": 113}
VIEWS = {"upright": {}, "turned": {"rotation": 180}, "cropped": CROP, "both": {"rotation": 180, **CROP},
         "too much": {"crop_width_px": 5000, "crop_height_px": 5000}, "lower": {"crop_height_px": 40}}
# channels, bits, order, padding of a line; the largest mean and single difference that a JPEG may make.
KINDS = {
    "black and white": (1, 1, None, 0, 0, 0),
    "black and white, padded": (1, 1, None, 3, 0, 0),
    "grey": (1, 8, None, 1, 2, 60),
    "colour": (3, 8, "rgb", 0, 4, 140),
    "gbr": (3, 8, "gbr", 5, 4, 140),
    "deep grey": (1, 16, None, 0, 2, 60),
    "deep colour": (3, 16, "rgb", 2, 4, 140),
}


def seen_of(picture, view):
    """What a view shows of a picture: the crop is measured before it is turned."""
    seen = picture.cropped(view.get("crop_width_px", 0), view.get("crop_height_px", 0))
    return seen.turned() if view.get("rotation") else seen


def write(folder, pages, name="scan.pdf", quality=95, **document):
    """Writes a document of (file, view); gives its path."""
    result = result_of(WORKER, {
        "type": "task", "id": "w", "task": "write", "folder": str(folder), "scan_dpi": DPI,
        "created_ms": 1795338930000, "utc_offset_min": 60,
        "document": {"number": 1, "name": name, "format": "pdf", "title": "", "quality": quality,
                     "pages": [page_of(folder / file, i + 1, **view)
                               for i, (file, view) in enumerate(pages)], **document}})
    assert result["ok"], result
    return folder / "out" / name


def read(folder, file, **more):
    return result_of(WORKER, {"type": "task", "id": "r", "task": "read", "folder": str(folder),
                              "page": page_of(folder / file, 1, **more), "thumbnail": "t0001a.jpg"})


def put_raw(folder, kind, name="p0001a.raw", size=(WIDTH, HEIGHT)):
    channels, bits, order, padding, *limits = KINDS[kind]
    picture = scene(*size, channels, bits)
    (folder / name).write_bytes(raw_bytes(picture, bits, order, padding, DPI))
    return picture, limits


def put_jpeg(folder, name="p0001a.jpg", size=(WIDTH, HEIGHT), channels=3, *options):
    """A JPEG by cjpeg; gives what djpeg sees in it."""
    data = scene(*size, channels).pnm()
    (folder / name).write_bytes(output_of("cjpeg", "-quality", "90", *options, input=data))
    return jpeg_seen(folder / name)


def check_pdf(pdf):
    output_of("qpdf", "--check", pdf)


def media_box(pdf):
    for line in output_of("pdfinfo", "-box", pdf).decode().splitlines():
        if line.startswith("MediaBox:"):
            return [float(n) for n in line.split()[1:]]
    raise AssertionError("no MediaBox")


# --- PDF


@pytest.mark.parametrize("kind", KINDS)
def test_raw_pages_are_seen_in_a_pdf(tmp_path, kind):
    picture, (mean, largest) = put_raw(tmp_path, kind)
    pdf = write(tmp_path, [("p0001a.raw", view) for view in VIEWS.values()])
    check_pdf(pdf)
    for number, view in enumerate(VIEWS.values(), 1):
        expected = seen_of(picture, view)
        found = expected.difference(page_seen(pdf, number, DPI, expected))
        assert found[0] <= mean and found[1] <= largest, (view, found)
    assert media_box(pdf) == [0, 0, WIDTH * 72 / DPI, HEIGHT * 72 / DPI]


def test_black_and_white_is_group_4(tmp_path):
    """The bits that come out of the PDF are those that the device sent."""
    picture, _ = put_raw(tmp_path, "black and white, padded")
    pdf = write(tmp_path, [("p0001a.raw", {}), ("p0001a.raw", {"rotation": 180, **CROP})])
    listed = output_of("pdfimages", "-list", pdf).decode().splitlines()[2:]
    assert [line.split()[7:9] for line in listed] == [["1", "ccitt"]] * 2 or \
        [line.split()[8] for line in listed] == ["ccitt"] * 2, listed
    assert [line.split()[3:5] for line in listed] == [["203", "150"], ["181", "113"]]
    first, second = images_in(pdf, tmp_path / "images")
    assert read_pnm(open(first, "rb").read()).difference(picture) == (0, 0)
    assert read_pnm(open(second, "rb").read()).difference(
        picture.cropped(181, 113).turned()) == (0, 0)
    assert pdf.stat().st_size < 8000


def test_a_blank_page_is_tiny_and_a_black_one_black(tmp_path):
    for name, tone in (("p0001a.raw", 255), ("p0002a.raw", 0)):
        (tmp_path / name).write_bytes(raw_bytes(Picture([[(tone,)] * 1240] * 60), 1))
    pdf = write(tmp_path, [("p0001a.raw", {}), ("p0002a.raw", {})])
    check_pdf(pdf)
    assert pdf.stat().st_size < 2000
    for number, tone in ((1, 255), (2, 0)):
        seen = page_seen(pdf, number, DPI, Picture([[(tone,)] * 1240] * 60))
        assert {pixel for row in seen.rows for pixel in row} == {(tone,)}


def test_quality_decides_about_size_and_colour(tmp_path):
    put_raw(tmp_path, "colour")
    sizes = [write(tmp_path, [("p0001a.raw", {})], quality=q).stat().st_size for q in (10, 85, 100)]
    assert sizes[0] < sizes[1] < sizes[2]
    for quality, factors in ((89, "2x2"), (90, "1x1")):
        page = write(tmp_path, [("p0001a.raw", {})], "p.jpg", quality, format="jpeg")
        assert factors in output_of("identify", "-format", "%[jpeg:sampling-factor]", page).decode()


@pytest.mark.parametrize("options", [[], ["-grayscale"], ["-progressive"], ["-sample", "2x1"]])
def test_a_turned_or_cropped_jpeg_stays_untouched_in_a_pdf(tmp_path, options):
    picture = put_jpeg(tmp_path, "p0001a.jpg", (WIDTH, HEIGHT), 3, *options)
    pdf = write(tmp_path, [("p0001a.jpg", view) for view in VIEWS.values()])
    check_pdf(pdf)
    source = (tmp_path / "p0001a.jpg").read_bytes()
    for number, path in enumerate(images_in(pdf, tmp_path / "images", "-all")):
        assert open(path, "rb").read() == source, number
    for number, view in enumerate(VIEWS.values(), 1):
        expected = seen_of(picture, view)
        mean, _ = expected.difference(page_seen(pdf, number, DPI, expected))
        assert mean < 1, (view, mean)


def test_a_crop_makes_the_page_smaller(tmp_path):
    put_jpeg(tmp_path)
    for view, size in ((CROP, (181, 113)), ({"rotation": 180, **CROP}, (181, 113)),
                       (VIEWS["too much"], (203, 150)), (VIEWS["lower"], (203, 40))):
        box = media_box(write(tmp_path, [("p0001a.jpg", view)]))
        assert box == pytest.approx([0, 0, size[0] * 72 / DPI, size[1] * 72 / DPI], abs=0.01)


def test_raw_and_jpeg_pages_share_a_document(tmp_path):
    colour, _ = put_raw(tmp_path, "colour")
    bw, _ = put_raw(tmp_path, "black and white", "p0003a.raw")
    jpeg = put_jpeg(tmp_path, "p0002a.jpg")
    pages = [("p0001a.raw", {}), ("p0002a.jpg", {"rotation": 180}), ("p0003a.raw", {})] * 12
    pdf = write(tmp_path, pages)
    check_pdf(pdf)
    for number in range(1, 37, 5):
        expected = [colour, jpeg.turned(), bw][(number - 1) % 3]
        mean, _ = page_seen(pdf, number, DPI, expected).difference(expected)
        assert mean < 4, number
    first = pdf.read_bytes()
    assert write(tmp_path, pages).read_bytes() == first
    other = write(tmp_path, pages[:35] + [("p0003a.raw", {"rotation": 180})]).read_bytes()
    assert other[-200:].split(b"/ID")[1] != first[-200:].split(b"/ID")[1]


# --- JPEG files


@pytest.mark.parametrize("kind", KINDS)
def test_raw_pages_become_jpeg_files(tmp_path, kind):
    picture, (mean, largest) = put_raw(tmp_path, kind)
    if picture.channels == 1 and mean == 0:
        mean, largest = 8, 255  # sharp edges at every dot
    for view in VIEWS.values():
        page = write(tmp_path, [("p0001a.raw", view)], "p.jpg", format="jpeg")
        found = jpeg_seen(page).difference(seen_of(picture, view))
        assert found[0] <= mean and found[1] <= largest, (view, found)
        assert output_of("identify", "-format", "%x %U", page).decode().startswith("100 PixelsPerInch")


@pytest.mark.parametrize("options", [[], ["-grayscale"], ["-progressive"], ["-sample", "1x1"], ["-sample", "2x1"],
                                     ["-sample", "1x2"], ["-restart", "1"]])
@pytest.mark.parametrize("size", [(208, 160), (WIDTH, HEIGHT)])
def test_a_jpeg_file_is_turned_without_loss(tmp_path, size, options):
    """What is no margin has exactly the samples that jpegtran makes of it."""
    put_jpeg(tmp_path, "p0001a.jpg", size, 3, *options)
    ours = jpeg_seen(write(tmp_path, [("p0001a.jpg", {"rotation": 180})], "p.jpg", format="jpeg"), "-nosmooth")
    (tmp_path / "trimmed.jpg").write_bytes(
        output_of("jpegtran", "-rotate", "180", "-trim", tmp_path / "p0001a.jpg"))
    trimmed = jpeg_seen(tmp_path / "trimmed.jpg", "-nosmooth")
    assert size[0] <= ours.width < size[0] + 16 and size[1] <= ours.height < size[1] + 16
    lower_right = Picture([row[-trimmed.width:] for row in ours.rows[-trimmed.height:]])
    assert lower_right.difference(trimmed) == (0, 0)
    # And nothing is cut off: all of the page is there, below and right of the margin.
    whole = Picture([row[-size[0]:] for row in ours.rows[-size[1]:]])
    assert whole.difference(jpeg_seen(tmp_path / "p0001a.jpg", "-nosmooth").turned())[0] < 0.6


@pytest.mark.parametrize("options", [[], ["-grayscale"], ["-progressive"], ["-sample", "2x1"]])
@pytest.mark.parametrize("width, height", [(181, 113), (203, 40), (16, 16), (1, 1), (176, 112)])
def test_a_jpeg_file_is_cropped_without_loss(tmp_path, width, height, options):
    put_jpeg(tmp_path, "p0001a.jpg", (WIDTH, HEIGHT), 3, *options)
    view = {"crop_width_px": width, "crop_height_px": height}
    ours = jpeg_seen(write(tmp_path, [("p0001a.jpg", view)], "p.jpg", format="jpeg"))
    (tmp_path / "cropped.jpg").write_bytes(
        output_of("jpegtran", "-crop", f"{width}x{height}+0+0", tmp_path / "p0001a.jpg"))
    assert ours.difference(jpeg_seen(tmp_path / "cropped.jpg")) == (0, 0)


def test_a_jpeg_file_is_cropped_and_turned(tmp_path):
    picture = put_jpeg(tmp_path)
    ours = jpeg_seen(write(tmp_path, [("p0001a.jpg", {"rotation": 180, **CROP})], "p.jpg", format="jpeg"))
    assert 181 <= ours.width < 197 and 113 <= ours.height < 129
    seen = Picture([row[-181:] for row in ours.rows[-113:]])
    assert seen.difference(picture.cropped(181, 113).turned())[0] < 1


def test_what_else_a_jpeg_says_is_kept(tmp_path):
    data = scene(WIDTH, HEIGHT, 3).pnm()
    output_of("convert", "pnm:-", "-density", "150", "-units", "PixelsPerInch", "-set", "comment",
              "from the glass", tmp_path / "p0001a.jpg", input=data)
    page = write(tmp_path, [("p0001a.jpg", {"rotation": 180})], "p.jpg", format="jpeg")
    assert output_of("identify", "-format", "%x %U %c", page).decode() == "150 PixelsPerInch from the glass"
    assert page.read_bytes().count(b"JFIF") == 1


# --- reading


def test_read_tells_facts_of_a_raw_page(tmp_path):
    put_raw(tmp_path, "colour")
    result = read(tmp_path, "p0001a.raw")
    assert result["ok"] and result["facts"] == {
        "width_px": WIDTH, "height_px": HEIGHT, "dpi": DPI, "components": 3, "thumbnail": "t0001a.jpg"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("view", ["upright", "both"])
def test_thumbnails_show_what_documents_show(tmp_path, kind, view):
    picture, _ = put_raw(tmp_path, kind)
    assert read(tmp_path, "p0001a.raw", **VIEWS[view])["ok"]
    mean, _ = jpeg_seen(tmp_path / "t0001a.jpg").difference(seen_of(picture, VIEWS[view]))
    assert mean < (20 if KINDS[kind][1] == 1 else 6)


def test_thumbnails_of_jpegs_are_turned_and_cropped(tmp_path):
    picture = put_jpeg(tmp_path)
    for view in VIEWS.values():
        assert read(tmp_path, "p0001a.jpg", **view)["ok"]
        assert jpeg_seen(tmp_path / "t0001a.jpg").difference(seen_of(picture, view))[0] < 6, view


def test_a_large_page_has_a_small_thumbnail(tmp_path):
    """Averages of 8 x 8 pixels, compared with ImageMagick's."""
    picture, _ = put_raw(tmp_path, "grey", size=(1024, 800))
    assert read(tmp_path, "p0001a.raw", rotation=180)["ok"]
    small = read_pnm(output_of("convert", "pnm:-", "-rotate", "180", "-scale", "256x200!", "pgm:-",
                               input=picture.pnm()))
    assert jpeg_seen(tmp_path / "t0001a.jpg").difference(small)[0] < 3


RAW = raw_bytes(scene(40, 30, 3), 8)
HEAD = "PLATEN-RAW 1 40 30 "


@pytest.mark.parametrize("content, text", [
    (b"", "cut short"),
    (RAW[-64:], "not the 3664"),
    (RAW[:-64], "does not end with its description"),
    (RAW[:2000], "does not end with its description"),
    (RAW[1:], "not the 3664"),
    (RAW + b"\n", "does not end with its description"),
    (RAW[:-64] + (HEAD + "120 3 8 rgb 100").ljust(62).encode() + b"\n\n", "damaged"),
    (RAW[:-64] + (HEAD + "121 3 8 rgb 100").ljust(63).encode() + b"\n", "not the 3694"),
    (RAW[:-64] + b"PLATEN-RAW 1 41 30 120 3 8 rgb 100".ljust(63) + b"\n", "too few for 41"),
    (RAW[:-64] + b"PLATEN-RAW 1 40 30 120 3 8 bgr 100".ljust(63) + b"\n", "damaged"),
    (RAW[:-64] + (HEAD + "120 3 12 rgb 100").ljust(63).encode() + b"\n", "3 channels of 12 bits"),
    (b"\xff" * 70000 + b"PLATEN-RAW 1 70000 1 70000 1 8 gray 100".ljust(63) + b"\n", "larger than 65500"),
    (b"\xff\xd8\xff\xe0" + bytes(500), "does not end with its description"),
], ids=range(13))
def test_damaged_raw_pages_are_named(tmp_path, content, text):
    (tmp_path / "p0001a.raw").write_bytes(content)
    result = read(tmp_path, "p0001a.raw")
    assert not result["ok"] and text in result["error"]["text"], result
    assert result["error"]["kind"] == "bad-input" and result["error"]["field"] == "page"
    assert not (tmp_path / "t0001a.jpg").exists()


@pytest.mark.parametrize("view", [{"rotation": 90}, {"rotation": -180}, {"rotation": "180"}, {"rotation": 360},
                                  {"crop_width_px": -1}, {"crop_height_px": 10 ** 9}, {"crop_width_px": 1.5}])
def test_views_that_are_none_are_refused(tmp_path, view):
    put_jpeg(tmp_path)
    result = read(tmp_path, "p0001a.jpg", **view)
    assert result["error"]["kind"] == "bad-input" and result["error"]["field"] == list(view)[0]


@pytest.mark.parametrize("quality", [0, 101, "high"])
def test_a_quality_that_is_none_is_refused(tmp_path, quality):
    put_raw(tmp_path, "grey")
    result = result_of(WORKER, {
        "type": "task", "id": "w", "task": "write", "folder": str(tmp_path), "scan_dpi": DPI,
        "created_ms": 0, "utc_offset_min": 0,
        "document": {"number": 1, "name": "x.pdf", "format": "pdf", "title": "", "quality": quality,
                     "pages": [page_of(tmp_path / "p0001a.raw", 1)]}})
    assert result["error"]["field"] == "quality"


# --- by hand


def test_raw_pages_are_composed_by_hand(tmp_path):
    picture, _ = put_raw(tmp_path, "grey", "page.raw")
    put_jpeg(tmp_path, "page.jpg")
    output_of(WORKER, "compose", "page.raw", "page.jpg", "--quality", "95", "-o", "both.pdf", cwd=tmp_path)
    check_pdf(tmp_path / "both.pdf")
    assert page_seen(tmp_path / "both.pdf", 1, DPI, picture).difference(picture)[0] < 2
    output_of(WORKER, "compose", "--format", "jpeg", "page.raw", "-o", "one.jpg", cwd=tmp_path)
    assert jpeg_seen(tmp_path / "one.jpg").difference(picture)[0] < 3
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
