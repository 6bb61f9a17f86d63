"""test_pairing.py - scanners that have only a button are paired with the server, by SNMP.

The real server; as scanners Debian's snmpd, and agents and devices that are not of our making."""

import itertools
import re
import socket
import subprocess
import threading
import time

import pytest

import common
import epson_models
from epson_device import Device
from served import House, running, seconds
from snmp_agent import GET, OID, SET, OwnAgent, RealAgent, ber

PAGE = epson_models.ff680w_page()
SECRET = "Geheim-4711"
PORT, = common.free_ports(1)
addresses = (f"127.0.60.{i + 1}" for i in itertools.count())


@pytest.fixture(scope="module")
def house():
    with running({"devices": {"snmp_port": PORT, "pairing_check_s": 1}}) as made:
        yield made


@pytest.fixture(autouse=True)
def no_devices_left(house):
    """A paired device whose agent is gone is looked at every second, and each look takes seconds."""
    yield
    for device in house.show("device", "list"):
        house.cli("device", "delete", device["id"])


def add(house, address):
    """An approved device with a group; its id."""
    house.cli("device", "add", address, "--job-group", "Everyone")
    return house.devices()[address]["id"]


def refused(house, *words):
    """What the command line says when it is refused."""
    done = subprocess.run([house.program("platen"), *words], capture_output=True, text=True, check=False,
                          timeout=common.PATIENCE_S, env={"PLATEN_SOCKET": house.socket})
    assert done.returncode == 1, done
    return done.stderr


def pairing(house, id_):
    return house.show("device", "show", id_).get("pairing")


def wait_pairing(house, id_, **wanted):
    def now():
        got = pairing(house, id_) or {}
        return all(got.get(k) == v for k, v in wanted.items()) and got
    return common.wait_until(now, f"{wanted}; it is {pairing(house, id_)}")


def events(house, id_):
    return [(e["kind"], e["text"]) for e in house.show("event", "list", "--after", "0", "--limit", "1000")
            if e["device"] == id_ and re.match(r"device\.(un)?pair", e["kind"])]


class Button:
    """A scanner with a button, which tells a press only to the agent of the name it holds."""

    def __init__(self, house, agent):
        self.house, self.agent = house, agent
        self.device = Device(agent.address, house.scan_port, epson_models.FF680W, [PAGE])
        self.device.version = "3.00"

    def press(self):
        """True when somebody was told."""
        keys = self.device.register(("127.0.0.1", self.house.udp_port))
        if keys["ClientName"] != self.agent.name:
            return False
        self.device.press((keys["IPAddress"], int(keys["EventPort"])))
        return True


def test_the_button_starts_a_job_once_it_is_paired(house, tmp_path):
    with RealAgent(tmp_path, next(addresses), PORT) as agent:
        button = Button(house, agent)
        with button.device as device:
            assert not button.press()
            id_ = house.approve(agent.address)
            assert pairing(house, id_) is None and not button.press()
            assert "its button calls \"Platen\"" in house.cli("device", "pair", id_)
            assert agent.name == "Platen"
            shown = pairing(house, id_)
            assert (shown["state"], shown["name"], shown["before"]) == ("paired", "Platen", "")
            assert "problem" not in shown and shown["since"] <= shown["checked"]
            row, = [line for line in house.cli("device", "list").splitlines() if id_ in line]
            assert " paired " in row
            assert button.press()
            batch = house.settled_batch(id_)
            assert batch["state"] == "done" and device.complaints == []
            house.cli("device", "unpair", id_)
            assert agent.name == "" and pairing(house, id_) is None and not button.press()
        assert events(house, id_) == [("device.unpaired", "with nobody"),
                                      ("device.paired", 'paired with "Platen"')][::-1]


def test_a_name_beyond_ascii(tmp_path):
    """It goes as UTF-8, as in the registration."""
    made = House({"server": {"name": "Büro 1. Stock"}, "devices": {"snmp_port": PORT}}).start()
    try:
        with RealAgent(tmp_path, next(addresses), PORT) as agent:
            made.cli("device", "add", agent.address)
            made.cli("device", "pair", agent.address)
            assert agent.name == "Büro 1. Stock"
        made.stop()
    finally:
        made.remove()


