"""test_abuse.py - every port of platend under attack, while an honest device goes on scanning.

During each attack a good device registers, scans five pages and gets them delivered, and the API
answers, all within seconds; afterwards the server has given back every descriptor and its memory.
Attackers are threads of this process, at addresses of their own; all is loopback and bounded."""

import contextlib
import http.client
import itertools
import os
import random
import socket
import ssl
import struct
import threading
import time

import pytest

import common
import epson_device
from served import pdf_pages, running, seconds
from test_device import Bench, expected_response

SCAN_SECONDS = 5
API_SECONDS = 5
ATTACK_SECONDS = 3  # at least; longer while the good device is not done
HELD = 150          # connections each of two attackers holds open
CROWD = 400         # the same, when each comes from an address of its own
PAGES = 5
# Memory that was freed is kept from reuse for a while by the sanitizer: little of it, so that a
# leak can be told from that.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=5"}
# A release build grows by 17 MiB over this file and peaks 2 MiB above that; sanitizers need more.
GROWTH_BYTES, PEAK_BYTES = 128 << 20, 256 << 20
BOMB = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">'
        + "".join(f'<!ENTITY a{i} "{(f"&a{i - 1};" if i else "&a;") * 20}">' for i in range(20))
        + ']><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
          '<p:PushScan xmlns:p="http://schema.epson.net/EpsonNet/Scan/2004/pushscan">'
          "<ProductNameIn>&a19;</ProductNameIn><PushScanIDIn>02</PushScanIDIn></p:PushScan>"
          "</s:Body></s:Envelope>")
FILE = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY f SYSTEM "file:///etc/passwd">]><PushScan>'
        "<ProductNameIn>&f;</ProductNameIn><PushScanIDIn>02</PushScanIDIn></PushScan>")
DEEP = "<a>" * 15000


# ---- what attackers know of the server's ports --------------------------------------------------

class Target:
    """How to reach a port; each call comes from the next of a few addresses."""

    def __init__(self, house, kind):
        self.house, self.kind, self.count = house, kind, 0
        self.sent = {}  # by slow senders
        self.context = ssl._create_unverified_context()  # the server's certificate is its own

    def connect(self, from_everywhere=False):
        self.count += 1
        if self.kind == "unix":
            stream = socket.socket(socket.AF_UNIX)
            stream.settimeout(5)
            stream.connect(self.house.socket)
            return stream
        port = self.house.tcp_port if self.kind == "push" else self.house.https_port
        source = (f"127.{10 + self.count // 62500 % 100}.{self.count // 250 % 250}.{self.count % 250 + 1}"
                  if from_everywhere else f"127.9.0.{self.count % 8 + 1}")
        return socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0))

    def connect_tls(self):
        """The same with a TLS handshake where the port wants one."""
        stream = self.connect()
        return self.context.wrap_socket(stream) if self.kind == "https" else stream

    def request(self, body=b"", length=None, headers=""):
        length = len(body) if length is None else length
        path = "PushScan HTTP/1.0" if self.kind == "push" else "api/v1/jobs HTTP/1.1"
        return (f"POST /{path}\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
                f"Content-Length: {length}\r\nx-uid: 1\r\n\r\n").encode() + body


def exchange(stream, data, patience_s=0.2):
    """Sends, listens for a moment, hangs up."""
    try:
        stream.sendall(data)
        stream.settimeout(patience_s)
        return stream.recv(65536)
    except OSError:
        return b""
    finally:
        stream.close()


# ---- attacks: called in a loop until the good device is done ------------------------------------

def random_bytes(target, luck, _):
    exchange(target.connect(), luck.randbytes(luck.choice((1, 100, 5000, 200000))))


def random_bytes_in_tls(target, luck, _):
    exchange(target.connect_tls(), luck.randbytes(luck.choice((1, 100, 5000, 200000))))


def half_open(target, _, held):
    if len(held) < HELD:
        held.append(target.connect())
    else:
        time.sleep(0.05)


def crowd(stream, held):
    """Holds so many that no limit of an address ends it; who is closed by the server comes again."""
    held.append(stream)
    if len(held) > CROWD:
        held.pop(0).close()


