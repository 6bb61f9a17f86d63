"""kind_webhook.py - a strict receiver (webhook_receiver.py) behind a real nginx with TLS."""

import contextlib
import json
import os
import sys

from kind import TIMEOUT_S, Kind, seen_below
from peer import Process, authority, free_ports, tmpfs
from web_front import WebFront
from webhook_receiver import SECRET

LOCATIONS = """
location /small { client_max_body_size 1k; proxy_pass http://127.0.0.1:%d/hook; }
location /nobody { proxy_pass http://127.0.0.1:%d; }
location /none { return 404; }
"""


class Webhook(Kind):
    name = "webhook"
    without = {"wrong_password": "the signature is the receiver's to judge; log-ins are in test_webhook.py"}
    expects = {"wrong_name": ("fatal", "send")}  # only this document is refused: docs/webhook.md

    def __init__(self, folder):
        super().__init__(folder)
        self.plain, self.tls, self.backend, nobody = free_ports(4)
        for below in "documents", "full":
            os.makedirs(os.path.join(folder, below))
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "webhook_receiver.py")
        self.processes = [Process("receiver", [sys.executable, script, str(self.backend), folder],
                                  os.path.join(folder, "receiver.log")).await_port(self.backend)]
        self.front = WebFront(folder, self.plain, self.tls, self.backend,
                              LOCATIONS % (self.backend, nobody))
        self.processes.append(self.front)

    def url(self, path="/hook", port=None):
        return f"https://127.0.0.1:{port or self.tls}{path}"

    def settings(self, **changes):
        return {"url": self.url(), "secret": SECRET, "tls_trust": "ca",
                "tls_ca": authority().text("ca.pem"), "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.tls

    def through(self, port):
        return self.settings(url=self.url(port=port))

    def files(self, folder="documents"):
        return seen_below(os.path.join(self.folder, folder))

    def temporary(self):
        return [name for folder in ("documents", "full")
                for name in os.listdir(os.path.join(self.folder, folder)) if name.startswith(".")]

    def requests(self):
        """What the receiver took, oldest first."""
        path = os.path.join(self.folder, "requests")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(url="https://no-such-host.invalid/hook")

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(url=self.url("/none"))

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(url=self.url("/ro"))

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(os.path.join(self.folder, "full")):
            yield self.settings(url=self.url("/full"))

    def slowly(self):
        self.forget_upload()
        return self.settings(url=self.url("/slow"))

    def dies(self):
        return self.while_uploading(self.front.process.kill, self.front.start)

    def hangs(self):
        return self.while_stopped(self.front.process)
