"""test_trace.py - traces of devices: what is in them, what is not, and that a test can play them again.

A scan from epson_device.py, which is not of our making, is recorded; then trace_device.py is the device of that
trace, and the same batch must come of it."""

import contextlib
import hashlib
import itertools
import json
import os
import stat
import subprocess

import pytest

import common
import epson_models
import esci_device
import trace_device
from epson_device import Device, Manner
from served import SANITIZERS, running
from test_tls import certificate

MIB = 1 << 20
addresses = (f"127.0.12.{i + 1}" for i in itertools.count())


@pytest.fixture(scope="module")
def house():
    with running({"limits": {"traces_mib": 64}}, job={"dpi": 75}) as made:
        yield made


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 3, 640, 880)]


def platen(house, *words):
    """The command line, which may fail."""
    return subprocess.run([house.program("platen"), *words], capture_output=True, text=True, check=False,
                          timeout=common.PATIENCE_S,
                          env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": house.socket})


def register(house, device):
    device.register(("127.0.0.1", house.udp_port))
    return house.approve(device.address)


def begin(house, device_id, *more):
    return json.loads(house.cli("device", "trace", device_id, "--json", *more))["id"]


def press_and_settle(house, device, device_id):
    seen = [b["id"] for b in house.batches(device_id)]
    device.press(("127.0.0.1", house.tcp_port))
    return house.settled_batch(device_id, seen)


def pages_of(house, batch):
    return [(p["size_bytes"], p["sha256"]) for p in house.show("batch", "pages", batch["id"])]


def fetch(house, trace, folder):
    """Ends a trace and fetches it; its rows."""
    path = str(folder / f"{trace}.jsonl")
    house.cli("trace", "stop", trace)  # answers when the file is whole
    house.cli("trace", "get", trace, "--output", path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    again = platen(house, "trace", "get", trace, "--output", path)
    assert again.returncode == 1 and path in again.stderr and "Name a file that is not there" in again.stderr
    with open(path, encoding="utf-8") as f:
        return path, [json.loads(line) for line in f]


def record(house, device, folder, *more):
    """(rows of a trace, its file, the batch) of one scan."""
    device_id = register(house, device)
    trace = begin(house, device_id, *more)
    device.register(("127.0.0.1", house.udp_port))
    batch = press_and_settle(house, device, device_id)
    common.wait_until(lambda: any('"closed"' in line and '"scan"' in line
                                  for line in house.cli("trace", "get", trace).splitlines()), "the end of the connection")
    path, rows = fetch(house, trace, folder)
    return rows, path, batch


def play(house, path, **more):
    """(the device, the batch) of a trace that is played."""
    _, conversations, datagrams = trace_device.read_trace(path)
    with trace_device.TraceDevice(next(addresses), house.scan_port, conversations, datagrams, **more) as device:
        batch = press_and_settle(house, device, register(house, device))
        assert device.finished.wait(common.PATIENCE_S), "not the whole trace was played"
    return device, batch


def hashed(page):
    return len(page), hashlib.sha256(page).hexdigest()


def test_a_scan_is_recorded_without_its_pictures(house, pages, tmp_path):
    with Device(next(addresses), house.scan_port, pages=pages, manner=Manner(split=True, drip=1000)) as device:
        rows, path, batch = record(house, device, tmp_path)
        assert batch["state"] == "done" and device.complaints == []
    about = rows[0]
    assert (about["trace"], about["address"], about["pages"]) == (1, device.address, False)
    assert about["product"] == "PID 1147" and about["platen"] and about["began"]
    assert rows[-1]["event"] == "trace ended" and rows[-1]["text"] == "stopped"
    times = [row["t"] for row in rows[1:]]
    assert times == sorted(times)

    said = [row for row in rows if "dir" in row]
    assert [r for r in said if r["on"] == "register" and r["dir"] == "p>h" and "NetScanMonitor" in r["says"]]
    assert [r for r in said if r["on"] == "register" and r["dir"] == "h>p" and "ClientName=Platen" in r["says"]]
    assert [r for r in said if r["on"] == "panel" and r["dir"] == "p>h" and "<PushScanIDIn>02<" in r["says"]]
    answer = b"".join(bytes.fromhex(r["hex"]) for r in said if r["on"] == "panel" and r["dir"] == "h>p")
    assert answer == device.responses[0], "what the panel got"

    scan = [r for r in rows if r.get("on") == "scan"]
    assert [r["event"] for r in scan if "event" in r] == ["opened", "connected", "closed"]
    assert next(r for r in scan if r.get("event") == "connected")["text"] == "plain"
    packets = [bytes.fromhex(r["hex"]) for r in scan if "dir" in r]
    assert all(p[:2] == b"IS" for p in packets)
    for row, packet in zip((r for r in scan if "dir" in r), packets):
        assert len(packet) + row.get("left_out", 0) == 12 + int.from_bytes(packet[6:10], "big")
    assert packets[0][12:] == bytes([1, 4, 0, 0, 0])
    assert any(b"#ADF" in p for p in packets), "INFO and CAPA are in it"

    left = [r for r in scan if "left_out" in r]
    assert sum(r["left_out"] for r in left) == sum(map(len, pages))
    assert left[0]["sha256"] == hashlib.sha256(pages[0][:613]).hexdigest()
    text = open(path, encoding="ascii").read()
    for page in pages:
        for at in range(0, len(page) - 16, 500):
            assert page[at:at + 16].hex() not in text, "a piece of a picture"
    stored = [os.path.join(house.data, "traces", name) for name in os.listdir(os.path.join(house.data, "traces"))]
    assert {stat.S_IMODE(os.stat(name).st_mode) for name in stored} == {0o600}
    assert stat.S_IMODE(os.stat(os.path.join(house.data, "traces")).st_mode) == 0o700


def test_a_trace_is_played_again(house, pages, tmp_path):
    with Device(next(addresses), house.scan_port, pages=pages) as device:
        _, path, batch = record(house, device, tmp_path)
    assert pages_of(house, batch) == [hashed(page) for page in pages]
    device, again = play(house, path, pages=pages)
    assert device.differences == [], "the server said the same, byte for byte"
    assert again["state"] == "done" and pages_of(house, again) == pages_of(house, batch)
    device, made = play(house, path)
    assert device.differences == []
    assert made["state"] == "done" and pages_of(house, made) == [hashed(page) for page in device.pages]
    assert [n for n, _ in pages_of(house, made)] == [len(page) for page in pages]


def test_a_broken_scan_breaks_again(house, pages, tmp_path):
    manner = Manner(fault="cause", cause=b"DFED", fault_page=2)
    with Device(next(addresses), house.scan_port, pages=pages, manner=manner) as device:
        _, path, batch = record(house, device, tmp_path)
    assert batch["reason"]["code"] == "double-feed"
    device, again = play(house, path)
    assert device.differences == []
    assert again["reason"]["code"] == "double-feed" and again["pages"] == batch["pages"] == 1


def test_both_sides_in_turn_are_played_again(house, pages, tmp_path):
    house.configure(dpi=75, sides="two")
    try:
        manner = Manner(two_sided=True, in_turn=True)
        fed = pages[:2]
        with Device(next(addresses), house.scan_port, epson_models.FF680W, fed, manner) as device:
            _, path, batch = record(house, device, tmp_path)
            assert device.complaints == []
        assert batch["state"] == "done" and batch["pages"] == 2
        device, again = play(house, path, pages=fed)
        assert device.differences == [] and pages_of(house, again) == pages_of(house, batch)
    finally:
        house.configure(dpi=75, sides="one")


def test_tls_is_recorded_in_clear(house, pages, tmp_path):
    tls, _ = certificate(tmp_path, "ET-4950")
    with Device(next(addresses), house.scan_port, pages=pages, manner=Manner(tls=tls)) as device:
        rows, path, batch = record(house, device, tmp_path)
    assert batch["state"] == "done"
    assert [r["text"] for r in rows if r.get("event") == "connected" and r["on"] == "scan"] == ["TLSv1.3"]
    assert [r for r in rows if r.get("says", "").startswith("from it INFOx")]
    device, again = play(house, path, pages=pages, tls=tls)
    assert device.differences == [] and pages_of(house, again) == pages_of(house, batch)


def test_an_older_device_is_recorded_and_played(house, tmp_path):
    address = next(addresses)
    with esci_device.EsciDevice(address, house.scan_port, 1, esci_device.EsciManner()) as device:
        rows, path, batch = record(house, device, tmp_path)
        assert device.complaints == []
    assert batch["state"] == "done"
    said = [r["says"] for r in rows if r.get("on") == "scan" and "says" in r]
    assert "to it FS G" in said and "to it FS I" in said
    left = [r for r in rows if "left_out" in r]
    assert left and all(r["tail"] == "00" for r in left), "the status behind each block is kept"
    device, again = play(house, path)
    assert device.differences == []
    assert again["state"] == "done" and [n for n, _ in pages_of(house, again)] == [
        n for n, _ in pages_of(house, batch)]


def test_a_trace_that_ends_in_a_packet(house, pages, tmp_path):
    """What came of it is there and marked; played again, the device hangs up in the same place."""
    manner = Manner(fault="half-packet", fault_page=2)
    with Device(next(addresses), house.scan_port, pages=pages, manner=manner) as device:
        device_id = register(house, device)
        trace = begin(house, device_id)
        device.press(("127.0.0.1", house.tcp_port))
        common.wait_until(lambda: "half" in device.talks, "half a packet")
        device.register(("127.0.0.1", house.udp_port))  # who answers this has read that
        path, rows = fetch(house, trace, tmp_path)
        house.cli("batch", "cancel", house.batches(device_id)[0]["id"])
    assert [r["t"] for r in rows if r.get("cut")] == [rows[-2]["t"]]
    cut = bytes.fromhex(rows[-2]["hex"])
    assert (rows[-2]["dir"], rows[-2]["on"]) == ("p>h", "scan") and rows[-1]["text"] == "stopped"
    assert int.from_bytes(cut[6:10], "big") == 64 and len(cut) == 12 + 32 and cut[12:16] == b"IMG "
    assert not [r for r in rows if r.get("on") == "scan" and r.get("event") == "closed"]
    device, again = play(house, path)
    assert device.differences == []
    assert again["reason"]["code"] == "connection-lost" and again["pages"] == 1


def test_job_control_is_recorded_and_played(house, tmp_path):
    """Of version 3: the device asks for the jobs and Start names one, with job control before each answer."""
    model, page = epson_models.FF680W, [epson_models.ff680w_page()]
    to = ("127.0.0.1", house.tcp_port)
    with Device(next(addresses), house.scan_port, model, page) as device:
        device.version = "3.00"
        device_id = register(house, device)
        trace = begin(house, device_id)
        device.register(("127.0.0.1", house.udp_port))
        device.ask_jobs(to)
        device.press(to, job=0)
        batch = house.settled_batch(device_id)
        path, rows = fetch(house, trace, tmp_path)
        assert device.complaints == [] and batch["state"] == "done"
        answers = device.responses
    said = [r["says"].split(" ..")[0] for r in rows if r.get("on") == "job" and "says" in r]
    assert len([s for s in said if s.startswith("job control reply")]) == 2
    _, conversations, datagrams = trace_device.read_trace(path)
    assert [c.channel for c in conversations] == ["panel", "job", "panel", "job", "scan"]
    with trace_device.TraceDevice(next(addresses), house.scan_port, conversations, datagrams, pages=page) as device:
        device_id = register(house, device)
        for which in range(2):
            device.press(to, which)
        again = house.settled_batch(device_id)
        assert device.finished.wait(common.PATIENCE_S), "not the whole trace was played"
    assert [b"".join(line.bytes for line in c.lines if not line.from_device)
            for c in conversations if c.channel == "panel"] == answers
    assert device.differences == []
    assert again["state"] == "done" and pages_of(house, again) == pages_of(house, batch) == [hashed(page[0])]


def test_a_device_at_ipv6_is_recorded_and_played(pages, tmp_path):
    with running({"devices": {"device_address": "127.0.0.1, ::1"}}, job={"dpi": 75}) as house:
        house.cli("device", "add", "::1", "--job-group", "Everyone", "--transport", "plain")
        device_id = house.devices()["::1"]["id"]

        def pressed(device):
            seen = [b["id"] for b in house.batches(device_id)]
            device.press(("::1", house.tcp_port))
            return house.settled_batch(device_id, seen)

        with Device("::1", house.scan_port, pages=pages) as device:
            trace = begin(house, device_id)
            batch = pressed(device)
            path, rows = fetch(house, trace, tmp_path)
            assert device.complaints == [] and batch["state"] == "done"
        assert rows[0]["address"] == "::1"
        _, conversations, _ = trace_device.read_trace(path)
        assert [c.channel for c in conversations] == ["panel", "scan"]
        with trace_device.TraceDevice("::1", house.scan_port, conversations, pages=pages) as device:
            again = pressed(device)
            assert device.finished.wait(common.PATIENCE_S), "not the whole trace was played"
        assert device.differences == []
        assert again["state"] == "done" and pages_of(house, again) == pages_of(house, batch)


def test_with_pages_everything_is_in_it(house, pages, tmp_path):
    with Device(next(addresses), house.scan_port, pages=pages) as device:
        rows, path, batch = record(house, device, tmp_path, "--pages")
    assert rows[0]["pages"] is True and not [r for r in rows if "left_out" in r]
    text = "".join(r["hex"][24:] for r in rows if r.get("on") == "scan" and r.get("dir") == "p>h" and
                   bytes.fromhex(r["hex"])[12:16] != b"IMG ")
    for page in pages:
        assert page[:613].hex() in text and page[613:].hex() in text
    device, again = play(house, path)
    assert device.differences == [] and pages_of(house, again) == pages_of(house, batch)


def test_a_device_that_is_not_reached(house, tmp_path):
    with Device(next(addresses), house.scan_port) as device:
        device_id = register(house, device)
        device.stop_listening()
        trace = begin(house, device_id)
        batch = press_and_settle(house, device, device_id)
        assert batch["reason"]["code"] == "connect-failed"
        _, rows = fetch(house, trace, tmp_path)
    events = [(r["event"], r.get("text", "")) for r in rows if r.get("on") == "scan"]
    names = [name for name, _ in events]  # it may be tried more than once
    assert len(names) >= 3 and names == ["opened", "ended", "closed"] * (len(names) // 3)
    assert "refused" in events[1][1]


def test_what_is_no_protocol_is_shown_by_its_beginning(house, tmp_path):
    manner = Manner(fault="garbage-welcome")
    with Device(next(addresses), house.scan_port, manner=manner) as device:
        rows, _, batch = record(house, device, tmp_path)
    assert batch["reason"]["code"] == "protocol-error"
    said = [r for r in rows if r.get("on") == "scan" and r.get("dir") == "p>h"]
    assert 12 <= sum(len(r["hex"]) // 2 for r in said) <= 12 + 256
    assert sum(len(r["hex"]) // 2 + r.get("left_out", 0) for r in said) > 256


@pytest.mark.parametrize("name, product", [("esci2-et2750-flatbed-inquiry", "PID 112A"),
                                           ("esci2-ff680w-adf-duplex-frame", "FF-680W"),
                                           ("esci2-xp7100-adf-duplex-frame", "PID 1147")])
def test_captured_frames_are_played_as_far_as_they_go(house, name, product):
    """They hold no PARA of ours: identity and abilities are understood, then nothing follows."""
    frames = [trace_device.frames(name)]
    with trace_device.TraceDevice(next(addresses), house.scan_port, frames, look_up=True) as device:
        house.cli("device", "add", device.address, "--job-group", "Everyone", "--transport", "plain")
        done = platen(house, "scan", "--device", device.address, "--job", "Scan", "--wait")
        assert done.returncode == 1 and "lost" in done.stdout, done.stdout + done.stderr
        shown = next(d for d in house.show("device", "list") if d["address"] == device.address)
        assert shown["product"] == product
        assert house.show("device", "show", shown["id"])["offer"]
        assert device.differences[0][0] == "nothing like it"


# --- bounds ------------------------------------------------------------------------------------------------


def test_one_trace_of_a_device_and_four_in_all(house, tmp_path):
    devices = [Device(next(addresses), house.scan_port) for _ in range(5)]
    ids = [register(house, device) for device in devices]
    running_ones = [begin(house, i) for i in ids[:4]]
    done = platen(house, "device", "trace", ids[0])
    assert done.returncode == 1 and f"platen trace stop {running_ones[0]}" in done.stderr
    done = platen(house, "device", "trace", ids[4])
    assert done.returncode == 1 and "4 traces run already" in done.stderr
    states = {t["id"]: t["state"] for t in house.show("trace", "list")}
    assert [states[t] for t in running_ones] == ["running"] * 4
    done = platen(house, "trace", "delete", running_ones[0])
    assert done.returncode == 1 and "still runs" in done.stderr
    for trace in running_ones:
        house.cli("trace", "stop", trace)
    done = platen(house, "trace", "stop", running_ones[0])
    assert done.returncode == 1 and "has ended" in done.stderr
    house.cli("trace", "delete", running_ones[0])
    done = platen(house, "trace", "get", running_ones[0], "--output", str(tmp_path / "none"))
    assert done.returncode == 1 and "there is no trace" in done.stderr and not os.listdir(tmp_path)
    status, answer = house.api("POST", f"/api/v1/devices/{ids[0]}/trace", {"for_s": 0})
    assert status == 400 and answer["field"] == "for_s"
    done = platen(house, "device", "trace", ids[0], "--for", "soon")
    assert done.returncode == 2 and "10m" in done.stderr
    for device in devices:
        device.close()


def test_a_trace_ends_by_time(house, tmp_path):
    with Device(next(addresses), house.scan_port) as device:
        trace = begin(house, register(house, device), "--for", "1s")
        common.wait_until(lambda: house.api("GET", f"/api/v1/traces/{trace}")[1]["state"] == "ended", "its end")
    rows = [json.loads(line) for line in house.cli("trace", "get", trace).splitlines()]
    assert rows[-1]["text"] == "time" and 1000 <= rows[-1]["t"] < 10000


def test_a_trace_that_is_refused_makes_no_room():
    """Beside three that run there is room for one more, or for what is kept."""
    with running({"limits": {"traces_mib": 4}}) as house, contextlib.ExitStack() as stack:
        devices = [stack.enter_context(Device(next(addresses), house.scan_port)) for _ in range(3)]
        ids = [register(house, device) for device in devices]
        kept = begin(house, ids[0])
        house.cli("trace", "stop", kept)
        for i in ids:
            begin(house, i)
        done = platen(house, "device", "trace", ids[0], "--pages")
        assert done.returncode == 1 and "traced already" in done.stderr
        assert kept in {t["id"] for t in house.show("trace", "list")}
        begun = house.database().execute("SELECT count(*) FROM audit WHERE action = 'device.trace'").fetchone()
        assert begun == (4,)


def test_a_trace_has_a_largest_size_and_the_scan_goes_on(pages, tmp_path):
    big = [page[:-2] + bytes(700_000) + page[-2:] for page in pages]
    with running({"limits": {"traces_mib": 4}}, job={"dpi": 75}) as house:
        with Device(next(addresses), house.scan_port, pages=big) as device:
            device_id = register(house, device)
            made = [begin(house, device_id, "--pages")]
            batch = press_and_settle(house, device, device_id)
            assert batch["state"] == "done", batch["reason"]
            assert pages_of(house, batch) == [hashed(page) for page in big]
            states = {t["id"]: t for t in house.show("trace", "list")}
            assert states[made[0]]["state"] == "ended" and states[made[0]]["size_bytes"] <= MIB + 4096
            assert '"text":"size"' in house.cli("trace", "get", made[0]).splitlines()[-1]
            for _ in range(8):  # what is older makes room
                made.append(begin(house, device_id, "--pages"))
                press_and_settle(house, device, device_id)
                kept = [t["id"] for t in house.show("trace", "list")]
                assert made[-1] in kept and sum(t["size_bytes"] for t in house.show("trace", "list")) <= 4 * MIB
            assert made[0] not in kept


def test_traces_expire_and_end_with_the_server(pages):
    with running({"retention": {"keep_traces_days": 2}}) as house:
        with Device(next(addresses), house.scan_port, pages=pages) as device:
            device_id = register(house, device)
            trace = begin(house, device_id)
            folder = os.path.join(house.data, "traces")
            name, = os.listdir(folder)
            old = "01h00000000000000000000000" + name[26:]
            with open(os.path.join(folder, old), "w", encoding="ascii"):
                pass
            with open(os.path.join(folder, "notes.txt"), "w", encoding="ascii"):
                pass
            assert [t["id"] for t in house.show("trace", "list")] == [trace, old[:26]]
            house.stop()
            with open(os.path.join(folder, name), encoding="ascii") as f:
                assert json.loads(f.readlines()[-1])["text"] == "server-stopping"
            house.start()
            common.wait_until(lambda: not os.path.exists(os.path.join(folder, old)), "the expiry")
            assert sorted(os.listdir(folder)) == sorted([name, "notes.txt"])
            assert [t["state"] for t in house.show("trace", "list")] == ["ended"]


def test_a_trace_leaves_a_row_for_auditors(house):
    with Device(next(addresses), house.scan_port) as device:
        device_id = register(house, device)
        trace = begin(house, device_id, "--pages")
        house.cli("trace", "stop", trace)
        house.cli("trace", "delete", trace)
    with house.database() as db:
        rows = db.execute("SELECT action, detail FROM audit WHERE object_id = ? ORDER BY id DESC LIMIT 3",
                          (device_id,)).fetchall()
    assert rows == [("trace.delete", trace), ("trace.stop", trace), ("device.trace", "with pages")]
