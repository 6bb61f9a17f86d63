"""test_registration.py - how jobs reach the panels of devices that are not of our making.

The real server against epson_device.py: both versions of the registration."""

import itertools
import json
import os
import re
import socket
import threading
import urllib.error
import urllib.request

import pytest

import common
import epson_models
from epson_device import Device, Manner
from served import running

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = open(os.path.join(HERE, "data", "pages", "page-1.jpg"), "rb").read()

addresses = (f"127.0.{i // 250 + 8}.{i % 250 + 1}" for i in itertools.count())


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


def device_at(house, model=epson_models.XP7100, tags=None):
    device = Device(next(addresses), house.scan_port, model, [PAGE])
    device.tags = tags or device.tags
    return device


def register(house, device):
    return device.register(("127.0.0.1", house.udp_port))


def version_2(house):
    return [("ClientName", "Platen"), ("IPAddress", "127.0.0.1"), ("EventPort", str(house.tcp_port))]


def version_3(house):
    return [("Ver", "3.0"), *version_2(house), ("Group", "0")]


@pytest.mark.parametrize("model, tags, expected", [
    (epson_models.XP7100, None, version_2),
    (epson_models.FF680W, None, version_3),
    (epson_models.FF680W._replace(product="PID 0169"), None, version_3),
    (epson_models.XP7100, b"Ver,ClientName,IPAddress,EventPort,Group", version_3),
    (epson_models.XP7100, b"ClientName,IPAddress,EventPort,Group", version_3),
], ids=["plain", "ff680w", "ds575w", "asks", "asks-group"])
def test_keys_of_the_answer(house, model, tags, expected):
    """In this order: Ver is first and Group last."""
    with device_at(house, model, tags) as device:
        assert list(register(house, device).items()) == expected(house)


@pytest.mark.parametrize("model, setting, expected", [
    (epson_models.XP7100, "version-3", version_3),
    (epson_models.FF680W, "version-2", version_2),
])
def test_keys_can_be_set_for_a_device(house, model, setting, expected):
    with device_at(house, model) as device:
        before = list(register(house, device).items())
        assert before != expected(house)
        id_ = house.approve(device.address, registration=setting)
        assert house.show("device", "show", id_)["registration"] == setting
        common.wait_until(lambda: list(register(house, device).items()) == expected(house),
                          "the answer as it was set")
        house.cli("device", "set", id_, "--registration", "auto")
        common.wait_until(lambda: list(register(house, device).items()) == before,
                          "the answer as the device asks")


