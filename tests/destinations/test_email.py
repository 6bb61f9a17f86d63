"""What is special about mail: ways to log in, POP before SMTP, recipients, sizes, and what readers show."""

import os
import re
import signal
import subprocess
import time

import pytest

from delivering import Document, deliver, new_id, result_of
from house import pages
from mail_server import SLOW_KB_PER_S, TOKEN, Dovecot, Exim, await_receiving
from peer import PASSWORD, USER, FaultProxy, authority, wait_until
from workers import DELIVER, WORKER, Served

NAMES = ["scan.pdf", "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "semi;colon'quote.pdf",
         'double"quote.pdf', "back\\slash.pdf", "=?UTF-8?B?eA==?=.pdf", "-rf.pdf", "a=b.pdf",
         "ü" * 95 + ".pdf", "a" * 190 + ".pdf", "😀.pdf", "tail.", "comma, and (brackets).pdf"]


@pytest.fixture
def mail(kinds):
    return kinds("email")


@pytest.fixture(scope="module")
def pop(kinds):
    server = Dovecot(kinds("email").exim.path("logged-in"))
    yield server
    server.end()


def forget(mail):
    """Nobody has logged in to the POP server."""
    with open(mail.exim.path("logged-in"), "w", encoding="ascii"):
        pass


def send(mail, document, settings=None, facts=None, **options):
    """The result, and the mails that came."""
    before = len(mail.exim.mails())
    task = document.task("email", settings or mail.settings(), options={**mail.options(), **options})
    task["facts"].update(facts or {})
    return result_of(task), mail.exim.mails()[before:]


def sent(mail, tmp_path, settings=None, name="scan.pdf", facts=None, **options):
    """The only mail that came."""
    document = Document(tmp_path, 3000, name)
    result, mails = send(mail, document, settings, facts, **options)
    assert result["class"] == "ok", result
    came, = mails
    assert list(came.attachments().values()) == [document.content]
    return came


# --- connecting and logging in --------------------------------------------------------------------------

@pytest.mark.parametrize("change", [
    {"encryption": "implicit"}, {"auth": "login"}, {"auth": "cram-md5"},
    {"encryption": "none", "auth": "cram-md5"}, {"encryption": "none", "password_in_clear": True},
    {"auth": "xoauth2", "password": TOKEN}, {"host": "localhost"}, {"helo_name": "scanner.peer.test"},
    {"helo_name": "[127.0.0.1]"}, {"tls_trust": "insecure", "tls_ca": ""}, {"auth": "none"},
], ids=str)
def test_ways_to_connect(mail, tmp_path, change):
    if change.get("encryption") == "implicit":
        change = dict(change, port=mail.exim.implicit)
    to = "anna@open.test" if change.get("auth") == "none" else "anna@peer.test"
    assert sent(mail, tmp_path, mail.settings(**change), to=to).recipients == [to]


def test_a_relay_without_encryption_and_log_in(mail, tmp_path):
    settings = {"host": "127.0.0.1", "port": mail.exim.quiet, "encryption": "none",
                "from": "scan@peer.test"}
    assert sent(mail, tmp_path, settings, to="anna@open.test").sender == "scan@peer.test"


@pytest.mark.parametrize("change, stage, word", [
    ({"encryption": "none"}, "login", "readable"),
    ({"encryption": "none", "auth": "xoauth2"}, "login", "readable"),
    ({"encryption": "none", "auth": "xoauth2", "password_in_clear": True}, "login", "CRAM-MD5"),
    ({"quiet": True}, "tls", "STARTTLS"),
    ({"quiet": True, "encryption": "none", "password_in_clear": True}, "login", "no log-in"),
    ({"user": "a\nb"}, "login", "control"),
    ({"user": ""}, "login", "no user"),
    ({"from": "scan"}, "locate", "@"),
], ids=str)
def test_settings_that_cannot_work(mail, tmp_path, change, stage, word):
    change = dict(change)
    if change.pop("quiet", False):
        change["port"] = mail.exim.quiet
    result, mails = send(mail, Document(tmp_path, 10), mail.settings(**change))
    assert (result["class"], result["stage"]) == ("config", stage), result
    assert word in result["text"] and not mails


