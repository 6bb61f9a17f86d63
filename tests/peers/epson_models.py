"""epson_models.py - what real Epson devices said about themselves, read from captured sessions.

The captures are those of tests/unit/data (each names its origin); nothing here is of our own
making but the way to read them, and the grey picture behind the head of a captured page."""

import os
import re
import struct
from collections import namedtuple

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "unit", "data")

Model = namedtuple("Model", "product flags info capa adf flatbed")


def hex_items(name):
    """Items of a file of golden bytes: (mark, bytes); mark is "<" for what the device sent."""
    items = []
    with open(os.path.join(DATA, name + ".hex"), encoding="ascii") as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in "<>" or not items:
                items.append([line[0] if line[0] in "<>" else "", ""])
            items[-1][1] += line.lstrip("<>").strip()
    return [(mark, bytes.fromhex(digits)) for mark, digits in items]


def captured_model(name, product):
    """INFO and CAPA of the first inquiry session in a capture, and the device's flag byte."""
    said = [packet for mark, packet in hex_items(name) if mark == "<"]
    blocks = {}
    for header, block in zip(said, said[1:]):
        code = header[12:16]
        if code in (b"INFO", b"CAPA") and len(header) == 12 + 64 and code not in blocks:
            blocks[code] = block[12:]
            assert len(block) - 12 == int(header[17:24], 16)
    info = blocks[b"INFO"]
    return Model(product, said[0][4], info, blocks[b"CAPA"], b"#ADFTYPE" in info,
                 b"#FB ALGN" in info)


XP7100 = captured_model("esci2-xp7100-adf-duplex-frame", "PID 1147")
ET2750 = captured_model("esci2-et2750-flatbed-inquiry", "PID 112A")
FF680W = captured_model("esci2-ff680w-adf-duplex-frame", "PID 016B")


def ff680w_page():
    """A page whose first 613 bytes are those an FF-680W sent (SOI to SOS); the picture behind
    them is grey, in the shortest codes of the Huffman tables that the head defines."""
    head = hex_items("mfp-ff680w-page-head")[0][1]
    assert len(head) == 613
    frame = re.search(rb"\xff\xc0..\x08", head, re.S).start()
    height, width, count = struct.unpack(">HHB", head[frame + 5:frame + 10])
    sampling = [head[frame + 11 + 3 * i] for i in range(count)]
    across, down = max(s >> 4 for s in sampling), max(s & 15 for s in sampling)
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    # ITU-T T.81, annex K.3: DC difference 0 is 00; end of block is 1010 (luminance), 00 (others).
    unit = "".join(("00" + ("1010" if i == 0 else "00")) * ((s >> 4) * (s & 15))
                   for i, s in enumerate(sampling))
    restart = re.search(rb"\xff\xdd\x00\x04(..)", head, re.S)
    interval = struct.unpack(">H", restart[1])[0] if restart else units
    body = b""
    for number, first in enumerate(range(0, units, interval)):
        bits = unit * min(interval, units - first)
        bits += "1" * (-len(bits) % 8)
        if number:
            body += bytes([0xff, 0xd0 + (number - 1) % 8])
        body += int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return head + body + b"\xff\xd9"
