"""Raw pages for tests, made from their description alone (src/model/raw-page.h), and the pictures other
programs make of what we wrote: portable anymaps, read here without any library."""

import os
import subprocess


class Picture:
    """Rows of pixels; a pixel is a tuple of 1 or 3 numbers from 0 to 255."""

    def __init__(self, rows):
        self.rows = rows
        self.width, self.height = len(rows[0]), len(rows)
        self.channels = len(rows[0][0])

    def turned(self):
        return Picture([row[::-1] for row in self.rows[::-1]])

    def cropped(self, width, height):
        return Picture([row[:width or None] for row in self.rows[:height or None]])

    def grey(self):
        if self.channels == 1:
            return self
        return Picture([[(round(.299 * r + .587 * g + .114 * b),) for r, g, b in row] for row in self.rows])

    def difference(self, other):
        """Mean and largest difference of samples; sizes and channels must be the same."""
        assert (self.width, self.height, self.channels) == (other.width, other.height, other.channels)
        total = largest = 0
        for ours, theirs in zip(self.rows, other.rows):
            for one, two in zip(ours, theirs):
                for a, b in zip(one, two):
                    total += abs(a - b)
                    largest = max(largest, abs(a - b))
        return total / (self.width * self.height * self.channels), largest

    def pnm(self):
        kind = b"P6" if self.channels == 3 else b"P5"
        return kind + b" %d %d 255\n" % (self.width, self.height) + bytes(
            s for row in self.rows for pixel in row for s in pixel)


def scene(width, height, channels, bits=8):
    """A page that looks different from every side: a slope of tones, and marks near three corners."""
    def pixel(x, y):
        if 5 <= x < width // 3 and 8 <= y < 16:
            dark = (20, 20, 160)
        elif width - 30 <= x < width - 12 and height // 2 <= y < height // 2 + 30:
            dark = (170, 30, 40)
        elif 10 <= x < 24 and height - 40 <= y < height - 10:
            dark = (10, 130, 20)
        else:
            dark = (250 - 60 * x // width, 250 - 40 * y // height, 235)
        if bits == 1:
            return (0,) if dark[0] < 180 or (x * 7 + y * 13) % 61 == 0 else (255,)
        return dark if channels == 3 else dark[:1]
    return Picture([[pixel(x, y) for x in range(width)] for y in range(height)])


def raw_bytes(picture, bits=8, order=None, padding=0, dpi=100, trailer=None):
    """The file of a raw page."""
    order = order or ("rgb" if picture.channels == 3 else "gray")
    lines = []
    for row in picture.rows:
        if bits == 1:
            line = int("".join("1" if pixel[0] else "0" for pixel in row).ljust(-(-picture.width // 8) * 8, "1"),
                       2).to_bytes(-(-picture.width // 8), "big")
        else:
            line = b""
            for pixel in row:
                samples = [pixel[i] for i in (1, 2, 0)] if order == "gbr" else pixel
                # 16 bits: the low byte is noise that nobody may mistake for the sample.
                line += b"".join(bytes([(s * 7 + 3) % 256, s]) if bits == 16 else bytes([s])
                                 for s in samples)
        lines.append(line + b"\x5a" * padding)
    text = trailer or (f"PLATEN-RAW 1 {picture.width} {picture.height} {len(lines[0])} {picture.channels} "
                       f"{bits} {order} {dpi}")
    return b"".join(lines) + text.ljust(63).encode() + b"\n"


def read_pnm(data):
    """A picture from P4, P5 or P6 with 8-bit samples."""
    fields, at = [], 0
    while len(fields) < (3 if data[:2] == b"P4" else 4):
        end = at
        while not data[end:end + 1].isspace():
            end += 1
        fields.append(data[at:end])
        at = end + 1
    kind, width, height = fields[0], int(fields[1]), int(fields[2])
    if kind == b"P4":
        line = -(-width // 8)
        return Picture([[(0,) if data[at + y * line + x // 8] & (0x80 >> x % 8) else (255,)
                         for x in range(width)] for y in range(height)])
    assert fields[3] == b"255", fields
    n = 3 if kind == b"P6" else 1
    return Picture([[tuple(data[at + (y * width + x) * n:][:n]) for x in range(width)]
                    for y in range(height)])


def output_of(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, **more).stdout


def page_seen(pdf, number, dpi, like):
    """A page of a PDF as cairo shows it, pixel on pixel (pdftoppm of the same poppler shifts some by one). The
    size is that of the picture like, when it is but for the rounding of points up to a pixel."""
    channels = like.channels
    kind = [] if channels == 3 else ["-gray"]
    png = output_of("pdftocairo", "-png", "-singlefile", "-r", dpi, "-f", number, "-l", number, *kind, pdf, "-")
    seen = read_pnm(output_of("convert", "png:-", "ppm:-" if channels == 3 else "pgm:-", input=png))
    assert 0 <= seen.width - like.width <= 1 and 0 <= seen.height - like.height <= 1
    return seen.cropped(like.width, like.height)


def jpeg_seen(path, *options):
    """A JPEG as djpeg decodes it."""
    return read_pnm(output_of("djpeg", "-pnm", *options, path))


def images_in(pdf, folder, *options):
    """The files that pdfimages takes out, in order."""
    os.makedirs(folder)
    output_of("pdfimages", *options, pdf, os.path.join(folder, "i"))
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
