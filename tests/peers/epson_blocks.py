"""epson_blocks.py - the blocks of tokens in ESC/I-2, read as the device of these tests reads them."""

import struct

REPLY_SIZE = 64
FILL = b"#---"


def jpeg_size(data):
    """(width, height) of a JPEG, from its frame header."""
    at = 2
    while data[at + 1] not in (0xc0, 0xc1, 0xc2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    height, width = struct.unpack(">HH", data[at + 5:at + 9])
    return width, height


def quads(block):
    """A block of tokens as a list of (key, values); values are words, numbers or raw bytes."""
    found, at = [], 0
    while at < len(block):
        quad, at = block[at:at + 4], at + 4
        kind = quad[:1]
        if kind == b"#":
            found.append((quad[1:].decode().strip(), []))
        elif kind == b"d":
            found[-1][1].append(int(quad[1:]))
        elif kind in b"ix":
            digits, at = quad[1:] + block[at:at + 4], at + 4
            found[-1][1].append(int(digits, 10 if kind == b"i" else 16))
        elif kind == b"h":
            n = int(quad[1:], 16)
            found[-1][1].append(block[at:at + n])
            at += -(-n // 4) * 4
        else:
            found[-1][1].append(quad.decode().strip())
    return found


def offered(model, key, part=None):
    """The list or range a device offers for a key: ("LIST", values), or None."""
    for name, values in quads(model.capa):
        if name == key:
            if part and values[:1] == [part]:
                return values[1], values[2:]
            if not part and values[:1] in (["LIST"], ["RANG"]):
                return values[0], values[1:]
    return None


def wrong_parameters(block, model, two_sided=False):
    """What is wrong with a block of scan parameters, judged by what the device offers."""
    given = dict(quads(block))
    sources = [key for key in ("ADF", "FB") if key in given]
    if len(sources) != 1:
        yield f"sources {sources}"
        return
    if not (model.adf if sources[0] == "ADF" else model.flatbed):
        yield f"no such source {sources[0]}"
    if ("DPLX" in given[sources[0]]) != (two_sided and sources[0] == "ADF"):
        yield f"two sides are wanted: {two_sided}, {given[sources[0]]}"
    for option in given[sources[0]]:
        if (sources[0], [option]) not in quads(model.capa) and not any(
                key == sources[0] and option in values and "LIST" not in values
                for key, values in quads(model.capa)):
            yield f"{sources[0]} {option} is not offered"
    for key in ("COL", "FMT", "JPG", "GMM", "RSM", "RSS", "QIT", "CCT", "LAM", "THR", "CRP",
                "FLC", "FLA", "BRT", "CTR"):
        offer = offered(model, key)
        for value in given.get(key, []):
            if not offer:
                yield f"{key} is not offered"
            elif offer[0] == "LIST" and value not in offer[1]:
                yield f"{key} {value} is none of {offer[1]}"
            elif offer[0] == "RANG" and not offer[1][0] <= value <= offer[1][1]:
                yield f"{key} {value} is out of range"
    own = offered(model, sources[0], "RSMS")
    if own and given["RSM"][0] > max(own[1]):
        yield f"RSM {given['RSM']} is not for {sources[0]}"
    if given.get("FMT") not in (["JPG"], ["RAW"]) or "RSM" not in given or "RSS" not in given:
        yield f"needs are missing: {given}"
    if given.get("FMT") == ["RAW"] and "JPG" in given or given.get("COL") == ["M001"] and (
            given.get("FMT") != ["RAW"]):
        yield f"a format that does not go with the rest: {given}"
    for key, values in quads(block):
        channels = offered(model, "GMT")
        if key == "GMT" and (len(values) != 2 or len(values[1]) != 256 or not channels
                             or values[0] not in channels[1]):
            yield f"a table for {values[0]}, offered are {channels}"
    area = next(v[1:] for k, v in quads(model.info) if k == sources[0] and v[:1] == ["AREA"])
    for most in [v[1:] for k, v in quads(model.info) if k == sources[0] and v[:1] == ["AMAX"]]:
        area = [area[0], max(area[1], most[1])]  # long originals
    x, y, width, height = given["ACQ"]
    if x < 0 or y < 0 or width < 8 or width % 8 or (
            x + width > area[0] * given["RSM"][0] // 100) or (
            y + height > area[1] * given["RSS"][0] // 100):
        yield f"area {given['ACQ']} of {area}"
    if sources[0] == "FB" and "PAG" in given:
        yield "PAG is for feeders"
