"""mail_server.py - a real exim and a real dovecot, and what they have taken.

Exim only queues: a mail it took is read out of its spool, with its envelope. It runs as a user without
rights; where we are root of a user name space, which has no other user, as nobody of one more."""

import atexit
import email
import email.policy
import os
import re
import shutil
import signal
import subprocess
import tempfile

from peer import PASSWORD, USER, Process, authority, free_ports, wait_until

TOKEN = "ya29.token-of-the-user"
NOBODY = 65534
GREYLIST = "451 4.7.1 Greylisted, come back later"
SLOW_KB_PER_S = 4000

EXIM = """
primary_hostname = mail.peer.test
{user}
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
pid_file_path = {d}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {implicit} : {quiet}
tls_on_connect_ports = {implicit}
tls_certificate = {cert}
tls_privatekey = {key}
tls_advertise_hosts = ${{if eq{{$received_port}}{{{quiet}}}{{}}{{*}}}}
auth_advertise_hosts = ${{if eq{{$received_port}}{{{quiet}}}{{}}{{*}}}}
message_size_limit = {size}
check_spool_space = 0
check_spool_inodes = 0
smtp_accept_max = 100
smtp_receive_timeout = {patience}
rfc1413_hosts =
host_lookup =
log_selector = +smtp_connection
keep_environment =
queue_only
acl_smtp_mail = of_sender
acl_smtp_rcpt = of_recipient
acl_smtp_data = of_content

begin acl

of_sender:
  warn logwrite = announced $message_size
  deny senders = forbidden@peer.test
       message = 550 5.7.1 this sender is not yours
  deny senders = safe@peer.test
       condition = ${{if def:tls_in_cipher {{no}}{{yes}}}}
       message = 530 5.7.0 Must issue a STARTTLS command first
  accept

of_recipient:
  deny local_parts = nosuch : gone
       message = 550 5.1.1 there is no $local_part here
  defer local_parts = grey
       message = {greylist}
  deny local_parts = full
       message = 552 5.2.2 the mailbox is full
  defer local_parts = fuller
       message = 452 4.2.2 the mailbox is full
  deny local_parts = latin
       message = 550 5.1.1 unbekannter Empf\\xe4nger
  accept domains = open.test
  accept authenticated = *
  accept condition = ${{if >{{${{lookup{{$sender_host_address}}lsearch{{{d}/logged-in}}{{$value}}{{0}}}}}}{{${{eval:$tod_epoch-600}}}}}}
  deny message = 550 5.7.1 relaying denied, log in or fetch mail first

of_content:
  warn condition = ${{if match{{$rh_subject:}}{{SLOW}}}}
       logwrite = whole and not accepted yet
       delay = 60s
  deny condition = ${{if match{{$rh_subject:}}{{SPAM}}}}
       message = 554 5.7.1 this looks like spam
  defer condition = ${{if match{{$rh_subject:}}{{LATER}}}}
       message = 451 4.3.0 the scanner for viruses is busy
  accept

begin routers

begin transports

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{name}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = User : Password
  server_condition = ${{if and{{{{eq{{$auth1}}{{{name}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = $auth1

cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{name}}}{{{password}}}fail}}
  server_set_id = $auth1

oauth:
  driver = plaintext
  public_name = XOAUTH2
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_prompts = :
  server_condition = ${{if eq{{$auth1}}{{user={name}\\x01auth=Bearer {token}\\x01\\x01}}}}
  server_set_id = {name}
"""

DOVECOT = """
protocols = pop3
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/dovecot.log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{d}/maildir
passdb {{
  driver = passwd-file
  args = {d}/passwd
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={d}/home
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {implicit}
    ssl = yes
  }}
}}
service pop3 {{
  executable = pop3 after-login
}}
service after-login {{
  executable = script-login {d}/after-login
  user = {user}
  unix_listener after-login {{
    mode = 0666
  }}
}}
"""

AFTER_LOGIN = """#!/bin/sh
# Who has logged in may send mail for a while.
printf '%s: %s\\n' "$IP" "$(date +%s)" > '{allowed}'
exec "$@"
"""


def write(path, text, mode=0o644):
    with open(path, "w", encoding="latin-1") as f:
        f.write(text)
    os.chmod(path, mode)


