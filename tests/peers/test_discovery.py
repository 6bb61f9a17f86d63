"""test_discovery.py - devices are found by broadcast and by address, added by hand and from a table.

The real server against devices that are not of our making: on loopback, and beyond a cable of its own."""

import contextlib
import itertools
import os
import subprocess
import time

import pytest

import common
import epson_models
from epson_device import Device, Manner
from served import House, running

HERE = os.path.dirname(os.path.abspath(__file__))
addresses = (f"127.0.40.{i + 1}" for i in itertools.count())


def numbered(serial):
    return epson_models.FF680W._replace(
        info=epson_models.FF680W.info.replace(b"X5EW260651", serial.encode()))


@pytest.fixture(scope="module")
def house():
    with running({"devices": {"identify": "true"}}) as made:
        yield made


def found_by(house, *words):
    return {f["address"]: f for f in house.show("device", "discover", *words)}


def fails(house, *words):
    done = subprocess.run([house.program("platen"), *words], capture_output=True, text=True,
                          check=False, env={**os.environ, "PLATEN_SOCKET": house.socket})
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


# ---- ranges ------------------------------------------------------------------------------------

def test_a_range_of_addresses(house):
    """What listens there is listed with what it says of itself, or why it does not; nothing else is."""
    kinds = {"127.0.41.10": (numbered("X5EW410010"), {}),
             "127.0.41.11": (epson_models.XP7100, {}),
             "127.0.41.12": (numbered("X5EW410012"), {"fault": "locked"}),
             "127.0.41.13": (numbered("X5EW410013"), {"fault": "silent-welcome"}),
             "127.0.41.14": (numbered("X5EW410014"), {"fault": "garbage-welcome"}),
             "127.0.41.15": (numbered("X5EW410015"), {"fault": "legacy"}),
             "127.0.41.99": (numbered("X5EW410099"), {})}
    devices = [Device(address, house.scan_port, model, manner=Manner(**manner))
               for address, (model, manner) in kinds.items()]
    try:
        found = found_by(house, "--no-broadcast", "127.0.41.5-60")
        assert set(found) == set(kinds) - {"127.0.41.99"}
        assert found["127.0.41.10"]["serial"] == "X5EW410010"
        assert found["127.0.41.10"]["product"] == "FF-680W"
        assert found["127.0.41.10"]["found_by"] == "range" and not found["127.0.41.10"]["problem"]
        assert found["127.0.41.11"]["product"] == "PID 1147" and not found["127.0.41.11"]["serial"]
        assert found["127.0.41.12"]["problem"] and found["127.0.41.13"]["problem"] == "no-answer"
        assert found["127.0.41.14"]["problem"] == "protocol-error"
        assert devices[0].complaints == [] and devices[-1].sessions == 0
        assert devices[0].sessions == 1
        # /26: 127.0.41.64 to .127 without the first and the last
        assert set(found_by(house, "--no-broadcast", "127.0.41.99/26", "127.0.41.10")) == {
            "127.0.41.99", "127.0.41.10"}
        assert "X5EW410099" in house.cli("device", "found")
        assert house.devices() == {}, "nothing is added by itself"
    finally:
        for device in devices:
            device.close()


@pytest.mark.parametrize("ranges, words", [
    (["10.0.0.0/21"], "more than 1024 addresses"),
    (["10.0.0.1-10.0.4.1"], "more than 1024 addresses"),
    (["10.0.0.0/16", "10.1.0.0/16"], "more than 1024"),
    (["10.0.0.60-10"], '"10.0.0.60-10" is no range'),
    (["10.0.0.256"], "is no range"),
    (["fe80::1"], "can be in any network"),
    (["fd00::1-2"], "is no numeric address"),
    (["fd00::/64"], "more than 256 addresses"),
    (["printer.example"], "is no range"),
    ([], "there is nothing to search"),
])
def test_ranges_that_are_none(house, ranges, words):
    text = fails(house, "device", "discover", "--no-broadcast", *ranges)
    assert words in text and "do: " in text, text


def test_one_search_at_a_time(house):
    with Device("127.0.42.1", house.scan_port, numbered("X5EW420001"),
                manner=Manner(fault="silent-welcome")):
        body = {"broadcast": False, "ranges": "127.0.42.1"}
        status, answer = house.api("POST", "/api/v1/discovery", body)
        assert status == 202 and answer["running"]
        status, problem = house.api("POST", "/api/v1/discovery", body)
        assert status == 409 and "is running" in problem["detail"]
        common.wait_until(lambda: not house.api("GET", "/api/v1/discovery")[1]["running"], "the end")


def test_a_search_ends_with_the_server():
    """SIGTERM while a thousand addresses are asked."""
    made = House().start()
    try:
        common.wait_until(lambda: "server.ready" in made.log_text(), "the start")
        assert made.api("POST", "/api/v1/discovery",
                        {"broadcast": True, "ranges": "127.1.0.0/22"})[0] == 202
        made.stop()
    finally:
        made.remove()


