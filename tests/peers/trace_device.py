"""trace_device.py - plays the device of a trace (platen device trace) against a server.

Connection by connection, line by line: what the device said then is said again, what the host says is compared
with what it said then (.differences). Pictures that the trace leaves out are filled up to the same sizes: with pages
that are given, or with made ones. Frames of captured sessions (tests/unit/data/*.hex), which are no whole
conversations, are played by looking up what the host asks for.

By hand: trace_device.py TRACE --address A --scan-port N [--register HOST:PORT] [--press HOST:PORT] [PAGE...]"""

import argparse
import itertools
import json
import re
import socket
import struct
import subprocess
import threading
from dataclasses import dataclass

import epson_models

SOCKET_SECONDS = 30


@dataclass
class Line:
    """One message. A picture, or a log-in, may be missing between head and tail."""

    from_device: bool
    head: bytes
    left_out: int = 0
    tail: bytes = b""
    filled: bytes = b""
    cut: bool = False  # the rest never came, or the trace ended before

    @property
    def bytes(self):
        return self.head + self.filled + self.tail

    @property
    def command(self):
        """Of a passthru of the host."""
        return self.head[20:] if self.head[2:4] == b"\x20\x00" else b""


class Conversation:
    """One connection of a trace."""

    def __init__(self):
        self.channel, self.tls, self.lines = "scan", "", []
        self.closed = False  # else the trace ended before


def read_trace(path):
    """(what its first line says, its conversations in order, datagrams)."""
    about, conversations, datagrams = {}, {}, []
    with open(path, encoding="utf-8") as f:
        for row in map(json.loads, f):
            if "trace" in row:
                about = row
            if "c" in row and row.get("c") != 0:
                made = conversations.setdefault(row["c"], Conversation())
                made.channel = row["on"]
                if row.get("event") == "connected" and row["text"] != "plain":
                    made.tls = row["text"]
                made.closed |= row.get("event") == "closed"
            if "hex" in row:
                line = Line(row["dir"] == "p>h", bytes.fromhex(row["hex"]), row.get("left_out", 0),
                            bytes.fromhex(row.get("tail", "")), cut=row.get("cut", False))
                if row.get("c") == 0:
                    datagrams.append(line)
                else:
                    conversations.setdefault(row.get("c", 1), Conversation()).lines.append(line)
    return about, [c for c in conversations.values() if c.lines], datagrams


def frames(name):
    """A captured session as a conversation."""
    made = Conversation()
    made.lines = [Line(mark == "<", data) for mark, data in epson_models.hex_items(name)]
    return made


