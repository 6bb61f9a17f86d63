"""What is special about printers: options, formats, passwords, whom it trusts, and never printing twice."""

import http.server
import os
import signal
import threading

import pytest

from delivering import LEAST_CURE, Document, deliver, new_id, result_of
from kind_printer import kept
from peer import FaultProxy, authority, free_ports, wait_until
from workers import DELIVER, Served, by_hand


@pytest.fixture
def printer(kinds):
    return kinds("printer")


@pytest.fixture(scope="module")
def simple(kinds):
    """A printer that takes JPEG only, prints on one side, and knows IPP 1.1; gives its address."""
    port, = free_ports(1)
    process = kinds("printer").peers.everywhere(port, "-V", "1.1", name="simple",
                                                formats="image/jpeg,image/urf")
    yield {"uri": f"ipp://127.0.0.1:{port}/ipp/print", "timeout_s": 3, "follow_s": 10}
    process.kill()


def marks(messages):
    return [m["name"].split("-")[0] for m in messages if m.get("question") == "name"]


def marks_whole(messages):
    return [m["name"] for m in messages if m.get("question") == "name"]


def printed(printer, queue="kept"):
    """Documents that a queue has printed."""
    return list(kept(printer.path("out/" + queue), "job-.*").values())


class Flag:
    """A file that is there during a block, which a printer looks for."""

    def __init__(self, *path):
        self.path = os.path.join(*path)

    def __enter__(self):
        with open(self.path, "w", encoding="ascii"):
            return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        if os.path.exists(self.path):
            os.remove(self.path)


# --- ways ---

@pytest.mark.parametrize("name", [
    "with blanks and 100% # ? &.pdf", "Grüße – 文書.pdf", "quote'\";`.pdf", "-rf.pdf", "ü" * 98 + ".pdf"])
def test_odd_names(printer, tmp_path, name):
    for settings in printer.settings(), printer.queue():
        document = Document(tmp_path, 1000, name)
        result = result_of(document.task("printer", settings))
        assert result["class"] == "ok" and result["remote_name"] == name, result
        everything = list(printer.files().values()) + printed(printer)
        assert everything.count(document.content) == 1


@pytest.mark.parametrize("uri", [
    "ipp://localhost:{ipp}/ipp/print", "ipps://localhost:{ipp}/ipp/print",
    "ipps://127.0.0.1:{ipp}/ipp/print", "ipp://127.0.0.1:{cups}/printers/kept",
    "ipps://localhost:{cups}/printers/kept"])
def test_addresses(printer, tmp_path, uri):
    document = Document(tmp_path, 2 << 20, "way.pdf")
    settings = printer.settings(uri=uri.format(ipp=printer.ipp, cups=printer.cups), tls_trust="ca",
                                tls_ca=authority().text("ca.pem"))
    result = result_of(document.task("printer", settings))
    assert result["class"] == "ok", result
    assert (list(printer.files().values()) + printed(printer)).count(document.content) == 1


def test_a_queue_of_a_cups_elsewhere(printer, tmp_path, monkeypatch):
    monkeypatch.setenv("CUPS_SERVER", f"127.0.0.1:{printer.cups}")
    document = Document(tmp_path, 1000)
    assert result_of(document.task("printer", printer.queue()))["class"] == "ok"
    assert printed(printer).count(document.content) == 1


@pytest.mark.parametrize("changes", [
    {"uri": ""}, {"uri": "http://localhost/ipp/print"}, {"uri": "ipp://"}, {"uri": "ipp:///ipp/print"},
    {"uri": "ipp://me:secret@localhost/ipp"}, {"uri": "ipp://localhost/a b"}, {"queue": "kept"},
    {"uri": "", "queue": "a/b"}, {"uri": "", "queue": "a#b"}], ids=str)
def test_what_is_no_address(printer, tmp_path, changes):
    result = result_of(Document(tmp_path, 10).task("printer", printer.settings(**changes)))
    assert (result["class"], result["stage"]) == ("config", "resolve"), result
    assert "ipps://" in result["cure"] and "secret" not in str(result)


