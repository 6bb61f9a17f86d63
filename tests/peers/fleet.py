"""fleet.py - many virtual devices in one program, registered and approved at one server, pressed all at once.

Each page they send carries a stamp (platen-mfp --stamp): which device, and the how-manieth of its pages. So
whoever has a page can tell what was lost, doubled or swapped, and that its bytes are those that were fed."""

import concurrent.futures
import http.client
import json
import re
import time
import urllib.parse

import common

STAMP = re.compile(rb"\xff\xfe..(\S+) page (\d+)", re.S)
MOVING = ("receiving", "received", "composing", "delivering")


class Fleet:
    """The devices of one platen-mfp. house: started and configured; more: options of platen-mfp."""

    def __init__(self, house, folder, count, address, serial, *more, environment=None):
        self.house, self.count, self.serial = house, count, serial
        self.mfp = common.Program(
            common.program("src/mfp/platen-mfp"), "--pages", str(folder), "--count", str(count),
            "--address", address, "--serial", f"{serial}0001", "--port", str(house.scan_port), "--enpc-port", "0",
            "--server", f"127.0.0.1:{house.udp_port}", "--stamp", *map(str, more))
        ready = [common.fields(self.mfp.wait_line("ready ")) for _ in range(count)]
        self.addresses = [at["address"] for at in ready]
        self.panels = {at["address"]: at.get("panel") for at in ready}
        self.serials = {at: f"{serial}{i + 1:04}" for i, at in enumerate(self.addresses)}
        self.ids, self.seen = {}, 0

    # ---- registering ------------------------------------------------------------------------------

    def known(self):
        """Those of the devices that the server has seen: address -> id."""
        status, answer = self.house.api("GET", "/api/v1/devices")
        assert status == 200, answer
        return {d["address"]: d["id"] for d in answer["items"] if d["address"] in self.panels}

    def approve(self, patience_s=common.PATIENCE_S):
        """Waits until every device was seen, approves it and gives it the jobs of "Everyone"."""
        common.wait_until(lambda: len(self.known()) == self.count, "the devices to be seen", patience_s)
        self.ids = self.known()
        status, groups = self.house.api("GET", "/api/v1/job-groups")
        assert status == 200, groups
        group = next(g["id"] for g in groups["items"] if g["name"] == "Everyone")
        for device in self.ids.values():
            for method, path, body in (("POST", "/approve", None), ("PATCH", "", {"job_group": group})):
                status, answer = self.house.api(method, f"/api/v1/devices/{device}{path}", body)
                assert status in (200, 204), answer

    # ---- scanning ---------------------------------------------------------------------------------

    def ask(self, address, method, path, body=None):
        """The answer of a device's panel."""
        at = urllib.parse.urlsplit(self.panels[address])
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=common.PATIENCE_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status in (200, 204), text
            return json.loads(text) if text else None
        finally:
            connection.close()

    def wait_shown(self, patience_s=common.PATIENCE_S):
        """Until every panel shows the server."""
        for address in self.addresses:
            common.wait_until(lambda a=address: self.ask(a, "GET", "/state")["destinations"],
                              f"the server on the panel of {address}", patience_s)

    def press(self, sheets=0):
        """Start is pressed at all of them. sheets: put into the feeder before; 0: it is full."""
        def one(address):
            if sheets:
                self.ask(address, "POST", "/load", {"sheets": sheets})
            self.ask(address, "POST", "/press", {"name": "Platen", "choice": "02"})
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(one, self.addresses))

    def wait_ends(self, patience_s):
        """Until each device has ended a scan since the last call; what is not a good end is told."""
        end = time.monotonic() + patience_s
        ended = {}
        while len(ended) < self.count:
            line = self.mfp.wait_line(("pressed ", "scan-end "), max(0.1, end - time.monotonic()))
            fields = common.fields(line)
            if line.startswith("pressed "):
                assert fields["result"] == "OK", line
            else:
                assert fields["outcome"] == "done" and fields["device"] not in ended, line
                ended[fields["device"]] = int(fields["pages"])
        return ended

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.mfp.__exit__(*error)


def wait_rest(house, patience_s=common.PATIENCE_S):
    """Until no batch moves."""
    def rests():
        return not any(house.api("GET", f"/api/v1/batches?limit=1&state={state}")[1]["items"] for state in MOVING)
    common.wait_until(rests, "every batch to rest", patience_s)


def stamp_of(page):
    """(serial number, number) that a page carries."""
    found = STAMP.match(page, 2)
    assert found, page[:40]
    return found[1].decode(), int(found[2])


def unstamped(page):
    """The page as it was fed."""
    return page[:2] + page[STAMP.match(page, 2).end():]


def private_bytes(pid):
    """Memory that is this process's alone. Of a process that shows its memory to nobody (platend does not, but to
    root) what the kernel tells everybody: its anonymous memory."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            return sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Private_"))
    except PermissionError:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon"))
