"""Programs as destinations: only those of platen.conf, and never twice without being asked."""

import json
import os
import signal

from house import House, pages, wait_until

TAKE = """#!/bin/sh
set -eu
echo started >>"$1/.starts"
while [ -e "$1/.wait" ]; do sleep 0.05; done
cp "$2" "$1/.$PLATEN_NAME"
mv "$1/.$PLATEN_NAME" "$1/$PLATEN_NAME"
"""
IS_ROOT = os.geteuid() == 0  # then the server is somebody else than the owner of the program


class Programs:
    """A house with a program that takes documents to the folder of delivered ones."""

    def __init__(self):
        self.house = House()
        self.folder = os.path.join(self.house.folder, "programs")
        self.path = os.path.join(self.folder, "take")

    def __enter__(self):
        house = self.house.__enter__()
        os.mkdir(self.folder, 0o755)
        with open(self.path, "w", encoding="ascii") as f:
            f.write(TAKE)
        os.chmod(self.path, 0o755)
        house.configure(programs=self.folder)
        house.start()
        house.cli("config", "apply", "-", input=json.dumps({
            "destinations": [{"name": "Taken", "kind": "program", "settings": {
                "program": self.path, "arguments": [{"argument": house.delivered}]}}],
            "jobs": [{"name": "Scan", "file_format": "pdf", "file_name": "scan", "index": "none",
                      "destinations": [{"destination": "Taken"}]}],
            "job_groups": [{"name": "All", "jobs": [
                {"job": "Scan", "panel_choice": "1-sided-pdf"}]}]}))
        self.device = house.device(pages(2, "program"))
        return self

    def __exit__(self, *error):
        return self.house.__exit__(*error)

    def starts(self):
        path = os.path.join(self.house.delivered, ".starts")
        if not os.path.exists(path):
            return 0
        with open(path, encoding="ascii") as f:
            return len(f.readlines())

    def delivery(self):
        batch, = self.house.batches()
        return self.house.parts(batch, "deliveries")[0]


def test_a_program_takes_documents():
    with Programs() as programs:
        assert programs.device.scan() == "done"
        programs.house.wait_quiet()
        if IS_ROOT:
            assert programs.delivery()["state"] == "done"
            assert programs.house.files() == ["scan.pdf"]
            os.chown(programs.path, os.stat(programs.house.delivered).st_uid, -1)
            assert programs.device.scan(2) == "done"
            programs.house.wait_quiet()
        # A program that is the server's own could be replaced by whoever may edit destinations.
        held = programs.house.parts(programs.house.batches()[0], "deliveries")[0]
        assert held["state"] == "held" and "replaced" in json.dumps(held), held
        assert programs.starts() == (1 if IS_ROOT else 0)


def test_no_api_adds_programs():
    with Programs() as programs:
        house = programs.house
        house.stop()
        house.configure()
        house.start()
        status, kinds = house.api("GET", "/api/v1/destination-kinds")
        kind, = [k for k in kinds["items"] if k["kind"] == "program"]
        assert status == 200 and "programs" not in [f["name"] for f in kind["fields"]]
        assert programs.device.scan() == "done"
        house.wait_quiet()
        held = programs.delivery()
        assert held["state"] == "held" and "platen.conf" in json.dumps(held)
        assert programs.starts() == 0


def test_a_run_that_was_lost_is_for_a_person():
    with Programs() as programs:
        house = programs.house
        wait = os.path.join(house.delivered, ".wait")
        if not IS_ROOT:
            assert programs.device.scan() == "done"
            house.wait_quiet()
            assert programs.starts() == 0
            return
        with open(wait, "w", encoding="ascii"):
            pass
        assert programs.device.scan() == "done"
        wait_until(programs.starts, "the start of the program")
        house.server.send_signal(signal.SIGKILL)
        house.server.wait()
        os.remove(wait)
        house.start()
        house.wait_quiet()
        lost = programs.delivery()
        assert lost["state"] == "uncertain", lost
        assert programs.starts() == 1 and house.files() == []
        house.cli("batch", "retry", house.batches()[0]["id"])
        house.wait_quiet()
        assert programs.delivery()["state"] == "done"
        assert programs.starts() == 2 and house.files() == ["scan.pdf"]
