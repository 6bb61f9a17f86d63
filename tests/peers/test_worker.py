"""platen-worker: by hand and served, with honest and with hostile tasks. What it writes is judged by
programs that are not ours: qpdf, poppler, ImageMagick."""

import csv
import json
import os
import shutil
import signal
import subprocess

import pytest

import common
from workers import (WORKER, Served, by_hand, make_page, page_of, result_of, sha256)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return [make_page(folder / "p0001a.jpg", 1),
            make_page(folder / "p0002a.jpg", 2, "877x620", 75, "-colorspace", "Gray"),
            make_page(folder / "p0003a.jpg", 3, "200x100", 100, "-colorspace", "CMYK")]


@pytest.fixture
def batch(tmp_path, pages):
    """A batch's folder with three pages."""
    folder = tmp_path / "batch"
    folder.mkdir()
    for page in pages:
        shutil.copy(page, folder)
    return folder


def page_in(batch, number, **more):
    return page_of(batch / f"p{number:04}a.jpg", number, **more)


def read_task(batch, **page):
    return {"type": "task", "id": "t1", "task": "read", "folder": str(batch),
            "page": {**page_in(batch, 1), **page}, "thumbnail": "t0001a.jpg"}


def write_task(batch, name="scan.pdf", numbers=(1, 2, 3), **document):
    return {"type": "task", "id": "t2", "task": "write", "folder": str(batch), "scan_dpi": 300,
            "created_ms": 1795338930000, "utc_offset_min": 60,
            "document": {"number": 1, "name": name, "format": "pdf", "title": "Rechnung Ä",
                         "pages": [page_in(batch, n) for n in numbers], **document}}


