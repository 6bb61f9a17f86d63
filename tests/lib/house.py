"""house.py - a whole Platen for one test: server, virtual devices, command line, a folder to deliver into.

    with House() as house:
        house.start()
        house.define()
        device = house.device(pages(3, "a"))
        assert device.scan() == "done"
        house.wait_quiet()

Every house has a network of its own below 127.0.0.0/8 and a folder of its own below /tmp, so that several
stand side by side. What it started it ends by process id. The folder with all logs stays when a test
failed, and its path is printed. PLATEN_BUILD names the build to test, build/gcc-debug when not set: it
must have fault points and sanitizers. Started as root the server gives root up, as in real life."""

import atexit
import csv
import glob
import hashlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.setdefault("PLATEN_BUILD", os.path.join(TOP, "build", "gcc-debug"))
sys.path.insert(0, os.path.join(TOP, "tests", "peers"))
from common import fields, free_ports, wait_until  # noqa: E402  (PLATEN_BUILD has to be set before)

PROGRAMS = ("server/platend", "worker/platen-worker", "worker/platen-deliver",
            "worker/platen-deliver-smb", "cli/platen", "mfp/platen-mfp")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
CALL_SECONDS = 60
QUIET_SECONDS = 90
AT_REST = {"done", "cancelled", "broken", "attention"}
STATES = AT_REST | {"receiving", "received", "composing", "delivering"}
CHOICES = {"Scan": "02", "Counted": "01", "Pictures": "04"}  # what define() gives to its jobs
GREY_JPEG = os.path.join(TOP, "tests", "lib", "data", "grey.jpg")


def copied_programs(build, done={}):  # noqa: B006  (one copy per build and process)
    """A folder with the programs: the user the server becomes may not be able to read the build."""
    if build not in done:
        folder = tempfile.mkdtemp(prefix="platen-programs.")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        for program in PROGRAMS:
            shutil.copy(os.path.join(build, "src", program), folder)
        done[build] = folder
    return done[build]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def page(tag, size=0):
    """A small JPEG picture that no other is equal to: its comment says the tag. Behind its pixels are
    bytes that no decoder looks at, up to about size."""
    with open(GREY_JPEG, "rb") as f:
        jpeg = f.read()
    comment = tag.encode()
    fill = random.Random(tag).randbytes(max(0, size - len(jpeg) - len(comment)))
    return (jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:-2] +
            fill.replace(b"\xff", b"\xfe") + jpeg[-2:])


def pages(count, tag, size=1000):
    """Pages whose sizes differ, so that a device's line about a page tells which one it was."""
    made = [page(f"{tag}/{i:05}", size + 7 * i) for i in range(count)]
    assert len({len(p) for p in made}) == count
    return made