def crowd_that_is_silent(target, _, held):
    crowd(target.connect(from_everywhere=True), held)


def crowd_in_handshakes(target, _, held):
    """The first words of TLS, then nothing."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        target.context.wrap_bio(incoming, outgoing, server_hostname="x").do_handshake()
    except ssl.SSLWantReadError:
        pass
    stream = target.connect(from_everywhere=True)
    stream.sendall(outgoing.read())
    crowd(stream, held)


def crowd_that_begins(target, _, held):
    """A request whose body never comes."""
    stream = target.connect(from_everywhere=True)
    if target.kind == "https":
        stream = target.context.wrap_socket(stream)
    stream.sendall(target.request(length=1000))
    crowd(stream, held)


def coming_and_going(target, *_):
    for _ in range(20):
        target.connect(from_everywhere=True).close()


def half_request(target, _, held):
    """The head of a request, then nothing."""
    if len(held) < HELD:
        stream = target.connect_tls()
        stream.sendall(target.request(length=1000)[:-2])
        held.append(stream)
    else:
        time.sleep(0.05)


def trickle(target, _, held):
    """Many senders of one byte at a time."""
    if len(held) < 40:
        held.append(target.connect_tls())
        target.sent[held[-1]] = 0
    data = target.request(b"x" * 500)
    for stream in list(held):
        try:
            at = target.sent[stream]
            stream.sendall(data[at:at + 1])
            target.sent[stream] = at + 1
        except OSError:
            held.remove(stream)
            stream.close()
    time.sleep(0.02)


def oversized(target, luck, _):
    kind = luck.randrange(4)
    if kind == 0:
        data = b"POST /" + b"a" * 300000
    elif kind == 1:
        data = target.request(headers="".join(f"x-{i}: {'y' * 900}\r\n" for i in range(200)))
    elif kind == 2:
        data = target.request(b"z" * 3000000)
    else:
        data = target.request(b"z" * 100, length=1 << 40)
    exchange(target.connect_tls(), data)


def bad_lengths(target, luck, _):
    length = luck.choice(("-1", "+5", "0x10", "", "5 5", "18446744073709551616", "1e3", "5\r\nContent-"
                          "Length: 7", "\0", "99999999999999999999999999"))
    exchange(target.connect_tls(), target.request(b"hello", length=length))


def xml_bombs(target, luck, _):
    exchange(target.connect_tls(), target.request(luck.choice((BOMB, FILE, DEEP)).encode()))


def resets(target, luck, _):
    """A reset in the middle of a request."""
    stream = target.connect()
    try:
        stream.sendall(target.request(b"x" * 500)[:luck.randrange(400)])
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        stream.close()


def never_reads(target, _, held):
    """Asks again and again and takes no answer."""
    if len(held) < 30:
        stream = target.connect_tls()
        stream.settimeout(0.05)
        held.append(stream)
    for stream in list(held):
        try:
            stream.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        except OSError:
            pass
    time.sleep(0.02)


ATTACKS = [(kind, attack) for kind, attacks in {
    "push": (random_bytes, half_open, half_request, trickle, oversized, bad_lengths, xml_bombs,
             resets, crowd_that_is_silent, crowd_that_begins, coming_and_going),
    "https": (random_bytes, random_bytes_in_tls, half_open, half_request, trickle, oversized,
              bad_lengths, resets, never_reads, crowd_that_is_silent, crowd_in_handshakes, crowd_that_begins,
              coming_and_going),
    "unix": (random_bytes, half_open, half_request, trickle, oversized, bad_lengths, resets,
             never_reads),
}.items() for attack in attacks]


class Attackers:
    """Threads that repeat an attack until the end of the context."""

    def __init__(self, function, threads=2):
        self.function, self.ending, self.rounds = function, threading.Event(), 0
        self.held, self.wrong = [[] for _ in range(threads)], []
        self.threads = [threading.Thread(target=self._run, args=(i,), daemon=True)
                        for i in range(threads)]

    def _run(self, number):
        luck, held = random.Random(number), self.held[number]
        while not self.ending.is_set():
            try:
                self.function(luck, held)
            except OSError:
                time.sleep(0.01)  # it may well be refused
            except Exception as error:  # pylint: disable=broad-except
                self.wrong.append(repr(error))
                return
            self.rounds += 1
            time.sleep(0.002)  # what is tested is the server, not the machine

    def __enter__(self):
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()
        common.wait_until(lambda: self.rounds > 10 or self.wrong, "the attack")
        return self

    def __exit__(self, *_):
        time.sleep(max(0.0, self.begun + ATTACK_SECONDS - time.monotonic()))
        self.ending.set()
        for thread in self.threads:
            thread.join(common.PATIENCE_S)
        for stream in itertools.chain(*self.held):
            stream.close()
        assert not self.wrong, self.wrong


# ---- the server and its good device -------------------------------------------------------------

class Usage:
    """What a process uses."""

    def __init__(self, pid):
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f)
        self.memory, self.peak = (int(status[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return [open(p, "rb").read() for p in common.make_pictures(folder, PAGES, 320, 440)]


@pytest.fixture(scope="module")
def house():
    with running(environment=ENVIRONMENT) as made:
        yield made


@pytest.fixture(scope="module")
def good(house, pages):
    """The good device, and what the server used before any attack, when it was warm."""
    with Bench(house, pages, split=True, drip=5000) as bench:
        for _ in range(3):
            bench.assert_delivered(bench.scan(), pages)
        time.sleep(0.5)
        bench.before = Usage(house.process.pid)
        yield bench


def assert_serves(house, good, pages):
    """The good device and the API are served as if nothing was."""
    def register():
        common.wait_until(lambda: registered(house, good), "registration", SCAN_SECONDS)

    took, _ = seconds(register)
    assert took < SCAN_SECONDS
    took, batch = seconds(good.scan)
    assert took < SCAN_SECONDS, f"a scan took {took:.1f} s"
    good.assert_delivered(batch, pages)
    assert good.device.complaints == []
    for path in ("/health", "/api/v1/batches?limit=5", "/api/v1/devices"):
        took, (status, _) = seconds(lambda p=path: house.api("GET", p, timeout=API_SECONDS))
        assert status == 200 and took < API_SECONDS, f"{path}: {status} after {took:.1f} s"
    took, status = seconds(lambda: https_health(house))
    assert status == 200 and took < API_SECONDS, f"HTTPS: {status} after {took:.1f} s"


def https_health(house):
    connection = http.client.HTTPSConnection("127.0.0.1", house.https_port, timeout=API_SECONDS,
                                             source_address=("127.9.2.1", 0),
                                             context=ssl._create_unverified_context())
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    finally:
        connection.close()


def registered(house, good):
    """One cycle; under a flood a datagram may be lost, as on any network."""
    try:
        return good.device.register(("127.0.0.1", house.udp_port), 1)
    except TimeoutError:
        return None


def assert_recovered(house, good):
    """Nothing is left of the attack: descriptors, memory, complaints of the sanitizers."""
    assert house.process.poll() is None, house.log_text()[-4000:]
    house.assert_sound()
    common.wait_until(
        lambda: Usage(house.process.pid).descriptors <= good.before.descriptors + 2,
        f"descriptors to go back to {good.before.descriptors}", 45)
    now = Usage(house.process.pid)
    grown, peak = now.memory - good.before.memory, now.peak - good.before.memory
    assert grown < GROWTH_BYTES and peak < PEAK_BYTES, f"{grown >> 20} MiB, peak {peak >> 20} MiB"


# ---- tests --------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind, attack", ATTACKS, ids=[f"{k}-{a.__name__}" for k, a in ATTACKS])
def test_attack_on_a_port(house, good, pages, kind, attack):
    target = Target(house, kind)
    with Attackers(lambda luck, held: attack(target, luck, held)):
        assert_serves(house, good, pages)
    assert_recovered(house, good)


@pytest.mark.parametrize("what", ["random", "mutated", "valid", "replies", "large"])
def test_flood_of_datagrams(house, good, pages, what):
    """From sixteen addresses at once, more than a thousand datagrams a second."""
    senders = []
    for i in range(16):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((f"127.9.1.{i + 1}", 0))
        senders.append(sender)
    honest = good.device.request()

    def flood(luck, _):
        for sender in senders:
            packet = honest[:10] + luck.randbytes(2) + honest[12:]
            if what == "random":
                packet = luck.randbytes(luck.randrange(1, 300))
            elif what == "mutated":
                packet = bytearray(packet)
                for _ in range(3):
                    packet[luck.randrange(len(packet))] = luck.randrange(256)
            elif what == "replies":
                packet = b"\x02\x07" + packet[2:]
            elif what == "large":
                packet = packet[:2] + b"\0\xff\0" + packet[5:] + bytes(65280 - len(packet))
            sender.sendto(packet, ("127.0.0.1", house.udp_port))

    with Attackers(flood):
        assert_serves(house, good, pages)
    for sender in senders:
        sender.close()
    assert_recovered(house, good)


def ear_for_answers(house):
    """The port on which the server hears who answers its search (it asks UDP 3289 of everybody), while it searches."""
    own = set()
    for fd in os.listdir(f"/proc/{house.process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            own.add(os.path.basename(os.readlink(f"/proc/{house.process.pid}/fd/{fd}")))
    with open("/proc/net/udp", encoding="ascii") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    ports = [int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in own]
    return next((port for port in ports if port != house.udp_port), None)


def test_flood_of_answers_to_a_search(house, good, pages):
    """Forty addresses answer thousands of times what a device says on UDP 3289, and worse."""
    senders = []
    for i in range(40):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((f"127.9.3.{i + 1}", 0))
        senders.append(sender)
    sent = []

    def flood(luck, _):
        port = ear_for_answers(house)
        for sender in senders if port else []:
            answer = bytearray(b"EPSONp" + luck.randbytes(6) + bytes(64))
            if luck.randrange(4) == 0:
                answer = answer[:luck.randrange(len(answer))] + luck.randbytes(luck.randrange(1400))
            sender.sendto(answer, ("127.0.0.1", port))
            sent.append(port)

    status, answer = house.api("POST", "/api/v1/discovery", {"broadcast": True})
    assert status == 202, answer
    common.wait_until(lambda: ear_for_answers(house), "the search to listen")
    with Attackers(flood):
        assert_serves(house, good, pages)
    for sender in senders:
        sender.close()
    assert len(sent) > 1000
    common.wait_until(lambda: not house.api("GET", "/api/v1/discovery")[1]["running"], "the end of the search", 60)
    found = {d["address"] for d in house.api("GET", "/api/v1/discovery")[1]["items"]}
    assert found <= {f"127.9.3.{i + 1}" for i in range(40)} and found
    assert_recovered(house, good)


class BadDevice:
    """Presses Start like any device, then serves the server's connection as told."""

    def __init__(self, house, address, serve):
        self.bench = Bench(house, [b""])
        self.bench.device.close()  # only its name and approval are needed
        self.address, self.serve, self.ending = self.bench.device.address, serve, False
        self.listener = socket.create_server((self.address, house.scan_port))
        self.served = threading.Event()
        threading.Thread(target=self._run, args=(address,), daemon=True).start()

    def _run(self, seed):
        try:
            stream, _ = self.listener.accept()
            self.served.set()
            with stream:
                self.serve(self, stream, random.Random(seed))
        except OSError:
            pass

    def press(self):
        device = self.bench.device
        device.uid += 1
        assert device.press(self.bench.event_port) == expected_response(device.uid)
        assert self.served.wait(common.PATIENCE_S)

    def close(self):
        self.ending = True
        self.listener.close()


