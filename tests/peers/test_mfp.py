"""test_mfp.py - platen-mfp from outside: announcements, Start, panel, hostile clients, command line.

The server's side is played here in Python from the public description of the protocol, so that no
mistake of our own codecs can hide behind its twin."""

import json
import os
import socket
import struct
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

import common

WELCOME = bytes.fromhex("49538000300c0000000500000104000000")
LOCK = bytes.fromhex("49532100000c00000007000001a0040000012c")
UNLOCK = bytes.fromhex("49532101000c000000000000")
HOST = "127.0.0.1"
RESPONSE = ('HTTP/1.0 200 OK\r\n'
            'Server : Epson Net Scan Monitor/2.0\r\n'
            'Content-Type : application/octet-stream\r\n'
            'Content-Length : {length}\r\n'
            'x-protocol-name : Epson Network Service Protocol\r\n'
            'x-protocol-version : 2.00\r\n'
            'x-uid : {uid}\r\n'
            'x-status : 0001\r\n\r\n{body}')
BODY = ('<?xml version="1.0" ?>\r\n'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">\r\n'
        '  <s:Body>\r\n'
        '    <p:PushScanResponse xmlns:p="http://schema.epson.net/EpsonNet/Scan/2004/pushscan">\r\n'
        '      <StatusOut>{status}</StatusOut>\r\n'
        '    </p:PushScanResponse>\r\n'
        '  </s:Body>\r\n'
        '</s:Envelope>\r\n')


def slp_text(text):
    return struct.pack(">H", len(text)) + text.encode()


def slp_reply(xid, name, address, port):
    """AttrRply of RFC 2608 with the three attributes."""
    rest = (struct.pack(">H", xid) + slp_text("en") + struct.pack(">H", 0)
            + slp_text(f"(ClientName={name}),(IPAddress={address}),(EventPort={port})") + b"\0")
    return b"\x02\x07" + struct.pack(">I", 10 + len(rest))[1:] + bytes(5) + rest


