"""test_ipv6.py - devices at addresses of IPv6: global ones and link-local ones, with their zone.

The server and the devices are in networks of their own, joined by a cable, with both families on it."""

import contextlib
import json
import os
import subprocess

import pytest

import common
import sane_peer
from served import SANITIZERS, House, pdf_pages, seconds
from test_tls import certificate

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "data", "pages", "page-1.jpg")
HERE_V4, HERE_V6, HERE_LOCAL = "10.77.0.1", "fd00:77::1", "fe80::1"  # cable0
V4, GLOBAL, LOCAL = "10.77.0.2", "fd00:77::2", "fe80::2"             # cable1
SEEN_LOCAL = LOCAL + "%cable0"  # as the server sees it


class Cable:
    """Two networks joined by a cable: the server's and one with devices."""

    def __init__(self):
        self.here, self.there = common.Namespace(), common.Namespace()
        self.run(self.here, "ip link add cable0 type veth peer name cable1 netns "
                 f"{self.there.holder.pid}")
        for space, name, own in ((self.here, "cable0", 1), (self.there, "cable1", 2)):
            self.run(space, f"ip link set {name} addrgenmode none", f"ip link set {name} up",
                     f"ip addr add 10.77.0.{own}/24 dev {name}",
                     f"ip addr add fd00:77::{own}/64 dev {name} nodad",
                     f"ip addr add fe80::{own}/64 dev {name} nodad")

    def run(self, space, *commands):
        for command in commands:
            done = space.run(*command.split())
            assert done.returncode == 0, (command, done.stderr)

    def add(self, address, space=None, name="cable1"):
        self.run(space or self.there, f"ip addr add {address}/64 dev {name} nodad")

    def close(self):
        self.here.close()
        self.there.close()


class Far:
    """A device at the other end of the cable. In the end nobody may have complained."""

    def __init__(self, cable, address, port, serial, tls=()):
        own = address + "%cable1" if address.startswith("fe80:") else address
        self.program = common.Program("/usr/bin/python3", os.path.join(HERE, "far_device.py"), own,
                                      str(port), serial, PAGE, *tls, namespace=cable.there,
                                      stdin=subprocess.PIPE)
        self.program.wait_line("ready")

    def ask(self, *words):
        self.program.process.stdin.write(" ".join(words) + "\n")
        self.program.process.stdin.flush()
        line = self.program.unread.get(timeout=common.PATIENCE_S)
        assert line is not None, self.program.errors
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        with self.program:
            if kind is None:
                assert self.ask("state")["complaints"] == []
            self.program.process.stdin.close()
            self.program.wait_exit()


@pytest.fixture(scope="module")
def cable():
    made = Cable()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def house(cable):
    made = House({"devices": {"device_address": "0.0.0.0, ::", "identify": "true",
                              "snmp_port": 1161}},
                 namespace=cable.here)
    try:
        made.start()
        made.configure()
        yield made
        made.stop()
    finally:
        made.remove()


serials = (f"X5EW66{i:04}" for i in range(10000))


@contextlib.contextmanager
def far(cable, house, address, **more):
    """A device that is forgotten afterwards."""
    with Far(cable, address, house.scan_port, next(serials), **more) as device:
        yield device
    for row in house.devices().values():
        house.cli("device", "delete", row["id"])


