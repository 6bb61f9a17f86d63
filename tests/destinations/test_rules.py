"""The two rules of the product. A device is told nothing about destinations: every byte that the server sends
to it is read. And a destination is given nothing but documents and index files: every name that ever appears in
its folder is read, whatever breaks meanwhile."""

import base64
import contextlib
import json
import os
import re

import pytest

from house import CHOICES, House, pages, wait_until
from inotify import Names
from peer import PASSWORD
from relay import Relay

PLANTED = {word: f"Planted-{word}-4c81" for word in (
    "host user password token key passphrase bucket share path domain headers secret recipient tenant client "
    "destination prefix folder subject argument library queue").split()}
HOST = "planted-host-4c81.invalid"
URL = f"https://{HOST}/{PLANTED['path']}"
LOGIN = {"user": PLANTED["user"], "password": PLANTED["password"]}
FOLDER = {"folder": PLANTED["folder"]}
# kind -> settings, options; nothing of them is there to be reached.
ACCOUNTS = {
    "folder": ({"path": "/nowhere/" + PLANTED["path"]}, FOLDER),
    "ftp": ({"host": HOST, "path": PLANTED["path"], **LOGIN}, FOLDER),
    "sftp": ({"host": HOST, "private_key": PLANTED["key"], "passphrase": PLANTED["passphrase"], **LOGIN}, FOLDER),
    "smb": ({"server": HOST, "share": PLANTED["share"], "domain": PLANTED["domain"], **LOGIN}, FOLDER),
    "webdav": ({"url": URL, **LOGIN}, FOLDER),
    "sharepoint": ({"url": URL, "library": PLANTED["library"], **LOGIN}, FOLDER),
    "sharepoint-online": ({"tenant": PLANTED["tenant"], "client_id": PLANTED["client"], "site": URL,
                           "client_secret": PLANTED["secret"], "login_url": f"https://{HOST}",
                           "graph_url": f"https://{HOST}"}, FOLDER),
    "s3": ({"endpoint": f"https://{HOST}", "bucket": PLANTED["bucket"], "access_key": PLANTED["key"],
            "secret_key": PLANTED["secret"], "prefix": PLANTED["prefix"]}, FOLDER),
    "paperless": ({"url": URL, "token": PLANTED["token"]}, {"title": PLANTED["subject"]}),
    "email": ({"host": HOST, "auth": "plain", "from": f"{PLANTED['user']}@{HOST}", **LOGIN},
              {"to": f"{PLANTED['recipient']}@{HOST}", "subject": PLANTED["subject"]}),
    "printer": ({"uri": f"ipps://{HOST}/{PLANTED['queue']}", "auth": "digest", **LOGIN}, {}),
    "program": ({"program": "/nowhere/" + PLANTED["path"], "arguments": [{"argument": PLANTED["argument"]}]}, {}),
    "webhook": ({"url": URL, "secret": PLANTED["secret"], "headers": f"X-Key: {PLANTED['headers']}"}, {}),
}


def shapes(text):
    """A text as it might stand in a message."""
    for case in text, text.lower(), text.upper():
        yield case.encode()
        yield case.encode("utf-16-le")
        yield case.encode("utf-16-be")
        yield case.encode().hex().encode()
    for front in range(3):  # wherever it begins in a longer text that is told as base64
        yield base64.b64encode(b"x" * front + text.encode())[4:-4]


def tried(house):
    """Kinds to which a delivery was tried."""
    return {d["destination_name"].split(" ")[1] for d in house.ask("delivery", "list", "--limit", 100)
            if d["attempts"]}


def test_a_device_is_told_nothing_of_destinations():
    with House() as house, Relay(house) as relay:
        house.start()
        kinds = {kind["kind"] for kind in house.get("/destination-kinds")["items"]}
        assert kinds == set(ACCOUNTS), "a kind whose account is not looked for"
        name = PLANTED["destination"] + " "
        house.cli("config", "apply", "-", input=json.dumps({
            "destinations": [{"name": name + kind, "kind": kind, "settings": settings}
                             for kind, (settings, _) in ACCOUNTS.items()],
            "jobs": [{"name": job, "file_name": "scan", "index": "none", "destinations": [
                {"destination": name + kind, "options": ACCOUNTS[kind][1]} for kind in part]}
                for job, part in (("Scan", list(ACCOUNTS)[:7]), ("Other", list(ACCOUNTS)[7:]))],
            "job_groups": [{"name": "All", "jobs": [{"job": "Scan", "panel_choice": "1-sided-pdf"},
                                                    {"job": "Other", "panel_choice": "1-sided-jpeg"}]}]}))
        device = relay.device(pages(8, "rules"))
        for _ in range(2):  # and again, after all of it has failed
            for choice in CHOICES["Scan"], CHOICES["Counted"]:
                assert device.scan(2, choice) == "done"
                wait_until(lambda: house.batches()[0]["state"] != "receiving", "the end of the scan")
            wait_until(lambda: tried(house) == set(ACCOUNTS), "an attempt everywhere")
        sent = relay.sent()
        # It was all read: the name of the server, and the scans.
        assert b"ClientName=Platen" in sent and len(relay.datagrams) >= 1
        assert len(relay.streams) >= 4 and all(relay.streams) and len(sent) > 500
        house.stop()
        sent = relay.sent()
        assert b"4c81" not in sent
        for text in [HOST, *PLANTED.values()]:
            assert not [shape for shape in shapes(text) if shape in sent], f"{text} went to a device"