def made_page(size, width, height, jpeg):
    """A page of exactly so many bytes; when no JPEG has so few, the beginning of one."""
    if not jpeg:
        return (bytes(range(251)) * (size // 251 + 1))[:size]
    picture = subprocess.run(["convert", "-size", f"{width}x{height}", "xc:gray", "-quality", "10", "jpeg:-"],
                             check=True, capture_output=True).stdout
    if len(picture) > size:
        return picture[:size]
    return picture[:-2] + bytes(size - len(picture)) + picture[-2:]


def fill(conversation, pages=None):
    """Gives the pictures that are missing their bytes; answers the pages."""
    found, now, side, jpeg = [], {}, "A", False
    for line in conversation.lines:
        jpeg |= b"FMTJPG" in line.command
        if line.command == b"\x1cG":
            found.append((side, [], 0, 0))
            now[side] = found[-1]
        if line.from_device and line.head[12:16] == b"IMG ":
            side = "B" if b"#typIMGB" in line.head else "A" if b"#typIMGA" in line.head else side
            begun = re.search(rb"#psti(\d{7})d\d{3}i(\d{7})", line.head)
            if begun:
                found.append((side, [], int(begun[1]), int(begun[2])))
                now[side] = found[-1]
        if line.from_device and line.left_out:
            now[side][1].append(line)
    fronts, backs = [[page for page in found if page[0] == which] for which in "AB"]
    if backs:  # they may come before their fronts
        found = [page for sheet in itertools.zip_longest(fronts, backs) for page in sheet if page]
    filled = []
    for number, (_, lines, width, height) in enumerate(found):
        size = sum(line.left_out for line in lines)
        page = pages[number] if pages else made_page(size, width, height, jpeg)
        assert len(page) == size, f"page {number + 1} had {size} bytes, not {len(page)}"
        filled.append(page)
        for line in lines:
            line.filled, page = page[:line.left_out], page[line.left_out:]
    return filled


class TraceDevice:
    """The device of a trace at an address of this host. tls: the context for conversations that were encrypted."""

    def __init__(self, address, scan_port, conversations, datagrams=(), pages=None, tls=None, look_up=False):
        self.address, self.tls, self.look_up = address, tls, look_up
        self.talks = [c for c in conversations if c.channel in ("scan", "job")]
        self.panels = [c for c in conversations if c.channel == "panel"]
        self.requests = [d.head for d in datagrams if d.from_device]
        self.pages = [page for c in self.talks for page in fill(c, pages)]
        self.differences, self.played = [], 0
        self.finished = threading.Event()
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, scan_port), family=self.family)
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def register(self, to):
        """Sends a registration request of the trace; the answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((self.address, 0))
            udp.settimeout(SOCKET_SECONDS)
            udp.sendto(self.requests[0], to)
            return udp.recv(2000)

    def press(self, to, which=0):
        """Says what the panel said in its first conversation, or another one; the answer is compared."""
        panel = self.panels[which]
        with socket.create_connection(to, SOCKET_SECONDS, source_address=(self.address, 0)) as stream:
            for line in panel.lines:
                if line.from_device:
                    stream.sendall(line.bytes)
            got = b""
            while block := stream.recv(4096):
                got += block
        self.compare(b"".join(line.bytes for line in panel.lines if not line.from_device), got)

    def compare(self, wanted, got):
        if wanted != got:
            self.differences.append((wanted, got))
        return wanted == got

    # -- the scan port ----------------------------------------------------------------------------

    def _serve(self):
        while self.played < len(self.talks):
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            talk = self.talks[self.played]
            try:
                stream = self._shake_hands(stream, talk)
                if stream:
                    self.played += 1
                    (self._look_up if self.look_up else self._play)(stream, talk)
            except OSError as error:
                self.differences.append(("the connection", repr(error)))
            finally:
                if stream:
                    stream.close()
        self.finished.set()

    def _shake_hands(self, stream, talk):
        """A device without TLS hangs up when it is greeted with a handshake."""
        stream.settimeout(SOCKET_SECONDS)
        if talk.tls:
            return self.tls.wrap_socket(stream, server_side=True)
        stream.settimeout(0.05)
        try:
            greeted = stream.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            greeted = None
        stream.settimeout(SOCKET_SECONDS)
        if greeted is None:
            return stream
        stream.close()
        return None

    @staticmethod
    def _take(stream, n):
        got = b""
        while len(got) < n and (block := stream.recv(n - len(got))):
            got += block
        return got

    def _packet(self, stream):
        """One packet of the host, b"" when it is gone."""
        head = self._take(stream, 12)
        return head + self._take(stream, struct.unpack(">I", head[6:10])[0]) if len(head) == 12 else b""

    def _play(self, stream, talk):
        """What is known of a conversation; where the trace ended before it, the device hangs up."""
        for line in talk.lines:
            if line.from_device:
                stream.sendall(line.bytes)
                continue
            got = self._take(stream, len(line.head)) if line.cut else self._packet(stream)
            if line.left_out:
                same = self.compare(len(line.head) + line.left_out, len(got))
            else:
                same = self.compare(line.head, got)
            if not same and len(got) != len(line.head):
                return
        if talk.closed and not any(line.cut for line in talk.lines):
            self.compare(b"", stream.recv(1))

    def _look_up(self, stream, talk):
        """What followed such a packet, from where we are; when it never came again, the end."""
        at = 0
        while talk.lines[at].from_device:
            stream.sendall(talk.lines[at].bytes)
            at += 1
        while got := self._packet(stream):
            order = list(range(at, len(talk.lines))) + list(range(at))
            found = [i for i in order if not talk.lines[i].from_device and talk.lines[i].head == got]
            if not found:
                self.differences.append(("nothing like it", got))
                return
            at = found[0] + 1
            while at < len(talk.lines) and talk.lines[at].from_device:
                stream.sendall(talk.lines[at].bytes)
                at += 1


def main():
    parser = argparse.ArgumentParser(description="plays the device of a trace")
    parser.add_argument("trace")
    parser.add_argument("--address", required=True)
    parser.add_argument("--scan-port", type=int, default=1865)
    parser.add_argument("--register", metavar="HOST:PORT")
    parser.add_argument("--press", metavar="HOST:PORT")
    parser.add_argument("pages", nargs="*")
    args = parser.parse_args()
    about, conversations, datagrams = read_trace(args.trace)
    print(about)
    pages = [open(path, "rb").read() for path in args.pages] or None

    def port(text):
        host, number = text.rsplit(":", 1)
        return host, int(number)

    with TraceDevice(args.address, args.scan_port, conversations, datagrams, pages) as device:
        if args.register:
            print(device.register(port(args.register)))
            input("Approve it, then press Enter: ")
        if args.press:
            device.press(port(args.press))
        device.finished.wait()
        for wanted, got in device.differences:
            print(f"then {wanted!r}\nnow  {got!r}")


if __name__ == "__main__":
    main()
