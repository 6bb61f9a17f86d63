"""test_doctor.py - what the doctor finds, with the real kernel: networks, files and devices are broken and mended, and
each finding is there and gone. What a kernel cannot be brought to say is in tests/unit/test-doctor.c."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile

import pytest

import common
import epson_models
from epson_device import Device
from served import SANITIZERS, House, running
from test_panel_names import Lan
from test_tls import certificate

PYTHON = "/usr/bin/python3"
HOLD = """
import socket, sys
s = socket.socket(socket.AF_INET, getattr(socket, sys.argv[1]))
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if sys.argv[3]:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[3].encode())
s.bind(("0.0.0.0", int(sys.argv[2])))
if sys.argv[1] == "SOCK_STREAM":
    s.listen()
print("held", flush=True)
sys.stdin.read()
"""


def doctor(house, *words):
    """What `platen doctor` did."""
    return subprocess.run(
        house._command(*house.nobody, house.program("platen"), "doctor", *words), capture_output=True,
        text=True, timeout=common.PATIENCE_S, check=False,
        env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": house.socket})


def findings(house):
    """{name: the findings of this name}; the exit code says whether there are any."""
    done = doctor(house, "--json")
    report = json.loads(done.stdout)
    assert done.stderr == ""
    assert done.returncode == (0 if report["ok"] else 1)
    assert report["ok"] == all(item["level"] == "info" for item in report["items"])
    found = {}
    for item in report["items"]:
        assert item["what"] and item["cure"] and item["level"] in ("info", "warning", "error")
        found.setdefault(item["name"], []).append(item)
    return found


def only(house, name, where=None):
    """The only finding there is."""
    found = findings(house)
    assert list(found) == [name] and len(found[name]) == 1, found
    assert where is None or found[name][0]["where"] == where
    return found[name][0]


def assert_well(house):
    done = doctor(house)
    assert done.returncode == 0 and "All is well." in done.stdout, done.stdout


def wait_for(house, wanted, patience_s=common.PATIENCE_S):
    """Until these are the findings and no others."""
    common.wait_until(lambda: sorted(findings(house)) == sorted(wanted), wanted, patience_s)


@contextlib.contextmanager
def holding(house, kind, port, interface=""):
    """Another program of this computer has the port."""
    words = (PYTHON, "-c", HOLD, kind, str(port), interface)
    process = subprocess.Popen(house._command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate("")


@pytest.fixture(scope="module")
def lan():
    made = Lan()
    try:
        yield made
    finally:
        made.close()


def serving(space, **devices):
    return House(namespace=space, conf={"server": {"free_space_mib": 1}, "devices": {
        "device_address": "0.0.0.0, ::", "udp_port": 2968, "tcp_port": 2968, "scan_port": 1865,
        "multicast": "true", "identify": "true", "interfaces_check_s": 1, **devices}})


@contextlib.contextmanager
def started(house):
    try:
        yield house.start()
        house.stop()
    finally:
        house.remove()


# ---- networks -----------------------------------------------------------------------------------------


def test_one_interface(lan):
    space = lan.host("10.77.0.60")
    with started(serving(space)) as house:
        assert_well(house)
        assert "Devices are told: 10.77.0.60 (eth0)\n" in doctor(house).stdout
        with holding(house, "SOCK_DGRAM", 2968) as other:
            found = only(house, "udp-port-shared", "UDP 2968")
            assert "another program (of user id" in found["what"] or str(other.pid) in found["what"]
        assert_well(house)
        lan.run(space, "ip link set eth0 multicast off")
        only(house, "multicast-nowhere")
        lan.run(space, "ip link set eth0 multicast on", "ip addr flush dev eth0")
        only(house, "address-loopback-only", "this computer")
        lan.run(space, "ip addr add 169.254.7.7/16 dev eth0")
        assert "169.254.7.7" in only(house, "address-link-local", "eth0")["what"]
        lan.run(space, "ip addr flush dev eth0", "ip addr add 10.77.0.60/24 dev eth0",
                "sysctl -qw net.ipv4.igmp_max_memberships=0",  # whenever the server looks, it joins no more
                "ip link add other type veth peer name far", "ip link set far up", "ip addr add 10.99.0.1/24 dev other",
                "ip link set other up")
        only(house, "multicast-not-joined", "other")
        lan.run(space, "sysctl -qw net.ipv4.igmp_max_memberships=20")
        wait_for(house, [])


def test_one_address(lan):
    """With one address announcements by multicast are not heard: the finding is true."""
    space = lan.host("10.77.0.61")
    with started(serving(space, device_address="10.77.0.61")) as house:
        only(house, "multicast-deaf", "10.77.0.61")
        # Who is answered came later: by then the other one's would have been heard.
        for number, to, answers in ((70, "239.255.255.253", 0), (71, "10.77.0.61", 1)):
            panel = lan.host(f"10.77.0.{number}")
            code = f"""
