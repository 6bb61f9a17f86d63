"""The server around the scans: stopping, starting again, losing its database, its doors."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from house import CALL_SECONDS, House, pages, sha256, wait_until
from test_scan import LARGE, hashes, started


def test_sigterm_lets_the_running_scan_finish():
    with started() as house:
        feed = pages(3, "drain", LARGE)
        device, other = house.device(feed), house.device(pages(1, "late"))
        assert device.press()
        device.wait("page 1")
        house.server.send_signal(signal.SIGTERM)
        wait_until(lambda: "server.stopping" in house.log(), "the drain")
        assert not other.press(), "nothing new begins"
        assert device.wait_end() == "done"
        assert house.server.wait(CALL_SECONDS) == 0
        house.start()
        assert [b["state"] for b in house.wait_quiet()] == ["done"]
        assert house.images("scan.pdf") == hashes(feed)
        assert other.scan() == "done"
        house.wait_quiet()
        house.check_delivered()
        house.check_fsck()


def test_sigterm_as_soon_as_somebody_answers():
    """The first connection that is taken is a promise: from there on a stop is an orderly one."""
    for _ in range(3):
        with House() as house:
            house.server = house.launch()
            wait_until(lambda: answers(house.socket), "the socket", pause_s=0)
            house.server.send_signal(signal.SIGTERM)
            assert house.server.wait(CALL_SECONDS) == 0, house.log()
            assert "server.stopping" in house.log() and "server.stopped" in house.log()


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def test_drain_ends_at_a_page_boundary():
    """A scan that outlives the drain is stopped between two pages; what came is kept."""
    with started(drain_s=0) as house:
        device = house.device(pages(30, "long", LARGE // 4))
        assert device.press()
        device.wait("page 2")
        house.stop()
        assert device.wait_end() in ("stopped", "broken")
        house.start()
        house.send_everything()
        house.check_delivered()
        assert house.images("scan.pdf")[:2] == device.fed[:2]


def test_restart_resumes_open_deliveries():
    with started() as house:
        house.stop()
        house.start(fault="folder.created:1")
        feed = pages(2, "resume")
        assert house.device(feed).scan() == "done"
        wait_until(lambda: "fault=folder.created" in house.log(), "the death of a delivery")
        assert house.batches()[0]["state"] == "delivering" and house.files() == []
        house.kill()
        house.start()
        assert [b["state"] for b in house.wait_quiet()] == ["done"]
        assert house.images("scan.pdf") == hashes(feed)
        house.check_delivered()


def test_a_lost_database_is_rebuilt_from_the_spool():
    with started() as house:
        house.define(path=os.path.join(house.folder, "nowhere"))
        feed = pages(2, "rebuilt")
        assert house.device(feed).scan() == "done"
        house.wait_quiet()
        exported = house.cli("config", "export")
        house.stop()
        for name in os.listdir(house.data):
            if ".db" in name:
                os.remove(os.path.join(house.data, name))
        text = house.cli("fsck", "--config", house.config_path)
        assert re.search(r"\b1 rebuilt\b", text), text
        house.start()
        batch, = house.batches()
        assert (batch["state"], batch["pages"], batch["reason"]["code"]) == ("broken", 2, "rebuilt")
        too_early = house.run("batch", "deliver", batch["id"])
        assert too_early.returncode != 0 and 'Define the job "Scan" again' in too_early.stderr
        house.cli("config", "apply", "-", input=exported)
        house.define()
        house.cli("batch", "deliver", batch["id"])
        assert [b["state"] for b in house.wait_quiet()] == ["done"]
        assert house.images("scan.pdf") == hashes(feed)


def test_second_server_on_the_same_data_is_refused():
    with started() as house:
        second = house.launch()
        assert second.wait(CALL_SECONDS) == 1
        assert house.data in house.log() and "server" in house.log()
        assert house.is_running()
        assert house.device(pages(1, "first")).scan() == "done", "the first one is not disturbed"


def test_configuration_goes_out_and_comes_in():
    with started() as house, House() as other:
        house.device(pages(1, "config"))
        exported = house.cli("config", "export")
        assert "0 changes planned" in house.cli("config", "plan", "-", input=exported)
        assert "0 changes made" in house.cli("config", "apply", "-", input=exported)
        edited = exported.replace("counted-{seq:4}", "number-{seq:4}")
        plan = house.cli("config", "plan", "-", input=edited)
        assert "counted-{seq:4}" in plan and "number-{seq:4}" in plan and "1 change planned" in plan
        assert house.cli("config", "export") == exported, "a plan changes nothing"
        house.cli("config", "apply", "-", input=edited)
        assert house.cli("config", "export") == edited
        other.start()
        other.cli("config", "apply", "-", input=edited)
        assert "0 changes planned" in other.cli("config", "plan", "-", input=edited)
        wrong = house.run("config", "apply", "-", input=edited.replace("file_format", "file_formt"))
        assert wrong.returncode != 0 and "file_format" in wrong.stderr
        assert house.cli("config", "export") == edited, "a wrong file changes nothing"


def curl(house, token, path):
    """HTTP status over TLS; the certificate is checked."""
    name = socket.gethostname()
    command = ["curl", "--silent", "--max-time", "20", "--output", "/dev/null", "--write-out",
               "%{http_code}", "--cacert", os.path.join(house.data, "tls-certificate.pem"),
               "--resolve", f"{name}:{house.https_port}:{house.address(1)}",
               f"https://{name}:{house.https_port}{path}"]
    done = subprocess.run(command + (["--header", f"Authorization: Bearer {token}"] if token else []),
                          capture_output=True, text=True, check=True)
    return done.stdout


def test_token_over_tls():
    with House() as house:
        house.configure(http_port=house.https_port)
        house.start()
        house.define()
        token = house.cli("token", "create", "robot").strip()
        assert curl(house, None, "/api/v1/jobs") == "401"
        assert curl(house, token + "x", "/api/v1/jobs") == "401"
        assert curl(house, token, "/api/v1/jobs") == "200"
        assert curl(house, None, "/health") == "200"
        assert token not in house.logs()
        house.stop()
        house.start()
        assert curl(house, token, "/api/v1/jobs") == "200", "token and certificate outlive the server"
        house.cli("token", "delete", "robot")
        assert curl(house, token, "/api/v1/jobs") == "401"


def test_events_are_followed():
    with started() as house:
        device = house.device(pages(1, "events"))
        after = max(e["id"] for e in house.events())
        follower = subprocess.Popen(
            [house.program("platen"), "event", "follow", "--after", str(after), "--json"],
            env=house.environment, stdout=subprocess.PIPE, text=True)
        try:
            assert device.scan() == "done"
            states = []
            while not states or states[-1] != "batch.done":
                states.append(json.loads(follower.stdout.readline())["kind"])
        finally:
            follower.kill()
            follower.communicate()
        wanted = ["batch.receiving", "batch.received", "batch.composing", "batch.delivering",
                  "batch.done"]
        assert [s for s in states if s in wanted] == wanted
        listed = [e["kind"] for e in house.ask("event", "list", "--after", after, "--limit", 100)]
        assert listed[:len(states)] == states


def test_health_and_metrics_answer_while_scanning():
    with started() as house:
        device = house.device(pages(4, "health", LARGE))
        assert device.press()
        device.wait("page 1")
        begun = time.monotonic()
        house.cli("health")
        assert "platen_" in house.cli("metrics")
        assert time.monotonic() - begun < 10
        assert device.wait_end() == "done"
        house.wait_quiet()
        assert sha256(house.content("scan.pdf")) == house.index("scan.csv")[0]["sha256"]
