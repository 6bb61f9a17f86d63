"""What is special about SFTP: keys of users and of servers, names in commands, and who may be replaced."""

import os

import pytest

from delivering import Document, answered, deliver, dialogue, result_of
from kind_sftp import keygen
from peer import PASSWORD, USER
from workers import DELIVER, Served


@pytest.fixture
def sftp(kinds):
    return kinds("sftp")


def delivered(sftp, document, name=None, user=USER):
    return sftp.files(user).get(name or document.name) == document.content


def some_name():
    return f"some-{os.urandom(4).hex()}.pdf"


@pytest.fixture
def user_key(sftp, tmp_path):
    """Makes a key that the server knows; gives its text."""
    def make(*options, passphrase=""):
        path = str(tmp_path / ("id" + os.urandom(4).hex()))
        keygen(path, *options, passphrase=passphrase)
        with open(path + ".pub", encoding="ascii") as f:
            sftp.write("keys/" + USER, f.read())
        with open(path, encoding="ascii") as f:
            return f.read()
    return make


# --- the user ---

@pytest.mark.parametrize("options, passphrase", [
    (["-t", "ed25519"], ""), (["-t", "ed25519"], "very secret"), (["-t", "ecdsa"], ""),
    (["-t", "ecdsa", "-m", "PEM"], "very secret"),
], ids=str)
def test_a_private_key(sftp, tmp_path, user_key, options, passphrase, monkeypatch):
    if options == ["-t", "ecdsa"]:  # of such a key libssh2 1.10 never frees its copy of the number
        monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    document = Document(tmp_path, 100, some_name())
    key = user_key(*options, passphrase=passphrase)
    for text in key, key.strip():
        settings = sftp.settings(private_key=text, passphrase=passphrase, password="")
        result = result_of(document.task("sftp", settings))
        assert result["class"] == "ok", result
    assert delivered(sftp, document)


def test_keys_that_fail_say_why(sftp, tmp_path, user_key):
    task = Document(tmp_path, 100).task
    key = user_key("-t", "ed25519", passphrase="very secret")
    wrong = result_of(task("sftp", sftp.settings(private_key=key, passphrase="x", password="")))
    assert (wrong["class"], wrong["stage"]) == ("auth", "login") and "passphrase" in wrong["cure"]
    garbage = result_of(task("sftp", sftp.settings(private_key="no key", password="")))
    assert garbage["class"] == "auth" and "private key" in garbage["cure"], garbage
    rsa = user_key("-t", "rsa", "-b", "2048")
    old = result_of(task("sftp", sftp.settings(private_key=rsa, password="")))
    assert old["class"] == "auth" and "Ed25519" in old["cure"], old
    assert "publickey,password" in old["text"], "what the server takes is told"
    sftp.write("keys/" + USER, "")
    unknown = result_of(task("sftp", sftp.settings(private_key=key, passphrase="very secret",
                                                   password="")))
    assert unknown["class"] == "auth" and "public key" in unknown["cure"], unknown


def test_a_key_goes_before_the_password(sftp, tmp_path, user_key):
    key = user_key("-t", "ed25519")
    document = Document(tmp_path, 100, some_name())
    settings = sftp.settings(private_key=key, password="wrong-" + PASSWORD)
    assert result_of(document.task("sftp", settings))["class"] == "ok"
    sftp.write("keys/" + USER, "")
    assert result_of(document.task("sftp", settings))["class"] == "auth"
    assert result_of(document.task("sftp", dict(settings, password=PASSWORD)))["class"] == "ok"


# --- the server ---

def test_only_a_pinned_host_key_is_trusted(sftp, tmp_path):
    document = Document(tmp_path, 10, some_name())
    right = sftp.fingerprint()
    for pin in (right, right + "=", sftp.fingerprint("host_ecdsa") + " " + right):
        assert result_of(document.task("sftp", sftp.settings(host_key=pin)))["class"] == "ok"
    for pin in ("", "SHA256:", right[:-1], right.lower(), right[len("SHA256:"):],
                sftp.fingerprint("host_ecdsa")):
        result = result_of(document.task("sftp", sftp.settings(host_key=pin)))
        assert (result["class"], result["stage"]) == ("config", "tls"), result
        assert right in result["text"] and "ED25519" in result["text"], "the key is told"


