"""kind_printer.py - a real IPP Everywhere printer (ippeveprinter), and a real CUPS with queues of its own."""

import contextlib
import grp
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

from kind import TIMEOUT_S, Kind
from peer import PASSWORD, USER, FaultProxy, Process, authority, free_ports, tmpfs, wait_until

SLOW_KB_PER_S = 4000
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={d}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="*"/>
<allow receive_type="*"/><allow send_destination="*"/></policy></busconfig>
"""
AVAHI = """[server]
host-name=platen-test
use-ipv6=no
allow-interfaces=lo
[publish]
publish-hinfo=no
publish-workstation=no
"""
# What ippeveprinter does with a job; its exit code is the job's end.
COMMAND = """#!/bin/sh
env -0 >{d}/job-environment
while [ -e {d}/wait ]; do sleep 0.05; done
[ ! -e {d}/abort ]
"""
APACHE = """
ServerRoot {d}
PidFile {d}/apache.pid
ServerName localhost
Listen 127.0.0.1:{basic}
Listen 127.0.0.1:{digest}
{user}
LoadModule mpm_event_module {m}/mod_mpm_event.so
LoadModule authn_core_module {m}/mod_authn_core.so
LoadModule authn_file_module {m}/mod_authn_file.so
LoadModule authz_core_module {m}/mod_authz_core.so
LoadModule authz_user_module {m}/mod_authz_user.so
LoadModule auth_basic_module {m}/mod_auth_basic.so
LoadModule auth_digest_module {m}/mod_auth_digest.so
LoadModule proxy_module {m}/mod_proxy.so
LoadModule proxy_http_module {m}/mod_proxy_http.so
ErrorLog {d}/apache-error.log
Mutex posixsem
ProxyPreserveHost Off
ProxyPass / http://127.0.0.1:{printer}/
<Location />
  AuthName printer
  Require valid-user
</Location>
<VirtualHost *:{basic}>
  <Location />
    AuthType Basic
    AuthUserFile {d}/basic
  </Location>
</VirtualHost>
<VirtualHost *:{digest}>
  <Location />
    AuthType Digest
    AuthUserFile {d}/digest
  </Location>
</VirtualHost>
"""
CUPS_FILES = """ServerRoot {d}
ServerBin {d}/bin
DataDir /usr/share/cups
StateDir {d}/state
CacheDir {d}/cache
RequestRoot {d}/requests
TempDir {d}/temp
AccessLog {d}/access.log
ErrorLog {d}/error.log
PageLog {d}/page.log
User {user}
Group {group}
SystemGroup {system}
ServerKeychain {d}/ssl
Sandboxing relaxed
SyncOnClose No
"""
CUPS = """ServerName localhost
ServerAlias *
Listen 127.0.0.1:{port}
Listen {d}/cups.sock
LogLevel debug
MaxLogSize 0
WebInterface No
Browsing Off
DefaultAuthType None
DefaultEncryption IfRequested
PreserveJobHistory Yes
PreserveJobFiles No
JobRetryInterval 1
<Location />
  Order allow,deny
  Allow all
