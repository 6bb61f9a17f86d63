"""The outbox through the whole server: a scan to several destinations of which some fail, what a person can
do about it, passwords that are refused, and secrets that are nowhere to be read."""

import contextlib
import json
import os
import subprocess

import pytest

from house import House, pages, sha256, wait_until
from peer import PASSWORD, USER, authority

SECRET = "Planted-Secret-7f3a"


@pytest.fixture
def house():
    with House() as h:
        h.start()
        yield h


@pytest.fixture
def ftp(kinds):
    return kinds("ftp")


def define(house, destinations, **job):
    """Destinations by name, and the job Scan that delivers to all of them."""
    config = {
        "destinations": [{"name": name, **d} for name, d in destinations.items()],
        "jobs": [{"name": "Scan", "file_name": "scan-{seq:4}", "index": "csv",
                  "destinations": [{"destination": name, "options": job.get("options", {}).get(name, {})}
                                   for name in destinations]}],
        "job_groups": [{"name": "All", "jobs": [{"job": "Scan", "panel_choice": "1-sided-pdf"}]}],
    }
    house.cli("config", "apply", "-", input=json.dumps(config))


def folder(house, **more):
    return {"kind": "folder", "settings": {"path": house.delivered}, **more}


def ftp_of(ftp, path, **changes):
    """A destination for a folder of its own on the FTP server."""
    os.makedirs(os.path.join(ftp.home(), path), exist_ok=True)
    os.chmod(os.path.join(ftp.home(), path), 0o777)
    return {"kind": "ftp", "settings": ftp.settings(path=path, **changes)}


def there(ftp, path):
    return {name.split("/", 1)[1]: content for name, content in ftp.files().items()
            if name.startswith(path + "/")}


def scan(house, sheets=2):
    device = house.devices[0] if house.devices else house.device(pages(12, "outbox"))
    assert device.scan(sheets) == "done"


def deliveries(house, **query):
    words = [w for k, v in query.items() for w in ("--" + k, v)]
    return house.ask("delivery", "list", "--limit", 100, *words)


def attempted(house, **query):
    """Deliveries of which an attempt has ended, and none is under way."""
    return [d for d in deliveries(house, **query) if d["attempts"] and d["state"] != "sending"]


def test_one_scan_goes_to_both_and_each_gets_its_own_index(house, ftp):
    define(house, {"Here": folder(house), "There": ftp_of(ftp, "both")},
           options={"There": {"folder": "{job}/{date:%Y}"}})
    scan(house)
    batch, = house.wait_quiet()
    assert batch["state"] == "done"
    remote = there(ftp, "both")
    (pdf, content), = [(n, c) for n, c in remote.items() if n.endswith(".pdf")]
    assert pdf.startswith("Scan/20") and content == house.content("scan-0001.pdf")
    index, = [c for n, c in remote.items() if n.endswith(".csv")]
    assert sha256(content) in index.decode()
    for delivery in deliveries(house):
        assert delivery["state"] == "done"
        receipt = delivery["result"]
        assert receipt["size_bytes"] > 0 and len(receipt["sha256"]) == 64 and receipt["remote_name"]


def test_a_dead_destination_delays_no_other_and_waits(house, ftp):
    define(house, {"Here": folder(house), "Dead": ftp_of(ftp, "dead", port=1)})
    scan(house)
    wait_until(lambda: house.files(".csv"), "the healthy destination")
    waiting = wait_until(lambda: attempted(house, destination="Dead"), "the end of a first attempt")
    assert waiting[0]["state"] == "ready" and waiting[0]["result"]["stage"] == "connect"
    assert waiting[0]["due_at"]
    # Mended by hand: it goes on at once, not after the wait.
    house.cli("destination", "set", "Dead", "--port", ftp.explicit)
    for delivery in deliveries(house, destination="Dead", state="ready"):
        house.run("delivery", "hold", delivery["id"])
        house.run("delivery", "retry", delivery["id"])
    assert [b["state"] for b in house.wait_quiet()] == ["done"]
    assert len(there(ftp, "dead")) == 2


