"""realm.py - a realm with its key distribution centre, for peers that take tickets.

The realm's machines have names that only /etc/hosts of their own network knows: see hosts."""

import os
import subprocess

from peer import PASSWORD, Process, wait_until

REALM, HOST = "PEERS.TEST", "files.peers.test"
KRB5_CONF = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
  kdc = 127.0.0.1:{port}
}}
[domain_realm]
.peers.test = {realm}
"""
KDC_CONF = """[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{realm} = {{
  database_name = {d}/principal
  key_stash_file = {d}/stash
  acl_file = {d}/acl
  disable_pac = true
}}
"""  # a server outside of a domain does not know what to do with a PAC


class Realm:
    """user: who has a password; service: whose keys are in the file keytab."""

    def __init__(self, folder, user, service, port=88):
        self.folder, self.user = folder, user
        self.keytab, self.hosts = self.path("keytab"), self.path("hosts")
        self.ticket = "FILE:" + self.path("ticket")
        for name, text in (("krb5.conf", KRB5_CONF), ("kdc.conf", KDC_CONF)):
            with open(self.path(name), "w", encoding="ascii") as f:
                f.write(text.format(realm=REALM, port=port, d=folder))
        with open(self.hosts, "w", encoding="ascii") as f:
            f.write(f"127.0.0.1 localhost {HOST}\n")
        self.run("kdb5_util", "create", "-s", "-P", "master", "-r", REALM)
        for query in (f"addprinc -pw {PASSWORD} {user}", f"addprinc -randkey {service}/{HOST}",
                      f"ktadd -k {self.keytab} {service}/{HOST}"):
            self.run("kadmin.local", "-r", REALM, "-q", query)

    def path(self, name):
        return os.path.join(self.folder, name)

    def environment(self):
        return {"KRB5_CONFIG": self.path("krb5.conf"), "KRB5_KDC_PROFILE": self.path("kdc.conf")}

    def run(self, *command, **more):
        return subprocess.run(command, env={**os.environ, **self.environment()}, check=True,
                              capture_output=True, text=True, **more)

    def start(self, launcher):
        """The centre, and a ticket of the user. launcher: words before a command in the realm's network."""
        process = Process("krb5kdc", [*launcher, "krb5kdc", "-n", "-r", REALM], self.path("kdc.log"),
                          env={**os.environ, **self.environment()})

        def answers():
            process.check()
            try:
                self.run(*launcher, "kinit", "-c", self.ticket, f"{self.user}@{REALM}",
                         input=PASSWORD + "\n")
            except subprocess.CalledProcessError:
                return False
            return True

        wait_until(answers, "a ticket")
        return process
