"""test_page_documents.py - from the device to documents: raw lines, backs that arrive upside down, sizes
told at the end, the last sheet first. The device is not of our making; what is delivered is looked at
through poppler, djpeg and libtiff."""

import glob
import json
import os

import pytest

import epson_models
import scan_bench
from epson_device import Lines
from raw_pages import jpeg_seen, output_of, page_seen, raw_bytes, read_pnm, scene
from served import House

JOBS = {"Pdf": ("2-sided-pdf", {}), "Jpeg": ("2-sided-jpeg", {"file_format": "jpeg"}),
        "Tiff": ("2-sided-preview", {"file_format": "tiff"}),
        "Bits": ("1-sided-preview", {"color": "bw", "sides": "two"})}
CHOICES = {"Pdf": "12", "Jpeg": "11", "Tiff": "14", "Bits": "04"}
ADDRESSES = scan_bench.addresses(9000)
RAW_ONLY = {"capa": (b"#FMTLISTRAW JPG ", b"#FMTLISTRAW ")}
DPI = 300
RAW_BYTES_OF_TRAILER = 64


@pytest.fixture(scope="module")
def house():
    made = House().start()
    try:
        config = {"destinations": [{"name": "Delivered", "kind": "folder",
                                    "settings": {"path": made.delivered}}],
                  "jobs": [{"name": name, "file_name": name + "_{time}_{doc}",
                            "jpeg_quality": 95, "dpi": DPI, **says,
                            "destinations": [{"destination": "Delivered"}]}
                           for name, (_, says) in JOBS.items()],
                  "job_groups": [{"name": "Everyone", "jobs": [
                      {"job": name, "panel_choice": choice} for name, (choice, _) in JOBS.items()]}]}
        path = os.path.join(made.top, "config.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        made.cli("config", "apply", path)
        yield made
        made.stop()
    finally:
        made.remove()


class Scan(scan_bench.Scan):
    def __init__(self, house, pages, **manner):
        super().__init__(house, next(ADDRESSES), pages, epson_models.XP7100, two_sided=True, **manner)

    def documents(self, job):
        """The files that one press delivers, in the order of the documents."""
        for path in glob.glob(os.path.join(self.house.delivered, "*")):
            os.unlink(path)
        batch = self.run(CHOICES[job])
        assert batch["state"] == "done", batch
        return sorted((p for p in glob.glob(os.path.join(self.house.delivered, "*")) if not p.endswith(".csv")),
                      key=lambda p: (len(p), p))


def scenes(count, channels=3, bits=8):
    """Pages that differ in size, so that none is taken for another."""
    return [scene(203, 150 + 8 * i, channels, bits) for i in range(count)]


def as_lines(picture, bits=8, end=None):
    return Lines(raw_bytes(picture, bits)[:-RAW_BYTES_OF_TRAILER], picture.width, 0, picture.height, end)


def as_they_come(pictures, made):
    """What an XP-7100 sends: the back of each sheet stands on its head (2SCN)."""
    return [made(p.turned() if i % 2 else p) for i, p in enumerate(pictures)]


def as_jpeg(picture):
    return output_of("cjpeg", "-quality", "95", "-sample", "1x1", input=picture.pnm())


def tiff_seen(path, number, channels):
    return read_pnm(output_of("convert", f"{path}[{number}]", "-depth", "8", "ppm:-" if channels == 3 else "pgm:-"))


@pytest.mark.parametrize("made", [as_lines, as_jpeg], ids=["lines", "jpeg"])
def test_backs_are_upright_in_a_pdf(house, made):
    pictures = scenes(4)
    with Scan(house, as_they_come(pictures, made), **(RAW_ONLY if made == as_lines else {})) as scan:
        [pdf] = scan.documents("Pdf")
        output_of("qpdf", "--check", pdf)
        for number, picture in enumerate(pictures, 1):
            mean, _ = page_seen(pdf, number, DPI, picture).difference(picture)
            assert mean < 4, number


def as_it_lies(pictures, made):
    """What a feeder with two sensors sends: every page upright."""
    return [made(p) for p in pictures]


@pytest.mark.parametrize("says,comes,set_to", [(b"2SCN", as_it_lies, "0"), (b"1SCN", as_they_come, "180")])
def test_a_feeder_that_says_wrongly_how_backs_come(house, says, comes, set_to):
    """The administrator's word about backs stands above the device's; it holds for the next scan."""
    pictures = scenes(2)
    with Scan(house, comes(pictures, as_jpeg), info=(b"DPLX2SCN", b"DPLX" + says)) as scan:
        [pdf] = scan.documents("Pdf")
        assert page_seen(pdf, 1, DPI, pictures[0]).difference(pictures[0])[0] < 4
        assert page_seen(pdf, 2, DPI, pictures[1]).difference(pictures[1].turned())[0] < 4
        shown = house.show("device", "set", scan.id, "--back-rotation", set_to)
        assert shown["back_rotation"] == set_to
        [pdf] = scan.documents("Pdf")
        for number, picture in enumerate(pictures, 1):
            assert page_seen(pdf, number, DPI, picture).difference(picture)[0] < 4, number
        house.cli("device", "set", scan.id, "--back-rotation", "auto")
        assert house.show("device", "show", scan.id)["back_rotation"] == "auto"


@pytest.mark.parametrize("made", [as_lines, as_jpeg], ids=["lines", "jpeg"])
def test_backs_are_upright_in_a_tiff(house, made):
    pictures = scenes(4)
    with Scan(house, as_they_come(pictures, made), **(RAW_ONLY if made == as_lines else {})) as scan:
        [tiff] = scan.documents("Tiff")
        for number, picture in enumerate(pictures):
            assert tiff_seen(tiff, number, 3).difference(picture)[0] < 4, number


@pytest.mark.parametrize("made", [as_lines, as_jpeg], ids=["lines", "jpeg"])
def test_backs_are_upright_in_jpeg_files(house, made):
    pictures = scenes(4)
    with Scan(house, as_they_come(pictures, made), **(RAW_ONLY if made == as_lines else {})) as scan:
        files = scan.documents("Jpeg")
        assert len(files) == 4
        for number, (path, picture) in enumerate(zip(files, pictures)):
            seen = jpeg_seen(path)  # a JPEG that was turned may have a margin on the left and on top
            assert 0 <= seen.width - 203 < 8 and 0 <= seen.height - picture.height < 8
            seen = seen.turned().cropped(203, picture.height).turned()
            assert seen.difference(picture)[0] < 4, number


def test_black_and_white_arrives_bit_by_bit(house):
    pictures = scenes(2, 1, 1)
    with Scan(house, as_they_come(pictures, lambda p: as_lines(p, 1)), **RAW_ONLY) as scan:
        [pdf] = scan.documents("Bits")
        for number, picture in enumerate(pictures, 1):
            assert page_seen(pdf, number, DPI, picture).difference(picture) == (0, 0)


@pytest.mark.parametrize("job", ["Pdf", "Tiff"])
def test_a_size_told_at_the_end_crops_the_page(house, job):
    front, back = scenes(2)
    came = [as_lines(front, end=(181, 113)), as_lines(back.turned(), end=(160, 90))]
    expected = [front.cropped(181, 113), back.turned().cropped(160, 90).turned()]
    with Scan(house, came, **RAW_ONLY) as scan:
        [path] = scan.documents(job)
        for number, picture in enumerate(expected):
            seen = page_seen(path, number + 1, DPI, picture) if job == "Pdf" else tiff_seen(path, number, 3)
            assert seen.difference(picture)[0] < 4, number


@pytest.mark.parametrize("job", ["Pdf", "Jpeg"])
def test_the_last_sheet_first(house, job):
    """Documents, their names and the index follow the order in which people read."""
    pictures = scenes(6)
    came = as_they_come(pictures, as_lines)
    with Scan(house, came[4:6] + came[2:4] + came[0:2], info=(b"FORDPF1N", b"FORDPFN1"), **RAW_ONLY) as scan:
        files = scan.documents(job)
        if job == "Pdf":
            seen = [page_seen(files[0], n + 1, DPI, p) for n, p in enumerate(pictures)]
        else:
            seen = [jpeg_seen(path) for path in files]
        assert [s.difference(p)[0] < 4 for s, p in zip(seen, pictures)] == [True] * 6
        [index] = glob.glob(os.path.join(house.delivered, "*.csv"))
        with open(index, encoding="utf-8") as f:
            named = [line.split(",")[0] for line in f.read().splitlines()[1:]]
        assert named == [os.path.basename(path) for path in files]

