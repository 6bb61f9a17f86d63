"""What is special about SMB: dialects, signing and encryption, Windows' names, who may be replaced, DFS."""

import contextlib
import os
import subprocess

import pytest

from delivering import Document, answered, deliver, dialogue, result_of
from realm import HOST, REALM
from peer import PASSWORD, USER, wait_until
from workers import DELIVER_SMB, Served


@pytest.fixture
def smb(kinds):
    return kinds("smb")


def delivered(smb, document, name=None, share="scans"):
    return smb.files(share).get(name or document.name) == document.content


def some_name():
    return f"some-{os.urandom(4).hex()}.pdf"


# --- versions, signing, encryption ---

@pytest.mark.parametrize("version", ["SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"])
def test_versions(smb, tmp_path, version):
    server = smb.server("only-" + version, least=version, most=version)
    document = Document(tmp_path, 70000, some_name())
    result = result_of(document.task("smb", smb.settings(port=server.port)))
    assert result["class"] == "ok", result
    assert delivered(smb, document)


@pytest.mark.parametrize("version", ["NT1", "SMB2_02"])
def test_versions_that_are_too_old(smb, tmp_path, version):
    server = smb.server("only-" + version, least=version, most=version)
    result = result_of(Document(tmp_path, 10).task("smb", smb.settings(port=server.port)))
    assert result["class"] in ("config", "retry") and "SMB 2.1" in result["cure"], result


def test_encryption(smb, tmp_path):
    """What demands it gets it; required means that nothing goes to who cannot."""
    demanding = smb.server("encrypting", encrypt="required")
    document = Document(tmp_path, 70000, some_name())
    overwrite = {"same_name": "overwrite"}
    for change in ({"port": demanding.port}, {"share": "encrypted"}, {"encryption": "required"},
                   {"share": "encrypted", "encryption": "required"},
                   {"port": demanding.port, "encryption": "required"}):
        result = result_of(document.task("smb", smb.settings(**change), options=overwrite))
        assert result["class"] == "ok", (change, result)
        assert delivered(smb, document)
    for server in (smb.server("plain", encrypt="off"),
                   smb.server("only-SMB2_10", least="SMB2_10", most="SMB2_10")):
        before = smb.files()
        result = result_of(document.task("smb", smb.settings(port=server.port,
                                                             encryption="required")))
        assert (result["class"], result["stage"]) == ("config", "tls"), result
        assert smb.files() == before and smb.temporary() == []


def test_signing(smb, tmp_path):
    document = Document(tmp_path, 100, some_name())
    for signing in "auto", "required":
        result = result_of(document.task("smb", smb.settings(signing=signing),
                                         options={"same_name": "overwrite"}))
        assert result["class"] == "ok", result


# --- who ---

@pytest.mark.parametrize("change, kind, stage", [
    ({"password": "wrong"}, "auth", "login"), ({"user": "stranger"}, "auth", "login"),
    ({"user": "", "password": ""}, "auth", "login"), ({"share": "denied"}, "config", "locate"),
    ({"share": "readonly"}, "config", "write"), ({"share": "nosuchshare"}, "config", "locate"),
    ({"path": "no/such"}, "config", "locate"), ({"path": "a-file.txt"}, "config", "locate"),
    ({"kerberos": True, "user": ""}, "config", "login"),
    ({"kerberos": True, "password": ""}, "auth", "login"),
], ids=str)
def test_what_is_wrong_is_told(smb, tmp_path, change, kind, stage):
    with open(os.path.join(smb.home(), "a-file.txt"), "wb"):
        pass
    result = result_of(Document(tmp_path, 10).task("smb", smb.settings(**change)))
    assert (result["class"], result["stage"]) == (kind, stage), result
    assert PASSWORD not in str(result)


def test_kerberos(smb, tmp_path, monkeypatch):
    """With the ticket of the process's user, or with a password; never with NTLM instead."""
    server, realm = smb.on_the_usual_port()
    monkeypatch.setenv("KRB5_CONFIG", realm.environment()["KRB5_CONFIG"])
    # Samba's Kerberos gives strndup() what has no end, which it may: not with strict_string_checks.
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=1")
    document = Document(tmp_path, 70000, some_name())
    user = f"{realm.user}@{REALM}"
    for ticket, change, kind in (
            (realm.ticket, {"user": user, "password": ""}, "ok"), ("FILE:/none", {"user": user}, "ok"),
            ("FILE:/none", {"user": user, "password": ""}, "auth"),
            ("FILE:/none", {"user": user, "password": "wrong"}, "auth"),
            (realm.ticket, {"user": user, "password": "", "server": "127.0.0.1"}, "auth")):
        monkeypatch.setenv("KRB5CCNAME", ticket)
        task = document.task("smb", smb.settings(**{"port": 445, "server": HOST, "kerberos": True,
                                                    **change}),
                             options={"same_name": "overwrite"})
        result = result_of(task, launcher=server.inside())
        assert result["class"] == kind, (change, result)
        assert kind == "ok" or (result["stage"] == "login" and "ticket" in result["cure"]), result
    assert delivered(smb, document)