def fails(house, *words):
    done = house.namespace.run(*house.nobody, house.program("platen"), *words, text=True,
                               env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": house.socket})
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def added(house, address):
    house.cli("device", "add", address, "--job-group", "Everyone")
    return house.devices()


def assert_delivered(house, batch, page=PAGE):
    assert batch["state"] == "done", batch
    with open(page, "rb") as f:
        assert pdf_pages(house.delivered_file(batch["id"], ".pdf")) == [f.read()]


def pulled(house, id_):
    before = [b["id"] for b in house.batches(id_)]
    house.cli("scan", "--device", id_, "--job", "Scan")
    return house.settled_batch(id_, before)


def pressed(house, device, id_, host):
    before = [b["id"] for b in house.batches(id_)]
    assert device.ask("press", host, str(house.tcp_port)) == {"ok": True, "end": []}
    return house.settled_batch(id_, before)


BOTH = pytest.mark.parametrize("address,seen", [(GLOBAL, GLOBAL), (LOCAL, SEEN_LOCAL)],
                               ids=["global", "link-local"])


# ---- scans go there ----------------------------------------------------------------------------

@BOTH
def test_a_device_that_was_added(cable, house, address, seen):
    with far(cable, house, address) as device:
        row = added(house, seen.upper().replace("%CABLE0", "%cable0"))[seen]
        common.wait_until(lambda: house.devices()[seen]["serial"], "its serial number")
        assert_delivered(house, pulled(house, row["id"]))
        assert house.show("device", "show", seen)["id"] == row["id"]
        assert device.ask("state")["commands"][:3] == ["INFO", "CAPA", "FIN"]
        assert house.show("device", "show", row["id"])["offer"]


@BOTH
def test_certificates_are_pinned(cable, house, address, seen, tmp_path):
    _, first = certificate(tmp_path, "first")
    _, second = certificate(tmp_path, "second")
    with far(cable, house, address, tls=(tmp_path / "first.pem", tmp_path / "first.key")):
        id_ = added(house, seen)[seen]["id"]
        assert_delivered(house, pulled(house, id_))
        assert house.show("device", "show", id_)["certificate"] == first
    with Far(cable, address, house.scan_port, next(serials),
             tls=(tmp_path / "first.pem", tmp_path / "first.key")) as device:
        id_ = added(house, seen)[seen]["id"]
        assert_delivered(house, pulled(house, id_))
        assert device.ask("state")["complaints"] == []
    with far(cable, house, address, tls=(tmp_path / "second.pem", tmp_path / "second.key")) as device:
        batch = pulled(house, id_)
        assert (batch["state"], batch["reason"]["code"]) == ("broken", "certificate-changed")
        assert device.ask("state")["commands"] == []
        assert house.show("device", "show", id_)["certificate"] == first != second


def test_an_interface_that_is_not_there(cable, house):
    assert 'no network interface "cable9"' in fails(house, "device", "add", "fe80::2%cable9")
    assert 'no network interface "cable9"' in fails(house, "device", "discover", "--no-broadcast",
                                                    "fe80::2%cable9")
    assert "fe80::17%eth0" in fails(house, "device", "add", LOCAL)
    assert "not the address of one device" in fails(house, "device", "add", "ff02::1%cable0")
    # It goes after the device was added: a scan says that it cannot connect.
    cable.run(cable.here, "ip link add gone0 type veth peer name gone1")
    id_ = added(house, "fe80::7%gone0")["fe80::7%gone0"]["id"]
    cable.run(cable.here, "ip link delete gone0")
    batch = pulled(house, id_)
    assert (batch["state"], batch["reason"]["code"]) == ("broken", "connect-failed")
    house.cli("device", "delete", id_)


# ---- Start comes from there --------------------------------------------------------------------

@pytest.mark.parametrize("address,seen,to", [
    (GLOBAL, GLOBAL, HERE_V6), (LOCAL, SEEN_LOCAL, HERE_LOCAL + "%cable1")],
    ids=["global", "link-local"])
def test_start(cable, house, address, seen, to):
    with far(cable, house, address) as device:
        assert not device.ask("press", to, str(house.tcp_port))["ok"], "it is not approved"
        assert house.devices()[seen]["state"] == "seen"
        id_ = house.approve(seen)
        assert_delivered(house, pressed(house, device, id_, to))
        assert_delivered(house, pressed(house, device, id_, to))
        assert set(house.devices()) == {seen}, "one device, one row"
        assert f"device={seen} " in house.log_text()


def test_mapped_addresses_are_those_of_ipv4(cable, house):
    """Neither a row nor a press of ::ffff:10.77.0.2 is another device than 10.77.0.2."""
    with far(cable, house, V4) as device:
        assert set(added(house, "::ffff:10.77.0.2")) == {V4}
        assert "10.77.0.2" in fails(house, "device", "add", "10.77.0.2")
        id_ = house.devices()[V4]["id"]
        assert_delivered(house, pressed(house, device, id_, "::ffff:10.77.0.1"))
        assert set(house.devices()) == {V4}


def test_a_device_that_changes_its_address(cable, house):
    """From link-local to global, to IPv4 and back: it is the same device."""
    serial, places = next(serials), (("fd00:77::a", HERE_V6), ("10.77.0.10", HERE_V4),
                                     ("fe80::b", HERE_LOCAL + "%cable1"))
    cable.run(cable.there, "ip addr add 10.77.0.10/24 dev cable1")
    cable.add("fd00:77::a")
    cable.add("fe80::b")
    with Far(cable, LOCAL, house.scan_port, serial):
        id_ = added(house, SEEN_LOCAL)[SEEN_LOCAL]["id"]
        common.wait_until(lambda: house.devices()[SEEN_LOCAL]["serial"] == serial, "its number")
    for address, to in places:  # each is new: one address is not asked twice in ten seconds
        with Far(cable, address, house.scan_port, serial) as device:
            assert_delivered(house, pressed(house, device, id_, to))
    assert {a: d["id"] for a, d in house.devices().items()} == {"fe80::b%cable0": id_}
    moves = [e["text"] for e in house.show("event", "list", "--after", "0", "--limit", "1000")
             if e["kind"] == "device.moved" and e["device"] == id_]
    assert sorted(moves) == sorted([f"{SEEN_LOCAL} -> fd00:77::a", "fd00:77::a -> 10.77.0.10",
                                    "10.77.0.10 -> fe80::b%cable0"])
    house.cli("device", "delete", id_)


# ---- finding and adding many -------------------------------------------------------------------

def test_ranges(cable, house):
    with far(cable, house, GLOBAL), contextlib.ExitStack() as stack:
        cable.add("fd00:77::6")
        stack.enter_context(Far(cable, "fd00:77::6", house.scan_port, "X5EW667700"))
        stack.enter_context(Far(cable, LOCAL, house.scan_port, "X5EW667701"))
        found = {f["address"]: f for f in house.show(
            "device", "discover", "--no-broadcast", "fd00:77::/125", "fe80::2%cable0-fe80::3")}
        assert set(found) == {GLOBAL, "fd00:77::6", SEEN_LOCAL}
        assert found["fd00:77::6"]["serial"] == "X5EW667700"
        assert found[SEEN_LOCAL]["serial"] == "X5EW667701"
        for large in ("fd00:77::/64", "fd00:77::-fd00:77::ffff"):
            words = fails(house, "device", "discover", "--no-broadcast", large)
            assert "more than 256 addresses" in words and "/120" in words


def test_a_table(cable, house, tmp_path):
    table = tmp_path / "devices.csv"
    table.write_text(f"name;address;job_group\nHall;FD00:77:0::2;Everyone\n"
                     f"Office;{SEEN_LOCAL};\nShop;::ffff:10.77.0.2;\nAgain;{GLOBAL};\nAttic;{LOCAL};\n")
    with far(cable, house, GLOBAL), Far(cable, LOCAL, house.scan_port, next(serials)):
        words = fails(house, "device", "import", str(table))
        assert set(house.devices()) == {GLOBAL, SEEN_LOCAL, V4}
        assert "line 5" in words and "line 6" in words and "fe80::17%eth0" in words
        assert_delivered(house, pulled(house, house.devices()[GLOBAL]["id"]))


# ---- many addresses of one host ----------------------------------------------------------------

TRIES = 10  # wrong tokens of one source in a minute
CROWD = "fd00:77:0:9::"  # a /64 behind the other end of the cable
HOLD = """
import itertools, socket, sys, threading, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def hold(i):
    s = socket.socket(socket.AF_INET6)
    s.bind((f"fd00:77:0:9::{i + 16:x}", 0))
    s.connect((host, port))
    s.send(b"POST /PushScan HTTP/1.0\\r\\nContent-Length : 9\\r\\n\\r\\n<")
    return s

def again():  # who has waited too long is dropped by the server, and comes again
    for i in itertools.cycle(range(count)):
        held[i].close()
        held[i] = hold(i)
        time.sleep(0.01)

held = [hold(i) for i in range(count)]
threading.Thread(target=again, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def crowd(cable):
    added_all = cable.there.run("ip", "-batch", "-", text=True, input="".join(
        f"addr add {CROWD}{i:x}/128 dev lo nodad\n" for i in [2, *range(16, 316)]))
    assert added_all.returncode == 0, added_all.stderr
    cable.run(cable.here, f"ip -6 route add {CROWD}/64 via {GLOBAL}")


def connections(house):
    """How many of the crowd the server holds."""
    said = house.namespace.run("ss", "-Htn", "state", "established", "sport", "=",
                               f":{house.tcp_port}", text=True)
    return said.stdout.count("[" + CROWD)


def test_a_crowd_of_addresses_keeps_nobody_out(cable, house, crowd):
    """Half-sent presses from 300 addresses of one /64: they have a share, others and even their
    neighbours are served."""
    with far(cable, house, GLOBAL) as good, contextlib.ExitStack() as stack:
        others = [(good, GLOBAL, HERE_V6)]
        for address, to in ((V4, HERE_V4), (CROWD + "2", HERE_V6)):
            device = stack.enter_context(Far(cable, address, house.scan_port, next(serials)))
            others.append((device, address, to))
        ids = {address: added(house, address)[address]["id"] for _, address, _ in others}
        with common.Program("/usr/bin/python3", "-c", HOLD, HERE_V6, str(house.tcp_port), "300",
                            namespace=cable.there, stdin=subprocess.PIPE) as held:
            held.wait_line("ready")
            common.wait_until(lambda: connections(house) <= 192, "the share of a network")
            assert connections(house) > 64, "the crowd has no connections: it tests nothing"
            for device, address, to in others:
                took, batch = seconds(lambda d=device, a=address, t=to: pressed(house, d, ids[a], t))
                assert_delivered(house, batch)
                assert took < 5, address
                assert seconds(lambda: house.api("GET", "/api/v1/devices")[0])[1] == 200
            assert connections(house) > 64
            held.process.stdin.close()
            held.wait_exit()


def test_wrong_tokens_of_a_crowd(cable, crowd):
    """Are counted together; another network is not held up."""
    made = House({"http": {"http_address": HERE_V6}}, namespace=cable.here)

    def said(address):
        return cable.there.run("curl", "-sk", "--interface", address, "-H", "Authorization: Bearer no",
                               f"https://[{HERE_V6}]:{made.https_port}/api/v1/devices", text=True).stdout
    try:
        made.start()
        common.wait_until(lambda: said(GLOBAL), "the listener")
        answers = [said(f"{CROWD}{i:x}") for i in range(16, 16 + TRIES + 1)]
        assert all("not known" in a for a in answers[:TRIES]), answers
        assert f"too many wrong tokens came from {CROWD}{16 + TRIES:x}" in answers[TRIES]
        assert "not known" in said(GLOBAL)
        made.stop()
    finally:
        made.remove()


# ---- the API -----------------------------------------------------------------------------------

def test_the_api_listens_on_ipv6(cable):
    made = House({"http": {"http_address": f"127.0.0.1, [::1], {HERE_V6}, {HERE_LOCAL}%cable0"},
                  "devices": {"device_address": "::1"}}, namespace=cable.here)
    try:
        made.start()
        made.configure()
        pem = os.path.join(made.data, "tls-certificate.pem")
        token = os.path.join(made.top, "token")
        with open(token, "w", encoding="utf-8") as f:
            f.write(made.cli("token", "create", "far"))
        for host in ("127.0.0.1", "[::1]"):
            done = cable.here.run(made.program("platen"), "job", "list", "--server",
                                  f"https://{host}:{made.https_port}", "--ca", pem, "--token-file",
                                  token, text=True,
                                  env={**SANITIZERS, **os.environ})
            assert done.returncode == 0 and "Scan" in done.stdout, done.stderr
        for host in (HERE_V6, HERE_LOCAL + "%25cable1"):
            done = cable.there.run("curl", "-sk", f"https://[{host}]:{made.https_port}/health",
                                   text=True)
            assert done.returncode == 0 and '"ok"' in done.stdout, (done.stdout, done.stderr)
        made.stop()
    finally:
        made.remove()


# ---- the virtual device ------------------------------------------------------------------------

@pytest.mark.parametrize("first,seen,server", [
    ("fd00:77::fffe", ("fd00:77::fffe", "fd00:77::ffff", "fd00:77::1:0"), HERE_V6),
    ("fe80::ff%cable1", ("fe80::ff%cable0", "fe80::100%cable0", "fe80::101%cable0"),
     HERE_LOCAL + "%cable1")], ids=["global", "link-local"])
def test_virtual_devices(cable, house, tmp_path, first, seen, server):
    """Three of them, on addresses counted up; each presses Start by itself."""
    for address in seen:
        cable.add(address.partition("%")[0])
        added(house, address)
    ids = {address: house.devices()[address]["id"] for address in seen}
    fed, = common.make_pictures(tmp_path / "pages", 1, 320, 440)
    mfp = common.start_mfp(
        "--pages", tmp_path / "pages", "--address", first, "--count", 3, "--serial", "VIRT01",
        "--port", house.scan_port, "--destination", f"Platen=[{server}]:{house.tcp_port}",
        "--press", "Platen:02", "--exit-after", 1, namespace=cable.there)
    with mfp:
        for id_ in ids.values():
            assert_delivered(house, house.settled_batch(id_), fed)
        assert mfp.wait_exit() == 0, mfp.errors
        host, _, zone = server.partition("%")
        assert f'destination name="Platen" address={server} port={house.tcp_port} device={first}' in mfp.lines
        assert {line.split("client=")[1].split("]")[0] for line in mfp.lines
                if line.startswith("scan-begin")} == {f"[{host}{'%' if zone else ''}{zone}"}
    assert {house.devices()[a]["serial"] for a in seen} == {"VIRT01", "VIRT02", "VIRT03"}
    for id_ in ids.values():
        house.cli("device", "delete", id_)


@pytest.mark.parametrize("address,url", [
    (GLOBAL, f"http://[{GLOBAL}]:"), (LOCAL + "%cable1", f"http://[{LOCAL}%25cable1]:")],
    ids=["global", "link-local"])
def test_the_panel_of_a_virtual_device(cable, house, tmp_path, address, url):
    common.make_pictures(tmp_path / "pages", 1, 320, 440)
    with common.start_mfp("--pages", tmp_path / "pages", "--address", address, "--panel-port", 0,
                          "--port", house.scan_port, "--destination",
                          f"Platen=[{HERE_V6}]:{house.tcp_port}", namespace=cable.there) as mfp:
        assert mfp.ready["panel"].startswith(url)
        state = json.loads(cable.there.run("curl", "-s", mfp.ready["panel"] + "/state").stdout)
        assert state["destinations"] == [{"name": "Platen", "address": HERE_V6,
                                          "port": house.tcp_port}]


@BOTH
def test_pairing(cable, house, tmp_path, address, seen):
    """A scanner with only a button, by SNMP over IPv6; then its button starts a job."""
    own = address + "%cable1" if address == LOCAL else address
    server = HERE_LOCAL + "%cable1" if address == LOCAL else HERE_V6
    fed, = common.make_pictures(tmp_path / "pages", 1, 320, 440)
    with common.start_mfp("--pages", tmp_path / "pages", "--address", own, "--port", house.scan_port,
                          "--model", "FF-680W", "--button", "--snmp-port", 1161,
                          "--destination", f"Platen=[{server}]:{house.tcp_port}", "--press", "Platen", "--announce-every", 1,
                          "--serial", next(serials), namespace=cable.there) as mfp:
        id_ = added(house, seen)[seen]["id"]
        house.cli("device", "pair", id_)
        mfp.wait_line('paired name="Platen"')
        common.wait_until(lambda: (house.show("device", "show", id_).get("pairing") or {}).get("state")
                          == "paired", "the pairing")
        assert_delivered(house, house.settled_batch(id_), fed)
        house.cli("device", "delete", id_)


RELAY = """
import socket, threading
door = socket.create_server(("127.0.0.1", 1865))
print("ready", flush=True)

def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)