def test_a_wrong_token(mail, tmp_path):
    result, _ = send(mail, Document(tmp_path, 10), mail.settings(auth="xoauth2", password="expired"))
    assert (result["class"], result["stage"]) == ("auth", "login"), result
    assert "expired" not in str(result)


def test_encryption_that_the_server_has_not(mail, tmp_path):
    """TLS spoken to something that talks plainly, and the other way round."""
    for change in {"encryption": "implicit"}, {"port": mail.exim.implicit}:
        result, _ = send(mail, Document(tmp_path, 10), mail.settings(**change))
        assert result["class"] in ("retry", "config") and result["stage"] in ("tls", "connect"), result


def test_the_first_key_is_learnt_before_any_password(mail, tmp_path):
    document = Document(tmp_path, 10)
    settings = mail.settings(tls_trust="first-use", tls_ca="")
    messages = deliver(document.task("email", settings, options=mail.options()))
    learn, = [m for m in messages if m.get("question") == "learn"]
    assert (learn["setting"], learn["value"]) == ("tls_pin", authority().pin())
    assert messages[-1]["result"]["class"] == "ok"
    changed = dict(settings, tls_pin="sha256//" + "B" * 43 + "=")
    result, _ = send(mail, document, changed)
    assert result["class"] == "config" and "on purpose" in result["cure"]


# --- POP before SMTP ------------------------------------------------------------------------------------

def pop_settings(mail, pop, **changes):
    return mail.settings(auth="none", password="", pop_host="127.0.0.1", pop_port=pop.port,
                         pop_user=USER, pop_password=PASSWORD, **changes)


def test_mail_is_taken_after_a_log_in_to_the_pop_server(mail, pop, tmp_path):
    forget(mail)
    result, _ = send(mail, Document(tmp_path, 10), mail.settings(auth="none"))
    assert (result["class"], result["stage"]) == ("config", "locate"), "nobody relays for strangers"
    result, _ = send(mail, Document(tmp_path, 10), dict(pop_settings(mail, pop), pop_password="wrong"))
    assert (result["class"], result["stage"]) == ("auth", "login"), result
    assert "pop_password" in result["cure"]
    result, _ = send(mail, Document(tmp_path, 10), mail.settings(auth="none"))
    assert result["class"] == "config", "a log-in that failed opens nothing"
    sent(mail, tmp_path, pop_settings(mail, pop))


@pytest.mark.parametrize("change", [
    {"pop_encryption": "implicit"}, {"pop_encryption": "none", "password_in_clear": True},
    {"user": USER, "pop_user": "", "password": PASSWORD, "pop_password": ""},
    {"pop_host": "localhost", "pop_delay_ms": 0},
], ids=str)
def test_ways_to_the_pop_server(mail, pop, tmp_path, change):
    forget(mail)
    if change.get("pop_encryption") == "implicit":
        change = dict(change, pop_port=pop.implicit)
    sent(mail, tmp_path, dict(pop_settings(mail, pop), **change))


def test_both_servers_have_one_key(mail, pop, tmp_path):
    forget(mail)
    settings = pop_settings(mail, pop, tls_trust="first-use", tls_ca="")
    messages = deliver(Document(tmp_path, 10).task("email", settings, options=mail.options()))
    assert messages[-1]["result"]["class"] == "ok"
    learn, = [m for m in messages if m.get("question") == "learn"]
    assert learn["value"] == authority().pin()


def test_failures_of_the_pop_server(mail, pop, tmp_path):
    for change, expected in [({"pop_encryption": "none"}, ("config", "login")),
                             ({"pop_port": 1}, ("retry", "connect")),
                             ({"pop_host": "no-such-host.invalid"}, ("retry", "resolve")),
                             ({"tls_trust": "strict", "tls_ca": ""}, ("config", "tls"))]:
        result, _ = send(mail, Document(tmp_path, 10), dict(pop_settings(mail, pop), **change))
        assert (result["class"], result["stage"]) == expected, result


