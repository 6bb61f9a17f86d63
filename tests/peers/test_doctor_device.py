"""test_doctor_device.py - `platen doctor --device`: a device is tried stage by stage, with the time of each, and left as
it was. Against devices that are not of our making."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

import common
import epson_models
from epson_device import Device, Manner
from served import SANITIZERS, STOP_SECONDS, running
from test_tls import certificate

PAGE = epson_models.ff680w_page()
MODEL = epson_models.FF680W
SERIAL = "X5EW260651"  # what its INFO says


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


def start(house, *words):
    return subprocess.Popen([house.program("platen"), "doctor", "--device", *words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": house.socket})


def run(house, *words):
    process = start(house, *words)
    out, errors = process.communicate(timeout=common.PATIENCE_S)
    return process.returncode, out, errors


def probe(house, device):
    """The answer as JSON; the exit code says whether all is well."""
    code, out, errors = run(house, device, "--json")
    assert errors == "", errors
    answer = json.loads(out)
    assert code == (0 if answer["ok"] else 1)
    return answer


def stages(answer):
    return [s["stage"] for s in answer["stages"]]


def failure(answer):
    """(stages that went well, the stage that failed, its code)."""
    assert answer["result"]["text"] and answer["result"]["cure"]
    return stages(answer), answer["result"]["stage"], answer["result"]["code"]


def test_a_device_over_tls(house, tmp_path):
    tls, sha256 = certificate(tmp_path, "device")
    with Device("127.0.59.1", house.scan_port, MODEL, [PAGE], Manner(tls=tls)) as device:
        answer = probe(house, device.address)
        assert answer["ok"] and stages(answer) == ["connect", "tls", "identify"] and "result" not in answer
        assert all(0 <= s["ms"] < 5000 for s in answer["stages"])
        assert answer["tls_version"].startswith("TLSv1.") and "id" not in answer
        assert answer["identity"]["certificate"] == sha256
        assert answer["identity"]["serial"] == SERIAL
        assert device.complaints == [] and device.sessions == 1
        assert "TRDT" not in "".join(map(str, device.commands)), "nothing was scanned"
        code, out, _ = run(house, device.address)
        assert code == 0 and "The device answers; nothing was scanned." in out
        assert SERIAL in out and "tls      ok" in out
    assert house.devices() == {}, "who is tried is not added"


def test_a_device_without_tls(house):
    with Device("127.0.59.2", house.scan_port, MODEL, [PAGE]) as device:
        answer = probe(house, device.address)
        assert answer["ok"] and answer["tls_version"] == ""
        assert "none: the device knows no TLS" in run(house, device.address)[1]
        assert device.complaints == []


def test_the_time_is_that_of_its_stage(house):
    """A handshake that is not answered, and then no welcome: the time is in tls, not in connect."""
    with socket.create_server(("127.0.59.3", house.scan_port)) as server:
        process = start(house, "127.0.59.3", "--json")
        silent, _ = server.accept()
        plain, _ = server.accept()
        plain.close()
        answer = json.loads(process.communicate(timeout=common.PATIENCE_S)[0])
        silent.close()
        assert failure(answer) == (["connect", "tls"], "identify", "connection-lost")
        assert answer["stages"][0]["ms"] < 1000 < 2500 < answer["stages"][1]["ms"]


def test_nobody_is_there(house):
    answer = probe(house, "127.0.59.4")
    assert failure(answer) == ([], "connect", "connect-failed")
    assert "Connection refused" in answer["result"]["text"]
    code, out, _ = run(house, "127.0.59.4")
    assert code == 1 and out.startswith("connect  FAILED  No connection") and "do: " in out


def test_a_known_device(house, tmp_path):
    """It is reached as scans reach it, and has to be the one that is known."""
    tls, _ = certificate(tmp_path, "known")
    with Device("127.0.59.5", house.scan_port, MODEL, [PAGE], Manner(tls=tls)) as device:
        device.register(("127.0.0.1", house.udp_port))
        id_ = house.approve(device.address)
        house.cli("device", "set", id_, "--name", "Hall")
        house.cli("scan", "--device", id_, "--job", "Scan", "--wait")
        for word in ("Hall", id_, device.address):
            answer = probe(house, word)
            assert answer["ok"] and answer["id"] == id_
        device.manner.tls, _ = certificate(tmp_path, "other")
        assert failure(probe(house, "Hall")) == (["connect"], "tls", "certificate-changed")
        device.manner.tls = None
        assert failure(probe(house, "Hall"))[1:] == ("tls", "tls-lost")
        house.cli("device", "set", id_, "--transport", "plain")
        assert probe(house, "Hall")["ok"]
        device.model = MODEL._replace(info=MODEL.info.replace(SERIAL.encode(), b"X5EW000007"))
        answer = probe(house, "Hall")
        assert failure(answer) == (["connect", "tls"], "identify", "another-device")
        assert SERIAL in answer["result"]["text"]
        row = house.show("device", "show", id_)
        assert row["state"] == "registered" and row["serial"] == SERIAL, "a try changes nothing"


def test_what_is_no_address(house):
    code, _, errors = run(house, "scanner.example")
    assert code == 1 and "no numeric address" in errors and "do: " in errors


def test_many_at_once_and_a_stop(house):
    """Two are tried at the same time, a third is told to wait; a stop waits for none of them."""
    with socket.create_server(("127.0.59.6", house.scan_port)):
        trying = [start(house, "127.0.59.6") for _ in range(3)]
        refused = common.wait_until(lambda: next((t for t in trying if t.poll() is not None), None), "the refusal")
        _, errors = refused.communicate(timeout=common.PATIENCE_S)
        assert refused.returncode == 1 and "being tried already" in errors and "do: " in errors
        trying.remove(refused)
        begun = time.monotonic()
        assert house.api("GET", "/health")[0] == 200, "others are answered meanwhile"
        assert [t.poll() for t in trying] == [None, None]
        house.process.send_signal(signal.SIGTERM)
        assert house.process.wait(STOP_SECONDS) == 0, house.log_text()[-3000:]
        assert time.monotonic() - begun < 10
        for process in trying:
            out, errors = process.communicate(timeout=common.PATIENCE_S)
            assert process.returncode == 1 and (out or errors)
    house.assert_sound()
    house.start()
