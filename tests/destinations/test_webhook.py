"""What is special about webhooks: signature, repetition, facts, headers, log-ins, and what answers mean."""

import re
import socket
import threading
import time

import pytest

from delivering import Document, deliver, result_of
from peer import PASSWORD, USER, FaultProxy
from webhook_receiver import SECRET, signature_fits


@pytest.fixture
def hook(kinds):
    return kinds("webhook")


def of(hook, task):
    """What the receiver took of a delivery."""
    return [r for r in hook.requests() if r["facts"]["delivery"] == task["id"]]


def sent(hook, tmp_path, settings=None, name="scan.pdf", size=5000, **more):
    """One delivery that is taken: what the receiver saw of it."""
    task = Document(tmp_path, size, name).task("webhook", settings or hook.settings(), **more)
    result = result_of(task)
    assert result["class"] == "ok", result
    assert (result["remote_name"], result["size_bytes"]) == (name, size)
    return of(hook, task)[-1]


def test_the_function_of_the_manual_refuses_what_differs():
    """Its own vector, made with openssl: printf '1795338930.body' | openssl dgst -sha256 -hmac key."""
    right = {"Platen-Timestamp": "1795338930", "Platen-Signature":
             "sha256=c48b787a0c0e32de9f45c7097e249c6870756aa08bcd8711414716c442cff31b"}
    ever = float("inf")
    assert signature_fits("key", right, [b"bo", b"dy"], ever)
    assert not signature_fits("key", right, [b"body"], abs(time.time() - 1795338930) - 10)
    assert not signature_fits("kez", right, [b"body"], ever)
    assert not signature_fits("key", right, [b"bodz"], ever)
    assert not signature_fits("key", {**right, "Platen-Timestamp": "1795338931"}, [b"body"], ever)
    assert not signature_fits("key", {**right, "Platen-Timestamp": "x"}, [b"body"], ever)
    assert not signature_fits("key", {}, [b"body"], ever)


@pytest.mark.parametrize("secret", ["another secret", ""])
def test_the_receiver_refuses_another_signature(hook, tmp_path, secret):
    document = Document(tmp_path, 70000)
    result = result_of(document.task("webhook", hook.settings(secret=secret)))
    assert (result["class"], result["stage"], result["protocol_code"]) == ("fatal", "send", 400)
    assert SECRET not in str(result) and document.content not in hook.files().values()


def test_the_facts(hook, tmp_path):
    seen = sent(hook, tmp_path, size=70000, options={"fields": "department = {job} of {device}\n\n"
                                                               " day=20{date:%y}\nsign = a = b"})
    facts = seen["facts"]
    assert facts["fields"] == {"department": "Letters of Scanner", "day": "2026", "sign": "a = b"}
    assert {k: facts[k] for k in ("event", "job", "device", "started_at", "document", "pages")} == {
        "event": "delivery", "job": "Letters", "device": "Scanner", "document": 1, "pages": 3,
        "started_at": "2026-11-22T10:15:30.000+01:00"}
    assert facts["file"]["size"] == 70000 and facts["file"]["media_type"] == "application/pdf"
    assert seen["parts"] == ["facts", "file"]


def test_names_of_the_parts(hook, tmp_path):
    seen = sent(hook, tmp_path, hook.settings(facts_part="meta data", file_part="document"))
    assert seen["parts"] == ["meta data", "document"]


@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "semi;colon'quote\"double.pdf", "-rf",
    "a" * 196 + ".jpg"])
def test_odd_names_arrive_as_they_are(hook, tmp_path, name):
    assert sent(hook, tmp_path, name=name)["facts"]["file"]["name"] == name


def test_a_large_file_arrives_with_its_length(hook, tmp_path):
    seen = sent(hook, tmp_path, size=40 << 20)
    assert int(seen["headers"]["Content-Length"]) > 40 << 20


