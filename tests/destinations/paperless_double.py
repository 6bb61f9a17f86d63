#!/usr/bin/python3
"""paperless_double.py PORT FOLDER - the part of Paperless-ngx's REST API that takes documents.

Written after its public documentation and source (API 9 of version 2, API 10 of version 3), because there is no
package of it. It refuses what those refuse, and members of a form that they would not know. Two servers in
one: below / version 2 (MD5, a duplicate fails, tasks as a list), below /v3/ version 3 (SHA-256, a duplicate is
stored again, tasks in pages and small letters). FOLDER/2 and FOLDER/3 hold the documents; FOLDER/forms has one
JSON line for each upload that was taken.

What a document is called decides what becomes of it: encrypted* fails, revoked* is revoked, full* meets a full
disk while it is consumed, slow* takes 2 seconds, never* never ends, of mute* the answer is lost. FOLDER/scratch is where uploads go first."""

import base64
import hashlib
import json
import os
import re
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PASSWORD = "Scan-Pass-1"
SECONDS = 0.15  # that a document usually takes
ALL = {"view_document", "add_document", "view_tag", "add_tag", "view_correspondent", "add_correspondent",
       "view_documenttype", "add_documenttype", "view_storagepath", "add_storagepath", "view_paperlesstask",
       "view_uisettings"}
USERS = {  # token: user, rights
    "a" * 40: ("scan", ALL),
    "b" * 40: ("reader", {r for r in ALL if r.startswith("view_")}),
    "c" * 40: ("sender", ALL - {"add_tag", "add_correspondent", "add_documenttype"}),
    "d" * 40: ("blind", ALL - {"view_document"}),
    "e" * 40: ("taskless", ALL - {"view_paperlesstask", "view_uisettings"}),
    "f" * 40: ("dropper", ALL - {"view_paperlesstask", "view_document"}),
}
SORTS = {"tags": "tag", "correspondents": "correspondent", "document_types": "documenttype",
         "storage_paths": "storagepath"}
MEMBERS = {"document", "title", "created", "correspondent", "document_type", "storage_path", "tags",
           "archive_serial_number", "custom_fields", "from_webui"}


class Answer(Exception):
    """status, JSON value"""


def need(true, status, value):
    if not true:
        raise Answer(status, value)


class Version:
    """What one version of Paperless holds. lock: for all of it."""

    def __init__(self, number):
        self.number, self.lock = number, threading.RLock()
        self.folder = os.path.join(FOLDER, str(number))
        os.makedirs(self.folder, exist_ok=True)
        self.names = {sort: {} for sort in SORTS}  # sort -> {id: name}
        self.documents, self.tasks = {}, {}
        self.names["storage_paths"][1] = "Archive"
        self.names["tags"].update({7: "Inbox", 8: "inbox", 9: "Steuer, 2026"})

    def checksum(self, content):
        return hashlib.md5(content).hexdigest() if self.number == 2 else hashlib.sha256(content).hexdigest()

    def consume(self, task, name, content, title):
        time.sleep(2 if name.startswith("slow") else SECONDS)
        with self.lock:
            task["state"] = "started"
        time.sleep(SECONDS)
        if name.startswith("never"):
            return
        checksum = self.checksum(content)
        with self.lock:
            twin = next((d for d in self.documents.values() if d["checksum"] == checksum), None)
            if name.startswith("encrypted"):
                task.update(state="failure", error=f"{name}: Error occurred while consuming document {name}: "
                                                   "PDF is encrypted")
            elif name.startswith("full"):
                task.update(state="failure", error=f"{name}: [Errno 28] No space left on device")
            elif name.startswith("revoked"):
                task.update(state="revoked")
            elif twin and (self.number == 2 or name.startswith("strict")):
                trash = " Note: existing document is in the trash." if twin["trash"] else ""
                task.update(state="failure", twin=twin,
                            error=f"{name}: Not consuming {name}: It is a duplicate of {twin['title']} "
                                  f"(#{twin['id']}).{trash}")
            else:
                number = len(self.documents) + 1
                part = os.path.join(self.folder, f".{number}")
                with open(part, "wb") as f:
                    f.write(content)
                os.rename(part, os.path.join(self.folder, f"{number} {name}"))
                self.documents[number] = {"id": number, "title": title or os.path.splitext(name)[0],
                                          "checksum": checksum, "trash": name.startswith("trashed")}
                task.update(state="success", document=number)

    def task_as_told(self, task):
        if self.number == 2:
            result = f"Success. New document id {task['document']} created" if "document" in task \
                else task.get("error")
            return {"id": 1, "task_id": task["id"], "task_file_name": task["file"], "type": "file",
                    "status": task["state"].upper(), "result": result, "acknowledged": False,
                    "related_document": str(task["document"]) if "document" in task else None}
        data = None
        if "document" in task:
            data = {"document_id": task["document"]}
        elif "twin" in task:
            data = {"duplicate_of": task["twin"]["id"], "duplicate_in_trash": task["twin"]["trash"]}
        elif "error" in task:
            data = {"error_type": "ConsumerError", "error_message": task["error"]}
        return {"id": 1, "task_id": task["id"], "task_type": "consume_file", "status": task["state"],
                "input_data": {"filename": task["file"]}, "result_data": data, "acknowledged": False,
                "related_document_ids": [task["document"]] if "document" in task else []}


