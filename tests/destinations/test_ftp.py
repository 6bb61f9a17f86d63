"""What is special about FTP: its encryptions and modes, whom it trusts, folders and odd names."""

import os

import pytest

from delivering import Document, deliver, dialogue, result_of
from peer import authority
from workers import DELIVER, Served


@pytest.fixture
def ftp(kinds):
    return kinds("ftp")


def delivered(ftp, document, name=None):
    return ftp.files().get(name or document.name) == document.content


@pytest.mark.parametrize("change", [
    {"encryption": "implicit"}, {"encryption": "none"}, {"encryption": "none", "mode": "active"},
    {"host": "localhost"}, {"path": "/"}, {"tls_trust": "insecure", "tls_ca": ""},
], ids=str)
def test_ways_to_connect(ftp, tmp_path, change):
    document = Document(tmp_path, 50000, f"way-{os.urandom(4).hex()}.pdf")
    if change.get("encryption") == "implicit":
        change = dict(change, port=ftp.implicit)
    result = result_of(document.task("ftp", ftp.settings(**change)))
    assert result["class"] == "ok", result
    assert delivered(ftp, document)


def test_active_mode_with_tls_is_refused_with_its_cure(ftp, tmp_path):
    result = result_of(Document(tmp_path, 10).task("ftp", ftp.settings(mode="active")))
    assert result["class"] == "config" and "passive" in result["cure"]


def test_encryption_that_the_server_has_not(ftp, tmp_path):
    """TLS spoken to something that talks plainly, and the other way round."""
    for change in {"encryption": "implicit"}, {"encryption": "none", "port": ftp.implicit}:
        result = result_of(Document(tmp_path, 10).task("ftp", ftp.settings(**change)))
        assert result["class"] in ("retry", "config") and result["stage"] in ("tls", "connect"), result


def test_a_pinned_key_is_all_that_counts(ftp, tmp_path):
    document = Document(tmp_path, 10, "pinned.pdf")
    settings = ftp.settings(tls_trust="pin", tls_ca="", tls_pin=authority().pin())
    assert result_of(document.task("ftp", settings))["class"] == "ok"
    for pin in "sha256//" + "A" * 43 + "=", "":
        result = result_of(document.task("ftp", dict(settings, tls_pin=pin)))
        assert (result["class"], result["stage"]) == ("config", "tls")
        assert authority().pin() in result["text"], "the key that was seen is told"


def test_the_first_key_is_learnt_before_any_password(ftp, tmp_path):
    document = Document(tmp_path, 10, "first.pdf")
    settings = ftp.settings(tls_trust="first-use", tls_ca="")
    messages = deliver(document.task("ftp", settings))
    learn, = [m for m in messages if m.get("question") == "learn"]
    assert (learn["setting"], learn["value"]) == ("tls_pin", authority().pin())
    assert messages[-1]["result"]["class"] == "ok"
    known = dict(settings, tls_pin=learn["value"])
    assert all(m.get("question") != "learn" for m in deliver(document.task("ftp", known)))
    changed = dict(settings, tls_pin="sha256//" + "B" * 43 + "=")
    result = result_of(document.task("ftp", changed))
    assert result["class"] == "config" and "on purpose" in result["cure"]


def test_an_authority_must_be_pem(ftp, tmp_path):
    result = result_of(Document(tmp_path, 10).task("ftp", ftp.settings(tls_ca="nothing")))
    assert (result["class"], result["stage"]) == ("config", "tls"), result
    assert "PEM" in result["cure"]


@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "semi;colon'quote.pdf", "-rf.pdf"])
def test_odd_names_arrive_as_they_are(ftp, tmp_path, name):
    document = Document(tmp_path, 100, name)
    result = result_of(document.task("ftp", ftp.settings()))
    assert result["class"] == "ok", result
    assert delivered(ftp, document)


def test_folders_of_a_job_are_made_and_the_destinations_is_not(ftp, tmp_path):
    document = Document(tmp_path, 100)
    task = document.task("ftp", ftp.settings(), options={"folder": "{date:%Y}/{job} x/ü"})
    assert result_of(task)["class"] == "ok"
    assert delivered(ftp, document, "2026/Letters x/ü/scan.pdf")
    task = document.task("ftp", ftp.settings(path="not-there"), options={"folder": "a"})
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("config", "locate")
    assert not os.path.exists(os.path.join(ftp.home(), "not-there"))


def test_taken_names(ftp, tmp_path):
    first, second, third = (Document(tmp_path, 100 + i, "taken.pdf") for i in range(3))
    assert result_of(first.task("ftp", ftp.settings()))["remote_name"] == "taken.pdf"
    assert result_of(second.task("ftp", ftp.settings()))["remote_name"] == "taken_2.pdf"
    assert delivered(ftp, first) and delivered(ftp, second, "taken_2.pdf")
    refuse = result_of(third.task("ftp", ftp.settings(), options={"same_name": "refuse"}))
    assert refuse["class"] == "fatal"
    over = result_of(third.task("ftp", ftp.settings(), options={"same_name": "overwrite"}))
    assert over["remote_name"] == "taken.pdf" and delivered(ftp, third)
    assert ftp.temporary() == []


def test_a_reserved_name_that_is_there_is_done(ftp, tmp_path):
    document = Document(tmp_path, 5000, "again.pdf")
    assert result_of(document.task("ftp", ftp.settings()))["class"] == "ok"
    messages = deliver(document.task("ftp", ftp.settings(), reserved_name="again.pdf"))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    assert list(ftp.files().values()).count(document.content) == 1


@pytest.mark.parametrize("encryption", ["explicit", "implicit", "none"])
def test_many_documents_one_after_the_other(ftp, tmp_path, encryption):
    """Each data connection has to take up the session of the control connection: proftpd refuses others."""
    more = {"encryption": encryption} | ({"port": ftp.implicit} if encryption == "implicit" else {})
    documents = [Document(tmp_path, 300, f"many-{encryption}-{i}.pdf") for i in range(8)]
    with Served(DELIVER) as served:
        for document in documents:
            result = dialogue(served, document.task("ftp", ftp.settings(**more)))[-1]["result"]
            assert result["class"] == "ok", result
    assert all(delivered(ftp, document) for document in documents)