def test_over_ipv6(house, tmp_path):
    with RealAgent(tmp_path, "::1", PORT) as agent:
        made = house.show("device", "add", "::1")
        house.cli("device", "pair", made["id"])
        assert agent.name == "Platen"
        house.cli("device", "unpair", made["id"])
        house.cli("device", "delete", made["id"])


def test_at_an_address_with_a_zone(tmp_path):
    """Link-local addresses of IPv6 name their interface."""
    space = common.Namespace()
    made = House(namespace=space, conf={"devices": {"snmp_port": PORT, "device_address": "0.0.0.0"}})
    try:
        space.run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", check=True)
        for name in ("v0", "v1"):
            space.run("ip", "link", "set", name, "up", check=True)
        space.run("ip", "addr", "add", "fe80::17/64", "dev", "v0", "nodad", check=True)
        made.start()
        with RealAgent(tmp_path, "::", PORT, namespace=space) as agent:
            id_ = add_plain(made, "fe80::17%v0")
            made.cli("device", "pair", id_)
            assert agent.name == "Platen"
            agent.stop()
            assert "snmp-silent: the device at fe80::17%v0 " in refused(made, "device", "pair", id_)
        made.stop()
    finally:
        made.remove()
        space.close()


def test_nobody_loses_it_unasked(house, tmp_path):
    """Another host's name stays unless a person says otherwise, and can be given back."""
    with RealAgent(tmp_path, next(addresses), PORT) as agent:
        id_ = add(house, agent.address)
        agent.name = "T1-DESKTOP"
        said = refused(house, "device", "pair", id_)
        assert "paired-elsewhere" in said and '"T1-DESKTOP"' in said and "--replace" in said
        assert agent.name == "T1-DESKTOP" and pairing(house, id_) is None
        house.cli("device", "pair", id_, "--replace")
        assert agent.name == "Platen" and pairing(house, id_)["before"] == "T1-DESKTOP"
        house.cli("device", "pair", id_)  # once more: nothing changes
        assert pairing(house, id_)["before"] == "T1-DESKTOP"
        house.cli("device", "unpair", id_, "--restore")
        assert agent.name == "T1-DESKTOP" and pairing(house, id_) is None
        assert "not paired" in refused(house, "device", "unpair", id_)


@pytest.mark.parametrize("manner, code, cure", [
    ("missing", "not-pairable", "FF-680W"),
    ("integer", "wrong-type", "docs/not-my-device.md"),
    ("not-writable", "write-refused", "snmp_community"),
    ("wrong-value", "value-refused", "name in [server]"),
    ("keeps", "not-kept", "another program"),
])
def test_what_an_agent_can_refuse(house, tmp_path, manner, code, cure):
    with RealAgent(tmp_path, next(addresses), PORT) as agent:
        id_ = add(house, agent.address)
        agent.manner(manner)
        said = refused(house, "device", "pair", id_)
        assert f"{code}: the device at {agent.address} " in said and cure in said
        assert pairing(house, id_) is None and agent.name == ""
        agent.manner("")
        house.cli("device", "pair", id_)
        assert agent.name == "Platen"


def test_silence_has_two_names(house, tmp_path):
    """A device that is on and silent to SNMP has another community, or none; one that is off is off."""
    with RealAgent(tmp_path, next(addresses), PORT, community="another") as agent:
        id_ = add(house, agent.address)
        begun = time.monotonic()
        said = refused(house, "device", "pair", id_)  # the port for scans is closed, so the host is there
        assert "snmp-silent" in said and "snmp_community" in said
        assert 2.5 < time.monotonic() - begun < 20
    # An address that nobody has: in the network of the loopback interface every address answers.
    id_ = add(house, "192.0.2.77")
    said = refused(house, "device", "pair", id_)
    assert ("no-answer" in said or "not-sent" in said) and "192.0.2.77" in said


