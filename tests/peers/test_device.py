"""test_device.py - the real server against a device that is not of our making (epson_device.py).

Every behaviour of a device gives the right pages, byte for byte, and every fault its named reason.
All devices of this file share one server, each with an address of its own. The cases that take long
by nature run from the beginning beside the others; the tests at the end look how they ended."""

import hashlib
import itertools
import os
import random
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import pytest

import common
import epson_models
from epson_device import Device, Manner
from served import House, pdf_pages, running

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
PAGES = [os.path.join(HERE, "data", "pages", f"page-{i}.jpg") for i in (1, 2, 3)]
OK_BODY = ('<?xml version="1.0" ?>\r\n'
           '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">\r\n'
           '  <s:Body>\r\n'
           '    <p:PushScanResponse xmlns:p="http://schema.epson.net/EpsonNet/Scan/2004/pushscan">'
           '\r\n      <StatusOut>OK</StatusOut>\r\n'
           '    </p:PushScanResponse>\r\n'
           '  </s:Body>\r\n'
           '</s:Envelope>\r\n')


def expected_response(uid, status="OK", version="2.00"):
    """The documented answer to Start, byte for byte."""
    body = OK_BODY.replace(">OK<", f">{status}<")
    return ("HTTP/1.0 200 OK\r\n"
            "Server : Epson Net Scan Monitor/2.0\r\n"
            "Content-Type : application/octet-stream\r\n"
            f"Content-Length : {len(body)}\r\n"
            "x-protocol-name : Epson Network Service Protocol\r\n"
            f"x-protocol-version : {version}\r\n"
            f"x-uid : {uid}\r\n"
            f"x-status : 0001\r\n\r\n{body}").encode()


assert len(OK_BODY) == 276  # as captured


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def fed():
    """The pages that were made for this purpose, 2480 x 3508 pixels."""
    return [open(path, "rb").read() for path in PAGES]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 4, 320, 440)]


@pytest.fixture
def tiny(small):
    return list(small)


addresses = (f"127.0.{i // 250}.{i % 250 + 1}" for i in itertools.count(300))


class Bench:
    """A device beside the server, registered and approved."""

    def __init__(self, house, pages, manner=None, model=epson_models.XP7100, approve=True, **more):
        self.house = house
        self.device = Device(next(addresses), house.scan_port, model, pages, manner or Manner(**more))
        self.event_port = ("127.0.0.1", house.tcp_port)
        values = self.device.register(("127.0.0.1", house.udp_port))
        wanted = {"ClientName": "Platen", "IPAddress": "127.0.0.1", "EventPort": str(house.tcp_port)}
        assert wanted.items() <= values.items()
        self.id = house.approve(self.device.address) if approve else None
        self.seen = []

    def press(self):
        """Start; the answer must be the documented one."""
        if self.id:
            self.seen = [b["id"] for b in self.house.batches(self.id)]
        answer = self.device.press(self.event_port)
        assert answer == expected_response(self.device.uid)

    def batch(self, patience_s=common.PATIENCE_S):
        """What became of the last press, when its session has ended."""
        self.device.wait_end(patience_s)
        return self.house.settled_batch(self.id, self.seen, patience_s)

    def scan(self):
        self.press()
        return self.batch()

    def assert_delivered(self, batch, pages):
        assert (batch["state"], batch["pages"]) == ("done", len(pages)), batch
        assert pdf_pages(self.house.delivered_file(batch["id"], ".pdf")) == pages
        with open(self.house.delivered_file(batch["id"], ".csv"), "rb") as f:
            assert f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.close()


# ---- what takes long by nature ----------------------------------------------------------------

SLOW = {
    "silent-welcome": ({"fault": "silent-welcome"}, "no-answer"),
    "silence": ({"fault": "silence"}, "no-answer"),
    "endless-polls": ({"fault": "endless-polls"}, "no-progress"),
    "locked": ({"fault": "locked"}, "device-busy"),
    "busy": ({"busy": {"TRDT": 1000}}, "device-busy"),
    "thousand-polls": ({"empty_polls": 1000}, ""),
    "slow-start": ({"start_delay_s": 20}, ""),
}