def test_a_refused_password_stops_the_destination(house, ftp):
    define(house, {"Here": folder(house), "Locked": ftp_of(ftp, "locked", password="wrong")})
    for _ in range(3):
        scan(house)
    stopped = wait_until(lambda: [d for d in house.ask("destination", "list") if "stopped" in d],
                         "the destination to stop")[0]
    assert stopped["name"] == "Locked" and stopped["stopped"]["cure"]
    assert {b["state"] for b in house.wait_quiet()} == {"attention"}
    tried = sum(d["attempts"] for d in deliveries(house, destination="Locked"))
    assert tried == 2, "an account was nearly locked"
    held = deliveries(house, destination="Locked", state="held")
    assert held and all(d["note"] for d in held)
    refused = house.run("delivery", "retry", held[0]["id"])
    assert refused.returncode == 1 and "stopped" in refused.stderr
    scan(house)  # what comes meanwhile is held as well
    wait_until(lambda: all(b["state"] == "attention" for b in house.batches()), "the fourth batch")
    trial = house.run("destination", "test", "Locked")
    assert trial.returncode == 1 and "login" in trial.stdout and "do:" in trial.stdout
    house.cli("destination", "set", "Locked", "--password", PASSWORD)
    assert {b["state"] for b in house.wait_quiet()} == {"done"}
    assert len(there(ftp, "locked")) == 8
    assert "stopped" not in house.ask("destination", "show", "Locked")


def test_a_person_moves_deliveries(house, ftp):
    wrong = ftp_of(ftp, "moved")
    wrong["settings"]["path"] = "moved/none"
    define(house, {"Here": folder(house), "Wrong": wrong})
    house.cli("config", "apply", "-", input=json.dumps(
        {"destinations": [{"name": "Other", **ftp_of(ftp, "other")}]}))
    scan(house)
    batch, = house.wait_quiet()
    assert batch["state"] == "attention"
    document, index = sorted(deliveries(house, destination="Wrong"), key=lambda d: d["attempts"],
                             reverse=True)
    assert document["state"] == "held" and document["result"]["stage"] == "locate"
    house.cli("delivery", "elsewhere", document["id"], "Other", "--options", '{"folder":"x"}')
    # Its document is settled now, so that the index is tried for a moment.
    wait_until(lambda: house.run("delivery", "drop", index["id"]).returncode == 0, "the index to be dropped")
    assert [b["state"] for b in house.wait_quiet()] == ["done"]
    assert list(there(ftp, "other")) == ["x/scan-0001.pdf"]
    shown = house.ask("delivery", "show", document["id"])
    assert shown["state"] == "dropped" and "elsewhere" in shown["note"].lower()
    assert shown["history"][0]["class"] == "config"
    # A dropped one can be taken up again, and then the batch is not done any more.
    house.cli("destination", "set", "Wrong", "--path", "moved")
    house.cli("delivery", "retry", document["id"])
    assert [b["state"] for b in house.wait_quiet()] == ["done"]
    assert "scan-0001.pdf" in there(ftp, "moved")


def test_the_test_button(house, ftp):
    define(house, {"Good": ftp_of(ftp, "button"), "Bad": ftp_of(ftp, "button", port=1)})
    good = house.cli("destination", "test", "Good")
    for stage in "resolve connect tls login locate write verify rename remove".split():
        assert stage in good
    assert there(ftp, "button") == {}
    report = json.loads(house.run("destination", "test", "Bad", "--json").stdout)
    assert report["ok"] is False and report["result"]["stage"] == "connect" and report["stages"] == []


def test_a_key_seen_first_is_stored_and_counts(house, ftp):
    define(house, {"First": ftp_of(ftp, "first", tls_trust="first-use", tls_ca="")})
    house.cli("destination", "test", "First")
    assert house.ask("destination", "show", "First")["settings"]["tls_pin"] == authority().pin()
    scan(house)
    assert [b["state"] for b in house.wait_quiet()] == ["done"]


def test_an_insecure_destination_is_marked(house, ftp):
    define(house, {"Safe": ftp_of(ftp, "safe"), "Open": ftp_of(ftp, "open", tls_trust="insecure"),
                   "Plain": ftp_of(ftp, "plain", encryption="none")})
    listed = house.cli("destination", "list").splitlines()
    marked = {line.split()[0] for line in listed if "reads everything" in line}
    assert marked == {"Open", "Plain"}
    assert "\x1b" not in "".join(listed), "colours are for terminals"
    red = subprocess.run(["script", "-qec", f"{house.program('platen')} destination list", "/dev/null"],
                         env=house.environment, capture_output=True, text=True, check=True).stdout
    assert "\x1b[31mThe server's certificate is not checked" in red