def test_a_community_that_may_only_read_and_is_told_to_nobody(tmp_path):
    made = House({"devices": {"snmp_port": PORT, "snmp_community": "looker"}}).start()
    try:
        with RealAgent(tmp_path, next(addresses), PORT, community=SECRET) as agent:
            id_ = add_plain(made, agent.address)
            assert "write-refused" in refused(made, "device", "pair", id_)
            made.stop()
            rewrite(made, snmp_community=SECRET)
            made.start()
            made.cli("device", "pair", id_)
            assert agent.name == "Platen"
            told = "".join([made.log_text(), made.cli("device", "show", id_, "--json"),
                            made.cli("event", "list", "--limit", "1000", "--json"), made.cli("config", "export"),
                            made.cli("metrics"), "".join(made.database().iterdump()),
                            subprocess.run([made.program("platend"), "--print-config", "--config",
                                            made.conf_path], capture_output=True, text=True,
                                           check=True).stdout])
            assert "# snmp_community is set, and not shown" in told
            assert SECRET not in told
        made.stop()
    finally:
        made.remove()


def add_plain(house, address):
    house.cli("device", "add", address)
    return house.devices()[address]["id"]


def rewrite(house, section="devices", **keys):
    """Other lines in platen.conf, for the next start."""
    house.conf[section].update(keys)
    with open(house.conf_path, "w", encoding="utf-8") as f:
        for name, values in house.conf.items():
            f.write(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()))


def test_only_approved_devices_are_asked(house):
    with OwnAgent(next(addresses), PORT) as agent:
        address = agent.socket.getsockname()[0]
        with Device(address, house.scan_port) as device:
            device.register(("127.0.0.1", house.udp_port))
            common.wait_until(lambda: address in house.devices(), "the device")
            said = refused(house, "device", "pair", address)
            assert "not approved" in said and "platen device approve" in said
            assert agent.datagrams == []


def test_a_new_name_of_the_server(tmp_path):
    """Is written where the former one stands, and after a while where that could not be done at once."""
    made = House({"devices": {"snmp_port": PORT, "pairing_check_s": 1}}).start()
    try:
        with RealAgent(tmp_path / "1", next(addresses), PORT) as one, \
                RealAgent(tmp_path / "2", next(addresses), PORT) as two, \
                RealAgent(tmp_path / "3", next(addresses), PORT) as three:
            ids = [add_plain(made, agent.address) for agent in (one, two, three)]
            three.name = "T1-DESKTOP"
            made.cli("device", "pair", ids[0])
            made.cli("device", "pair", ids[1])
            made.cli("device", "pair", ids[2], "--replace")
            made.stop()
            two.stop()
            three.name = "T1-DESKTOP"
            rewrite(made, "server", name="Archive")
            made.start()
            shown = wait_pairing(made, ids[0], state="paired", name="Archive")
            assert one.name == "Archive" and shown["before"] == ""
            shown = wait_pairing(made, ids[1], state="outdated", name="Platen", problem="snmp-silent")
            assert "snmp_community" in shown["remedy"]
            shown = wait_pairing(made, ids[2], state="lost", other="T1-DESKTOP")
            assert three.name == "T1-DESKTOP"
            two.start()
            wait_pairing(made, ids[1], state="paired", name="Archive", problem=None)
            assert two.name == "Archive"
            assert [kind for kind, _ in events(made, ids[1])] == [
                "device.paired", "device.pairing-failed", "device.paired"]
            made.cli("device", "unpair", ids[2])  # it is not ours: it stays as it is
            assert three.name == "T1-DESKTOP" and pairing(made, ids[2]) is None
        made.stop()
    finally:
        made.remove()


