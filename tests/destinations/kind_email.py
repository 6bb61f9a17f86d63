"""kind_email.py - a real exim; what it took is read out of its queue."""

import contextlib
import os

from kind import TIMEOUT_S, Kind
from mail_server import SLOW_KB_PER_S, Exim, await_receiving, open_folder
from peer import PASSWORD, USER, FaultProxy, authority, tmpfs


class Email(Kind):
    name = "email"
    expects = {"wrong_name": ("fatal", "locate"), "disk_full": ("retry", "send")}

    def __init__(self, folder):
        super().__init__(folder)
        self.exim = Exim()
        self.slow = FaultProxy(folder, self.exim.port, slow=SLOW_KB_PER_S)
        self.processes = [self.exim, self.slow.process]
        self.changes = {}

    def settings(self, **changes):
        return {"host": "127.0.0.1", "port": self.exim.port, "encryption": "starttls", "auth": "plain",
                "user": USER, "password": PASSWORD, "from": "scan@peer.test", "tls_trust": "ca",
                "tls_ca": authority().text("ca.pem"), "timeout_s": TIMEOUT_S, **changes}

    def options(self):
        return {"to": "anna@peer.test", "size_limit_mb": 0, **self.changes}

    def port(self):
        return self.exim.port

    def files(self, _=None):
        """Attached files; every mail is a folder of its own."""
        return {f"{i}/{name}": content for i, mail in enumerate(self.exim.mails())
                for name, content in mail.attachments().items()}

    # --- faults ---

    @contextlib.contextmanager
    def wrong_name(self):
        self.changes = {"to": "nosuch@peer.test"}
        try:
            yield self.settings()
        finally:
            self.changes = {}

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(**{"from": "forbidden@peer.test"})

    @contextlib.contextmanager
    def disk_full(self):
        folder = open_folder()
        os.mkdir(os.path.join(folder, "spool"))
        with tmpfs(os.path.join(folder, "spool")):
            exim = Exim(folder)
            try:
                yield self.through(exim.port)
            finally:
                exim.end()

    @contextlib.contextmanager
    def dies(self):
        def meanwhile():
            await_receiving(self.exim)
            self.exim.kill()

        try:
            yield self.through(self.slow.port), meanwhile
        finally:
            self.exim.start()

    @contextlib.contextmanager
    def hangs(self):
        def meanwhile():
            await_receiving(self.exim)
            self.exim.stop()

        try:
            yield self.through(self.slow.port), meanwhile
        finally:
            self.exim.go_on()
