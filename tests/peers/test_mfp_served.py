"""test_mfp_served.py - platend scans from platen-mfp when something goes wrong: the page before is kept, the
reason has the right name. That both are ours is no proof of the bytes: test-mfp-modes.c holds them
to the words of other drivers, SANE judges the device, epson_device.py the server."""

import os

import pytest

import common
import epson_models
from served import House
from test_mfp import call


@pytest.fixture(name="house", scope="module")
def fixture_house():
    house = House()
    house.start()
    house.configure()
    yield house
    house.stop()
    house.remove()


@pytest.fixture(name="mfp", scope="module")
def fixture_mfp(house, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    common.make_pictures(folder, 3, 320, 440)
    with common.start_mfp("--pages", folder, "--port", house.scan_port, "--address", "127.0.61.1", "--server",
                          f"127.0.0.1:{house.udp_port}", "--announce-every", 1, "--panel-port", 0) as mfp:
        mfp.folder = folder
        mfp.id = house.approve("127.0.61.1")
        mfp.wait_line("destination ")
        yield mfp


def post(mfp, path, body=None):
    status, answer = call(mfp, path, body, "POST")
    assert status == 204, answer


@pytest.mark.parametrize("fault,reason", [
    ("jam", "paper-jam"), ("cover", "cover-open"), ("double-feed", "double-feed"), ("lamp", "lamp-error"),
    ("lock", "carriage-locked"), ("tray", "tray-closed"), ("auth", "login-failed"), ("permission", "not-permitted"),
    ("battery", "battery-low"), ("remove-paper", "remove-paper"), ("skew", "paper-skewed"),
    ("device-cancel", "cancelled-at-device"), ("drop", "connection-lost"), ("server-error", "device-rejected"),
    ("time-out", "device-timeout")])
def test_reason_of_a_fault_within_the_second_page(house, mfp, fault, reason):
    known = [batch["id"] for batch in house.batches(mfp.id)]
    post(mfp, "/load", {"sheets": 3})
    post(mfp, "/fault", {"kind": fault, "page": 2})
    post(mfp, "/press", {"name": "Platen", "choice": "02"})
    assert mfp.wait_line("scan-end ").startswith("scan-end pages=1 ")
    batch = house.settled_batch(mfp.id, known)
    assert batch["reason"]["code"] == reason
    assert len(house.show("batch", "pages", batch["id"])) == 1
    post(mfp, "/clear")


def test_scans_again_when_all_is_well(house, mfp):
    known = [batch["id"] for batch in house.batches(mfp.id)]
    post(mfp, "/load", {"sheets": 3})
    post(mfp, "/press", {"name": "Platen", "choice": "02"})
    assert mfp.wait_line("scan-end ") == "scan-end pages=3 outcome=done"
    batch = house.settled_batch(mfp.id, known)
    assert not batch.get("reason")
    sizes = sorted(os.path.getsize(mfp.folder / name) for name in os.listdir(mfp.folder))
    assert sorted(page["size_bytes"] for page in house.show("batch", "pages", batch["id"])) == sizes


def test_a_kept_certificate_is_known_after_a_start_and_a_new_one_alarms(house, mfp, tmp_path):
    """The same device three times: twice with the certificate of a file, then with a new one."""
    address, known = "127.0.61.2", []

    def scan(*options):
        with common.start_mfp("--pages", mfp.folder, "--port", house.scan_port, "--enpc-port", 0, "--address", address,
                              "--serial", "KEPT001", "--server", f"127.0.0.1:{house.udp_port}", "--announce-every", 1,
                              "--panel-port", 0, *options) as device:
            device_id = house.approve(address) if not known else known[0]
            known[:1] = [device_id]
            device.wait_line("destination ")
            before = [batch["id"] for batch in house.batches(device_id)]
            post(device, "/press", {"name": "Platen", "choice": "02"})
            return (house.settled_batch(device_id, before).get("reason") or {}).get("code")
    kept = ("--tls-certificate", tmp_path / "device.pem")
    assert [scan(*kept), scan(*kept)] == [None, None]
    assert scan("--tls") == "certificate-changed"


# ---- version 3 --------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [(), ("--tls",)])
def test_version_3_from_the_list_to_the_end(house, mfp, options):
    """platend tells the device of jobs as Epson's driver did (the captured JOBW), asks for the chosen one, scans, and
    takes the end; what both believe of each other is judged by test_registration.py and test_push_server.py."""
    address = f"127.0.62.{1 + len(options)}"
    with common.start_mfp("--pages", mfp.folder, "--model", "FF-680W", "--serial", f"V3B00{len(options)}", "--port",
                          house.scan_port, "--enpc-port", 0, "--address", address, "--server",
                          f"127.0.0.1:{house.udp_port}", "--announce-every", 1, "--panel-port", 0, *options) as device:
        device_id = house.approve(address)
        assert common.fields(device.wait_line("destination "))["version"] == "3"
        known = []
        for _ in range(2):
            post(device, "/load", {"sheets": 3})
            post(device, "/press", {"name": "Platen", "choice": "02"})
            assert common.fields(device.wait_line("job-list "))["bytes"] == "46"
            assert common.fields(device.wait_line("job-asked "))["number"] == "0"
            assert common.fields(device.wait_line("pressed "))["result"] == "OK"
            assert device.wait_line("scan-end ") == "scan-end pages=3 outcome=done"
            assert common.fields(device.wait_line("scan-end-told "))["result"] == "OK"
            batch = house.settled_batch(device_id, known)
            assert batch["state"] == "done" and batch["pages"] == 3
            known.append(batch["id"])
        state = call(device, "/state")[1]
        captured = epson_models.hex_items("is-jobw-ff680w")[0][1]
        assert bytes.fromhex(state["job_list"]) == captured[12 + 8 + 4:]
        shown = house.show("device", "show", device_id)
        assert (shown["panel"], shown["product"]) == ("version-3", "FF-680W")