def test_a_repeated_delivery_is_the_same_request_and_is_stored_once(hook, tmp_path):
    document = Document(tmp_path, 5000)
    task = document.task("webhook", hook.settings())
    for _ in range(2):
        assert result_of(task)["class"] == "ok"
    one, two = of(hook, task)
    assert one["headers"]["Idempotency-Key"] == two["headers"]["Idempotency-Key"] == f'"{task["id"]}"'
    assert one["body"] == two["body"] and one["facts"] == two["facts"]
    assert list(hook.files().values()).count(document.content) == 1


def test_an_answer_that_is_lost_is_asked_for_again(hook, tmp_path):
    """Everything was sent and taken, but the answer comes after our patience."""
    document = Document(tmp_path, 5000)
    with FaultProxy(hook.folder, hook.port(), late=4000) as proxy:
        task = document.task("webhook", dict(hook.through(proxy.port), timeout_s=1))
        result = result_of(task)
        assert result["class"] == "retry", result
    assert result_of(dict(task, settings=hook.settings()))["class"] == "ok"
    assert list(hook.files().values()).count(document.content) == 1


def test_a_test_is_marked_and_not_stored(hook):
    before = hook.files()
    task = {"type": "task", "id": "01ktest", "task": "test", "kind": "webhook", "settings": hook.settings()}
    messages = deliver(task)
    assert messages[-1]["result"]["class"] == "ok", messages
    assert [m["stage"] for m in messages if m["type"] == "progress"] == ["resolve", "connect", "tls", "send"]
    assert hook.requests()[-1]["headers"]["Platen-Event"] == "test" and hook.files() == before


def test_further_headers(hook, tmp_path):
    seen = sent(hook, tmp_path, hook.settings(headers="X-Api-Key: a:b c\n\n X-Two:2\n"))
    assert seen["headers"]["X-Api-Key"] == "a:b c" and seen["headers"]["X-Two"] == "2"


@pytest.mark.parametrize("headers", [
    "no colon", "X-Empty:", ": value", "Content-Length: 5", "transfer-encoding: chunked", "Platen-Event: x",
    "Idempotency-Key: x", "X Two: 2", "X-Ü: 2", "Host: elsewhere"])
def test_headers_that_cannot_be_sent(hook, tmp_path, headers):
    settings = hook.settings(headers="X-Key: s3cret\n" + headers)
    result = result_of(Document(tmp_path, 10).task("webhook", settings))
    assert (result["class"], result["stage"]) == ("config", "send") and "line 2" in result["text"], result
    assert "s3cret" not in str(result)


def test_nothing_secret_goes_in_clear_unless_it_may(hook, tmp_path):
    document, url = Document(tmp_path, 10), f"http://127.0.0.1:{hook.plain}"
    for change in ({"headers": "X-Key: 1"},
                   {"auth": "basic", "user": USER, "password": PASSWORD}):
        settings = hook.settings(url=url + "/hook", **change)
        result = result_of(document.task("webhook", settings))
        assert (result["class"], result["stage"]) == ("config", "login"), result
        assert result_of(document.task("webhook", dict(settings, password_in_clear=True)))["class"] == "ok"
    assert result_of(document.task("webhook", hook.settings(url=url + "/hook")))["class"] == "ok"


@pytest.mark.parametrize("auth", ["basic", "digest", "bearer"])
def test_log_ins(hook, tmp_path, auth):
    settings = hook.settings(url=hook.url("/" + auth), auth=auth, user="" if auth == "bearer" else USER,
                             password=PASSWORD)
    sent(hook, tmp_path, settings, size=300000)
    result = result_of(Document(tmp_path, 300000).task("webhook", dict(settings, password="wrong")))
    assert (result["class"], result["stage"]) == ("auth", "login"), result


@pytest.mark.parametrize("status, expected", [
    (400, "fatal"), (401, "auth"), (403, "config"), (404, "fatal"), (405, "fatal"), (408, "retry"),
    (409, "fatal"), (410, "fatal"), (413, "fatal"), (422, "fatal"), (423, "fatal"), (425, "retry"),
    (426, "fatal"), (428, "fatal"), (429, "retry"), (451, "fatal"), (500, "retry"), (502, "retry"),
    (503, "retry"), (507, "retry"), (302, "config")])
