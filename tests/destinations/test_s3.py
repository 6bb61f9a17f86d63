"""What is special about S3: signatures, styles, regions, odd names, parts, conditions, rights."""

import hashlib
import os
import signal
import threading

import botocore.exceptions
import pytest

from delivering import Document, deliver, result_of
from peer import PASSWORD, authority, wait_until
from workers import DELIVER, Served


@pytest.fixture
def s3(kinds):
    return kinds("s3")


def unique(word="scan"):
    return f"{word}-{os.urandom(4).hex()}.pdf"


def kept_hash(head):
    """Swift writes names of metadata with capitals."""
    return {name.lower(): value for name, value in head["Metadata"].items()}["platen-sha256"]


def uploads_of(s3, name):
    return [key for key in s3.temporary() if key.endswith(name)]


def test_the_server_refuses_a_wrong_signature(s3):
    """Proof by an independent client that the peer looks at what it is given."""
    broken = []

    def spoil(request, **_):
        request.headers["Authorization"] = request.headers["Authorization"][:-1] + b"_"
        broken.append(request)

    s3.client.meta.events.register_last("before-send.s3.PutObject", spoil, unique_id="spoil")
    try:
        with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
            s3.client.put_object(Bucket="docs", Key="wrong", Body=b"x")
    finally:
        s3.client.meta.events.unregister("before-send.s3.PutObject", unique_id="spoil")
    assert broken and "wrong" not in s3.files()


@pytest.mark.parametrize("change, expected, stage", [
    ({"access_key": "test:nobody"}, "auth", "login"),
    ({"secret_key": ""}, "auth", "login"),
    ({"region": "us-east-1"}, "config", "login"),
    ({"bucket": "other-bucket"}, "config", "locate"),
    ({"bucket": "No_Bucket!"}, "config", "locate"),
    ({"storage_class": "NONE"}, "config", "write"),
    ({"prefix": "a/../b"}, "config", "locate"),
    ({"prefix": "a//b"}, "config", "locate"),
    ({"prefix": "p" * 1000, "bucket": "docs"}, "config", "locate"),
    ({"endpoint": "127.0.0.1"}, "config", "resolve"),
    ({"endpoint": "ftp://127.0.0.1"}, "config", "resolve"),
], ids=str)
def test_what_is_wrong_as_set_up(s3, tmp_path, change, expected, stage):
    document = Document(tmp_path, 100, unique())
    if len(change.get("prefix", "")) > 100:
        document.name = "n" * 196 + ".pdf"
    result = result_of(document.task("s3", s3.settings(**change)))
    assert (result["class"], result["stage"]) == (expected, stage), result
    assert PASSWORD not in str(result)


def test_an_endpoint_that_is_no_s3_server(s3, tmp_path):
    result = result_of(Document(tmp_path, 10).task("s3", s3.settings(endpoint=s3.endpoint() + "/info")))
    assert result["class"] == "config", result


@pytest.mark.parametrize("scheme, style, host", [
    ("http", "path", "127.0.0.1"), ("https", "path", "localhost"), ("https", "virtual", "localhost"),
    ("http", "virtual", "localhost")])
def test_ways_to_connect(s3, tmp_path, scheme, style, host):
    """The certificate does not know docs.localhost: its key does."""
    document = Document(tmp_path, 70000, unique("ü x"))
    settings = s3.settings(endpoint=s3.endpoint(scheme=scheme, host=host) + "/", style=style,
                           tls_trust="pin", tls_ca="", tls_pin=authority().pin(), prefix="/ways/")
    result = result_of(document.task("s3", settings))
    assert result["class"] == "ok", result
    assert s3.content("ways/" + document.name) == document.content


@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? & + = ;.pdf", "Grüße – 文書.pdf", "colon'quote\"double<>.pdf", "-rf", "~(a)[b]{c}*!$@,.pdf",
    "back\\slash.pdf", "%2F%41.pdf", "...pdf"])
def test_odd_names_arrive_as_they_are(s3, tmp_path, name):
    document = Document(tmp_path, 100, name)
    task = document.task("s3", s3.settings(prefix="odd ü/&"), options={"folder": "{job} + {date:%Y}"})
    result = result_of(task)
    assert result["class"] == "ok" and result["remote_name"] == name, result
    assert s3.content("odd ü/&/Letters + 2026/" + name) == document.content