@pytest.fixture(scope="module", autouse=True)
def slow(house, small):
    """The slow cases, started: {name: bench}."""
    benches = {}
    for name, (manner, _) in SLOW.items():
        benches[name] = Bench(house, small[:3], block_max=20000, **manner)
        benches[name].press()
    yield benches
    for bench in benches.values():
        bench.device.close()


# ---- registration -----------------------------------------------------------------------------

def test_registration_is_answered_as_epsons_agent_does(house):
    """Byte for byte what Epson's agent sent, with our values; three times, 500 ms apart."""
    captured = epson_models.hex_items("slp-attrrply-windows-agent")[0][1]
    length = captured.index(b"(ClientName")
    values = captured[length:-1].replace(b"T1-DESKTOP", b"Platen").replace(
        b"203.0.113.95", b"127.0.0.1").replace(b"=2968)", b"=%d)" % house.tcp_port)
    with Device(next(addresses), house.scan_port) as device:
        for asked in (epson_models.hex_items("slp-attrrqst-et4950")[0][1], device.request()):
            device.xid += 1
            xid = struct.pack(">H", device.xid)
            request = asked[:10] + xid + asked[12:]
            for _ in range(3):
                device.udp.sendto(request, ("127.0.0.1", house.udp_port))
            wanted = (captured[:4] + bytes([length + len(values) + 1]) + captured[5:10] + xid
                      + captured[12:length - 2] + struct.pack(">H", len(values)) + values + b"\0")
            replies = device.replies(3)
            assert [packet for _, packet, _ in replies] == [wanted] * 3
            assert {sender for _, _, sender in replies} == {("127.0.0.1", house.udp_port)}
            for (at, _, _), due in zip(replies, (0, 0.5, 1.0)):
                assert due - 0.2 < at < due + 0.4
            device.udp.settimeout(0.8)
            with pytest.raises(TimeoutError):  # the copies are not answered
                device.udp.recvfrom(2000)


# ---- Start ------------------------------------------------------------------------------------

