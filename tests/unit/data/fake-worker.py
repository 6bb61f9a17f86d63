#!/usr/bin/python3
"""A worker for test-queue: speaks the protocol of platen-worker and platen-deliver on descriptor 3
and does what the task's batch or settings tell it: behave = ok | hang | die | refuse | garbage |
clash (two documents of one number) | program (tells its own name beside each delivered one) |
release (asks for a name and gives it back) | dead (notes each attempt and fails) | pieces (a document for each
page) | locked (a mail: the password is refused) | slow (lives long and says so). A page whose hash begins with d
is damaged, with e half dark. Tasks of the reader and the composer are appended to the file that PLATEN_TEST_TASKS
names."""
import json
import os
import signal
import socket
import sys
import time

ALIVE_MESSAGES, ALIVE_SECONDS = 12, 0.2

sock = socket.socket(fileno=3)
lines = sock.makefile("r", encoding="utf-8")


def send(message):
    sock.sendall((json.dumps(message) + "\n").encode())


def behave(task):
    return task.get("settings", {}).get("behave") or \
        task.get("batch", {}).get("job", {}).get("name", "ok")


def result(task):
    kind = task["task"]
    if kind == "read" and task["page"]["sha256"][0] == "d":
        return {"ok": False, "error": {"kind": "bad-input", "field": "page", "text": "no picture"}}
    if kind == "read":
        facts = {"width_px": 8, "height_px": 8, "dpi": 300, "components": 3,
                 "thumbnail": task["thumbnail"]}
        if task["page"]["sha256"][0] == "e":
            facts["warning"] = "half dark"
        return {"ok": True, "facts": facts}
    if kind == "plan":
        pages = [p["number"] for p in task["pages"]]
        document = {"number": 1, "name": "doc_{seq:3}", "extension": "pdf", "pages": pages}
        if behave(task) == "pieces":
            documents = [{**document, "number": n, "pages": [n]} for n in pages]
        else:
            documents = [document] * (2 if behave(task) == "clash" else 1)
        return {"ok": True, "documents": documents,
                "index": {"name": "doc_{seq:3}", "extension": "csv"}}
    return {"ok": True, "size": 3, "sha256": "ab" * 32}


def ask(task, name):
    send({"type": "question", "id": task["id"], "question": "name", "name": name})
    return json.loads(lines.readline())["answer"] == "go"


def deliver(task):
    name = task["reserved_name"] or task["file"]["name"]
    went = ask(task, name)
    if behave(task) == "release":
        went = went and ask(task, "")
        return {"class": "config" if went else "fatal", "stage": "locate", "text": "given back"}
    if not went:
        return {"class": "retry", "stage": "rename", "text": "told to stop", "cure": "Wait."}
    with open(task["settings"]["log"], "a", encoding="utf-8") as log:
        program = os.path.basename(sys.argv[0]) + " "
        log.write((program if behave(task) == "program" else "") + name + "\n")
    return {"class": "ok", "stage": "rename", "remote_name": name, "size_bytes": 3,
            "sha256": "ab" * 32}


for line in lines:
    task = json.loads(line)
    if os.environ.get("PLATEN_TEST_TASKS") and task["task"] in ("read", "plan", "write"):
        with open(os.environ["PLATEN_TEST_TASKS"], "a", encoding="utf-8") as log:
            log.write(json.dumps(task) + "\n")
    how = behave(task)
    if how == "hang":
        time.sleep(600)
    for _ in range(ALIVE_MESSAGES if how == "slow" else 0):
        time.sleep(ALIVE_SECONDS)
        send({"type": "alive", "id": task["id"]})
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "garbage":
        sock.sendall(b"{{{\n")
        continue
    if task["task"] == "notify":
        with open(task["settings"]["log"], "a", encoding="utf-8") as log:
            log.write(f"{task['id']} {task['options']['to']}: {task['words']['subject']}\n")
        failed = {"class": "auth" if how == "locked" else "config", "stage": "login", "text": "no",
                  "cure": "Mend it."}
        send({"type": "result", "id": task["id"],
              "result": {"class": "ok", "stage": "send"} if how == "ok" else failed})
    elif how == "refuse" and task["task"] == "deliver":
        send({"type": "result", "id": task["id"],
              "result": {"class": "config", "stage": "locate", "text": "no such folder",
                         "cure": "Make the folder."}})
    elif how == "dead":
        with open(task["settings"]["log"], "a", encoding="utf-8") as log:
            log.write("attempt\n")
        send({"type": "result", "id": task["id"],
              "result": {"class": "retry", "stage": "connect", "text": "refused", "cure": "Wait."}})
    elif task["task"] == "deliver":
        send({"type": "result", "id": task["id"], "result": deliver(task)})
    else:
        send({"type": "result", "id": task["id"], **result(task)})
