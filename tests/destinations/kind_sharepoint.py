"""kind_sharepoint.py - a strict double of SharePoint's interface behind a real Apache with real NTLM and TLS."""

import contextlib
import json
import os
import shutil
import sys
import tempfile

from apache import DOMAIN, Apache, login
from kerberos import Kerberos
from kind import TIMEOUT_S, Kind, seen_below
from peer import PASSWORD, USER, FaultProxy, Process, authority, free_ports, tmpfs
from sharepoint_farm import LIBRARY

SLOW_KB_PER_S = 4000
SITE = """
<Location /sites/>{login}
  RequestHeader set X-Remote-User expr=%{{REMOTE_USER}}
  ProxyPass http://127.0.0.1:{farm}/sites/ nocanon
</Location>
"""
DOOR = """
Listen 127.0.0.1:{port} https
<VirtualHost 127.0.0.1:{port}>
  SSLEngine on
  SSLCertificateFile {cert}
  SSLCertificateKeyFile {key}
{site}
</VirtualHost>
"""


class Sharepoint(Kind):
    name = "sharepoint"
    double = ("No SharePoint can run in a test: what answers is a strict double of its interface, behind a real "
              "Apache\nwith real TLS, NTLM and Kerberos.")
    # libcurl repeats a request by itself when a connection that it kept was lost: it may fail to connect.
    stages = {"dies": "write send verify connect tls"}

    def __init__(self, folder):
        super().__init__(folder)
        self.d = tempfile.mkdtemp(prefix="platen-sp-")
        os.chmod(self.d, 0o755)
        os.makedirs(self.d + "/site")
        self.http, self.https, self.farm_port, self.basic, self.negotiate = free_ports(5)
        self.kerberos = Kerberos(self.d + "/realm", "HTTP/localhost", self.d + "/keytab")
        body = SITE.format(login=login("ntlm", self.d), farm=self.farm_port)
        for port, auth in (self.basic, "basic"), (self.negotiate, "negotiate"):
            site = SITE.format(login=login(auth, self.d), farm=self.farm_port)
            body += DOOR.format(port=port, site=site, cert=authority().path("server.pem"),
                                key=authority().path("server.key"))
        self.start_farm()
        self.apache = Apache(self.d, self.http, self.https, body, self.kerberos.environment)
        self.slow = FaultProxy(self.d, self.https, slow=SLOW_KB_PER_S)
        os.makedirs(self.library("full"))

    def start_farm(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sharepoint_farm.py")
        self.farm = Process("sharepoint_farm", [sys.executable, script, self.d + "/site",
                                                str(self.farm_port)], self.d + "/site.log")
        self.farm.await_port(self.farm_port)

    def close(self):
        for process in self.slow.process, self.apache.process, self.farm, self.kerberos.process:
            process.end()
        shutil.rmtree(self.d)

    def url(self, port=None, scheme="https", host="127.0.0.1"):
        return f"{scheme}://{host}:{port or self.https}/sites/x%20y"

    def settings(self, **changes):
        return {"url": self.url(), "library": "Shared Documents", "auth": "ntlm",
                "user": DOMAIN + "\\" + USER, "password": PASSWORD, "tls_trust": "ca",
                "tls_ca": authority().text("ca.pem"), "timeout_s": TIMEOUT_S, **changes}

    @contextlib.contextmanager
    def farm_with(self, **switches):
        path = self.d + "/site/farm.json"
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(switches, f)
        os.replace(path + ".new", path)
        try:
            yield
        finally:
            os.remove(path)

    def port(self):
        return self.https

    def through(self, port):
        return self.settings(url=self.url(port=port))

    def library(self, path=""):
        return os.path.join(self.d + "/site/root" + LIBRARY, path)

    def meta(self, name):
        with open(self.d + "/site/state.json", encoding="utf-8") as f:
            return json.load(f)[f"{LIBRARY}/{name}"]

    def files(self, _user=USER):
        return seen_below(self.library(), lambda name: name.endswith(".part"))

    def temporary(self):
        return [name for _, _, names in os.walk(self.d + "/site/root") for name in names
                if name.endswith(".part")]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(url=self.url(host="no-such-host.invalid"))

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(library="No Library/Scans")

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(library="Read Only")

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.library("full")):
            yield self.settings(library="Shared Documents/full/")

    def uploading(self):
        """True when some of a body is there."""
        incoming = self.d + "/site/incoming"
        for name in os.listdir(incoming):
            with contextlib.suppress(FileNotFoundError):
                if os.path.getsize(f"{incoming}/{name}") > 100000:
                    return True
        return False

    def slowly(self):
        return self.through(self.slow.port)

    def kill(self):
        self.apache.process.kill()
        self.farm.kill()

    def restart(self):
        self.kill()
        shutil.rmtree(self.d + "/site/incoming")
        self.start_farm()
        self.apache.start()

    def dies(self):
        return self.while_uploading(self.kill, self.restart)

    def hangs(self):
        return self.while_stopped(self.farm)