def pdf_images(data):
    """The JPEG files inside a PDF that Platen wrote, in the order of its pages."""
    images = []
    for m in re.finditer(rb"/Filter/DCTDecode[^>]*/Length (\d+)>>\nstream\n", data):
        images.append(data[m.end():m.end() + int(m[1])])
        assert data[m.end() + int(m[1]):].startswith(b"\nendstream"), "a cut image in a PDF"
    return images


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket of the API."""

    def __init__(self, path):
        super().__init__("localhost", timeout=CALL_SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Watcher(threading.Thread):
    """Looks at a folder all the time, and reads every file as soon as it can be seen. What it saw first
    must be the whole file, for ever: nothing half, nothing overwritten, nothing taken away."""

    PAUSE_S = 0.003

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.first, self.ending, self.vanished = folder, {}, False, []
        self.start()

    def run(self):
        while not self.ending:
            self.look()
            time.sleep(self.PAUSE_S)

    def look(self):
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:  # a test took the folder away
            return
        for name in names:
            if not name.startswith(".") and name not in self.first:
                try:
                    self.first[name] = self.read(name)
                except FileNotFoundError:
                    self.vanished.append(name)

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as f:
            data = f.read()
            return os.fstat(f.fileno()).st_ino, len(data), sha256(data)

    def check(self):
        """What is there now is what was seen first."""
        self.look()
        assert not self.vanished, f"seen, and then gone: {self.vanished}"
        for name, seen in list(self.first.items()):
            assert self.read(name) == seen, f"{name} is not the file that was seen first"

    def end(self):
        self.ending = True
        self.join()


class Device:
    """A virtual device of a house. Its pages are fed one stack after another."""

    def __init__(self, house, number, feed, options):
        self.house, self.number, self.options = house, number, options
        self.address = house.address(number + 1)
        self.serial = f"TEST{number:06}"
        self.generation = 0
        self.process = None
        self.fed, self.acknowledged = [], []  # pages that may, and those that must arrive
        self.start(feed)

    def start(self, feed):
        """Switches it on with new pages."""
        self.generation += 1
        name = os.path.join(self.house.folder, f"device-{self.number}-{self.generation}")
        os.mkdir(name)
        self.by_size = {len(p): p for p in feed}
        assert len(self.by_size) == len(feed), "pages of one device have different sizes"
        for i, content in enumerate(feed):
            with open(f"{name}/{i:05}.jpg", "wb") as f:
                f.write(content)
        self.log_path = name + ".log"
        self.taken, self.rest, self.events, self.current = 0, "", [], {}
        self.seen = 0
        command = [self.house.program("platen-mfp"), "--address", self.address,
                   "--port", str(self.house.scan_port), "--pages", name, "--serial", self.serial,
                   "--server", f"{self.house.address(1)}:{self.house.udp_port}",
                   "--panel-port", "0", "--announce-every", "10", *self.options]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.house.environment)
        self.panel = fields(self.wait("ready "))["panel"]

    def take(self):
        """Reads what the device has printed since."""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            f.seek(self.taken)
            text = f.read()
            self.taken = f.tell()
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.events.append(line)
            word, *words = line.split(" ")
            if word == "scan-begin":
                self.current = {}
            elif word == "page":
                self.current[words[0]] = self.by_size[int(words[1].split("=")[1])]
                self.fed.append(sha256(self.current[words[0]]))
            elif word == "page-acknowledged":
                self.acknowledged.append(sha256(self.current[words[0]]))

    def wait(self, start, seconds=CALL_SECONDS):
        """The next line that begins like this; lines before it are passed over. Several beginnings may
        be given as a tuple."""
        end = time.monotonic() + seconds
        while True:
            self.take()
            while self.seen < len(self.events):
                self.seen += 1
                if self.events[self.seen - 1].startswith(start):
                    return self.events[self.seen - 1]
            if self.process.poll() is not None:
                self.take()
                assert self.seen < len(self.events), f"device {self.number} ended: {self.events[-5:]}"
                continue
            assert time.monotonic() < end, (f"device {self.number}: no {start} within {seconds} s; "
                                            f"{self.events[-5:]}")
            time.sleep(0.01)

    def call(self, path, body=None, method="POST"):
        """(status, answer) of the panel."""
        request = urllib.request.Request(
            self.panel + path, data=None if body is None else json.dumps(body).encode(),
            method=method, headers={"Content-Type": "application/json"} if body else {})
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def state(self):
        return json.loads(self.call("/state", method="GET")[1])

    def load(self, sheets):
        assert self.call("/load", {"sheets": sheets})[0] == 204

    def press(self, choice="02"):
        """Presses Start; True when the server accepts it."""
        wait_until(lambda: self.state()["destinations"], "the server on the panel")
        self.take()
        self.seen = len(self.events)
        status, text = self.call("/press", {"name": "Platen", "choice": choice})
        assert status == 204, text
        return fields(self.wait("pressed "))["result"] == "OK"

    def is_quiet_after(self, pressed, server):
        """True when no scan will come of the press any more; a wait for a server that has died since is
        ended by Cancel, as a person would."""
        self.take()
        if any(line.startswith("scan-end ") for line in self.events[pressed:]):
            return True
        if self.process.poll() is not None:
            return True
        gone = self.house.server is not server or not self.house.is_running()
        if gone and self.state()["state"] == "waiting":
            self.cancel()
        return False

    def scan_whatever_happens(self, sheets, choice):
        """A scan during which the server may die."""
        self.load(sheets)
        server = self.house.server
        # A server may die of the device's being seen, before it is on the panel.
        wait_until(lambda: self.state()["destinations"] or not self.house.is_running(), "the server on the panel")
        if self.state()["destinations"] and self.press(choice):
            pressed = self.seen
            wait_until(lambda: self.is_quiet_after(pressed, server), "the end of the scan")

    def cancel(self):
        return self.call("/cancel")[0] == 204

    def wait_end(self, seconds=CALL_SECONDS):
        return fields(self.wait("scan-end ", seconds))["outcome"]

    def scan(self, sheets=None, choice="02"):
        """A whole scan; its outcome in the device's words, or "refused"."""
        if sheets:
            self.load(sheets)
        return self.wait_end() if self.press(choice) else "refused"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.take()


