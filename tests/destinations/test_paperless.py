"""What is special about Paperless-ngx: what goes with a document, tasks, duplicates, rights, both versions."""

import hashlib
import http.client
import os

import pytest

from delivering import Document, deliver, result_of
from kind_paperless import BLIND, DROPPER, READER, SENDER, TASKLESS, TOKEN
from peer import PASSWORD, wait_until

V3 = "/v3"
BOTH = pytest.mark.parametrize("version", [2, 3])


@pytest.fixture
def paperless(kinds):
    return kinds("paperless")


def unique(word="scan"):
    return f"{word}-{os.urandom(4).hex()}.pdf"


def at(paperless, version, **more):
    return paperless.settings(url=paperless.url(V3 if version == 3 else ""), **more)


def count(paperless, document, version=2):
    return list(paperless.files(version).values()).count(document.content)


def form_of(paperless, name):
    return [f for f in paperless.forms() if f["name"] == name]


def questions(messages):
    return [m["name"] for m in messages if m.get("question") == "name"]


@BOTH
def test_the_task_is_followed_and_remembered(paperless, tmp_path, version):
    document = Document(tmp_path, 70000, unique())
    messages = deliver(document.task("paperless", at(paperless, version)))
    result = messages[-1]["result"]
    assert (result["class"], result["stage"], result["remote_name"]) == ("ok", "follow", document.name)
    assert " as document " in result["text"] and count(paperless, document, version) == 1
    name, = questions(messages)
    assert name.startswith("task-") and len(name) == 41
    # Died after that: the next attempt asks for the task and sends nothing.
    again = result_of(document.task("paperless", at(paperless, version), reserved_name=name))
    assert again["class"] == "ok" and again["text"] == result["text"]
    assert len(form_of(paperless, document.name)) == 1


@BOTH
def test_what_is_there_is_not_sent_again(paperless, tmp_path, version):
    document = Document(tmp_path, 5000, unique())
    assert result_of(document.task("paperless", at(paperless, version)))["class"] == "ok"
    result = result_of(document.task("paperless", at(paperless, version)))
    assert result["class"] == "ok" and "was there already as document" in result["text"]
    assert len(form_of(paperless, document.name)) == 1 and count(paperless, document, version) == 1


def test_a_duplicate_that_only_the_task_tells_is_done(paperless, tmp_path):
    """Who may not see the document (it is another user's) learns it from the task."""
    for version, word in (2, ""), (3, "strict"):
        document = Document(tmp_path, 5000, unique(word))
        assert result_of(document.task("paperless", at(paperless, version)))["class"] == "ok"
        result = result_of(document.task("paperless", at(paperless, version, token=BLIND)))
        assert result["class"] == "ok" and "duplicate" in result["text"], result
        assert count(paperless, document, version) == 1


def test_a_duplicate_in_the_trash_is_not_done(paperless, tmp_path):
    document = Document(tmp_path, 5000, unique("trashed"))
    assert result_of(document.task("paperless", paperless.settings()))["class"] == "ok"
    result = result_of(document.task("paperless", paperless.settings()))
    assert (result["class"], result["stage"]) == ("fatal", "follow") and "trash" in result["cure"]


@BOTH
@pytest.mark.parametrize("word, expected, text", [
    ("encrypted", "fatal", "PDF is encrypted"), ("revoked", "fatal", "revoked"),
    ("full", "retry", "No space left"), ("slow", "ok", "is there")])
def test_what_becomes_of_a_task(paperless, tmp_path, version, word, expected, text):
    document = Document(tmp_path, 500, unique(word))
    messages = deliver(document.task("paperless", at(paperless, version)))
    result = messages[-1]["result"]
    assert (result["class"], result["stage"]) == (expected, "follow") and text.lower() in result["text"].lower(), result
    if expected == "fatal":  # tried again by a person: the failed task does not count
        again = document.task("paperless", at(paperless, version), reserved_name=questions(messages)[0])
        assert result_of(again)["class"] == "fatal"
        assert len(form_of(paperless, document.name)) == 2


def test_a_task_that_does_not_end_is_asked_for_later(paperless, tmp_path):
    document = Document(tmp_path, 500, unique("never"))
    messages = deliver(document.task("paperless", paperless.settings(wait_s=1)))
    result = messages[-1]["result"]
    assert (result["class"], result["stage"]) == ("retry", "follow"), result
    again = document.task("paperless", paperless.settings(wait_s=1), reserved_name=questions(messages)[0])
    assert result_of(again)["class"] == "retry" and len(form_of(paperless, document.name)) == 1