def serve(served, task):
    """The result of one task of a program that goes on."""
    served.send(task)
    while True:
        message = served.receive()
        if message["type"] == "question":
            served.send({"type": "answer", "id": message["id"], "answer": "go"})
        if message["type"] == "result":
            return message["result"]


def logins(pop):
    return pop.log().count("Login: user=")


def test_one_log_in_serves_many_mails_and_a_forgotten_one_is_repeated(mail, pop, tmp_path):
    forget(mail)
    before = logins(pop)
    task = Document(tmp_path, 10).task("email", pop_settings(mail, pop), options=mail.options())
    with Served(DELIVER) as served:
        assert serve(served, dict(task, id=new_id()))["class"] == "ok"
        assert serve(served, dict(task, id=new_id()))["class"] == "ok"
        wait_until(lambda: logins(pop) == before + 1, "one log-in")
        forget(mail)
        assert serve(served, dict(task, id=new_id()))["class"] == "ok"
        wait_until(lambda: logins(pop) == before + 2, "the second log-in")
        assert served.close() == 0


# --- the connection -------------------------------------------------------------------------------------

def test_the_connection_is_kept_and_made_again_when_the_server_was_away(mail, tmp_path):
    document = Document(tmp_path, 5000)
    task = document.task("email", mail.settings(), options=mail.options())
    before, mails = mail.exim.log().count("connection count ="), len(mail.exim.mails())
    with Served(DELIVER) as served:
        for _ in range(3):
            assert serve(served, dict(task, id=new_id()))["class"] == "ok"
        assert mail.exim.log().count("connection count =") == before + 1, "one for all three"
        mail.exim.kill()
        mail.exim.start()
        assert serve(served, dict(task, id=new_id()))["class"] == "ok"
        assert served.close() == 0
    assert len(mail.exim.mails()) == mails + 4
    wait_until(lambda: "closed by QUIT" in mail.exim.log(), "a polite end")


def lost_after_the_dot(mail, tmp_path, fault):
    before, came = mail.exim.received(), []

    def meanwhile():
        wait_until(lambda: mail.exim.received() > before, "the end of a mail")
        came.append(time.monotonic())
        fault()

    document = Document(tmp_path, 20000)
    task = document.task("email", mail.settings(timeout_s=3), options={**mail.options(), "subject": "SLOW"})
    result = result_of(task, meanwhile=meanwhile)
    assert time.monotonic() - came[0] < 5.5, "nobody waits for the answer to QUIT as well"
    assert (result["class"], result["stage"]) == ("unknown", "send"), result
    assert "arrived" in result["cure"]


def test_killed_after_the_dot_is_unknown(mail, tmp_path):
    before = len(mail.exim.mails())
    try:
        lost_after_the_dot(mail, tmp_path, mail.exim.kill)
    finally:
        mail.exim.start()
    assert len(mail.exim.mails()) == before


def test_hanging_after_the_dot_is_unknown(mail, tmp_path):
    try:
        lost_after_the_dot(mail, tmp_path, lambda: None)
    finally:
        mail.exim.kill()
        mail.exim.start()


def test_killed_in_the_middle_leaves_nothing(mail, tmp_path):
    """The same without TLS, where the socket itself tells."""
    def meanwhile():
        await_receiving(mail.exim)
        mail.exim.kill()

    before = len(mail.exim.mails())
    settings = mail.settings(port=mail.slow.port, encryption="none", auth="cram-md5")
    try:
        task = Document(tmp_path, 8 << 20).task("email", settings, options=mail.options())
        result = result_of(task, meanwhile=meanwhile)
    finally:
        mail.exim.start()
    assert (result["class"], result["stage"]) == ("retry", "send"), result
    assert len(mail.exim.mails()) == before


