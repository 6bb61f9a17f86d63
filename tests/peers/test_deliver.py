"""platen-deliver: the dialogue, by hand and served, and what dies in the middle of it."""

import json
import os
import signal
import subprocess
import time

import pytest

import common
from workers import DELIVER, Served, by_hand, sha256

ID = "01k0000000000000000000000a"


@pytest.fixture
def world(tmp_path):
    """A document in a spool and an empty folder."""
    spool, folder = tmp_path / "spool", tmp_path / "folder"
    spool.mkdir()
    folder.mkdir()
    document = spool / "final.pdf"
    document.write_bytes(os.urandom(300000))

    def task(**more):
        return {"type": "task", "id": ID, "task": "deliver", "kind": "folder",
                "settings": {"path": str(folder)}, "reserved_name": None,
                "file": {"path": str(document), "size": document.stat().st_size,
                         "sha256": sha256(document), "name": "wanted.pdf"}, **more}

    return task, folder, document


def test_by_hand_the_answer_is_go(world):
    task, folder, document = world
    code, (question, result) = by_hand(DELIVER, task())
    assert code == 0
    assert question == {"type": "question", "id": ID, "question": "name", "name": "wanted.pdf"}
    assert result["type"] == "result" and result["id"] == ID
    receipt = result["result"]
    assert receipt["class"] == "ok"
    assert receipt["remote_name"] == "wanted.pdf" and receipt["sha256"] == sha256(document)
    assert (folder / "wanted.pdf").read_bytes() == document.read_bytes()


def test_stop_leaves_nothing(world):
    task, folder, _ = world
    code, (_, result) = by_hand(DELIVER, task(), "--answer", "stop")
    assert code == 1 and result["result"]["class"] == "retry"
    assert os.listdir(folder) == []


def last_result(task):
    code, messages = by_hand(DELIVER, task)
    assert code == 1
    return messages[-1]["result"]


@pytest.mark.parametrize("change, kind, text", [
    ({"kind": "pigeon"}, "config", "pigeon"),
    ({"settings": {}}, "config", "path"),
    ({"settings": {"path": "scans"}}, "config", "absolute"),
    ({"settings": {"path": "/nowhere"}}, "config", "/nowhere"),
    ({"settings": {"path": "/tmp", "pathh": "x"}}, "config", "pathh"),
    ({"settings": None}, "config", ""),
    ({"id": "../../etc/cron.d/x"}, "fatal", "id"),
    ({"id": ""}, "fatal", "id"),
    ({"reserved_name": "../x.pdf"}, "fatal", "reserved_name"),
    ({"file": {}}, "fatal", "path"),
    ({"file": {"path": "/tmp/../x", "size": 1, "sha256": "0" * 64, "name": "a"}}, "fatal", "path"),
    ({"file": {"path": "/x", "size": 1, "sha256": "0" * 64, "name": "a/b"}}, "fatal", "name"),
    ({"task": "read"}, "fatal", "read"),
])
def test_hostile_deliveries_are_refused(world, change, kind, text):
    task, folder, _ = world
    result = last_result(task(**change))
    assert result["class"] == kind and text in result["text"] and result["cure"]
    assert os.listdir(folder) == []


def test_deliveries_are_served_in_a_dialogue(world):
    task, folder, _ = world
    with Served(DELIVER) as deliver:
        for asked in (["wanted.pdf"], ["wanted.pdf", "wanted_2.pdf"]):
            deliver.send(task())
            for name in asked:
                assert deliver.receive()["name"] == name
                deliver.send({"type": "answer", "id": ID, "answer": "go"})
            assert deliver.receive()["result"]["remote_name"] == asked[-1]
        deliver.send(task())
        deliver.receive()
        deliver.send({"type": "answer", "id": "another", "answer": "go"})
        assert deliver.receive()["result"]["class"] == "retry"
        deliver.send({"type": "answer", "id": ID, "answer": "go"})
        assert deliver.receive()["type"] == "refused"
        deliver.socket.sendall(b"{nonsense\n")
        assert deliver.receive()["type"] == "refused"
        assert deliver.close() == 0
    assert sorted(os.listdir(folder)) == ["wanted.pdf", "wanted_2.pdf"]


def test_nothing_is_renamed_when_the_server_goes(world):
    task, folder, _ = world
    with Served(DELIVER) as deliver:
        deliver.send(task())
        deliver.receive()
        assert deliver.close() == 0
    assert os.listdir(folder) == []


def test_a_delivery_killed_before_the_answer_is_repeated_once(world):
    task, folder, document = world
    with Served(DELIVER) as deliver:
        deliver.send(task())
        name = deliver.receive()["name"]
        deliver.process.kill()
        deliver.process.wait()
    assert os.listdir(folder) == [f".platen-{ID}.part"]
    code, messages = by_hand(DELIVER, task(reserved_name=name))
    assert code == 0 and messages[-1]["result"]["remote_name"] == name
    code, messages = by_hand(DELIVER, task(reserved_name=name))
    assert code == 0 and len(messages) == 1  # done already: nothing is asked
    assert os.listdir(folder) == [name]
    assert (folder / name).read_bytes() == document.read_bytes()


def test_a_full_disk_is_said(world):
    """A file system of 1 MiB of its own, in a name space of its own."""
    task, folder, document = world
    document.write_bytes(os.urandom(2 << 20))
    # "unchanged": inside a chroot the root is no mount whose propagation could be set.
    script = f"mount -t tmpfs -o size=1m none {folder} && {DELIVER} --task -; umount {folder}"
    done = subprocess.run(["unshare", *common.UNSHARE_USER, "-m", "--propagation", "unchanged",
                           "sh", "-c", script],
                          stdout=subprocess.PIPE,
                          input=json.dumps(task()).encode(), check=False)
    result = json.loads(done.stdout.splitlines()[-1])["result"]
    assert result["class"] == "retry" and result["native_code"] == 28
    assert "room" in result["cure"]


def is_gone(pid):
    """No such process, or one that only waits to be collected."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_program_dies_with_its_parent(world):
    script = ("import os,socket,subprocess,sys,time\n"
              "a,b=socket.socketpair()\n"
              "p=subprocess.Popen([sys.argv[1],'--serve'],close_fds=False,"
              "preexec_fn=lambda: os.dup2(b.fileno(),3))\n"
              "print(p.pid,flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen(["/usr/bin/python3", "-c", script, DELIVER],
                          stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        os.kill(pid, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    common.wait_until(lambda: is_gone(pid), "platen-deliver to end with its parent")


def test_a_notification_needs_a_kind_that_reaches_people(world):
    task, folder, _ = world
    result = last_result(dict(task(), task="notify", options={}))
    assert result["class"] == "config" and "folder" in result["text"], result
    assert os.listdir(folder) == []


def test_descriptions_are_json():
    described = json.loads(subprocess.run([DELIVER, "--describe"], stdout=subprocess.PIPE,
                                          check=True).stdout)
    folder = described["destinations"][0]
    assert folder["name"] == "folder" and folder["renames"] and folder["exclusive"]
    assert folder["fields"][0]["name"] == "path" and folder["fields"][0]["required"]
