"""e2p_client.py - a push server of its own for Epson devices: it registers, is pressed, and scans.

Written from the public description of the protocol with the standard library only, so that platen-mfp is judged by
something that shares nothing with our C but the wire. It does what the software that ships with such devices does:

  UDP 2968   hears SLP requests (multicast or not), answers three times in half-second steps, to port 2968
  TCP 2968   takes Start, JobList and ScanEnd, answers OK or ERROR, and only then connects
  TCP 1865   TLS 1.2 with one control character as server name and no look at the certificate, or plainly;
             welcome, lock, FS Y: INFO CAPA FIN; FS Z: INFO CAPA RESA FIN; FS Y: STAT FIN, three times;
             FS X: STAT PARA TRDT IMG... FIN; after the feeder twice FS Y: STAT FIN; unlock

Whatever a device does that the description does not allow raises Wrong, with what was expected and what came.

By hand: e2p_client.py --address A --device D --name NAME [--tls] [--out DIR] [--unicast]"""

import argparse
import hashlib
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

import common

SLP_GROUP, SLP_PORT, EVENT_PORT, SCAN_PORT = "239.255.255.253", 2968, 2968, 1865
REPLY_SIZE = 64
SECONDS = 20          # longest silence of a device
POLL_SECONDS = 0.01   # between two IMG of which the first was empty
BLOCK_MAX = 1048576   # what #BSZ allows
NUMBER = re.compile(rb"d(\d{3})|i([-\d]\d{6})")
DATA = os.path.join(common.TOP, "tests", "unit", "data")

NAMESPACE = "http://schema.epson.net/EpsonNet/Scan/2004/pushscan"
ANSWER = ('HTTP/1.0 200 OK\r\nServer : Epson Net Scan Monitor/2.0\r\nContent-Type : application/octet-stream\r\n'
          'Content-Length : {length}\r\nx-protocol-name : Epson Network Service Protocol\r\n'
          'x-protocol-version : {version}\r\nx-uid : {uid}\r\nx-status : 0001\r\n\r\n{body}')
BODY = ('<?xml version="1.0" ?>\r\n<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">\r\n  <s:Body>\r\n'
        f'    <p:PushScanResponse xmlns:p="{NAMESPACE}">\r\n      <StatusOut>{{status}}</StatusOut>\r\n{{more}}'
        '    </p:PushScanResponse>\r\n  </s:Body>\r\n</s:Envelope>\r\n')


class Wrong(Exception):
    """The device did what it must not."""


def check(true, expected, came=None):
    if not true:
        raise Wrong(f"expected {expected}" + ("" if came is None else f", came {came!r}"))


def golden(name):
    """A block of bytes that real software or a real device sent; its file says which."""
    with open(os.path.join(DATA, name + ".hex"), encoding="ascii") as f:
        return bytes.fromhex("".join(line for line in f if not line.startswith("#")))


# ---- what is asked for -----------------------------------------------------------------------------

def parameters(source="#ADF", dpi=300, color=b"C024", fmt=b"JPG ", area=(0, 0, 2480, 3507), pages=True, more=b""):
    """PARA as the description has it, for what no golden bytes ask."""
    numbers = b"".join(b"i%07d" % n for n in area)
    return (source.encode() + b"#RSMi%07d#RSSi%07d#COL%s#FMT%s" % (dpi, dpi, color, fmt)
            + (b"#JPGd090" if fmt == b"JPG " else b"") + (b"#THRd128" if color == b"M001" else b"") + more
            + (b"#PAGd000" if pages and source.startswith("#ADF") else b"")
            + b"#ACQ" + numbers + b"#BSZi%07d" % BLOCK_MAX)


def et4950(feeder, two_sided):
    """Epson's driver for an ET-4950, byte for byte."""
    if not feeder:
        return golden("para-et4950-flatbed")
    return golden("para-et4950-adf-duplex" if two_sided else "para-et4950-adf-simplex")