def test_the_name_is_that_of_the_job_where_panels_show_jobs(tmp_path):
    """With interfaces and jobs by name the first job's name is announced first, so the device gets that one."""
    space = common.Namespace()
    made = House(namespace=space, conf={"devices": {"snmp_port": PORT, "device_address": "0.0.0.0",
                                                    "interfaces": "br0, br1"}})
    try:
        for i in (0, 1):
            space.run("ip", "link", "add", f"br{i}", "type", "bridge", check=True)
            space.run("ip", "addr", "add", f"10.88.{i}.1/24", "dev", f"br{i}", check=True)
            space.run("ip", "link", "set", f"br{i}", "up", check=True)
        made.start()
        made.configure(panel_name="To the archive")
        with RealAgent(tmp_path, "127.0.0.9", PORT, namespace=space) as agent:
            id_ = add(made, agent.address)
            made.cli("device", "pair", id_)
            assert agent.name == "To the archive"
            made.cli("job", "set", "Scan", "--panel-name", "Cellar")
            wait_pairing(made, id_, state="paired", name="Cellar")
            assert agent.name == "Cellar"
            made.cli("device", "set", id_, "--jobs-by", "choice")
            wait_pairing(made, id_, state="paired", name="Platen")
        made.stop()
    finally:
        made.remove()
        space.close()


def test_somebody_takes_it_meanwhile(house, tmp_path):
    """With net-snmp's own program. It is told and left to him; given back or emptied it is ours again."""
    with RealAgent(tmp_path, next(addresses), PORT) as agent:
        id_ = add(house, agent.address)
        house.cli("device", "pair", id_)
        done = agent.command("snmpset", "-c", "epson", agent.at, OID, "s", "PC-7")
        assert done.returncode == 0, done.stderr
        shown = wait_pairing(house, id_, state="lost", other="PC-7", problem="paired-elsewhere")
        assert "--replace" in shown["remedy"]
        checked = shown["checked"]
        common.wait_until(lambda: pairing(house, id_)["checked"] > checked, "another look")
        assert agent.name == "PC-7"
        agent.command("snmpset", "-c", "epson", agent.at, OID, "s", "Platen")
        wait_pairing(house, id_, state="paired", problem=None)
        agent.command("snmpset", "-c", "epson", agent.at, OID, "s", "")
        common.wait_until(lambda: agent.name == "Platen", "the name in the emptied device")
        assert events(house, id_) == [("device.paired", 'paired with "Platen"'),
                                      ("device.pairing-lost", 'paired with "PC-7" now'),
                                      ("device.paired", 'paired with "Platen"')]
        house.cli("device", "delete", id_)
        assert agent.name == "Platen"


# ---- bytes -----------------------------------------------------------------------------------------------

def golden(number, pdu, value):
    """RFC 1157 by hand: message of version 0, community "epson", one binding of the object of the material. 1248 in
    base 128 is 89 60."""
    binding = bytes.fromhex("06 0f 2b 06 01 04 01 89 60 01 01 03 01 0a 02 05 00") + value
    body = bytes([2, len(number)]) + number + b"\2\1\0\2\1\0" + b"\x30" + bytes([len(binding) + 2]) + (
        b"\x30" + bytes([len(binding)]) + binding)
    rest = b"\2\1\0" b"\4\5epson" + bytes([pdu, len(body)]) + body
    return b"\x30" + bytes([len(rest)]) + rest


def test_the_packets_byte_by_byte(house):
    address = next(addresses)
    with OwnAgent(address, PORT) as agent:
        id_ = add(house, address)
        house.cli("device", "pair", id_)
        numbers = [request["number"] for request in agent.requests[:3]]
        assert agent.datagrams[:3] == [golden(numbers[0], GET, b"\5\0"), golden(numbers[1], SET, b"\4\6Platen"),
                                       golden(numbers[2], GET, b"\5\0")]
        house.cli("device", "unpair", id_)
        assert agent.datagrams[-2] == golden(agent.requests[-2]["number"], SET, b"\4\0")
        # What net-snmp's own program sends is the same but for its number.
        subprocess.run(["snmpset", "-v1", "-c", "epson", f"{address}:{PORT}", OID, "s", "Platen"], check=True,
                       capture_output=True, timeout=30, env={"PATH": "/usr/bin:/bin", "MIBS": ""})
        assert agent.datagrams[-1] == golden(agent.requests[-1]["number"], SET, b"\4\6Platen")