class Agent:
    """A registration agent: answers announcements in its own thread, counts them."""

    def __init__(self, name="Scans", event_port=9, address=HOST, reply_port=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.target = f"{address}:{self.socket.getsockname()[1]}"
        self.name, self.event_port, self.address = name, event_port, address
        self.silent, self.reply_port = False, reply_port
        self.heard = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                packet, sender = self.socket.recvfrom(2000)
            except OSError:
                return
            self.heard.append((packet, sender))
            if not self.silent:
                xid = struct.unpack(">H", packet[10:12])[0]
                to = (sender[0], self.reply_port or sender[1])
                self.socket.sendto(slp_reply(xid, self.name, self.address, self.event_port), to)

    def close(self):
        self.socket.close()


class EventPort:
    """Listens for one "Start" and answers as told: status, or raw bytes, or nothing."""

    def __init__(self, status="OK", uid=None, raw=None):
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.status, self.uid, self.raw = status, uid, raw
        self.head = self.body = self.peer = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        stream, self.peer = self.listener.accept()
        got = b""
        while b"\r\n\r\n" not in got:
            got += stream.recv(4096)
        head, body = got.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
        while len(body) < int(headers["content-length"]):
            body += stream.recv(4096)
        self.head, self.body = lines, body.decode()
        content = BODY.format(status=self.status)
        answer = RESPONSE.format(length=len(content), uid=self.uid or headers["x-uid"],
                                 body=content).encode()
        stream.sendall(answer if self.raw is None else self.raw)
        stream.close()

    def close(self):
        self.listener.close()


@pytest.fixture(scope="module", name="pages")
def fixture_pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    common.make_pictures(folder, 2, 320, 440)
    return folder


@pytest.fixture
def agent():
    made = []

    def make(*args, **more):
        made.append(Agent(*args, **more))
        return made[-1]
    yield make
    for a in made:
        a.close()


@pytest.fixture
def event_port():
    made = []

    def make(*args, **more):
        made.append(EventPort(*args, **more))
        return made[-1]
    yield make
    for e in made:
        e.close()


def start(pages, *options, server="127.0.0.1:9"):
    return common.start_mfp("--pages", pages, "--port", 0, "--server", server, *options)


def call(mfp, path, body=None, method=None):
    """(status, JSON or text) of a request to the panel."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(mfp.ready["panel"] + path, data=data, method=method,
                                     headers={"Content-Type": "application/json"} if data else {})
    try:
        with urllib.request.urlopen(request, timeout=common.PATIENCE_S) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    return status, json.loads(text) if text.startswith("{") else text


class Client:
    """A scan client by hand."""

    def __init__(self, mfp):
        self.socket = socket.create_connection((mfp.ready["address"], int(mfp.ready["scan_port"])),
                                               timeout=common.PATIENCE_S)
        assert self.take(len(WELCOME)) == WELCOME

    def take(self, n):
        got = b""
        while len(got) < n:
            more = self.socket.recv(n - len(got))
            assert more, f"closed after {len(got)} of {n} bytes"
            got += more
        return got

    def packet(self):
        head = self.take(12)
        assert head[:2] == b"IS" and head[5] == 12
        return head[2:4].hex(), self.take(struct.unpack(">I", head[6:10])[0])

    def send(self, command, wanted):
        payload = struct.pack(">II", len(command), wanted) + command
        self.socket.sendall(b"IS\x20\0\0\x0c" + struct.pack(">IH", len(payload), 0) + payload)

    def ask(self, command, wanted=64):
        self.send(command, wanted)
        kind, payload = self.packet()
        assert kind == "a000"
        return payload

    def lock(self):
        self.socket.sendall(LOCK)
        assert self.packet() == ("a100", b"\x06")

    def begin(self):
        self.lock()
        assert self.ask(b"\x1cX", 1) == b"\x06"
        parameters = b"#ADF#FMTJPG #BSZi1048576"
        assert self.ask(b"PARAx%07X" % len(parameters), 0) == b""
        assert b"#parOK  " in self.ask(parameters)
        assert self.ask(b"TRDTx0000000").startswith(b"TRDTx0000000#---")

    def scan(self):
        """All pages, one after the other."""
        self.begin()
        found, page = [], b""
        while True:
            header = self.ask(b"IMG x0000000")
            length = int(header[5:12], 16)
            if length:
                page += self.ask(b"", length)
            if b"#pen" in header:
                found.append(page)
                page = b""
            if b"#lftd000" in header:
                break
        assert self.ask(b"FIN x0000000").startswith(b"FIN ")
        self.socket.sendall(UNLOCK)
        assert self.packet() == ("a101", b"")
        self.socket.close()
        return found


def fed(pages):
    return [open(os.path.join(pages, name), "rb").read() for name in sorted(os.listdir(pages))]


def test_an_agent_that_answers_to_the_standard_port(pages):
    """Another push server answers to port 2968 of the device, wherever the request came from."""
    agent = Agent(reply_port=2968)
    with common.start_mfp("--pages", pages, "--port", 0, "--address", "127.86.0.9",
                          "--server", agent.target) as mfp:
        assert common.fields(mfp.wait_line("destination "))["name"] == "Scans"
    agent.close()


# ---- announcing -------------------------------------------------------------------------------

def test_announces_three_times_a_cycle(pages, agent):
    server = agent()
    server.silent = True
    with start(pages, "--announce-every", 1, "--product", "PID 11D1", "--address", "127.0.0.33",
               server=server.target):
        common.wait_until(lambda: len(server.heard) >= 6, "two cycles")
    packets = [packet for packet, _ in server.heard[:6]]
    assert packets[0] == packets[1] == packets[2] and packets[3] == packets[4] == packets[5]
    xids = [struct.unpack(">H", p[10:12])[0] for p in packets]
    assert xids[3] == (xids[0] + 1) % 65536
    assert packets[0][12:] == (slp_text("en") + slp_text("")
                               + slp_text("service:NetScanMonitor-agent") + slp_text("PID 11D1")
                               + slp_text("ClientName,IPAddress,EventPort") + slp_text(""))
    assert packets[0][:10] == b"\x02\x06\0\0" + bytes([len(packets[0])]) + bytes(5)
    assert {sender[0] for _, sender in server.heard} == {"127.0.0.33"}


def test_destinations_come_and_go(pages, agent):
    server = agent("Büro Scans", 4711)
    with start(pages, "--announce-every", 1, "--panel-port", 0, server=server.target) as mfp:
        line = mfp.wait_line("destination ")
        assert common.fields(line) == {"name": "Büro Scans", "address": HOST, "port": "4711"}
        assert call(mfp, "/state")[1]["destinations"] == [
            {"name": "Büro Scans", "address": HOST, "port": 4711}]
        server.silent = True
        assert common.fields(mfp.wait_line("destination-gone "))["name"] == "Büro Scans"
        assert call(mfp, "/state")[1]["destinations"] == []


def test_announcement_reaches_the_multicast_group(pages):
    net = common.Namespace()
    for command in ("ip link add lan0 type veth peer name lan1", "ip link set lan0 up",
                    "ip link set lan1 up", "ip addr add 10.77.0.1/24 dev lan0"):
        assert net.run(*command.split()).returncode == 0, command
    listener = ("import socket\n"
                "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "s.bind(('239.255.255.253', 2968))\n"
                "s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,\n"
                "    socket.inet_aton('239.255.255.253') + socket.inet_aton('10.77.0.1'))\n"
                "print('ready', flush=True)\n"
                "for i in range(3):\n"
                "    packet, sender = s.recvfrom(2000)\n"
                "    print(sender[0], packet.hex(), flush=True)\n")
    with common.Program("/usr/bin/python3", "-c", listener, namespace=net) as group:
        group.wait_line("ready")
        with common.start_mfp("--pages", pages, "--address", "10.77.0.1", namespace=net) as mfp:
            heard = {group.wait_line("10.77.0.1 ").split()[1] for _ in range(3)}
            assert mfp.ready == {"address": "10.77.0.1", "scan_port": "1865", "panel": "none"}
        assert group.wait_exit() == 0  # by itself, after the third
    net.close()
    packet = bytes.fromhex(heard.pop())
    assert not heard  # three times the same
    assert packet[:2] == b"\x02\x06" and packet[5:7] == b"\x20\x00"  # SLPv2, multicast flag


# ---- Start ------------------------------------------------------------------------------------

def test_start_is_sent_as_devices_send_it(pages, agent, event_port):
    server = event_port()
    options = ["--press", "Scans:11", "--product", "PID 11D1", "--address", "127.0.0.34",
               "--exit-after", 1]
    with start(pages, *options, server=agent("Scans", server.port).target) as mfp:
        assert mfp.wait_line("pressed ") == 'pressed name="Scans" choice=11 result=OK'
    assert server.head[0] == "POST /PushScan HTTP/1.0"
    assert "x-uid : 1" in server.head and "x-protocol-version : 2.00" in server.head
    assert server.peer[0] == "127.0.0.34"
    for element in ("<ProductNameIn>PID 11D1<", "<IPAddressIn>7F000022<", "<PushScanIDIn>11<"):
        assert element in server.body


@pytest.mark.parametrize("answer, why", [
    ({"status": "ERROR"}, "refused"),
    ({"uid": "77"}, "x-uid"),
    ({"raw": b""}, "closed without an answer"),
    ({"raw": b"HTTP/1.0 200 OK\r\n\r\n"}, "no push-scan response"),
    ({"raw": b"SSH-2.0-x\r\n"}, "no push-scan response"),
])
def test_refused_start_is_a_failure(pages, agent, event_port, answer, why):
    server = event_port(**answer)
    with start(pages, "--press", "Scans", "--exit-after", 1,
               server=agent("Scans", server.port).target) as mfp:
        line = common.fields(mfp.wait_line("pressed "))
        assert line["result"] == "ERROR" and why in line["error"]
        assert line["choice"] == "02"
        assert mfp.wait_exit() == 1
    assert why in mfp.errors


def test_unreachable_server_is_a_failure(pages, agent):
    with start(pages, "--press", "Scans", "--exit-after", 1, server=agent("Scans", 9).target) as mfp:
        assert common.fields(mfp.wait_line("pressed "))["result"] == "ERROR"
        assert mfp.wait_exit() == 1


def test_server_that_never_comes_is_a_failure(pages, agent, event_port):
    with start(pages, "--press", "Scans", "--exit-after", 1, "--panel-port", 0,
               server=agent("Scans", event_port().port).target) as mfp:
        mfp.wait_line("pressed ")
        assert call(mfp, "/state")[1]["state"] == "waiting"
        assert call(mfp, "/press", {"name": "Scans", "choice": "02"})[0] == 409
        assert mfp.wait_line("scan-end ") == "scan-end pages=0 outcome=no-client"
        assert mfp.wait_exit() == 1


def test_cancel_ends_the_wait_for_a_server(pages, agent, event_port):
    with start(pages, "--panel-port", 0, server=agent("Scans", event_port().port).target) as mfp:
        mfp.wait_line("destination ")
        assert call(mfp, "/cancel", method="POST")[0] == 409
        assert call(mfp, "/press", {"name": "Scans", "choice": "01"}) == (204, "")
        mfp.wait_line('pressed name="Scans" choice=01 result=OK')
        assert call(mfp, "/cancel", method="POST") == (204, "")
        assert mfp.wait_line("scan-end ") == "scan-end pages=0 outcome=cancelled"
        assert call(mfp, "/state")[1]["state"] == "ready"


# ---- the panel --------------------------------------------------------------------------------

def test_whole_turn_from_the_panel(pages, agent, event_port):
    with start(pages, "--panel-port", 0, server=agent("Scans", event_port().port).target) as mfp:
        mfp.wait_line("destination ")
        state = call(mfp, "/state")[1]
        assert (state["state"], state["sheets"], state["feeder"]) == ("ready", 2, True)
        assert (state["product"], state["serial"]) == ("PID 1147", "VIRTUAL001")
        assert call(mfp, "/load", {"sheets": 3}) == (204, "")
        assert call(mfp, "/press", {"name": "Scans", "choice": "01"}) == (204, "")
        mfp.wait_line('pressed name="Scans" choice=01 result=OK')
        assert call(mfp, "/state")[1]["target"] == "Scans"
        client = Client(mfp)
        client.begin()
        assert call(mfp, "/state")[1]["state"] == "scanning"
        assert call(mfp, "/load", {"sheets": 3})[0] == 409
        client.socket.close()
        assert mfp.wait_line("scan-end ") == "scan-end pages=0 outcome=broken"
        a, b = fed(pages)
        assert Client(mfp).scan() == [a, b, a]
        assert mfp.wait_line("scan-end ") == "scan-end pages=3 outcome=done"
        state = call(mfp, "/state")[1]
        assert (state["state"], state["sheets"], state["pages"]) == ("ready", 0, 3)
        assert state["result"] == "3 pages scanned"


def test_panel_refuses_with_reasons(pages):
    with start(pages, "--panel-port", 0) as mfp:
        for path, body, status in [("/press", {"name": "X", "choice": "02"}, 404),
                                   ("/press", {"name": "X", "choice": "0"}, 400),
                                   ("/press", {"name": "X"}, 400),
                                   ("/press", {"name": "X", "choice": "02", "more": 1}, 400),
                                   ("/load", {"sheets": 0}, 400),
                                   ("/load", {"sheets": "many"}, 400)]:
            got, problem = call(mfp, path, body)
            assert got == status and problem["detail"], (path, body, got)
        assert call(mfp, "/cancel", method="POST")[0] == 409
        assert call(mfp, "/nothing")[0] == 404
        assert call(mfp, "/press")[0] == 405
        status, page = call(mfp, "/")
        assert status == 200 and "<title>Virtual scanner panel</title>" in page
    with start(pages, "--panel-port", 0, "--source", "flatbed") as mfp:
        assert call(mfp, "/load", {"sheets": 1})[0] == 409
        assert call(mfp, "/state")[1]["feeder"] is False


# ---- clients ----------------------------------------------------------------------------------

def test_pages_are_byte_for_byte(pages):
    with start(pages, "--sheets", 5, "--exit-after", 1) as mfp:
        a, b = fed(pages)
        assert Client(mfp).scan() == [a, b, a, b, a]
        assert mfp.wait_exit() == 0


def test_lost_client_is_a_failure_with_exit_after(pages):
    with start(pages, "--exit-after", 1) as mfp:
        client = Client(mfp)
        client.begin()
        client.socket.close()
        assert mfp.wait_exit() == 1
    assert "broken" in mfp.errors


def test_hostile_clients_harm_nobody(pages):
    with start(pages) as mfp:
        address = (HOST, int(mfp.ready["scan_port"]))
        noise = [os.urandom(5000), b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n",
                 b"IS\xff\xff" + bytes(8), b"IS\x20\0\0\x0c\x7f\xff\xff\xff\0\0", LOCK[:9]]
        for bytes_ in noise * 3:
            with socket.create_connection(address) as s:
                s.sendall(bytes_)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
        idle = [_connect(address) for _ in range(40)]  # more than it takes: it cuts the rest
        for s in filter(None, idle):
            s.close()
        slow = common.wait_until(lambda: _client(mfp), "a free place")
        for i in range(len(LOCK)):  # drop by drop
            slow.socket.sendall(LOCK[i:i + 1])
        assert slow.packet() == ("a100", b"\x06")
        slow.socket.close()
        common.wait_until(lambda: _can_scan(mfp), "a free device")
        assert mfp.process.poll() is None


def _connect(address):
    try:
        return socket.create_connection(address)
    except ConnectionResetError:
        return None


def _client(mfp):
    try:
        return Client(mfp)
    except (AssertionError, ConnectionError):
        return None


def _can_scan(mfp):
    try:
        return len(Client(mfp).scan()) == 2
    except (AssertionError, ConnectionError):
        return False


def test_client_that_never_reads_costs_no_memory(pages):
    """Image requests are pipelined without reading a reply: the device must stop reading as well."""
    with start(pages, "--sheets", 1000000) as mfp:
        client = Client(mfp)
        client.begin()
        client.socket.settimeout(2)
        command = b"IMG x0000000"
        ask = (b"IS\x20\0\0\x0c" + struct.pack(">IH", 20, 0) + struct.pack(">II", 12, 64) + command
               + b"IS\x20\0\0\x0c" + struct.pack(">IH", 8, 0) + struct.pack(">II", 0, 100000))
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += client.socket.send(ask * 1000)
        other = Client(mfp)  # others are still served
        other.socket.sendall(LOCK)
        assert other.packet() == ("a100", b"\x15")
        with open(f"/proc/{mfp.process.pid}/status", encoding="ascii") as f:
            memory = [int(line.split()[1]) for line in f if line.startswith("VmRSS")][0]
        assert memory < 300 * 1024  # KiB, with room for a sanitizer


# ---- the command line -------------------------------------------------------------------------

def run(*words):
    return subprocess.run([common.program("src/mfp/platen-mfp"), *map(str, words)], text=True,
                          capture_output=True, timeout=common.PATIENCE_S)


def test_command_line(pages, tmp_path):
    assert run("--version").stdout.startswith("platen-mfp ")
    done = run("--help")
    assert done.returncode == 0 and "--announce-every" in done.stdout
    done = run("--sheet", 3)
    assert done.returncode == 2 and "Did you mean --sheets?" in done.stderr
    done = run("--pages", tmp_path / "missing")
    assert done.returncode == 1 and "missing" in done.stderr
    (tmp_path / "note.txt").write_text("no picture")
    done = run("--pages", tmp_path)
    assert done.returncode == 1 and "no picture in this folder" in done.stderr
    assert f"platen-mfp: skipped: {tmp_path}: note.txt: not a JPEG, PNG, TIFF or PDF by its name" in done.stderr
    for wrong, said in [(("--fault", "reserved@3"), "it has no page"),
                        (("--press", "Platen:zz"), "0 or 1 for the sides, then 1, 2 or 4")]:
        done = run("--pages", pages, *wrong)
        assert done.returncode == 2 and said in done.stderr
    done = run("--pages", pages, "--port", 0, "--server", "no-such-host.invalid")
    assert done.returncode == 1 and "no-such-host.invalid" in done.stderr
    done = run("--pages", pages, "--port", 0, "--address", "192.0.2.1")
    assert done.returncode == 1 and "192.0.2.1" in done.stderr
    with start(pages) as mfp:
        done = run("--pages", pages, "--port", mfp.ready["scan_port"], "--server", HOST)
        assert done.returncode == 1 and "scan port" in done.stderr and "--port" in done.stderr


def test_the_end_of_a_pdf_is_no_error(pages, tmp_path):
    """pdftoppm complains of the page behind the last; nobody sees that, and a bad file beside it is skipped."""
    subprocess.run(["img2pdf", *sorted(map(str, pages.iterdir())), "-o", tmp_path / "sheets.pdf"], check=True)
    (tmp_path / "empty.tif").write_bytes(b"")
    done = run("--pages", tmp_path, "--port", 0, "--server", "no-such-host.invalid")
    assert done.returncode == 1 and "no-such-host.invalid" in done.stderr
    assert "page range" not in done.stderr
    assert "empty.tif: not a JPEG picture" in done.stderr


def test_a_pdf_needs_a_program_that_draws_it(pages, tmp_path):
    """It says which one is missing and what to do; and what is wrong with a file that the program cannot read."""
    folder, empty = tmp_path / "in", tmp_path / "empty"
    folder.mkdir()
    empty.mkdir()
    subprocess.run(["img2pdf", *sorted(map(str, pages.iterdir())), "-o", folder / "sheets.pdf"], check=True)

    def start_with(path):
        return subprocess.run([common.program("src/mfp/platen-mfp"), "--pages", folder, "--port", "0", "--enpc-port", "0",
                               "--server", "127.0.0.1:9"], env={**os.environ, "PATH": path}, text=True,
                              capture_output=True, timeout=common.PATIENCE_S, check=False)
    done = start_with(str(empty))
    assert done.returncode == 1 and done.stdout == ""
    for word in ("sheets.pdf", "pdftoppm", "Install poppler-utils"):
        assert word in done.stderr, done.stderr
    with start(folder) as mfp:  # where it is installed
        assert mfp.ready
    (folder / "sheets.pdf").write_bytes(b"%PDF-1.4\nnothing else")
    done = start_with(os.environ["PATH"])
    assert done.returncode == 1 and "sheets.pdf" in done.stderr and "cannot read page 1" in done.stderr


def test_signal_ends_it_well(pages):
    with start(pages, "--panel-port", 0) as mfp:
        mfp.process.terminate()
        assert mfp.wait_exit() == 0