def test_a_domain_is_told(smb, tmp_path):
    document = Document(tmp_path, 10, some_name())
    assert result_of(document.task("smb", smb.settings(domain="PEER")))["class"] == "ok"


def test_the_systems_configuration_does_not_count(smb, tmp_path, monkeypatch):
    """Neither that of HOME, and nothing of ours stays behind."""
    (tmp_path / ".smb").mkdir()
    (tmp_path / ".smb" / "smb.conf").write_text("[global]\nclient max protocol = NT1\nnonsense = 1\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(scratch))
    document = Document(tmp_path, 10, some_name())
    assert result_of(document.task("smb", smb.settings()))["class"] == "ok"
    assert list(scratch.iterdir()) == []


# --- names ---

@pytest.mark.parametrize("name", [
    "with blanks and 100% # &.pdf", "Grüße – 文書.pdf", "semi;colon'quote.pdf", "-rf.pdf", "~.pdf",
    "a+b [1] {x} @ $ ! ^ `.pdf", "😀.pdf", ".hidden", "a" * 196 + ".pdf", "CONSOLE.pdf", "com.pdf"])
def test_odd_names_arrive_as_they_are(smb, tmp_path, name):
    document = Document(tmp_path, 100, name)
    result = result_of(document.task("smb", smb.settings()))
    assert result["class"] == "ok", result
    with open(os.path.join(smb.home(), name), "rb") as f:
        assert f.read() == document.content
    os.remove(os.path.join(smb.home(), name))


@pytest.mark.parametrize("name", [
    "a:b.pdf", "a?.pdf", "a*.pdf", 'a".pdf', "a<b>.pdf", "a|b.pdf", "a\\b.pdf", "dot.", "blank ",
    "CON", "con.pdf", "Lpt1.txt", "NUL.tar.gz"])
def test_names_that_windows_does_not_take(smb, tmp_path, name):
    result = result_of(Document(tmp_path, 100, name).task("smb", smb.settings()))
    assert result["class"] == "config" and "Windows" in result["cure"], result


@pytest.mark.parametrize("change", [
    {"path": "../x"}, {"path": "a\\..\\..\\b"}, {"server": "\\\\server\\share"}, {"share": "a/b"}])
def test_paths_that_are_none(smb, tmp_path, change):
    result = result_of(Document(tmp_path, 100).task("smb", smb.settings(**change)))
    assert result["class"] == "config", result


def test_a_share_and_folders_of_odd_names(smb, tmp_path):
    document = Document(tmp_path, 100)
    os.makedirs(os.path.join(smb.home(), "a & b", "100% #"), exist_ok=True)
    for path in "a & b/100% #", "\\a & b\\100% #\\":
        task = document.task("smb", smb.settings(share="odd share$", path=path),
                             options={"folder": "{date:%Y}/{job} x/ü", "same_name": "overwrite"})
        result = result_of(task)
        assert result["class"] == "ok", result
    assert delivered(smb, document, "a & b/100% #/2026/Letters x/ü/scan.pdf")
    result = result_of(document.task("smb", smb.settings(path="not-there"), options={"folder": "a"}))
    assert (result["class"], result["stage"]) == ("config", "locate")
    assert not os.path.exists(os.path.join(smb.home(), "not-there"))


# --- names that are taken ---

def test_taken_names(smb, tmp_path):
    first, second, third = (Document(tmp_path, 100 + i, "taken.pdf") for i in range(3))
    assert result_of(first.task("smb", smb.settings()))["remote_name"] == "taken.pdf"
    assert result_of(second.task("smb", smb.settings()))["remote_name"] == "taken_2.pdf"
    assert delivered(smb, first) and delivered(smb, second, "taken_2.pdf")
    shouted = Document(tmp_path, 99, "TAKEN.pdf")
    assert result_of(shouted.task("smb", smb.settings()))["remote_name"] == "TAKEN_3.pdf"
    refuse = result_of(third.task("smb", smb.settings(), options={"same_name": "refuse"}))
    assert refuse["class"] == "fatal"
    over = result_of(third.task("smb", smb.settings(), options={"same_name": "overwrite"}))
    assert over["remote_name"] == "taken.pdf" and delivered(smb, third)
    assert smb.temporary() == []


@pytest.mark.parametrize("same_name", ["number", "refuse"])
def test_a_file_that_appears_meanwhile_is_not_replaced(smb, tmp_path, same_name):
    """Between the look and the rename somebody else takes the name: libsmbclient would replace it."""
    document = Document(tmp_path, 100, some_name())
    path = os.path.join(smb.home(), document.name)
    asked = []

    def appear(question):
        asked.append(question["name"])
        if question["name"] == document.name:
            with open(path, "wb") as f:
                f.write(b"stranger")
        return "go"

    task = document.task("smb", smb.settings(), options={"same_name": same_name})
    result = answered(task, appear)[-1]["result"]
    with open(path, "rb") as f:
        assert f.read() == b"stranger"
    if same_name == "refuse":
        assert result["class"] == "fatal", result
    else:
        assert result["class"] == "ok" and result["remote_name"] == asked[1], result
        assert delivered(smb, document, asked[1])
    assert smb.temporary() == []


@contextlib.contextmanager
def held_open(smb, name, log):
    """Somebody else has the file open, and lets nobody delete it."""
    with open(log, "wb") as f:
        client = subprocess.Popen(
            ["stdbuf", "-o0", "smbclient", "-p", str(smb.port()), "-U", f"{USER}%{PASSWORD}",
             "//127.0.0.1/scans"], stdin=subprocess.PIPE, stdout=f,
            stderr=f)
    try:
        client.stdin.write(f'open "{name}"\n'.encode())
        client.stdin.flush()
        wait_until(lambda: b"fnum" in log.read_bytes(), "smbclient to open the file")
        yield
    finally:
        client.kill()
        client.wait()
        client.stdin.close()


def test_a_file_that_somebody_has_open(smb, tmp_path):
    first, second = Document(tmp_path, 100, "open.pdf"), Document(tmp_path, 200, "open.pdf")
    assert result_of(first.task("smb", smb.settings()))["class"] == "ok"
    task = second.task("smb", smb.settings(), options={"same_name": "overwrite"})
    with held_open(smb, "open.pdf", tmp_path / "smbclient.log"):
        result = result_of(task)
        assert (result["class"], result["stage"]) == ("retry", "rename"), result
        assert "open" in result["cure"]
        assert delivered(smb, first) and smb.temporary() == []
    assert result_of(task)["class"] == "ok" and delivered(smb, second)


def test_a_folder_is_a_name_that_is_taken(smb, tmp_path):
    os.makedirs(os.path.join(smb.home(), "dir.pdf"), exist_ok=True)
    document = Document(tmp_path, 100, "dir.pdf")
    result = result_of(document.task("smb", smb.settings(), reserved_name="dir.pdf"))
    assert (result["class"], result["remote_name"]) == ("ok", "dir_2.pdf"), result
    over = result_of(document.task("smb", smb.settings(), options={"same_name": "overwrite"}))
    assert over["class"] != "ok" and os.path.isdir(os.path.join(smb.home(), "dir.pdf")), over


def test_a_reserved_name_that_is_there_is_done(smb, tmp_path):
    document = Document(tmp_path, 5000, "again.pdf")
    assert result_of(document.task("smb", smb.settings()))["class"] == "ok"
    messages = deliver(document.task("smb", smb.settings(), reserved_name="again.pdf"))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    assert list(smb.files().values()).count(document.content) == 1


# --- the disk, the connection, DFS ---

def test_a_disk_that_fills_while_writing(smb, tmp_path):
    """The server tells more room than there is."""
    with smb.disk_full():
        task = Document(tmp_path, 3 << 20).task("smb", smb.settings(share="space"))
        result = result_of(task)
        assert (result["class"], result["stage"]) == ("retry", "write"), result
        assert "room" in result["cure"]
        assert smb.temporary() == [] and smb.files("full") == {}


def test_a_large_document(smb, tmp_path):
    document = Document(tmp_path, (48 << 20) + 1, some_name())
    assert result_of(document.task("smb", smb.settings(share="encrypted")))["class"] == "ok"
    assert delivered(smb, document)
    os.remove(os.path.join(smb.home(), document.name))


def test_one_connection_serves_many_deliveries(smb, tmp_path):
    server = smb.server("counted")

    def sessions():
        with open(server.path("smbd.out"), encoding="utf-8", errors="replace") as f:
            return f.read().count("connect to service scans")

    with Served(DELIVER_SMB) as program:
        for _ in range(3):
            document = Document(tmp_path, 100, some_name())
            messages = dialogue(program, document.task("smb", smb.settings(port=server.port)))
            assert messages[-1]["result"]["class"] == "ok", messages
            assert delivered(smb, document)
        wrong = Document(tmp_path, 100, some_name()).task(
            "smb", smb.settings(port=server.port, password="wrong"))
        assert dialogue(program, wrong)[-1]["result"]["class"] == "auth"
        again = Document(tmp_path, 100, some_name())
        messages = dialogue(program, again.task("smb", smb.settings(port=server.port)))
        assert messages[-1]["result"]["class"] == "ok" and delivered(smb, again)
    assert sessions() == 2


def test_a_referral_of_dfs_is_followed(smb, tmp_path):
    document = Document(tmp_path, 70000, some_name())
    server, _ = smb.on_the_usual_port()
    task = document.task("smb", smb.settings(port=445, share="dfs", path="there"),
                         options={"folder": "below"})
    result = result_of(task, launcher=server.inside())
    assert result["class"] == "ok", result
    assert delivered(smb, document, "below/" + document.name)
