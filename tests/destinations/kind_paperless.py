"""kind_paperless.py - a strict double of Paperless-ngx (paperless_double.py) behind a real nginx with TLS."""

import contextlib
import json
import os
import signal
import sys

from kind import TIMEOUT_S, Kind
from peer import Process, authority, free_ports, tmpfs, wait_until
from web_front import WebFront

TOKEN = "a" * 40
READER, SENDER, BLIND, TASKLESS, DROPPER = ("bcdef"[i] * 40 for i in range(5))


class Paperless(Kind):
    name = "paperless"
    double = ("Paperless-ngx is no package of Debian: what answers is a strict double of its interface, behind a "
              "real\nnginx with real TLS.")

    def __init__(self, folder):
        super().__init__(folder)
        self.plain, self.tls, backend = free_ports(3)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "paperless_double.py")
        self.processes = [Process("paperless", [sys.executable, script, str(backend), folder],
                                  os.path.join(folder, "double.log")).await_port(backend)]
        self.front = WebFront(folder, self.plain, self.tls, backend,
                              f"location /small {{ client_max_body_size 1k; proxy_pass "
                              f"http://127.0.0.1:{backend}/; }}\n"
                              "location /page { return 200 '<html>'; }\n"
                              "location /moved { return 301 /; }")
        self.processes.append(self.front)

    def url(self, path="", port=None):
        return f"https://127.0.0.1:{port or self.tls}{path}"

    def settings(self, **changes):
        return {"url": self.url(), "token": TOKEN, "tls_trust": "ca", "wait_s": 10,
                "tls_ca": authority().text("ca.pem"), "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.tls

    def through(self, port):
        return self.settings(url=self.url(port=port))

    def files(self, version=2):
        found, folder = {}, os.path.join(self.folder, str(version))
        for name in os.listdir(folder):
            if not name.startswith("."):
                with open(os.path.join(folder, name), "rb") as f:
                    found[name] = f.read()
        return found

    def temporary(self):
        return os.listdir(os.path.join(self.folder, "scratch"))

    def forms(self):
        """The uploads that were taken, oldest first."""
        path = os.path.join(self.folder, "forms")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_password(self):
        yield self.settings(token="", user="scan", password="wrong")

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(url="https://no-such-host.invalid")

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(url=self.url("/elsewhere"))

    @contextlib.contextmanager
    def untrusted(self):
        yield self.settings(tls_trust="strict", tls_ca="")

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(token=READER)

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(os.path.join(self.folder, "scratch")):
            yield self.settings()

    @contextlib.contextmanager
    def paced(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.folder, "uploading"))
        yield self.settings(url=self.url("/paced"))

    def await_upload(self):
        wait_until(lambda: os.path.exists(os.path.join(self.folder, "uploading")),
                   "the beginning of an upload")

    @contextlib.contextmanager
    def dies(self):
        def meanwhile():
            self.await_upload()
            self.front.process.kill()

        with self.paced() as settings:
            try:
                yield settings, meanwhile
            finally:
                self.front.start()

    @contextlib.contextmanager
    def hangs(self):
        def meanwhile():
            self.await_upload()
            self.front.process.signal(signal.SIGSTOP)

        with self.paced() as settings:
            try:
                yield settings, meanwhile
            finally:
                self.front.process.signal(signal.SIGCONT)
