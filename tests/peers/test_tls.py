"""Scans over TLS. Device and client of these tests use Python's ssl, which shares nothing with the project's streams
but the library below; the certificate is made by openssl."""

import contextlib
import hashlib
import re
import socket
import ssl
import struct
import subprocess
import time
import warnings

import pytest

import common
import epson_models
from served import running
from test_device import Bench, assert_ended

OLD = "ALL:@SECLEVEL=0"  # what firmware of 2010 offers


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def pages():
    return [epson_models.ff680w_page()]


def certificate(folder, name, *more):
    """A context with a key and a certificate of its own."""
    made, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made,
                    "-days", "2", "-subj", f"/CN={name}", *more], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if "rsa:1024" in more:
        context.set_ciphers(OLD)  # else Python does not take such a key
    context.load_cert_chain(made, key)
    with open(made, encoding="ascii") as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    return context, hashlib.sha256(der).hexdigest()


def test_a_device_with_tls(house, pages, tmp_path):
    tls, sha256 = certificate(tmp_path, "ET-4950")
    names = []
    tls.sni_callback = lambda _, name, __: names.append(name)
    with Bench(house, pages, tls=tls, split=True, drip=1000) as bench:
        bench.assert_delivered(bench.scan(), pages)
        shown = house.show("device", "show", bench.id)
        assert (shown["transport"], shown["certificate"]) == ("auto", sha256)
        assert names == [None], "devices are not told a server's name"
        event = house.show("event", "list", "--kind", "device.certificate", "--limit", "1")[0]
        assert (event["device"], event["text"]) == (bench.id, sha256)
        bench.assert_delivered(bench.scan(), pages)  # now it is known
        assert bench.device.complaints == []


def test_a_device_without_tls_is_greeted_and_left_first(house, pages):
    with Bench(house, pages) as bench:
        bench.assert_delivered(bench.scan(), pages)
        assert bench.device.hellos == 1 and bench.device.complaints == []
        assert house.show("device", "show", bench.id)["certificate"] == ""
        house.cli("device", "set", bench.id, "--transport", "plain")
        bench.assert_delivered(bench.scan(), pages)
        assert bench.device.hellos == 1


def test_alarms_are_in_a_log_of_warnings(pages, tmp_path):
    """Of good scans such a log says nothing; of a failed one why, and of the alarm which device."""
    def lines(made):
        return re.findall(r"level=(\w+) event=(\S+) (.*)", made.log_text())
    tls, _ = certificate(tmp_path, "once")
    with running({"server": {"log_level": "warning"}}) as made, Bench(made, pages, tls=tls) as bench:
        bench.assert_delivered(bench.scan(), pages)
        assert not [event for _, event, _ in lines(made) if event.startswith(("scan.", "device."))]
        bench.device.manner.tls, _ = certificate(tmp_path, "second")
        bench.press()
        bench.device.finished.set()
        batch = bench.batch()
        assert_ended(bench, batch, "certificate-changed", [])
        told = common.wait_until(
            lambda: {"scan.ended", "device.certificate-changed"} <= {e for _, e, _ in lines(made)}
            and {e: (level, rest) for level, e, rest in lines(made)}, "both lines")
        level, rest = told["scan.ended"]
        assert level == "warning" and batch["id"] in rest and "reason=certificate-changed " in rest
        level, rest = told["device.certificate-changed"]
        assert level == "warning" and f"id={bench.id} name=" in rest
        assert "another certificate than before" in rest and "platen device trust" in rest


def test_another_certificate_gets_nothing(house, pages, tmp_path):
    tls, former = certificate(tmp_path, "first")
    with Bench(house, pages, tls=tls) as bench:
        bench.assert_delivered(bench.scan(), pages)
        bench.device.manner.tls, sha256 = certificate(tmp_path, "second")
        bench.device.commands.clear()
        bench.press()
        bench.device.finished.set()  # no session begins
        assert_ended(bench, bench.batch(), "certificate-changed", [])
        assert bench.device.commands == []
        event, = house.show("event", "list", "--device", bench.id, "--kind",
                            "device.certificate-changed")
        assert event["device"] == bench.id and "platen device trust" in event["text"]
        assert house.show("device", "show", bench.id)["certificate"] == former
        house.cli("device", "trust", bench.id)
        second, bench.device.manner.tls = bench.device.manner.tls, None
        bench.press()  # somebody in between who has no certificate at all
        bench.device.finished.set()
        assert_ended(bench, bench.batch(), "tls-lost", [])
        bench.device.manner.tls = second
        bench.assert_delivered(bench.scan(), pages)
        assert house.show("device", "show", bench.id)["certificate"] == sha256