def say_nothing(device, stream, _):
    while not device.ending:
        time.sleep(0.05)


def say_anything(device, stream, luck):
    while not device.ending:
        stream.sendall(luck.randbytes(65536))


def say_byte_by_byte(device, stream, _):
    """A correct session at the speed of a snail: the welcome packet, and no end of an answer."""
    for byte in bytes.fromhex("49538000300c0000000500000104000000") + b"IS\xa1\0\x30\x0c\0\0":
        if not device.ending:
            stream.sendall(bytes([byte]))
            time.sleep(0.1)
    say_nothing(device, stream, _)


def notices_for_ever(device, stream, _):
    notice = bytes.fromhex("49539000300c00000001000001")
    stream.sendall(bytes.fromhex("49538000300c0000000500000104000000"))
    while not device.ending:
        stream.sendall(notice * 1000)


def claim_gigabytes(device, stream, _):
    stream.sendall(b"IS\x80\0\x30\x0c\x7f\xff\xff\xff\0\0")
    while not device.ending:
        stream.sendall(bytes(65536))


def reset_at_once(device, stream, _):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless_page(device, stream, _):
    """Everything right, but the page never ends: image data as fast as it is taken."""
    model = type("Endless", (epson_device.Manner,), {})()
    honest = epson_device.Device.__new__(epson_device.Device)
    honest.__dict__.update(device.bench.device.__dict__, manner=model, complaints=[], commands=[])
    session = epson_device.Session(honest, stream)

    def on_img(code):
        start = b"#psti0002480d000i0003508" if session.sent == 0 else b""
        data = (b"\xff\xd8" if session.sent == 0 else b"") + bytes(80000)
        session.sent += len(data)
        if device.ending:
            raise OSError
        session.answer(session.header(code, len(data), start + b"#typIMGA") + data, 64)

    session.on_img = on_img
    try:
        session.run()
    except epson_device.Gone:
        pass


