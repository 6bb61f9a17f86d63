#!/usr/bin/python3
"""webhook_receiver.py PORT FOLDER - takes documents as docs/webhook.md says, and refuses all that differs.

What it takes is in FOLDER/documents; FOLDER/requests has one JSON line for each request that was right.
Paths: /hook; /full stores in FOLDER/full; /slow reads slowly at first; /basic, /bearer and /digest want a
log-in; /ro answers 403; /status/N answers N to what is right; /redirect leads to /hook."""

import contextlib
import hashlib
import hmac
import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SECRET = "A secret of both, with ümlaut"
USER, PASSWORD = "scan", "Scan-Pass-1"
BLOCK = 65536
NONCE = "0123456789abcdef"


def example_of_the_manual():
    """signature_fits() as docs/webhook.md has it."""
    with open(os.path.join(TOP, "docs", "webhook.md"), encoding="utf-8") as f:
        source = re.search(r"```python\n(.*?)```", f.read(), re.S)[1]
    names = {}
    exec(compile(source, "docs/webhook.md", "exec"), names)  # pylint: disable=exec-used
    return names["signature_fits"]


signature_fits = example_of_the_manual()


class Refused(Exception):
    """status, why"""


def need(true, why, status=400):
    if not true:
        raise Refused(status, why)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def digest_fits(header, method, path):
    """RFC 7616 with qop=auth and MD5, which every client has."""
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', header))
    wanted = md5(":".join((md5(f"{USER}:hook:{PASSWORD}"), NONCE, said.get("nc", ""),
                           said.get("cnonce", ""), "auth", md5(f"{method}:{path}"))))
    return header.startswith("Digest ") and said.get("uri") == path and said.get("response") == wanted


class Part:
    """One part of a multipart body: name, file name, media type, content."""

    def __init__(self, raw):
        head, blank, self.content = raw.partition(b"\r\n\r\n")
        need(blank, "a part without an empty line")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        need(set(lines) == {"Content-Disposition", "Content-Type"}, f"headers of a part: {set(lines)}")
        m = re.fullmatch(r'form-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?',
                         lines["Content-Disposition"])
        need(m, f"not well-formed: {lines['Content-Disposition']}")
        self.name, self.file_name, self.media_type = m[1], m[2], lines["Content-Type"]


def parts_of(body, boundary):
    mark = b"--" + boundary.encode()
    need(1 <= len(boundary) <= 70 and body.startswith(mark + b"\r\n"), "does not begin with the boundary")
    need(body.endswith(b"\r\n" + mark + b"--\r\n"), "does not end with the boundary")
    inner = body[len(mark) + 2:-len(mark) - 6]
    return [Part(raw) for raw in inner.split(b"\r\n" + mark + b"\r\n")]


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def answer(self, status, text, **headers):
        body = (text + "\n").encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def blocks(self, length, keep):
        """The body as it comes; a body that ends early is nothing."""
        slow = 40 if self.path == "/slow" else 0
        while length > 0:
            block = self.rfile.read(min(BLOCK, length))
            need(block, "the body ended early")
            if slow:
                slow -= 1
                with open(os.path.join(FOLDER, "uploading"), "w", encoding="ascii"):
                    time.sleep(0.05)
            length -= len(block)
            keep.append(block)
            yield block

    def check_login(self):
        said = self.headers.get("Authorization", "")
        wanted = {"/basic": f"Basic {BASIC}", "/bearer": f"Bearer {PASSWORD}"}.get(self.path)
        if wanted is not None:
            need(hmac.compare_digest(said, wanted), "log in", 401)
        if self.path == "/digest":
            need(digest_fits(said, "POST", "/digest"), "log in", 401)

    def check_parts(self, body):
        m = re.fullmatch(r"multipart/form-data; boundary=([\w-]+)", self.headers["Content-Type"] or "")
        need(m, "no multipart/form-data")
        facts_part, file_part = parts_of(body, m[1])
        facts = json.loads(facts_part.content)
        file = facts["file"]
        need(facts_part.media_type == "application/json" and facts_part.file_name is None, "facts")
        need(file_part.media_type == file["media_type"], "media type")
        need(file_part.file_name == file["name"].replace('"', "%22"), "file name")
        need(len(file_part.content) == file["size"], "size")
        need(hashlib.sha256(file_part.content).hexdigest() == file["sha256"], "hash")
        need(self.headers["Idempotency-Key"] == '"' + facts["delivery"] + '"', "key and facts differ")
        need(self.headers["Platen-Event"] == facts["event"], "event and facts differ")
        return facts, facts_part.name, file_part

    def store(self, facts, content):
        """Once for each key, whole or not at all."""
        folder = os.path.join(FOLDER, "full" if self.path == "/full" else "documents")
        name = facts["delivery"] + " " + facts["file"]["name"]
        if name in os.listdir(folder):
            return
        part = os.path.join(folder, "." + facts["delivery"])
        try:
            with open(part, "wb") as f:
                f.write(content)
            os.rename(part, os.path.join(folder, name))
        except OSError as error:
            with contextlib.suppress(FileNotFoundError):
                os.remove(part)
            raise Refused(507, "no room") from error

    def take(self):
        need(self.headers["Transfer-Encoding"] is None, "the length must be known")
        length = int(self.headers["Content-Length"])
        kept = []
        # A refusal, too, comes after the body: who closes before may lose the answer.
        fits = signature_fits(SECRET, self.headers, self.blocks(length, kept))
        self.check_login()
        need(self.path != "/ro", "nobody may", 403)
        need(fits, "the signature does not fit")
        body = b"".join(kept)
        facts, facts_name, file_part = self.check_parts(body)
        if self.path.startswith("/status/"):
            raise Refused(int(self.path[8:]), "as was asked for")
        with Receiver.lock:
            if facts["event"] == "delivery":
                self.store(facts, file_part.content)
            with open(os.path.join(FOLDER, "requests"), "a", encoding="utf-8") as f:
                f.write(json.dumps({"path": self.path, "headers": dict(self.headers), "facts": facts,
                                    "parts": [facts_name, file_part.name],
                                    "body": hashlib.sha256(body).hexdigest()}) + "\n")

    def do_POST(self):  # pylint: disable=invalid-name
        try:
            if self.path == "/redirect":
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(307, "elsewhere", Location="/hook", Connection="close")
                return
            self.take()
            self.answer(201, "taken")
        except Refused as refused:
            self.close_connection = True
            more = {"WWW_Authenticate": f'Digest realm="hook", nonce="{NONCE}", qop="auth"'} \
                if self.path == "/digest" else {}
            if refused.args[0] in (429, 503):
                more["Retry_After"] = "7"
            self.answer(*refused.args, Connection="close", **more)
        except (KeyError, ValueError) as error:
            self.close_connection = True
            self.answer(400, f"{type(error).__name__}: {error}", Connection="close")


if __name__ == "__main__":
    import base64

    BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    FOLDER = sys.argv[2]
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
