"""kind_sftp.py - a real OpenSSH sshd, as an ordinary user: then its log-ins are those of a list of ours.

Two servers: one as it comes, and one that has another host key and hides what is not in the protocol's
draft (statvfs), so that a full disk is met while writing."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from kind import TIMEOUT_S, Kind, seen_below
from peer import (NOBODY, PASSWORD, USER, FaultProxy, Process, all_ids, as_nobody, free_ports, tmpfs,
                  wait_until)

SLOW_KB_PER_S = 4000
USERS = (USER, "ro", "full", "slow")
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {d}/{host_key}
PidFile none
LogLevel VERBOSE
StrictModes no
UsePAM no
UseDNS no
MaxStartups 100
AuthorizedKeysFile {d}/keys/%u
PasswordAuthentication yes
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
ForceCommand internal-sftp {options}
"""


def keygen(path, *options, passphrase=""):
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-C", "", "-f", path, *options], check=True)


class Sftp(Kind):
    name = "sftp"

    def __init__(self, folder):
        super().__init__(tempfile.mkdtemp(prefix="platen-sftp-"))  # pytest's folders are its user's
        d = self.folder
        self.usual, self.plain = free_ports(2)
        for user in USERS:
            os.makedirs(self.home(user))
        os.makedirs(os.path.join(d, "keys"))
        keygen(os.path.join(d, "host_ed25519"), "-t", "ed25519")
        keygen(os.path.join(d, "host_ecdsa"), "-t", "ecdsa")
        self.make_accounts()
        self.arrange_rights()
        self.start()
        self.slow = FaultProxy(self.folder, self.usual, slow=SLOW_KB_PER_S)

    def close(self):
        self.slow.process.kill()
        super().close()
        shutil.rmtree(self.folder)

    def make_accounts(self):
        """Accounts that only this sshd sees, all with the id it runs with."""
        secret = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.write("passwd", "".join(f"{u}:{secret}:{NOBODY}:{NOBODY}::{self.home(u)}:/bin/sh\n"
                                     for u in USERS) + "sshd:*:1:1::/nonexistent:/bin/false\n")
        self.write("group", f"peers:x:{NOBODY}:\n")

    def arrange_rights(self):
        os.chmod(self.folder, 0o755)
        for root, folders, files in os.walk(self.folder):
            for name in folders + files:
                if all_ids():
                    os.chown(os.path.join(root, name), NOBODY, NOBODY)
        os.chmod(self.home("ro"), 0o555)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(text)

    def server(self, name, **words):
        self.write(name + ".conf", CONFIG.format(d=self.folder, **words))
        path = os.path.join(self.folder, name)
        return Process("sshd", [
            *as_nobody(), "env", "LD_PRELOAD=libnss_wrapper.so",
            f"NSS_WRAPPER_PASSWD={self.folder}/passwd", f"NSS_WRAPPER_GROUP={self.folder}/group",
            "/usr/sbin/sshd", "-D", "-e", "-f", path + ".conf"], path + ".log")

    def start(self):
        self.processes = [
            self.server("usual", port=self.usual, host_key="host_ed25519", options=""),
            self.server("plain", port=self.plain, host_key="host_ecdsa",
                        options="-P statvfs")]
        for process, port in zip(self.processes, (self.usual, self.plain)):
            process.await_port(port)

    def family(self):
        """Every process of the usual server: each connection has a session of its own."""
        parents = {}
        for line in subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True,
                                   check=True).stdout.splitlines():
            pid, parent = line.split()
            parents.setdefault(int(parent), []).append(int(pid))
        found = [self.processes[0].popen.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def signal(self, number):
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def fingerprint(self, name="host_ed25519"):
        return subprocess.run(["ssh-keygen", "-l", "-f", os.path.join(self.folder, name + ".pub")],
                              check=True, capture_output=True, text=True).stdout.split()[1]

    def settings(self, **changes):
        return {"host": "127.0.0.1", "port": self.usual, "user": USER, "password": PASSWORD,
                "host_key": self.fingerprint(), "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.usual

    def home(self, user=USER):
        return os.path.join(self.folder, "home", user)

    def files(self, user=USER):
        return seen_below(self.home(user))

    def temporary(self):
        return [name for user in USERS for _, _, names in os.walk(self.home(user))
                for name in names if name.startswith(".")]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(path="no/such/folder")

    @contextlib.contextmanager
    def untrusted(self):
        yield self.settings(host_key=self.fingerprint("host_ecdsa"))

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(user="ro")

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.home("full")):
            yield self.settings(user="full")

    def uploading(self):
        """True when some of a file is there."""
        return any(os.path.getsize(os.path.join(self.home("slow"), name))
                   for name in os.listdir(self.home("slow")) if name.startswith("."))

    def slowly(self):
        return self.settings(user="slow", port=self.slow.port)

    def dies(self):
        def restart():
            for process in self.processes:
                process.kill()
            self.start()

        return self.while_uploading(lambda: self.signal(signal.SIGKILL), restart)

    def hangs(self):
        return self.while_stopped(self)
