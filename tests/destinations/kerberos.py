"""kerberos.py - a real Kerberos realm of MIT: a key distribution centre, one user, one service."""

import os
import subprocess

from peer import PASSWORD, USER, Process, free_ports, wait_until

REALM = "PEER.TEST"
CONFIG = """
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
    database_name = {d}/principal
    key_stash_file = {d}/stash
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = ""
  }}
[domain_realm]
  localhost = {realm}
"""


class Kerberos:
    """environment: what a program needs to be in the realm; ticket(): to be its user as well."""

    def __init__(self, folder, service, keytab):
        os.makedirs(folder)
        self.folder, port = folder, free_ports(1)[0]
        with open(folder + "/krb5.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(realm=REALM, port=port, d=folder))
        self.environment = {"KRB5_CONFIG": folder + "/krb5.conf", "KRB5_KDC_PROFILE": folder + "/krb5.conf",
                            "KRB5RCACHEDIR": folder, "KRB5CCNAME": "FILE:" + folder + "/none"}
        self.run("kdb5_util", "create", "-r", REALM, "-s", "-P", "master", "-W")
        self.run("kadmin.local", "-q", f"addprinc -pw {PASSWORD} {USER}")
        self.run("kadmin.local", "-q", f"addprinc -randkey {service}")
        self.run("kadmin.local", "-q", f"ktadd -k {keytab} {service}")
        os.chmod(keytab, 0o644)
        self.process = Process("krb5kdc", ["/usr/sbin/krb5kdc", "-n", "-P", folder + "/pid"],
                               folder + "/kdc.log", env={**os.environ, **self.environment})
        wait_until(lambda: self.process.check() or self.try_ticket(), "a ticket")

    def run(self, *command, text="", check=True):
        path = "/usr/sbin:/usr/bin:/bin"
        return subprocess.run(command, env={**os.environ, **self.environment, "PATH": path}, input=text,
                              text=True, check=check, capture_output=True)

    def try_ticket(self):
        done = self.run("kinit", "-c", self.folder + "/ticket", f"{USER}@{REALM}", text=PASSWORD + "\n",
                        check=False)
        return done.returncode == 0

    def ticket(self):
        """The variables of a process that has the user's ticket."""
        return {**self.environment, "KRB5CCNAME": f"FILE:{self.folder}/ticket"}