while True:
    near = door.accept()[0]
    far = socket.create_connection(("::1", 1865))
    for ends in ((near, far), (far, near)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
"""


def test_sane_through_a_relay(tmp_path):
    """SANE 1.2 itself knows IPv4 only (sanei_tcp_open); what the scan port says at ::1 is judged by it
    all the same."""
    net, sane, folder = common.Namespace(), tmp_path / "sane.d", tmp_path / "fed"
    sane.mkdir()
    (sane / "dll.conf").write_text("epsonds\n")
    (sane / "epsonds.conf").write_text("net 127.0.0.1\n")
    fed, = common.make_pictures(folder, 1, *sane_peer.SIZE)
    try:
        with common.start_mfp("--pages", folder, "--address", "::1", namespace=net) as mfp, \
                common.Program("/usr/bin/python3", "-c", RELAY, namespace=net) as relay:
            relay.wait_line("ready")
            done = sane_peer.scanimage(net, sane, "-d", sane_peer.DEVICE, *sane_peer.AREA, "--mode",
                                       "Color", "--format=pnm", "-o", str(tmp_path / "got.pnm"))
            assert done.returncode == 0, done.stderr
            sane_peer.assert_same(str(tmp_path / "got.pnm"), fed)
            assert mfp.wait_line("scan-begin").startswith("scan-begin client=[::1]:")
            mfp.wait_line("scan-end pages=1 outcome=done")
            relay.process.kill()
            relay.process.wait()
            relay.process.returncode = 0
    finally:
        net.close()