def test_lost_datagrams(house):
    """Each question is asked three times; a lost answer to a SET does not matter."""
    address = next(addresses)
    with OwnAgent(address, PORT) as agent:
        id_ = add(house, address)
        agent.manner = lambda request, answer: [answer] if len(agent.datagrams) % 3 == 0 else []
        house.cli("device", "pair", id_)
        assert agent.name == b"Platen"
        assert [request["pdu"] for request in agent.requests] == [GET] * 3 + [SET] * 3 + [GET] * 3
        house.cli("device", "delete", id_)


def other_number(request):
    return {**request, "number": bytes([request["number"][0] ^ 1]) + request["number"][1:]}


BAD_ANSWERS = {
    "nothing but noise": (lambda a, r, x: [bytes(range(200)), b"", b"\x30\x84\xff\xff\xff\xff", x[:-3]], "snmp-silent"),
    "another number": (lambda a, r, x: [a.answer(other_number(r), ber(4, b"X"))], "snmp-silent"),
    "another object": (lambda a, r, x: [a.answer(r, ber(4, b"X"), oid=b"\x2b\6\1\2\1\1\5\0")], "device-failed"),
    "an unknown error": (lambda a, r, x: [a.answer(r, b"\5\0", 99)], "device-failed"),
    "a general error": (lambda a, r, x: [a.answer(r, b"\5\0", 5)], "device-failed"),
    "a null": (lambda a, r, x: [a.answer(r, b"\5\0")], "wrong-type"),
    "a request": (lambda a, r, x: [x.replace(b"\xa2", b"\xa3", 1)], "snmp-silent"),
    "a long name": (lambda a, r, x: [a.answer(r, ber(4, b"N" * 5000))], "paired-elsewhere"),
    "odd bytes": (lambda a, r, x: [a.answer(r, ber(4, b"\xff\x01<b>\x80"))], "paired-elsewhere"),
}


@pytest.mark.parametrize("what", BAD_ANSWERS)
def test_bad_answers(house, what):
    manner, code = BAD_ANSWERS[what]
    address = next(addresses)
    with OwnAgent(address, PORT) as agent:
        id_ = add(house, address)
        agent.manner = lambda request, answer: manner(agent, request, answer)
        assert f"{code}: " in refused(house, "device", "pair", id_)
        agent.manner = lambda request, answer: [answer]
        house.cli("device", "pair", id_)
        assert agent.name == b"Platen"
        house.assert_sound()
        house.cli("device", "delete", id_)


def test_who_else_answers_is_not_heard(house):
    """An answer must come from where the question went; nobody else pairs the device."""
    address = next(addresses)
    with OwnAgent(address, PORT, b"Platen") as agent, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((next(addresses), PORT))
        agent.answers_by = other
        id_ = add(house, address)
        assert "snmp-silent" in refused(house, "device", "pair", id_)
        assert len(agent.requests) == 3


def test_a_host_without_an_agent_is_told_at_once(house):
    id_ = add(house, next(addresses))
    took, (status, problem) = seconds(lambda: house.api("POST", f"/api/v1/devices/{id_}/pair", {}))
    assert status == 422 and problem["detail"].startswith("snmp-silent: "), problem
    assert took < 2.5  # silence takes three seconds


def test_a_name_with_zeros_at_its_end_is_that_name(house):
    address = next(addresses)
    with OwnAgent(address, PORT, b"Platen\0\0\0") as agent:
        house.cli("device", "pair", add(house, address))
        assert [request["pdu"] for request in agent.requests[:1]] == [GET]
        assert SET not in [request["pdu"] for request in agent.requests]
        house.cli("device", "delete", address)


# ---- the virtual scanner with a button ------------------------------------------------------------------

def snmp(program, *words):
    """One of net-snmp's programs at a device; (exit code, what it said)."""
    done = subprocess.run([program, "-v1", "-c", "epson", "-t", "2", "-r", "1", "-Oqv", *words],
                          capture_output=True, text=True, check=False, timeout=30,
                          env={"PATH": "/usr/bin:/bin", "MIBS": ""})
    return done.returncode, (done.stdout + done.stderr).strip()