import sys; sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from epson_device import Device
import socket
with Device("10.77.0.{number}", pages=[]) as d:
    d.announce(("{to}", 2968))
    try:
        d.replies({answers}, 3)
    except (AssertionError, OSError, IndexError):
        pass
"""
            panel.run(PYTHON, "-c", code)
        common.wait_until(lambda: "10.77.0.71" in house.devices(), "the device that was told the address")
        assert "10.77.0.70" not in house.devices()
        lan.run(space, "ip addr flush dev eth0", "ip addr add 10.77.0.62/24 dev eth0")
        assert "address-gone" in findings(house)


def test_only_ipv6(lan):
    """Nobody can register there, which is said; nothing is wrong. The address is one, however it is written."""
    space = lan.host("10.77.0.66")
    lan.run(space, "ip addr flush dev eth0", "ip addr add fd77::66/64 dev eth0 nodad")
    with started(serving(space, device_address="[FD77:0::66]")) as house:
        assert only(house, "registration-needs-ipv4", "fd77::66")["level"] == "info"
        done = doctor(house)
        assert done.returncode == 0 and "1 finding. All is well." in done.stdout
        assert "Devices are told: fd77::66 (eth0)\n" in done.stdout
        lan.run(space, "ip addr del fd77::66/64 dev eth0")
        assert sorted(findings(house)) == ["address-gone", "registration-needs-ipv4"]


def test_names_for_panels(lan):
    space = lan.host("10.77.0.63")
    vlan = "eth0.7"  # a dot in a name, as VLANs have it
    lan.run(space, "ip link set eth0 down", f"ip link set eth0 name {vlan}", f"ip link set {vlan} up")
    made = space.run(os.path.join(common.TOP, "tools", "panel-interfaces"), "add", vlan, "10.77.0.64/24",
                     "10.77.0.65/24", text=True)
    assert made.returncode == 0, made.stderr
    with started(serving(space, interfaces=f"{vlan}, pj1, pj2")) as house:
        assert_well(house)
        assert f"10.77.0.63 ({vlan}), 10.77.0.64 (pj1), 10.77.0.65 (pj2)" in doctor(house).stdout
        for name, wrong, right in (("arp_ignore", 0, 1), ("arp_announce", 1, 2), ("rp_filter", 1, 2)):
            lan.run(space, f"sysctl -qw net/ipv4/conf/{vlan}/{name}={wrong}")
            found = only(house, "interface-" + name.replace("_", "-"), vlan)
            assert found["level"] == "warning" and f"{name} is {wrong}" in found["what"]
            assert f"sysctl -w net/ipv4/conf/{vlan}/{name}={right}," in found["cure"]
            lan.run(space, *[found["cure"].split(",")[0]])
            assert_well(house)
        lan.run(space, "ip link set pj2 multicast off")
        assert only(house, "interface-no-multicast", "pj2")["cure"] == "ip link set pj2 multicast on"
        lan.run(space, "ip link set pj2 multicast on", "ip addr flush dev pj2")
        only(house, "interface-no-address", "pj2")
        lan.run(space, "ip link set pj2 down")
        lan.run(space, only(house, "interface-down", "pj2")["cure"], "ip addr add 10.77.0.65/24 dev pj2")
        assert_well(house)
        lan.run(space, "ip link delete pj2")
        only(house, "interface-missing", "pj2")
        # It is made again, and another program has the port there before it gets its name.
        lan.run(space, f"ip link add link {vlan} name later type macvlan mode bridge")
        with holding(house, "SOCK_STREAM", 2968, "later"):
            lan.run(space, "ip link set later name pj2", *(f"sysctl -qw net.ipv4.conf.pj2.{s}" for s in
                             ("arp_ignore=1", "arp_announce=2", "rp_filter=2")),
                    "ip addr add 10.77.0.65/24 dev pj2", "ip link set pj2 up")
            common.wait_until(lambda: "tcp-port-not-held" in findings(house), "the port")
            assert "on 2 of 3 interfaces" in findings(house)["tcp-port-not-held"][0]["what"]


# ---- files --------------------------------------------------------------------------------------------

LOOPBACK = {"address-loopback-only", "multicast-off"}  # what is so in every test on the loopback interface


def beside(house):
    return {name: found for name, found in findings(house).items() if name not in LOOPBACK}


@pytest.fixture(scope="module")
def plain():
    """A house without devices. Whoever breaks something of it mends it."""
    with running({"server": {"free_space_mib": 1}}) as house:
        yield house


def test_files(plain):
    house = plain
    assert beside(house) == {}
    key, saved = os.path.join(house.data, "master.key"), os.path.join(house.top, "saved")
    os.chmod(key, 0o444)
    assert beside(house)["key-readable"][0]["where"] == key
    os.chmod(key, 0o400)
    shutil.copy2(key, saved)
    os.remove(key)
    assert list(beside(house)) == ["key-missing"]
    shutil.copy2(saved, key)
    if common.IS_ROOT:
        assert list(beside(house)) == ["key-owner"]  # it is root's now, not the server's
        shutil.chown(key, "nobody")
    assert beside(house) == {}
    os.chmod(house.data, 0o500)
    assert list(beside(house)) == ["data-not-writable"]
    os.chmod(house.data, 0o750)
    assert beside(house) == {}
    assert not os.path.exists(os.path.join(house.data, ".doctor-probe"))
    os.chmod(house.program("platen-deliver"), 0o644)
    assert beside(house)["program-missing"][0]["where"].endswith("/platen-deliver")
    os.chmod(house.program("platen-deliver"), 0o755)
    assert beside(house) == {}


def test_the_certificate_of_https(plain):
    house = plain
    path = os.path.join(house.data, "tls-certificate.pem")
    with open(path, "rb") as f:
        sound = f.read()
    with open(path, "wb") as f:
        f.write(sound[:200])
    found = beside(house)
    assert list(found) == ["certificate-unreadable"] and found["certificate-unreadable"][0]["where"] == path
    os.remove(path)
    assert list(beside(house)) == ["certificate-unreadable"]
    with open(path, "wb") as f:
        f.write(sound)
    assert beside(house) == {}
    os.rename(os.path.join(house.data, "tls-key.pem"), os.path.join(house.data, "other"))
    assert list(beside(house)) == ["certificate-key-unreadable"]
    os.rename(os.path.join(house.data, "other"), os.path.join(house.data, "tls-key.pem"))


def test_a_certificate_that_is_renewed(tmp_path):
    certificate(tmp_path, "old")  # for two days
    certificate(tmp_path, "new", "-days", "400")
    top = tempfile.mkdtemp(prefix="platen-doctor-")
    os.chmod(top, 0o755)
    try:
        here, key = os.path.join(top, "here.pem"), os.path.join(top, "here.key")
        shutil.copy(tmp_path / "old.pem", here)
        shutil.copy(tmp_path / "old.key", key)
        os.chmod(key, 0o644)
        with running({"http": {"certificate": here, "key": key}}) as house:
            found = beside(house)
            assert list(found) == ["certificate-expires-soon"]
            assert found["certificate-expires-soon"][0]["where"] == here
            shutil.copy(tmp_path / "new.pem", here)
            shutil.copyfile(tmp_path / "new.key", key)
            assert sorted(beside(house)) == ["certificate-expires-soon", "certificate-not-in-use"]
            house.stop()
            house.start()
            assert beside(house) == {}
    finally:
        shutil.rmtree(top)


def test_a_data_folder_in_memory():
    folder = tempfile.mkdtemp(prefix="platen-doctor-", dir="/dev/shm")
    try:
        if common.IS_ROOT:
            shutil.chown(folder, "nobody")
        with running({"server": {"data_dir": folder}, "http": {"http_port": 0}}) as house:
            found = beside(house)
            assert list(found) == ["data-volatile"] and "tmpfs" in found["data-volatile"][0]["what"]
    finally:
        shutil.rmtree(folder)


def test_a_disk_that_is_full():
    free = shutil.disk_usage(tempfile.gettempdir()).free >> 20
    assert free < 1 << 19, "the largest that can be configured is 1 TiB"
    with running({"server": {"free_space_mib": free // 2}}) as house:
        assert list(beside(house)) == ["disk-low"]
    house = House({"server": {"free_space_mib": free * 2}})
    house.is_well = 503  # that is what health says then
    with started(house):
        assert list(beside(house)) == ["disk-full"]


# ---- devices and destinations -------------------------------------------------------------------------

PAGE = epson_models.ff680w_page()


def test_devices(tmp_path):
    with running({"devices": {"silent_after_s": 2}}) as house:
        tls, _ = certificate(tmp_path, "first")
        device = Device("127.0.58.1", house.scan_port, epson_models.FF680W, [PAGE])
        device.manner.tls = tls
        try:
            device.register(("127.0.0.1", house.udp_port))
            common.wait_until(house.devices, "the device")
            found = beside(house)
            assert list(found) == ["device-waiting"] and "multicast-off" not in findings(house)
            assert found["device-waiting"][0]["where"] == "127.0.58.1"
            id_ = house.devices()["127.0.58.1"]["id"]
            house.cli("device", "approve", id_)
            house.cli("device", "set", id_, "--name", "Hall")
            assert beside(house)["device-without-jobs"][0]["where"] == "Hall"
            house.cli("device", "set", id_, "--job-group", "Everyone")
            common.wait_until(lambda: list(beside(house)) == ["device-silent"], "silence")
            device.manner.status = b"#GLSDIRT"
            house.cli("scan", "--device", id_, "--job", "Scan", "--wait")
            warns = beside(house)["device-warns"][0]
            assert warns["level"] == "info" and "glass-dirty" in warns["what"]
            device.manner.tls, _ = certificate(tmp_path, "second")
            house.api("POST", f"/api/v1/devices/{id_}/scan", {"job": house.show("job", "list")[0]["id"]})
            common.wait_until(lambda: "device-certificate-changed" in beside(house), "the alarm")
            assert beside(house)["device-certificate-changed"][0]["where"] == "Hall"
            assert "platen device trust Hall" in doctor(house).stdout
            house.cli("device", "trust", "Hall")
            assert "device-certificate-changed" not in beside(house)
        finally:
            device.close()
        common.wait_until(lambda: list(beside(house)) == ["device-offline", "device-warns"], "the end of the device")


def retry(house, id_):
    """Unless it has gone by itself meanwhile."""
    status, answer = house.api("POST", f"/api/v1/deliveries/{id_}/retry")
    if status != 200:
        common.wait_until(lambda: house.api("GET", f"/api/v1/deliveries/{id_}")[1]["state"] == "done", answer)


def test_destinations():
    with running() as house:
        with Device("127.0.58.2", house.scan_port, epson_models.FF680W, [PAGE]) as device:
            device.register(("127.0.0.1", house.udp_port))
            id_ = house.approve(device.address)
            assert beside(house) == {}
            os.rename(house.delivered, house.delivered + "-gone")
            house.cli("scan", "--device", id_, "--job", "Scan")
            common.wait_until(lambda: list(beside(house)) == ["destination-stuck"], "a delivery that is held")
            found = beside(house)["destination-stuck"][0]
            assert found["where"] == "Delivered" and "--destination Delivered" in found["cure"]
            os.rename(house.delivered + "-gone", house.delivered)
            for delivery in house.show("delivery", "list"):
                retry(house, delivery["id"])
            common.wait_until(lambda: beside(house) == {}, "the delivery")
            house.cli("destination", "stop", "Delivered")
            assert list(beside(house)) == ["destination-stopped"]
            house.cli("destination", "resume", "Delivered")
            assert beside(house) == {}


def test_a_destination_that_fails_for_the_moment():
    with running() as house, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = str(nobody.getsockname()[1])
        house.cli("destination", "create", "--name", "Hook", "--kind", "webhook", "--url",
                  f"http://127.0.0.1:{port}/")
        house.cli("job", "set", "Scan", "--destination", "Hook")
        with Device("127.0.58.3", house.scan_port, epson_models.FF680W, [PAGE]) as device:
            device.register(("127.0.0.1", house.udp_port))
            id_ = house.approve(device.address)
            house.cli("scan", "--device", id_, "--job", "Scan")
            common.wait_until(lambda: list(beside(house)) == ["destination-failing"], "a failed attempt")
            assert beside(house)["destination-failing"][0]["where"] == "Hook"


def test_no_server():
    """What the doctor cannot ask it says, with the cure."""
    house = House()
    try:
        done = doctor(house)
    finally:
        house.remove()
    assert done.returncode == 1 and "do: " in done.stderr and done.stdout == ""