def test_a_server_that_gives_up_in_the_middle_says_so(mail, tmp_path):
    exim = Exim(patience="1s")
    slow = FaultProxy(tmp_path, exim.port, slow=SLOW_KB_PER_S)

    def meanwhile():
        await_receiving(exim)
        slow.process.signal(signal.SIGSTOP)
        wait_until(lambda: "data timeout" in exim.log(), "the end of its patience")
        slow.process.signal(signal.SIGCONT)

    settings = mail.settings(port=slow.port, encryption="none", auth="cram-md5")
    try:
        task = Document(tmp_path, 8 << 20).task("email", settings, options=mail.options())
        result = result_of(task, meanwhile=meanwhile)
        assert (result["class"], result["stage"]) == ("retry", "send"), result
        assert result["protocol_code"] == 421 and "timeout" in result["text"], result
    finally:
        slow.process.end()
        exim.end()


# --- recipients -----------------------------------------------------------------------------------------

def test_every_refused_recipient_is_named_and_nobody_gets_the_mail(mail, tmp_path):
    result, mails = send(mail, Document(tmp_path, 10),
                         to="anna@peer.test, nosuch@peer.test", cc="full@peer.test",
                         bcc="grey@peer.test")
    assert (result["class"], result["stage"]) == ("fatal", "locate") and not mails, result
    for words in "nosuch@peer.test (550", "full@peer.test (552", "grey@peer.test (451":
        assert words in result["text"]
    assert "anna" not in result["text"]


def test_the_others_get_it_when_the_job_says_so(mail, tmp_path):
    document = Document(tmp_path, 10)
    to = "nosuch@peer.test, anna@peer.test, full@peer.test"
    result, mails = send(mail, document, to=to, refused="others")
    assert result["class"] == "ok", result
    assert mails[0].recipients == ["anna@peer.test"]
    assert "nosuch@peer.test (550" in result["text"] and "full@peer.test (552" in result["text"]
    # Who is only to come back later is not left out.
    result, mails = send(mail, document, to=to + ", grey@peer.test", refused="others")
    assert result["class"] == "retry" and not mails and "grey@peer.test" in result["text"]
    result, mails = send(mail, document, to="nosuch@peer.test", refused="others")
    assert result["class"] == "fatal" and not mails


def test_many_refused_recipients_are_counted(mail, tmp_path):
    to = ", ".join(f"nosuch@a-rather-long-domain-{i}.test" for i in range(20))
    result, _ = send(mail, Document(tmp_path, 10), to=to)
    named = result["text"].count("nosuch@")
    assert named >= 3 and f"and {20 - named} more" in result["text"], result
    long = "nosuch@" + ".".join(["d" * 60] * 4)
    result, _ = send(mail, Document(tmp_path, 10), to=long)
    assert long[:150] in result["text"] and "more" not in result["text"], result


def test_a_recipient_named_twice_gets_one_mail(mail, tmp_path):
    came = sent(mail, tmp_path, to="anna@peer.test, Anna <ANNA@peer.test>", cc="anna@peer.test")
    assert came.recipients == ["anna@peer.test"]


@pytest.mark.parametrize("to, expected, stage", [
    ("grey@peer.test", "retry", "locate"), ("fuller@peer.test", "retry", "locate"),
    ("full@peer.test", "fatal", "locate"), ("latin@peer.test", "fatal", "locate"),
])
def test_refusals_of_recipients(mail, tmp_path, to, expected, stage):
    result, _ = send(mail, Document(tmp_path, 10), to=to)
    assert (result["class"], result["stage"]) == (expected, stage), result
    assert result["retry_after_s"] == (300 if to.startswith("grey") else 0)
    if to.startswith("latin"):
        assert "Empf?nger" in result["text"]


@pytest.mark.parametrize("subject, expected", [("SPAM", "fatal"), ("LATER", "retry")])
def test_refusals_of_the_content(mail, tmp_path, subject, expected):
    result, mails = send(mail, Document(tmp_path, 10), subject=subject)
    assert (result["class"], result["stage"]) == (expected, "send") and not mails, result


def test_a_sender_that_must_be_encrypted(mail, tmp_path):
    settings = mail.settings(encryption="none", auth="none", **{"from": "safe@peer.test"})
    result, _ = send(mail, Document(tmp_path, 10), settings)
    assert result["class"] == "config" and "starttls" in result["cure"], result