def start_button(house, folder, address, *options):
    common.make_pictures(folder, 1, 80, 60)
    return common.start_mfp("--pages", folder, "--address", address, "--port", house.scan_port, "--enpc-port", 0,
                            "--button", "--snmp-port", PORT, "--registration", 3, "--announce-every", 1, "--server",
                            f"127.0.0.1:{house.udp_port}", *options)


def test_virtual_scanner_and_net_snmp(house, tmp_path):
    """snmpget, snmpset and snmpgetnext take it for an agent."""
    address = next(addresses)
    at = f"{address}:{PORT}"
    with start_button(house, tmp_path, address, "--paired", "Scans") as mfp:
        assert snmp("snmpget", at, OID) == (0, '"Scans"')
        shown = '"42 C3 BC 72 6F 20 31 "'  # as these programs show what is not ASCII
        assert snmp("snmpset", at, OID, "s", "Büro 1") == (0, shown)
        assert mfp.wait_line("paired ") == 'paired name="Büro 1"'
        assert snmp("snmpgetnext", at, "1.3.6.1.4.1.1248") == (0, shown)
        assert "badValue" in snmp("snmpset", at, OID, "i", "7")[1]
        assert "badValue" in snmp("snmpset", at, OID, "s", "x" * 64)[1]
        assert "noSuchName" in snmp("snmpget", at, "1.3.6.1.2.1.1.1.0")[1]
        assert "noSuchName" in snmp("snmpgetnext", at, OID)[1]
        assert snmp("snmpset", at, OID, "s", "") == (0, '""')
        assert snmp("snmpget", at, OID) == (0, '""')
        code, said = snmp("snmpget", "-c", "public", at, OID)
        assert code == 1 and "Timeout" in said


def test_virtual_scanner_is_paired_and_pressed(house, tmp_path):
    """Its button waits for the pairing, then it scans; to another host it calls nobody."""
    address = next(addresses)
    with start_button(house, tmp_path, address, "--press", "Platen", "--exit-after", 1) as mfp:
        id_ = house.approve(address)
        mfp.wait_line("destination ")
        time.sleep(1.5)  # another cycle: nothing is pressed
        assert not [line for line in mfp.lines if line.startswith("pressed")]
        house.cli("device", "pair", id_)
        assert mfp.wait_line("paired ") == 'paired name="Platen"'
        mfp.wait_line("pressed ")
        assert mfp.wait_exit() == 0
    assert house.settled_batch(id_)["state"] == "done"


# ---- others are not held up ------------------------------------------------------------------------------

def test_a_dead_device_holds_nobody_up():
    """Of many who wait at once some are sent away; others are served meanwhile, and the server stops at once."""
    made = House({"devices": {"snmp_port": PORT}}).start()
    try:
        slow = [OwnAgent(next(addresses), PORT) for _ in range(4)]
        for agent in slow:  # two questions are answered when they are asked for the third time, then it is dead
            agent.manner = lambda _, answer, a=agent: [answer] if len(a.datagrams) in (3, 6) else []
        dead = [add_plain(made, agent.socket.getsockname()[0]) for agent in slow]
        answers = []
        people = [threading.Thread(target=lambda i=i: answers.append(
            made.api("POST", f"/api/v1/devices/{i}/pair", {}))) for i in dead]
        for person in people:
            person.start()
        common.wait_until(lambda: len(answers) == 2, "those who are sent away")
        assert all(status == 503 and "already" in body["detail"] for status, body in answers)
        for _ in range(20):
            assert made.api("GET", "/api/v1/devices")[0] == 200
        assert len(answers) == 2, "others were served while two were still waiting"
        begun = time.monotonic()
        made.stop()
        assert time.monotonic() - begun < 5
        for person in people:
            person.join(common.PATIENCE_S)
        assert len(answers) == 4 and all(status == 503 for status, _ in answers), answers
        for agent in slow:
            agent.socket.close()
    finally:
        made.remove()
