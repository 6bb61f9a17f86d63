"""epson_device.py - a virtual Epson device that shares nothing with the project but the wire.

Written from the public description of the protocol (SLPv2 on UDP 2968, push scan on TCP 2968, IS
packets with ESC/I-2 on TCP 1865), with the standard library only, so that a mistake of the server's
codecs has no twin here. It notes in .complaints whatever a client does that a real device would not
have to put up with, and can be told to be slow, odd or broken (class Manner).

By hand: epson_device.py --address A --server HOST:PORT --name DESTINATION PAGE.jpg..."""

import argparse
import random
import re
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

import epson_models
from epson_blocks import FILL, REPLY_SIZE, jpeg_size, quads, wrong_parameters
from epson_faults import FAULTS

SLP_GROUP, SLP_PORT, EVENT_PORT, SCAN_PORT = "239.255.255.253", 2968, 2968, 1865
ACK, NAK = b"\x06", b"\x15"
SO_TIMESTAMPNS = 35  # Linux; Python has no name for it
SOCKET_SECONDS = 90  # longer than any patience of a server that is tested here
OPTIONAL = (b"#GMM", b"#QIT", b"#CCT", b"#LAM", b"#GMT", b"#CMX", b"CRP ", b"SKEW",
            b"#FLA", b"#BRT")


@dataclass
class Manner:
    """How a device behaves. The presets are those of an ordinary one."""

    split: bool = False            # header and payload of a packet in TCP segments of their own
    drip: int = 0                  # image data in pieces of so many bytes, 0 = at once,
    drip_pause_s: float = 0.0005   # with a pause after each
    block_max: int = 86592         # largest block of image data
    minds_block_size: bool = True  # False: blocks may be larger than the client says in #BSZ
    first_block: int = 613         # the first block of a page: the head of the JPEG
    empty_polls: int = 3           # empty IMG replies before the first data of the first page
    polls_between: int = 1         # and of every other page
    lower_hex: bool = False
    strangers: bool = False        # tokens nobody knows, in INFO, CAPA and inline
    ready_word: bool = False       # says #nrdNONE in every reply
    busy: dict = field(default_factory=dict)  # {"INFO": 2}: BUSY so often before the real reply
    lock_naks: int = 0
    mode_naks: int = 0
    left_in_mode: bool = False     # a client that died has left it in a mode, until FIN
    notices: bool = False          # an informational event between each command and its reply
    refuse_optional: bool = False  # #parFAIL as long as PARA has tokens one can do without
    crop: int = 0                  # lines that the end of a page has less than its beginning said
    start_delay_s: float = 0.0     # TRDT is slow
    feeder_loaded: bool = True
    end_with_data: bool = False    # the last block and the end of the page in one reply
    end_by_error: bool = False     # no #lft: the feeder just says that it is empty
    two_sided: bool = False        # the client is expected to want both sides of each sheet
    in_turn: bool = False          # two sensors: blocks of front and back in turn
    refills: tuple = ()            # ((looks, pages), ...): after so many looks at the empty feeder
    capa: tuple = ()               # (what, instead) in the model's CAPA
    info: tuple = ()               # the same in its INFO
    tls: object = None             # an ssl.SSLContext: the scan port speaks TLS only
    unlock_delay_s: float = 0.0    # UNLOCK is answered so late
    status: bytes = b""            # tokens in STAT that are no errors: b"#GLSDIRT"
    beside: dict = field(default_factory=dict)  # {2: b"#docBLNK"}: said with the first block of a page
    between: bytes = b""           # tokens in the empty IMG replies
    fault: str = ""                # a key of FAULTS
    fault_page: int = 2            # in which page it strikes (1..)
    job_fault: str = ""            # in job control: silent, wrong-reply, no-welcome, gone
    cause: bytes = b"PJ  "         # of the faults "cause", "cause-at-start" and "cause-before"
    not_ready: dict = field(default_factory=dict)  # {"TRDT": "AFEN"}: always answered so
    events: dict = field(default_factory=dict)     # {"TRDT": [1, 4]}: sent before the reply


