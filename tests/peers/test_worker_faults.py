"""Every fault point of the workers: killed there, asked again, the end is as if nothing had been.

Needs a build with fault points (tools/build gcc-debug). The points are found in the sources."""

import os
import re

import pytest

from workers import DELIVER, TOP, WORKER, Served, make_page, page_of, result_of, sha256

ID = "01k0000000000000000000000a"


def points_in(folder):
    found = set()
    for name in sorted(os.listdir(os.path.join(TOP, "src", folder))):
        with open(os.path.join(TOP, "src", folder, name), encoding="utf-8") as f:
            found.update(re.findall(r'fault_point\("([^"]+)"\)', f.read()))
    return sorted(found)


DELIVER_POINTS = [p for p in points_in("worker") if p.startswith("deliver.")] + points_in("destination")
WORKER_POINTS = [p for p in points_in("worker") if not p.startswith("deliver.")]


def tasks(folder):
    page = page_of(folder / "p0001a.jpg", 1)
    at = {"created_ms": 1795338930000, "started_at_ms": 1795338930000, "utc_offset_min": 0}
    base = {"type": "task", "folder": str(folder)}
    return [
        {**base, "id": "read", "task": "read", "page": page, "thumbnail": "t0001a.jpg"},
        {**base, "id": "plan", "task": "plan", "pages": [page],
         "batch": {**at, "device": "d", "job": {"name": "j", "file_format": "pdf", "index": "csv",
                                                "file_name": "x"}}},
        {**base, **at, "id": "write", "task": "write", "scan_dpi": 300,
         "document": {"number": 1, "name": "x.pdf", "format": "pdf", "title": "", "pages": [page]}},
        {**base, "id": "index", "task": "write-index", "index": {"name": "x.csv"},
         "documents": [{"file_name": "x.pdf", "pages": 1, "size": 1, "sha256": "0" * 64}],
         "batch": {**at, "device": "d", "job": {"name": "j"}}},
    ]


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_a_task_killed_at_a_point_is_repeated(tmp_path, point):
    make_page(tmp_path / "p0001a.jpg", 1, "100x140")
    crashes = 0
    for task in tasks(tmp_path):
        with Served(WORKER, PLATEN_FAULT=f"{point}:1") as worker:
            worker.send(task)
            message = worker.receive()
            if point == "worker.task-done":  # the parent itself, after the answer
                assert message["ok"] and worker.receive() is None
                crashes += 1
            elif message["type"] == "crashed":
                assert message["signal"] == 9
                crashes += 1
        for name in os.listdir(tmp_path / "out") if (tmp_path / "out").exists() else []:
            if not name.endswith(".part"):  # what has its name is whole
                assert (tmp_path / "out" / name).stat().st_size > 50
        assert result_of(WORKER, task)["ok"]
    assert crashes >= 1, f"{point} was not visited: is this a build with fault points?"
    assert sorted(os.listdir(tmp_path / "out")) == ["x.csv", "x.pdf"]
    assert (tmp_path / "t0001a.jpg").exists()


def deliver(task, point):
    """One attempt; the name it was allowed to use, and its result or None when it died."""
    reserved = task["reserved_name"]
    with Served(DELIVER, **({"PLATEN_FAULT": f"{point}:1"} if point else {})) as program:
        program.send(task)
        while True:
            try:
                message = program.receive()
            except ConnectionResetError:
                message = None
            if message is None or message["type"] == "result":
                return reserved, message and message["result"]
            reserved = message["name"]
            try:
                program.send({"type": "answer", "id": ID, "answer": "go"})
            except BrokenPipeError:
                return reserved, None


@pytest.mark.parametrize("point", DELIVER_POINTS)
def test_a_delivery_killed_at_a_point_is_delivered_once(tmp_path, point):
    document, folder = tmp_path / "x.pdf", tmp_path / "folder"
    document.write_bytes(os.urandom(100000))
    folder.mkdir()
    task = {"type": "task", "id": ID, "task": "deliver", "kind": "folder",
            "settings": {"path": str(folder)}, "reserved_name": None,
            "file": {"path": str(document), "size": 100000, "sha256": sha256(document),
                     "name": "x.pdf"}}
    reserved, result = deliver(task, point)
    assert result is None, f"{point} was not visited: is this a build with fault points?"
    for name in os.listdir(folder):
        if not name.startswith("."):
            assert (folder / name).read_bytes() == document.read_bytes()
    _, result = deliver({**task, "reserved_name": reserved}, None)
    assert result["class"] == "ok" and result["remote_name"] == "x.pdf"
    assert os.listdir(folder) == ["x.pdf"]