# --- what a destination gets ------------------------------------------------------------------------------

DOCUMENT = re.compile(r"scan-\d{4}(_\d+)?\.(pdf|csv)|\.platen-[0-9a-z]{26}(-test)?\.part")
OF_THE_SERVER = {"webdav": re.compile(r"\.davfs\.tmp\w+")}  # Apache's own while it receives


def place_of(kind, word, house):
    """Settings for an empty folder of the kind, and its path."""
    changes = {"webdav": lambda: {"url": kind.url(path="rules/")}, "ftp": lambda: {"path": "rules"},
               "smb": lambda: {"path": "rules"}, "folder": lambda: {"path": house.delivered}}
    path = house.delivered if word == "folder" else os.path.join(kind.home(), "rules")
    os.makedirs(path, exist_ok=True)
    os.chmod(path, 0o777)
    return kind.settings(**changes[word]()), path


def refused_and_mended(house, word, settings):
    """A password or a folder is wrong for a while."""
    wrong = {"path": settings["path"] + "/none"} if word == "folder" else {"password": "wrong"}
    for given in wrong, {name: settings[name] for name in wrong}:
        words = [w for name, value in given.items() for w in ("--" + name, value)]
        house.cli("destination", "set", "There", *words)
        house.run("destination", "test", "There")
        if given is wrong:
            for _ in range(2):  # two refusals stop it
                assert house.devices[0].scan(2) == "done"
            wait_until(lambda: house.batches()[0]["state"] == "attention", "the refusal")
    house.run("destination", "resume", "There")


def die_while_delivering(house, device, which):
    """The server or the process that delivers is killed as soon as something is there to deliver."""
    assert device.scan(2) == "done"
    wait_until(lambda: house.batches()[0]["state"] in ("delivering", "done"), "a delivery", 30)
    if which == "deliver":
        for pid in house.workers():  # one may be gone before it is looked at
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/cmdline", "rb") as f:
                if b"platen-deliver" in f.read():
                    os.kill(pid, 9)
    else:
        house.kill()
        house.start()


def works(house):
    """Whether the destination's test goes well; what it says is shown when the test of ours fails."""
    tried = house.run("destination", "test", "There")
    print(tried.stdout, tried.stderr)
    return tried.returncode == 0


@pytest.mark.parametrize("word", "folder ftp webdav smb".split())
def test_a_destination_gets_documents_and_indexes_only(kinds, word):
    kind = kinds(word)
    with House() as house:
        settings, path = place_of(kind, word, house)
        house.start()
        house.cli("config", "apply", "-", input=json.dumps({
            "destinations": [{"name": "There", "kind": word, "settings": settings}],
            "jobs": [{"name": "Scan", "file_name": "scan-{seq:4}", "index": "csv",
                      "destinations": [{"destination": "There"}]}],
            "job_groups": [{"name": "All", "jobs": [{"job": "Scan", "panel_choice": "1-sided-pdf"}]}]}))
        with Names(path) as names:
            device = house.device(pages(30, word, 200000))
            # A server that a test of faults has just started again may need a moment.
            wait_until(lambda: works(house), "the place to work")
            assert device.scan(2) == "done"
            house.wait_quiet()
            refused_and_mended(house, word, settings)
            for which in ("deliver", "server") * 2:
                die_while_delivering(house, device, which)
            house.send_everything()
            house.cli("destination", "test", "There")
        there = sorted(os.listdir(path))
        assert there == sorted(f"scan-{i:04}.{end}" for i in range(1, 8) for end in ("csv", "pdf"))
        assert {n for n in there if n.endswith("pdf")} < names.seen, "the folder was watched"
        odd = {name for name in names.seen if not DOCUMENT.fullmatch(name)
               and not (word in OF_THE_SERVER and OF_THE_SERVER[word].fullmatch(name))}
        assert not odd, f"what is no document was there: {odd}"
        for name in there:
            with open(os.path.join(path, name), "rb") as f:
                content = f.read()
            assert content.startswith(b"%PDF-") if name.endswith("pdf") else b"sha256" in content.splitlines()[0]
        assert PASSWORD.encode() not in b"".join(open(os.path.join(path, n), "rb").read() for n in there)