# ---- which device it is ----------------------------------------------------------------------------

# epson2paperless, src/esci2/dialects/registry.ts: the devices that its later versions scan from at all.
KNOWN = {
    "2fb08fc1bde6d17291b2ffb702dbc6b7de88899c9215d0e3267e7c51409df3e2": "ET-4950",
    "de76c9302793fa8fd663c22288dea07f8fcacaee8cd710bf2d49f7075f2b56e7": "ET-2750",
    "56d26c61896ca417807ac68d37775036fa1e702ee44c0beaa27d8a6ea9fa457e": "XP-7100",
    "7870a725ab969136d5eb04387bf01d3cc3168aabb3d11cfaca7d59a4169971c2": "ET-4800",
    "5d4dea564bf876ff0714a167b700007bd381de839615ad8dbded0c59c53eaabd": "FF-680W",
    "90f98ad1ef34fc40fcd9b49f880b0599569c80b343ab9b05c92d15cfac30b074": "DS-575W"}
COUNTERS = (b"#ADFSCNT", b"#ADFDCNT", b"#ADFJAM", b"#FB CNT")


def model_of(capa):
    """By the hash of CAPA without counters, as epson2paperless has it; "" for one that it does not know."""
    segments = sorted(b"#" + part.rstrip() for part in capa.split(b"#")[1:] if not (b"#" + part).startswith(COUNTERS))
    return KNOWN.get(hashlib.sha256(b"".join(segments)).hexdigest(), "")


# ---- TCP 1865 --------------------------------------------------------------------------------------

@dataclass
class Page:
    side: str  # IMGA, IMGB
    start: tuple = ()  # width, padding, height
    end: tuple = ()    # width, height
    data: bytes = b""


@dataclass
class Scan:
    """What came of one session, and what was seen on the way."""
    pages: list = field(default_factory=list)
    error: str = ""       # the device's word: "ADF PJ  ", "nrd BUSY", "atn CAN ", "par FAIL", "event a0", "lost"
    info: bytes = b""
    capa: bytes = b""
    counters: bytes = b""
    states: list = field(default_factory=list)
    notices: list = field(default_factory=list)  # informational events
    feeder: bool = False
    polls: int = 0
    tls_version: str = ""
    certificate: bytes = b""


class Ended(Exception):
    """The session is over before its time; str() is the word for Scan.error."""


def numbers_of(tail, count):
    found = NUMBER.match(tail)
    got = []
    while found and len(got) < count:
        got.append(int(found.group(1) or found.group(2)))
        tail = tail[found.end():]
        found = NUMBER.match(tail)
    check(len(got) == count, f"{count} numbers", tail)
    return tuple(got)


def tokens_of(header):
    """{b"pst": b"i0001687d000i0002190", ...} of a reply header's 52 bytes."""
    found = {}
    for part in header[12:].split(b"#"):
        if part[:3] and part[:3] != b"---":
            found[part[:3]] = part[3:]
    return found


