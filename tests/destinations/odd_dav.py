"""odd_dav.py - a WebDAV server in memory with the oddities of servers that cannot run here.

words of `odd`: hidden (errors only inside of a 207), quota (few bytes are left), iis (no + and % in
names), busy (503 to every upload), nosize (no length of files), chunky (bodies in chunks are stored as
nothing, as PHP behind FastCGI does it), gateway (knows no form of its own address), locked (no name can
be taken), deaf (no PROPFIND), garbage (a 207 that is no XML)."""

import http.server
import threading
import urllib.parse

WAIT_S = 77


class OddDav:
    def __init__(self):
        self.odd, self.files, self.folders, self.seen = set(), {}, {"/"}, []
        owner = self

        class Handler(DavHandler):
            peer = owner

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def settings(self, **changes):
        return {"url": self.url, "auth": "none", "timeout_s": 3, **changes}


class DavHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body="", **headers):
        data = body.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code):
        """An error, in the clear or hidden."""
        if "hidden" not in self.peer.odd:
            return self.answer(code)
        return self.answer(207, f'<D:multistatus xmlns:D="DAV:"><D:response><D:href>{self.path}</D:href>'
                           f'<D:status>HTTP/1.1 {code} No</D:status></D:response></D:multistatus>')

    def name(self, url):
        path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
        return path if path == "/" else path.rstrip("/")

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PROPFIND(self):
        self.body()
        name, odd = self.name(self.path), self.peer.odd
        if "deaf" in odd:
            return self.answer(405)
        if "garbage" in odd:
            return self.answer(207, "<html>no", Content_Type="text/html")
        if name not in self.peer.files and name not in self.peer.folders:
            return self.refuse(404)
        inside = "<d:resourcetype><d:collection/></d:resourcetype>"
        if name in self.peer.files:
            inside = "<d:resourcetype/>"
            if "nosize" not in odd:
                inside += f"<d:getcontentlength>{len(self.peer.files[name])}</d:getcontentlength>"
        if "quota" in odd:
            inside += "<d:quota-available-bytes>1000</d:quota-available-bytes>"
        return self.answer(207, f"""<?xml version="1.0"?>
<d:multistatus xmlns:d="DAV:"><d:response><d:href>{name.replace('&', '')}</d:href>
 <d:propstat><d:status>HTTP/1.1 404 Not Found</d:status><d:prop><d:getcontentlength>9</d:getcontentlength>
 </d:prop></d:propstat>
 <d:propstat><d:prop>{inside}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
</d:response></d:multistatus>""")

    def do_PUT(self):
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self.peer.files[self.name(self.path)] = b""
            return self.answer(201)
        data = self.body()
        if "busy" in self.peer.odd:
            return self.answer(503, Retry_After=str(WAIT_S))
        self.peer.files[self.name(self.path)] = data
        return self.answer(201)

    def do_MOVE(self):
        to = self.name(self.headers["Destination"])
        if "gateway" in self.peer.odd:
            return self.answer(502)
        if "iis" in self.peer.odd and ("+" in to or "%" in to):
            return self.answer(404)
        if self.name(self.path) not in self.peer.files:
            return self.answer(404)
        if to in self.peer.files and self.headers["Overwrite"] == "F":
            return self.refuse(412)
        if "locked" in self.peer.odd:
            return self.refuse(423)
        self.peer.files[to] = self.peer.files.pop(self.name(self.path))
        return self.answer(201)

    def do_DELETE(self):
        return self.answer(204 if self.peer.files.pop(self.name(self.path), None) is not None else 404)

    def do_MKCOL(self):
        self.peer.folders.add(self.name(self.path))
        return self.answer(201)