class House:
    numbers = itertools.count()

    def __init__(self, build=BUILD, **settings):
        self.programs = copied_programs(build)
        self.folder = tempfile.mkdtemp(prefix="platen-house.")
        os.chmod(self.folder, 0o755)
        choose = random.SystemRandom()
        self.net = f"127.{choose.randint(1, 254)}.{choose.randint(0, 254)}"
        self.tcp_port, self.udp_port, self.scan_port, self.https_port = free_ports(4)
        self.delivered = os.path.join(self.folder, "delivered")
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "run", "platen.sock")
        self.log_path = os.path.join(self.folder, "server.log")
        self.config_path = os.path.join(self.folder, "platen.conf")
        for name in ("delivered", "data", "run"):
            self.make_folder(os.path.join(self.folder, name))
        self.environment = {**os.environ, **SANITIZERS, "PLATEN_SOCKET": self.socket,
                            "LC_ALL": "C.UTF-8"}
        for name in "PLATEN_FAULT", "TMPDIR":  # the latter is a test's own folder, which the server may not open
            self.environment.pop(name, None)
        self.configure(**settings)
        self.server, self.devices, self.watcher = None, [], Watcher(self.delivered)

    def make_folder(self, path):
        """A folder the server may write in."""
        os.mkdir(path)
        if os.geteuid() == 0:
            shutil.chown(path, "nobody")

    def configure(self, **settings):
        """Writes platen.conf; settings are keys of any section."""
        sections = {
            "server": {"data_dir": self.data, "name": "Platen", "drain_s": 20, "free_space_mib": 1,
                       "user": "nobody" if os.geteuid() == 0 else "platen"},
            "devices": {"device_address": self.address(1), "udp_port": self.udp_port,
                        "tcp_port": self.tcp_port, "scan_port": self.scan_port,
                        "multicast": "false"},
            "http": {"socket": self.socket, "http_address": self.address(1), "http_port": 0},
            "deliver": {"programs": ""},
            "retention": {"keep_files_days": 30, "keep_history_days": 365},
        }
        for key, value in settings.items():
            next(s for s in sections.values() if key in s)[key] = value
        with open(self.config_path, "w", encoding="utf-8") as f:
            for name, keys in sections.items():
                f.write(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))

    def address(self, host):
        return f"{self.net}.{host}"

    def program(self, name):
        return os.path.join(self.programs, name)

    # ---- the server -------------------------------------------------------------------------------

    def launch(self, fault=None):
        """Starts platend and does not wait for it."""
        environment = {**self.environment, **({"PLATEN_FAULT": fault} if fault else {})}
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([self.program("platend"), "--config", self.config_path],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    env=environment)

    def start(self, fault=None):
        """Starts the server. False when a fault point ended it before it was ready."""
        self.server = self.launch(fault)
        wait_until(lambda: "server.ready" in self.log() or self.server.poll() is not None,
                   "the server", CALL_SECONDS)
        ready = "server.ready" in self.log()
        assert ready or fault, f"the server did not start: {self.log()[-2000:]}"
        return ready

    def log(self):
        """What the server has said since its last start."""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            f.seek(self.log_from)
            return f.read()

    def is_running(self):
        return self.server is not None and self.server.poll() is None

    def kill(self):
        """As a power switch would, for this process."""
        if self.is_running():
            self.server.kill()
        if self.server:
            self.server.wait()

    def stop(self, may_die=False):
        """SIGTERM, and a clean end. may_die: a fault point that it came to may be killing it just now."""
        if not self.is_running():
            return
        self.server.terminate()
        code = self.server.wait(CALL_SECONDS)
        assert code == 0 or may_die and code == -signal.SIGKILL, f"the server ended with {code}: {self.log()[-3000:]}"

    def workers(self):
        """Process ids of the server's worker processes and of their tasks."""
        found, look = [], [self.server.pid]
        while look:
            for path in glob.glob(f"/proc/{look.pop()}/task/*/children"):
                try:
                    with open(path, encoding="ascii") as f:
                        children = [int(word) for word in f.read().split()]
                except (FileNotFoundError, ProcessLookupError):
                    continue
                found += children
                look += children
        return found

    # ---- asking -----------------------------------------------------------------------------------

    def run(self, *words, **more):
        """The command line, whatever comes of it."""
        return subprocess.run([self.program("platen"), *map(str, words)], env=self.environment,
                              capture_output=True, text=True, timeout=CALL_SECONDS, check=False,
                              **more)

    def cli(self, *words, **more):
        """The command line, which has to succeed; its standard output."""
        done = self.run(*words, **more)
        assert done.returncode == 0, f"platen {' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def ask(self, *words):
        """The command line's answer as JSON; of lists the items."""
        answer = json.loads(self.cli(*words, "--json"))
        return answer["items"] if isinstance(answer, dict) and "items" in answer else answer

    def api(self, method, path, body=None):
        """(status, JSON) of the API, without the cost of a program."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def get(self, path):
        status, answer = self.api("GET", "/api/v1" + path)
        assert status == 200, answer
        return answer

    def batches(self):
        """All of them, newest first."""
        found, before = [], ""
        while before is not None:
            answer = self.get(f"/batches?limit=200{before}")
            found += answer["items"]
            before = f"&before={answer['next']}" if answer["next"] else None
        return found

    def parts(self, batch, what):
        return self.get(f"/batches/{batch['id']}/{what}")["items"]

    def events(self):
        return self.ask("event", "list", "--after", 0, "--limit", 500)

    # ---- setting up -------------------------------------------------------------------------------

    def define(self, path=None, destination=None, **job):
        """A destination (kind and settings; a folder when it is not given), a job per file format and name, and
        a group of them. job: fields for all."""
        def one(name, **more):
            return {"name": name, "index": "csv", "destinations": [{"destination": "Delivered"}],
                    **more, **job}
        config = {
            "destinations": [{"name": "Delivered", **(destination or {
                "kind": "folder", "settings": {"path": path or self.delivered}})}],
            "jobs": [one("Scan", file_format="pdf", file_name="scan"),
                     one("Counted", file_format="pdf", file_name="counted-{seq:4}"),
                     one("Pictures", file_format="jpeg", file_name="picture-{seq:3}")],
            "job_groups": [{"name": "All", "jobs": [
                {"job": "Scan", "panel_choice": "1-sided-pdf"},
                {"job": "Counted", "panel_choice": "1-sided-jpeg"},
                {"job": "Pictures", "panel_choice": "1-sided-preview"}]}],
        }
        return self.cli("config", "apply", "-", input=json.dumps(config))

    def stranger(self, feed, *options):
        """A device that is switched on; nobody has approved it."""
        device = Device(self, len(self.devices) + 1, feed, options)
        self.devices.append(device)
        return device

    def id_of(self, device):
        found = [d["id"] for d in self.get("/devices")["items"] if d["address"] == device.address]
        return found[0] if found else None

    def approve(self, device):
        name = wait_until(lambda: self.id_of(device), "the device to be seen")
        self.cli("device", "approve", name)
        self.cli("device", "set", name, "--job_group", "All")

    def device(self, feed, *options):
        """A device that is on, approved, and has the jobs of define()."""
        device = self.stranger(feed, *options)
        self.approve(device)
        return device

    # ---- coming to rest ---------------------------------------------------------------------------

    def wait_quiet(self, seconds=QUIET_SECONDS):
        """Until no batch moves; the batches."""
        def at_rest():
            found = self.batches()
            assert all(b["state"] in STATES for b in found), found
            return all(b["state"] in AT_REST for b in found) and (found,)
        return wait_until(at_rest, "every batch to rest", seconds)[0]

    def send_everything(self, seconds=QUIET_SECONDS):
        """What a person does after a disaster: sends what is broken, tries again what is stuck."""
        for _ in range(5):
            todo = [b for b in self.wait_quiet(seconds) if b["pages"] and b["state"] in ("broken", "attention")]
            if not todo:
                return
            for b in todo:
                self.cli("batch", "deliver" if b["state"] == "broken" else "retry", b["id"])
        raise AssertionError(f"batches do not come to rest: {todo}")

    # ---- what was delivered -----------------------------------------------------------------------

    def files(self, end=""):
        return sorted(n for n in os.listdir(self.delivered) if not n.startswith(".") and n.endswith(end))

    def content(self, name):
        with open(os.path.join(self.delivered, name), "rb") as f:
            return f.read()

    def images(self, name):
        """SHA-256 of each page in a delivered file."""
        data = self.content(name)
        return [sha256(image) for image in (pdf_images(data) if name.endswith(".pdf") else [data])]

    def index(self, name):
        with open(os.path.join(self.delivered, name), encoding="utf-8", newline="") as f:
            return list(csv.DictReader(f))

    def check_delivered(self):
        """The invariants: acknowledged pages are there exactly once, nothing is there twice or half,
        every file is in exactly one index. All batches have been sent."""
        self.watcher.check()
        found = [image for name in self.files() if not name.endswith(".csv")
                 for image in self.images(name)]
        fed, acknowledged = set(), set()
        for device in self.devices:
            device.take()
            fed.update(device.fed)
            acknowledged.update(device.acknowledged)
        assert len(found) == len(set(found)), "a page was delivered twice"
        assert not acknowledged - set(found), f"{len(acknowledged - set(found))} acknowledged pages lost"
        assert not set(found) - fed, "a page was delivered that no device had ended"
        self.check_indexes()
        hidden = [n for n in os.listdir(self.delivered) if n.startswith(".")]
        assert not hidden, f"left behind: {hidden}"
        return len(acknowledged)

    def check_indexes(self):
        """Every file is in exactly one index, under the name that it has."""
        listed = [(row["sha256"], int(row["size_bytes"]), row["file_name"])
                  for name in self.files(".csv") for row in self.index(name)]
        there = [(sha256(self.content(n)), len(self.content(n)), n)
                 for n in self.files() if not n.endswith(".csv")]
        assert sorted(listed) == sorted(there), "the index files do not list what is there"

    def check_numbers(self):
        """Names that were taken are numbered, and counters go on, without a gap."""
        for end in (".pdf", ".csv"):
            scans, counted = (len([n for n in self.files(end) if n.startswith(start)])
                              for start in ("scan", "counted"))
            wanted = {"scan" + end} | {f"scan_{i}{end}" for i in range(2, scans + 1)} if scans else set()
            wanted |= {f"counted-{i:04}{end}" for i in range(1, counted + 1)}
            there = {n for n in self.files(end) if n.startswith(("scan", "counted"))}
            assert there == wanted, f"gaps in the numbers: {sorted(there ^ wanted)}"
        pictures = self.files(".jpg")
        assert pictures == sorted(f"picture-{i:03}.jpg" for i in range(1, len(pictures) + 1))

    def check_fsck(self):
        """Spool and database agree; the server is down."""
        self.stop()
        text = self.cli("fsck", "--full", "--dry-run", "--config", self.config_path)
        numbers = [int(n) for n in re.findall(r"(\d+) (?:rebuilt|added|missing|damaged|unfinished)", text)]
        assert numbers == [0, 0, 0, 0, 0], text

    # ---- what is kept -----------------------------------------------------------------------------

    def spool_folders(self):
        """The ids of the batches that have a folder in the spool."""
        return sorted(os.path.basename(path) for path in
                      glob.glob(os.path.join(self.data, "spool", "????-??-??", "*")))

    def wait_removed(self):
        """Until every batch's files are removed, in the database and in the spool."""
        wait_until(lambda: all(b["files"] == "removed" for b in self.batches()),
                   "the files of every batch to be removed")
        assert self.spool_folders() == []

    def sql(self, *statements):
        """Changes the database of a server that is down, or reads the rows of the last statement."""
        assert not self.is_running()
        database = sqlite3.connect(os.path.join(self.data, "platen.db"))
        try:
            for statement in statements:
                rows = database.execute(statement).fetchall()
            database.commit()
            return rows
        finally:
            database.close()

    def age(self, days):
        """So many days pass; the server is down."""
        ms = days * 24 * 3600 * 1000
        self.sql(f"UPDATE batch SET changed_at = changed_at - {ms}",
                 f"UPDATE event SET at = at - {ms}")

    # ---- the end ----------------------------------------------------------------------------------

    def logs(self):
        text = ""
        for path in [self.log_path, *glob.glob(os.path.join(self.folder, "*.log"))]:
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.watcher.end()
        try:
            for device in self.devices:
                device.kill()
            if kind is None:
                self.stop()
                assert "Sanitizer" not in self.logs(), "a sanitizer has something to say"
                self.watcher.check()
        except BaseException:
            kind = True
            raise
        finally:
            self.kill()
            if kind is None:
                shutil.rmtree(self.folder)
            else:
                print(f"all logs of this test are in {self.folder}", file=sys.stderr)
