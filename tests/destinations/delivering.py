"""delivering.py - one delivery by platen-deliver, as the server would ask for it."""

import hashlib
import itertools
import json
import os
import subprocess
import threading
import time

from workers import Served, program_of

_ids = itertools.count(1)
LEAST_CURE = 15  # characters of a sentence that helps


def new_id():
    return f"01k{next(_ids):023d}"


class Document:
    """Bytes in a spool."""

    def __init__(self, folder, size, name="scan.pdf"):
        self.name, self.content = name, os.urandom(size)
        self.path = os.path.join(folder, "document-" + new_id())
        with open(self.path, "wb") as f:
            f.write(self.content)

    def task(self, kind, settings, **more):
        return {"type": "task", "id": new_id(), "task": "deliver", "kind": kind, "settings": settings,
                "options": {}, "reserved_name": None,
                "facts": {"job": "Letters", "device": "Scanner", "started_at_ms": 1795338930000,
                          "utc_offset_min": 60, "document": 1, "pages": 3},
                "file": {"path": self.path, "size": len(self.content), "name": self.name,
                         "sha256": hashlib.sha256(self.content).hexdigest()}, **more}


def deliver(task, seconds=30, meanwhile=None, launcher=()):
    """All messages of one task by hand; every question is answered go. meanwhile: runs beside it; launcher:
    words before the command."""
    process = subprocess.Popen([*launcher, program_of(task["kind"]), "--task", "-"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    beside = threading.Thread(target=meanwhile) if meanwhile else None
    if beside:
        beside.start()
    begun = time.monotonic()
    try:
        out, err = process.communicate(json.dumps(task).encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"no result within {seconds} s") from None
    finally:
        if beside:
            beside.join()
    messages = [json.loads(line) for line in out.splitlines()]
    assert messages and messages[-1]["type"] == "result", (out, err, time.monotonic() - begun)
    assert b"ERROR" not in err and b"runtime error" not in err, err.decode()
    return messages


def result_of(*args, **more):
    return deliver(*args, **more)[-1]["result"]


def dialogue(program, task, answer=lambda question: "go"):
    """All messages of one task of a served program; answer: gives the words for a question, "go" or "stop"."""
    program.send(task)
    messages = []
    while not messages or messages[-1]["type"] != "result":
        messages.append(program.receive())
        if messages[-1]["type"] == "question":
            program.send({"type": "answer", "id": task["id"], "answer": answer(messages[-1])})
    return messages


def answered(task, answer):
    """The same with a program of its own."""
    with Served(program_of(task["kind"])) as served:
        return dialogue(served, task, answer)
