"""apache.py - a real Apache with the modules that destinations need, and the ways to log in to it.

It runs as an ordinary user, if only in a user name space of its own: Apache refuses to serve as root."""

import hashlib
import os
import string
import subprocess

from peer import PASSWORD, USER, Process, authority

MODULES = "/usr/lib/apache2/modules"
REALM = "peer"
DOMAIN = "PEERDOM"
TOKEN = "token-of-the-peer"
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
LOADED = ("mpm_event authn_core authn_file authz_core authz_user auth_basic auth_digest alias dav dav_fs "
          "dav_lock headers setenvif socache_shmcb ssl proxy proxy_http rewrite auth_gssapi")

CONFIG = """
ServerRoot {d}
ServerName localhost
PidFile {d}/pid
DefaultRuntimeDir {d}
Mutex file:{d} default
{modules}
{ntlm}
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
MinSpareThreads 1
MaxSpareThreads 50
ErrorLog {d}/error.log
LogLevel warn
KeepAlive On
MaxKeepAliveRequests 0
AllowEncodedSlashes NoDecode
DocumentRoot {d}/www
<Directory />
  Require all granted
</Directory>
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https} https
{body}
<VirtualHost 127.0.0.1:{https}>
  SSLEngine on
  SSLProtocol TLSv1.2 TLSv1.3
  SSLCertificateFile {cert}
  SSLCertificateKeyFile {key}
  RewriteEngine on
  RewriteOptions Inherit
</VirtualHost>
"""


def as_user(command):
    """The command as somebody who is not root, with the same rights to files."""
    if os.getuid() != 0:
        return command
    return ["unshare", "--user", "--map-user=33", "--map-group=33", *command]


def ntlm_edits():
    """gss-ntlmssp wants the version field of NTLM messages, which libcurl leaves out (MS-NLMP 2.2.1 lets
    it). A negotiate message of 32 bytes gets eight zero bytes more; in an authenticate message the flag that
    promises the field, bit 1 of byte 63, is cleared. That bit is bit 5 of the 86th base64 digit."""
    lines = ['RequestHeader edit Authorization "^NTLM (TlRMTVNTUAAB[^=]{28})([^=]{3})=$" '
             '"NTLM $1$2AAAAAAAAAAA==" early']
    for value in range(32, 64):
        if BASE64[value] in "+/":
            continue  # flags that nobody sends
        lines += [f'RequestHeader edit Authorization "^NTLM (TlRMTVNTUAAD.{{73}}){BASE64[value]}" '
                  f'"NTLM $1{BASE64[value - 32]}" early']
    return "\n".join(lines)


LOGINS = {
    "none": "",
    "basic": """
  AuthType Basic
  AuthName {realm}
  AuthBasicProvider file
  AuthUserFile {d}/basic
  Require valid-user""",
    "digest": """
  AuthType Digest
  AuthName {realm}
  AuthDigestProvider file
  AuthUserFile {d}/digest
  Require valid-user""",
    "ntlm": """
  AuthType GSSAPI
  AuthName {realm}
  GssapiAllowedMech ntlmssp
  GssapiConnectionBound On
  Require valid-user""",
    "negotiate": """
  AuthType GSSAPI
  AuthName {realm}
  GssapiAllowedMech krb5
  GssapiCredStore keytab:{d}/keytab
  Require valid-user""",
    "bearer": """
  RewriteEngine on
  RewriteCond %{{HTTP:Authorization}} "!=Bearer {token}"
  RewriteRule .* - [R=401,L]""",
}


class Apache:
    """body: lines of the configuration, with {d} for its folder; environment: more variables."""

    def __init__(self, folder, http, https, body, environment=None):
        self.folder, self.http, self.https = folder, http, https
        self.environment = {**os.environ, "NTLM_USER_FILE": folder + "/ntlm", **(environment or {})}
        os.makedirs(folder + "/www", exist_ok=True)
        secret = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        ha1 = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
        self.write("basic", f"{USER}:{secret}\n")
        self.write("digest", f"{USER}:{REALM}:{ha1}\n")
        self.write("ntlm", f"{DOMAIN}:{USER}:{PASSWORD}\n")
        ca = authority()
        self.write("httpd.conf", CONFIG.format(
            d=folder, http=http, https=https, cert=ca.path("server.pem"), key=ca.path("server.key"),
            modules="\n".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so" for m in LOADED.split()),
            ntlm=ntlm_edits(), body=body.replace("{d}", folder)))
        os.chmod(ca.path("server.key"), 0o644)
        self.start()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(text)

    def start(self):
        self.process = Process("apache2", as_user([
            "/usr/sbin/apache2", "-DFOREGROUND", "-f", os.path.join(self.folder, "httpd.conf")]),
            os.path.join(self.folder, "apache.log"), env=self.environment)
        self.process.await_port(self.http, self.https)


def login(auth, folder):
    """The lines that ask for a log-in, inside of a <Location>."""
    return LOGINS[auth].format(d=folder, realm=REALM, token=TOKEN)
