"""test_panel_names.py - one name for each job, on panels that keep one name for each Ethernet address.

Networks of their own, joined by a switch: the server with interfaces that tools/panel-interfaces has
made, several panels (mac_panel.py), another server."""

import json
import os
import subprocess
import time

import pytest

import common
from served import House

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "data", "pages", "page-1.jpg")
JOBS = ("Invoices", "Letters", "Receipts")


class Lan:
    """A switch; hosts are networks of their own with one interface, eth0."""

    def __init__(self):
        self.switch = common.Namespace()
        self.spaces = [self.switch]
        self.run(self.switch, "ip link add br0 type bridge mcast_snooping 0",
                 "ip link set br0 up")

    def run(self, space, *commands):
        for command in commands:
            done = space.run(*command.split())
            assert done.returncode == 0, (command, done.stderr)

    def host(self, address):
        space, port = common.Namespace(beside=self.switch), f"port{len(self.spaces)}"
        self.spaces.append(space)
        self.run(self.switch, f"ip link add {port} type veth peer name eth0 netns "
                              f"{space.holder.pid}", f"ip link set {port} master br0 up")
        self.run(space, f"ip addr add {address}/24 dev eth0", "ip link set eth0 up")
        return space

    def close(self):
        for space in self.spaces:
            space.close()


class Panel:
    """A device with its panel on a host of the network."""

    def __init__(self, space, address, product="PID 11D1"):
        self.program = common.Program(PYTHON, os.path.join(HERE, "mac_panel.py"), "eth0", address,
                                      product, f"SN{space.holder.pid:08}", PAGE, namespace=space,
                                      stdin=subprocess.PIPE)
        self.program.wait_line("ready")
        self.space, self.address = space, address

    def ask(self, *words):
        self.program.process.stdin.write("\t".join(words) + "\n")
        self.program.process.stdin.flush()
        line = self.program.unread.get(timeout=common.PATIENCE_S)
        assert line is not None, "the panel ended"
        return json.loads(line)

    def entries(self):
        return self.ask("cycle")

    def names(self):
        return sorted(e[0] for e in self.entries().values())

    def wait_names(self, *names):
        """Cycles until the panel shows these names and no others; the entries, by name."""
        def shown():
            entries = self.entries()
            return sorted(e[0] for e in entries.values()) == sorted(names) and entries
        return {e[0]: (mac, *e[1:]) for mac, e in
                common.wait_until(shown, f"{names} on the panel").items()}

    def close(self):
        self.program.process.stdin.close()
        self.program.wait_exit()