class Session:
    """One connection to port 1865."""

    def __init__(self, device, tls=False, local=None, pieces=None):
        self.pieces = pieces  # how a packet is cut on its way out: None whole, else a size in bytes
        self.buffer, self.flags, self.notices = b"", None, []
        self.socket = socket.create_connection(device, timeout=SECONDS,
                                               source_address=(local, 0) if local else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.socket = context.wrap_socket(self.socket, server_hostname="\x02")
        kind, payload = self.packet()
        check(kind == 0x8000 and payload == b"\x01\x04\0\0\0", "the welcome of ESC/I-2", (hex(kind), payload))

    # -- packets --

    def take(self, n):
        while len(self.buffer) < n:
            try:
                more = self.socket.recv(1 << 16)
            except (ConnectionError, ssl.SSLError) as error:
                raise Ended("lost") from error
            if not more:
                raise Ended("lost")
            self.buffer += more
        got, self.buffer = self.buffer[:n], self.buffer[n:]
        return got

    def packet(self):
        head = self.take(12)
        magic, kind, flags, offset, length, rest = struct.unpack(">2sHBBIH", head)
        check(magic == b"IS" and offset == 12 and rest == 0 and length <= 1 << 24, "a packet", head)
        check(self.flags in (None, flags) and flags in (0x30, 0x38), "flags of a device", flags)
        self.flags = flags
        payload = self.take(length)
        if kind == 0x9000:
            check(length == 1, "one byte of event", payload)
            if payload[0] in (1, 4):
                self.notices.append(payload[0])
                return self.packet()
            raise Ended(f"event {payload[0]:02x}")
        return kind, payload

    def send(self, kind, payload=b"", more=b""):
        """more: another whole packet that leaves in the same record or segment."""
        data = struct.pack(">2sHBBIH", b"IS", kind, 0, 12, len(payload), 0) + payload + more
        step = self.pieces or len(data)
        for at in range(0, len(data), step):
            self.socket.sendall(data[at:at + step])

    def lock(self, seconds=300):
        self.send(0x2100, b"\x01\xa0\x04" + struct.pack(">I", seconds))
        kind, payload = self.packet()
        check(kind == 0xa100 and payload in (b"\x06", b"\x15"), "an answer to LOCK", (hex(kind), payload))
        return payload == b"\x06"

    def unlock(self):
        self.send(0x2101)
        kind, payload = self.packet()
        check(kind == 0xa101 and payload == b"", "an answer to UNLOCK", (hex(kind), payload))

    def close(self):
        self.socket.close()

    @staticmethod
    def passthru(command, wanted):
        return struct.pack(">II", len(command), wanted) + command

    def reply(self, wanted, exact=True):
        kind, payload = self.packet()
        check(kind == 0xa000, "an answer to a command", hex(kind))
        check(len(payload) == wanted if exact else len(payload) <= wanted, f"{wanted} bytes", payload[:80])
        return payload

    # -- commands --

    def mode(self, letter):
        self.send(0x2000, self.passthru(b"\x1c" + letter, 1))
        answer = self.reply(1)
        check(answer == b"\x06", "06 to a mode", answer)

    def ask(self, code):
        """(length, tokens) of a command without parameters."""
        code = code.ljust(4).encode()
        self.send(0x2000, self.passthru(code + b"x0000000", REPLY_SIZE))
        return self.header(code)

    def header(self, code):
        header = self.reply(REPLY_SIZE)
        check(re.fullmatch(rb"x[0-9A-Fa-f]{7}", header[4:12]), "a length", header[:12])
        if header[:4] in (b"UNKN", b"INVD"):
            raise Ended(header[:4].decode())
        check(header[:4] == code, f"a reply to {code!r}", header)
        return int(header[5:12], 16), tokens_of(header)

    def read(self, length):
        self.send(0x2000, self.passthru(b"", length))
        return self.reply(length)

    def block(self, code):
        """The data block of INFO, CAPA ...; waits while the device is busy."""
        end = time.monotonic() + SECONDS
        while True:
            length, tokens = self.ask(code)
            if b"nrd" not in tokens:
                return self.read(length) if length else b""
            if tokens[b"nrd"] not in (b"BUSY", b"WUP ") or time.monotonic() > end:
                raise Ended("nrd " + tokens[b"nrd"].decode())
            time.sleep(0.1)

    def set_parameters(self, body, together=True):
        """Header and body are not waited for one after the other: the device answers both in turn."""
        head = self.passthru(b"PARAx%07X" % len(body), 0)
        rest = self.passthru(body, REPLY_SIZE)
        packed = struct.pack(">2sHBBIH", b"IS", 0x2000, 0, 12, len(rest), 0) + rest
        if together:
            self.send(0x2000, head, packed)
        else:
            self.send(0x2000, head)
            self.send(0x2000, rest)
        check(self.reply(0) == b"", "an empty answer to the header")
        _, tokens = self.header(b"PARA")
        if tokens.get(b"par") != b"OK  ":
            raise Ended("par " + tokens.get(b"par", b"").decode().strip())

    def fin(self):
        length, _ = self.ask("FIN")
        check(length == 0, "nothing behind FIN", length)


class Client:
    """Scans as the device's own software does."""

    def __init__(self, device, tls=False, local=None, pieces=None, together=True, para=et4950, rounds=3,
                 cancel_after=None, abandon_after=None, on_page=None, obeys_cancel=True, curt=False):
        self.device, self.tls, self.local, self.pieces = device, tls, local, pieces
        self.together, self.para, self.rounds = together, para, rounds
        self.cancel_after, self.abandon_after = cancel_after, abandon_after  # pages
        self.on_page, self.obeys_cancel = on_page, obeys_cancel
        # As epson2paperless: does not read what TRDT answers, and goes from an error to UNLOCK without FIN.
        self.curt = curt

    def probe(self):
        """Which transport the device has: TLS is tried first, then the welcome is waited for. Neither harms it."""
        try:
            with socket.create_connection(self.device, timeout=3) as plain:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with context.wrap_socket(plain):
                    return "tls"
        except OSError:
            pass
        with socket.create_connection(self.device, timeout=3) as plain:
            welcome = b""
            while len(welcome) < 14:
                more = plain.recv(14 - len(welcome))
                check(more, "a welcome", welcome)
                welcome += more
        check(welcome[:4] == b"IS\x80\0", "a welcome", welcome)
        return "plain" if welcome[13] == 4 else "legacy"

    def job_control(self, command, wanted):
        """JOBW or JOBR (command is the whole captured packet) in a session of its own."""
        session = Session(self.device, self.tls, self.local)
        try:
            check(session.lock(30), "the lock for job control")
            session.socket.sendall(command)
            kind, payload = session.packet()
            check(kind == 0xa300 and len(payload) == wanted, f"{wanted} bytes of a300", (hex(kind), payload))
            session.unlock()
            return payload
        finally:
            session.close()

    def scan(self, two_sided=False):
        scan = Scan()
        session = Session(self.device, self.tls, self.local, self.pieces)
        try:
            if self.tls:
                scan.tls_version = session.socket.version()
                scan.certificate = session.socket.getpeercert(binary_form=True)
            if not session.lock():
                raise Ended("locked")
            self._preamble(session, scan)
            self._scan(session, scan, two_sided)
            session.unlock()
        except Ended as end:
            scan.error = scan.error or str(end)
            if str(end) not in ("lost", "locked") and not str(end).startswith("event"):
                session.unlock()  # whatever happened: the next one must get in
        finally:
            scan.notices = session.notices
            session.close()
        return scan

    def _preamble(self, session, scan):
        session.mode(b"Y")
        scan.info, scan.capa = session.block("INFO"), session.block("CAPA")
        session.fin()
        session.mode(b"Z")
        session.block("INFO")
        session.block("CAPA")
        scan.counters = session.block("RESA")
        check(b"#BSZ" in scan.counters, "#BSZ in RESA", scan.counters)
        session.fin()
        for _ in range(self.rounds):
            session.mode(b"Y")
            scan.states.append(session.block("STAT"))
            session.fin()
        scan.feeder = b"#ADF" in scan.info and b"#ERRADF PE  " not in scan.states[0]

    def _scan(self, session, scan, two_sided):
        session.mode(b"X")
        session.block("STAT")
        session.set_parameters(self.para(scan.feeder, two_sided), self.together)
        _, tokens = session.ask("TRDT")
        for word in (b"err", b"nrd"):
            if word in tokens and not self.curt:
                session.fin()
                raise Ended((word + b" " + tokens[word]).decode())
        self._images(session, scan)
        session.fin()
        for _ in range(2 if scan.feeder else 0):
            session.mode(b"Y")
            length, _ = session.ask("STAT")
            scan.states.append(session.read(length))  # also when it is empty
            session.fin()

    def _images(self, session, scan):
        making, end = {}, time.monotonic() + SECONDS
        while True:
            length, tokens = session.ask("IMG")
            if self.curt and b"err" in tokens:
                raise Ended(tokens[b"err"].decode())
            check(length <= BLOCK_MAX, "no more than #BSZ", length)
            if b"err" in tokens:
                check(length == 0, "no data with an error", length)
                if tokens[b"err"] == b"ADF PE  " and scan.pages and not making:
                    return  # the feeder is empty: an ordinary end
                self._give_up(session, scan, tokens[b"err"].decode())
            if tokens.get(b"atn") == b"CAN " and self.obeys_cancel:
                session.ask("CAN")
                self._give_up(session, scan, "atn CAN ")
            side = tokens.get(b"typ", b"IMGA").decode()
            if b"pst" in tokens:
                check(side not in making and length, "the start of a page with its first data", tokens)
                making[side] = Page(side, numbers_of(tokens[b"pst"], 3))
            if length:
                check(side in making, "data of a page that has begun", tokens)
                making[side].data += session.read(length)
                end = time.monotonic() + SECONDS
            else:
                scan.polls += 1
                check(time.monotonic() < end, "progress", tokens)
            if b"pen" in tokens:
                check(side in making, "the end of a page that has begun", tokens)
                page = making.pop(side)
                page.end = numbers_of(tokens[b"pen"], 2)
                scan.pages.append(page)
                if self.on_page:
                    self.on_page(len(scan.pages))
                if tokens.get(b"lft", b"")[:4] == b"d000" or not scan.feeder:
                    check(scan.feeder or b"lft" not in tokens, "no #lft from the glass", tokens)
                    check(not making, "no page left open", list(making))
                    return
            elif length == 0:
                time.sleep(POLL_SECONDS)
            if self.cancel_after == len(scan.pages):
                session.ask("CAN")
                self._give_up(session, scan, "cancelled by us")
            if self.abandon_after == len(scan.pages):
                raise Ended("abandoned")

    @staticmethod
    def _give_up(session, scan, why):
        scan.error = why
        session.fin()
        raise Ended(why)


# ---- UDP and TCP 2968 ------------------------------------------------------------------------------

def slp_text(text):
    return struct.pack(">H", len(text)) + text


def slp_request(packet):
    """{"xid", "language", "previous", "url", "scope", "tags", "spi", "flags"} of an AttrRqst, strictly; None: another
    function. RFC 2608, sections 8 and 10.3."""
    check(len(packet) >= 16 and packet[0] == 2, "SLP version 2", packet[:16])
    if packet[1] != 6:
        return None
    length, flags, extension = int.from_bytes(packet[2:5], "big"), packet[5:7], packet[7:10]
    check(length == len(packet) and extension == b"\0\0\0", "its own length", packet[:16])
    check(flags in (b"\0\0", b"\x20\0"), "flags", flags)
    at, texts = 12, []
    for _ in range(6):
        size = struct.unpack(">H", packet[at:at + 2])[0]
        texts.append(packet[at + 2:at + 2 + size])
        check(len(texts[-1]) == size, "a whole text", packet[at:])
        at += 2 + size
    check(at == len(packet), "nothing behind the request", packet[at:])
    request = dict(zip(("language", "previous", "url", "scope", "tags", "spi"), texts))
    return {**request, "xid": packet[10:12], "flags": flags}


class PushServer:
    """Registers under a name, takes Start, scans. multicast: joins the group at this address of an interface."""

    def __init__(self, name="Scans", address="127.0.0.1", udp_port=0, tcp_port=0, multicast=None, version=2,
                 to_source=False, refuses=False, client=None, device_port=None):
        self.name, self.address, self.version = name, address, version
        self.to_source, self.refuses = to_source, refuses
        self.client = client            # {"tls": True ...}: what Client is made with
        self.device_port = device_port or SCAN_PORT
        self.requests, self.presses, self.wrongs, self.talks = [], [], [], []
        self.scans, self.changed = [], threading.Condition()
        self.busy, self.closed = set(), False
        self.lists = self.echoes = True  # JobList: tells of jobs, repeats what the device can
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind(("" if multicast else address, udp_port))
        if multicast:
            self.udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                socket.inet_aton(SLP_GROUP) + socket.inet_aton(multicast))
        self.listener = socket.create_server((address, tcp_port), backlog=16)
        self.udp_port, self.tcp_port = self.udp.getsockname()[1], self.listener.getsockname()[1]
        threading.Thread(target=self._register, daemon=True).start()
        threading.Thread(target=self._take_presses, daemon=True).start()

    def close(self):
        self.closed = True
        self.udp.close()
        self.listener.close()

    # -- registration --

    def _register(self):
        seen = {}
        while True:
            try:
                packet, sender = self.udp.recvfrom(2000)
            except OSError:
                return
            try:
                request = slp_request(packet)
                if request is None:  # an answer, to a device that has gone from this host meanwhile
                    continue
                check(request["url"] == b"service:NetScanMonitor-agent", "the service of scan agents", request)
            except Wrong as wrong:
                self.wrongs.append(wrong)
                continue
            self.requests.append((request, sender))
            if (sender[0], request["xid"]) in seen:
                continue
            seen[sender[0], request["xid"]] = True
            # Real agents answer to the port of the service, wherever the request came from.
            to = sender if self.to_source else (sender[0], SLP_PORT)
            for i in range(3):
                threading.Timer(i * 0.5, self._answer, (request, to)).start()

    def _answer(self, request, to):
        keys = [f"(ClientName={self.name})", f"(IPAddress={self.address})", f"(EventPort={self.tcp_port})"]
        if self.version == 3:
            keys = ["(Ver=3.0)", *keys, "(Group=0)"]
        # epson2paperless repeats the last byte of the number only: what it takes for one is a reserved zero.
        rest = b"\0" + request["xid"][1:] + slp_text(request["language"]) + b"\0\0" + slp_text(",".join(keys).encode()) + b"\0"
        try:
            self.udp.sendto(b"\x02\x07" + (10 + len(rest)).to_bytes(3, "big") + bytes(5) + rest, to)
        except OSError:
            pass  # closed meanwhile

    # -- Start --

    def _take_presses(self):
        while True:
            try:
                stream, peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take_press, args=(stream, peer[0]), daemon=True).start()

    def _take_press(self, stream, peer):
        scan = None
        try:
            stream.settimeout(SECONDS)
            scan = self._serve(stream, peer)
        except (Wrong, OSError) as wrong:
            if not self.closed:
                self.wrongs.append(wrong)
        finally:
            stream.close()
        if scan is None:
            return
        try:
            done = scan()
        except (Wrong, OSError) as error:
            self.wrongs.append(error)
            done = Scan(error=repr(error))
        with self.changed:
            self.busy.discard(peer)
            self.scans.append(done)
            self.changed.notify_all()

    def _serve(self, stream, peer):
        """Reads a request and answers it; what is to be done behind the answer."""
        got = b""
        while b"\r\n\r\n" not in got:
            more = stream.recv(4096)
            check(more and len(got) < 1 << 16, "the head of a request", got)
            got += more
        head, body = got.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        check(lines[0] == "POST /PushScan HTTP/1.0", "POST /PushScan HTTP/1.0", lines[0])
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        check(headers.get("x-protocol-name") == "Epson Network Service Protocol", "the protocol's name", headers)
        while len(body) < int(headers["content-length"]):
            more = stream.recv(4096)
            check(more, "the whole body", body)
            body += more
        press = self._understand(headers, body.decode(), peer)
        self.presses.append(press)
        status, more, then = self._decide(press, peer)
        content = BODY.format(status=status, more=more)
        stream.sendall(ANSWER.format(length=len(content), version=press["version"], uid=headers["x-uid"],
                                     body=content).encode())
        return then if status == "OK" else None

    @staticmethod
    def _understand(headers, body, peer):
        def text(tag):
            found = re.search(f"<{tag}>([^<]*)</{tag}>", body)
            return found and found.group(1)
        root = re.search(r"<(?:\w+:)?(JobList|PushScan|ScanEnd)[\s>]", body)
        check(root, "JobList, PushScan or ScanEnd", body)
        press = {"kind": root.group(1), "product": text("ProductNameIn"), "choice": text("PushScanIDIn"),
                 "job": text("JobNumberIn"), "uid": headers["x-uid"], "version": headers["x-protocol-version"],
                 "capabilities": re.findall(r"<CapabilityIn>([^<]*)</CapabilityIn>", body), "peer": peer}
        check(text("IPAddressIn") == socket.inet_aton(peer).hex().upper(), f"the address {peer}", body)
        return press

    def _scanner(self, peer):
        return Client((peer, self.device_port), **(self.client or {}))

    def _decide(self, press, peer):
        """(status, further lines, what follows) of a request."""
        self.talks.append(press["kind"])
        if self.refuses:
            return "ERROR", "", None
        if press["kind"] == "ScanEnd":
            return "OK", "", None
        if peer in self.busy:
            return "ERROR", "", None
        if press["kind"] == "JobList":
            if self.lists:
                self._scanner(peer).job_control(golden("is-jobw-ff680w"), 0)
                self.talks.append("JOBW")
            repeated = press["capabilities"] if self.echoes else []
            return "OK", "".join(f"      <CapabilityOut>{c}</CapabilityOut>\r\n" for c in repeated), None
        if press["job"] is not None:
            press["answer"] = self._scanner(peer).job_control(golden("is-jobr-ff680w"), 8)
            self.talks.append("JOBR")
        else:
            check(press["choice"] in ("01", "02", "04", "11", "12", "14"), "a choice", press)
        self.busy.add(peer)
        two_sided = press["job"] is not None or press["choice"][0] == "1"
        return "OK", "", lambda: self._scanner(peer).scan(two_sided)

    def wait_scan(self, number=1):
        """The number-th scan since the start, when it has ended."""
        with self.changed:
            ended = self.changed.wait_for(lambda: len(self.scans) >= number, SECONDS * 2)
        assert ended, f"no scan came; presses {self.presses}, wrong: {self.wrongs}"
        return self.scans[number - 1]


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    words.add_argument("--address", required=True, help="our own address")
    words.add_argument("--device", help="not needed: whoever asks is answered")
    words.add_argument("--name", default="Scans")
    words.add_argument("--tls", action="store_true")
    words.add_argument("--unicast", action="store_true", help="joins no multicast group")
    words.add_argument("--version", type=int, default=2, choices=(2, 3))
    words.add_argument("--out", help="folder for the pages")
    words.add_argument("--scans", type=int, default=1, help="ends after so many")
    given = words.parse_args()
    server = PushServer(given.name, given.address, SLP_PORT, EVENT_PORT, version=given.version,
                        multicast=None if given.unicast else given.address, client={"tls": given.tls})
    print("listening", flush=True)
    for number in range(1, given.scans + 1):
        scan = server.wait_scan(number)
        for i, page in enumerate(scan.pages):
            if given.out:
                with open(os.path.join(given.out, f"scan-{number}-{i + 1}.jpg"), "wb") as f:
                    f.write(page.data)
        print(f"scan pages={len(scan.pages)} error=\"{scan.error}\" tls={scan.tls_version or '-'}", flush=True)
    time.sleep(0.2)  # the last answer of another thread may still be on its way
    sys.exit("".join(f"wrong: {w}\n" for w in server.wrongs) or 0)


if __name__ == "__main__":
    main()
