#!/usr/bin/python3
"""sharepoint_farm.py FOLDER PORT - a strict double of the REST interface of SharePoint Server.

No SharePoint can run here, so this refuses what one refuses: a change without a fresh digest, a body without
its length, an address that is not wholly encoded, names with characters that the version forbids, blocks
out of order, a function that the version has not. A real Apache in front asks for the log-in and says who
it was in X-Remote-User.

FOLDER/farm.json has the switches, read at each request; FOLDER/state.json what is known of files beside
their bytes, which are in FOLDER/root. Bodies arrive in FOLDER/incoming."""

import http.server
import json
import os
import re
import shutil
import sys
import urllib.parse
import uuid

SITE = "/sites/x y"
LIBRARY = SITE + "/Shared Documents"
READ_ONLY = SITE + "/Read Only"
NOT_FOUND, FILE_NOT_FOUND, DENIED = -2147024894, -2130575338, -2147024891
DIGEST, EXISTS, BAD_NAME, LOCKED = -2130575252, -2130575257, -2130575245, -2147018894
QUOTA, INVALID, REQUIRED = -2130246232, -2147467261, -2130575163
BLOCKED = {"15": set('"*:<>?/\\|#%~&{}'), "16": set('"*:<>?/\\|#%'), "19": set('"*:<>?/\\|')}
PATH_MAX = {"15": 260, "16": 260, "19": 400}
NAME_MAX = {"15": 128, "16": 128, "19": 255}
BUILDS = {"15": "15.0.0.4569", "16": "16.0.0.4351", "19": "16.0.0.10337"}
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|\.lock|desktop\.ini)$", re.I)
VERBOSE = "application/json;odata=verbose"
SWITCHES = {"version": "19", "force_check_out": False, "throttle": 0, "locked": [],
            "columns": {"Title": "text", "Due": "date", "Kind": "text"}, "required": [], "form_login": False,
            "digest_told_s": 1800, "digest_uses": 1000, "request_max": 250 << 20}


class Refused(Exception):
    def __init__(self, status, code, says):
        super().__init__(says)
        self.status, self.code, self.says = status, code, says