def test_what_answers_mean(hook, tmp_path, status, expected):
    settings = hook.settings(url=hook.url(f"/status/{status}"))
    result = result_of(Document(tmp_path, 10).task("webhook", settings))
    assert (result["class"], result["protocol_code"]) == (expected, status), result
    assert result["retry_after_s"] == (7 if status in (429, 503) else 0)
    assert result["cure"].endswith(".") and f": HTTP/1.1 {status} " in result["text"]


@pytest.mark.parametrize("accepted, status, expected", [
    ("200-299", 202, "ok"), ("200, 202", 202, "ok"), ("200", 202, "config"), ("200-299,409", 409, "ok"),
    ("201", 503, "retry"), ("200 - 204 , 418", 418, "ok")])
def test_statuses_that_are_accepted(hook, tmp_path, accepted, status, expected):
    settings = hook.settings(url=hook.url(f"/status/{status}"), accepted=accepted)
    assert result_of(Document(tmp_path, 10).task("webhook", settings))["class"] == expected


@pytest.mark.parametrize("accepted", ["all", "199", "300-200", "200-", "200,,201", "200-600", ",".join(["200"] * 17)])
def test_statuses_that_are_none(hook, tmp_path, accepted):
    result = result_of(Document(tmp_path, 10).task("webhook", hook.settings(accepted=accepted)))
    assert result["class"] == "config" and "202" in result["cure"], result


@pytest.mark.parametrize("fields", ["no sign", "= x", "x =", "x = " + "y" * 200 + "{job}" * 30])
def test_fields_that_are_none(hook, tmp_path, fields):
    expected = "ok" if fields.startswith("x = ") else "config"
    result = result_of(Document(tmp_path, 10).task("webhook", hook.settings(), options={"fields": fields}))
    assert result["class"] == expected, result


def test_a_redirect_is_told_and_not_followed(hook, tmp_path):
    document = Document(tmp_path, 10)
    result = result_of(document.task("webhook", hook.settings(url=hook.url("/redirect"))))
    assert result["class"] == "config" and "redirects" in result["cure"], result
    assert document.content not in hook.files().values()


@pytest.mark.parametrize("status, accepted, expected", [
    (202, "202", "retry"), (401, "200", "auth"), (422, "200", "fatal"), (500, "200", "retry")])
def test_an_answer_that_breaks_off(hook, tmp_path, status, accepted, expected):
    """A refusal counts all the same, a success does not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            client, _ = server.accept()
            with client, client.makefile("rb") as stream:
                head = b"".join(iter(stream.readline, b"\r\n")).decode()
                stream.read(int(re.search(r"Content-Length: (\d+)", head)[1]))
                client.sendall(f"HTTP/1.1 {status} Odd\r\nContent-Length: 100\r\n\r\nbroken".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        settings = hook.settings(url=f"http://127.0.0.1:{server.getsockname()[1]}/", accepted=accepted)
        result = result_of(Document(tmp_path, 10).task("webhook", settings))
        thread.join()
    assert (result["class"], result["protocol_code"]) == (expected, status), result
    assert result["cure"].endswith("."), result


def test_a_server_in_front_may_refuse_or_miss_the_receiver(hook, tmp_path):
    for path, expected, code in ("/small", "fatal", 413), ("/nobody", "retry", 502):
        result = result_of(Document(tmp_path, 200000).task("webhook", hook.settings(url=hook.url(path))))
        assert (result["class"], result["protocol_code"]) == (expected, code), result


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "127.0.0.1/x", "https://"])
def test_addresses_that_are_none(hook, tmp_path, url):
    result = result_of(Document(tmp_path, 10).task("webhook", hook.settings(url=url)))
    assert result["class"] == "config", result


def test_a_document_that_was_damaged_in_the_spool_is_not_sent(hook, tmp_path):
    document = Document(tmp_path, 5000)
    task = document.task("webhook", hook.settings())
    with open(document.path, "r+b") as f:
        f.write(b"other")
    result = result_of(task)
    assert (result["class"], result["stage"]) == ("fatal", "verify") and not of(hook, task), result
