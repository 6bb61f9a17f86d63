"""test_warnings.py - what a device says that is no error: named in the batch, its events, the log and at the device,
with what to do. The device is not of our making."""

import glob
import json
import os
import re

import pytest

import common
import scan_bench
from served import running

ADDRESSES = scan_bench.addresses(12000)
STATUS = {  # tokens of STAT: (word, what the text has, what the remedy has)
    b"#GLSDIRT": ("glass-dirty", "glass", "lines in the pages"),
    b"#BATLOW ": ("battery-low", "battery", "Charge"),
    b"#WRNADF CLN ": ("cleaning-needed", "(feeder)", "rollers"),
    b"#WRNFB  CLN ": ("cleaning-needed", "(flatbed)", "rollers"),
    b"#WRNADF ROL ": ("device-warning", "(feeder, ROL)", "panel"),
}
BESIDE = {  # tokens in the reply to IMG
    b"#dfiDFED": ("double-feed-noticed", "two sheets", "Compare"),
    b"#docCRST": ("carrier-sheet", "carrier sheet", ""),
    b"#docBLNK": ("blank-page", "blank", ""),
    b"#docMONO": ("page-without-color", "colour", ""),
    b"#sus": ("feeding-suspended", "paused", "panel"),
}


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 3, 320, 440)]


def scan(house, pages, **manner):
    return scan_bench.Scan(house, next(ADDRESSES), pages, **manner)


def events_of(house, bench, kind):
    status, answer = house.api("GET", "/api/v1/events?limit=1000")
    assert status == 200, answer
    return [e for e in answer["items"] if e["kind"] == kind and e.get("device") == bench.id]


def head_file(bench, batch):
    """The notes in batch.json of the batch's folder."""
    pages, _ = bench.stored(batch)
    assert pages
    path, = glob.glob(os.path.join(bench.house.spool, "**", batch["id"], "batch.json"), recursive=True)
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [line["notes"] for line in lines if "notes" in line][-1]


@pytest.mark.parametrize("tokens", STATUS, ids=lambda t: t.decode().strip())
def test_what_a_status_warns_of(house, small, tokens):
    """The scan is none the worse; the device shows the warning until a scan is without it."""
    word, text, remedy = STATUS[tokens]
    with scan(house, small, status=tokens) as bench:
        batch = bench.run()
        assert (batch["state"], batch["pages"]) == ("done", 3)
        note, = [n for n in batch["notes"] if "warning" in n]
        assert note["warning"] == word and text in note["text"] and remedy in note["remedy"]
        assert "page" not in note and "setting" not in note
        assert re.search(rf"scan.warned .*batch={batch['id']} warning={word} page=0 ", house.log_text())
        assert house.show("device", "show", bench.id)["warnings"] == [note]
        assert [e["text"] for e in events_of(house, bench, "device.warning")] == [
            f"{word}: {note['text']} {note['remedy']}"]
        assert house.platen("device", "set", bench.id, "--jobs-by", "auto").stderr == ""  # no word about that
        assert note in head_file(bench, batch)
        bench.run()  # it is known now
        assert len(events_of(house, bench, "device.warning")) == 1
        bench.device.manner.status = b""
        batch = bench.run()
        assert not [n for n in batch.get("notes", []) if "warning" in n]
        assert house.show("device", "show", bench.id)["warnings"] == []
        bench.device.manner.status = tokens
        bench.run()
        assert len(events_of(house, bench, "device.warning")) == 2


@pytest.mark.parametrize("tokens", BESIDE, ids=lambda t: t.decode())
def test_what_is_said_beside_a_page(house, small, tokens):
    """The page stays, the note names it; it says nothing about the device."""
    word, text, remedy = BESIDE[tokens]
    with scan(house, small, beside={2: tokens}) as bench:
        batch = bench.run()
        assert (batch["state"], batch["pages"]) == ("done", 3)
        note, = [n for n in batch["notes"] if "warning" in n]
        assert (note["warning"], note["page"]) == (word, 2)
        assert text in note["text"] and remedy in note.get("remedy", "")
        assert bench.stored(batch)[1] == small
        assert house.show("device", "show", bench.id)["warnings"] == []
        assert events_of(house, bench, "device.warning") == []


def test_what_is_said_between_pages_is_of_none(house, small):
    """Before, between and behind pages: the note is there once, and names no page that is not meant."""
    with scan(house, small, between=b"#dfiDFED") as bench:
        batch = bench.run()
        assert (batch["state"], batch["pages"]) == ("done", 3)
        note, = [n for n in batch["notes"] if "warning" in n]
        assert note["warning"] == "double-feed-noticed" and "page" not in note
        assert bench.stored(batch)[1] == small
        # It is over with the scan: the device does not go on warning of it.
        assert house.show("device", "show", bench.id)["warnings"] == []
        assert events_of(house, bench, "device.warning") == []


def test_sides_are_told_apart(house, small):
    """In a sheet whose sides come in turn the back is meant when the back's block says so."""
    house.cli("job", "set", "Scan", "--sides", "two")
    with scan(house, small[:2], two_sided=True, in_turn=True, block_max=4000, beside={2: b"#docBLNK"}) as bench:
        batch = bench.run()
        assert [(n["warning"], n["page"]) for n in batch["notes"] if "warning" in n] == [("blank-page", 2)]
    house.cli("job", "set", "Scan", "--sides", "one")


def test_all_at_once_and_in_a_scan_that_fails(house, small):
    """Several at the same time, in each page; what came before a fault is not forgotten."""
    status = b"".join(STATUS)
    beside = {n: b"#docBLNK#dfiDFED" for n in (1, 2, 3)}
    with scan(house, small, status=status, beside=beside, fault="jam") as bench:
        batch = bench.run()
        assert batch["reason"]["code"] == "paper-jam"
        said = [(n["warning"], n.get("page")) for n in batch["notes"] if "warning" in n]
        assert sorted(s for s in said if s[1] is None) == sorted((w, None) for w, _, _ in STATUS.values())
        assert [s for s in said if s[1]] == [("blank-page", 1), ("double-feed-noticed", 1)]
        assert len(house.show("device", "show", bench.id)["warnings"]) == len(STATUS)


def test_events_reach_the_batch(house, small):
    """What the panel says in between is an event of the batch, however often it is said."""
    with scan(house, small, notices=True, events={"TRDT": [4], "FIN": [0x66]}) as bench:
        batch = bench.run()
        assert (batch["state"], batch["pages"]) == ("done", 3)
        status, answer = house.api("GET", f"/api/v1/events?batch={batch['id']}")
        assert status == 200
        said = [(e["text"], e["device"]) for e in answer["items"] if e["kind"] == "scan.notice"]
        assert {"start", "stop", "unknown"} <= {text for text, _ in said} and len(said) <= 16
        assert {device for _, device in said} == {bench.id}


@pytest.mark.parametrize("event,word", [(0x80, "time-out"), (0xa0, "rejected"), (0x02, "disconnect"), (0x03, "cancel")])
def test_events_that_end_a_scan_reach_the_batch_too(house, small, event, word):
    with scan(house, small, events={"CAPA": [event]}) as bench:
        batch = bench.run()
        _, answer = house.api("GET", f"/api/v1/events?batch={batch['id']}")
        assert [e["text"] for e in answer["items"] if e["kind"] == "scan.notice"] == [word]
