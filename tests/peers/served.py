"""served.py - a real platend of the build under test, with the folder, ports and programs it needs.

Used by tests that drive the whole line from outside. A House may be started, stopped and killed
any number of times on the same data. Root gives root up, as platend does."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

import common

PROGRAMS = ("src/server/platend", "src/worker/platen-worker", "src/worker/platen-deliver",
            "src/worker/platen-deliver-smb", "src/cli/platen", "src/mfp/platen-mfp")
STOP_SECONDS = 60
SETTLED = ("done", "attention", "cancelled", "broken")
# What tools/check sets for every suite, for those who run a file of tests by hand.
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the API's local socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class House:
    """conf: {"section": {"key": value}} over what a test needs; environment: for platend alone; build: its folder;
    namespace: a common.Namespace in which server and command line run; launcher: words before the
    command line of platend, which is then started by the user the server would become."""

    def __init__(self, conf=None, environment=None, namespace=None, launcher=(), build=common.BUILD):
        self.top = tempfile.mkdtemp(prefix="platen-served-")
        os.chmod(self.top, 0o755)
        self.namespace, self.environment = namespace, environment or {}
        self.launcher = list(launcher)
        self.delivered = os.path.join(self.top, "delivered")
        self.data = os.path.join(self.top, "data")
        self.spool = os.path.join(self.data, "spool")
        self.socket = os.path.join(self.top, "run", "platen.sock")
        self.log = os.path.join(self.top, "platend.log")
        bin_folder = os.path.join(self.top, "bin")
        for folder in (bin_folder, self.delivered, self.data, os.path.join(self.top, "run")):
            os.mkdir(folder)
        # Copied, because the user the server becomes may not be able to read the build folder.
        for path in PROGRAMS:
            shutil.copy(common.program(path, build), bin_folder)
        # In a user name space there is no other user to become: the server starts without one there.
        self.gives_up_root = common.IS_ROOT
        self.nobody = ["unshare", "-U"] if namespace and not common.IS_ROOT else []
        if self.nobody:
            self.launcher = self.nobody
        if self.gives_up_root:
            for folder in (self.delivered, self.data, os.path.join(self.top, "run")):
                shutil.chown(folder, "nobody")
        self.tcp_port, self.https_port, self.scan_port, self.udp_port = common.free_ports(4)
        self.conf = {
            "server": {"data_dir": self.data, "user": "nobody", "name": "Platen", "drain_s": 5},
            "devices": {"device_address": "127.0.0.1", "udp_port": self.udp_port,
                        "tcp_port": self.tcp_port, "scan_port": self.scan_port,
                        "multicast": "false",
                        # One session is one scan: who is asked has tests of its own.
                        "identify": "false", "silent_after_s": 86400},
            "http": {"socket": self.socket, "http_address": "127.0.0.1",
                     "http_port": self.https_port}}
        for section, keys in (conf or {}).items():
            self.conf.setdefault(section, {}).update(keys)
        self.conf_path = os.path.join(self.top, "platen.conf")
        self.write_conf()
        self.process = None
        self.is_well = 200  # what /health answers when it runs as the test wants it

    def write_conf(self):
        """platen.conf as conf has it now."""
        with open(self.conf_path, "w", encoding="utf-8") as f:
            for section, keys in self.conf.items():
                f.write(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()))

    # ---- the server ---------------------------------------------------------------------------

    def program(self, name):
        return os.path.join(self.top, "bin", name)

    def _command(self, *words):
        return self.namespace.command(*words) if self.namespace else list(words)

    def start(self):
        """Starts the server and waits until it answers."""
        becomes = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._command(*self.launcher, self.program("platend"), "--config", self.conf_path),
                **(dict.fromkeys(("stdin", "stdout"), subprocess.PIPE) if self.launcher else {}),
                stderr=log, cwd=self.top,
                env={**SANITIZERS, **os.environ, **self.environment},
                **(becomes if self.launcher and self.gives_up_root else {}))
        common.wait_until(lambda: self.process.poll() is not None or self._answers(), "the server")
        assert self.process.poll() is None, self.log_text()
        return self

    def _answers(self):
        try:
            return self.api("GET", "/health")[0] == self.is_well
        except OSError:
            return False

    def stop(self):
        """SIGTERM; the server must end well and nothing may have complained."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        assert code == 0, f"platend ended with {code}:\n{self.log_text()[-4000:]}"
        self.assert_sound()

    def kill(self):
        """SIGKILL to the server; a launcher sees its standard input end and kills it."""
        if self.launcher and not self.namespace:
            self.process.stdin.close()
        else:
            self.process.kill()
        self.process.wait()

    def assert_sound(self):
        """No sanitizer has said anything."""
        text = self.log_text()
        for word in ("Sanitizer", "runtime error:"):
            assert word not in text, text[text.index(word) - 500:][:6000]

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.top, ignore_errors=True)

    # ---- asking it ----------------------------------------------------------------------------

    def api(self, method, path, body=None, timeout=common.PATIENCE_S):
        """(status, answer) of a request over the local socket."""
        connection = UnixConnection(self.socket, timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text[:1] in ("{", "[") else text

    def platen(self, *words, **more):
        """platen with these words, and what it did."""
        return subprocess.run(
            self._command(*self.nobody, self.program("platen"), *words), capture_output=True, text=True,
            timeout=common.PATIENCE_S, check=False,
            env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": self.socket}, **more)

    def cli(self, *words, **more):
        """The same; its standard output. It must succeed."""
        done = self.platen(*words, **more)
        assert done.returncode == 0, f"platen {' '.join(words)}: {done.stderr}"
        return done.stdout

    def show(self, *words):
        """The same with --json, read; of a list its items."""
        answer = json.loads(self.cli(*words, "--json"))
        return answer.get("items", answer) if isinstance(answer, dict) else answer

    def database(self):
        """The server's database, for reading only. A WAL database is read without being held up."""
        return sqlite3.connect(f"file:{self.data}/platen.db?mode=ro", uri=True,
                               timeout=common.PATIENCE_S)

    # ---- set-up -------------------------------------------------------------------------------

    def configure(self, **job):
        """One folder, one job ("Scan"), one group ("Everyone")."""
        job = {"file_format": "pdf", "file_name": "{date}_{time}_{seq:3}", "index": "csv", **job}
        text = ("destinations:\n  - name: Delivered\n    kind: folder\n    settings:\n"
                f"      path: {self.delivered}\njobs:\n  - name: Scan\n")
        text += "".join(f"    {k}: {json.dumps(v)}\n" for k, v in job.items())
        text += ("    destinations:\n      - destination: Delivered\n"
                 "job_groups:\n  - name: Everyone\n    jobs:\n      - job: Scan\n"
                 "        panel_choice: 1-sided-pdf\n")
        path = os.path.join(self.top, "config.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.cli("config", "apply", path)

    def devices(self):
        return {d["address"]: d for d in self.show("device", "list")}

    def approve(self, address, **settings):
        """Lets the device at this address scan, once the server has seen it."""
        device = common.wait_until(lambda: self.devices().get(address), f"device {address}")
        self.cli("device", "approve", device["id"])
        options = {"job_group": "Everyone", **settings}
        self.cli("device", "set", device["id"],
                 *(w for k, v in options.items() for w in ("--" + k, v)))
        return device["id"]

    # ---- what became of it --------------------------------------------------------------------

    def batches(self, device_id):
        """The batches of a device, newest first."""
        found, before = [], ""
        while before is not None:
            status, answer = self.api("GET", f"/api/v1/batches?limit=100{before}")
            assert status == 200, answer
            found += [b for b in answer["items"] if b["device_id"] == device_id]
            before = answer["next"] and "&before=" + answer["next"]
        return found

    def settled_batch(self, device_id, after=(), patience_s=common.PATIENCE_S):
        """`platen batch show` of the device's newest batch that is not in after, once nothing
        more happens to it by itself."""
        def settled():
            found = [b for b in self.batches(device_id) if b["id"] not in after]
            return found and found[0]["state"] in SETTLED and found[0]
        return self.show("batch", "show", common.wait_until(settled, "a batch", patience_s)["id"])

    def delivered_file(self, batch_id, ending):
        """Path of the only delivered file of a batch that ends so."""
        names = [d["name"] for d in self.show("batch", "documents", batch_id)
                 if d["name"].endswith(ending)]
        assert len(names) == 1, names
        return os.path.join(self.delivered, names[0])


def pdf_pages(path):
    """The raw image streams of the pages, after qpdf found the file in order."""
    subprocess.run(["qpdf", "--check", path], check=True, capture_output=True)
    listing = json.loads(subprocess.run(["qpdf", "--json", "--json-key=pages", path], check=True,
                                        capture_output=True).stdout)
    return [subprocess.run(["qpdf", f"--show-object={image['object'].split()[0]}",
                            "--raw-stream-data", path], check=True, capture_output=True).stdout
            for page in listing["pages"] for image in page["images"]]


def seconds(function):
    """(seconds it took, what it gave)."""
    begun = time.monotonic()
    answer = function()
    return time.monotonic() - begun, answer


@contextlib.contextmanager
def running(conf=None, job=None, **more):
    """A house that is configured and runs; in the end it must stop in order. job: what the job Scan says, more: of
    House."""
    made = House(conf, **more).start()
    try:
        made.configure(**(job or {}))
        yield made
        made.stop()
    finally:
        made.remove()