def test_what_spoke_tls_is_not_spoken_to_plainly(house, pages, tmp_path):
    tls, _ = certificate(tmp_path, "once")
    with Bench(house, pages, tls=tls) as bench:
        bench.assert_delivered(bench.scan(), pages)
        bench.device.manner.tls = None
        bench.press()
        bench.device.finished.set()
        batch = bench.batch()
        assert_ended(bench, batch, "tls-lost", [])
        assert "until now" in batch["reason"]["text"] and "only an administrator" in batch["reason"]["remedy"]
        assert bench.device.hellos == 7, "a busy one would have been ready again"
        text, = events_of(house, bench, "device.tls-lost")
        assert "in between" in text
        assert alarms(house) == [bench.device.address]
        house.cli("device", "set", bench.id, "--transport", "plain")
        assert alarms(house) == []
        bench.assert_delivered(bench.scan(), pages)


def alarms(house):
    """Where the doctor finds that TLS is gone."""
    status, answer = house.api("GET", "/api/v1/doctor")
    assert status == 200, answer
    return [f["where"] for f in answer["items"] if f["name"] == "device-tls-lost"]


def test_a_busy_device_hangs_up_at_the_greeting(house, pages, tmp_path):
    """That is no alarm: it is ready a moment later."""
    tls, _ = certificate(tmp_path, "busy")
    with Bench(house, pages, tls=tls) as bench:
        bench.assert_delivered(bench.scan(), pages)
        bench.device.manner.tls = None
        bench.press()
        common.wait_until(lambda: bench.device.hellos == 1, "the greeting")
        bench.device.manner.tls = tls
        bench.assert_delivered(bench.batch(), pages)
        assert events_of(house, bench, "device.tls-lost") == []


def of_version(context, version):
    """The context speaks this version only, with whatever ciphers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    context.set_ciphers(OLD)
    return context


def events_of(house, bench, kind):
    """The texts of a device's events of this kind."""
    status, answer = house.api("GET", "/api/v1/events?limit=1000")
    assert status == 200, answer
    return [e["text"] for e in answer["items"] if e["kind"] == kind and e.get("device") == bench.id]


def tls_of(house, bench):
    shown = house.show("device", "show", bench.id)
    return shown["tls"], shown["tls_version"]


FIRMWARE = {  # name: (version, more of openssl req, handshakes, what is shown of them)
    "tls-1.0": ("TLSv1", ["-sha1"], ["", "TLSv1"], ("old", "TLSv1")),
    "tls-1.1": ("TLSv1_1", ["-sha1"], ["", "TLSv1.1"], ("old", "TLSv1.1")),
    "short-key": ("TLSv1_2", ["-newkey", "rsa:1024"], ["", "TLSv1.2"], ("old", "TLSv1.2")),
    "tls-1.2": ("TLSv1_2", [], ["TLSv1.2"], ("modern", "TLSv1.2")),
    "tls-1.3": ("TLSv1_3", [], ["TLSv1.3"], ("modern", "TLSv1.3")),
}


@pytest.mark.parametrize("transport", ["auto", "tls"])
@pytest.mark.parametrize("name", FIRMWARE)
def test_modern_tls_first(house, pages, tmp_path, name, transport):
    """What old firmware has is tried only when the device cannot do better; a device that is known to be old is
    offered better every time."""
    version, more, handshakes, shown = FIRMWARE[name]
    tls = of_version(certificate(tmp_path, name, *more)[0], version)
    with Bench(house, pages, tls=tls) as bench:
        house.cli("device", "set", bench.id, "--transport", transport)
        assert tls_of(house, bench) == ("", "")
        bench.assert_delivered(bench.scan(), pages)
        assert bench.device.handshakes == handshakes
        assert tls_of(house, bench) == shown
        bench.assert_delivered(bench.scan(), pages)
        assert bench.device.handshakes == 2 * handshakes
        assert events_of(house, bench, "device.tls") == (["old, " + shown[1]] if shown[0] == "old" else [])