class NoPrinter(http.server.BaseHTTPRequestHandler):
    answer = b""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("answer", [
    b"", b"<html>hello</html>", b"\x02\x00\x00\x00\x00\x00\x00\x01",
    b"\x02\x00\x00\x00\x00\x00\x00\x01\x01\x47\x00\x12attributes-charset\xff\xff"], ids=len)
def test_what_answers_is_no_printer(printer, tmp_path, answer):
    NoPrinter.answer = answer
    with http.server.HTTPServer(("127.0.0.1", 0), NoPrinter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        task = Document(tmp_path, 10).task("printer", printer.through(server.server_port))
        result = result_of(task)
        server.shutdown()
    assert (result["class"], result["stage"]) == ("config", "locate"), result
    assert "no printer" in result["text"]


# --- passwords and trust ---

@pytest.mark.parametrize("auth", ["basic", "digest"])
def test_passwords(printer, tmp_path, auth):
    document = Document(tmp_path, 100000, auth + ".pdf")
    result = result_of(document.task("printer", printer.with_password(auth)))
    assert result["class"] == "ok", result
    assert list(printer.files().values()).count(document.content) == 1
    wrong = result_of(document.task("printer", printer.with_password(auth, password="wrong")))
    assert (wrong["class"], wrong["stage"]) == ("auth", "login")
    none = result_of(document.task("printer", printer.with_password(auth, auth="none")))
    assert (none["class"], none["stage"]) == ("auth", "login")


def test_a_readable_password_needs_consent(printer, tmp_path):
    settings = printer.with_password("basic", password_in_clear=False)
    result = result_of(Document(tmp_path, 10).task("printer", settings))
    assert (result["class"], result["stage"]) == ("config", "login")


def requests_seen(printer):
    with open(printer.everywhere.log, encoding="utf-8", errors="replace") as f:
        return f.read().count(" POST ")


def tls_settings(printer, **changes):
    return printer.settings(uri=f"ipps://localhost:{printer.ipp}/ipp/print", **changes)


@pytest.mark.parametrize("changes", [
    {}, {"tls_trust": "ca", "tls_ca": "nothing"}, {"tls_trust": "pin"},
    {"tls_trust": "pin", "tls_pin": "sha256//" + "A" * 43 + "="},
    {"tls_trust": "first-use", "tls_pin": "sha256//" + "B" * 43 + "="}], ids=str)
def test_who_is_not_trusted_gets_not_one_request(printer, tmp_path, changes):
    before = requests_seen(printer)
    result = result_of(Document(tmp_path, 10).task("printer", tls_settings(printer, **changes)))
    assert (result["class"], result["stage"]) == ("config", "tls"), result
    assert requests_seen(printer) == before


def test_keys_that_are_trusted(printer, tmp_path):
    document = Document(tmp_path, 10, "trusted.pdf")
    pinned = tls_settings(printer, tls_trust="pin", tls_pin=authority().pin())
    assert result_of(document.task("printer", pinned))["class"] == "ok"
    first = tls_settings(printer, tls_trust="first-use")
    messages = deliver(document.task("printer", first))
    learn, = [m for m in messages if m.get("question") == "learn"]
    assert (learn["setting"], learn["value"]) == ("tls_pin", authority().pin())
    assert messages[-1]["result"]["class"] == "ok"
    before = requests_seen(printer)
    _, messages = by_hand(DELIVER, document.task("printer", first), "--answer", "stop")
    assert messages[-1]["result"]["stage"] == "tls" and requests_seen(printer) == before
    anybody = tls_settings(printer, tls_trust="insecure")
    assert result_of(document.task("printer", anybody))["class"] == "ok"


# --- what is printed, and how ---

def job_environment(printer):
    """What the printer knew of its last job."""
    with open(printer.path("job-environment"), encoding="utf-8") as f:
        return dict(v.split("=", 1) for v in f.read().split("\0")[:-1])


@pytest.mark.parametrize("options, seen, told", [
    ({}, {}, "printed as job"),
    ({"copies": 3, "sides": "two-sided-long-edge", "media": "A4", "color": "monochrome",
      "quality": "high"},
     {"IPP_COPIES": "3", "IPP_SIDES": "two-sided-long-edge", "IPP_MEDIA": "iso_a4_210x297mm",
      "IPP_PRINT_COLOR_MODE": "monochrome", "IPP_PRINT_QUALITY": "high"}, "printed as job"),
    ({"media": "Letter", "quality": "draft", "color": "auto"},
     {"IPP_MEDIA": "na_letter_8.5x11in", "IPP_PRINT_QUALITY": "draft",
      "IPP_PRINT_COLOR_MODE": "auto"}, "printed as job"),
    ({"media": "na_legal_8.5x14in", "color": "color"},
     {"IPP_MEDIA": "na_legal_8.5x14in", "IPP_PRINT_COLOR_MODE": "color"}, "printed as job"),
    ({"media": "A3"}, {"IPP_MEDIA": "na_legal_8.5x14in"}, "with media na_legal_8.5x14in instead"),
    ({"media": "A4", "scaling": "fit"}, {"IPP_PRINT_SCALING": None}, "without print-scaling fit"),
    ({"media": "papyrus"}, {"IPP_MEDIA": None}, "without media papyrus"),
], ids=str)
def test_options(printer, tmp_path, options, seen, told):
    result = result_of(Document(tmp_path, 10).task("printer", printer.settings(), options=options))
    assert result["class"] == "ok" and told in result["text"], result
    assert ("with" in told) == ("with" in result["text"]), result
    environment = job_environment(printer)
    assert {k: environment.get(k) for k in seen} == seen
    if not options:
        assert not {"IPP_COPIES", "IPP_SIDES", "IPP_MEDIA", "IPP_PRINT_QUALITY"} & set(environment)


def test_options_of_a_queue(printer, tmp_path):
    options = {"copies": 2, "sides": "two-sided-short-edge", "scaling": "fill", "media": "A4"}
    document = Document(tmp_path, 999)
    result = result_of(document.task("printer", printer.queue(), options=options))
    assert result["class"] == "ok", result
    number = next(n for n, c in kept(printer.path("out/kept"), "job-.*").items()
                  if c == document.content).split("-")[1]
    seen = read(printer.path("out/kept/options-" + number))
    assert "print-scaling=fill" in seen, (seen, result)


def test_the_nearest_or_nothing(printer, simple, tmp_path):
    document = Document(tmp_path, 10, "page.jpg")
    options = {"sides": "two-sided-short-edge"}
    near = result_of(document.task("printer", simple, options=options))
    assert near["class"] == "ok" and near["text"].endswith("with sides one-sided instead"), near
    assert job_environment(printer)["IPP_SIDES"] == "one-sided"
    for wanted in options, {"media": "papyrus"}:
        exact = result_of(document.task("printer", simple, options={**wanted, "exact": True}))
        assert (exact["class"], exact["stage"]) == ("config", "locate"), exact
        assert "lists: " in exact["text"] and len(exact["cure"]) >= LEAST_CURE


def test_formats(printer, simple, tmp_path):
    jpeg = Document(tmp_path, 5000, "page.jpg")
    assert result_of(jpeg.task("printer", simple))["class"] == "ok"
    assert jpeg.content in kept(printer.path("simple"), r".*\.jpg").values()
    result = result_of(Document(tmp_path, 10).task("printer", simple))
    assert (result["class"], result["stage"]) == ("config", "locate")
    assert "application/pdf" in result["text"] and "image/jpeg, image/urf" in result["text"]
    assert result_of(jpeg.task("printer", printer.settings()))["class"] == "ok"


def test_an_index_is_not_printed(printer, tmp_path):
    index = {"batch": {"started_at_ms": 1795338930000, "utc_offset_min": 60, "device": "Scanner",
                       "job": {"name": "Letters"}},
             "documents": [{"file_name": "a.pdf", "pages": 2, "size": 5, "sha256": "ab" * 32}]}
    before = requests_seen(printer)
    task = Document(tmp_path, 1, "list.csv").task("printer", printer.settings(), index=index)
    message, = deliver(task)
    assert message["result"]["class"] == "ok" and "not printed" in message["result"]["text"]
    assert requests_seen(printer) == before


def test_a_test_prints_nothing(printer, simple):
    before = len(printed(printer))
    for settings, takes in ((printer.settings(), "pdf"), (printer.queue(), "pdf"), (simple, "jpeg")):
        task = {"type": "task", "id": new_id(), "task": "test", "kind": "printer",
                "settings": settings}
        result = result_of(task)
        assert result["class"] == "ok" and takes in result["text"], result
    for settings in printer.queue("none"), printer.through(free_ports(1)[0]):
        assert result_of(dict(task, settings=settings))["class"] != "ok"
    assert len(printed(printer)) == before


# --- following ---

def test_paper_out_is_waited_for_and_printed_once(printer, tmp_path):
    document = Document(tmp_path, 3000, "paper.pdf")
    task = document.task("printer", printer.queue(follow_s=1))
    before = read(printer.path("error.log")).count("paper is out")
    with Flag(printer.path("out/kept"), "empty") as empty:
        messages = deliver(task)
        result = messages[-1]["result"]
        assert (result["class"], result["stage"]) == ("retry", "follow"), result
        assert marks(messages) == ["maybe"], "the mark stays: a repeat looks for the job"
        wait_until(lambda: read(printer.path("error.log")).count("paper is out") > before, "the printer to notice")
        again = dict(task, reserved_name=marks_whole(messages)[0])
        result = result_of(again)
        assert (result["class"], result["stage"]) == ("retry", "follow"), result
        assert "media-empty" in result["text"] and "paper" in result["cure"], result
        empty.remove()
    result = result_of(dict(again, settings=printer.queue()))
    assert result["class"] == "ok" and "earlier attempt" in result["text"], result
    assert printed(printer).count(document.content) == 1


def test_a_stopped_queue(printer, tmp_path):
    document = Document(tmp_path, 3000, "stopped.pdf")
    task = document.task("printer", printer.queue("stopped", follow_s=1))
    result = result_of(task)
    assert result["class"] == "retry" and "stopped" in result["cure"], result
    accepted = result_of(document.task("printer", printer.queue("stopped", follow_s=0)))
    assert accepted["class"] == "ok" and "not followed" in accepted["text"]
    # Somebody throws the job away meanwhile.
    again = dict(task, reserved_name="maybe-" + task["id"])
    printer.peers.admin("cancel", "-a", "stopped")
    messages = deliver(again)
    assert messages[-1]["result"]["class"] == "fatal" and "cancelled" in messages[-1]["result"]["text"]
    assert marks(messages) == [""], "a person may have it printed anew"


def test_an_aborted_job_is_told(printer, tmp_path):
    with Flag(printer.path("abort")):
        messages = deliver(Document(tmp_path, 10).task("printer", printer.settings()))
    result = messages[-1]["result"]
    assert (result["class"], result["stage"]) == ("fatal", "follow") and "aborted" in result["text"]
    assert marks(messages) == ["maybe", ""]


def test_a_queue_that_accepts_nothing(printer, tmp_path):
    printer.peers.queue("closed")
    printer.peers.admin("cupsreject", "closed")
    messages = deliver(Document(tmp_path, 10).task("printer", printer.queue("closed")))
    assert messages[-1]["result"]["class"] == "retry" and marks(messages) == []


# --- once, as far as it can be known ---

def test_killed_while_it_prints(printer, tmp_path):
    document = Document(tmp_path, 5000, "killed.pdf")
    task = document.task("printer", printer.queue())
    before = read(printer.path("error.log")).count("paper is out")
    with Flag(printer.path("out/kept"), "empty"), Served(DELIVER) as served:
        served.send(task)
        while (message := served.receive())["type"] != "question":
            pass
        served.send({"type": "answer", "id": task["id"], "answer": "go"})
        wait_until(lambda: read(printer.path("error.log")).count("paper is out") > before, "the job")
        served.process.kill()
        served.process.wait()
    result = result_of(dict(task, reserved_name=message["name"]))
    assert result["class"] == "ok" and "earlier attempt" in result["text"], result
    assert printed(printer).count(document.content) == 1


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def test_stop_prints_nothing(printer, tmp_path):
    before = len(printed(printer))
    _, messages = by_hand(DELIVER, Document(tmp_path, 10).task("printer", printer.queue()),
                          "--answer", "stop")
    assert messages[-1]["result"]["class"] == "retry" and len(printed(printer)) == before


def test_an_answer_that_was_lost(printer, tmp_path):
    """All of the document went, and nothing came back."""
    document = Document(tmp_path, 400000, "answer.pdf")
    uri = "ipp://127.0.0.1:{}/printers/kept"
    with FaultProxy(printer.folder, printer.cups, deaf=200000) as proxy:
        task = document.task("printer", printer.settings(uri=uri.format(proxy.port), timeout_s=1))
        messages = deliver(task)
    assert messages[-1]["result"]["class"] == "retry" and marks(messages) == ["maybe"], messages
    again = dict(task, reserved_name="maybe-" + task["id"],
                 settings=printer.settings(uri=uri.format(printer.cups)))
    result = result_of(again)
    assert result["class"] == "ok" and "earlier attempt" in result["text"], result
    assert printed(printer).count(document.content) == 1


def test_a_document_that_was_cut(printer, tmp_path):
    """The job is there, its document is not whole: it is printed anew."""
    for where, uri, port in (("queue", "ipp://127.0.0.1:{}/printers/kept", printer.cups),
                             ("printer", "ipp://127.0.0.1:{}/ipp/print", printer.ipp)):
        document = Document(tmp_path, 12 << 20, where + ".pdf")
        with FaultProxy(printer.folder, port, cut=200000) as proxy:
            task = document.task("printer", printer.settings(uri=uri.format(proxy.port)))
            messages = deliver(task)
        assert messages[-1]["result"]["class"] == "retry", messages
        assert marks(messages) == ["maybe", "unsent"]
        wait_until(printer.is_idle, "the end of the cut job")
        again = dict(task, reserved_name="unsent-" + task["id"],
                     settings=printer.settings(uri=uri.format(port)))
        result = result_of(again)
        assert result["class"] == "ok" and "earlier" not in result["text"], result
        both = printed(printer) + list(printer.files().values())
        assert both.count(document.content) == 1


def test_a_cut_that_was_not_noticed(printer, tmp_path):
    """So little is missing that it was all on its way."""
    for where, uri, port in (("queue", "ipp://127.0.0.1:{}/printers/kept", printer.cups),
                             ("printer", "ipp://127.0.0.1:{}/ipp/print", printer.ipp)):
        document = Document(tmp_path, 300000, where + "-2.pdf")
        with FaultProxy(printer.folder, port, cut=200000) as proxy:
            task = document.task("printer", printer.settings(uri=uri.format(proxy.port)))
            messages = deliver(task)
        assert messages[-1]["result"]["class"] == "retry", messages
        wait_until(printer.is_idle, "the end of the cut job")
        again = dict(task, reserved_name=marks_whole(messages)[-1],
                     settings=printer.settings(uri=uri.format(port)))
        result = result_of(again)
        assert result["class"] == "ok" and "earlier" not in result["text"], result
        assert (printed(printer) + list(printer.files().values())).count(document.content) == 1


def test_a_job_that_the_printer_forgot_is_unknown(printer, tmp_path):
    task = Document(tmp_path, 10, "forgotten.pdf").task("printer", printer.queue())
    before = len(printed(printer))
    messages = deliver(dict(task, reserved_name="maybe-" + task["id"]))
    result = messages[-1]["result"]
    assert result["class"] == "unknown" and "Look" in result["cure"], result
    assert marks(messages) == [""] and len(printed(printer)) == before
    # A person has looked, and wants it printed.
    assert result_of(task)["class"] == "ok" and len(printed(printer)) == before + 1


def test_a_printer_that_is_gone_while_it_prints(printer, tmp_path):
    """Its job is lost with it; nobody knows what came out."""
    document = Document(tmp_path, 5000, "gone.pdf")
    task = document.task("printer", printer.settings())
    with Flag(printer.path("wait")):
        def end_it():
            wait_until(lambda: document.content in printer.files().values(), "the document")
            printer.everywhere.signal(signal.SIGSTOP)
            printer.everywhere.kill()
        messages = deliver(task, meanwhile=end_it)
    result = messages[-1]["result"]
    printer.start()
    assert result["class"] == "retry" and result["stage"] in ("connect", "follow"), result
    assert marks(messages) == ["maybe"]
    result = result_of(dict(task, reserved_name="maybe-" + task["id"]))
    assert result["class"] == "unknown", result
