"""esci_device.py - a virtual older Epson device (ESC/I over IS) that shares nothing with the project but the wire.

Registration, Start and the IS packets are those of epson_device.py; the language is written from its
public description, what the device says of itself is what a WF-3620 said. It notes in .complaints whatever
a client does that a real device would not have to put up with."""

import struct
import time
from dataclasses import dataclass

import epson_device
import epson_models
from epson_device import Gone

ACK, NAK = b"\x06", b"\x15"
IDENTITY = 6   # item of the captured session: the answer to FS I
FAULT_BITS = {"jam": 0x24, "cover": 0x22, "error": 0x20}


@dataclass
class EsciManner(epson_device.Manner):
    """How an older device behaves beyond the Manner of all."""

    product: bytes = b"PID 08C8"
    duplex: bool = True
    feeder: bool = True            # it has one; feeder_loaded says whether paper lies in it
    take: bytes = b"\x80"          # the answer to ESC (
    take_busy: int = 0             # first so often "in use"
    not_ready: int = 0             # so many FS F say "in use",
    warming_up: int = 0            # and so many "warming up"
    gamma: bool = True             # knows gamma tables
    source_command: bool = True    # knows ESC e
    refuse_parameters: bool = False
    feeding_polls: int = 0         # FS G has no blocks so often, while the paper is drawn,
    feeding_status: int = 0        # and this status
    block_lines: int = 0           # lines of a block, 0: what the client asked for
    short_reads: int = 0           # answers to reads of a block have at most so many bytes
    empty_reads: int = 0           # and so often none at all, before each block


