"""kind_ftp.py - a real proftpd: explicit TLS on its port, implicit TLS on the next one."""

import contextlib
import os
import subprocess

from kind import TIMEOUT_S, Kind, seen_below
from peer import PASSWORD, USER, Process, authority, free_ports, tmpfs

SLOW_KB_PER_S = 4000
CONFIG = """
LoadModule mod_tls.c
ServerName peer
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
{user}
<IfModule mod_ctrls.c>
  ControlsEngine off
</IfModule>
Port {port}
UseReverseDNS off
PidFile {d}/pid
ScoreboardFile {d}/scoreboard
DelayEngine off
TransferLog none
SystemLog {d}/system.log
WtmpLog off
AuthPAM off
UseSendfile off
<Global>
  PassivePorts {passive_from} {passive_to}
  {root}
  AllowOverwrite on
  RootLogin on
  AllowStoreRestart on
  RequireValidShell off
  AuthOrder mod_auth_file.c
  AuthUserFile {d}/passwd
  AuthGroupFile {d}/group
  TransferRate STOR {slow} user slow
  TLSEngine on
  TLSProtocol TLSv1.2 TLSv1.3
  TLSECCertificateFile {cert}
  TLSECCertificateKeyFile {key}
  TLSVerifyClient off
  TLSRequired off
  TLSLog {d}/tls.log
</Global>
<Directory {d}/home/ro>
  <Limit WRITE>
    DenyAll
  </Limit>
</Directory>
<VirtualHost 127.0.0.1>
  Port {implicit}
  TLSOptions UseImplicitSSL
</VirtualHost>
"""


class Ftp(Kind):
    name = "ftp"

    def __init__(self, folder):
        super().__init__(folder)
        ports = free_ports(42)
        self.explicit, self.implicit = ports[0], ports[1]
        d = str(folder)
        os.chmod(d, 0o755)
        for user in (USER, "ro", "full", "slow"):
            os.makedirs(os.path.join(d, "home", user))
        uid, gid = os.getuid(), os.getgid()
        secret = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        self.write("passwd", "".join(f"{u}:{secret}:{uid}:{gid}::{d}/home/{u}:/bin/false\n"
                                     for u in (USER, "ro", "full", "slow")))
        self.write("group", f"peers:x:{gid}:\n")
        ca, root = authority(), uid == 0
        self.write("proftpd.conf", CONFIG.format(
            d=d, port=self.explicit, implicit=self.implicit, passive_from=ports[2],
            passive_to=ports[-1], slow=SLOW_KB_PER_S, cert=ca.path("server.pem"),
            key=ca.path("server.key"), root="DefaultRoot ~" if root else "",
            user="" if root else f"User {uid}\nGroup {gid}"))
        self.start()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, 0o600)

    def start(self):
        self.processes = [Process(
            "proftpd", ["/usr/sbin/proftpd", "--nodaemon", "--quiet", "--config",
                        os.path.join(self.folder, "proftpd.conf")],
            os.path.join(self.folder, "proftpd.log")).await_port(self.explicit, self.implicit)]

    def settings(self, **changes):
        return {"host": "127.0.0.1", "port": self.explicit, "user": USER, "password": PASSWORD,
                "encryption": "explicit", "tls_trust": "ca", "tls_ca": authority().text("ca.pem"),
                "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.explicit

    def home(self, user=USER):
        return os.path.join(self.folder, "home", user)

    def files(self, user=USER):
        return seen_below(self.home(user))

    def temporary(self):
        return [name for user in (USER, "ro", "full", "slow")
                for _, _, names in os.walk(self.home(user)) for name in names if name.startswith(".")]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(path="no/such/folder")

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
        return self.settings(user="slow")

    def dies(self):
        return self.while_uploading(self.processes[0].kill, self.start)

    def hangs(self):
        return self.while_stopped(self.processes[0])