def open_folder():
    """A folder for the run that other users can look into: those of pytest are only ours."""
    folder = tempfile.mkdtemp(prefix="platen-mail-")
    os.chmod(folder, 0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def has_users():
    """False in a user name space with nobody but us."""
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return sum(int(line.split()[2]) for line in f) > NOBODY


class Account:
    """The user servers run as: words before their command, and names for their configurations."""

    def __init__(self, preferred):
        self.launcher, self.own = [], None
        if os.getuid() != 0:
            self.user, self.group = str(os.getuid()), str(os.getgid())
        elif has_users():
            self.user = self.own = preferred
            self.group = subprocess.run(["id", "-gn", preferred], check=True, capture_output=True,
                                        text=True).stdout.strip()
        else:
            self.user, self.group = "nobody", "nogroup"
            self.launcher = ["unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]

    def give(self, *paths):
        for path in paths:
            if self.own:
                subprocess.run(["chown", "-R", f"{self.user}:{self.group}", path], check=True)


class Mail:
    """A mail as exim has it: sender, recipients of the envelope, and the parsed message."""

    def __init__(self, head_path):
        with open(head_path, "rb") as f:
            head = f.read()
        with open(head_path[:-1] + "D", "rb") as f:
            body = f.read().split(b"\n", 1)[1]
        envelope, lines = head.split(b"\n\n", 1)
        words = envelope.split(b"\n")
        self.sender = words[2].decode()[1:-1]
        count = next(i for i, word in enumerate(words) if re.fullmatch(rb"\d+", word))
        self.recipients = [word.decode().split(" ")[0] for word in words[count + 1:]]
        self.headers = b""
        while match := re.match(rb"(\d{3,})(.) ", lines):
            size = int(match[1])
            if match[2] not in b"*P":  # rewritten, or added by exim: Received
                self.headers += lines[match.end():match.end() + size]
            lines = lines[match.end() + size:]
        self.raw = self.headers + b"\n" + body
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    def attachments(self):
        return {part.get_filename(): part.get_content() if part.get_content_maintype() != "text"
                else part.get_payload(decode=True) for part in self.message.iter_attachments()}


class Exim:
    """Three ports: STARTTLS, TLS at once, and one without TLS and log-in (quiet)."""

    def __init__(self, folder=None, size="20M", patience="60s"):
        self.folder, self.account = folder or open_folder(), Account("Debian-exim")
        self.port, self.implicit, self.quiet = free_ports(3)
        self.process = None
        for name in "spool", "log":
            os.makedirs(self.path(name), exist_ok=True)
        ca, account = authority(), self.account
        write(self.path("logged-in"), "", 0o666)
        user = f"exim_user = {account.user}\nexim_group = {account.group}"
        if os.getuid() != 0 or account.launcher:
            user = f"exim_user = {NOBODY if account.launcher else account.user}\n" \
                   f"exim_group = {NOBODY if account.launcher else account.group}"
        write(self.path("exim.conf"), EXIM.format(
            d=self.folder, user=user, port=self.port, implicit=self.implicit, quiet=self.quiet,
            cert=ca.path("server.pem"), key=ca.path("server.key"), size=size, patience=patience,
            greylist=GREYLIST, name=USER, password=PASSWORD, token=TOKEN))
        self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        if self.process:
            self.process.kill()  # a test that failed may not have come to that
        for path in self.spool("-D"):
            if not os.path.exists(path[:-1] + "H"):
                os.remove(path)  # of a mail that was cut off when exim was killed
        self.account.give(self.path("spool"), self.path("log"))
        command = [*self.account.launcher, "/usr/sbin/exim4", "-C", self.path("exim.conf"), "-bdf"]
        self.process = Process("exim", command, self.path("exim.out"))
        self.process.await_port(self.port, self.implicit, self.quiet)

    def end(self):
        self.process.end()

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.signal(signal.SIGSTOP)

    def go_on(self):
        self.process.signal(signal.SIGCONT)

    def spool(self, end):
        folder = self.path("spool/input")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return [os.path.join(folder, name) for name in names if name.endswith(end)]

    def mails(self):
        return [Mail(path) for path in sorted(self.spool("-H"))]

    def receiving(self):
        """True when some of a mail is there that has not ended."""
        return any(os.path.getsize(path) > 100000 for path in self.spool("-D")
                   if not os.path.exists(path[:-1] + "H"))

    def received(self):
        """How many mails have come to their end that are not accepted at once (SLOW in their subjects)."""
        return self.log().count("whole and not accepted yet")

    def log(self):
        """Without rights exim writes its log to where its other words go."""
        text = ""
        for path in filter(os.path.exists, (self.path("log/mainlog"), self.path("exim.out"))):
            with open(path, encoding="utf-8", errors="replace") as f:
                text += f.read()
        return text


class Dovecot:
    """POP3 with STLS, POP3 in TLS; a log-in is written where exim looks (allowed)."""

    def __init__(self, allowed):
        self.folder, self.account = open_folder(), Account("dovecot")
        self.port, self.implicit = free_ports(2)
        d, ca = self.folder, authority()
        for name in "run", "state", "home", "maildir/new", "maildir/cur", "maildir/tmp":
            os.makedirs(os.path.join(d, name), exist_ok=True)
        write(os.path.join(d, "passwd"), f"{USER}:{{PLAIN}}{PASSWORD}\n")
        write(os.path.join(d, "after-login"), AFTER_LOGIN.format(allowed=allowed), 0o755)
        write(os.path.join(d, "maildir/new/1.one.peer"), "Subject: one\n\nbody\n")
        write(os.path.join(d, "dovecot.conf"), DOVECOT.format(
            d=d, cert=ca.path("server.pem"), key=ca.path("server.key"), port=self.port,
            implicit=self.implicit, user=self.account.user, group=self.account.group))
        self.account.give(os.path.join(d, "maildir"), os.path.join(d, "home"))
        self.process = Process("dovecot", [*self.account.launcher, "/usr/sbin/dovecot", "-F", "-c",
                                           os.path.join(d, "dovecot.conf")],
                               os.path.join(d, "dovecot.out"))
        self.process.await_port(self.port, self.implicit)

    def log(self):
        with open(os.path.join(self.folder, "dovecot.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def end(self):
        self.process.end()


def await_receiving(exim):
    wait_until(exim.receiving, "the beginning of a mail")