def pattern(number, width, height, color, bits):
    """Lines of a page that nobody else draws: its upper half is plain, so that colours can be seen."""
    line_bytes = (width * (3 if color else 1) * bits + 7) // 8
    lines = []
    for y in range(height):
        if y < height // 2:
            pixel = {1: b"\xff", 8: bytes([200, 30, 60]) if color else b"\xb0"}[bits]
            lines.append((pixel * line_bytes)[:line_bytes])
        else:
            step = (y * 7 + number * 31) % 256
            lines.append((bytes(range(256)) * (line_bytes // 256 + 2))[step:step + line_bytes])
    return b"".join(lines)


class EsciSession(epson_device.Session):
    """One connection of a client that scans."""

    family = 2

    def __init__(self, device, stream):
        super().__init__(device, stream)
        self.awaits = ""       # the command whose argument is due
        self.source = 0
        self.parameters, self.gammas = None, []
        self.sheets = device.sheets if device.manner.feeder_loaded else 0
        self.sides_left = 0    # of the sheet that is inside
        self.out = b""         # lines of the page that are not sent
        self.blocks = []       # sizes that are due
        self.busy_takes = self.manner.take_busy
        self.not_ready, self.warming = self.manner.not_ready, self.manner.warming_up
        self.polls = self.manner.feeding_polls
        self.empties = 0
        self.failed = ""       # the fault that has struck
        self.taken = self.page_out = False

    # -- what the device says ---------------------------------------------------------------------

    def identity(self):
        said = bytearray(epson_models.hex_items("esci-wf3620-flatbed-frame")[IDENTITY][1][12:])
        said[46:62] = self.manner.product.ljust(16)
        if not self.manner.duplex:
            said[44] &= ~0x10
        if not self.manner.feeder:
            said[28:36] = bytes(8)
        return bytes(said)

    def status(self):
        device, adf, main = 0x01, 0x80 if self.manner.feeder else 0, 0xc0
        if self.not_ready > 0 or self.warming > 0:
            device |= 0x40 if self.not_ready > 0 else 0x02
            self.not_ready -= self.not_ready > 0
            self.warming -= self.not_ready == 0 and self.warming > 0 and device & 0x02 > 0
        if self.source:
            adf |= 0x40
            if self.source == 2:
                adf |= 0x01
            if self.sheets == 0 and self.sides_left == 0:
                adf, device = adf | 0x28, device | 0x80
        if self.failed in FAULT_BITS:
            device |= 0x80
            if self.source:
                adf |= FAULT_BITS[self.failed]
            else:
                main |= FAULT_BITS[self.failed]
        return bytes([device, adf, 0, main]) + bytes(12)

    # -- pages ------------------------------------------------------------------------------------

    def start(self):
        """FS G."""
        manner, values = self.manner, self.parameters
        if not self.taken or values is None:
            self.complain("FS G without ESC ( or FS W")
        if manner.fault == "start-nak":
            return NAK
        if manner.fault == "start-fatal":
            self.failed = "cover"
            return struct.pack("<BBIII", 2, 0x80, 0, 0, 0)
        if self.source and self.sides_left == 0:
            if self.sheets == 0:
                return struct.pack("<BBIII", 2, 0x80, 0, 0, 0)
            if self.polls > 0:
                self.polls -= 1
                return struct.pack("<BBIII", 2, manner.feeding_status, 0, 0, 0)
            self.sheets -= 1
            self.sides_left = 2 if self.source == 2 else 1
            self.polls = manner.feeding_polls
        width, height, color, bits = values["width"], values["height"], values["color"], values["bits"]
        if color not in (0, 0x13):
            self.complain(f"colour {color:#x}")
        self.page += 1
        data = pattern(self.page, width, height, color, bits)
        line = len(data) // height
        self.device.fed.append((dict(values), data))
        block = line * (manner.block_lines or values["lines"])
        if manner.fault == "torn-lines":
            data += b"x"
        self.out = data
        self.blocks = [block] * (len(data) // block) + ([len(data) % block] if len(data) % block else [])
        self.announced = len(self.blocks)
        self.read_done = True
        last = len(data) % block
        return struct.pack("<BBIII", 2, 0x12, block, len(data) // block, last)

    def strikes(self):
        """The fault strikes in the middle of this page."""
        return self.page == self.manner.fault_page and len(self.blocks) == self.announced // 2

    def block(self, wanted):
        """The next block with its status byte."""
        size = self.blocks.pop(0)
        if wanted != size + 1:
            self.complain(f"a block of {size} bytes is asked for with {wanted}")
        status = 0
        if self.strikes() and self.manner.fault in FAULT_BITS:
            self.failed, status, self.blocks = self.manner.fault, 0x80, []
        if self.strikes() and self.manner.fault == "drop":
            raise Gone
        if self.strikes() and self.manner.fault == "panel-cancel":
            status = 0x10
        data, self.out = self.out[:size], self.out[size:]
        if not self.blocks:
            self.page_out = True
            self.sides_left -= self.sides_left > 0
        self.empties = self.manner.empty_reads
        return data + bytes([status])

    # -- commands ---------------------------------------------------------------------------------

    def reply(self, data, wanted):
        if wanted != len(data) and len(data) > 1:
            self.complain(f"{len(data)} bytes are asked for with {wanted}")
        self.answer(data, wanted)

    def argument(self, command):
        """What follows an acknowledged command; the answer."""
        head, self.awaits = self.awaits, ""
        if head == "e":
            self.source = command[0]
            allowed = (0,) + ((1, 2) if self.manner.duplex else (1,)) * self.manner.feeder
            return ACK if self.source in allowed and len(command) == 1 else NAK
        if head == "z":
            if len(command) != 257 or command[:1] not in b"RGBM":
                self.complain(f"gamma table of {len(command)} bytes")
            self.gammas.append(command[:1])
            return ACK
        if len(command) != 64:
            self.complain(f"parameters of {len(command)} bytes")
            return NAK
        if self.manner.refuse_parameters:
            return NAK
        numbers = struct.unpack("<6I10B", command[:34])
        keys = ("dpi", "dpi_sub", "x", "y", "width", "height", "color", "bits", "source", "mode", "lines",
                "gamma", "brightness", "correction", "halftone", "threshold")
        self.parameters = dict(zip(keys, numbers))
        if self.parameters["source"] != self.source or self.parameters["width"] % 8:
            self.complain(f"parameters {self.parameters} with source {self.source}")
        if (self.parameters["gamma"] == 4) != (self.gammas[-3:] == [b"R", b"G", b"B"]):
            self.complain(f"gamma {self.parameters['gamma']} after the tables {self.gammas}")
        return ACK

    def command(self, command, wanted):
        name = command.decode("latin-1")
        if command == b"":
            if self.queue:
                self.rest(wanted)
                return
            if self.empties > 0:
                self.empties -= 1
                self.answer(b"", wanted)
                return
            if not self.blocks or not self.read_done:
                self.complain("a pure read, and nothing is due")
                raise Gone
            self.read_done = False
            self.send_block(wanted)
            return
        if self.blocks and command not in (ACK, b"\x18"):
            self.complain(f"{command!r} while blocks are due")
        if self.queue:
            self.complain(f"{command!r} with {len(self.queue)} bytes unread")
        if self.page_out:
            self.page_out = False
            self.device.note_asked(self.page)
        self.queue = b""
        if self.awaits:
            self.answer(self.argument(command), wanted)
            return
        self.device.commands.append(name)
        if command == b"\x1b@":
            self.answer(ACK, wanted)
        elif command == b"\x1cI":
            self.reply(self.identity(), wanted)
        elif command == b"\x1cF":
            self.reply(self.status(), wanted)
        elif command == b"\x1b(":
            self.busy_takes -= self.busy_takes > 0
            busy = self.busy_takes > 0 or self.manner.fault == "in-use"
            self.taken = not busy
            self.answer(b"\x40" if busy else self.manner.take, wanted)
        elif command == b"\x1b)":
            self.taken = False
            self.answer(b"\x80", wanted)
        elif command in (b"\x1be", b"\x1bz", b"\x1cW"):
            known = {"e": self.manner.source_command, "z": self.manner.gamma}.get(name[1], True)
            self.awaits = name[1] if known else ""
            self.answer(ACK if known else NAK, wanted)
        elif command == b"\x1cG":
            self.reply(self.start(), wanted)
        elif command == ACK:
            if not self.blocks:
                self.complain("06, and no block is due")
                raise Gone
            if self.empties > 0:
                self.empties -= 1
                self.read_done = True
                self.answer(b"", wanted)
                return
            self.send_block(wanted)
        elif command == b"\x18":
            self.blocks, self.out = [], b""
            self.answer(ACK, wanted)
        elif command == b"\x0c":
            self.answer(ACK, wanted)
        else:
            self.complain(f"command {command!r}")
            raise Gone

    def send_block(self, wanted):
        strikes = self.strikes()
        data = self.block(wanted)
        if strikes and self.manner.fault == "block-nak":
            self.blocks, data = [], NAK
        if self.manner.fault == "silence" and self.strikes():
            time.sleep(100)
        self.queue = data
        self.rest(wanted)

    def rest(self, wanted):
        """As much of the queue as one answer carries."""
        part = min(wanted, self.manner.short_reads or wanted)
        data, self.queue = self.queue[:part], self.queue[part:]
        if self.manner.notices:
            self.packet(0x9000, b"\x01")
        self.packet(0xa000, data)


class EsciDevice(epson_device.Device):
    """An older device; sheets: how many lie in its feeder."""

    session_type = EsciSession

    def __init__(self, address, scan_port, sheets=1, manner=None):
        self.sheets = sheets
        self.fed = []  # of each page: what was asked, and the lines
        self.asked = []  # pages after which the client spoke on
        super().__init__(address, scan_port, epson_models.XP7100, (), manner or EsciManner())

    def note_asked(self, number):
        """The client spoke on after a page: it has it."""
        self.asked.append(number)
        if self.page_asked:
            self.page_asked(number)