# ---- adding ------------------------------------------------------------------------------------

def test_adding_by_hand(house):
    """It is approved with that, and asked who it is: it scans at its first Start."""
    page = epson_models.ff680w_page()
    with Device(next(addresses), house.scan_port, numbered("X5EW400001"), [page]) as device:
        house.cli("device", "add", device.address, "--name", "Hall", "--job-group", "Everyone")
        row = common.wait_until(lambda: house.devices()[device.address]["serial"] and
                                house.devices()[device.address], "its number")
        assert (row["name"], row["state"], row["serial"], row["job_group_name"]) == (
            "Hall", "registered", "X5EW400001", "Everyone")
        assert "last_seen" not in row
        device.press(("127.0.0.1", house.tcp_port))
        assert house.settled_batch(row["id"])["state"] == "done"
        text = fails(house, "device", "add", device.address)
        assert "is in the list already" in text
    assert "is no numeric address" in fails(house, "device", "add", "printer.example")
    assert "there is no" in fails(house, "device", "add", "127.0.40.250", "--job-group", "Nobody")
    assert "127.0.40.250" not in house.devices()


def test_adding_one_that_waits(house):
    """What was announced is approved by it, and keeps its row."""
    with Device(next(addresses), house.scan_port, numbered("X5EW400002")) as device:
        device.register(("127.0.0.1", house.udp_port))
        waiting = common.wait_until(lambda: house.devices().get(device.address), "its row")
        assert waiting["state"] == "seen"
        house.cli("device", "add", device.address, "--job-group", "Everyone")
        row = house.devices()[device.address]
        assert (row["id"], row["state"]) == (waiting["id"], "registered")


# ---- tables ------------------------------------------------------------------------------------

def imported(house, text, tmp_path, code=0):
    path = tmp_path / "devices.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = subprocess.run([house.program("platen"), "device", "import", str(path)],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "PLATEN_SOCKET": house.socket})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name, text", [
    ("commas", "name,address,job_group\nOne,127.0.44.1,Everyone\n\"Two, \"\"b\"\"\",127.0.44.2,\n"),
    ("semicolons", "name;address;job_group\r\nOne;127.0.44.1;Everyone\r\n"
                   "\"Two, \"\"b\"\"\";127.0.44.2;\r\n"),
    ("mark", b"\xef\xbb\xbfJob_Group;Name;Address\r\nEveryone;One;127.0.44.1\r\n\r\n"
             b";\"Two, \"\"b\"\"\";127.0.44.2"),
])
def test_a_table(house, tmp_path, name, text):
    del name
    assert "2 added, 0 refused" in imported(house, text, tmp_path)
    rows = house.devices()
    assert rows["127.0.44.1"]["name"] == "One"
    assert rows["127.0.44.1"]["job_group_name"] == "Everyone"
    assert rows["127.0.44.2"]["name"] == 'Two, "b"' and rows["127.0.44.2"]["job_group"] == ""
    for address in ("127.0.44.1", "127.0.44.2"):
        house.cli("device", "delete", rows[address]["id"])


def test_a_table_of_many_is_asked_a_few_a_second(house, tmp_path):
    """Five devices a second are asked who they are, none is forgotten, and it is said how many are left."""
    many = [f"127.0.46.{i + 1}" for i in range(30)]
    asked = {}

    class Clocked(Device):
        def __init__(self, address, number):
            super().__init__(address, house.scan_port, numbered(f"X5EW46{number:04}"))

        def _shake_hands(self, stream):
            asked.setdefault(self.address, time.monotonic())
            return super()._shake_hands(stream)

    with contextlib.ExitStack() as stack:
        devices = [stack.enter_context(Clocked(address, i)) for i, address in enumerate(many)]
        text = imported(house, "address\n" + "\n".join(many), tmp_path)
        assert "30 added, 0 refused" in text and "are still to be asked who they are" in text
        left = [house.api("GET", "/api/v1/discovery")[1]["added_left"]]
        assert "still to be asked" in house.cli("device", "found")
        while left[-1] > 0:
            left.append(house.api("GET", "/api/v1/discovery")[1]["added_left"])
            time.sleep(0.2)
        assert sorted(left, reverse=True) == left and left[0] > 5
        common.wait_until(lambda: all(house.devices()[a]["serial"] for a in many), "their numbers")
        times = sorted(asked.values())
        # In no second more than five, and one that the clock's edge allows.
        assert all(later - early > 0.9 for early, later in zip(times, times[6:])), times
        assert not any(d.complaints for d in devices)
        for address in many:
            house.cli("device", "delete", house.devices()[address]["id"])


def test_a_table_with_all_settings(house, tmp_path):
    assert "1 added, 0 refused" in imported(house, (
        "address,registration,jobs_by,transport,back_rotation\n"
        "127.0.44.9,version-2,choice,tls,180\n"), tmp_path)
    row = house.devices()["127.0.44.9"]
    assert [row[n] for n in ("registration", "jobs_by", "transport", "back_rotation")] == [
        "version-2", "choice", "tls", "180"]
    house.cli("device", "delete", row["id"])


