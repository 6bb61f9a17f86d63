"""test_mfp_fleet.py - platen-mfp's panel as people break and mend it, bad networks, and many devices at once."""

import hashlib
import html.parser
import re
import threading
import time
import types

import pytest

import common
from sane_peer import (AREA, DEVICE, SIZE, assert_same, fixture_net as net, fixture_sane as sane,  # noqa: F401
                       scanimage, start as start_for_sane)
from test_mfp import Client, call, fed, fixture_pages as pages, start  # noqa: F401

DEVICES, PAGES = 50, 20


# ---- the panel ----------------------------------------------------------------------------------

def test_broken_and_mended_at_the_panel(pages):
    with start(pages, "--panel-port", 0) as mfp:
        assert call(mfp, "/state")[1]["fault"] == {}
        assert call(mfp, "/fault", {"kind": "cover"})[0] == 204
        assert call(mfp, "/state")[1]["fault"] == {"kind": "cover", "text": "The cover is open."}
        client = Client(mfp)
        client.lock()
        assert client.ask(b"\x1cX", 1) == b"\x06"
        assert client.ask(b"STATx0000000").startswith(b"STATx000000C#---")
        assert client.ask(b"", 12) == b"#ERRADF OPN "
        assert client.ask(b"TRDTx0000000").startswith(b"TRDTx0000000#errADF OPN #---")
        assert call(mfp, "/clear", method="POST")[0] == 204
        assert client.ask(b"STATx0000000").startswith(b"STATx0000000#---")
        client.socket.close()
        assert call(mfp, "/fault", {"kind": "jam", "page": 2})[0] == 204
        assert call(mfp, "/state")[1]["fault"] == {"armed": "jam", "page": 2}
        status, problem = call(mfp, "/fault", {"kind": "flood"})
        assert status == 400 and "no kind of fault" in problem["detail"]
        assert call(mfp, "/fault", {"kind": "jam", "page": -1})[0] in (400, 422)
        assert call(mfp, "/clear", method="POST")[0] == 204
        assert len(Client(mfp).scan()) == 2