def test_a_setting_is_known_from_the_first_request_after_a_start(house):
    """And it is exported and applied with the rest."""
    with device_at(house) as device:
        register(house, device)
        id_ = house.approve(device.address, registration="version-3")
        house.stop()
        house.start()
        assert list(register(house, device).items()) == version_3(house)
        exported = house.cli("config", "export")
        assert "registration: version-3" in exported
        house.cli("device", "set", id_, "--registration", "auto")
        path = os.path.join(house.top, "exported.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(exported)
        house.cli("config", "apply", path)
        assert house.show("device", "show", id_)["registration"] == "version-3"


def test_virtual_device_of_version_3(house, tmp_path):
    """What platen-mfp asks for, byte for byte, and that it tells the two kinds of answers apart."""
    common.make_pictures(tmp_path, 1, 40, 40)
    options = ["--pages", tmp_path, "--port", house.scan_port, "--announce-every", 1,
               "--registration", 3]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(common.PATIENCE_S)
        target = "127.0.0.1:%d" % ear.getsockname()[1]
        with common.start_mfp(*options, "--address", next(addresses), "--server", target):
            packet = ear.recv(2000)
    assert packet[:10] == b"\x02\x06" + len(packet).to_bytes(3, "big") + bytes(5)
    assert packet[12:] == (b"\0\2en" b"\0\0" b"\0\x1cservice:NetScanMonitor-agent" b"\0\x08PID 1147"
                           b"\0\x28Ver,ClientName,IPAddress,EventPort,Group" b"\0\0")
    target = f"127.0.0.1:{house.udp_port}"
    with common.start_mfp(*options, "--address", next(addresses), "--server", target) as mfp:
        assert common.fields(mfp.wait_line("destination ")) == {
            "name": "Platen", "address": "127.0.0.1", "port": str(house.tcp_port), "version": "3"}
        house.approve(mfp.ready["address"], registration="version-2")
        assert "version" not in common.fields(mfp.wait_line("destination "))


# ---- version 3: lists of jobs and job control ---------------------------------------------------

RESPONSE = ('<?xml version="1.0" ?>\r\n'
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">\r\n'
            '  <s:Body>\r\n'
            '    <p:PushScanResponse xmlns:p="http://schema.epson.net/EpsonNet/Scan/2004/pushscan">'
            '\r\n      <StatusOut>%s</StatusOut>\r\n%s'
            '    </p:PushScanResponse>\r\n'
            '  </s:Body>\r\n'
            '</s:Envelope>\r\n')


def response(device, status="OK", lines=""):
    """The documented answer, byte for byte."""
    body = RESPONSE % (status, "".join(f"      {line}\r\n" for line in lines))
    assert len(body) == 276 or status == "ERROR" or lines
    return ("HTTP/1.0 200 OK\r\nServer : Epson Net Scan Monitor/2.0\r\n"
            "Content-Type : application/octet-stream\r\n"
            f"Content-Length : {len(body.encode())}\r\n"
            "x-protocol-name : Epson Network Service Protocol\r\n"
            f"x-protocol-version : {device.version}\r\nx-uid : {device.uid}\r\n"
            f"x-status : 0001\r\n\r\n{body}").encode()


def capabilities(*words):
    return [f"<CapabilityOut>{word}</CapabilityOut>" for word in words]


class Version3:
    """An FF-680W beside the server, registered and approved."""

    def __init__(self, house, approve=True, **manner):
        page = epson_models.ff680w_page()
        self.house, self.to = house, ("127.0.0.1", house.tcp_port)
        self.device = Device(next(addresses), house.scan_port, epson_models.FF680W, [page],
                             Manner(**manner))
        self.device.version = "3.00"
        register(house, self.device)
        self.id = house.approve(self.device.address) if approve else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.close()

    def asked(self, status="OK"):
        answer = self.device.ask_jobs(self.to)
        lines = capabilities("OfficeFormat", "PanelData=0110") if status == "OK" else ""
        return answer == response(self.device, status, lines)

    def pressed(self, job, status="OK"):
        return self.device.press(self.to, job=job) == response(self.device, status)


def test_version_3_from_the_list_to_the_end(house):
    """The captured order: job control is over before each answer, the scan begins after it."""
    assert len(RESPONSE % ("OK", "".join(
        f"      {line}\r\n" for line in capabilities("OfficeFormat", "PanelData=0110")))) == 380
    with Version3(house) as v3:
        assert v3.asked()
        assert v3.device.talks == ["JOBW", "unlock", "answer"]
        assert v3.pressed(0)
        v3.device.wait_end()
        batch = house.settled_batch(v3.id)
        assert batch["state"] == "done" and batch["pages"] == 1
        assert v3.device.say(v3.to, "ScanEnd") == response(v3.device)
        assert [t for t in v3.device.talks if t != "scan"] == [
            "JOBW", "unlock", "answer", "JOBR", "unlock", "answer", "answer"]
        assert v3.device.talks.index("scan") > v3.device.talks.index("JOBR")
        assert v3.device.complaints == []
        assert house.show("device", "show", v3.id)["panel"] == "version-3"
        assert house.batches(v3.id)[1:] == []


def test_version_3_presses_without_asking(house):
    with Version3(house, lock_naks=1) as v3:  # locked at first: it is asked again
        assert v3.pressed(0)
        v3.device.wait_end()
        assert house.settled_batch(v3.id)["state"] == "done"
        assert v3.device.complaints == []


@pytest.mark.parametrize("fault, code", [("silent", "no-answer"), ("gone", "connection-lost"),
                                         ("wrong-reply", "job-control-failed"),
                                         ("no-welcome", "no-answer")])
def test_job_control_that_fails(house, fault, code):
    """ERROR, no scan, the device unlocked; and it works again afterwards."""
    with Version3(house, job_fault=fault) as v3:
        assert v3.asked("ERROR")
        assert v3.pressed(0, "ERROR")
        batch = house.settled_batch(v3.id)
        assert (batch["state"], batch["reason"]["code"], batch["pages"]) == ("broken", code, 0)
        assert "scan" not in v3.device.talks
        unlocks = 2 if fault in ("silent", "wrong-reply") else 0
        common.wait_until(lambda: v3.device.talks.count("unlock") >= unlocks, "the device to be unlocked")
        assert v3.device.talks.count("unlock") == unlocks
        assert v3.device.complaints == []
        v3.device.manner = Manner()
        assert v3.asked() and v3.pressed(0)
        v3.device.wait_end()
        assert house.settled_batch(v3.id, [batch["id"]])["state"] == "done"


def test_job_control_with_a_device_that_is_not_there(house):
    with Version3(house) as v3:
        v3.device.stop_listening()
        assert v3.asked("ERROR") and v3.pressed(0, "ERROR")
        reason = house.settled_batch(v3.id)["reason"]
        assert reason["code"] == "connect-failed" and "Connection refused" in reason["text"]


def test_nobody_who_is_not_approved_is_told_or_talked_to(house):
    with Version3(house, approve=False) as v3:
        assert v3.asked("ERROR") and v3.pressed(0, "ERROR")
        assert v3.device.talks == ["answer", "answer"] and v3.device.sessions == 0


def test_numbers_nobody_was_told(house):
    with Version3(house) as v3:
        assert v3.asked()
        assert v3.pressed(1, "ERROR") and v3.pressed(65535, "ERROR")
        assert house.batches(v3.id) == []


def test_a_device_that_was_stopped_with(house):
    """The server stops while job control runs: it ends in time."""
    with Version3(house, job_fault="silent") as v3:
        waiting = threading.Thread(target=v3.device.ask_jobs, args=(v3.to,))
        waiting.start()
        common.wait_until(lambda: "JOBW" in v3.device.talks, "job control")
        house.stop()
        waiting.join()
        house.start()


# ---- names on panels ---------------------------------------------------------------------------

def job(house, name, **more):
    """Makes a job; its id."""
    status, answer = house.api("POST", "/api/v1/jobs", {
        "name": name, "destinations": [{"destination": folder_id(house)}], **more})
    assert status == 201, answer
    return answer["id"]


def folder_id(house):
    return house.show("destination", "list")[0]["id"]


def test_names_that_panels_cannot_show_or_tell_apart(house):
    """Refused when a job or a group is edited, with the field and what to do."""
    north = job(house, "Invoices of the northern branch")
    south = job(house, "Invoices of the north, old", panel_name="Old invoices")
    odd = job(house, "Letters (all)")
    body = {"name": "Branch", "jobs": [{"job": north}, {"job": odd}]}
    status, answer = house.api("POST", "/api/v1/job-groups", body)
    assert status in (400, 422), answer
    assert answer["field"] == "jobs[1].job" and "Letters (all)" in answer["detail"]
    body["jobs"][1] = {"job": south}
    status, group = house.api("POST", "/api/v1/job-groups", body)
    assert status == 201, group
    whole = house.api("GET", f"/api/v1/jobs/{south}")[1]
    settings = {k: v for k, v in whole.items() if k not in ("id", "revision")}
    for wrong, part in (("Invoices of the nort", "same name"), ("a=b", "cannot show"),
                        ("123456789012345678901", "cannot show")):
        status, answer = house.api("PUT", f"/api/v1/jobs/{south}", {**settings, "panel_name": wrong})
        assert status in (400, 422) and answer["field"] == "panel_name", answer
        assert part in answer["detail"] and answer["remedy"], answer
    status, answer = house.api("PUT", f"/api/v1/jobs/{south}", {**settings, "panel_name": ""})
    assert status in (400, 422), answer  # its name has a comma
    text = house.cli("config", "export").replace("panel_name: Old invoices",
                                                 "panel_name: Invoices of the nort")
    path = os.path.join(house.top, "same-names.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    with pytest.raises(AssertionError, match="same name"):
        house.cli("config", "apply", path)
    assert house.api("GET", f"/api/v1/jobs/{south}")[1]["panel_name"] == "Old invoices"


# ---- lists of jobs by name (our own extension) ---------------------------------------------------

def names_of(answer):
    return dict(re.findall(r'<j:Job number="(\d+)" name="([^"]*)"/>', answer.decode()))


def test_names_of_jobs_go_only_to_whom_offers_them(house):
    """A panel that offers X-JobList/1 gets the jobs of its group and starts them by number; no job
    control is done with it."""
    first, second = job(house, "Bills", panel_name="R&D \"bills\""), job(house, "Notes")
    status, group = house.api("POST", "/api/v1/job-groups", {
        "name": "Listed", "jobs": [{"job": first}, {"job": second}]})
    assert status == 201, group
    with device_at(house) as device:
        to = ("127.0.0.1", house.tcp_port)
        register(house, device)
        id_ = house.approve(device.address, job_group="Listed")
        assert house.show("device", "show", id_)["jobs_by_now"] == "choice"
        answer = device.ask_jobs(to, ["PanelData=0110", "X-JobList=1"])
        assert answer == response(device, "OK", [
            *capabilities("PanelData=0110", "X-JobList=1"),
            '<j:Jobs xmlns:j="urn:x-scan-server:joblist:1">'
            '<j:Job number="1" name="R&amp;D &quot;bills&quot;"/><j:Job number="2" name="Notes"/>'
            "</j:Jobs>"])
        shown = house.show("device", "show", id_)
        assert (shown["panel"], shown["jobs_by_now"]) == ("job-list", "job-list")

        def started(number):
            before = [b["id"] for b in house.batches(id_)]
            assert b">OK<" in device.press(to, job=number)
            device.wait_end()
            return house.settled_batch(id_, before)["job"]

        def name(batch_job):
            return batch_job["name"] if isinstance(batch_job, dict) else batch_job

        assert name(started(2)) == "Notes"
        # The numbers stay those that were told, whatever the group is now.
        body = {"name": "Listed", "jobs": [{"job": second}]}
        assert house.api("PUT", f"/api/v1/job-groups/{group['id']}", body)[0] == 200
        assert name(started(2)) == "Notes"
        assert b">ERROR<" in device.press(to, job=1) and b">ERROR<" in device.press(to, job=3)
        assert names_of(device.ask_jobs(to, ["X-JobList=1"])) == {"1": "Notes"}
        assert name(started(1)) == "Notes"
        assert b">ERROR<" in device.press(to, job=0)  # the one of version 3, which is in no list
        assert "job 0" in house.show("event", "list", "--kind", "scan.refused")[0]["text"]
        assert device.complaints == [] and not {"JOBW", "JOBR"} & set(device.talks)
        house.cli("device", "set", id_, "--jobs-by", "choice")
        assert b">ERROR<" in device.ask_jobs(to, ["X-JobList=1"])


def test_what_is_set_and_cannot_work_is_said(house):
    """It is kept, and set, show and doctor say why another way is used."""
    jobs = [{"job": job(house, f"Sort {i}")} for i in range(7)]
    for name, some in (("Six", jobs[:6]), ("Seven", jobs)):
        assert house.api("POST", "/api/v1/job-groups", {"name": name, "jobs": some})[0] == 201

    def set_to(way, *words):
        done = house.platen("device", "set", id_, "--jobs-by", way, *words)
        shown = house.show("device", "show", id_)
        codes = [n["code"] for n in shown["jobs_by_notes"]]
        assert all(n["text"] in done.stderr and n["remedy"] in done.stderr
                   for n in shown["jobs_by_notes"]) and done.returncode == 0
        told = [f for f in house.api("GET", "/api/v1/doctor")[1]["items"] if f["name"] == "device-jobs-by"]
        assert [(f["what"], f["cure"]) for f in told] == [
            (n["text"], n["remedy"]) for n in shown["jobs_by_notes"]]
        return shown["jobs_by_now"], codes

    with device_at(house) as device:
        register(house, device)
        id_ = house.approve(device.address, job_group="Six")
        assert set_to("auto") == ("choice", [])
        assert set_to("name") == ("choice", ["one-interface"])
        assert set_to("job-list") == ("choice", ["panel-shows-no-lists"])
        assert set_to("version-3") == ("choice", ["panel-shows-no-lists"])
        assert set_to("choice", "--job-group", "Seven") == ("choice", ["jobs-beyond-choice"])
        assert set_to("name") == ("choice", ["one-interface", "jobs-beyond-choice"])
        assert set_to("job-list") == ("choice", ["panel-shows-no-lists", "jobs-beyond-choice"])
        # What is set is used once the panel asks for it.
        answer = device.ask_jobs(("127.0.0.1", house.tcp_port), ["X-JobList=1"])
        assert len(names_of(answer)) == 7
        assert set_to("job-list") == ("job-list", [])
        house.cli("device", "delete", id_)


def ask_panel(mfp, path, body=None):
    """(status, answer) of the panel of platen-mfp."""
    request = urllib.request.Request(mfp.ready["panel"] + path,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=common.PATIENCE_S) as answer:
            text = answer.read().decode()
            return answer.status, json.loads(text) if text[:1] == "{" else text
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_virtual_panel_shows_jobs_and_starts_one(house, tmp_path):
    """What platen-mfp says to a server that is not ours, and the whole way with ours."""
    common.make_pictures(tmp_path, 1, 40, 40)
    one, two = job(house, "Bills 2"), job(house, "Notes 2", file_name="notes-{seq:3}")
    assert house.api("POST", "/api/v1/job-groups", {
        "name": "Shown", "jobs": [{"job": one}, {"job": two}]})[0] == 201
    with common.start_mfp("--pages", tmp_path, "--port", house.scan_port, "--announce-every", 1,
                          "--address", next(addresses), "--panel-port", 0, "--server",
                          f"127.0.0.1:{house.udp_port}") as mfp:
        mfp.wait_line("destination ")
        assert ask_panel(mfp, "/jobs", {"name": "Platen"})[0] < 300
        assert mfp.wait_line("jobs ") == 'jobs name="Platen" count=0'  # not approved
        assert ask_panel(mfp, "/state")[1]["jobs"] == {"of": "Platen"}
        id_ = house.approve(mfp.ready["address"], job_group="Shown")
        assert ask_panel(mfp, "/jobs", {"name": "Platen"})[0] < 300
        assert mfp.wait_line("jobs ") == 'jobs name="Platen" count=2'
        jobs = ask_panel(mfp, "/state")[1]["jobs"]
        assert jobs == {"of": "Platen", "list": [{"number": 1, "name": "Bills 2"},
                                                 {"number": 2, "name": "Notes 2"}]}
        assert ask_panel(mfp, "/press", {"name": "Platen"})[0] == 400  # neither choice nor job
        assert ask_panel(mfp, "/press", {"name": "Platen", "job": 2})[0] < 300
        assert mfp.wait_line("pressed ") == 'pressed name="Platen" choice=- result=OK'
        assert mfp.wait_line("scan-end ").endswith("outcome=done")
        batch = house.settled_batch(id_)
        assert os.path.basename(house.delivered_file(batch["id"], ".pdf")).startswith("notes-")
        assert house.show("device", "show", id_)["jobs_by_now"] == "job-list"
        assert ask_panel(mfp, "/press", {"name": "Platen", "job": 9})[0] < 300
        assert "result=ERROR" in mfp.wait_line("pressed ")


def test_virtual_panel_asks_another_server_in_the_documented_form(tmp_path):
    """A server that knows no lists answers ERROR: the panel has no jobs then."""
    common.make_pictures(tmp_path, 1, 40, 40)
    with Device("127.0.0.1", 0, pages=[PAGE]) as agent, socket.create_server(
            ("127.0.0.1", 0)) as events:
        agent.udp.settimeout(common.PATIENCE_S)
        target = "127.0.0.1:%d" % agent.udp.getsockname()[1]
        with common.start_mfp("--pages", tmp_path, "--port", 0, "--address", next(addresses),
                              "--panel-port", 0, "--server", target, "--announce-every", 1) as mfp:
            packet, sender = agent.udp.recvfrom(2000)
            values = ("(ClientName=Other),(IPAddress=127.0.0.1),(EventPort=%d)"
                      % events.getsockname()[1]).encode()
            rest = packet[10:16] + b"\0\0" + len(values).to_bytes(2, "big") + values + b"\0"
            agent.udp.sendto(b"\x02\x07" + (10 + len(rest)).to_bytes(3, "big") + bytes(5) + rest,
                             sender)
            mfp.wait_line("destination ")
            assert ask_panel(mfp, "/jobs", {"name": "Other"})[0] < 300
            stream, _ = events.accept()
            stream.settimeout(common.PATIENCE_S)
            said = b""
            while b"</s:Envelope>" not in said:
                said += stream.recv(4096)
            assert (b"<p:JobList " in said and b"<CapabilityIn>X-JobList=1</CapabilityIn>" in said
                    and b"<ProductNameIn>" in said and b"x-uid : 1\r\n" in said)
            body = (RESPONSE % ("ERROR", "")).encode()
            stream.sendall(b"HTTP/1.0 200 OK\r\nContent-Length : %d\r\nx-uid : 1\r\n\r\n%s"
                           % (len(body), body))
            stream.close()
            assert mfp.wait_line("jobs ") == 'jobs name="Other" count=0'