@BOTH
def test_an_answer_that_is_lost(paperless, tmp_path, version):
    """The document was taken, but the connection broke before that was said."""
    for token, expected in (TOKEN, "retry"), (BLIND, "unknown"):
        document = Document(tmp_path, 500, unique("mute"))
        result = result_of(document.task("paperless", at(paperless, version, token=token)))
        assert (result["class"], result["stage"]) == (expected, "send"), result
        assert result["retry_after_s"] > 0 and result["cure"].endswith(".")
        wait_until(lambda d=document: count(paperless, d, version), "the document")
        if expected == "retry":
            assert "was there already" in result_of(document.task("paperless", at(paperless, version)))["text"]
        assert len(form_of(paperless, document.name)) == 1


# --- what goes with a document ---


def test_all_that_a_job_says(paperless, tmp_path):
    document = Document(tmp_path, 500, unique())
    options = {"title": " {job}: page {pages} ", "created": "{date:%Y-%m-%d}", "correspondent": "Ämter & Co, {device}",
               "document_type": "type {doc}", "storage_path": "archive", "create_missing": True,
               "tags": "INBOX, inbox , new {job},,Grüße"}
    result = result_of(document.task("paperless", paperless.settings(), options=options))
    assert result["class"] == "ok", result
    form, = form_of(paperless, document.name)
    assert form["title"] == "Letters: page 3" and form["created"] == "2026-11-22"
    assert form["storage_path"] == [1] and len(form["correspondent"]) == len(form["document_type"]) == 1
    assert form["tags"][:2] == [7, 8], "one that is written the same before one that differs in capitals"
    assert len(set(form["tags"])) == 4
    # The second time everything is there, and has the same numbers.
    other = Document(tmp_path, 500, unique())
    options["create_missing"] = False
    assert result_of(other.task("paperless", paperless.settings(), options=options))["class"] == "ok"
    again, = form_of(paperless, other.name)
    assert all(again[k] == form[k] for k in ("tags", "correspondent", "document_type"))


def test_without_options_nothing_goes_with_it(paperless, tmp_path):
    document = Document(tmp_path, 500, unique())
    assert result_of(document.task("paperless", paperless.settings()))["class"] == "ok"
    form, = form_of(paperless, document.name)
    assert form["title"] is form["created"] is None
    assert form["tags"] == form["correspondent"] == form["document_type"] == form["storage_path"] == []


@pytest.mark.parametrize("options, text", [
    ({"tags": "Inbox, nothing like it"}, 'no tag "nothing like it"'),
    ({"correspondent": "nobody"}, 'no correspondent "nobody"'),
    ({"document_type": "none"}, 'no document type "none"'),
    ({"storage_path": "none", "create_missing": True}, 'no storage path "none"'),
    ({"created": "{job}"}, '"Letters" is no date'),
    ({"tags": "x" * 200, "create_missing": True}, "128 characters"),
])
def test_what_a_job_may_not_say(paperless, tmp_path, options, text):
    document = Document(tmp_path, 500, unique())
    result = result_of(document.task("paperless", paperless.settings(), options=options))
    assert (result["class"], result["stage"]) == ("config", "locate") and text in result["text"], result
    assert not form_of(paperless, document.name)


def test_a_name_that_somebody_makes_meanwhile(paperless, tmp_path):
    document, tag = Document(tmp_path, 500, unique()), "raced " + os.urandom(4).hex()
    task = document.task("paperless", paperless.settings(), options={"tags": tag, "create_missing": True})
    assert result_of(task)["class"] == "ok"
    assert form_of(paperless, document.name)[0]["tags"][0] >= 1000


@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "semi;colon'quote.pdf", "-rf.pdf"])
def test_odd_names_arrive_as_they_are(paperless, tmp_path, name):
    document = Document(tmp_path, 500, name)
    result = result_of(document.task("paperless", paperless.settings()))
    assert result["class"] == "ok" and result["remote_name"] == name, result
    assert form_of(paperless, name) and count(paperless, document) == 1


def test_a_file_that_paperless_does_not_take(paperless, tmp_path):
    result = result_of(Document(tmp_path, 500, "scan.jpg").task("paperless", paperless.settings()))
    assert (result["class"], result["stage"]) == ("fatal", "send") and "not supported" in result["text"]


# --- who may what ---


def test_user_and_password(paperless, tmp_path):
    document = Document(tmp_path, 500, unique())
    settings = paperless.settings(token="", user="scan", password=PASSWORD)
    assert result_of(document.task("paperless", settings))["class"] == "ok"
    for change in {"token": "1" * 40}, {"password": "wrong"}, {"user": "nobody"}:
        result = result_of(document.task("paperless", dict(settings, **change)))
        assert (result["class"], result["stage"]) == ("auth", "login"), result


@pytest.mark.parametrize("change", [{}, {"token": "", "user": "scan", "password": PASSWORD}], ids=str)
def test_nothing_secret_goes_in_clear_unless_it_may(paperless, tmp_path, change):
    document = Document(tmp_path, 500, unique())
    settings = paperless.settings(url=f"http://127.0.0.1:{paperless.plain}/", **change)
    result = result_of(document.task("paperless", settings))
    assert (result["class"], result["stage"]) == ("config", "login"), result
    assert TOKEN not in str(result) and PASSWORD not in str(result)
    assert result_of(document.task("paperless", dict(settings, password_in_clear=True)))["class"] == "ok"


