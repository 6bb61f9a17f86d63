"""Every kind of destination with every fault, against real servers.

The content is compared byte for byte, nothing temporary is left, and each failure names its stage and
a cure. docs/destination-faults.md is this table; a test compares it."""

import json
import os
import signal
import subprocess

import pytest

import delivering
from conftest import WORDS, kind_class
from delivering import LEAST_CURE, Document, result_of
from kind import FAULTS, SHORT_TIMEOUT_S
from workers import DELIVER, DELIVER_SMB, TOP, program_of

TABLE = os.path.join(TOP, "docs", "destination-faults.md")
CELLS = [(word, fault) for word in WORDS for fault in FAULTS if fault not in kind_class(word).without]


RENAMING = "folder ftp sftp smb webdav sharepoint sharepoint_online".split()


def name_of(word):
    return kind_class(word).name


@pytest.mark.parametrize("word", WORDS)
def test_right(kinds, word, tmp_path):
    kind = kinds(word)
    before = kind.files()
    for size in (1, 70000, 3 << 20):
        document = Document(tmp_path, size, f"right-{size}.pdf")
        result = result_of(document.task(kind.name, kind.settings(), options=kind.options()))
        assert result["class"] == "ok", result
        assert result["size_bytes"] == size
        new = {name: content for name, content in kind.files().items() if name not in before}
        assert list(new.values()).count(document.content) == 1
        before = kind.files()
    assert kind.temporary() == []


@pytest.mark.parametrize("word, fault", CELLS)
def test_fault(kinds, word, fault, tmp_path):
    kind, row = kinds(word), FAULTS[fault]
    document = Document(tmp_path, row.document_bytes, f"{fault}.pdf")
    with getattr(kind, fault)() as given:
        settings, meanwhile = given if isinstance(given, tuple) else (given, None)
        before = kind.files()
        short = {"timeout_s": SHORT_TIMEOUT_S} if fault == "hangs" and "timeout_s" in settings else {}
        task = document.task(kind.name, {**settings, **short}, options=kind.options())
        messages = delivering.deliver(task, seconds=row.seconds, meanwhile=meanwhile)
        result = messages[-1]["result"]
        classes, stages = kind.expects.get(fault, (row.classes, kind.stages.get(fault, row.stages)))
        assert result["class"] in classes.split(), result
        if classes != "ok":
            assert result["stage"] in stages.split(), result
            assert len(result["cure"]) >= LEAST_CURE and result["cure"].endswith("."), result
            assert len(result["text"]) >= LEAST_CURE, result
            if meanwhile is None:
                assert kind.files() == before, "nothing is seen of a delivery that failed"
                assert kind.temporary() == []
    if result["class"] in ("retry", "ok"):
        # The same delivery again, as the server repeats it, with the name it allowed: there is exactly one
        # file in the end.
        names = [m["name"] for m in messages if m.get("question") == "name"]
        if result["class"] == "retry" and fault != "disk_full":
            again = dict(task, reserved_name=names[-1] if names else None, settings=kind.through(kind.port()) if fault == "refuses" else
                         settings if meanwhile else kind.settings())
            second = result_of(again)
            assert second["class"] == "ok", second
        if fault != "disk_full":
            where = kind.files(settings[kind.place]) if meanwhile and kind.place in settings else \
                kind.files()
            assert list(where.values()).count(document.content) == 1
    assert kind.temporary() == []


@pytest.mark.parametrize("word", RENAMING)
def test_what_has_the_name_and_the_size_is_not_ours(kinds, word, tmp_path):
    """A name is proposed before anybody looks whether it is taken. Of an attempt that dies right then, the next one
    finds a file of that name and size, which is another document."""
    kind = kinds(word)
    first, second = (Document(tmp_path, 4000, f"same-{word}.pdf") for _ in range(2))
    assert result_of(first.task(kind.name, kind.settings(), options=kind.options()))["class"] == "ok"
    task = second.task(kind.name, kind.settings(), options=kind.options())
    died = subprocess.run([program_of(kind.name), "--task", "-"], input=json.dumps(task).encode(), check=False,
                          capture_output=True, env={**os.environ, "PLATEN_FAULT": "site.before-rename:1"})
    assert died.returncode == -signal.SIGKILL, died
    proposed = [json.loads(line).get("name") for line in died.stdout.splitlines() if b"question" in line]
    assert proposed == [first.name], "it looked before"
    # An attempt that is refused gives the name back before it tidies up, where only sizes are compared.
    refused = dict(task, reserved_name=first.name, options={**kind.options(), "same_name": "refuse"})
    messages = delivering.deliver(refused)
    assert messages[-1]["result"]["class"] == "fatal", messages
    assert [m["name"] for m in messages if m["type"] == "question"] == \
        [first.name, *([""] if word != "folder" else [])]
    assert kind.temporary() == []
    assert result_of(task)["class"] == "ok"
    contents = list(kind.files().values())
    assert contents.count(first.content) == contents.count(second.content) == 1


@pytest.mark.parametrize("word", WORDS)
def test_test_leaves_nothing(kinds, word):
    """The test button: stages in their order, nothing stays behind."""
    kind = kinds(word)
    before = kind.files()
    task = {"type": "task", "id": delivering.new_id(), "task": "test", "kind": kind.name,
            "settings": kind.settings()}
    messages = delivering.deliver(task)
    assert messages[-1]["result"]["class"] == "ok", messages
    stages = [m["stage"] for m in messages if m["type"] == "progress"]
    order = ["resolve", "connect", "tls", "login", "locate", "write", "verify", "rename", "remove",
             "send"]
    assert stages and stages == sorted(set(stages), key=order.index), stages
    assert kind.files() == before and kind.temporary() == []


def test_every_kind_has_its_file():
    kinds = [kind for program in (DELIVER, DELIVER_SMB)
             for kind in json.loads(subprocess.run([program, "--describe"], capture_output=True,
                                                   check=True).stdout)["destinations"]]
    described = {kind["name"]: kind["program"] for kind in kinds}
    assert {kind["name"] for kind in kinds if kind["renames"]} == {name_of(word) for word in RENAMING} | {"s3"}
    assert set(described) == {name_of(word) for word in WORDS}, "a kind without a row in this table"
    for name, program in described.items():
        assert os.path.basename(program_of(name)) == program


def table():
    """The table as the page has it."""
    lines = ["# Destinations and faults", "",
             "Each cell is a test against a real server, or a double where that is said (`tests/destinations`):",
             "**yes**, or the reason why there is no such thing. The page is written by",
             "`tests/destinations/write-table` and compared in every run.", ""]
    for word in WORDS:
        kind = kind_class(word)
        lines += [f"## {kind.name}", "", *([kind.double, ""] if kind.double else []),
                  "| fault | tried |", "|---|---|"]
        lines += ["| right: bytes compared, nothing left | yes |"]
        lines += [f"| {row.says} | {kind.without.get(row.name, 'yes')} |" for row in FAULTS.values()]
        lines += [""]
    return "\n".join(lines)


def test_the_page_is_the_table():
    with open(TABLE, encoding="utf-8") as f:
        assert f.read() == table(), "write it anew: tests/destinations/write-table"