class Lines(bytes):
    """A page as lines (RAW): data of width pixels a line and padding bytes behind each; the end of
    the page says (end_width, end_height)."""

    def __new__(cls, data, width, padding=0, height=0, end=None):
        page = super().__new__(cls, data)
        page.width, page.padding, page.height = width, padding, height
        page.end = end or (width, height)
        return page


class Greeted(Exception):
    """A handshake came so late that the device had begun to speak plainly."""


class Gone(Exception):
    """The session is over: the client closed, or the device hangs up."""


def slp_text(text):
    return struct.pack(">H", len(text)) + text


def socket_address(address, port):
    """What sockets want for a numeric address of either family, with its zone."""
    return socket.getaddrinfo(address, port, flags=socket.AI_NUMERICHOST,
                              type=socket.SOCK_STREAM)[0][4]


class Device:
    """One device at one address of this host. Its scan port listens from the start. At an address of
    IPv6 it does not register: how a device would do that is not known."""

    def __init__(self, address, scan_port=SCAN_PORT, model=epson_models.XP7100, pages=(),
                 manner=None):
        self.address, self.model = address, model
        self.pages, self.manner = list(pages), manner or Manner()
        self.complaints, self.commands, self.parameters = [], [], b""
        self.page_ends = None   # called with the number of a page before its end is sent
        self.page_asked = None  # and when more is asked for after that
        self.asked_at = {}  # page: when more was asked for after it
        self.unlocks = 0
        self.hurry = threading.Event()  # set: a TRDT that is slow is answered now
        self.deaf_once = False  # the next connection gets nothing, and stays
        self.deaf = []
        self.hang_ups = 0  # so many connections are closed without a word
        self.hellos = 0  # clients that tried TLS with a device that has none
        self.handshakes = []  # of one that has: "TLSv1.3" ... that was agreed on, "" that failed
        self.sessions, self.finished, self.uid, self.xid = 0, threading.Event(), 0, 7
        self.responses, self.destinations = [], {}
        self.tags = b"ClientName,IPAddress,EventPort"  # what its requests ask for
        self.version = "2.00"  # "3.00": a device of version 3, which takes job control
        self.talks = []        # what happened in order: JOBW, JOBR, unlock, answer, scan
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.udp = None
        if self.family == socket.AF_INET:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                                socket.inet_aton(address))
            self.udp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.udp.bind((address, 0))
        self.session_type = getattr(self, "session_type", Session)
        self.scan_port = scan_port
        self.listen()

    @property
    def offers(self):
        """The model with the changes that the manner makes to what it says."""
        made = self.model
        for name in ("info", "capa"):
            change = getattr(self.manner, name)
            if change:
                assert change[0] in getattr(made, name)
                made = made._replace(**{name: getattr(made, name).replace(*change)})
        return made

    def close(self):
        if self.udp:
            self.udp.close()
        self.stop_listening()

    def listen(self):
        self.listener = socket.create_server(socket_address(self.address, self.scan_port),
                                             family=self.family, backlog=16)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def stop_listening(self):
        """From now on connections to the scan port are refused."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- registration -------------------------------------------------------------------------

    def request(self):
        """The AttrRqst this device sends, three times a cycle."""
        rest = (struct.pack(">H", self.xid) + slp_text(b"en") + slp_text(b"")
                + slp_text(b"service:NetScanMonitor-agent")
                + slp_text(self.model.product.encode())
                + slp_text(self.tags) + slp_text(b""))
        return b"\x02\x06" + struct.pack(">I", 10 + len(rest))[1:] + b"\x20\0\0\0\0" + rest

    def announce(self, to=(SLP_GROUP, SLP_PORT), copies=3):
        self.xid = (self.xid + 1) % 65536
        for _ in range(copies):
            self.udp.sendto(self.request(), to)

    def replies(self, count, patience_s=10):
        """The next replies of the current cycle as (seconds since the first, datagram, sender). The times are those
        at which the kernel had them."""
        self.udp.settimeout(patience_s)
        got, begun = [], None
        while len(got) < count:
            packet, ((_, _, stamp),), _, sender = self.udp.recvmsg(2000, socket.CMSG_SPACE(16))
            if packet[:2] != b"\x02\x07" or packet[10:12] != struct.pack(">H", self.xid):
                continue
            seconds, nanoseconds = struct.unpack("@ll", stamp)
            at = seconds + nanoseconds / 1e9
            begun = begun or at
            got.append((at - begun, packet, sender))
        return got

    def register(self, to=(SLP_GROUP, SLP_PORT), patience_s=10):
        """One cycle; notes the destination of the first reply: {name: (address, port)}."""
        self.announce(to)
        packet = self.replies(1, patience_s)[0][1]
        language = struct.unpack(">H", packet[12:14])[0]
        error, length = struct.unpack(">HH", packet[14 + language:18 + language])
        attributes = packet[18 + language:18 + language + length].decode()
        assert error == 0 and int.from_bytes(packet[2:5], "big") == len(packet)
        values = dict(re.findall(r"\(([^=]+)=([^)]*)\)", attributes))
        assert attributes == ",".join(f"({key}={value})" for key, value in values.items())
        self.destinations[values["ClientName"]] = (values["IPAddress"], int(values["EventPort"]))
        return values

    # ---- Start --------------------------------------------------------------------------------

    def start_request(self, choice):
        return self.report("PushScan", f"<PushScanIDIn>{choice}</PushScanIDIn>")

    def report(self, root, fields):
        """Head and body of what a panel says to TCP 2968."""
        number = socket.inet_pton(self.family, self.address.partition("%")[0]).hex().upper()
        body = ('<?xml version="1.0" ?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
                f'<s:Body><p:{root} xmlns:p="http://schema.epson.net/EpsonNet/Scan/2004/pushscan">'
                f"<ProductNameIn>{self.model.product}</ProductNameIn>"
                f"<IPAddressIn>{number}</IPAddressIn>{fields}"
                f"</p:{root}></s:Body></s:Envelope>").encode()
        head = ("POST /PushScan HTTP/1.0\r\nHost : server\r\n"
                "Content-Type : application/octet-stream\r\n"
                f"Content-Length : {len(body)}\r\n"
                "x-protocol-name : Epson Network Service Protocol\r\n"
                f"x-protocol-version : {self.version}\r\nx-uid : {self.uid}\r\n\r\n").encode()
        return head, body

    def press(self, to, choice="02", job=None):
        """Somebody presses Start, with this choice or for the job of this number."""
        fields = f"<PushScanIDIn>{choice}</PushScanIDIn>" if job is None else (
            f"<JobNumberIn>{job}</JobNumberIn>")
        return self.say(to, "PushScan", fields)

    def ask_jobs(self, to, capabilities=("OfficeFormat", "PanelData=0110")):
        """A device of version 3 asks for the jobs."""
        return self.say(to, "JobList", "".join(f"<CapabilityIn>{c}</CapabilityIn>"
                                               for c in capabilities))

    def say(self, to, root, fields=""):
        """Head and body in two segments; the whole answer, which must end with an orderly close."""
        self.uid += 1
        self.finished.clear()
        self.asked_at.clear()
        head, body = self.report(root, fields)
        with socket.create_connection(to, timeout=20, source_address=None if "::ffff:" in to[0] else
                                      socket_address(self.address, 0)) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.sendall(head)
            time.sleep(0.02)
            stream.sendall(body)
            answer = b""
            while block := stream.recv(4096):
                answer += block
        self.responses.append(answer)
        self.talks.append("answer")
        return answer

    # ---- sessions -----------------------------------------------------------------------------

    def _serve(self, listener):
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            stream.settimeout(SOCKET_SECONDS)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = None
            try:
                stream = self._shake_hands(stream)
            except OSError:
                stream.close()
                continue
            if stream is None:
                continue
            session = self.session_type(self, stream)
            self.sessions += 1
            try:
                session.run()
            except Greeted:
                self.hellos += 1
                session.is_scan = False
            except (Gone, OSError):
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.complaints.append(f"the device itself failed: {error!r}")
            finally:
                stream.close()
                if session.is_scan and not session.job_control:
                    self.finished.set()
                else:
                    self.sessions -= 1

    def _shake_hands(self, stream):
        """The stream to speak on. A device without TLS hangs up when it is greeted with a handshake; one that
        has it knows nothing else. None: the client is gone."""
        if self.deaf_once:
            self.deaf_once = False
            self.deaf.append(stream)
            return None
        if self.manner.tls:
            self.handshakes.append("")
            stream = self.manner.tls.wrap_socket(stream, server_side=True)
            self.handshakes[-1] = stream.version()
            return stream
        stream.settimeout(0.05)  # a client that speaks plainly waits for our welcome
        try:
            first = stream.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            first = None
        stream.settimeout(SOCKET_SECONDS)
        if first == b"\x16":
            self.hellos += 1
        if first is not None:
            stream.close()
            return None
        if self.hang_ups:
            self.hang_ups -= 1
            stream.close()
            return None
        return stream

    def wait_end(self, patience_s=60):
        """Until a scan session has ended."""
        assert self.finished.wait(patience_s), f"no session ended; last: {self.commands[-5:]}"


class Session:
    """One connection to the scan port."""

    family = 4  # the welcome's word for ESC/I-2
    is_scan = True

    def __init__(self, device, stream):
        self.device, self.stream, self.manner = device, stream, device.manner
        self.mode, self.locked, self.lock_naks = "", False, device.manner.lock_naks
        self.mode_naks, self.busy = device.manner.mode_naks, dict(device.manner.busy)
        self.events = dict(device.manner.events)
        self.refills, self.looks = list(device.manner.refills), 0
        self.left, self.mode_refused = device.manner.left_in_mode, False
        self.queue = b""        # of the last command, fetched by pure reads
        self.expects = None     # (code, length) of a parameter block that was announced
        self.source, self.block_size, self.given = "", 0, b""
        self.feeder_empty = not device.manner.feeder_loaded
        self.page, self.polls, self.whole = 0, 0, 0
        self.progress, self.ended = {}, set()  # bytes sent of each page; pages that ended
        self.scanning, self.two_sides, self.turn = False, False, 0
        self.job_control = False  # this session is one of job control

    @property
    def sent(self):
        """Bytes that were sent of the page that is next."""
        return self.progress.get(self.page, 0)

    def next_page(self):
        """The page whose block or end comes next: of a sheet front and back in turn, or in order."""
        pages = len(self.device.pages)
        first = len(self.ended)
        if not (self.two_sides and self.manner.in_turn):
            return first
        sheet = [i for i in (first // 2 * 2, first // 2 * 2 + 1) if i not in self.ended and i < pages]
        self.turn += 1
        return sheet[self.turn % len(sheet)] if sheet else pages

    # -- packets --------------------------------------------------------------------------------

    def take(self, n):
        got = b""
        while len(got) < n:
            block = self.stream.recv(n - len(got))
            if not block:
                raise Gone
            got += block
        return got

    def packet(self, kind, payload, claim=None):
        """Sends a packet; claim: the length it says, when that is to be a lie."""
        length = len(payload) if claim is None else claim
        head = b"IS" + struct.pack(">HBBIH", kind, self.device.model.flags, 12, length, 0)
        if self.manner.split:
            self.stream.sendall(head)
            time.sleep(0.002)
        else:
            payload = head + payload
        step = self.manner.drip if self.manner.drip and len(payload) > 1000 else len(payload)
        for i in range(0, len(payload), max(step, 1)):
            self.stream.sendall(payload[i:i + step])
            if step < len(payload):
                time.sleep(self.manner.drip_pause_s)

    def complain(self, text):
        self.device.complaints.append(text)

    def run(self):
        if self.manner.fault == "garbage-welcome":
            self.stream.sendall(random.Random(4).randbytes(5000))
            self.take(1)
            return
        if self.manner.fault == "silent-welcome":
            self.silence()
        if self.manner.job_fault == "no-welcome":
            self.job_control = True
            self.silence()
        self.packet(0x8000, bytes([1, self.family, 0, 0, 0]))
        first = True
        while True:
            head = self.take(12)
            magic, kind, _, offset, length, rest = struct.unpack(">2sHBBIH", head)
            if first and head[:2] == b"\x16\x03":
                raise Greeted
            first = False
            if magic != b"IS" or offset != 12 or rest != 0 or length > 1 << 20:
                self.complain(f"packet header {head.hex()}")
                return
            self.one(kind, self.take(length))

    def one(self, kind, payload):
        """One packet of the client."""
        if kind == 0x2100:
            self.lock_seconds = int.from_bytes(payload[3:], "big")
            if payload[:3] != b"\x01\xa0\x04" or len(payload) != 7:
                self.complain(f"lock with {payload.hex()}")
            refused = self.lock_naks > 0 or self.manner.fault == "locked"
            self.lock_naks -= refused
            self.locked = not refused
            self.packet(0xa100, NAK if refused else ACK)
        elif kind == 0x2101:
            if self.mode:
                self.complain(f"unlock in mode {self.mode}")
            if self.job_control:
                self.device.talks.append("unlock")
            self.device.unlocks += 1
            time.sleep(self.manner.unlock_delay_s)
            self.packet(0xa101, b"")
            self.locked = False
            # A client must go at once: devices show an error when it stays.
            self.stream.settimeout(2)
            try:
                if self.stream.recv(1):
                    self.complain("bytes after unlock")
            except TimeoutError:
                self.complain("still there 2 s after unlock")
            except ConnectionResetError:
                self.complain("reset after unlock")
            raise Gone
        elif kind == 0x2300 and self.locked and self.device.version == "3.00":
            self.talk(payload)
        elif kind == 0x2000 and self.locked and not self.job_control:
            if "scan" not in self.device.talks[-1:]:
                self.device.talks.append("scan")
            command, wanted = payload[8:], struct.unpack(">II", payload[:8])
            if wanted[0] != len(command):
                self.complain(f"command of {len(command)} bytes says {wanted[0]}")
                return
            self.command(command, wanted[1])
        else:
            self.complain(f"packet {kind:04x} while {'locked' if self.locked else 'not locked'}")
            raise Gone

    def talk(self, payload):
        """Job control: only what Epson's driver was seen to say."""
        self.job_control = True
        for word, file in (("JOBW", "is-jobw-ff680w"), ("JOBR", "is-jobr-ff680w")):
            if payload == epson_models.hex_items(file)[0][1][12:]:
                self.device.talks.append(word)
                break
        else:
            self.complain(f"job control {payload.hex()}")
            return
        if self.lock_seconds != 30:
            self.complain(f"locked for {self.lock_seconds} s")
        fault = self.manner.job_fault
        if fault == "gone":
            raise Gone
        if fault == "wrong-reply":
            self.packet(0xa000, b"")
        elif fault != "silent":
            self.packet(0xa300, bytes(8) if word == "JOBR" else b"")

    def answer(self, data, wanted):
        """The one answer of a command: as much of the queue as is wanted."""
        self.queue = data
        part, self.queue = self.queue[:wanted], self.queue[wanted:]
        if self.manner.notices:
            self.packet(0x9000, b"\x01")
        self.packet(0xa000, part)

    def header(self, code, length=0, tokens=b""):
        digits = f"{length:07x}" if self.manner.lower_hex else f"{length:07X}"
        if self.manner.ready_word and b"#nrd" not in tokens and b"#err" not in tokens:
            tokens += b"#nrdNONE"
        if self.manner.strangers:
            tokens += b"#qqqd007"
        return (code + b"x" + digits.encode() + tokens + FILL * 13)[:REPLY_SIZE]

    # -- commands -------------------------------------------------------------------------------

    def command(self, command, wanted):
        device = self.device
        if not command:
            if wanted != len(self.queue):
                self.complain(f"read of {wanted} bytes, {len(self.queue)} were announced")
            self.answer(self.queue, wanted)
            return
        if self.expects:
            self.parameters(command, wanted)
            return
        if len(command) == 2 and command[:1] == b"\x1c":
            self.enter(command[1:2].decode(), wanted)
            return
        code, digits = command[:4], command[5:12]
        device.commands.append(code.decode(errors="replace").strip())
        if len(command) != 12 or command[4:5] != b"x" or not re.fullmatch(rb"[0-9A-Fa-f]{7}",
                                                                          digits):
            self.complain(f"request {command!r}")
            raise Gone
        if code == b"PARA":
            if wanted != 0:
                self.complain("PARA wants an answer to its header")
            self.expects = int(digits, 16)
            self.answer(b"", 0)
            return
        if wanted != REPLY_SIZE or int(digits, 16) != 0:
            self.complain(f"{code} wants {wanted} bytes")
        self.request(code)

    def enter(self, mode, wanted):
        if wanted != 1 or mode not in "XYZ":
            self.complain(f"mode {mode} wants {wanted} bytes")
        if self.mode:
            self.complain(f"mode {mode} while in {self.mode}")
            self.answer(NAK, 1)
        elif self.mode_naks > 0 or self.left:
            self.mode_naks -= not self.left
            self.mode_refused = True
            self.answer(NAK, 1)
        else:
            self.mode, self.mode_refused, self.given = mode, False, b""
            self.answer(ACK, 1)

    def request(self, code):
        """A request without parameters."""
        name = code.decode().strip()
        for event in self.events.pop(name, []):
            self.packet(0x9000, bytes([event]))
        if name in self.manner.not_ready:
            self.answer(self.header(code, 0, b"#nrd" + self.manner.not_ready[name].encode()), REPLY_SIZE)
            return
        if self.busy.get(name, 0) > 0:
            self.busy[name] -= 1
            self.answer(self.header(code, 0, b"#nrdBUSY"), REPLY_SIZE)
            return
        if name == "FIN" and self.mode_refused:  # to end a mode that another client left
            self.left = False
            self.answer(self.header(code), REPLY_SIZE)
            return
        allowed = {"INFO": "XYZ", "CAPA": "XYZ", "RESA": "XYZ", "STAT": "XYZ", "FIN": "XYZD",
                   "TRDT": "X", "IMG": "D", "CAN": "D"}
        if self.mode not in allowed.get(name, "") or not self.mode:
            self.complain(f"{name} in mode {self.mode or 'none'}")
            self.answer(self.header(b"INVD"), REPLY_SIZE)
            return
        getattr(self, "on_" + name.lower())(code)

    def block(self, code, data):
        if self.manner.fault == "huge-block" and code == b"INFO":
            self.answer(code + b"x7FFFFFF" + FILL * 13, REPLY_SIZE)
            return
        if self.manner.fault == "short-block" and code == b"CAPA":
            self.answer(self.header(code, len(data) + 32) + data, REPLY_SIZE)
            return
        if self.manner.fault == "bad-hex" and code == b"INFO":
            self.answer(code + b"x00G0000" + FILL * 13, REPLY_SIZE)
            return
        self.answer(self.header(code, len(data)) + data, REPLY_SIZE)

    def on_info(self, code):
        strange = b"#QQQLISTAAAAd001x00000FFh003a#b\0" if self.manner.strangers else b""
        self.block(code, strange + self.device.offers.info + strange)

    def on_capa(self, code):
        strange = b"#QQQRANGi-000001i0000001#ADFZZZZd001" if self.manner.strangers else b""
        self.block(code, strange + self.device.offers.capa + strange)

    def on_resa(self, code):
        self.block(code, b"#BSZi0065536")

    def refill(self):
        """Somebody may have put more sheets into the feeder."""
        self.looks += 1
        if self.feeder_empty and self.refills and self.looks >= self.refills[0][0]:
            self.device.pages = list(self.refills.pop(0)[1])
            self.feeder_empty, self.looks = False, 0

    def on_stat(self, code):
        if self.whole:
            self.refill()
        cause = {"cover-open-before": b"OPN ", "cause-before": self.manner.cause}.get(self.manner.fault)
        errors = b"#ERRADF " + cause + b"#ERRFB  " + cause if cause else b""
        if self.feeder_empty and self.device.model.adf:
            errors += b"#ERRADF PE  "
        errors += self.manner.status
        self.answer(self.header(code, len(errors)) + errors, REPLY_SIZE)

    def on_fin(self, code):
        self.mode = ""
        if self.scanning:
            self.asked()
            self.scanning = False
        self.answer(self.header(code), REPLY_SIZE)

    def on_can(self, code):
        self.asked()
        self.scanning = False
        self.mode = "X"
        self.answer(self.header(code), REPLY_SIZE)

    # -- parameters -----------------------------------------------------------------------------

    def parameters(self, block, wanted):
        length, self.expects = self.expects, None
        self.device.commands.append("PARA-block")
        if wanted != REPLY_SIZE or len(block) != length:
            self.complain(f"PARA of {len(block)} bytes, {length} announced, wants {wanted}")
        optional = [token for token in OPTIONAL if token in block]
        if self.manner.fault == "parameters" or (self.manner.refuse_optional and optional):
            self.answer(self.header(b"PARA", 0, b"#parFAIL"), REPLY_SIZE)
            return
        most = dict(quads(self.device.offers.info)).get("DSZ", [1536])[0]
        if len(block) > most or len(block) % 4:
            self.complain(f"PARA of {len(block)} bytes, {most} are taken")
        self.given += block  # what was given before stays
        self.device.parameters = block = self.given
        self.two_sides = "DPLX" in dict(quads(block)).get("ADF", [])
        self.source = "FB" if b"#FB " in block else "ADF"
        size = re.search(rb"#BSZi(\d{7})", block)
        self.block_size = int(size[1]) if size else 65536
        self.answer(self.header(b"PARA", 0, b"#parOK  "), REPLY_SIZE)

    # -- images ---------------------------------------------------------------------------------

    def on_trdt(self, code):
        self.device.hurry.wait(self.manner.start_delay_s)
        if self.manner.fault == "no-paper":
            self.answer(self.header(code, 0, b"#errADF PE  "), REPLY_SIZE)
            return
        if self.manner.fault == "cause-at-start":
            self.answer(self.header(code, 0, b"#errADF " + self.manner.cause), REPLY_SIZE)
            return
        for text in wrong_parameters(self.given, self.device.offers, self.manner.two_sided):
            self.complain("parameters: " + text)
        self.mode, self.scanning = "D", True
        self.page, self.polls = 0, self.manner.empty_polls
        self.progress, self.ended = {}, set()
        self.answer(self.header(code), REPLY_SIZE)

    def asked(self):
        """More is asked for: with that every page that has ended is acknowledged."""
        if self.whole not in self.device.asked_at and self.whole > 0:
            self.device.asked_at[self.whole] = time.monotonic()
            if self.device.page_asked:
                self.device.page_asked(self.whole)

    def on_img(self, code):
        self.asked()
        if self.polls > 0:
            self.polls -= 1
            self.answer(self.header(code, 0, self.manner.between), REPLY_SIZE)
            return
        pages = self.device.pages
        self.page = self.next_page()
        if self.page >= len(pages) and self.manner.end_by_error:
            self.answer(self.header(code, 0, b"#errADF PE  "), REPLY_SIZE)
            self.mode, self.feeder_empty = "X", True
            return
        if self.page + 1 == self.manner.fault_page and self.manner.fault in FAULTS:
            if FAULTS[self.manner.fault](self, code):
                return
        if self.page >= len(pages):
            self.complain("IMG after the last page")
            self.answer(self.header(b"INVD"), REPLY_SIZE)
            return
        if self.sent < len(pages[self.page]):
            self.send_block(code)
        else:
            tokens = self.end_tokens()
            self.page_done()
            self.answer(self.header(code, 0, tokens), REPLY_SIZE)

    def end_tokens(self):
        page = self.device.pages[self.page]
        width, height = page.end if isinstance(page, Lines) else jpeg_size(page)
        last = len(self.ended) + 1 == len(self.device.pages) or self.source == "FB"
        tokens = b"#peni%07di%07d" % (width, height - self.manner.crop)
        if last and self.source == "ADF" and not self.manner.end_by_error:
            tokens += b"#lftd000"
        return tokens + self.side()

    def side(self):
        return b"#typIMGB" if self.two_sides and self.page % 2 else b"#typIMGA"

    def send_block(self, code):
        page, tokens = self.device.pages[self.page], b""
        size = self.manner.first_block if self.sent == 0 else self.manner.block_max
        if self.manner.minds_block_size:
            size = min(size, self.block_size)
        block = page[self.sent:self.sent + size]
        if self.sent == 0:
            width, height = (page.width, page.height) if isinstance(page, Lines) else jpeg_size(page)
            padding = page.padding if isinstance(page, Lines) else 0
            tokens = b"#psti%07dd%03di%07d" % (width, padding, height) + self.side()
            tokens += self.manner.beside.get(self.page + 1, b"")
        elif self.two_sides:
            tokens = self.side()
        self.progress[self.page] = self.sent + len(block)
        if self.manner.end_with_data and self.sent == len(page):
            tokens += self.end_tokens()
            self.page_done()
        self.answer(self.header(code, len(block), tokens) + block, REPLY_SIZE)

    def page_done(self):
        self.whole += 1
        if self.device.page_ends:
            self.device.page_ends(self.whole)
        self.ended.add(self.page)
        self.polls = self.manner.polls_between
        if len(self.ended) == len(self.device.pages):
            self.feeder_empty = self.device.model.adf
            if self.source == "FB":
                self.polls = 0

    # -- faults ---------------------------------------------------------------------------------

    def silence(self):
        """Says nothing more until the client goes."""
        while self.stream.recv(4096):
            pass
        raise Gone

    def in_page(self):
        """True in the middle of the page the fault strikes in."""
        return self.sent > 0

    def error(self, code, cause):
        self.mode = "X"
        self.answer(self.header(code, 0, b"#errADF " + cause), REPLY_SIZE)
        return True

    def hang_up(self, event=None, reset=False):
        if event is not None:
            self.packet(0x9000, bytes([event]))
        if reset:
            self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone


def main():
    parser = argparse.ArgumentParser(description="A virtual Epson device: registers, presses Start.")
    parser.add_argument("--address", required=True)
    parser.add_argument("--scan-port", type=int, default=SCAN_PORT)
    parser.add_argument("--server", help="HOST:PORT to register at; else the multicast group")
    parser.add_argument("--name", help="press Start for this destination")
    parser.add_argument("--presses", type=int, default=1)
    parser.add_argument("pages", nargs="+")
    args = parser.parse_args()
    to = (SLP_GROUP, SLP_PORT)
    if args.server:
        host, port = args.server.rsplit(":", 1)
        to = (host, int(port))
    pages = [open(path, "rb").read() for path in args.pages]
    manner = Manner(split=True, drip=1000)
    with Device(args.address, args.scan_port, pages=pages, manner=manner) as device:
        print(device.register(to), flush=True)
        while args.name and device.uid < args.presses:
            sys.stdin.readline()
            answer = device.press(device.destinations[args.name])
            ok = b"<StatusOut>OK<" in answer
            print("accepted" if ok else "refused", flush=True)
            if ok:
                device.wait_end()
                print(f"ended complaints={device.complaints}", flush=True)


if __name__ == "__main__":
    main()
