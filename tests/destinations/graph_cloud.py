#!/usr/bin/python3
"""graph_cloud.py FOLDER PORT CERTIFICATE KEY - a strict double of Microsoft Entra's token end point and of
Microsoft Graph's files, over TLS.

Neither can run here, so this refuses what they refuse: assertions that are not signed as they must be (openssl
checks), tokens on the address of an upload, fragments of a wrong size or place, bodies without a length,
addresses that are not wholly encoded, names with forbidden characters.

FOLDER/cloud.json has the switches, read at each request; FOLDER/state.json what is known of items beside their
bytes, which are in FOLDER/root/DRIVE. Bodies arrive in FOLDER/incoming. FOLDER/client.pem is the certificate
that the application has registered."""

import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

TENANT, CLIENT, SECRET = "contoso.example", "11111111-2222-4333-8444-555555555555", "Client-Secret~1"
HOST, SITE_PATH, SITE_ID = "contoso.example", "/sites/x y", "contoso.example,aaaa,bbbb"
USER = "scan@contoso.example"
DRIVES = {"Documents": "b!documents-1", "Archive": "b!archive_2"}  # the second may only be read
ONEDRIVE = "b!one-drive"
FRAGMENT, FRAGMENT_MAX, SIMPLE_MAX = 320 * 1024, 60 << 20, 250 << 20
BLOCKED = re.compile(r'["*:<>?/\\|\0-\x1f]|_vti_|^~\$|^ | $|\.$')
SWITCHES = {"token_life_s": 3600, "revoke": 0, "throttle": 0, "busy_fragments": 0, "broken_fragments": [],
            "broken_times": 1, "broken_taken": False, "gone": False, "force_check_out": False,
            "required": [], "columns": ["Title", "Due"], "remaining": 1 << 40, "locked": [], "upload_http": False}


class Refused(Exception):
    def __init__(self, status, code, says="no"):
        super().__init__(says)
        self.status, self.code, self.says = status, code, says


