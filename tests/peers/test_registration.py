"""test_registration.py - how jobs reach the panels of devices that are not of our making.

The real server against epson_device.py: both versions of the registration."""

import itertools
import os
import socket

import pytest

import common
import epson_models
from epson_device import Device
from served import House

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = open(os.path.join(HERE, "data", "pages", "page-1.jpg"), "rb").read()

addresses = (f"127.0.{i // 250 + 8}.{i % 250 + 1}" for i in itertools.count())


@pytest.fixture(scope="module")
def house():
    made = House().start()
    try:
        made.configure()
        yield made
        made.stop()
    finally:
        made.remove()


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