def test_the_first_host_key_is_learnt_before_any_password(sftp, tmp_path):
    document = Document(tmp_path, 10, some_name())
    settings = sftp.settings(host_trust="first-use", host_key="")
    messages = deliver(document.task("sftp", settings))
    learn, = [m for m in messages if m.get("question") == "learn"]
    assert (learn["setting"], learn["value"]) == ("host_key", sftp.fingerprint())
    assert messages[-1]["result"]["class"] == "ok"
    known = dict(settings, host_key=learn["value"])
    assert all(m.get("question") != "learn" for m in deliver(document.task("sftp", known)))
    changed = dict(known, port=sftp.plain)
    messages = deliver(document.task("sftp", changed))
    assert all(m.get("question") != "learn" for m in messages), "a changed key is not learnt"
    result = messages[-1]["result"]
    assert result["class"] == "config" and "on purpose" in result["cure"]


def log_of(sftp):
    with open(os.path.join(sftp.folder, "usual.log"), encoding="utf-8", errors="replace") as f:
        return f.read()


def test_a_key_that_is_not_trusted_gets_no_user(sftp, tmp_path):
    task = Document(tmp_path, 10).task("sftp", sftp.settings(host_key="", user="stranger"))
    assert result_of(task)["stage"] == "tls"
    task["settings"].update(host_trust="first-use")
    stopped = answered(task, lambda question: "stop")[-1]["result"]
    assert (stopped["class"], stopped["stage"]) == ("config", "tls")
    assert "stranger" not in log_of(sftp)
    task["settings"].update(host_trust="insecure")
    assert result_of(task)["class"] == "auth"
    assert "stranger" in log_of(sftp)


def test_something_that_is_no_ssh_server(kinds, sftp, tmp_path):
    port = kinds("ftp").explicit
    result = result_of(Document(tmp_path, 10).task("sftp", sftp.settings(port=port)))
    assert (result["class"], result["stage"]) in (("config", "tls"), ("retry", "connect")), result


def test_ways_to_connect(sftp, tmp_path):
    document = Document(tmp_path, 50000, some_name())
    for change in ({"host": "localhost"}, {"path": sftp.home()}, {"path": "~"},
                   {"path": "~/../scan/"}, {"path": sftp.home() + "//"}):
        result = result_of(document.task("sftp", sftp.settings(**change),
                                         options={"same_name": "overwrite"}))
        assert result["class"] == "ok", result
    assert delivered(sftp, document)


# --- files ---

@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "semi;colon'quote.pdf", "-rf.pdf",
    'double"quote.pdf', 'end"', "back\\slash.pdf", "back\\", " blank.pdf ", "*.pdf", "~.pdf",
    "a" * 196 + ".pdf"])
def test_odd_names_arrive_as_they_are(sftp, tmp_path, name):
    document = Document(tmp_path, 100, name)
    result = result_of(document.task("sftp", sftp.settings()))
    assert result["class"] == "ok", result
    assert delivered(sftp, document) and sftp.temporary() == []


def test_folders_of_a_job_are_made_and_the_destinations_is_not(sftp, tmp_path):
    document = Document(tmp_path, 100)
    for path in "", sftp.home():
        task = document.task("sftp", sftp.settings(path=path),
                             options={"folder": "{date:%Y}/{job} x/ü", "same_name": "overwrite"})
        assert result_of(task)["class"] == "ok"
    assert delivered(sftp, document, "2026/Letters x/ü/scan.pdf")
    task = document.task("sftp", sftp.settings(path="not-there"), options={"folder": "a"})
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("config", "locate")
    assert not os.path.exists(os.path.join(sftp.home(), "not-there"))
    task = document.task("sftp", sftp.settings(user="ro"), options={"folder": "a"})
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("config", "locate")


def test_a_folder_of_odd_name(sftp, tmp_path):
    path = 'a "b" \\ 100% #'
    os.makedirs(os.path.join(sftp.home(), path), mode=0o777, exist_ok=True)
    os.chmod(os.path.join(sftp.home(), path), 0o777)
    document = Document(tmp_path, 100)
    result = result_of(document.task("sftp", sftp.settings(path=path), options={"folder": "ü/x"}))
    assert result["class"] == "ok", result
    assert delivered(sftp, document, path + "/ü/x/scan.pdf")


