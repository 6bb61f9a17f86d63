"""kind.py - what the table of faults needs of a kind of destination; one file kind_WORD.py per kind.

A Kind starts real servers and knows how to make each fault. A fault is a context manager that gives the
settings to deliver with; while it is active the fault is there. A kind that cannot have a fault says
why in `without`: the table in docs/destination-faults.md shows the words."""

import contextlib
import os
import signal

from peer import PASSWORD, USER, FaultProxy, free_ports, wait_until


def seen_below(folder, is_hidden=lambda name: name.startswith(".")):
    """{path below the folder: content} of the files that a user sees there."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            if not is_hidden(name):
                path = os.path.join(root, name)
                with open(path, "rb") as f:
                    found[os.path.relpath(path, folder)] = f.read()
    return found


# What a server may take to answer on a loaded machine; and where it hangs and each second is waited for.
TIMEOUT_S, SHORT_TIMEOUT_S = 10, 3


class Kind:
    name = ""          # as in the program
    without = {}       # fault -> why there is no such thing
    stages = {}        # fault -> stages that it has here, when those of the row do not fit
    expects = {}       # fault -> (classes, stages), where the classes do not fit either
    double = ""        # why and what, where no real server can run; the page says it
    limit_bytes = None # documents for the table are not larger
    place = "user"     # the setting that tells where a fault's files are, for files()

    def __init__(self, folder):
        self.folder = folder
        self.processes = []

    def close(self):
        for process in reversed(self.processes):
            process.end()

    # --- what is there ---

    def settings(self, **changes):
        """Settings with which a delivery succeeds, some of them changed."""
        raise NotImplementedError

    def options(self):
        return {}

    def files(self):
        """{name: content} of what a user of the place sees."""
        raise NotImplementedError

    def temporary(self):
        """Names of what was left that is not a document."""
        return []

    # --- faults that are alike in many kinds ---

    def port(self):
        """The port of the server, for proxies in between."""
        raise NotImplementedError

    def through(self, port):
        """Settings that go to another port of this machine."""
        return self.settings(port=port)

    @contextlib.contextmanager
    def wrong_password(self):
        yield self.settings(password="wrong-" + PASSWORD)

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(host="no-such-host.invalid")

    @contextlib.contextmanager
    def untrusted(self):
        yield self.settings(tls_trust="strict", tls_ca="")

    @contextlib.contextmanager
    def refuses(self):
        """Nobody listens; with the block the server is gone and comes back."""
        yield self.through(free_ports(1)[0])

    @contextlib.contextmanager
    def late(self):
        with FaultProxy(self.folder, self.port(), late=1500) as proxy:
            yield self.through(proxy.port)

    # --- faults in the middle of a document ---

    def slowly(self):
        """Settings with which a document takes long enough for something to happen meanwhile."""
        raise NotImplementedError

    def uploading(self):
        """True when some of a document is there; servers without a file for it leave a mark."""
        return os.path.exists(os.path.join(self.folder, "uploading"))

    def forget_upload(self):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(self.folder, "uploading"))

    def await_upload(self):
        wait_until(self.uploading, "the beginning of an upload")

    @contextlib.contextmanager
    def while_uploading(self, do, undo):
        def meanwhile():
            self.await_upload()
            do()

        settings = self.slowly()
        try:
            yield settings, meanwhile
        finally:
            undo()

    def while_stopped(self, process):
        return self.while_uploading(lambda: process.signal(signal.SIGSTOP), lambda: process.signal(signal.SIGCONT))


FAULTS = {}


class Fault:
    """A row of the table: what the result may be. classes and stages: any of these words."""

    def __init__(self, name, says, classes, stages, seconds=60, document_bytes=300000):
        self.name, self.says, self.classes, self.stages = name, says, classes, stages
        self.seconds, self.document_bytes = seconds, document_bytes
        FAULTS[name] = self


Fault("wrong_password", "the password is wrong", "auth", "login")
Fault("wrong_host", "the name of the server is unknown", "retry", "resolve")
Fault("wrong_name", "the folder, share or queue is not there", "config", "locate")
Fault("untrusted", "the certificate is of an unknown authority", "config", "tls")
Fault("read_only", "nothing may be written there", "config", "locate write rename send")
Fault("disk_full", "the disk there is full", "retry", "locate write verify send", document_bytes=3 << 20)
Fault("dies", "the server dies in the middle of a file", "retry unknown", "write send verify",
      document_bytes=8 << 20)
Fault("hangs", "the server stops answering in the middle of a file", "retry unknown", "write send verify",
      document_bytes=8 << 20)
Fault("refuses", "the server refuses connections, then comes back", "retry", "connect")
Fault("late", "the server answers late, but within the limit", "ok", "")
