"""test_pull.py - scans that are started at the server, not at the panel.

The real server against epson_device.py, which is not of our making, and against platen-mfp: the
same batch, pages and reasons as after a press of Start, and clear refusals."""

import json
import os
import subprocess

import pytest

import common
import epson_models
from epson_device import Device, Manner
from served import SANITIZERS, House, pdf_pages



@pytest.fixture(scope="module")
def house():
    made = House().start()
    try:
        made.configure()
        job = made.show("job", "show", "Scan")
        made.cli("job", "create", "--name", "Other", "--destination",
                 job["destinations"][0]["destination"])
        yield made
        made.stop()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 3, 320, 440)]


addresses = (f"127.0.9.{i}" for i in range(1, 250))


class Bench:
    """A device that nobody presses Start at."""

    def __init__(self, house, pages, model=epson_models.XP7100, approve=True, **manner):
        self.device = Device(next(addresses), house.scan_port, model, pages, Manner(**manner))
        self.device.register(("127.0.0.1", house.udp_port))
        self.house = house
        self.id = (house.approve(self.device.address) if approve
                   else house.devices()[self.device.address]["id"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.close()


def platen(house, *words):
    """The command line, which may fail."""
    return subprocess.run([house.program("platen"), *words], capture_output=True, text=True,
                          check=False, timeout=common.PATIENCE_S,
                          env={**SANITIZERS, **os.environ, "PLATEN_SOCKET": house.socket})


def pull(house, device, *more):
    return platen(house, "scan", "--device", device, "--job", "Scan", *more)


@pytest.mark.parametrize("source", ["feeder", "glass"])
def test_scan_without_a_panel(house, pages, source):
    with Bench(house, pages if source == "feeder" else pages[:1],
               feeder_loaded=source == "feeder") as bench:
        done = pull(house, bench.device.address, "--wait")
        assert done.returncode == 0, done.stderr
        batch = house.settled_batch(bench.id)
        assert done.stdout.splitlines() == [
            f"batch {batch['id']} has begun",
            f"batch {batch['id']} is done with {len(bench.device.pages)} page{'s' * (len(bench.device.pages) != 1)}"]
        assert batch["job_name"] == "Scan"
        assert pdf_pages(house.delivered_file(batch["id"], ".pdf")) == bench.device.pages
        assert bench.device.complaints == [] and bench.device.responses == []
        # And at the panel as before.
        answer = bench.device.press(("127.0.0.1", house.tcp_port))
        assert b"<StatusOut>OK<" in answer
        bench.device.wait_end()
        assert house.settled_batch(bench.id, [batch["id"]])["state"] == "done"


def test_device_that_never_pushes(house, pages):
    """The kind that has no panel to press at and announces nothing: it is added by its address."""
    model = epson_models.ET2750._replace(product="PID 118A", info=epson_models.ET2750.info.replace(
        b"PID 112A", b"PID 118A"))
    with Device(next(addresses), house.scan_port, model, pages[:1], Manner()) as device:
        house.cli("device", "add", device.address, "--name", "Glass", "--job-group", "Everyone")
        common.wait_until(lambda: not device.sessions or device.finished.is_set(), "being asked")
        answer = json.loads(pull(house, "Glass", "--wait", "--json").stdout)
        assert (answer["state"], answer["pages"]) == ("done", 1), answer
        assert answer["device_name"] == "Glass" and device.complaints == []
        assert device.responses == [] and device.destinations == {}


def test_without_waiting(house, pages):
    with Bench(house, pages, start_delay_s=20) as bench:
        begun = json.loads(pull(house, bench.id, "--json").stdout)
        assert (begun["state"], begun["pages"]) == ("receiving", 0)
        again = pull(house, bench.id)
        assert again.returncode == 1
        assert "A scan of this device is still running" in again.stderr
        press = bench.device.press(("127.0.0.1", house.tcp_port))
        assert b"<StatusOut>ERROR<" in press  # neither at the panel
        bench.device.hurry.set()
        assert house.settled_batch(bench.id)["id"] == begun["id"]
        assert len(house.batches(bench.id)) == 1


def test_fault_reaches_who_waits(house, pages):
    with Bench(house, pages, fault="jam") as bench:
        done = pull(house, bench.id, "--wait")
        batch = house.settled_batch(bench.id)
        assert done.returncode == 1 and batch["reason"]["code"] == "paper-jam"
        assert f"batch {batch['id']} is broken with 1 page\n" in done.stdout
        assert batch["reason"]["text"] in done.stdout and batch["reason"]["remedy"] in done.stdout


def test_device_that_is_off(house, pages):
    with Bench(house, pages) as bench:
        bench.device.stop_listening()
        done = pull(house, bench.id, "--wait")
        assert done.returncode == 1
        assert house.settled_batch(bench.id)["reason"]["code"] == "connect-failed"


# ---- refusals -----------------------------------------------------------------------------------

def post(house, device, **body):
    return house.api("POST", f"/api/v1/devices/{device}/scan", body)


def test_refusals(house, pages):
    job = house.show("job", "show", "Scan")["id"]
    other = house.show("job", "show", "Other")["id"]
    with Bench(house, pages, approve=False) as bench:
        status, problem = post(house, bench.id, job=job)
        assert status == 409 and problem["detail"] == "The device waits for approval."
        house.approve(bench.device.address)
        nobody = "0" * 26
        for device, body, wanted, word in (
                (nobody, {"job": job}, 404, "device"),
                (bench.id, {"job": nobody}, 404, "job"),
                (bench.id, {"job": "Scan"}, 400, "is not the id of a job"),
                (bench.id, {}, 400, "job"),
                (bench.id, {"job": job, "sides": 2}, 400, "sides"),
                (bench.id, {"job": other}, 403, "not in the job group")):
            status, problem = post(house, device, **body)
            assert status == wanted and word in problem["detail"], problem
        assert house.batches(bench.id) == [] and bench.device.sessions == 0
        done = platen(house, "scan", "--device", bench.id, "--job", "Other", "--any-job", "--wait")
        assert done.returncode == 0, done.stderr
        assert house.settled_batch(bench.id)["job_name"] == "Other"
        audit = house.database().execute(
            "SELECT actor, detail FROM audit WHERE action = 'device.scan' AND object_id = ?",
            (bench.id,)).fetchall()
        assert [d for _, d in audit] == [b["id"] for b in house.batches(bench.id)]
    for words in (("--device", "x"), ("--job", "Scan"), ()):
        assert platen(house, "scan", *words).returncode == 2


def test_device_without_group(house, pages):
    with Bench(house, pages, approve=False) as bench:
        house.cli("device", "approve", bench.id)
        done = pull(house, bench.id)
        assert done.returncode == 1 and "not in the job group" in done.stderr


# ---- platen-mfp ---------------------------------------------------------------------------------

def test_platen_mfp(house, pages, tmp_path):
    folder = tmp_path / "paper"
    folder.mkdir()
    for i, page in enumerate(pages):
        (folder / f"{i}.jpg").write_bytes(page)
    address = next(addresses)
    with common.start_mfp("--address", address, "--port", house.scan_port, "--server",
                          f"127.0.0.1:{house.udp_port}", "--pages", folder, "--exit-after", 1) as mfp:
        device = house.approve(address)
        done = pull(house, device, "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
        batch = house.settled_batch(device)
        assert pdf_pages(house.delivered_file(batch["id"], ".pdf")) == pages
        assert mfp.wait_exit() == 0


def test_server_that_stops_breaks_it(pages):
    """A scan that was pulled ends as one that was pressed when the server goes."""
    made = House(conf={"server": {"drain_s": 1}}).start()
    try:
        made.configure()
        with Bench(made, pages, start_delay_s=4) as bench:
            begun = json.loads(pull(made, bench.id, "--json").stdout)
            common.wait_until(lambda: bench.device.sessions, "the scan")
            made.stop()
            made.start()
            batch = made.show("batch", "show", begun["id"])
            assert (batch["state"], batch["reason"]["code"]) == ("broken", "server-stopping")
            bench.device.wait_end()
            bench.device.manner = Manner()
            assert pull(made, bench.id, "--wait").returncode == 0
        made.stop()
    finally:
        made.remove()