def test_what_is_kept_with_an_object(s3, tmp_path):
    document = Document(tmp_path, 5000, unique())
    assert result_of(document.task("s3", s3.settings(storage_class="STANDARD")))["class"] == "ok"
    head = s3.client.head_object(Bucket="docs", Key=document.name)
    assert head["ContentType"] == "application/pdf"
    assert kept_hash(head) == hashlib.sha256(document.content).hexdigest()


@pytest.mark.parametrize("size", [5 << 20, (5 << 20) + 1, 10 << 20, (12 << 20) + 3])
@pytest.mark.parametrize("front", ["usual", "conditional"])
def test_parts(s3, tmp_path, size, front):
    document = Document(tmp_path, size, unique("parts"))
    result = result_of(document.task("s3", s3.settings(endpoint=s3.endpoint(front))))
    assert result["class"] == "ok", result
    head = s3.client.head_object(Bucket="docs", Key=document.name)
    parts = -(-size // (5 << 20))
    assert head["ETag"].endswith(f'-{parts}"') == (parts > 1)
    assert kept_hash(head) == hashlib.sha256(document.content).hexdigest()
    assert s3.content(document.name) == document.content and not uploads_of(s3, document.name)


def test_a_failed_upload_in_parts_is_ended(s3, tmp_path):
    """The spool loses the document while its parts are sent: nothing is seen, nothing stays."""
    document = Document(tmp_path, 12 << 20, unique("torn"))

    def meanwhile():
        s3.await_upload()
        os.truncate(document.path, 6 << 20)

    result = result_of(document.task("s3", s3.slowly()), meanwhile=meanwhile)
    assert (result["class"], result["stage"]) == ("fatal", "verify"), result
    assert document.name not in s3.files() and not uploads_of(s3, document.name)


def test_an_upload_that_could_not_be_ended_is_ended_by_the_next_attempt(s3, tmp_path):
    name = unique("left & <behind>")
    document = Document(tmp_path, 6 << 20, name)
    left = [s3.client.create_multipart_upload(Bucket="docs", Key=key)["UploadId"]
            for key in (name, name, name + ".other")]
    task = document.task("s3", s3.settings(), reserved_name=name)
    assert result_of(task)["class"] == "ok"
    assert uploads_of(s3, ".other") == [name + ".other"] and not uploads_of(s3, name)
    s3.client.abort_multipart_upload(Bucket="docs", Key=name + ".other", UploadId=left[2])


def test_an_etag_that_is_no_md5(s3, tmp_path):
    for size in 5000, 6 << 20:
        document = Document(tmp_path, size, unique("kms"))
        settings = s3.settings(endpoint=s3.endpoint("conditional"))
        result = result_of(document.task("s3", settings))
        assert (result["class"], result["stage"]) == ("retry", "verify") and "etag_is_md5" in result["cure"], result
        assert not uploads_of(s3, document.name)
    document = Document(tmp_path, 5000, unique("kms"))
    assert result_of(document.task("s3", dict(settings, etag_is_md5=False)))["class"] == "ok"
    assert s3.content(document.name) == document.content


def test_a_worker_that_is_killed_leaves_nothing_once_it_is_repeated(s3, tmp_path):
    document = Document(tmp_path, 12 << 20, unique("killed"))
    task = document.task("s3", s3.slowly())
    with Served(DELIVER) as program:
        program.send(task)
        while program.receive()["type"] != "question":
            pass
        program.send({"type": "answer", "id": task["id"], "answer": "go"})
        s3.await_upload()
        program.process.kill()
    assert uploads_of(s3, document.name) == [document.name] and document.name not in s3.files()
    result = result_of(dict(task, settings=s3.settings(), reserved_name=document.name))
    assert result["class"] == "ok" and result["remote_name"] == document.name, result
    assert s3.content(document.name) == document.content and not uploads_of(s3, document.name)


def test_a_damaged_document_is_not_sent(s3, tmp_path):
    for size in 5000, 6 << 20:
        document = Document(tmp_path, size, unique("damaged"))
        task = document.task("s3", s3.settings())
        with open(document.path, "r+b") as f:
            f.write(b"other")
        result = result_of(task)
        assert (result["class"], result["stage"]) == ("fatal", "verify"), result
        assert document.name not in s3.files() and not uploads_of(s3, document.name)


@pytest.mark.parametrize("front", ["usual", "conditional"])
def test_taken_names(s3, tmp_path, front):
    name, settings = unique("taken"), s3.settings(endpoint=s3.endpoint(front))
    second_name = name.replace(".pdf", "_2.pdf")
    first, second, third = (Document(tmp_path, 100 + i, name) for i in range(3))
    assert result_of(first.task("s3", settings))["remote_name"] == name
    assert result_of(second.task("s3", settings))["remote_name"] == second_name
    assert s3.content(name) == first.content and s3.content(second_name) == second.content
    refuse = result_of(third.task("s3", settings, options={"same_name": "refuse"}))
    assert refuse["class"] == "fatal" and s3.content(name) == first.content
    over = result_of(third.task("s3", settings, options={"same_name": "overwrite"}))
    assert over["remote_name"] == name and s3.content(name) == third.content


def test_a_reserved_name_that_is_there_is_done(s3, tmp_path):
    document = Document(tmp_path, 5000, unique("again"))
    assert result_of(document.task("s3", s3.settings()))["class"] == "ok"
    messages = deliver(document.task("s3", s3.settings(), reserved_name=document.name))
    assert messages[-1]["result"]["class"] == "ok"
    assert not [m for m in messages if m["type"] == "question"]
    other = Document(tmp_path, 5000, document.name)
    result = result_of(other.task("s3", s3.settings(), reserved_name=document.name))
    assert result["remote_name"] == document.name.replace(".pdf", "_2.pdf"), "of the same size, but not ours"
    assert s3.content(document.name) == document.content


# --- an access key that may only write ---


def writer(s3, front="usual", **changes):
    return s3.settings(endpoint=s3.endpoint(front), bucket="drop", access_key="test:writer", **changes)


def test_who_may_not_look_relies_on_the_condition(s3, tmp_path):
    name = unique("blind")
    one, two = Document(tmp_path, 100, name), Document(tmp_path, 101, name)
    assert result_of(one.task("s3", writer(s3, "conditional")))["remote_name"] == name
    result = result_of(two.task("s3", writer(s3, "conditional")))
    assert result["remote_name"] == name.replace(".pdf", "_2.pdf"), result
    refuse = result_of(two.task("s3", writer(s3, "conditional"), options={"same_name": "refuse"}))
    assert refuse["class"] == "fatal"
    assert s3.content(name, "drop") == one.content


def test_who_may_not_look_is_held_where_there_is_no_condition(s3, tmp_path):
    document = Document(tmp_path, 100, unique("blind"))
    result = result_of(document.task("s3", writer(s3)))
    assert result["class"] == "config" and "overwrite" in result["cure"], result
    over = result_of(document.task("s3", writer(s3), options={"same_name": "overwrite"}))
    assert over["class"] == "ok" and s3.content(document.name, "drop") == document.content


def test_a_lost_answer_is_uncertain_only_for_who_may_not_look(s3, tmp_path):
    """The server stops after it has all and before it answers."""
    for settings, expected in (s3.settings(timeout_s=1), "retry"), (writer(s3, timeout_s=1), "unknown"):
        document = Document(tmp_path, 1000, unique("lost"))
        front = s3.fronts["conditional"]
        settings = dict(settings, endpoint=s3.endpoint("conditional"))

        def stop(front=front, name=document.name):
            log = os.path.join(front.folder, "nginx-access.log")
            wait_until(lambda: name in open(log, encoding="ascii").read(), "the first look")
            s3.swift.signal(signal.SIGSTOP)

        thread = threading.Thread(target=stop)
        thread.start()
        try:
            result = answered_late(document.task("s3", settings), thread)
        finally:
            thread.join()
            s3.swift.signal(signal.SIGCONT)
        assert result["class"] == expected, result
        assert result["cure"].endswith(".")


def answered_late(task, stopped):
    """One delivery whose question about the name is answered when the server has stopped."""
    with Served(DELIVER) as program:
        program.send(task)
        while True:
            message = program.receive()
            if message["type"] == "question":
                stopped.join()
                program.send({"type": "answer", "id": task["id"], "answer": "go"})
            if message["type"] == "result":
                return message["result"]
