"""sane_peer.py - Debian's SANE as a client of platen-mfp, for the tests that let it judge.

SANE knows only port 1865, so each test has a network name space of its own. What SANE says about
success is not believed alone (it takes a lost connection for a normal end): pictures are compared."""

import pytest

import common

DEVICE = "epsonds:net:127.0.0.1"
# 200 x 250 mm at 75 dpi, the width rounded down to a multiple of eight, as SANE does.
SIZE = (584, 738)
AREA = ["--resolution", "75", "-x", "200", "-y", "250"]


@pytest.fixture(name="net")
def fixture_net():
    namespace = common.Namespace()
    yield namespace
    namespace.close()


@pytest.fixture(name="sane")
def fixture_sane(tmp_path):
    """Private configuration: this driver and this address only."""
    folder = tmp_path / "sane.d"
    folder.mkdir()
    (folder / "dll.conf").write_text("epsonds\n")
    (folder / "epsonds.conf").write_text("net 127.0.0.1\n")
    return folder


def scanimage(net, sane, *options, cwd=None):
    return net.run("env", f"SANE_CONFIG_DIR={sane}", "scanimage", *options, cwd=cwd, text=True)


def start(net, folder, *options):
    # No server listens there; the announcements go nowhere.
    return common.start_mfp("--pages", folder, "--server", "127.0.0.9", *options, namespace=net)


def assert_same(scanned, fed):
    # Both sides decode with the same libjpeg-turbo, so every pixel is equal.
    assert_pixels(scanned, common.pixels(fed))


def assert_pixels(scanned, wanted):
    width, height, rgb = common.pixels(scanned)
    assert (width, height) == wanted[:2]
    assert len(rgb) == 3 * width * height
    assert rgb == wanted[2]


# ---- what a scanner should have seen of (width, height, RGB bytes) -------------------------------

def turned(picture):
    """By 180 degrees."""
    width, height, rgb = picture
    flat = bytearray(len(rgb))
    for channel in range(3):
        flat[channel::3] = rgb[channel::3][::-1]
    return width, height, bytes(flat)


def pushed_right(picture, columns):
    """The sheet lies so many columns to the right: white comes in, the right edge goes out."""
    width, height, rgb = picture
    rows = (rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    keep = (width - columns) * 3
    return width, height, b"".join(b"\xff" * (columns * 3) + row[:keep] for row in rows)


def grey(picture, threshold=None):
    """Luma of ITU-R BT.601; with a threshold black and white."""
    width, height, rgb = picture
    luma = bytes((299 * r + 587 * g + 114 * b + 500) // 1000
                 for r, g, b in zip(rgb[::3], rgb[1::3], rgb[2::3]))
    if threshold is not None:
        luma = luma.translate(bytes(255 if i >= threshold else 0 for i in range(256)))
    return width, height, bytes(v for sample in luma for v in (sample,) * 3)


def toned(picture, *tables):
    """With one table for each channel."""
    width, height, rgb = picture
    return width, height, bytes(tables[i % 3][v] for i, v in enumerate(rgb))


def cut(picture, x, y, width, height):
    full, _, rgb = picture
    return width, height, b"".join(rgb[(row * full + x) * 3:(row * full + x + width) * 3]
                                   for row in range(y, y + height))


def halved(picture):
    """Each pixel the rounded mean of four."""
    width, height, rgb = picture
    out = bytearray()
    for y in range(0, height - 1, 2):
        above, below = (rgb[(y + i) * width * 3:(y + i + 1) * width * 3] for i in (0, 1))
        for x in range(0, (width - 1) * 3, 6):
            for c in range(x, x + 3):
                out.append((above[c] + above[c + 3] + below[c] + below[c + 3] + 2) // 4)
    return width // 2, height // 2, bytes(out)


def difference(scanned, wanted):
    """Mean difference of samples between a file and a picture of the same size."""
    width, height, rgb = common.pixels(scanned)
    assert (width, height) == wanted[:2]
    return sum(abs(a - b) for a, b in zip(rgb, wanted[2])) / len(rgb)