@pytest.mark.parametrize("token, expected, stage", [
    (READER, "config", "send"), (BLIND, "ok", "follow"), (TASKLESS, "ok", "follow"),
    (DROPPER, "unknown", "follow")])
def test_rights(paperless, tmp_path, token, expected, stage):
    document = Document(tmp_path, 500, unique())
    result = result_of(document.task("paperless", paperless.settings(token=token)))
    assert (result["class"], result["stage"]) == (expected, stage), result
    assert expected == "ok" or "right" in result["cure"]


def test_who_may_not_make_tags(paperless, tmp_path):
    options = {"tags": "never made", "create_missing": True}
    task = Document(tmp_path, 500, unique()).task("paperless", paperless.settings(token=SENDER), options=options)
    result = result_of(task)
    assert (result["class"], result["protocol_code"]) == ("config", 403) and "right" in result["cure"], result


@pytest.mark.parametrize("token, expected", [(TOKEN, "ok"), (READER, "config"), (TASKLESS, "ok"), ("0" * 40, "auth")])
def test_the_test_button(paperless, token, expected):
    task = {"type": "task", "id": "01ktest", "task": "test", "kind": "paperless",
            "settings": paperless.settings(token=token)}
    messages = deliver(task)
    assert messages[-1]["result"]["class"] == expected, messages
    assert expected != "ok" or messages[-2]["stage"] == "locate"


# --- other servers ---


def test_an_old_paperless_tells_no_task(paperless, tmp_path):
    document = Document(tmp_path, 500, unique())
    messages = deliver(document.task("paperless", paperless.settings(url=paperless.url("/old"))))
    assert messages[-1]["result"]["class"] == "ok" and not questions(messages)
    assert count(paperless, document) == 1


def test_a_server_that_does_not_filter_by_checksum(paperless, tmp_path):
    """It answers with some document, which is not ours."""
    assert result_of(Document(tmp_path, 500, unique()).task("paperless", paperless.settings()))["class"] == "ok"
    document = Document(tmp_path, 500, unique())
    assert result_of(document.task("paperless", paperless.settings(url=paperless.url("/unfiltered"))))["class"] == "ok"
    assert count(paperless, document) == 1


@pytest.mark.parametrize("path, expected", [
    ("/page", "config"), ("/moved", "config"), ("/api", "config"), ("/small", "fatal")])
def test_addresses_that_are_none(paperless, tmp_path, path, expected):
    result = result_of(Document(tmp_path, 5000, unique()).task("paperless", paperless.settings(url=paperless.url(path))))
    assert result["class"] == expected, result


def test_a_document_that_was_damaged_in_the_spool_is_not_sent(paperless, tmp_path):
    document = Document(tmp_path, 5000, unique())
    task = document.task("paperless", paperless.settings())
    with open(document.path, "r+b") as f:
        f.write(b"other")
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("fatal", "verify"), result
    assert not form_of(paperless, document.name)


def test_the_double_refuses_what_paperless_refuses(paperless):
    """By another client, so that what passes above passes because it is right."""
    def post(path, body, content_type, token=TOKEN):
        c = http.client.HTTPConnection("127.0.0.1", paperless.plain)
        c.request("POST", path, body, {"Content-Type": content_type, "Authorization": "Token " + token})
        answer = c.getresponse()
        return answer.status, answer.read().decode()

    def form(*members):
        parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}\r\n'
                        for name, more, content in members)
        return (parts + "--b--\r\n").encode()

    file = ("document", '; filename="x.pdf"', "%PDF-1.7 " + hashlib.sha256(os.urandom(8)).hexdigest())
    to, kind = "/api/documents/post_document/", "multipart/form-data; boundary=b"
    assert post(to, form(file), kind)[0] == 200
    assert post(to[:-1], form(file), kind)[0] == 404
    assert post(to, form(file), "application/json")[0] == 415
    assert post(to, form(file), kind, token="x")[0] == 401
    assert post(to, form(file), kind, token=READER)[0] == 403
    for member, words in [(("tags", "", "Inbox"), "Expected pk"), (("tags", "", "99999"), "Invalid pk"),
                          (("created", "", "22.11.2026"), "wrong format"), (("title", "", ""), "blank"),
                          (("job", "", "x"), "unknown")]:
        status, text = post(to, form(file, member), kind)
        assert status == 400 and words in text, text
    assert post(to, form(("title", "", "x")), kind)[0] == 400
    assert post("/api/tags/", b"name=x", "application/x-www-form-urlencoded")[0] == 415
    assert post("/api/tags/", b'{"name": "Inbox"}', "application/json")[0] == 400
