"""peer.py - real servers as the other side of a destination: each in a folder and a session of its own.

A Peer starts programs of Debian on loopback ports that were free, proves that they answer, and ends
exactly what it started. One throw-away certificate authority serves a whole run."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from common import free_ports, wait_until  # noqa: F401  # pylint: disable=unused-import  (for those who make servers)

USER, PASSWORD = "scan", "Scan-Pass-1"
END_SECONDS = 10
NOBODY = 65534


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def all_ids():
    """False in a user name space of somebody who is not root: it has one id only."""
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return int(f.read().split()[2]) > NOBODY


def as_nobody():
    """Words before a command that is to run without rights."""
    if all_ids():
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]


class Process:
    """A program in a session of its own; its children end with it."""

    def __init__(self, name, command, log, **more):
        with open(log, "ab") as f:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                          start_new_session=True, **more)
        self.name, self.log = name, log

    def await_port(self, *ports):
        for port in ports:
            wait_until(lambda p=port: self.check() or answers(p), f"{self.name} on port {port}")
        return self

    def check(self):
        """Still alive? Never true, so that it can stand in a wait."""
        if self.popen.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as f:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}: {f.read()[-2000:]}")
        return False

    def signal(self, number):
        """To the whole session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def session(self):
        """Ids of the processes of the session."""
        ids = subprocess.run(["ps", "-o", "pid=", "-s", str(self.popen.pid)], capture_output=True,
                             text=True, check=False).stdout.split()
        return [int(i) for i in ids]

    def end(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self):
        """Ends it at once, with all of its session."""
        for pid in self.session():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()


class Authority:
    """A certificate authority and one certificate for every peer; files ca.pem, server.pem, server.key."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="platen-ca-")
        os.chmod(self.folder, 0o755)
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.make_authority()
        self.issue("server")

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name):
        with open(self.path(name), encoding="ascii") as f:
            return f.read()

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def make_authority(self):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-days", "2", "-subj", "/CN=Platen test authority", "-keyout", "ca.key",
                     "-out", "ca.pem")

    def issue(self, name):
        """A certificate NAME.pem with key NAME.key."""
        with open(self.path("ext"), "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", "/CN=localhost", "-keyout", name + ".key", "-out", name + ".csr")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", name + ".pem")
        for file in (name + ".pem", name + ".key", "ca.pem"):
            os.chmod(self.path(file), 0o644)

    def pin(self, name="server"):
        """The key of a certificate as tls_pin has it."""
        script = (f"openssl x509 -in {name}.pem -pubkey -noout | openssl pkey -pubin -outform der"
                  " | openssl dgst -sha256 -binary | openssl base64")
        return "sha256//" + subprocess.run(["sh", "-c", script], cwd=self.folder, check=True,
                                           capture_output=True, text=True).stdout.strip()


_authority = []


def authority():
    if not _authority:
        _authority.append(Authority())
    return _authority[0]


@contextlib.contextmanager
def tmpfs(folder, *words):
    """A file system of 1 MiB on a folder, for as long as the block runs. Needs root, if only in a user name
    space of its own, which tools/check makes for others."""
    options = ",".join(["mode=777", *(words or ["size=1m"])])
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True,
                   capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


class FaultProxy:
    """A TCP proxy that misbehaves as told (tcp_fault.py); port is where it listens."""

    def __init__(self, folder, target, port=None, **how):
        self.port = port or free_ports(1)[0]
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tcp_fault.py")
        self.process = Process("tcp_fault", [
            sys.executable, script, str(self.port), f"127.0.0.1:{target}",
            *(f"{k}={v}" for k, v in how.items())], os.path.join(folder, "tcp_fault.log"))
        self.process.await_port(self.port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