def page(items):
    return {"count": len(items), "next": None, "previous": None, "results": items}


def mime_of(content, name):
    """As libmagic would say, as far as it matters here."""
    for magic, mime in ((b"%PDF", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg")):
        if content.startswith(magic):
            return mime
    try:
        content.decode()
        return "text/csv" if name.endswith(".csv") else "text/plain"
    except UnicodeDecodeError:
        return "application/octet-stream"


class Form:
    """The members of a multipart body: {name: [(file name or None, content)]}."""

    def __init__(self, body, content_type):
        m = re.fullmatch(r"multipart/form-data; boundary=([\w-]{1,70})", content_type)
        need(m, 415, {"detail": f'Unsupported media type "{content_type}" in request.'})
        mark = b"--" + m[1].encode()
        need(body.startswith(mark + b"\r\n") and body.endswith(b"\r\n" + mark + b"--\r\n"), 400,
             {"detail": "Multipart form parse error"})
        self.members = {}
        for raw in body[len(mark) + 2:-len(mark) - 6].split(b"\r\n" + mark + b"\r\n"):
            head, _, content = raw.partition(b"\r\n\r\n")
            m = re.match(r'Content-Disposition: form-data; name="([^"]*)"(?:; filename="([^"]*)")?(?:\r\n|$)',
                         head.decode())
            need(m, 400, {"detail": "Multipart form parse error"})
            self.members.setdefault(m[1], []).append((m[2], content))
        unknown = set(self.members) - MEMBERS
        need(not unknown, 400, {"unknown": sorted(unknown)})

    def text(self, name):
        if name not in self.members:
            return None
        text = self.members[name][-1][1].decode()
        need(text, 400, {name: ["This field may not be blank."]})
        return text

    def keys(self, name, version, sort):
        """Numbers of existing things."""
        numbers = []
        for _, content in self.members.get(name, []):
            text = content.decode()
            need(re.fullmatch(r"\d+", text), 400,
                 {name: ["Incorrect type. Expected pk value, received str."]})
            need(int(text) in version.names[sort], 400,
                 {name: [f'Invalid pk "{text}" - object does not exist.']})
            numbers.append(int(text))
        return numbers


class Paperless(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def authenticate(self):
        word, _, value = self.headers.get("Authorization", "").partition(" ")
        if word == "Token":
            need(value in USERS, 401, {"detail": "Invalid token."})
            return USERS[value]
        if word == "Basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
            known = {name: rights for name, rights in USERS.values()}
            need(user in known and password == PASSWORD, 401, {"detail": "Invalid username/password."})
            return user, known[user]
        raise Answer(401, {"detail": "Authentication credentials were not provided."})

    def may(self, right):
        need(right in self.rights, 403,
             {"detail": "You do not have permission to perform this action."})

    def body(self):
        """All of it, in time with what the name of the folder "uploading" is for."""
        need(self.headers["Transfer-Encoding"] is None, 411, "length")
        left, blocks = int(self.headers["Content-Length"] or 0), []
        slow = 40 if self.path.startswith("/paced/") else 0
        while left > 0:
            block = self.rfile.read(min(65536, left))
            if not block:
                raise ConnectionError("the body ended early")
            if slow > 0:
                slow -= 1
                with open(os.path.join(FOLDER, "uploading"), "w", encoding="ascii"):
                    time.sleep(0.05)
            left -= len(block)
            blocks.append(block)
        return b"".join(blocks)

    def list_names(self, version, sort, query):
        self.may("view_" + SORTS[sort])
        wanted = query.get("name__iexact", [None])[0]
        return page([{"id": i, "name": n} for i, n in version.names[sort].items()
                     if wanted is None or n.lower() == wanted.lower()][:int(query.get("page_size", [25])[0])])

    def make_name(self, version, sort, body):
        self.may("add_" + SORTS[sort])
        need(self.headers["Content-Type"] == "application/json", 415, {"detail": "Unsupported media type"})
        name = json.loads(body).get("name", "").strip()
        need(name, 400, {"name": ["This field is required."]})
        need(len(name) <= 128, 400, {"name": ["Ensure this field has no more than 128 characters."]})
        need(sort != "storage_paths", 400, {"path": ["This field is required."]})
        with version.lock:
            if name.startswith("raced"):  # somebody makes it between a look and this
                version.names[sort].setdefault(1000 + len(version.names[sort]), name)
            need(name not in version.names[sort].values(), 400,
                 {"error": ["Object violates owner / name unique constraint"]})
            number = max(version.names[sort], default=0) + 1
            version.names[sort][number] = name
        return 201, {"id": number, "name": name}

    def take_document(self, version, body):
        need("add_document" in self.rights, 403, "Insufficient permissions")
        form = Form(body, self.headers["Content-Type"] or "")
        need(len(form.members.get("document", [])) == 1, 400, {"document": ["No file was submitted."]})
        name, content = form.members["document"][0]
        need(name, 400, {"document": ["The submitted data was not a file."]})
        need(content, 400, {"document": ["The submitted file is empty."]})
        mime = mime_of(content, name)
        recoverable = mime == "application/octet-stream" and name.endswith(".pdf")
        need(mime != "application/octet-stream" or recoverable, 400,
             {"document": [f"File type {mime} not supported"]})
        created = form.text("created")
        need(created is None or re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?)?", created),
             400, {"created": ["Datetime has wrong format."]})
        taken = {"title": form.text("title"), "created": created, "name": name, "path": self.path,
                 "correspondent": form.keys("correspondent", version, "correspondents"),
                 "document_type": form.keys("document_type", version, "document_types"),
                 "storage_path": form.keys("storage_path", version, "storage_paths"),
                 "tags": form.keys("tags", version, "tags")}
        name = re.split(r"[/\\]", name)[-1]
        scratch = os.path.join(FOLDER, "scratch", str(uuid.uuid4()))
        try:
            with open(scratch, "wb") as f:
                f.write(content)
        except OSError as error:
            raise Answer(500, "Server Error (500)") from error
        finally:
            if os.path.exists(scratch):
                os.remove(scratch)
        task = {"id": str(uuid.uuid4()), "state": "pending", "file": name}
        with version.lock:
            version.tasks[task["id"]] = task
            with open(os.path.join(FOLDER, "forms"), "a", encoding="utf-8") as f:
                f.write(json.dumps({**taken, "user": self.user}) + "\n")
        threading.Thread(target=version.consume, args=(task, name, content, taken["title"]),
                         daemon=True).start()
        if name.startswith("mute"):
            self.close_connection = True
            raise ConnectionAbortedError("nobody is told")
        return 200, "OK" if self.path.startswith("/old/") else task["id"]

    def list_documents(self, version, query):
        self.may("view_document")
        wanted = query.get("checksum__iexact", [None])[0]
        if self.path.startswith("/unfiltered/"):
            wanted = None
        with version.lock:
            found = [{"id": d["id"], "title": d["title"]} for d in version.documents.values()
                     if not d["trash"] and (wanted is None or d["checksum"] == wanted.lower())]
        return page(found[:int(query.get("page_size", [25])[0])])

    def metadata(self, version, number):
        self.may("view_document")
        with version.lock:
            need(number in version.documents, 404, {"detail": "No Document matches the given query."})
            return {"original_checksum": version.documents[number]["checksum"]}

    def list_tasks(self, version, query):
        self.may("view_paperlesstask")
        with version.lock:
            tasks = [version.task_as_told(t) for t in version.tasks.values()
                     if t["id"] == query.get("task_id", [t["id"]])[0]]
        return tasks if version.number == 2 else page(tasks)

    def answer_get(self, version, path, query):
        m = re.fullmatch(r"/api/documents/(\d+)/metadata/", path)
        sort = path[len("/api/"):-1]
        if sort in SORTS:
            return 200, self.list_names(version, sort, query)
        if path == "/api/documents/":
            return 200, self.list_documents(version, query)
        if m:
            return 200, self.metadata(version, int(m[1]))
        if path == "/api/tasks/":
            return 200, self.list_tasks(version, query)
        if path == "/api/ui_settings/":
            self.may("view_uisettings")
            return 200, {"user": {"username": self.user}, "permissions": sorted(self.rights)}
        raise Answer(404, {"detail": "Not found."})

    def answer_post(self, version, path, body):
        sort = path[len("/api/"):-1]
        if sort in SORTS:
            return self.make_name(version, sort, body)
        if path == "/api/documents/post_document/":
            return self.take_document(version, body)
        raise Answer(404, {"detail": "Not found."})

    def handle_request(self):
        parts = urlsplit(self.path)
        m = re.fullmatch(r"(/v3|/old|/paced|/unfiltered)?(/api/.*)", parts.path)
        body = self.body()
        try:
            need(m and m[2].endswith("/"), 404, {"detail": "Not found."})
            self.user, self.rights = self.authenticate()
            version = VERSIONS[3 if m[1] == "/v3" else 2]
            status, value = self.answer_get(version, m[2], parse_qs(parts.query)) \
                if self.command == "GET" else self.answer_post(version, m[2], body)
        except Answer as answer:
            status, value = answer.args
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="api"')
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):  # pylint: disable=invalid-name
        self.handle_request()

    def do_POST(self):  # pylint: disable=invalid-name
        self.handle_request()


if __name__ == "__main__":
    FOLDER = sys.argv[2]
    os.makedirs(os.path.join(FOLDER, "scratch"), exist_ok=True)
    VERSIONS = {2: Version(2), 3: Version(3)}
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Paperless).serve_forever()