def send_start(bench, head, body, pieces=None):
    """Start in the given pieces; the whole answer up to an orderly end."""
    with socket.create_connection(bench.event_port, timeout=20,
                                  source_address=(bench.device.address, 0)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i, piece in enumerate(pieces or [head + body]):
            stream.sendall(piece)
            if i % 8 == 0:  # not after each byte: on a loaded machine the server would lose its patience
                time.sleep(0.001)
        answer = b""
        while block := stream.recv(4096):
            answer += block
    return answer


@pytest.mark.parametrize("dialect", ["one-segment", "bytewise", "no-spaces", "version-3",
                                     "line-end-behind", "large-uid", "indented", "upper-case"])
def test_start_in_every_dialect(house, tiny, dialect):
    with Bench(house, tiny[:1]) as bench:
        bench.device.uid = uid = 41
        head, body = bench.device.start_request("02")
        version, pieces = "2.00", None
        if dialect == "bytewise":
            pieces = [bytes([b]) for b in head + body]
        elif dialect == "no-spaces":
            head = head.replace(b" : ", b": ")
        elif dialect == "version-3":
            version, head = "3.00", head.replace(b"2.00", b"3.00")
        elif dialect == "line-end-behind":
            pieces = [head, body + b"\r\n"]
        elif dialect == "large-uid":
            uid, head = 4294967295, head.replace(b"uid : 41", b"uid : 4294967295")
        elif dialect == "indented":
            body = body.replace(b"><", b">\r\n  <")
            head = bench_head(head, len(body))
        elif dialect == "upper-case":
            head = head.replace(b"x-uid", b"X-UID").replace(b"Content-Length", b"CONTENT-LENGTH")
        assert send_start(bench, head, body, pieces) == expected_response(uid, version=version)
        bench.assert_delivered(bench.batch(), tiny[:1])
        assert not bench.device.complaints


def bench_head(head, length):
    lines = head.split(b"\r\n")
    return b"\r\n".join(b"Content-Length : %d" % length if line.startswith(b"Content-Length")
                        else line for line in lines)


def refused(bench, choice="02"):
    answer = bench.device.press(bench.event_port, choice)
    return answer == expected_response(bench.device.uid, "ERROR")


def test_start_that_may_not_be_is_refused(house, tiny):
    with Bench(house, tiny, approve=False) as bench:
        assert refused(bench)  # not approved
        bench.id = house.approve(bench.device.address)
        assert refused(bench, "04")  # no job belongs to preview
        assert refused(bench, "12")
        assert bench.device.sessions == 0 and house.batches(bench.id) == []
        gate = Gate(bench.device, 1)
        bench.press()
        assert gate.reached.wait(common.PATIENCE_S)
        assert refused(bench)  # its scan still runs
        gate.opened.set()
        bench.assert_delivered(bench.batch(), tiny)
        assert bench.device.sessions == 1


@pytest.mark.parametrize("what", ["GET / HTTP/1.1\r\n\r\n", "\r\n", "PUT" * 30000, "POST /Push"],
                         ids=["another", "empty", "endless", "cut"])
def test_what_is_no_request_is_told_so(house, what):
    """To the last byte and an orderly end, also while more comes than is read."""
    with socket.create_connection(("127.0.0.1", house.tcp_port), timeout=20) as stream:
        stream.sendall(what.encode())
        if what.startswith("POST"):
            stream.shutdown(socket.SHUT_WR)
        answer = b""
        while block := stream.recv(4096):
            answer += block
    assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n") and answer.endswith(b"nothing else.\r\n")


def test_blocks_larger_than_was_asked_for(house, tiny):
    comment = b"\xff\xfe\xff\xff" + bytes(0xfffd)
    page = tiny[0][:2] + 40 * comment + tiny[0][2:]
    with Bench(house, [page, tiny[1]], minds_block_size=False, first_block=1 << 24) as bench:
        bench.assert_delivered(bench.scan(), [page, tiny[1]])
        assert bench.device.complaints == []


# ---- the manners of devices -------------------------------------------------------------------

MANNERS = {
    "ordinary": {},
    "split": {"split": True},
    "split-drips": {"split": True, "drip": 1000},
    "drops-of-small-pages": {"drip": 7, "drip_pause_s": 0},
    "tiny-blocks": {"block_max": 4096, "first_block": 1},
    "lower-hex": {"lower_hex": True},
    "not-ready-none": {"ready_word": True},
    "unknown-tokens": {"strangers": True},
    "unknown-tokens-ready-lower": {"strangers": True, "ready_word": True, "lower_hex": True},
    "busy": {"busy": {"INFO": 1, "CAPA": 1, "STAT": 1, "TRDT": 1, "IMG": 3}},
    "no-to-modes": {"mode_naks": 2},
    "left-in-mode": {"left_in_mode": True},
    "locked-at-first": {"lock_naks": 1},
    "notices": {"notices": True},
    "notices-split": {"notices": True, "split": True},
    "refuses-optional": {"refuse_optional": True},
    "cropped": {"crop": 8},
    "slow-start": {"start_delay_s": 2.5},
    "end-with-data": {"end_with_data": True},
    "end-by-empty-feeder": {"end_by_error": True},
    "no-polls": {"empty_polls": 0, "polls_between": 0},
    "many-polls": {"empty_polls": 40, "polls_between": 5},
    "flatbed": {"feeder_loaded": False},
    "flatbed-split-drips": {"feeder_loaded": False, "split": True, "drip": 1000},
}


@pytest.mark.parametrize("manner", MANNERS)
def test_manner(house, fed, tiny, manner):
    pages = tiny[:2] if "small" in manner else fed[:2]
    pages = pages[:1] if "flatbed" in manner else pages
    with Bench(house, pages, **MANNERS[manner]) as bench:
        for _ in range(2):  # the second scan finds nothing left over from the first
            bench.assert_delivered(bench.scan(), pages)
            assert bench.device.complaints == []
        given = bench.device.parameters
        assert given.startswith(b"#FB " if "flatbed" in manner else b"#ADF")
        assert (b"#QITOFF " in given) == (manner != "refuses-optional")  # offered by this model
        assert sum(c == "PARA" for c in bench.device.commands) == (
            4 if manner == "refuses-optional" else 2)
        if "flatbed" not in manner:  # the feeder is asked how it is, after the scan
            assert bench.device.commands[-3:] == ["FIN", "STAT", "FIN"]


def test_ff680w(house):
    """JPEG only, flag byte 0x38, feeder only; its own head of 613 bytes; the end of the page is
    smaller than its beginning said (1684 x 2182 of 1687 x 2190)."""
    page = epson_models.ff680w_page()
    assert epson_models.FF680W.flags == 0x38
    with Bench(house, [page] * 3, model=epson_models.FF680W, split=True, drip=1000, crop=8,
               empty_polls=20) as bench:
        batch = bench.scan()
        bench.assert_delivered(batch, [page] * 3)
        assert bench.device.complaints == []
        device = house.show("device", "show", bench.id)
        assert (device["product"], device["serial"]) == ("FF-680W", "X5EW260651")
        facts = house.show("batch", "pages", batch["id"])
        assert [(p["width_px"], p["height_px"], p["dpi"]) for p in facts] == [(1687, 2190, 200)] * 3


def test_et2750(house, fed):
    """A flatbed without feeder: no #lft, and STAT says nothing."""
    with Bench(house, fed[:1], model=epson_models.ET2750) as bench:
        bench.assert_delivered(bench.scan(), fed[:1])
        assert bench.device.complaints == []
        assert b"#QIT" not in bench.device.parameters  # not offered
        assert bench.device.parameters.startswith(b"#FB ")


def test_devices_at_once(house, fed):
    """Eight devices scan at the same time; nobody gets a page of another."""
    benches = [Bench(house, random.Random(i).sample(fed, 3), split=True, drip=5000)
               for i in range(8)]
    for bench in benches:
        bench.press()
    for bench in benches:
        bench.assert_delivered(bench.batch(60), bench.device.pages)
        assert bench.device.complaints == []
        bench.device.close()


# ---- faults -----------------------------------------------------------------------------------

# How the device fails in its second page, and the code of the reason.
FAULTS = {
    "jam": "paper-jam",
    "jam-in-page": "paper-jam",
    "cover-open": "cover-open",
    "double-feed": "double-feed",
    "device-error": "device-error",
    "unknown-error": "device-error",
    "drop": "connection-lost",
    "reset": "connection-lost",
    "event-a0": "device-rejected",
    "event-80": "device-timeout",
    "event-02": "connection-lost",
    "garbage": "protocol-error",
    "huge-image": "protocol-error",
    "huge-packet": "protocol-error",
    "short-image": "protocol-error",
    "long-image": "protocol-error",
    "wrong-code": "protocol-error",
    "unknown-code": "device-rejected",
    "reserved": "device-reserved",
    "two-sided": "two-sided-page",
    "cancel": "cancelled-at-device",
    "cancel-event": "cancelled-at-device",
}
# After these the device is still there: it must be left in order.
ORDERLY = ("jam", "jam-in-page", "cover-open", "double-feed", "device-error", "unknown-error",
           "cancel", "cancel-event", "two-sided", "reserved", "unknown-code")


def assert_ended(bench, batch, code, kept):
    """State, reason and pages of a batch that went wrong."""
    state = "cancelled" if code == "cancelled-at-device" else "broken"
    assert (batch["state"], batch["reason"]["code"], batch["pages"]) == (state, code, len(kept))
    stored = bench.house.show("batch", "pages", batch["id"])
    assert [p["sha256"] for p in stored] == [hashlib.sha256(p).hexdigest() for p in kept]


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_in_second_page(house, tiny, fault):
    with Bench(house, tiny[:3], fault=fault, block_max=20000) as bench:
        batch = bench.scan()
        assert_ended(bench, batch, FAULTS[fault], tiny[:1])
        if fault in ORDERLY:
            assert bench.device.complaints == []
            assert "FIN" in bench.device.commands[bench.device.commands.index("TRDT"):]
        assert ("CAN" in bench.device.commands) == (fault in ("cancel", "cancel-event",
                                                              "two-sided"))
        # What arrived can still be sent, and the device can scan again.
        house.cli("batch", "deliver", batch["id"])
        bench.assert_delivered(house.settled_batch(bench.id), tiny[:1])
        bench.device.manner = Manner()
        bench.device.complaints.clear()
        bench.assert_delivered(bench.scan(), tiny[:3])
        assert bench.device.complaints == []


# How the device fails before there is a page.
EARLY_FAULTS = {
    "no-paper": "no-paper",
    "cover-open-before": "cover-open",
    "parameters": "parameters-refused",
    "no-format": "format-not-offered",
    "garbage-welcome": "protocol-error",
    "huge-block": "protocol-error",
    "short-block": "protocol-error",
    "bad-hex": "protocol-error",
}


@pytest.mark.parametrize("fault", EARLY_FAULTS)
def test_fault_before_the_first_page(house, tiny, fault):
    capa = (b"#FMTLISTRAW JPG ", b"#FMTLISTTIF ") if fault == "no-format" else ()
    with Bench(house, tiny, fault=fault, capa=capa) as bench:
        assert_ended(bench, bench.scan(), EARLY_FAULTS[fault], [])
        if fault in ("no-paper", "cover-open-before", "parameters", "no-format"):
            assert bench.device.complaints == []


@pytest.mark.parametrize("fault", ["jam", "jam-in-page", "drop", "event-a0", "cancel"])
def test_fault_in_first_page(house, tiny, fault):
    with Bench(house, tiny, fault=fault, fault_page=1, block_max=20000) as bench:
        assert_ended(bench, bench.scan(), FAULTS[fault], [])


def test_empty_feeder_without_flatbed(house):
    page = epson_models.ff680w_page()
    with Bench(house, [page], model=epson_models.FF680W, feeder_loaded=False) as bench:
        assert_ended(bench, bench.scan(), "no-paper", [])
        assert bench.device.complaints == []


@pytest.mark.parametrize("damage", ["no-end", "no-beginning", "cut-in-half"])
def test_page_that_is_no_whole_jpeg(house, tiny, damage):
    broken = {"no-end": tiny[1][:-2], "cut-in-half": tiny[1][:len(tiny[1]) // 2],
              "no-beginning": b"RAW!" + tiny[1][4:]}[damage]
    with Bench(house, [tiny[0], broken, tiny[2]]) as bench:
        assert_ended(bench, bench.scan(), "page-broken", tiny[:1])
        assert bench.device.complaints == []


def test_device_that_cannot_be_reached(house, tiny):
    with Bench(house, tiny) as bench:
        bench.device.stop_listening()
        bench.press()
        bench.device.finished.set()
        batch = bench.batch()
        assert_ended(bench, batch, "connect-failed", [])
        assert "Connection refused" in batch["reason"]["text"] and "network scanning" in batch["reason"]["remedy"]


def test_device_that_takes_connections_only_after_the_answer(house, tiny):
    """It has first to put away what it asked Start with: a refused connection is tried again."""
    with Bench(house, tiny) as bench:
        bench.device.stop_listening()
        bench.press()
        time.sleep(1.2)
        bench.device.listen()
        bench.device.wait_end()
        batch = bench.batch()
        assert (batch["state"], batch["pages"]) == ("done", len(tiny))


@pytest.mark.parametrize("times,code", [(3, ""), (99, "connection-lost")])
def test_device_that_hangs_up_before_a_word(house, tiny, times, code):
    """It is busy with a connection that somebody else, or we, had before."""
    with Bench(house, tiny) as bench:
        bench.device.hang_ups = times
        bench.press()
        if code:
            bench.device.finished.set()
            assert_ended(bench, bench.batch(), code, [])
        else:
            bench.device.wait_end()
            bench.assert_delivered(bench.batch(), tiny)


def test_start_is_pressed_again_at_once(house, tiny):
    """The server has not heard the end of a scan yet, or it is on its way to the disk, when Start is pressed again."""
    with Bench(house, tiny[:1], unlock_delay_s=0.3) as bench:
        bench.press()
        for pressed in range(1, 4):
            common.wait_until(lambda: bench.device.unlocks == pressed, "the end of a scan")
            bench.press()
        bench.device.wait_end()
        common.wait_until(lambda: [b["state"] for b in house.batches(bench.id)] == ["done"] * 4, "four batches")
        assert bench.device.complaints == []


# ---- who it is --------------------------------------------------------------------------------

def test_another_device_at_an_approved_address(house, tiny):
    """Approval belongs to the device: of another one at its address nothing is taken."""
    page = epson_models.ff680w_page()
    with Bench(house, [page], model=epson_models.FF680W) as bench:
        bench.assert_delivered(bench.scan(), [page])
        approved, former = house.show("device", "show", bench.id), bench.device
        former.stop_listening()
        with Device(former.address, house.scan_port, epson_models.XP7100, tiny[:1]) as stranger:
            bench.device = stranger
            stranger.register(("127.0.0.1", house.udp_port))
            assert_ended(bench, bench.scan(), "another-device", [])
            assert stranger.complaints == [] and "TRDT" not in stranger.commands
            now = house.show("device", "show", bench.id)
            assert now["state"] == "seen"
            assert now["waits"]["code"] == "another-device" and approved["serial"] in now["waits"]["text"]
            assert now["waits"]["since"] > now["first_seen"]
            report = house.api("GET", "/api/v1/doctor")[1]
            finding, = (i for i in report["items"] if i["where"] == bench.device.address)
            assert finding["name"] == "device-another"
            assert finding["what"].endswith(now["waits"]["text"])
            assert f"platen device delete {bench.device.address}" in finding["cure"]
            assert {k: now[k] for k in ("product", "serial", "firmware", "name", "job_group")} == {
                k: approved[k] for k in ("product", "serial", "firmware", "name", "job_group")}
            assert refused(bench)
            # It takes the place of the former one when a person says so.
            house.cli("device", "delete", bench.id)
            stranger.register(("127.0.0.1", house.udp_port))
            bench.id = house.approve(stranger.address)
            bench.assert_delivered(bench.scan(), tiny[:1])


def test_two_rows_with_one_serial_number(house):
    """A device that was approved at two addresses is called by address or id."""
    page = epson_models.ff680w_page()
    model = epson_models.FF680W._replace(info=epson_models.FF680W.info.replace(
        b"X5EW260651", b"X5EW260777"))
    ids = []
    for _ in range(2):
        with Bench(house, [page], model=model) as bench:
            bench.assert_delivered(bench.scan(), [page])
            ids.append(bench.id)
            assert house.show("device", "show", bench.device.address)["id"] == bench.id
    with pytest.raises(AssertionError, match="more than one device is called(.|\\s)*Give its id"):
        house.cli("device", "show", "X5EW260777")
    for id_ in ids:
        assert house.show("device", "show", id_)["serial"] == "X5EW260777"


# ---- acknowledging ----------------------------------------------------------------------------

def stored_page(house, batch_id, number):
    """(row is visible, page file is there whole) of a page, seen from outside the server."""
    database = house.database()
    try:
        folder, = database.execute("SELECT folder FROM batch WHERE id = ?", (batch_id,)).fetchone()
        row = database.execute("SELECT file, sha256 FROM page WHERE batch_id = ? AND number = ?",
                               (batch_id, number)).fetchone()
    finally:
        database.close()
    path = os.path.join(house.spool, folder, f"p{number:04}a.jpg")
    digest = None
    if os.path.exists(path):
        with open(path, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
    assert row is None or row == (os.path.basename(path), digest)
    return row is not None, digest


def receiving_batch(bench):
    return next(b["id"] for b in bench.house.batches(bench.id) if b["state"] == "receiving")


def test_more_is_asked_for_only_when_a_page_is_stored(house, fed):
    """Whenever the device is asked for more, the page before is a whole file and a row."""
    pages = fed * 4
    witnessed = []
    with Bench(house, pages) as bench:
        bench.device.page_asked = lambda number: witnessed.append(
            (number, stored_page(house, bench.batch_id, number)))

        def page_ends(number):
            if number == 1:
                bench.batch_id = receiving_batch(bench)
        bench.device.page_ends = page_ends
        bench.assert_delivered(bench.scan(), pages)
        assert bench.device.complaints == []
    assert witnessed == [(i + 1, (True, hashlib.sha256(page).hexdigest()))
                         for i, page in enumerate(pages)]


@pytest.mark.parametrize("fault, code", [("jam-with-end", "paper-jam"),
                                         ("double-feed-with-end", "double-feed"),
                                         ("cancel-with-end", "cancelled-at-device")])
def test_page_that_ends_with_the_scan_is_stored(house, tiny, fault, code):
    """An error or a cancel in the same reply as the end of a page: what follows acknowledges the
    page, so it is stored before."""
    witnessed = []
    with Bench(house, tiny[:3], fault=fault, block_max=20000) as bench:
        bench.device.page_ends = lambda number: setattr(bench, "batch_id", receiving_batch(bench))
        bench.device.page_asked = lambda number: witnessed.append(
            (number, stored_page(house, bench.batch_id, number)))
        assert_ended(bench, bench.scan(), code, tiny[:2])
        assert bench.device.complaints == []
    assert witnessed == [(i + 1, (True, hashlib.sha256(tiny[i]).hexdigest())) for i in range(2)]


def test_server_that_stops_leaves_the_device_in_order(tiny):
    """The page that is coming does not end: it is dropped, and the device gets CAN, FIN and UNLOCK."""
    house = House(conf={"server": {"drain_s": 0}}).start()
    try:
        house.configure()
        with Bench(house, tiny[:3], fault="endless-polls", block_max=20000) as bench:
            bench.press()
            common.wait_until(lambda: bench.device.commands[-20:] == ["IMG"] * 20, "the stall")
            house.process.send_signal(signal.SIGTERM)
            common.wait_until(lambda: "step=2" in house.log_text(), "the end of the drain")
            house.process.send_signal(signal.SIGTERM)
            bench.device.wait_end()
            assert bench.device.commands[-4:] == ["CAN", "FIN", "STAT", "FIN"]
            assert bench.device.complaints == []
            assert house.process.wait(common.PATIENCE_S) == 0
            house.assert_sound()
            house.start()
            assert_ended(bench, house.settled_batch(bench.id), "server-stopping", tiny[:1])
        house.stop()
    finally:
        house.remove()


class Gate:
    """Holds a device before it sends the end of a page, until opened."""

    def __init__(self, device, number):
        self.number, self.reached, self.opened = number, threading.Event(), threading.Event()
        device.page_ends = self._page_ends

    def _page_ends(self, number):
        if number == self.number:
            self.reached.set()
            self.opened.wait(common.PATIENCE_S)


def test_nothing_is_asked_for_while_the_row_cannot_be_written(house, tiny):
    with Bench(house, tiny) as bench:
        gate = Gate(bench.device, 2)
        bench.press()
        assert gate.reached.wait(common.PATIENCE_S)
        batch_id = receiving_batch(bench)
        lock = sqlite3.connect(os.path.join(house.data, "platen.db"), isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")  # from now on the server's writer waits
        gate.opened.set()
        file = common.wait_until(lambda: stored_page(house, batch_id, 2)[1], "the page file")
        assert file == hashlib.sha256(tiny[1]).hexdigest()
        time.sleep(1.5)
        assert 2 not in bench.device.asked_at
        assert stored_page(house, batch_id, 2)[0] is False
        lock.execute("ROLLBACK")
        lock.close()
        common.wait_until(lambda: 2 in bench.device.asked_at, "the next request")
        bench.assert_delivered(bench.batch(), tiny)
        assert bench.device.complaints == []


@pytest.fixture
def frozen_house():
    with open(os.path.join(HERE, "freezer.py"), encoding="utf-8") as f:
        launcher = [PYTHON, "-c", f.read()]
    with running(launcher=launcher) as made:
        yield made


def test_nothing_is_asked_for_while_disk_threads_stand_still(frozen_house, tiny):
    """All threads of the server but its loop are stopped while a page ends: as if the disk did not
    answer. The loop lives and still keeps its promise."""
    house = frozen_house

    def order(word):
        house.process.stdin.write(word + b"\n")
        house.process.stdin.flush()
        assert house.process.stdout.readline() == b"done\n"

    with Bench(house, tiny) as bench:
        gate = Gate(bench.device, 2)
        bench.press()
        assert gate.reached.wait(common.PATIENCE_S)
        batch_id = receiving_batch(bench)
        order(b"freeze")
        gate.opened.set()
        time.sleep(1.5)
        bench.device.register(("127.0.0.1", house.udp_port))  # the loop answers
        assert 2 not in bench.device.asked_at
        assert stored_page(house, batch_id, 2) == (False, None)
        order(b"thaw")
        common.wait_until(lambda: 2 in bench.device.asked_at, "the next request")
        bench.assert_delivered(bench.batch(), tiny)
        assert bench.device.complaints == []


# ---- the ports of the standard ----------------------------------------------------------------

def test_standard_ports_and_multicast():
    """Ports 2968 and 1865, registration by real multicast, a device in a process of its own."""
    net = common.Namespace()
    try:
        for command in ("ip link add lan0 type veth peer name lan1", "ip link set lan0 up",
                        "ip link set lan1 up", "ip addr add 10.77.0.1/24 dev lan0",
                        "ip addr add 10.77.0.2/24 dev lan0"):
            assert net.run(*command.split()).returncode == 0, command
        made = House(namespace=net, conf={
            "devices": {"device_address": "0.0.0.0", "udp_port": 2968, "tcp_port": 2968,
                        "scan_port": 1865, "multicast": "true"}})
    except Exception:
        net.close()
        raise
    try:
        made.start()
        made.configure()
        with common.Program(PYTHON, os.path.join(HERE, "epson_device.py"), "--address",
                            "10.77.0.2", "--name", "Platen", *PAGES, namespace=net,
                            stdin=subprocess.PIPE) as device:
            device.wait_line("{'ClientName': 'Platen', 'IPAddress': '10.77.0.1', "
                             "'EventPort': '2968'}")
            id_ = made.approve("10.77.0.2")
            device.process.stdin.write("\n")
            device.process.stdin.flush()
            device.wait_line("accepted")
            assert device.wait_line("ended ") == "ended complaints=[]"
            assert device.wait_exit() == 0
        batch = made.settled_batch(id_)
        assert batch["state"] == "done"
        assert pdf_pages(made.delivered_file(batch["id"], ".pdf")) == [
            open(path, "rb").read() for path in PAGES]
        made.stop()
    finally:
        made.remove()
        net.close()


# ---- how the slow cases ended -----------------------------------------------------------------

@pytest.mark.parametrize("name", SLOW)
def test_slow(slow, small, name):
    code = SLOW[name][1]
    bench = slow[name]
    batch = bench.batch(120)
    if not code:
        bench.assert_delivered(batch, small[:3])
    else:
        assert_ended(bench, batch, code, small[:1] if name in ("silence", "endless-polls") else [])
    if name == "endless-polls":  # it answers: it is left in order
        assert bench.device.commands[-4:] == ["CAN", "FIN", "STAT", "FIN"]
    assert bench.device.complaints == []