@pytest.mark.parametrize("to, word", [
    ("", "no recipient"), (" , ; ", "no recipient"), ("anna", "@"), ("@peer.test", "@"),
    ("Jürgen <jürgen@peer.test>", "beyond ASCII"), ("anna@müller.test", "beyond ASCII"),
    ("anna@peer..test", "host name"), ("a b@peer.test", "stands"), ("anna@peer.test> x", "cannot stand"),
    ('"Anna <anna@peer.test>', "not closed"), ("Anna <anna@peer.test", "not closed"),
    ("{name}@peer.test", "unknown token"), ("x" * 65 + "@peer.test", "too long"),
    ("<anna@peer.test\nRCPT TO:x>", "host name"), ("anna@peer.test\tx", "host name"),
])
def test_addresses_that_are_none(mail, tmp_path, to, word):
    result, mails = send(mail, Document(tmp_path, 10), to=to)
    assert (result["class"], result["stage"]) == ("config", "locate") and not mails, result
    assert word in result["text"]


# --- sizes ----------------------------------------------------------------------------------------------

def test_the_limit_of_the_job(mail, tmp_path):
    document = Document(tmp_path, 900000)
    result, mails = send(mail, document, size_limit_mb=1)
    assert result["class"] == "fatal" and not mails
    assert "1.2 MB" in result["text"] and "1.0 MB" in result["text"], result
    result, mails = send(mail, document, size_limit_mb=1, over_limit="send")
    assert result["class"] == "ok" and len(mails) == 1
    assert send(mail, document, size_limit_mb=2)[0]["class"] == "ok"


def test_the_limit_of_the_server(mail, tmp_path):
    small = Exim(size="500K")
    try:
        settings = mail.settings(port=small.port)
        result, _ = send(mail, Document(tmp_path, 400000), settings, over_limit="send")
        assert result["class"] == "fatal" and "0.5 MB" in result["text"], result
        assert "announced" not in small.log(), "it was not even tried"
        result, _ = send(mail, Document(tmp_path, 300000), settings)
        assert result["class"] == "ok", result
        came, = small.mails()
        size, = re.findall(r"announced (\d+)", small.log())
        assert int(size) == len(came.raw.replace(b"\n", b"\r\n"))
    finally:
        small.end()


class Pages(Document):
    """A PDF of pictures that each have so many bytes or a little more."""

    def __init__(self, folder, count, size, name="scan.pdf"):
        super().__init__(folder, 0, name)
        self.pictures = pages(count, "mail", size)
        self.content = self.bound(folder)
        with open(self.path, "wb") as f:
            f.write(self.content)

    def bound(self, folder):
        names = []
        for i, picture in enumerate(self.pictures):
            names.append(os.path.join(folder, f"{os.path.basename(self.path)}-{i}.jpg"))
            with open(names[-1], "wb") as f:
                f.write(picture)
        whole = os.path.join(folder, new_id() + ".pdf")
        subprocess.run([WORKER, "compose", *names, "-o", whole], check=True, capture_output=True)
        with open(whole, "rb") as f:
            return f.read()


def pictures_of(pdf, folder):
    """The JPEGs in a PDF that qpdf finds sound."""
    path = os.path.join(folder, "part.pdf")
    with open(path, "wb") as f:
        f.write(pdf)
    subprocess.run(["qpdf", "--check", path], check=True, capture_output=True)
    out = os.path.join(folder, new_id())
    os.mkdir(out)
    subprocess.run(["pdfimages", "-j", path, out + "/p"], check=True)
    return [open(os.path.join(out, name), "rb").read() for name in sorted(os.listdir(out))]


