"""kind_smb.py - a real smbd with private folders, accounts of its own, and shares for each fault.

A slow second way leads through a proxy. Accounts of Samba need accounts of Unix: they are all that of the
user the tests run as, by a map."""

import contextlib
import getpass
import os
import signal
import subprocess

from realm import REALM, Realm
from kind import TIMEOUT_S, Kind, seen_below
from peer import (PASSWORD, USER, FaultProxy, Process, all_ids, as_nobody, free_ports, tmpfs,
                  wait_until)

SLOW_KB_PER_S = 4000
CONFIG = """
[global]
  server role = standalone server
  netbios name = PEER
  workgroup = PEERS
  disable netbios = yes
  smb ports = {port}
  interfaces = 127.0.0.1/8
  bind interfaces only = yes
  server min protocol = {least}
  server max protocol = {most}
  server signing = {signing}
  server smb encrypt = {encrypt}
  ntlm auth = ntlmv2-only
  map to guest = Never
  passdb backend = tdbsam:{d}/private/passdb.tdb
  private dir = {d}/private
  state directory = {d}/state
  cache directory = {d}/cache
  lock directory = {d}/lock
  pid directory = {d}/run
  ncalrpc dir = {d}/ncalrpc
  log file = {d}/log.smbd
  max log size = 0
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  dns proxy = no
  panic action =
  username map = {d}/usermap
  host msdfs = yes
  force user = {owner}
  {more}
[scans]
  path = {d}/home/scans
  read only = no
[readonly]
  path = {d}/home/readonly
  read only = yes
[full]
  path = {d}/home/full
  read only = no
[slow]
  path = {d}/home/slow
  read only = no
[odd share$]
  path = {d}/home/scans
  read only = no
[denied]
  path = {d}/home/scans
  read only = no
  valid users = nosuchuser
[encrypted]
  path = {d}/home/scans
  read only = no
  smb encrypt = required
[space]
  path = {d}/home/full
  read only = no
  dfree command = {d}/dfree
[dfs]
  path = {d}/dfs
  msdfs root = yes
"""
SHARES = ("scans", "readonly", "full", "slow")


def owner_name():
    """The account of Unix that smbd runs with: a root with one id only is none that it can use."""
    return getpass.getuser() if all_ids() else "nobody"


class Smbd:
    """One server in a folder; launcher: words before its command; others change its configuration."""

    def __init__(self, folder, home, port, launcher=(), **words):
        self.folder, self.port, self.launcher = folder, port, launcher
        for name in ("private", "state", "cache", "lock", "run", "ncalrpc", "dfs"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        owner = owner_name()
        values = {"least": "SMB2_10", "most": "SMB3_11", "signing": "mandatory",
                  "encrypt": "default", "more": "", **words}
        text = CONFIG.format(d=folder, port=port, owner=owner, **values)
        self.write("smb.conf", text.replace(f"{folder}/home", home))
        self.write("usermap", f"{owner} = {USER}\n")
        self.write("dfree", "#!/bin/sh\necho 1000000 500000 1024\n")
        os.chmod(os.path.join(folder, "dfree"), 0o755)
        os.symlink("msdfs:127.0.0.1\\scans", os.path.join(folder, "dfs", "there"))
        subprocess.run(["pdbedit", "-s", self.path("smb.conf"), "-a", "-u", owner, "-t"], check=True,
                       input=f"{PASSWORD}\n{PASSWORD}\n", text=True, capture_output=True)
        self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        self.process = Process("smbd", [
            *self.launcher, *([] if all_ids() else as_nobody()), "/usr/sbin/smbd", "-F", "-s", self.path("smb.conf"), "-d2",
            "--no-process-group", "--debug-stdout"], self.path("smbd.out"))
        if self.launcher:
            wait_until(lambda: self.process.check() or self.listens_inside(), "smbd in its network")
        else:
            self.process.await_port(self.port)

    def inside(self):
        """Words before a command that is to run in the server's network."""
        return ["nsenter", "-t", str(self.process.popen.pid), "-n", "-m"]

    def listens_inside(self):
        return subprocess.run([*self.inside(), "ss", "-Hltn", f"sport = :{self.port}"], check=False,
                              capture_output=True).stdout


class Smb(Kind):
    name = "smb"
    place = "share"
    without = {"untrusted": "SMB has no certificates: signing binds the session to the password"}

    def __init__(self, folder):
        super().__init__(folder)
        os.chmod(folder, 0o755)
        for share in SHARES:
            os.makedirs(self.home(share))
        self.servers, self.realm = {}, None
        self.server("usual")
        self.slow = FaultProxy(folder, self.port(), slow=SLOW_KB_PER_S)

    def server(self, name, port=None, **words):
        """A server of this name, started when first asked for."""
        if name not in self.servers:
            folder = os.path.join(self.folder, name)
            os.makedirs(folder)
            self.servers[name] = Smbd(folder, os.path.join(self.folder, "home"),
                                      port or free_ports(1)[0], **words)
        return self.servers[name]

    def on_the_usual_port(self):
        """A server in a network of its own, where it has a name: DFS knows no other port, and Kerberos goes by
        names. Gives the server and its realm."""
        folder = os.path.join(self.folder, "realm")
        if not self.realm:
            os.makedirs(folder)
            self.realm = Realm(folder, owner_name(), "cifs")
            script = ('ip link set lo up && mount --bind "$0" /etc/hosts && '
                      'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start && exec "$@"')
            server = self.server(
                "port-445", port=445,
                launcher=["unshare", "-n", "-m", "sh", "-c", script, self.realm.hosts],
                more=f"realm = {REALM}\n  kerberos method = dedicated keytab\n"
                     f"  dedicated keytab file = {self.realm.keytab}")
            self.processes.append(self.realm.start(server.inside()))
        return self.server("port-445"), self.realm

    def close(self):
        super().close()
        self.slow.process.kill()
        for server in self.servers.values():
            server.process.end()

    def settings(self, **changes):
        return {"server": "127.0.0.1", "port": self.port(), "share": "scans", "user": USER,
                "password": PASSWORD, "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.server("usual").port

    def home(self, share="scans"):
        return os.path.join(self.folder, "home", share)

    def files(self, share="scans"):
        return seen_below(self.home(share))

    def temporary(self):
        return [name for share in SHARES for _, _, names in os.walk(self.home(share))
                for name in names if name.startswith(".")]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(server="no-such-host.invalid")

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(share="nosuchshare")

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(share="readonly")

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.home("full")):
            yield self.settings(share="full")

    def uploading(self):
        """True when some of a file is there."""
        return any(os.path.getsize(os.path.join(self.home("slow"), name))
                   for name in os.listdir(self.home("slow")) if name.startswith("."))

    def opened(self, server):
        """Files of the slow share that the server has open."""
        found = []
        for pid in server.process.session():
            with contextlib.suppress(OSError):
                found += [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return [path for path in found if os.path.basename(path).startswith(".platen")]

    def slowly(self):
        return self.settings(share="slow", port=self.slow.port)

    def dies(self):
        server = self.server("usual")

        return self.while_uploading(server.process.kill, server.start)

    def hangs(self):
        server = self.server("usual")

        def signal_all(number):
            for pid in server.process.session():
                os.kill(pid, number)

        def go_on():
            signal_all(signal.SIGCONT)
            # The lost session's file stays open, and cannot be replaced, until the server has seen the end.
            wait_until(lambda: not self.opened(server), "the server to close the file")

        return self.while_uploading(lambda: signal_all(signal.SIGSTOP), go_on)