class Cloud:
    def __init__(self, folder):
        self.folder, self.lock = folder, threading.RLock()
        self.tokens, self.seen, self.sessions, self.fragments = {}, set(), {}, 0
        self.meta = self.load("state.json", {})

    def load(self, name, otherwise):
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return otherwise

    def keep(self):
        with open(self.folder + "/state.json", "w", encoding="utf-8") as f:
            json.dump(self.meta, f)

    def disk(self, drive, path):
        assert ".." not in path.split("/")
        return f"{self.folder}/root/{drive}/{path}".rstrip("/")

    # --- tokens ---

    def decode(self, text):
        if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
            raise Refused(401, "invalid_client", "AADSTS50027: JWT token is invalid or malformed.")
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def check_assertion(self, jwt, audience):
        parts = jwt.split(".")
        if len(parts) != 3:
            raise Refused(401, "invalid_client", "AADSTS50027: JWT token is invalid or malformed.")
        with open(self.folder + "/client.pem", encoding="ascii") as f:
            thumbprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).digest()
        now = time.time()
        try:
            header, claims = json.loads(self.decode(parts[0])), json.loads(self.decode(parts[1]))
            signature = self.decode(parts[2])
        except ValueError:
            raise Refused(401, "invalid_client", "AADSTS50027: JWT token is malformed.") from None
        if header != {"alg": "PS256", "typ": "JWT", "x5t#S256":
                      base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")}:
            raise Refused(401, "invalid_client", "AADSTS700027: the certificate is not registered.")
        if claims["aud"] != audience or claims["iss"] != CLIENT or claims["sub"] != CLIENT or \
                not now - 60 < claims["nbf"] <= now + 1 or not now < claims["exp"] <= now + 600 or \
                len(claims["jti"]) < 16 or claims["jti"] in self.seen:
            raise Refused(401, "invalid_client", "AADSTS700024: the assertion is not within its valid time.")
        self.seen.add(claims["jti"])
        with tempfile.TemporaryDirectory() as d:
            for name, data in ("signed", f"{parts[0]}.{parts[1]}".encode()), ("signature", signature):
                with open(f"{d}/{name}", "wb") as f:
                    f.write(data)
            subprocess.run(f"openssl x509 -in {self.folder}/client.pem -pubkey -noout >{d}/key", shell=True,
                           check=True)
            if subprocess.run(["openssl", "dgst", "-sha256", "-verify", d + "/key", "-sigopt",
                               "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-signature",
                               d + "/signature", d + "/signed"], check=False, capture_output=True).returncode:
                raise Refused(401, "invalid_client", "AADSTS700027: the signature is not valid.")

    def token(self, form, audience, graph, life_s):
        given = dict(urllib.parse.parse_qsl(form, strict_parsing=True))
        if given["grant_type"] != "client_credentials":
            raise Refused(400, "unsupported_grant_type")
        if given["client_id"] != CLIENT:
            raise Refused(400, "unauthorized_client", "AADSTS700016: the application was not found.")
        if given["scope"] != graph + "/.default":
            raise Refused(400, "invalid_scope", "AADSTS70011: the scope is not valid.")
        if "client_assertion" in given:
            if given["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
                raise Refused(400, "invalid_request")
            self.check_assertion(given["client_assertion"], audience)
        elif given.get("client_secret") != SECRET:
            raise Refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        text = "eyJ" + uuid.uuid4().hex * 40  # as long as real ones
        self.tokens[text] = time.time() + 3600  # longer than told, so that no test depends on speed
        return {"token_type": "Bearer", "expires_in": life_s, "access_token": text}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        self.request.do_handshake()
        super().setup()

    def answer(self, status, value=None, **headers):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        self.cloud, self.body = self.server.cloud, ""
        self.on = {**SWITCHES, **self.cloud.load("cloud.json", {})}
        path, _, query = self.path.partition("?")
        try:
            self.take_body()
            with self.cloud.lock:
                if path.endswith("/oauth2/v2.0/token"):
                    self.answer(200, self.token(path))
                elif path.startswith("/upload/"):
                    self.answer(*self.upload(path.rpartition("/")[2]))
                else:
                    self.answer(*self.graph(self.segments(path), dict(
                        part.partition("=")[::2] for part in query.split("&"))))
        except Refused as no:
            self.refuse(no, path)
        finally:
            if self.body:
                os.remove(self.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def refuse(self, no, path):
        if path.endswith("/token"):
            return self.answer(no.status, {"error": no.code, "error_description": no.says})
        more = {"Retry_After": str(self.on["throttle"] or 33)} if no.status in (429, 503) else {}
        return self.answer(no.status, {"error": {"code": no.code, "message": no.says, "innerError": {
            "request-id": str(uuid.uuid4())}}}, **more)

    def take_body(self):
        if self.command in ("GET", "DELETE"):
            return
        if "Content-Length" not in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused(411, "invalidRequest", "Length Required")
        left = int(self.headers["Content-Length"])
        self.body = f"{self.cloud.folder}/incoming/{uuid.uuid4()}"
        with open(self.body, "wb") as f:
            while left:
                data = self.rfile.read1(min(left, 1 << 16))
                if not data:
                    raise ConnectionError("the client is gone")
                f.write(data)
                f.flush()
                left -= len(data)

    def json_body(self):
        if self.headers.get("Content-Type") != "application/json":
            raise Refused(400, "invalidRequest", "The Content-Type is not supported.")
        with open(self.body, encoding="utf-8") as f:
            return json.load(f)

    def origin(self):
        return "https://" + self.headers["Host"]

    def token(self, path):
        if self.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            raise Refused(400, "invalid_request", "AADSTS900144: the request body is no form.")
        if path != f"/{TENANT}/oauth2/v2.0/token":
            raise Refused(400, "invalid_request", "AADSTS90002: Tenant not found.")
        with open(self.body, encoding="ascii") as f:
            return self.cloud.token(f.read(), self.origin() + path, self.origin(), self.on["token_life_s"])

    # --- addresses ---

    def segments(self, path):
        if re.search(r"[^!-~]", path) or re.search(r"%(?![0-9A-Fa-f]{2})", path) or "'" in path:
            raise Refused(400, "invalidRequest", "The address is not encoded.")
        try:
            return [urllib.parse.unquote(s, errors="strict") for s in path.split("/")][1:]
        except UnicodeDecodeError:
            raise Refused(400, "invalidRequest", "The address is no UTF-8.") from None

    def graph(self, parts, query):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.cloud.tokens.get(token, 0) < time.time():
            raise Refused(401, "InvalidAuthenticationToken", "Access token has expired.")
        if self.on["revoke"] and len(self.cloud.tokens) <= self.on["revoke"]:
            self.cloud.tokens[token] = 0
            raise Refused(401, "InvalidAuthenticationToken", "The token was revoked.")
        if self.on["throttle"]:
            raise Refused(429, "activityLimitReached", "Too many requests")
        if "NONISV|" not in self.headers.get("User-Agent", ""):
            raise Refused(429, "activityLimitReached", "Traffic must be decorated.")
        if parts[0] != "v1.0":
            raise Refused(404, "itemNotFound")
        if parts[1] == "drives":
            return self.drive(parts[2], parts[3:], query)
        if self.command == "GET":
            return self.place("/".join(parts[1:]))
        raise Refused(405, "invalidRequest")

    def place(self, path):
        quota = {"quota": {"remaining": self.on["remaining"]}}
        named = [{"id": i, "name": n, **quota} for n, i in DRIVES.items()]
        known = {f"sites/{HOST}:{SITE_PATH}": {"id": SITE_ID}, f"sites/{SITE_ID}/drives": {"value": named},
                 f"sites/{SITE_ID}/drive": named[0], f"users/{USER}/drive": {"id": ONEDRIVE, **quota}}
        if path not in known:
            raise Refused(404, "itemNotFound", "The resource could not be found.")
        return 200, known[path]

    def drive(self, drive, rest, query):
        if drive not in [*DRIVES.values(), ONEDRIVE]:
            raise Refused(404, "itemNotFound", "The drive could not be found.")
        if drive == DRIVES["Archive"] and self.command != "GET":
            raise Refused(403, "accessDenied", "Access denied")
        if rest[0] == "items":
            found = [p for p, m in self.cloud.meta.items() if m["id"] == rest[1] and p.startswith(drive + "/")]
            if not found:
                raise Refused(404, "itemNotFound")
            return self.item(drive, found[0][len(drive) + 1:], "/".join(rest[2:]), query)
        if rest[0] == "root":
            return self.item(drive, "", "/".join(rest[1:]), query)
        if rest[0] != "root:" or len(rest) < 2:
            raise Refused(400, "invalidRequest", "The path is not valid.")
        path = "/".join(rest[1:])
        path, _, verb = path.partition(":/")
        for name in path.split("/"):
            if not name or BLOCKED.search(name):
                raise Refused(400, "invalidRequest", "The name contains characters that are not permitted.")
        return self.item(drive, path, verb, query)

    # --- items ---

    def item(self, drive, path, verb, query):
        disk = self.cloud.disk(drive, path)
        if self.command == "PUT" and verb == "content":
            return self.put(drive, path, query)
        if self.command == "POST" and verb == "createUploadSession":
            return self.create_session(drive, path)
        if not os.path.exists(disk):
            raise Refused(404, "itemNotFound", "The resource could not be found.")
        if self.command == "GET" and not verb:
            return 200, self.describe(drive, path, query.get("$select", "").split(","))
        if self.command == "POST" and verb == "children":
            return self.make_folder(drive, path)
        if f"{drive}/{path}" in self.on["locked"]:
            raise Refused(423, "resourceLocked", "The file is locked.")
        if self.command == "DELETE" and not verb:
            os.remove(disk)
            del self.cloud.meta[f"{drive}/{path}"]
            self.cloud.keep()
            return 204, None
        if self.command == "PATCH":
            return self.patch(drive, path, verb, self.json_body())
        if self.command == "POST" and verb == "checkin":
            return self.check_in(drive, path, self.json_body())
        raise Refused(400, "invalidRequest", "The verb is not known.")

    def describe(self, drive, path, select):
        disk, meta = self.cloud.disk(drive, path), self.cloud.meta.get(f"{drive}/{path}", {"id": "root"})
        whole = {"id": meta["id"], "name": os.path.basename(path)}
        if os.path.isdir(disk):
            whole["folder"] = {"childCount": len(os.listdir(disk))}
        else:
            whole.update(file={"mimeType": "application/pdf"}, size=os.path.getsize(disk),
                         publication={"level": "checkout" if meta["out"] else "published"})
        return {k: v for k, v in whole.items() if k in select}

    def appear(self, drive, path, source, conflict):
        """A file is whole and gets its name."""
        disk, key = self.cloud.disk(drive, path), f"{drive}/{path}"
        if not os.path.isdir(os.path.dirname(disk)):
            raise Refused(404, "itemNotFound", "The folder could not be found.")
        if os.path.isdir(disk) or (os.path.exists(disk) and conflict != "replace"):
            raise Refused(409, "nameAlreadyExists", "An item with this name already exists.")
        try:
            shutil.copyfile(source, disk)
        except OSError:
            os.remove(disk)
            raise Refused(507, "quotaLimitReached", "Insufficient space.") from None
        if key not in self.cloud.meta:
            self.cloud.meta[key] = {"id": "01" + uuid.uuid4().hex.upper(), "fields": {},
                                    "out": self.on["force_check_out"]}
            self.cloud.keep()
        return 201, {"id": self.cloud.meta[key]["id"], "size": os.path.getsize(disk)}

    def put(self, drive, path, query):
        if os.path.getsize(self.body) > SIMPLE_MAX:
            raise Refused(413, "invalidRequest", "Too large")
        if self.headers.get("Content-Type") != "application/octet-stream":
            raise Refused(400, "invalidRequest", "The Content-Type is not supported.")
        return self.appear(drive, path, self.body, query.get("@microsoft.graph.conflictBehavior", "replace"))

    def make_folder(self, drive, path):
        body = self.json_body()
        if body.get("folder") != {} or body.get("@microsoft.graph.conflictBehavior") != "fail" or \
                BLOCKED.search(body["name"]):
            raise Refused(400, "invalidRequest")
        path = f"{path}/{body['name']}".lstrip("/")
        if os.path.exists(self.cloud.disk(drive, path)):
            raise Refused(409, "nameAlreadyExists", "An item with this name already exists.")
        os.makedirs(self.cloud.disk(drive, path))
        return 201, {"id": "02", "folder": {}}

    def patch(self, drive, path, verb, body):
        key = f"{drive}/{path}"
        if verb == "listItem/fields":
            unknown = [c for c in body if c not in self.on["columns"]]
            if unknown:
                raise Refused(400, "invalidRequest", f"Field '{unknown[0]}' is not recognized")
            self.cloud.meta[key]["fields"].update(body)
            self.cloud.keep()
            return 200, self.cloud.meta[key]["fields"]
        if verb or set(body) != {"name", "@microsoft.graph.conflictBehavior"} or BLOCKED.search(body["name"]):
            raise Refused(400, "invalidRequest", "The name contains characters that are not permitted.")
        to = f"{os.path.dirname(path)}/{body['name']}".lstrip("/")
        disk = self.cloud.disk(drive, to)
        if f"{drive}/{to}" in self.on["locked"]:
            raise Refused(423, "resourceLocked", "The file is locked.")
        if os.path.exists(disk) and (os.path.isdir(disk) or
                                     body["@microsoft.graph.conflictBehavior"] != "replace"):
            raise Refused(409, "nameAlreadyExists", "An item with this name already exists.")
        os.replace(self.cloud.disk(drive, path), disk)
        self.cloud.meta[f"{drive}/{to}"] = self.cloud.meta.pop(key)
        self.cloud.keep()
        return 200, {"name": body["name"]}

    def check_in(self, drive, path, body):
        meta = self.cloud.meta[f"{drive}/{path}"]
        if not meta["out"] or set(body) != {"comment", "checkInAs"}:
            raise Refused(400, "invalidRequest", "The file is not checked out.")
        missing = [c for c in self.on["required"] if not meta["fields"].get(c)]
        if missing:
            raise Refused(400, "invalidRequest", f"You must fill out the required column {missing[0]}.")
        meta.update(out=False, comment=body["comment"], type=body["checkInAs"])
        self.cloud.keep()
        return 204, None

    # --- upload sessions ---

    def create_session(self, drive, path):
        body = self.json_body()
        if set(body) != {"item"}:
            raise Refused(400, "invalidRequest", "The body must be wrapped in item.")
        if not os.path.isdir(os.path.dirname(self.cloud.disk(drive, path))):
            raise Refused(404, "itemNotFound", "The folder could not be found.")
        name = uuid.uuid4().hex
        self.cloud.sessions[name] = {"drive": drive, "path": path, "at": 0, "total": None, "broken": 0,
                                     "conflict": body["item"]["@microsoft.graph.conflictBehavior"]}
        port = self.headers["Host"].rpartition(":")[2]
        scheme = "http" if self.on["upload_http"] else "https"
        return 200, {"uploadUrl": f"{scheme}://localhost:{port}/upload/{name}", "nextExpectedRanges": ["0-"],
                     "expirationDateTime": "2030-01-01T00:00:00Z"}

    def upload(self, name):
        session = self.cloud.sessions.get(name)
        if "Authorization" in self.headers:
            raise Refused(401, "unauthenticated", "The address of an upload takes no token.")
        if not session or (self.on["gone"] and session["at"] > 0):
            raise Refused(404, "itemNotFound", "The upload session was not found.")
        if self.command == "DELETE":
            del self.cloud.sessions[name]
            return 204, None
        if self.command == "PUT":
            return self.fragment(name, session)
        return 200, {"nextExpectedRanges": [f"{session['at']}-"]}

    def fragment(self, name, session):
        m = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", self.headers.get("Content-Range", ""))
        n = os.path.getsize(self.body)
        if not m:
            raise Refused(400, "invalidRequest", "Invalid Content-Range header value")
        first, last, total = (int(x) for x in m.groups())
        if last - first + 1 != n or last >= total or n >= FRAGMENT_MAX or session["total"] not in (None, total):
            raise Refused(400, "invalidRequest", "Declared and sent lengths differ.")
        if last + 1 < total and n % FRAGMENT:
            raise Refused(400, "invalidRequest", "A fragment is no multiple of 320 KiB.")
        if first != session["at"]:
            raise Refused(416, "invalidRange", "Optimistic concurrency failure during fragmented upload")
        self.cloud.fragments += 1
        if self.on["busy_fragments"] and self.cloud.fragments >= self.on["busy_fragments"]:
            raise Refused(503, "serviceNotAvailable", "Try again later")
        breaks = first in self.on["broken_fragments"] and session["broken"] < self.on["broken_times"]
        session["broken"] += breaks
        if breaks and not self.on["broken_taken"]:
            raise Refused(500, "generalException", "An error has occurred")
        session.update(at=last + 1, total=total)
        part = f"{self.cloud.folder}/incoming/session-{name}"
        with open(part, "ab") as f, open(self.body, "rb") as source:
            shutil.copyfileobj(source, f)
        if breaks:  # the fragment is there, but the client hears of an error
            raise Refused(500, "generalException", "An error has occurred")
        if last + 1 < total:
            return 202, {"expirationDateTime": "2030-01-01T00:00:00Z", "nextExpectedRanges": [f"{last + 1}-"]}
        del self.cloud.sessions[name]
        try:
            return self.appear(session["drive"], session["path"], part, session["conflict"])
        finally:
            os.remove(part)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def main():
    folder, port, certificate, key = sys.argv[1:]
    for path in "incoming", *(f"root/{d}" for d in [*DRIVES.values(), ONEDRIVE]):
        os.makedirs(f"{folder}/{path}", exist_ok=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", int(port)), Handler) as server:
        server.cloud = Cloud(folder)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.serve_forever()


if __name__ == "__main__":
    main()