def job_group(house, name, jobs):
    """Makes jobs that do not exist and the group; apply again to change it."""
    text = ("destinations:\n  - name: Delivered\n    kind: folder\n    settings:\n"
            f"      path: {house.delivered}\njobs:\n")
    for each in JOBS:
        text += (f"  - name: {each}\n    file_name: '{each}_{{seq:3}}'\n"
                 "    destinations:\n      - destination: Delivered\n")
    text += f"job_groups:\n  - name: {name}\n    jobs:\n"
    text += "".join(f"      - job: {each}\n" for each in jobs)
    path = os.path.join(house.top, "config.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    house.cli("config", "apply", path)


@pytest.fixture(scope="module")
def lan():
    made = Lan()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def house(lan):
    space = lan.host("10.77.0.50")
    made = space.run(os.path.join(common.TOP, "tools", "panel-interfaces"), "add", "eth0",
                     "10.77.0.51/24", "10.77.0.52/24", text=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout == "interfaces = eth0, pj1, pj2\n"
    served = House(namespace=space, conf={"devices": {
        "device_address": "0.0.0.0", "udp_port": 2968, "tcp_port": 2968, "scan_port": 1865,
        "multicast": "true", "identify": "true", "interfaces_check_s": 1,
        "interfaces": made.stdout.split(" = ")[1].strip()}})
    try:
        served.start()
        job_group(served, "Office", JOBS)
        job_group(served, "Post", ("Letters",))
        yield served
        served.stop()
    finally:
        served.remove()


def macs(house):
    """{interface: its Ethernet address} of the server."""
    links = json.loads(house.namespace.run("ip", "-j", "link").stdout)
    return {link["ifname"]: link["address"] for link in links}


def pressed(house, panel, id_, name):
    """Start under this name; the job of the batch that came of it."""
    before = [b["id"] for b in house.batches(id_)]
    answer = panel.ask("press", name, "02")
    assert answer["ok"] and answer["end"] == []
    return house.settled_batch(id_, before), answer["mac"]


def test_a_name_for_each_job(lan, house):
    """Each name has the Ethernet and IP address of its interface, and starts its job."""
    first = Panel(lan.host("10.77.0.21"), "10.77.0.21")
    second = Panel(lan.host("10.77.0.22"), "10.77.0.22", "PID 1193")
    assert first.wait_names("Platen")  # not approved: one name
    office, post = house.approve(first.address, job_group="Office"), None
    second.entries()
    post = house.approve(second.address, job_group="Post")
    shown = first.wait_names(*JOBS)
    own = macs(house)
    for i, (name, interface) in enumerate(zip(JOBS, ("eth0", "pj1", "pj2"))):
        address = f"10.77.0.5{i}"
        assert shown[name] == (own[interface], address, 2968, address)
    assert set(second.wait_names("Letters")) == {"Letters"}
    device = house.show("device", "show", office)
    assert (device["jobs_by"], device["jobs_by_now"]) == ("auto", "name")
    for name in ("Receipts", "Invoices", "Letters"):
        batch, mac = pressed(house, first, office, name)
        assert batch["state"] == "done" and mac == shown[name][0]
        assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith(name)
    batch, _ = pressed(house, second, post, "Letters")
    assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith("Letters")

    # What the panel still shows after a change starts what it shows, or nothing.
    job_group(house, "Office", ("Letters", "Receipts"))
    batch, _ = pressed(house, first, office, "Receipts")
    assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith("Receipts")
    assert not first.ask("press", "Invoices", "02")["ok"]
    shown = first.wait_names("Letters", "Receipts")
    assert shown["Letters"][1] == "10.77.0.50"
    batch, _ = pressed(house, first, office, "Letters")
    assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith("Letters")
    job_group(house, "Office", JOBS)
    first.wait_names(*JOBS)

    # One name by setting, and back.
    house.cli("device", "set", office, "--jobs-by", "choice")
    assert house.show("device", "show", office)["jobs_by_now"] == "choice"
    assert first.wait_names("Platen")["Platen"][1] == "10.77.0.50"
    batch, _ = pressed(house, first, office, "Platen")  # 1-sided PDF: the first job
    assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith("Invoices")
    house.cli("device", "set", office, "--jobs-by", "auto")
    first.wait_names(*JOBS)
    first.close()
    second.close()


def test_another_server_on_the_group(lan, house):
    """It has a name of its own beside ours; on the server's own host it takes the place of our first."""
    panel = Panel(lan.host("10.77.0.23"), "10.77.0.23")
    panel.entries()
    id_ = house.approve(panel.address, job_group="Office")
    panel.wait_names(*JOBS)
    with common.Program(PYTHON, os.path.join(HERE, "mac_panel.py"), "agent", "10.77.0.90", "Other",
                        namespace=lan.host("10.77.0.90")) as other:
        other.wait_line("ready")
        shown = panel.wait_names("Other", *JOBS)
        assert shown["Other"][1] == "10.77.0.90"
        batch, _ = pressed(house, panel, id_, "Letters")
        assert batch["state"] == "done"
        other.process.kill()
        other.process.wait()
        other.process.returncode = 0
    with common.Program(PYTHON, os.path.join(HERE, "mac_panel.py"), "agent", "10.77.0.50", "Other",
                        namespace=house.namespace) as other:
        other.wait_line("ready")
        panel.wait_names("Other", "Letters", "Receipts")  # it answers before us
        other.process.kill()
        other.process.wait()
        other.process.returncode = 0
    panel.wait_names(*JOBS)
    panel.close()


def test_a_device_that_changes_its_address(lan, house):
    space = lan.host("10.77.0.24")
    panel = Panel(space, "10.77.0.24")
    panel.entries()
    id_ = house.approve(panel.address, job_group="Office")
    panel.wait_names(*JOBS)
    assert pressed(house, panel, id_, "Receipts")[0]["state"] == "done"  # its serial number is known
    panel.close()
    lan.run(space, "ip addr del 10.77.0.24/24 dev eth0", "ip addr add 10.77.0.34/24 dev eth0")
    panel = Panel(space, "10.77.0.34")
    panel.wait_names(*JOBS)
    assert house.show("device", "show", id_)["address"] == "10.77.0.34"
    batch, _ = pressed(house, panel, id_, "Letters")
    assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith("Letters")
    panel.close()


def test_an_interface_that_goes_and_comes_back(lan, house):
    """The other names stay; it is taken again by itself."""
    panel = Panel(lan.host("10.77.0.25"), "10.77.0.25")
    panel.entries()
    house.approve(panel.address, job_group="Office")
    panel.wait_names(*JOBS)
    lan.run(house.namespace, "ip link delete pj2")
    panel.wait_names("Invoices", "Letters")
    lan.run(house.namespace, "ip link add link eth0 name pj2 type macvlan mode bridge",
            "ip addr add 10.77.0.52/24 dev pj2", "ip link set pj2 up")
    begun = time.monotonic()
    while panel.names() != sorted(JOBS):
        assert time.monotonic() - begun < 60
    panel.close()