class Controls(html.parser.HTMLParser):
    """What can be reached with the keyboard, and whether it has a name."""

    def __init__(self):
        super().__init__()
        self.named, self.open, self.handlers = {}, [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.handlers += [name for name in attrs if name.startswith("on")]
        if tag in ("button", "label"):
            self.open.append(attrs.get("id", tag))
            self.named.setdefault(self.open[-1], "")
        if tag in ("input", "select"):
            inside = self.named[self.open[-1]] if self.open else ""
            self.named[attrs["id"]] = attrs.get("aria-label", "") or inside
            assert attrs.get("tabindex", "0") == "0"

    def handle_endtag(self, tag):
        if tag in ("button", "label"):
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.named[self.open[-1]] += data.strip()


def test_every_control_has_a_name_and_takes_keys(pages):
    with start(pages, "--panel-port", 0) as mfp:
        status, page = call(mfp, "/")
        state = call(mfp, "/state")[1]
    controls = Controls()
    controls.feed(page)
    assert status == 200 and not controls.handlers
    assert {"sides", "action", "start", "cancel", "count", "kind", "page", "clear"} <= set(controls.named)
    assert all(controls.named.values()), controls.named
    assert not re.search(r"src=|https?://", page), "the page loads nothing from elsewhere"
    assert {"jam", "cover", "drop"} <= {kind["kind"] for kind in state["kinds"]}


# ---- bad networks -------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [["--split"], ["--drip", 1000, "--delay", 1], ["--drip", 7]])
def test_slow_and_split_packets(net, sane, tmp_path, options):
    made = common.make_pictures(tmp_path / "in", 1, *SIZE)
    with start_for_sane(net, tmp_path / "in", "--formats", "jpeg", *options):
        done = scanimage(net, sane, "-d", DEVICE, *AREA, "-o", "page.pnm", "--format=pnm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "page.pnm", made[0])


def test_events_and_a_dropped_connection_as_bytes(pages):
    with start(pages, "--fault", "drop@2", "--events") as mfp:
        client = Client(mfp)
        client.lock()
        assert client.ask(b"\x1cX", 1) == b"\x06"
        assert client.ask(b"PARAx000000C", 0) == b""
        assert b"#parOK  " in client.ask(b"#ADF#FMTJPG ")
        client.send(b"TRDTx0000000", 64)
        assert client.packet() == ("9000", b"\x01")
        assert client.packet()[1].startswith(b"TRDTx0000000")
        complete = 0
        with pytest.raises(AssertionError, match="closed after"):
            while True:
                header = client.ask(b"IMG x0000000")
                length = int(header[5:12], 16)
                if length:
                    client.ask(b"", length)
                complete += b"#pen" in header
        assert complete == 1
        mfp.wait_line('fault kind="drop"')
        assert mfp.wait_line("scan-end") == "scan-end pages=1 outcome=broken"


# ---- many devices -------------------------------------------------------------------------------

def test_fifty_devices_at_once(pages):
    wanted = [hashlib.sha256(page).digest() for page in fed(pages)]
    found = {}
    with start(pages, "--count", DEVICES, "--address", "127.0.77.230", "--sheets", PAGES, "--serial",
               "LOAD0001", "--exit-after", 1) as mfp:
        ready = [mfp.ready] + [common.fields(mfp.wait_line("ready ")) for _ in range(DEVICES - 1)]
        assert ready[-1]["address"] == "127.0.78.23"  # counted over the edge of a byte

        def scan(at):
            client = Client(types.SimpleNamespace(ready=at))
            client.lock()
            assert client.ask(b"\x1cY", 1) == b"\x06"
            info = client.ask(b"", int(client.ask(b"INFOx0000000")[5:12], 16))
            client.socket.close()
            found[info[info.index(b"#S/Nh008") + 8:][:8].decode()] = [
                hashlib.sha256(page).digest() for page in Client(types.SimpleNamespace(ready=at)).scan()]

        threads = [threading.Thread(target=scan, args=(at,)) for at in ready]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        seconds = time.monotonic() - begun
        assert mfp.wait_exit() == 0
    assert sorted(found) == [f"LOAD{i + 1:04}" for i in range(DEVICES)]
    assert all(pages == wanted * (PAGES // 2) for pages in found.values())
    ends = [line for line in mfp.lines if line.startswith("scan-end")]
    assert sorted(ends) == sorted(f"scan-end pages={PAGES} outcome=done device={at['address']}" for at in ready)
    print(f"{DEVICES} devices x {PAGES} pages in {seconds:.1f} s")


def test_pages_with_a_stamp(pages):
    """A comment behind the first marker, its numbers going on from scan to scan; nothing else is changed."""
    with start(pages, "--stamp", "--panel-port", 0, "--serial", "A7") as mfp:
        sent = Client(mfp).scan()
        call(mfp, "/load", {"sheets": 2})
        sent += Client(mfp).scan()
    wanted = fed(pages)
    for n, page in enumerate(sent):
        text = f"A7 page {n + 1}".encode()
        assert page[2:6 + len(text)] == b"\xff\xfe" + (2 + len(text)).to_bytes(2, "big") + text
        assert page[:2] + page[6 + len(text):] == wanted[n % len(wanted)]
    assert len(sent) == len(wanted) + 2


def test_no_faster_than_the_feeder(pages):
    """The end of the n-th page does not come before n sheets are through; the bytes are those of a fast one."""
    with start(pages, "--ppm", 600) as mfp:
        client = Client(mfp)
        begun = time.monotonic()
        assert client.scan() == fed(pages)
        assert time.monotonic() - begun >= len(fed(pages)) * 0.1


def test_a_slow_feeder_answers_all_the_time(pages):
    """It is never silent while a sheet feeds: each question is answered that there is nothing yet, at a bounded pace."""
    seconds = 1.5
    with start(pages, "--ppm", int(60 / seconds)) as mfp:
        client = Client(mfp)
        client.begin()
        empty, longest, begun = 0, 0, time.monotonic()
        while True:
            asked = time.monotonic()
            header = client.ask(b"IMG x0000000")
            longest = max(longest, time.monotonic() - asked)
            if b"#pst" in header:
                break
            assert header.startswith(b"IMG x0000000#---")
            empty += 1
        waited = time.monotonic() - begun
        client.socket.close()
    assert seconds <= waited < 2 * seconds
    assert 20 < empty <= waited / 0.01 + 4  # the first three are answered at once
    assert longest < 0.5


@pytest.mark.parametrize("raw", [["--legacy"], ["--formats", "raw"]])
def test_raw_lines_take_no_stamp(pages, raw):
    mfp = common.Program(common.program("src/mfp/platen-mfp"), "--pages", str(pages), "--port", "0", "--stamp", *raw)
    assert mfp.wait_exit() == 2
    assert "--stamp: raw lines have no room for a comment" in mfp.errors


def test_serials_that_cannot_be_counted(pages):
    mfp = common.Program(common.program("src/mfp/platen-mfp"), "--pages", str(pages), "--port", "0", "--serial",
                         "A9", "--count", "2")
    assert mfp.wait_exit() == 1
    assert "--serial A9 cannot be counted up" in mfp.errors