@pytest.mark.parametrize("serve", [say_nothing, say_anything, say_byte_by_byte, notices_for_ever,
                                   claim_gigabytes, reset_at_once, endless_page],
                         ids=lambda f: f.__name__)
def test_devices_that_are_hostile(house, good, pages, serve):
    """Six approved devices go mad while the good one scans."""
    number = 2 if serve is endless_page else 6
    bad = [BadDevice(house, i, serve) for i in range(number)]
    try:
        for device in bad:
            device.press()
        assert_serves(house, good, pages)
    finally:
        for device in bad:
            device.close()
    for device in bad:
        batch = house.settled_batch(device.bench.id)
        assert (batch["state"], batch["pages"]) == ("broken", 0), batch
        # Who resets at once may be gone before the connection was made.
        assert batch["reason"]["code"] in ("connection-lost", "protocol-error", "no-answer",
                                           "page-too-large", "connect-failed")
    assert_recovered(house, good)


def test_hundreds_of_presses_of_one_device(house, good, pages):
    """A child plays with the button: one scan, the rest refused, each with an answer or a close."""
    with Bench(house, pages, start_delay_s=2) as child:
        child.press()

        def press(_, __):
            head, body = child.device.start_request("02")
            with socket.create_connection(child.event_port, timeout=5,
                                          source_address=(child.device.address, 0)) as stream:
                exchange(stream, head + body)

        with Attackers(press):
            assert_serves(house, good, pages)
        child.device.wait_end()
        common.wait_until(lambda: all(b["state"] != "receiving" for b in house.batches(child.id)),
                          "the end of its scans")
        for batch in house.batches(child.id):
            if batch["state"] == "done":
                assert pdf_pages(house.delivered_file(batch["id"], ".pdf")) == pages
    assert_recovered(house, good)


def test_a_list_full_of_strangers_still_shows_a_new_device(pages):
    """1,200 addresses announce themselves once. Who comes then is in the list, scans, and who announced himself
    again and again has stayed."""
    most, strangers = 1000, (f"127.11.{i // 250}.{i % 250 + 1}" for i in itertools.count())

    def waiting(own):
        return {d["address"] for d in own.show("device", "list") if d["state"] == "seen"}

    def announce(own, request):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((next(strangers), 0))
            sender.sendto(request, ("127.0.0.1", own.udp_port))

    with running(environment=ENVIRONMENT) as own, Bench(own, pages, approve=False) as regular:
        request = regular.device.request()
        regular.device.register(("127.0.0.1", own.udp_port))
        while len(waiting(own)) < most:
            for _ in range(200):
                announce(own, request)
            time.sleep(1.2)  # as long as the server answers them
        for _ in range(200):
            announce(own, request)
        with Bench(own, pages) as new:
            new.assert_delivered(new.scan(), pages)
        left = waiting(own)
        assert len(left) <= most and regular.device.address in left, len(left)
        own.assert_sound()