def identify(path, what):
    return subprocess.run(["identify", "-format", what, str(path)], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


# --- read


def test_read_tells_facts_and_makes_a_thumbnail(batch):
    result = result_of(WORKER, read_task(batch))
    assert result["type"] == "result" and result["id"] == "t1" and result["ok"]
    assert result["facts"] == {"width_px": 620, "height_px": 877, "dpi": 75, "components": 3,
                               "thumbnail": "t0001a.jpg"}
    assert identify(batch / "t0001a.jpg", "%m %w %h") == "JPEG 180 256"


def test_a_page_that_is_not_what_was_stored_is_refused(batch):
    result = result_of(WORKER, read_task(batch, sha256="0" * 64))
    assert result["error"]["kind"] == "permanent" and "damaged" in result["error"]["text"]
    assert result["error"]["remedy"]
    result = result_of(WORKER, read_task(batch, size=5))
    assert not result["ok"]


def test_a_cut_page_is_read_with_a_warning(batch):
    path = batch / "p0001a.jpg"
    os.truncate(path, path.stat().st_size // 2)
    result = result_of(WORKER, read_task(batch))
    assert result["ok"] and "damaged" in result["facts"]["warning"]
    assert (batch / "t0001a.jpg").exists()


@pytest.mark.parametrize("content, text", [
    (b"", "ends within its headers"),
    (b"%PDF-1.7", "not a JPEG"),
    (b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x11\x00\x02\x11\x01\x03\x11\x01", "65535 x 65535"),
    (b"\xff\xd8\xff\xda\x00\x08", "no frame header"),
])
def test_a_page_that_is_no_picture_is_named(batch, content, text):
    (batch / "p0001a.jpg").write_bytes(content)
    result = result_of(WORKER, read_task(batch))
    assert not result["ok"] and text in result["error"]["text"]
    assert result["error"]["kind"] == "bad-input"


def test_a_picture_without_pixels_passes_with_a_warning(batch):
    """Its headers are sound, what follows is not: it is delivered, the person is told."""
    head = (batch / "p0001a.jpg").read_bytes()[:600]
    (batch / "p0001a.jpg").write_bytes(head)
    result = result_of(WORKER, read_task(batch))
    assert result["ok"] and result["facts"]["width_px"] == 620 and result["facts"]["warning"]


@pytest.mark.parametrize("change", [
    {"page": {"file": "../p0001a.jpg"}},
    {"page": {"file": "/etc/passwd"}},
    {"page": {"file": ".."}},
    {"page": {"file": ""}},
    {"page": {"size": -1}},
    {"page": {"size": 1.5}},
    {"page": {"size": 10 ** 18}},
    {"page": {"sha256": "xyz"}},
    {"page": "p0001a.jpg"},
    {"thumbnail": "../t.jpg"},
    {"thumbnail": None},
    {"folder": "batch"},
    {"folder": "/tmp/../etc"},
    {"folder": "/nowhere/at/all"},
    {"folder": None},
    {"task": "format-disk"},
    {"task": 5},
])
def test_hostile_tasks_are_refused(batch, change):
    task = read_task(batch)
    if isinstance(change.get("page"), dict):
        task["page"].update(change["page"])
    else:
        task.update(change)
    before = sorted(os.listdir(batch))
    result = result_of(WORKER, task)
    assert not result["ok"] and result["error"]["text"]
    assert sorted(os.listdir(batch)) == before


def test_a_link_out_of_the_folder_is_not_followed(batch):
    os.unlink(batch / "p0001a.jpg")
    os.symlink("/etc/passwd", batch / "p0001a.jpg")
    result = result_of(WORKER, read_task(batch, size=1, sha256="0" * 64))
    assert not result["ok"] and "passwd" not in json.dumps(result)


def test_a_folder_that_is_a_link_out_is_closed_by_landlock(batch):
    """out -> elsewhere: the name is allowed, the kernel says no."""
    elsewhere = batch.parent / "elsewhere"
    elsewhere.mkdir()
    os.symlink(elsewhere, batch / "out")
    result = result_of(WORKER, write_task(batch))
    assert not result["ok"]
    assert os.listdir(elsewhere) == []


# --- plan


def plan_task(**job):
    return {"type": "task", "id": "p", "task": "plan",
            "batch": {"id": "b", "started_at_ms": 1795338930000, "utc_offset_min": 60,
                      "device": "WF-C5890",
                      "job": {"name": "Invoices", "file_format": "pdf", "index": "csv",
                              "file_name": "{date}_{time}_{seq:3}", "dpi": 300, **job}},
            "pages": [{"number": n, "side": "A", "file": f"p{n:04}a.jpg", "size": 1,
                       "sha256": "0" * 64, "width_px": 1, "height_px": 1, "dpi": 300}
                      for n in (2, 1, 3)]}


def test_a_plan_is_made(batch):
    result = result_of(WORKER, plan_task())
    assert result["documents"] == [{"number": 1, "name": "20261122_101530_{seq:3}",
                                    "extension": "pdf", "pages": [1, 2, 3], "fields": {}}]
    assert result["index"] == {"name": "20261122_101530_{seq:3}", "extension": "csv"}
    result = result_of(WORKER, plan_task(file_format="jpeg", file_name="{job}", index="none"))
    assert [d["name"] for d in result["documents"]] == ["Invoices", "Invoices_2", "Invoices_3"]
    assert result["index"] is None


def test_a_plan_puts_the_last_sheet_first(batch):
    task = plan_task(file_format="jpeg", file_name="{job}")
    task["batch"]["pages_reversed"] = True
    task["pages"] = [{"number": n, "side": "BA"[n % 2]} for n in (3, 4, 1, 2, 5, 6)]
    planned = result_of(WORKER, task)["documents"]
    assert [d["pages"] for d in planned] == [[5], [6], [3], [4], [1], [2]]
    assert [d["name"] for d in planned][:2] == ["Invoices", "Invoices_2"]
    task["batch"]["job"]["file_format"] = "pdf"
    assert result_of(WORKER, task)["documents"][0]["pages"] == [5, 6, 3, 4, 1, 2]


def test_a_wrong_pattern_is_named(batch):
    error = result_of(WORKER, plan_task(file_name="{dat}"))["error"]
    assert error["field"] == "file_name" and error["remedy"] == "Did you mean {date}?"
    assert "docx" in result_of(WORKER, plan_task(file_format="docx"))["error"]["text"]


def test_ten_thousand_pages_are_planned_in_seconds():
    task = plan_task(file_format="jpeg")
    task["pages"] = [{"number": n, "side": "A"} for n in range(10000, 0, -1)]
    result = result_of(WORKER, task)
    assert len(result["documents"]) == 10000 and result["documents"][9999]["pages"] == [10000]


# --- write


def test_a_pdf_holds_the_pages_untouched(batch, tmp_path):
    result = result_of(WORKER, write_task(batch))
    pdf = batch / "out" / "scan.pdf"
    assert result["file"] == "out/scan.pdf"
    assert result["size"] == pdf.stat().st_size and result["sha256"] == sha256(pdf)
    assert os.listdir(batch / "out") == ["scan.pdf"]
    check = subprocess.run(["qpdf", "--check", str(pdf)], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
    assert check.returncode == 0, check.stdout
    info = subprocess.run(["pdfinfo", str(pdf)], check=True, stdout=subprocess.PIPE).stdout.decode()
    assert "Rechnung Ä" in info and "Pages:           3" in info
    subprocess.run(["pdfimages", "-j", str(pdf), str(tmp_path / "x")], check=True)
    for number in (1, 2, 3):
        raw = subprocess.run(["pdfimages", "-all", "-f", str(number), "-l", str(number), str(pdf),
                              str(tmp_path / f"page{number}")], check=True)
        assert raw.returncode == 0
        found = (tmp_path / f"page{number}-000.jpg").read_bytes()
        assert found == (batch / f"p{number:04}a.jpg").read_bytes()
    sizes = subprocess.run(["pdfinfo", "-f", "1", "-l", "3", str(pdf)], check=True,
                           stdout=subprocess.PIPE).stdout.decode()
    assert "595.2 x 841.92" in sizes and "841.92 x 595.2" in sizes and "144 x 72" in sizes


def test_cmyk_is_shown_in_its_colours(batch, tmp_path):
    """White paper stays white: Adobe's inverted CMYK is declared."""
    result_of(WORKER, write_task(batch, numbers=(3,)))
    subprocess.run(["pdftoppm", "-png", "-r", "72", str(batch / "out" / "scan.pdf"),
                    str(tmp_path / "seen")], check=True)
    seen = [f for f in os.listdir(tmp_path) if f.startswith("seen")][0]
    assert float(identify(tmp_path / seen, "%[fx:mean]")) > 0.8


def test_the_same_task_gives_the_same_bytes(batch):
    first = result_of(WORKER, write_task(batch))["sha256"]
    assert result_of(WORKER, write_task(batch))["sha256"] == first
    assert result_of(WORKER, write_task(batch, numbers=(2, 1)))["sha256"] != first


def test_a_jpeg_file_is_the_page(batch):
    result = result_of(WORKER, write_task(batch, "p.jpg", (2,), format="jpeg"))
    assert result["sha256"] == sha256(batch / "p0002a.jpg")
    result = result_of(WORKER, write_task(batch, "p.jpg", (1, 2), format="jpeg"))
    assert not result["ok"] and "one page only" in result["error"]["text"]


def test_a_damaged_page_stops_the_document(batch):
    task = write_task(batch)
    with open(batch / "p0002a.jpg", "r+b") as f:
        f.seek(5000)
        f.write(b"???")
    result = result_of(WORKER, task)
    assert "page 2: page is damaged" in result["error"]["text"]
    assert not (batch / "out" / "scan.pdf").exists()


@pytest.mark.parametrize("document", [
    {"name": "../scan.pdf"}, {"name": "a/b.pdf"}, {"name": ""}, {"name": "x" * 201 + ".pdf"},
    {"format": "docx"}, {"pages": []}, {"pages": "all"}, {"pages": [{}]}, {"pages": [None]},
])
def test_hostile_documents_are_refused(batch, document):
    result = result_of(WORKER, write_task(batch, **document))
    assert not result["ok"] and result["error"]["kind"] == "bad-input"
    assert not [f for f in os.listdir(batch.parent) if f.endswith(".pdf")]


def test_the_index_is_written(batch):
    rows = [{"file_name": "ä, 1.pdf", "pages": 3, "size": 1234, "sha256": "a" * 64},
            {"file_name": "=2.pdf", "pages": 1, "size": 99, "sha256": "b" * 64}]
    result = result_of(WORKER, {
        "type": "task", "id": "i", "task": "write-index", "folder": str(batch),
        "index": {"name": "scan.csv"}, "documents": rows,
        "batch": {"id": "b", "started_at_ms": 1795338930000, "utc_offset_min": 60,
                  "device": "WF", "job": {"name": "In \"voices\""}}})
    assert result["file"] == "out/scan.csv" and result["sha256"] == sha256(batch / "out/scan.csv")
    with open(batch / "out" / "scan.csv", encoding="utf-8", newline="") as f:
        lines = list(csv.DictReader(f))
    assert lines[0] == {"file_name": "ä, 1.pdf", "job": "In \"voices\"", "date": "2026-11-22",
                        "time": "10:15:30", "device": "WF", "pages": "3", "size_bytes": "1234",
                        "sha256": "a" * 64}
    assert lines[1]["file_name"] == "'=2.pdf"


# --- serving


def test_tasks_are_served_one_after_the_other(batch):
    with Served(WORKER) as worker:
        for number in range(3):  # the second and third wait in the socket
            worker.send({**read_task(batch), "id": f"r{number}"})
        worker.send({"type": "task", "id": "bad", "task": "nonsense"})
        worker.socket.sendall(b"this is no JSON\n")
        worker.send(write_task(batch))
        got = [worker.receive() for _ in range(6)]
        assert [m["id"] for m in got] == ["r0", "r1", "r2", "bad", "", "t2"]
        assert [m["ok"] for m in got] == [True, True, True, False, False, True]
        assert worker.close() == 0


def slow_task(batch, seconds=20):
    """A task that waits: its page is a pipe nobody writes to would hang open(2); here it is a large
    document, written again and again until we have seen enough."""
    page = page_in(batch, 1)
    return {**write_task(batch), "limit_ms": seconds * 1000,
            "document": {"number": 1, "name": "slow.pdf", "format": "pdf", "title": "",
                         "pages": [page] * 10000}}


def wait_for(condition):
    return common.wait_until(condition, "it", pause_s=0.005)


def test_a_killed_child_is_reported_and_the_next_task_works(batch):
    with Served(WORKER) as worker:
        worker.send(slow_task(batch))
        os.kill(wait_for(worker.children)[0], signal.SIGKILL)
        message = worker.receive()
        assert message["type"] == "crashed" and message["task"] == "t2"
        assert message["signal"] == signal.SIGKILL and "died" in message["text"]
        assert not (batch / "out" / "slow.pdf").exists()
        worker.send(read_task(batch))
        assert worker.receive()["ok"]


def test_a_task_that_takes_too_long_is_ended(batch):
    with Served(WORKER) as worker:
        worker.send({**slow_task(batch), "limit_ms": 50})
        message = worker.receive()
        assert message["type"] == "crashed" and "time limit" in message["text"]
        worker.send(read_task(batch))
        assert worker.receive()["ok"]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_die_with_their_parent(batch):
    with Served(WORKER) as worker:
        worker.send(slow_task(batch))
        child = wait_for(worker.children)[0]
        worker.process.kill()
        worker.process.wait()
        wait_for(lambda: not is_alive(child))


def test_the_worker_ends_when_the_server_goes(batch):
    with Served(WORKER) as worker:
        worker.send(slow_task(batch))
        child = wait_for(worker.children)[0]
        assert worker.close() == 0
        assert not is_alive(child)


def test_serving_needs_a_socket():
    done = subprocess.run([WORKER, "--serve"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"descriptor 3" in done.stderr


def test_wrong_use_is_explained():
    for arguments in ([], ["--nonsense"], ["--task"], ["--serve", "now"]):
        done = subprocess.run([WORKER, *arguments], stderr=subprocess.PIPE, check=False)
        assert done.returncode == 2 and b"usage:" in done.stderr
    assert subprocess.run([WORKER, "--help"], stdout=subprocess.PIPE, check=True).stdout
    code, messages = by_hand(WORKER, ["no", "object"])
    assert code == 1 and (not messages or not messages[0]["ok"])


def test_descriptions_are_json():
    described = json.loads(subprocess.run([WORKER, "--describe"], stdout=subprocess.PIPE,
                                          check=True).stdout)
    assert described["tasks"] == ["read", "plan", "write", "write-index"]
    assert [f["name"] for f in described["formats"]] == ["pdf", "jpeg", "tiff"]
    report = json.loads(subprocess.run([WORKER, "--sandbox-report"], stdout=subprocess.PIPE,
                                       check=True).stdout)
    assert report["network_closed"] and report["files_closed"] == (report["landlock"] > 0)


# --- compose


def compose(*arguments, cwd, **more):
    return subprocess.run([WORKER, "compose", *map(str, arguments)], cwd=cwd, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def test_pictures_are_composed_without_a_server(batch):
    done = compose("p0001a.jpg", "p0002a.jpg", "-o", "both.pdf", "--title", "Ä", cwd=batch)
    assert done.returncode == 0 and done.stderr == b""
    subprocess.run(["qpdf", "--check", str(batch / "both.pdf")], check=True,
                   stdout=subprocess.PIPE)
    assert not (batch / "both.pdf.part").exists()
    listed = compose("--list", "-", "-o", "listed.pdf", "--title", "Ä", cwd=batch,
                     input=b"p0001a.jpg\np0002a.jpg\n")
    assert listed.returncode == 0
    assert (batch / "listed.pdf").stat().st_size == (batch / "both.pdf").stat().st_size
    (batch / "names").write_text("p0002a.jpg\n")
    assert compose("--list", "names", "-o", "x.pdf", "p0001a.jpg", cwd=batch).returncode == 0


def test_the_page_tree_is_read_by_others(batch):
    """2,000 pages: three levels of the tree; poppler and qpdf find the last page."""
    names = "\n".join(["p0003a.jpg"] * 1999 + ["p0002a.jpg"])
    assert compose("--list", "-", "-o", "long.pdf", cwd=batch,
                   input=names.encode()).returncode == 0
    info = subprocess.run(["pdfinfo", "-f", "2000", "-l", "2000", "long.pdf"], cwd=batch, check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    assert "Pages:           2000" in info and "Page 2000 size:  841.92 x 595.2" in info
    subprocess.run(["qpdf", "--check", "long.pdf"], cwd=batch, check=True, stdout=subprocess.PIPE)


@pytest.mark.parametrize("arguments, code, text", [
    (["p0001a.jpg"], 2, "-o"),
    (["-o", "x.pdf"], 2, "which pictures"),
    (["-o", "x.pdf", "--dpi", "5", "p0001a.jpg"], 2, "--dpi"),
    (["-o", "x.pdf", "--format", "docx", "p0001a.jpg"], 2, "docx"),
    (["-o", "x.pdf", "--nonsense", "p0001a.jpg"], 2, "unknown option"),
    (["-o", "x.pdf", "missing.jpg"], 1, "missing.jpg: No such file"),
    (["-o", "x.pdf", "/dev/null"], 1, "not a file"),
    (["-o", "x.pdf", "notes.txt"], 1, "not a JPEG"),
    (["-o", "nowhere/x.pdf", "p0001a.jpg"], 1, "nowhere"),
    (["-o", "x.jpg", "--format", "jpeg", "p0001a.jpg", "p0002a.jpg"], 1, "one page only"),
    (["-o", "x.pdf", "--list", "missing"], 1, "missing"),
])
def test_what_cannot_be_composed_is_named(batch, arguments, code, text):
    (batch / "notes.txt").write_text("just text")
    done = compose(*arguments, cwd=batch)
    assert done.returncode == code and text in done.stderr.decode()
    assert not [f for f in os.listdir(batch) if f.startswith("x.")]