def test_a_document_is_split_into_mails(mail, tmp_path):
    document = Pages(tmp_path, 9, 300000)
    result, mails = send(mail, document, size_limit_mb=1, over_limit="split", subject="Scan")
    assert result["class"] == "ok" and f"as {len(mails)} mails" in result["text"], result
    assert result["sha256"] == document.task("email", {})["file"]["sha256"], "the receipt is of the document"
    parts = [m.attachments() for m in mails]
    assert [list(p) for p in parts] == [[f"scan_part{i + 1}of{len(mails)}.pdf"] for i in range(len(mails))]
    assert 4 <= len(mails) <= 5 and all(len(m.raw.replace(b"\n", b"\r\n")) <= 1000000 for m in mails)
    assert [m.message["subject"] for m in mails] == [f"Scan ({i + 1}/{len(mails)})" for i in range(len(mails))]
    assert len({m.message["message-id"] for m in mails}) == len(mails)
    assert sum((pictures_of(*p.values(), tmp_path) for p in parts), []) == document.pictures
    again = send(mail, document, size_limit_mb=1, over_limit="split")[1]
    assert [m.attachments() for m in again] == parts, "a repeat has the same parts"
    result, mails = send(mail, document, size_limit_mb=10, over_limit="split")
    assert len(mails) == 1 and list(mails[0].attachments().values()) == [document.content]


def test_a_document_is_split_for_the_server(mail, tmp_path):
    small = Exim(size="500K")
    try:
        document = Pages(tmp_path, 3, 300000)
        result, _ = send(mail, document, mail.settings(port=small.port), over_limit="split")
        assert result["class"] == "ok" and len(small.mails()) == 3, result
    finally:
        small.end()