class Farm:
    """What the site has; kept in files, so that it outlives the process, all but digests and blocks."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder + "/root"
        self.digests, self.uploads = {}, {}
        self.meta = self.load("state.json", {})

    def load(self, name, otherwise):
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return otherwise

    def switches(self):
        return {**SWITCHES, **self.load("farm.json", {})}

    def keep(self):
        with open(self.folder + "/state.json", "w", encoding="utf-8") as f:
            json.dump(self.meta, f)

    def disk(self, path):
        assert ".." not in path.split("/")
        return self.root + path


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    # --- answers ---

    def answer(self, status, value=None, **headers):
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", VERBOSE + ";charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("MicrosoftSharePointTeamServices", BUILDS[self.on["version"]])
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.serve("GET")

    def do_POST(self):
        self.serve("POST")

    def serve(self, method):
        self.farm, self.on = self.server.farm, self.server.farm.switches()
        self.body = ""
        try:
            self.take_body(method)
            status, value = self.site(method)
            self.answer(status, value)
        except Refused as no:
            more = {"Retry_After": str(self.on["throttle"])} if no.status == 429 else {}
            if no.status == 302:
                more = {"Location": "/_layouts/15/Authenticate.aspx"}
            self.answer(no.status, None if no.code is None else {"error": {
                "code": f"{no.code}, Microsoft.SharePoint.SPException",
                "message": {"lang": "en-US", "value": no.says}}}, **more)
        finally:
            if self.body:
                os.remove(self.body)

    def take_body(self, method):
        if method == "GET":
            return
        if "Content-Length" not in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused(411, INVALID, "Length Required")
        left = int(self.headers["Content-Length"])
        self.body = f"{self.farm.folder}/incoming/{uuid.uuid4()}"
        with open(self.body, "wb") as f:
            while left:
                data = self.rfile.read1(min(left, 1 << 16))
                if not data:
                    raise ConnectionError("the client is gone")
                f.write(data)
                f.flush()
                left -= len(data)
        if os.path.getsize(self.body) > self.on["request_max"]:
            raise Refused(404, None, "")  # 404.13 of IIS, with a page that is no JSON

    # --- addresses ---

    def decode(self, text):
        if re.search(r"[^!-~]", text) or re.search(r"%(?![0-9A-Fa-f]{2})", text):
            raise Refused(400, INVALID, "The address is not encoded.")
        try:
            return urllib.parse.unquote(text, errors="strict")
        except UnicodeDecodeError:
            raise Refused(400, INVALID, "The address is no UTF-8.") from None

    def literal(self, text):
        """'It''s' -> It's; functions with "Url" cannot take # and %."""
        inside = re.fullmatch(r"'((?:[^']|'')*)'", text)
        if not inside:
            raise Refused(400, INVALID, f"The expression {text} is not valid.")
        value = inside[1].replace("''", "'")
        if "#" in value or "%" in value:
            raise Refused(400, INVALID, "The path is ambiguous.")
        return value

    def arguments(self, text, aliases):
        """(name=value, ...) of a function."""
        found = {}
        for part in re.findall(r"(?:[^,']|'(?:[^']|'')*')+", text):
            name, _, value = part.strip().rpartition("=")
            value = aliases.get(value, value)
            guid = re.fullmatch(r"guid'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'", value)
            if guid:
                found[name] = guid[1]
            elif re.fullmatch(r"\d+|true|false", value):
                found[name] = {"true": True, "false": False}.get(value, value)
            else:
                found[name] = self.literal(value)
        return found

    def site(self, method):
        path, _, query = self.path.partition("?")
        path = self.decode(path)
        if not path.startswith(SITE + "/_api/"):
            raise Refused(404, 0, "404 FILE NOT FOUND")
        api = path[len(SITE + "/_api/"):]
        aliases = {}
        for part in filter(None, query.split("&")):
            name, _, value = part.partition("=")
            if name.startswith("@"):
                aliases[name] = self.decode(value)
        if self.on["form_login"]:
            raise Refused(302, 0, "Object moved")
        if not self.headers.get("X-Remote-User") or "(null)" in self.headers["X-Remote-User"]:
            raise Refused(401, DENIED, "Access denied.")
        if self.on["throttle"]:
            raise Refused(429, 0, "Too many requests")
        if self.headers.get("Accept") != VERBOSE:
            raise Refused(406, INVALID, "The HTTP header ACCEPT is missing or its value is invalid.")
        if method == "POST" and api == "contextinfo":
            return self.context()
        if method == "POST":
            self.use_digest(self.headers.get("X-RequestDigest"))
        return self.function(method, api, aliases)

    def use_digest(self, digest):
        """A digest ends after so many uses instead of minutes: tests need not wait."""
        used = self.farm.digests.get(digest, self.on["digest_uses"])
        if used >= self.on["digest_uses"]:
            raise Refused(403, DIGEST, "The security validation for this page is invalid.")
        self.farm.digests[digest] = used + 1

    def context(self):
        if os.path.getsize(self.body):
            raise Refused(400, INVALID, "The parameter is not known.")
        digest = "0x" + uuid.uuid4().hex.upper() + ",28 Nov 2026 00:00:00 -0000"
        self.farm.digests[digest] = 0
        return 200, {"d": {"GetContextWebInformation": {
            "FormDigestTimeoutSeconds": self.on["digest_told_s"], "FormDigestValue": digest,
            "WebFullUrl": SITE}}}

    def function(self, method, api, aliases):
        if api == "web/folders" and method == "POST":
            return self.make_folder()
        m = re.fullmatch(r"web/GetFolderByServerRelativeUrl\(([^()]*|'(?:[^']|'')*')\)(/Files/add\((.*)\))?", api)
        if m:
            folder = self.arguments(m[1], aliases)[""]
            if m[2] and method == "POST":
                return self.add(folder, self.arguments(m[3], aliases))
            if not m[2] and method == "GET":
                return self.see_folder(folder)
        m = re.fullmatch(r"web/GetFileByServerRelativeUrl\(([^()]*|'(?:[^']|'')*')\)(?:/(.*))?", api)
        if m:
            return self.file_function(method, self.arguments(m[1], aliases)[""], m[2] or "", aliases)
        raise Refused(404, -1, f"Cannot find resource for the request {api}.")

    # --- folders ---

    def check_path(self, path, level="write"):
        version, name = self.on["version"], path.rpartition("/")[2]
        if level == "write" and path.startswith(READ_ONLY):
            raise Refused(403, DENIED, "Access denied.")
        if len(path) > PATH_MAX[version] or len(name) > NAME_MAX[version]:
            raise Refused(400, INVALID, "The specified file or folder name is too long.")
        for part in path[len(SITE) + 1:].split("/"):
            stem = part.rpartition(".")[0] or part
            if (BLOCKED[version] & set(part) or re.search(r"[\0-\x1f]|_vti_|^~\$|^\.|\.$|^ | $", part)
                    or not part or RESERVED.match(stem) or RESERVED.match(part)
                    or (version == "15" and ".." in part)):
                raise Refused(400, BAD_NAME, "The name contains characters that are not permitted.")

    def see_folder(self, path):
        if not os.path.isdir(self.farm.disk(path)):
            raise Refused(404, NOT_FOUND, "File Not Found.")
        return 200, {"d": {"Exists": True, "ItemCount": len(os.listdir(self.farm.disk(path)))}}

    def json_body(self):
        if self.headers.get("Content-Type") != VERBOSE:
            raise Refused(400, INVALID, "The Content-Type is not supported.")
        with open(self.body, encoding="utf-8") as f:
            return json.load(f)

    def make_folder(self):
        body = self.json_body()
        if body.get("__metadata") != {"type": "SP.Folder"}:
            raise Refused(400, INVALID, "An entry without a type name was found.")
        path = body["ServerRelativeUrl"]
        self.check_path(path)
        if not os.path.isdir(os.path.dirname(self.farm.disk(path))):
            raise Refused(404, NOT_FOUND, "File Not Found.")
        if path.count("/") <= SITE.count("/") + 1:
            raise Refused(400, INVALID, "A library is not made like this.")
        if os.path.isfile(self.farm.disk(path)):
            raise Refused(400, EXISTS, "A file with this name already exists.")
        os.makedirs(self.farm.disk(path), exist_ok=True)
        return 201, {"d": {"Exists": True, "ServerRelativeUrl": path}}

    # --- files ---

    def store(self, path, source):
        try:
            shutil.copyfile(source, self.farm.disk(path))
        except OSError:
            os.truncate(self.farm.disk(path), 0)
            raise Refused(507, QUOTA, "The site has exceeded its quota.") from None

    def add(self, folder, given):
        name = given["url"]
        path = f"{folder}/{name}"
        if not os.path.isdir(self.farm.disk(folder)):
            raise Refused(404, NOT_FOUND, "File Not Found.")
        self.check_path(path)
        if "/" in name:
            raise Refused(400, BAD_NAME, "The name contains characters that are not permitted.")
        there = os.path.exists(self.farm.disk(path))
        if there and not given["overwrite"]:
            raise Refused(400, EXISTS, "A file with this name already exists.")
        self.store(path, self.body)
        if not there:
            self.farm.meta[path] = {"out": self.on["force_check_out"], "fields": {}}
            self.farm.keep()
        return 200, self.describe(path)

    def describe(self, path):
        return {"d": {"Exists": True, "Length": str(os.path.getsize(self.farm.disk(path))),
                      "CheckOutType": 0 if self.farm.meta[path]["out"] else 2}}

    def file_function(self, method, path, function, aliases):
        if path.startswith(READ_ONLY) and method == "POST":
            raise Refused(403, DENIED, "Access denied.")
        if not os.path.isfile(self.farm.disk(path)):
            raise Refused(404, FILE_NOT_FOUND, f"The file {path} does not exist.")
        if method == "GET" and not function:
            return 200, self.describe(path)
        if path in self.on["locked"]:
            raise Refused(423, LOCKED, "The file is locked for shared use by another.")
        if method == "POST" and not function:
            return self.delete(path)
        name, _, rest = function.partition("(")
        if method == "POST" and name == "ListItemAllFields/ValidateUpdateListItem":
            return self.columns(path)
        call = {"StartUpload": self.block, "ContinueUpload": self.block, "FinishUpload": self.block,
                "moveto": self.move, "CheckIn": self.check_in}.get(name)
        if method != "POST" or not call or not rest.endswith(")"):
            raise Refused(404, -1, f"Cannot find resource for the request {function}.")
        return call(name, path, self.arguments(rest[:-1], aliases))

    def delete(self, path):
        if self.headers.get("X-HTTP-Method") != "DELETE" or self.headers.get("IF-MATCH") != "*":
            raise Refused(412, INVALID, "The request ETag value does not match.")
        os.remove(self.farm.disk(path))
        del self.farm.meta[path]
        self.farm.keep()
        return 200, None

    def block(self, name, path, given):
        if self.on["version"] == "15":
            raise Refused(404, -1, f"Cannot find resource for the request {name}.")
        upload, size = (path, given["uploadId"]), os.path.getsize(self.body)
        whole = f"{self.farm.folder}/incoming/blocks-{given['uploadId']}"
        if name == "StartUpload":
            self.farm.uploads[upload] = 0
            with open(whole, "wb"):
                pass
        if upload not in self.farm.uploads or \
                int(given.get("fileOffset", 0)) != self.farm.uploads[upload] or \
                (name == "StartUpload") == ("fileOffset" in given):
            raise Refused(400, INVALID, "The upload id or the offset is not valid.")
        with open(whole, "ab") as f, open(self.body, "rb") as part:
            shutil.copyfileobj(part, f)
        self.farm.uploads[upload] += size
        if name != "FinishUpload":
            return 200, {"d": {name: str(self.farm.uploads[upload])}}
        self.store(path, whole)
        os.remove(whole)
        del self.farm.uploads[upload]
        return 200, self.describe(path)

    def move(self, _name, path, given):
        to = given["newurl"]
        self.check_path(to)
        if os.path.isdir(self.farm.disk(to)):
            raise Refused(400, INVALID, "A folder has this name.")
        if os.path.exists(self.farm.disk(to)) and given["flags"] == "0":
            raise Refused(400, EXISTS, "The destination file already exists.")
        if to in self.on["locked"]:
            raise Refused(423, LOCKED, "The file is locked for shared use by another.")
        os.replace(self.farm.disk(path), self.farm.disk(to))
        self.farm.meta[to] = self.farm.meta.pop(path)
        self.farm.keep()
        return 200, {"d": {"MoveTo": None}}

    def columns(self, path):
        body, results, meta = self.json_body(), [], self.farm.meta[path]
        if not isinstance(body.get("bNewDocumentUpdate"), bool):
            raise Refused(400, INVALID, "The parameter is not known.")
        for value in body["formValues"]:
            if value.pop("__metadata") != {"type": "SP.ListItemFormUpdateValue"}:
                raise Refused(400, INVALID, "An entry without a type name was found.")
            kind, says = self.on["columns"].get(value["FieldName"]), None
            if not kind:
                says = "Column does not exist."
            elif kind == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", value["FieldValue"]):
                says = "You must specify a valid date."
            results.append({**value, "ErrorMessage": says, "HasException": says is not None})
        if not any(r["HasException"] for r in results):
            meta["fields"].update({r["FieldName"]: r["FieldValue"] for r in results})
            if body["bNewDocumentUpdate"]:
                meta["out"] = False
            self.farm.keep()
        return 200, {"d": {"ValidateUpdateListItem": {"results": results}}}

    def check_in(self, _name, path, given):
        meta = self.farm.meta[path]
        if not meta["out"]:
            raise Refused(400, INVALID, "The file is not checked out.")
        missing = [c for c in self.on["required"] if not meta["fields"].get(c)]
        if missing:
            raise Refused(400, REQUIRED, f"You must fill out all required properties: {missing[0]}.")
        meta.update(out=False, comment=given["comment"], type=given["checkintype"])
        self.farm.keep()
        return 200, {"d": {"CheckIn": None}}


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    folder = sys.argv[1]
    for path in "/incoming", "/root" + LIBRARY, "/root" + READ_ONLY:
        os.makedirs(folder + path, exist_ok=True)
    with Server(("127.0.0.1", int(sys.argv[2])), Handler) as server:
        server.farm = Farm(folder)
        server.serve_forever()


if __name__ == "__main__":
    main()