def test_good_lines_are_kept(house, tmp_path):
    text = imported(house, (
        b"address,name,job_group,registration\n"
        b"127.0.45.1,Good,Everyone,version-3\n"
        b"127.0.45.256,No address,,\n"
        b"127.0.45.2,No group,Nobody,\n"
        b"127.0.45.3,No word,,version-4\n"
        b'127.0.45.4,"not closed,,\n'
        b"127.0.45.5,Too,many,auto,fields\n"
        b"127.0.45.6,\xff\xfe,,\n"
        b"127.0.45.1,Again,,\n"
        + b"127.0.45.7," + b"x" * 300 + b",,\n"
        + "127.0.45.8,Büro,Everyone\n".encode()), tmp_path, code=1)
    assert "2 added, 8 refused" in text
    for line, words in ((3, "no numeric address"), (4, 'no job group "Nobody"'),
                        (5, "registration"), (6, "a quotation mark is not closed"),
                        (7, "5 fields"), (8, "no UTF-8"), (9, "in the list already"),
                        (10, "longer than 255")):
        told = next(t for t in text.splitlines() if t.startswith(f"line {line}: "))
        assert "REFUSED" in told and words in told, told
    assert not any(t.strip() == "do:" for t in text.splitlines())
    rows = house.devices()
    assert rows["127.0.45.1"]["registration"] == "version-3"
    assert rows["127.0.45.8"]["name"] == "Büro"
    assert not {f"127.0.45.{i}" for i in range(2, 8)} & set(rows)


@pytest.mark.parametrize("text, words", [
    ("", "the table is empty"),
    ("\n\r\n", "the table is empty"),
    ("name,job_group\nx,y\n", 'no column "address"'),
    ("nmae,address\n", 'Did you mean "name"?'),
    ("address,Address\n", "comes twice"),
    ('"address\n', "not closed"),
])
def test_tables_that_are_none(house, tmp_path, text, words):
    assert words in imported(house, text, tmp_path, code=1)


# ---- broadcast ---------------------------------------------------------------------------------

class Cable:
    """Two networks joined by a cable: the server's and one with devices."""

    def __init__(self):
        self.here, self.there = common.Namespace(), common.Namespace()
        done = self.here.run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1",
                             "netns", str(self.there.holder.pid))
        assert done.returncode == 0, done.stderr
        for space, name, address in ((self.here, "cable0", "10.77.0.1"),
                                     (self.there, "cable1", "10.77.0.2")):
            for words in (["addr", "add", address + "/24", "brd", "+", "dev", name],
                          ["link", "set", name, "up"]):
                assert space.run("ip", *words).returncode == 0

    @contextlib.contextmanager
    def device(self, address, serial, port, manner="answer"):
        if address != "10.77.0.2":
            assert self.there.run("ip", "addr", "add", address + "/24", "dev", "cable1"
                                  ).returncode == 0
        made = common.Program("/usr/bin/python3", os.path.join(HERE, "enpc_device.py"), address,
                              str(port), serial, manner, namespace=self.there,
                              stdin=subprocess.PIPE)
        made.wait_line("ready")
        with made:
            yield made
            made.process.stdin.close()
            assert made.wait_line("complaints") == "complaints=[]"
            assert made.wait_exit() == 0

    def close(self):
        self.here.close()
        self.there.close()


@pytest.fixture
def cable():
    made = Cable()
    yield made
    made.close()


def test_who_answers_a_broadcast(cable):
    """The query is SANE's, byte for byte; the answer of 76 bytes counts, a short one does not."""
    made = House({"devices": {"device_address": "0.0.0.0", "identify": "true"}},
                 namespace=cable.here)
    try:
        made.start()
        with cable.device("10.77.0.2", "X5EW770002", made.scan_port) as device:
            found = found_by(made)
            assert set(found) == {"10.77.0.2"}
            one = found["10.77.0.2"]
            assert (one["serial"], one["found_by"], one["problem"]) == ("X5EW770002", "enpc", "")
            assert device.wait_line("4550").strip() == "4550534f4e5000ff00000000000000"
        with cable.device("10.77.0.3", "X5EW770003", made.scan_port, "garbage"):
            assert found_by(made) == {}
        made.stop()
    finally:
        made.remove()


def test_without_a_network(cable):
    """No interface takes part: said in the log, and the search ends."""
    assert cable.here.run("ip", "link", "set", "cable0", "down").returncode == 0
    made = House({"devices": {"device_address": "0.0.0.0"}}, namespace=cable.here)
    try:
        made.start()
        assert found_by(made) == {}
        assert "discovery.no-broadcast" in made.log_text()
        assert "Nobody answered." in made.cli("device", "found")
        made.stop()
    finally:
        made.remove()