def test_stop_holds_and_resume_sends(house):
    define(house, {"Here": folder(house)})
    house.cli("destination", "stop", "Here")
    scan(house)
    wait_until(lambda: [b["state"] for b in house.batches()] == ["attention"], "the batch to wait")
    assert house.files() == []
    house.cli("destination", "resume", "Here")
    assert [b["state"] for b in house.wait_quiet()] == ["done"]
    assert len(house.files()) == 2


def of_process(pid, name):
    """A file about a process; nothing when it is gone: those that deliver end when there is no work."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read()
    return b""


def test_secrets_are_nowhere_to_be_read(house, ftp):
    define(house, {"Here": folder(house), "Secret": ftp_of(ftp, "secret", password=SECRET)})
    scan(house)
    house.wait_quiet()
    said = [house.cli("config", "export"), house.cli("destination", "list", "--json"),
            house.cli("destination", "show", "Secret", "--json"), house.cli("delivery", "list", "--json"),
            json.dumps(house.get("/destination-kinds")), house.cli("event", "list", "--limit", "1000", "--json"),
            house.run("destination", "test", "Secret").stdout]
    assert not [text for text in said if SECRET in text]
    cores = []
    for pid in [house.server.pid, *house.workers()]:
        for name in "cmdline", "environ":
            assert SECRET.encode() not in of_process(pid, name), name
        cores += [line.split()[4:6] for line in of_process(pid, "limits").splitlines()
                  if line.startswith(b"Max core file size")]
    assert cores and all(core == [b"0", b"0"] for core in cores), "a core dump would hold passwords"
    house.stop()
    found = subprocess.run(["grep", "-rlaF", SECRET, house.folder], capture_output=True, text=True,
                           check=False).stdout.split()
    assert found == [], "the secret is in files"


def test_the_master_key_rotates(house, ftp):
    define(house, {"There": ftp_of(ftp, "rotated")})
    house.stop()
    before = open(os.path.join(house.data, "master.key"), encoding="ascii").read()
    out = subprocess.run([house.program("platen"), "rotate-key", "--config", house.config_path],
                         env=house.environment, capture_output=True, text=True, check=True).stdout
    assert out.startswith("1 of 1 destinations")
    after = open(os.path.join(house.data, "master.key"), encoding="ascii").read()
    assert before != after and after.count("\n") == before.count("\n")
    house.start()
    scan(house)
    assert [b["state"] for b in house.wait_quiet()] == ["done"]
    assert len(there(ftp, "rotated")) == 2
    # Without the key nothing is sent, and it is said why.
    house.stop()
    os.remove(os.path.join(house.data, "master.key"))
    house.start()
    scan(house)
    batch, = [b for b in house.wait_quiet() if b["state"] == "attention"]
    held = [d for d in house.parts(batch, "deliveries") if d["state"] == "held"][0]
    assert "master key" in held["result"]["text"] and "master.key" in held["result"]["cure"]
    house.cli("destination", "set", "There", "--password", PASSWORD)
    house.cli("batch", "retry", batch["id"])
    assert {b["state"] for b in house.wait_quiet()} == {"done"}


def test_expired_deliveries_fail(house, ftp):
    define(house, {"Dead": {**ftp_of(ftp, "expired", port=1), "expiry_hours": 1}})
    scan(house)
    wait_until(lambda: attempted(house), "the end of a first attempt")
    house.stop()
    subprocess.run(["sqlite3", os.path.join(house.data, "platen.db"),
                    "UPDATE delivery SET tried_since = tried_since - 3601000, due_at = 0"], check=True)
    house.start()
    batch, = house.wait_quiet()
    assert batch["state"] == "attention"
    failed = deliveries(house, state="failed")
    assert len(failed) == 1 and failed[0]["result"]["class"] == "retry"
    house.cli("delivery", "retry", failed[0]["id"])  # a person's retry has its full time again
    again, = wait_until(lambda: [d for d in attempted(house) if d["id"] == failed[0]["id"]
                                 and d["attempts"] > failed[0]["attempts"]], "the end of another attempt")
    assert again["state"] == "ready" and not deliveries(house, state="failed")
