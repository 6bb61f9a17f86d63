"""kind_webdav.py - a real Apache with mod_dav: one folder behind a door for every way to log in."""

import contextlib
import os
import shutil
import tempfile

from apache import Apache, login
from kerberos import Kerberos
from kind import TIMEOUT_S, Kind, seen_below
from peer import PASSWORD, USER, FaultProxy, authority, free_ports, tmpfs

SLOW_KB_PER_S = 4000
DOORS = "none basic digest ntlm negotiate bearer".split()
DOOR = """
Alias /{auth}/ {{d}}/home/
<Location /{auth}/>
  Dav On{login}
</Location>
"""
BODY = """
DavLockDB {d}/locks
Alias /readonly/ {d}/home/
<Location /readonly/>
  Dav On
  <LimitExcept GET HEAD OPTIONS PROPFIND>
    Require all denied
  </LimitExcept>
</Location>
Alias /small/ {d}/home/
<Location /small/>
  Dav On
  LimitRequestBody 1000
</Location>
"""
PROXY = """
Listen 127.0.0.1:{port} https
<VirtualHost 127.0.0.1:{port}>
  SSLEngine on
  SSLCertificateFile {cert}
  SSLCertificateKeyFile {key}
  ProxyPass / http://127.0.0.1:{http}/ nocanon
</VirtualHost>
"""


class Webdav(Kind):
    name = "webdav"
    # libcurl repeats a request by itself when a connection that it kept was lost: it may fail to connect.
    stages = {"dies": "write send verify connect tls"}

    def __init__(self, folder):
        super().__init__(folder)
        self.d = tempfile.mkdtemp(prefix="platen-dav-")
        os.chmod(self.d, 0o755)
        self.http, self.https, self.front = free_ports(3)
        os.makedirs(self.home("full"))
        self.kerberos = Kerberos(self.d + "/realm", "HTTP/localhost", self.d + "/keytab")
        ca = authority()
        body = BODY + PROXY.format(port=self.front, http=self.http, cert=ca.path("server.pem"),
                                   key=ca.path("server.key"))
        body += "".join(DOOR.format(auth=auth, login=login(auth, self.d)) for auth in DOORS)
        self.apache = Apache(self.d, self.http, self.https, body, self.kerberos.environment)
        self.slow = FaultProxy(self.d, self.https, slow=SLOW_KB_PER_S)

    def close(self):
        for process in self.slow.process, self.apache.process, self.kerberos.process:
            process.end()
        shutil.rmtree(self.d)

    def url(self, door="basic", path="", port=None, scheme="https", host="127.0.0.1"):
        return f"{scheme}://{host}:{port or self.https}/{door}/{path}"

    def settings(self, **changes):
        return {"url": self.url(), "auth": "basic", "user": USER, "password": PASSWORD,
                "tls_trust": "ca", "tls_ca": authority().text("ca.pem"), "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.https

    def through(self, port):
        return self.settings(url=self.url(port=port))

    def home(self, path=""):
        return os.path.join(self.d, "home", path)

    def files(self, _user=USER):
        return seen_below(self.home())

    def temporary(self):
        """Apache's own temporary files are not ours: it leaves them when it is killed."""
        return [name for _, _, names in os.walk(self.home()) for name in names
                if name.startswith(".platen")]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(url=self.url(host="no-such-host.invalid"))

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(url=self.url(path="no/such/folder"))

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(url=self.url("readonly"))

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.home("full")):
            yield self.settings(url=self.url(path="full"))

    def uploading(self):
        """True when some of a file is there."""
        return any(os.path.getsize(self.home(name)) for name in os.listdir(self.home())
                   if name.startswith(".davfs.tmp"))

    def slowly(self):
        return self.through(self.slow.port)

    def restart(self):
        self.apache.process.kill()
        for name in os.listdir(self.home()):
            if name.startswith(".davfs.tmp"):
                os.remove(self.home(name))
        self.apache.start()

    def dies(self):
        return self.while_uploading(self.apache.process.kill, self.restart)

    def hangs(self):
        return self.while_stopped(self.apache.process)