def test_a_device_must_not_become_older(house, pages, tmp_path):
    """Once modern, always modern, until a person trusts it anew; an update that makes it modern needs nobody."""
    tls, sha256 = certificate(tmp_path, "updated")
    with Bench(house, pages, tls=of_version(tls, "TLSv1")) as bench:
        bench.assert_delivered(bench.scan(), pages)
        of_version(tls, "TLSv1_2")
        bench.assert_delivered(bench.scan(), pages)
        assert tls_of(house, bench) == ("modern", "TLSv1.2")
        of_version(tls, "TLSv1")
        bench.device.handshakes.clear()
        bench.device.commands.clear()
        bench.press()
        bench.device.finished.set()  # no session begins
        batch = bench.batch()
        assert_ended(bench, batch, "tls-downgraded", [])
        assert "platen device trust" in batch["reason"]["remedy"]
        assert bench.device.handshakes == [""] and bench.device.commands == []
        text, = events_of(house, bench, "device.tls-downgraded")
        assert "platen device trust" in text
        assert tls_of(house, bench) == ("modern", "TLSv1.2")
        house.cli("device", "trust", bench.id)
        assert tls_of(house, bench) == ("", "")
        bench.assert_delivered(bench.scan(), pages)
        assert tls_of(house, bench) == ("old", "TLSv1")
        assert house.show("device", "show", bench.id)["certificate"] == sha256


def test_another_certificate_over_old_tls(house, pages, tmp_path):
    """Old TLS is no way around the certificate that is known."""
    with Bench(house, pages, tls=of_version(certificate(tmp_path, "old")[0], "TLSv1")) as bench:
        bench.assert_delivered(bench.scan(), pages)
        bench.device.manner.tls = of_version(certificate(tmp_path, "other")[0], "TLSv1")
        bench.device.commands.clear()
        bench.press()
        bench.device.finished.set()
        assert_ended(bench, bench.batch(), "certificate-changed", [])
        assert bench.device.commands == []


def test_the_api_does_not_speak_old_tls(house):
    """What is allowed towards devices is not allowed towards us."""
    client = ssl._create_unverified_context()
    client.set_ciphers(OLD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", house.https_port)) as plain, pytest.raises(ssl.SSLError):
        client.wrap_socket(plain)


def test_a_handshake_that_is_never_answered(house, pages):
    """Three seconds, then plainly; the silent one does not hold up others."""
    with Bench(house, pages) as bench, Bench(house, pages) as other:
        bench.device.deaf_once = True
        begun = time.monotonic()
        bench.press()
        other.assert_delivered(other.scan(), pages)
        bench.assert_delivered(bench.batch(), pages)
        assert time.monotonic() - begun >= 3


# ---- platen-mfp --tls ----------------------------------------------------------------------------------

def packet(stream):
    """The next IS packet: type and payload."""
    head = b""
    while len(head) < 12:
        head += stream.recv(12 - len(head)) or pytest.fail("the device hung up")
    magic, kind, _, offset, length, _ = struct.unpack(">2sHBBIH", head)
    assert magic == b"IS" and offset == 12
    body = b""
    while len(body) < length:
        body += stream.recv(length - len(body)) or pytest.fail("the device hung up")
    return kind, body


def test_the_virtual_device_speaks_tls(tmp_path, pages):
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(pages[0])
    with common.start_mfp("--pages", folder, "--port", 0, "--server", "127.0.0.1:9", "--tls") as mfp:
        scan = mfp.ready["address"], int(mfp.ready["scan_port"])
        client = ssl._create_unverified_context()
        client.set_ciphers(OLD)
        for name in None, "\x02":  # another push server sends one control character as the name
            with socket.create_connection(scan) as plain, client.wrap_socket(
                    plain, server_hostname=name) as stream:
                assert packet(stream) == (0x8000, bytes.fromhex("0104000000"))
                stream.sendall(bytes.fromhex("49532100000c00000007000001a0040000012c"))
                assert packet(stream) == (0xa100, b"\x06")
                stream.sendall(bytes.fromhex("49532101000c000000000000"))
                assert packet(stream)[0] == 0xa101
        with socket.create_connection(scan) as plain:  # one that knows no TLS is let go
            plain.sendall(bytes.fromhex("49532100000c000000000000"))
            plain.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                while plain.recv(1000):
                    pass
        with socket.create_connection(scan):  # nor does a silent one hold it up
            with socket.create_connection(scan) as plain, client.wrap_socket(plain) as stream:
                assert packet(stream)[0] == 0x8000