def test_taken_names(sftp, tmp_path):
    first, second, third = (Document(tmp_path, 100 + i, "taken.pdf") for i in range(3))
    assert result_of(first.task("sftp", sftp.settings()))["remote_name"] == "taken.pdf"
    assert result_of(second.task("sftp", sftp.settings()))["remote_name"] == "taken_2.pdf"
    assert delivered(sftp, first) and delivered(sftp, second, "taken_2.pdf")
    refuse = result_of(third.task("sftp", sftp.settings(), options={"same_name": "refuse"}))
    assert refuse["class"] == "fatal"
    over = result_of(third.task("sftp", sftp.settings(), options={"same_name": "overwrite"}))
    assert over["remote_name"] == "taken.pdf" and delivered(sftp, third)
    assert sftp.temporary() == []


def test_a_file_that_appears_meanwhile_is_not_replaced(sftp, tmp_path):
    """Between the question and the rename somebody else takes the name."""
    document = Document(tmp_path, 100, some_name())
    path = os.path.join(sftp.home(), document.name)

    def appear(question):
        if question["name"] == document.name:
            with open(path, "wb") as f:
                f.write(b"stranger")
        return "go"

    messages = answered(document.task("sftp", sftp.settings()), appear)
    names = [m["name"] for m in messages if m.get("question") == "name"]
    assert messages[-1]["result"]["class"] == "ok" and len(names) == 2, messages
    assert messages[-1]["result"]["remote_name"] == names[1] != names[0]
    with open(path, "rb") as f:
        assert f.read() == b"stranger"
    assert delivered(sftp, document, names[1]) and sftp.temporary() == []


def test_folders_and_unreadable_files_are_names_that_are_taken(sftp, tmp_path):
    os.makedirs(os.path.join(sftp.home(), "dir.pdf"), exist_ok=True)
    size = os.path.getsize(os.path.join(sftp.home(), "dir.pdf"))
    document = Document(tmp_path, size, "dir.pdf")
    task = document.task("sftp", sftp.settings(), reserved_name="dir.pdf")
    result = result_of(task)
    assert (result["class"], result["remote_name"]) == ("ok", "dir_2.pdf"), result
    secret = os.path.join(sftp.home(), "mine.pdf")
    with open(secret, "wb"):
        os.chmod(secret, 0)
    document = Document(tmp_path, 50, "mine.pdf")
    result = result_of(document.task("sftp", sftp.settings()))
    os.remove(secret)
    assert (result["class"], result["remote_name"]) == ("ok", "mine_2.pdf"), result


def test_a_reserved_name_that_is_there_is_done(sftp, tmp_path):
    document = Document(tmp_path, 5000, "again.pdf")
    assert result_of(document.task("sftp", sftp.settings()))["class"] == "ok"
    messages = deliver(document.task("sftp", sftp.settings(), reserved_name="again.pdf"))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    assert list(sftp.files().values()).count(document.content) == 1


# --- a server that knows the draft only ---

def test_a_plain_server(sftp, tmp_path):
    document = Document(tmp_path, 3 << 20, some_name())
    settings = sftp.settings(port=sftp.plain, host_key=sftp.fingerprint("host_ecdsa"))
    assert result_of(document.task("sftp", settings))["class"] == "ok"
    assert delivered(sftp, document)


def test_a_disk_that_fills_while_writing(sftp, tmp_path):
    settings = sftp.settings(user="full", port=sftp.plain, host_key=sftp.fingerprint("host_ecdsa"))
    with sftp.disk_full():
        result = result_of(Document(tmp_path, 3 << 20).task("sftp", settings))
        assert (result["class"], result["stage"]) == ("retry", "write"), result
        assert "disk" in result["cure"]
        assert sftp.temporary() == [] and sftp.files("full") == {}


def test_one_connection_serves_many_deliveries(sftp, tmp_path):
    before = log_of(sftp).count("Accepted password")
    with Served(DELIVER) as program:
        for _ in range(3):
            document = Document(tmp_path, 100, some_name())
            messages = dialogue(program, document.task("sftp", sftp.settings()))
            assert messages[-1]["result"]["class"] == "ok", messages
            assert delivered(sftp, document)
    assert log_of(sftp).count("Accepted password") == before + 1
