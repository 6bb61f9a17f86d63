"""kind_sharepoint_online.py - a strict double of Microsoft's log-in and of Microsoft Graph, over TLS."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

import graph_cloud as cloud
from kind import TIMEOUT_S, Kind, seen_below
from peer import FaultProxy, Process, authority, free_ports, tmpfs

SLOW_KB_PER_S = 4000


class SharepointOnline(Kind):
    name = "sharepoint-online"
    double = ("Microsoft's service cannot run in a test: what answers is a strict double of its log-in and of "
              "Microsoft\nGraph, over real TLS; openssl checks signatures.")
    # libcurl repeats a request by itself when a connection that it kept was lost: it may fail to connect.
    stages = {"dies": "write send verify connect tls"}

    def __init__(self, folder):
        super().__init__(folder)
        self.d, self.cloud_port = str(folder), free_ports(1)[0]
        for name, kind in ("client", "rsa:2048"), ("other", "rsa:2048"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", kind, "-nodes", "-days", "2", "-subj",
                            "/CN=platen", "-keyout", f"{self.d}/{name}.key", "-out", f"{self.d}/{name}.pem"],
                           check=True, capture_output=True)
        self.start()
        self.slow = FaultProxy(self.d, self.cloud_port, slow=SLOW_KB_PER_S)
        os.makedirs(self.library("full"))

    def start(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "graph_cloud.py")
        ca = authority()
        self.process = Process("graph_cloud", [
            sys.executable, script, self.d, str(self.cloud_port), ca.path("server.pem"), ca.path("server.key")],
            self.d + "/cloud.log").await_port(self.cloud_port)

    def close(self):
        self.slow.process.end()
        self.process.end()

    def text(self, name):
        with open(f"{self.d}/{name}", encoding="ascii") as f:
            return f.read()

    def settings(self, port=None, host="127.0.0.1", **changes):
        address = f"https://{host}:{port or self.cloud_port}"
        return {"tenant": cloud.TENANT, "client_id": cloud.CLIENT, "client_secret": cloud.SECRET,
                "site": f"https://{cloud.HOST}{cloud.SITE_PATH}/", "login_url": address,
                "graph_url": address + "/v1.0", "tls_trust": "ca", "tls_ca": authority().text("ca.pem"),
                "timeout_s": TIMEOUT_S, **changes}

    def by_certificate(self, name="client", key=None, **changes):
        return self.settings(client_secret="", certificate=self.text(name + ".pem"),
                             certificate_key=self.text((key or name) + ".key"), **changes)

    @contextlib.contextmanager
    def cloud_with(self, **switches):
        path = self.d + "/cloud.json"
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(switches, f)
        os.replace(path + ".new", path)
        try:
            yield
        finally:
            os.remove(path)

    def port(self):
        return self.cloud_port

    def library(self, path="", drive=cloud.DRIVES["Documents"]):
        return os.path.join(self.d, "root", drive, path)

    def meta(self, name):
        with open(self.d + "/state.json", encoding="utf-8") as f:
            return json.load(f)[f"{cloud.DRIVES['Documents']}/{name}"]

    def files(self):
        return seen_below(self.library(), lambda name: name.endswith(".part"))

    def temporary(self):
        return [name for _, _, names in os.walk(self.d + "/root") for name in names if name.endswith(".part")]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_password(self):
        yield self.settings(client_secret="Wrong-" + cloud.SECRET)

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(library="No Library")

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(library="Archive")

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.library("full")):
            yield self.settings(folder="/full/")

    def uploading(self):
        """True when some of a body is there."""
        for name in os.listdir(self.d + "/incoming"):
            with contextlib.suppress(FileNotFoundError):
                if os.path.getsize(f"{self.d}/incoming/{name}") > 100000:
                    return True
        return False

    def slowly(self):
        return self.settings(port=self.slow.port)

    def restart(self):
        self.process.kill()
        shutil.rmtree(self.d + "/incoming")
        self.start()

    def dies(self):
        return self.while_uploading(self.process.kill, self.restart)

    def hangs(self):
        return self.while_stopped(self.process)