</Location>
<Policy default>
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
"""
# keep:FOLDER keeps each document; while FOLDER/empty is there, the paper is out.
BACKEND = """#!/bin/sh
[ $# -gt 0 ] || exit 0
folder=${{DEVICE_URI#keep:}}
if [ -e "$folder/empty" ]; then
  echo "STATE: +media-empty-error" >&2
  echo "ERROR: paper is out" >&2
  while [ -e "$folder/empty" ]; do sleep 0.05; done
  echo "STATE: -media-empty-error" >&2
fi
[ ! -e "$folder/broken" ] || exit 4
if [ $# -gt 5 ]; then cat "$6"; else cat; fi >"$folder/.$1"
printf '%s' "$5" >"$folder/options-$1"
mv "$folder/.$1" "$folder/job-$1"
"""


def is_whole_root():
    """Root who can become others; in a user name space there is nobody else."""
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return os.geteuid() == 0 and int(f.read().split()[2]) > 1


# Servers that will not be root: they become somebody, or never see that they are.
NOT_ROOT = [] if is_whole_root() or os.geteuid() else ["unshare", "-U"]


class Printers:
    """The servers of this kind, each in the folder d."""

    def __init__(self, folder):
        self.d, self.processes = str(folder), []
        os.chmod(self.d, 0o755)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.d, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def folder(self, *names):
        for name in names:
            os.makedirs(os.path.join(self.d, name), exist_ok=True)

    def run(self, name, command, **more):
        process = Process(name, command, os.path.join(self.d, name + ".log"), **more)
        self.processes.append(process)
        return process

    def keys(self, folder):
        """The certificate of every peer, as libcups looks for it."""
        self.folder(folder)
        ca = authority()
        for source, name in (("server.pem", "localhost.crt"), ("server.key", "localhost.key")):
            self.write(os.path.join(folder, name), ca.text(source))

    def discovery(self):
        """A bus and avahi, which nobody asks; the printer does not start without them."""
        bus = self.run("dbus", ["dbus-daemon", "--nofork", "--nopidfile", "--config-file",
                                self.write("bus.conf", BUS.format(d=self.d))])
        wait_until(lambda: bus.check() or os.path.exists(self.d + "/bus"), "the bus")
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.d}/bus"}
        # It wants a folder of the user avahi; in a user name space there is only ourselves.
        self.write("passwd", f"root:x:0:0::/:/bin/false\navahi:x:{os.getuid()}:{os.getgid()}::/:/bin/false\n")
        self.write("group", f"avahi:x:{os.getgid()}:\n")
        script = ("mount -t tmpfs none /run && mount --bind passwd /etc/passwd && "
                  "mount --bind group /etc/group && exec avahi-daemon -f avahi.conf "
                  "--no-drop-root --no-chroot --no-rlimits --no-proc-title")
        self.write("avahi.conf", AVAHI)
        avahi = self.run("avahi", ["unshare", "-m", "--propagation", "unchanged", "sh", "-c", script],
                         env=self.environment, cwd=self.d)

        def complete():
            with open(avahi.log, encoding="utf-8", errors="replace") as f:
                return avahi.check() or "Server startup complete" in f.read()
        wait_until(complete, "avahi")

    def everywhere(self, port, *options, name="everywhere",
                   formats="application/pdf,image/jpeg,image/urf"):
        """An IPP Everywhere printer; its documents are in the folder of its name."""
        self.keys("keys")
        self.folder(name)
        command = self.write("command", COMMAND.format(d=self.d), 0o755)
        return self.run(name, ["ippeveprinter", "-v", "-k", "-d", os.path.join(self.d, name), "-K",
                               self.d + "/keys", "-n", "localhost", "-p", str(port), "-c", command,
                               "-f", formats, *options, f"Printer {port}"],
                        env=self.environment).await_port(port)

    def guarded(self, basic, digest, printer):
        """A web server that wants passwords, in front of a printer."""
        secret = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True,
                                capture_output=True, text=True).stdout
        self.write("basic", f"{USER}:{secret}")
        hashed = subprocess.run(["openssl", "md5", "-r"], check=True, capture_output=True, text=True,
                                input=f"{USER}:printer:{PASSWORD}").stdout.split()[0]
        self.write("digest", f"{USER}:printer:{hashed}\n")
        path = self.write("apache.conf", APACHE.format(
            d=self.d, basic=basic, digest=digest, printer=printer, m="/usr/lib/apache2/modules",
            user="User nobody\nGroup nogroup" if is_whole_root() else ""))
        self.run("apache", [*NOT_ROOT, "/usr/sbin/apache2", "-X", "-f", path]).await_port(basic, digest)

    def cups(self, port):
        """A whole CUPS; queues are made with queue()."""
        root = is_whole_root()
        self.folder("state/certs", "cache", "requests", "temp", "bin/backend", "out")
        self.keys("ssl")
        for name in os.listdir("/usr/lib/cups"):
            if name != "backend":
                os.symlink("/usr/lib/cups/" + name, f"{self.d}/bin/{name}")
        self.write("bin/backend/keep", BACKEND.format(), 0o755)
        user = "lp" if root else "nobody" if NOT_ROOT else pwd.getpwuid(os.getuid()).pw_name
        group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
        if root:
            for name in "state", "state/certs", "cache", "requests", "temp", "out":
                os.chown(os.path.join(self.d, name), pwd.getpwnam(user).pw_uid,
                         pwd.getpwnam(user).pw_gid)
        files = self.write("cups-files.conf", CUPS_FILES.format(
            d=self.d, user=user, group=group, system="lpadmin" if root else group))
        config = self.write("cupsd.conf", CUPS.format(d=self.d, port=port))
        self.run("cupsd", [*NOT_ROOT, "/usr/sbin/cupsd", "-f", "-c", config, "-s", files]).await_port(port)

    def admin(self, *command):
        subprocess.run(command, check=True, capture_output=True,
                       env={**os.environ, "CUPS_SERVER": self.d + "/cups.sock"})

    def queue(self, name, *options):
        """A queue whose documents are kept in out/NAME."""
        path = os.path.join(self.d, "out", name)
        self.folder("out/" + name)
        os.chmod(path, 0o777)
        self.admin("lpadmin", "-p", name, "-E", "-v", "keep:" + path, *options)


def kept(folder, pattern):
    """Contents of the files of a folder whose names match."""
    found = {}
    for name in os.listdir(folder):
        if re.fullmatch(pattern, name):
            with open(os.path.join(folder, name), "rb") as f:
                found[name] = f.read()
    return found


class Printer(Kind):
    name = "printer"
    # A job is made before its document needs room; libcurl repeats a request by itself when a connection that it kept was
    # lost: it may fail to connect.
    stages = {"disk_full": "send", "dies": "write send verify connect"}

    def __init__(self, folder):
        super().__init__(folder)
        # Servers that become another user must reach it.
        self.peers = Printers(tempfile.mkdtemp(prefix="platen-printers-"))
        self.processes = self.peers.processes
        self.former = os.environ.get("CUPS_SERVER")
        os.environ["CUPS_SERVER"] = self.path("cups.sock")
        self.ipp, self.basic, self.digest, self.cups, slow = free_ports(5)
        self.slow = FaultProxy(folder, self.ipp, port=slow, slow=SLOW_KB_PER_S)
        try:
            self.start_all()
        except BaseException:
            self.close()
            raise

    def start_all(self):
        self.peers.discovery()
        self.start()
        self.peers.guarded(self.basic, self.digest, self.ipp)
        self.peers.cups(self.cups)
        for queue, options in (("kept", []), ("denied", ["-u", "allow:somebody"]), ("stopped", [])):
            self.peers.queue(queue, *options)
        self.peers.admin("cupsdisable", "stopped")

    def start(self):
        self.everywhere = self.peers.everywhere(self.ipp, "-2", "-s", "10,5")

    def close(self):
        os.environ.pop("CUPS_SERVER")
        if self.former is not None:
            os.environ["CUPS_SERVER"] = self.former
        self.slow.process.kill()
        super().close()
        shutil.rmtree(self.peers.d, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.peers.d, name)

    def settings(self, **changes):
        return {"uri": f"ipp://127.0.0.1:{self.ipp}/ipp/print", "timeout_s": TIMEOUT_S, "follow_s": 10,
                **changes}

    def queue(self, name="kept", **changes):
        """Settings of a local queue."""
        return {"queue": name, "timeout_s": TIMEOUT_S, "follow_s": 10, **changes}

    def with_password(self, sort, **changes):
        uri = f"ipp://127.0.0.1:{self.basic if sort == 'basic' else self.digest}/ipp/print"
        return self.settings(**{"uri": uri, "auth": sort, "user": USER, "password": PASSWORD,
                                "password_in_clear": sort == "basic", **changes})

    def port(self):
        return self.ipp

    def through(self, port, **changes):
        return self.settings(uri=f"ipp://127.0.0.1:{port}/ipp/print", **changes)

    def files(self):
        return kept(self.path("everywhere"), r".*\.(pdf|jpg)")

    # --- faults ---

    @contextlib.contextmanager
    def wrong_password(self):
        yield self.with_password("basic", password="wrong")

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(uri="ipps://no-such-host.invalid/ipp/print")

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.queue("none")

    @contextlib.contextmanager
    def untrusted(self):
        yield self.settings(uri=f"ipps://localhost:{self.ipp}/ipp/print")

    @contextlib.contextmanager
    def read_only(self):
        yield self.queue("denied")

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.path("requests")):
            yield self.queue()

    def when_receiving(self, act):
        folder = self.path("everywhere")
        before = set(os.listdir(folder))

        def begun():
            return any(os.path.getsize(os.path.join(folder, name)) for name in set(os.listdir(folder)) - before
                       if name.endswith((".pdf", ".jpg")))

        def meanwhile():
            wait_until(begun, "the beginning of a document")
            act()
        return self.through(self.slow.port), meanwhile

    @contextlib.contextmanager
    def dies(self):
        try:
            yield self.when_receiving(self.everywhere.kill)
        finally:
            self.start()

    @contextlib.contextmanager
    def hangs(self):
        try:
            yield self.when_receiving(lambda: self.everywhere.signal(signal.SIGSTOP))
        finally:
            self.everywhere.signal(signal.SIGCONT)
            self.slow.process.kill()  # what is still on its way is not waited for
            self.slow = FaultProxy(self.folder, self.ipp, port=self.slow.port, slow=SLOW_KB_PER_S)
            wait_until(self.is_idle, "the end of the job that hung")

    def is_idle(self):
        """The printer has one job at a time."""
        said = subprocess.run(["ipptool", "-tv", f"ipp://127.0.0.1:{self.ipp}/ipp/print",
                               "get-printer-attributes.test"], check=False, capture_output=True,
                              text=True).stdout
        return "printer-state (enum) = idle" in said