@pytest.mark.parametrize("mark, first, again", [("next", 4, False), ("sent", 4, True), ("sent", 0, True), ("next", 5, False)])
def test_a_split_document_goes_on_where_it_was_cut_off(mail, tmp_path, mark, first, again):
    """Two pages are in a mail; what was begun with another limit comes twice rather than never."""
    document = Pages(tmp_path, 8, 300000)
    task = document.task("email", mail.settings(), options={
        **mail.options(), "size_limit_mb": 1, "over_limit": "split"}, reserved_name=f"mail-{mark}-{first}-x")
    before = len(mail.exim.mails())
    messages = deliver(task)
    assert messages[-1]["result"]["class"] == "ok", messages[-1]
    came = [m.attachments() for m in mail.exim.mails()[before:]]
    assert [list(p) for p in came] == [[f"scan_part{i + 1}of4.pdf"] for i in range(first // 2, 4)]
    assert (f"mail-again-{first}-{task['id']}" in [m.get("name") for m in messages]) == again


def test_a_mail_that_two_attempts_may_have_sent_waits_for_a_person(mail, tmp_path):
    task = Document(tmp_path, 10).task("email", mail.settings(), options=mail.options(),
                                       reserved_name="mail-again-0-x")
    before, messages = len(mail.exim.mails()), deliver(task)
    assert messages[-1]["result"]["class"] == "unknown" and len(mail.exim.mails()) == before
    assert [m["name"] for m in messages if m.get("question") == "name"] == [""], "the mark is given back"


def test_documents_that_cannot_be_split(mail, tmp_path):
    result, mails = send(mail, Pages(tmp_path, 2, 900000), size_limit_mb=1, over_limit="split")
    assert result["class"] == "fatal" and "page 1 alone" in result["text"] and not mails, result
    result, mails = send(mail, Document(tmp_path, 900000, "scan.jpg"), size_limit_mb=1, over_limit="split")
    assert result["class"] == "fatal" and "limit is 1.0 MB" in result["text"] and not mails, result
    result, mails = send(mail, Document(tmp_path, 900000), size_limit_mb=1, over_limit="split")
    assert result["class"] == "fatal" and "cannot be read" in result["text"] and not mails, result


# --- what readers show ----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_read_as_they_are(mail, tmp_path, name):
    came = sent(mail, tmp_path, name=name)
    part, = came.message.iter_attachments()
    assert part.get_filename() == name
    assert part["content-type"].params["name"].replace("?= =?", "?==?") and not part.defects
    plain = re.search(rb'^ filename="([^"\\]*)"', came.raw, re.M)[1].decode("ascii")
    assert len(plain) == len(name), "the fallback has a character for each"
    came.raw.decode("ascii")
    assert max(map(len, came.raw.split(b"\n"))) <= 998


@pytest.mark.parametrize("subject", [
    "plain", "Grüße aus Köln", "ü" * 120, "words " * 40 + "end", "x" * 250, "=?UTF-8?B?eA==?=",
    "a  b   c", "😀" * 60, "tab\tand\nline", "{job} {doc}/{pages} {date:%d.%m.%Y}"])
def test_subjects(mail, tmp_path, subject):
    came = sent(mail, tmp_path, subject=subject)
    expected = subject.replace("\t", " ").replace("\n", " ").replace(
        "{job} {doc}/{pages} {date:%d.%m.%Y}", "Letters 1/3 22.11.2026")
    assert came.message["subject"] == expected
    assert not came.message.defects
    for line in came.headers.split(b"\n"):
        assert len(line) <= 78 and all(len(word) <= 75 for word in line.split(b" ") if b"=?" in word)


def test_headers(mail, tmp_path):
    settings = mail.settings(from_name='Scanner "3", 2. Stock')
    came = sent(mail, tmp_path, settings, to='Anna Müller <anna@peer.test>; "Doe, Jane" <jane@peer.test>',
                cc="Bob <bob@peer.test>\nx@peer.test", bcc="hidden@peer.test")
    message = came.message
    assert not message.defects
    shown = {h: [(a.display_name, a.addr_spec) for a in message[h].addresses]
             for h in ("from", "to", "cc")}
    assert shown == {"from": [('Scanner "3", 2. Stock', "scan@peer.test")],
                     "to": [("Anna Müller", "anna@peer.test"), ("Doe, Jane", "jane@peer.test")],
                     "cc": [("Bob", "bob@peer.test"), ("", "x@peer.test")]}
    assert message["bcc"] is None and b"hidden" not in came.raw
    assert sorted(came.recipients) == sorted(["anna@peer.test", "jane@peer.test", "bob@peer.test",
                                              "x@peer.test", "hidden@peer.test"])
    assert came.sender == "scan@peer.test"
    assert message["auto-submitted"] == "auto-generated"
    assert abs(message["date"].datetime.timestamp() - time.time()) < 60
    assert message["date"].datetime.utcoffset().total_seconds() == 3600
    assert [h for h in message.keys() if list(message.keys()).count(h) > 1] == []


def test_only_hidden_recipients(mail, tmp_path):
    came = sent(mail, tmp_path, to="", bcc="hidden@peer.test")
    assert came.recipients == ["hidden@peer.test"] and b"hidden@" not in came.raw
    assert "undisclosed" in came.message["to"]


def test_the_message_id_is_the_same_in_every_attempt(mail, tmp_path):
    document = Document(tmp_path, 10)
    task = document.task("email", mail.settings(), options=mail.options())
    for _ in range(2):
        assert result_of(task)["class"] == "ok"
    assert result_of(dict(task, id=new_id()))["class"] == "ok"
    first, second, other = (came.message["message-id"] for came in mail.exim.mails()[-3:])
    assert first == second != other and first == f"<{task['id']}@peer.test>"


BODY = "Grüße\n.\n..dots\n.dot\nFrom here\n" + "long " * 60 + "\n\ntrailing blank \ntab\tend=20\nlast"


def test_bodies(mail, tmp_path):
    came = sent(mail, tmp_path, body=BODY)
    assert came.message.get_body().get_content() == BODY + "\n"
    assert sent(mail, tmp_path, body="").message.get_body().get_content() == ""


def test_nothing_brings_a_header_or_a_recipient_with_it(mail, tmp_path):
    evil = "x\r\nBcc: evil@peer.test\r\n\r\n<b>,evil@peer.test"
    settings = mail.settings(from_name="a\nX-Evil: 1")
    came = sent(mail, tmp_path, settings, facts={"job": evil, "device": evil}, subject="{job}\nX-Evil: 2",
                to="{device} <anna@peer.test>", body="{job}")
    assert came.recipients == ["anna@peer.test"]
    assert came.message["x-evil"] is None and came.message["bcc"] is None
    result, mails = send(mail, Document(tmp_path, 10), facts={"job": "b@peer.test,evil"},
                         to="{job}@peer.test")
    assert result["class"] == "config" and not mails, "a value brings no recipient with it"
    assert sent(mail, tmp_path, facts={"job": "anna"}, to="{job}@peer.test").recipients == ["anna@peer.test"]


def test_a_damaged_document_is_not_sent(mail, tmp_path):
    document = Document(tmp_path, 50000)
    before = len(mail.exim.mails())
    for damage in b"x", None:
        task = document.task("email", mail.settings(), options=mail.options())
        with open(document.path, "r+b") as f:
            f.write(damage) if damage else f.truncate(20000)
        result = result_of(task)
        assert (result["class"], result["stage"]) == ("fatal", "verify"), result
    assert len(mail.exim.mails()) == before


# --- the other tasks ------------------------------------------------------------------------------------

def notification(mail, **more):
    return {"type": "task", "id": new_id(), "task": "notify", "kind": "email", "settings": mail.settings(),
            "options": {"to": "anna@peer.test", "subject": "Störung: {device}", "body": "Zeile 1\n.\n"},
            **more}


def test_a_notification_is_a_mail_without_attachment(mail):
    before = len(mail.exim.mails())
    result = result_of(notification(mail, facts={
        "job": "", "device": "WF-1", "started_at_ms": 1795338930000, "utc_offset_min": 60, "document": 0,
        "pages": 0}))
    assert (result["class"], result["stage"], result["remote_name"]) == ("ok", "send", ""), result
    came, = mail.exim.mails()[before:]
    assert came.message["subject"] == "Störung: WF-1" and not came.message.is_multipart()
    assert came.message.get_content() == "Zeile 1\n.\n" and not came.message.defects
    assert result_of(notification(mail))["class"] == "ok", "facts may be absent"


def test_notifications_that_cannot_be(mail, tmp_path):
    result = result_of(notification(mail, options={"subject": "x"}))
    assert result["class"] == "config" and "recipient" in result["text"]
    result = result_of(notification(mail, settings=mail.settings(password="wrong")))
    assert (result["class"], result["stage"]) == ("auth", "login")
    result = result_of(notification(mail, kind="folder", settings={"path": str(tmp_path)}, options={}))
    assert result["class"] == "config" and "notifications" in result["text"]


def try_out(settings):
    messages = deliver({"type": "task", "id": new_id(), "task": "test", "kind": "email",
                        "settings": settings})
    return [m["stage"] for m in messages if m["type"] == "progress"], messages[-1]["result"]


def test_a_test_logs_in_everywhere_and_sends_nothing(mail, pop):
    before, log_ins = len(mail.exim.mails()), logins(pop)
    stages, result = try_out(mail.settings())
    assert stages == ["resolve", "connect", "tls", "login", "locate"] and result["class"] == "ok"
    stages, result = try_out(pop_settings(mail, pop))
    assert stages == ["resolve", "connect", "tls", "login", "resolve", "connect", "tls", "locate"]
    assert result["class"] == "ok"
    wait_until(lambda: logins(pop) == log_ins + 1, "a log-in to the POP server")
    stages, result = try_out(dict(pop_settings(mail, pop), pop_password="wrong"))
    assert (result["class"], result["stage"]) == ("auth", "login")
    stages, result = try_out(mail.settings(**{"from": "forbidden@peer.test"}))
    assert (result["class"], result["stage"]) == ("config", "locate") and "locate" not in stages
    assert len(mail.exim.mails()) == before


def test_no_password_is_in_any_message(mail, pop, tmp_path):
    for settings in (mail.settings(user="wrong"), mail.settings(encryption="none"),
                     dict(pop_settings(mail, pop), pop_user="wrong"), mail.settings(port=1)):
        task = Document(tmp_path, 10).task("email", settings, options=mail.options())
        assert PASSWORD not in str(deliver(task))


def test_a_full_disk_says_so(mail, tmp_path):
    with mail.disk_full() as settings:
        result, _ = send(mail, Document(tmp_path, 3 << 20), settings)
        assert result["class"] == "retry" and "spool" in result["text"], result
