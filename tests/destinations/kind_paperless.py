"""kind_paperless.py - a strict double of Paperless-ngx (paperless_double.py) behind a real nginx with TLS."""

import contextlib
import json
import os
import sys

from kind import TIMEOUT_S, Kind, seen_below
from peer import Process, authority, free_ports, tmpfs
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
        return seen_below(os.path.join(self.folder, str(version)))

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
    def read_only(self):
        yield self.settings(token=READER)

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(os.path.join(self.folder, "scratch")):
            yield self.settings()

    def slowly(self):
        self.forget_upload()
        return self.settings(url=self.url("/paced"))

    def dies(self):
        return self.while_uploading(self.front.process.kill, self.front.start)

    def hangs(self):
        return self.while_stopped(self.front.process)
