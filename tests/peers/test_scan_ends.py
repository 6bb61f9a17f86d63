"""test_scan_ends.py - how scans end before their time: every cause that a device can report, its events,
log-in, cancel at the panel and at the server. The named reason reaches the batch, the API and the log."""

import datetime
import re
import subprocess
import time

import pytest

import common
import epson_models
import scan_bench
from served import SANITIZERS, House, pdf_pages, running

ADDRESSES = scan_bench.addresses(3000)
CAUSES = {b"PJ  ": "paper-jam", b"OPN ": "cover-open", b"DFED": "double-feed", b"ERR ": "device-error",
          b"LTF ": "lamp-error", b"LOCK": "carriage-locked", b"DTCL": "tray-closed",
          b"AUTH": "login-failed", b"PERM": "not-permitted", b"BTLO": "battery-low",
          b"CSS ": "carrier-sheet", b"ETS ": "sensor-error", b"PPRT": "paper-protection",
          b"SEP ": "separation-lever", b"POSE": "device-position", b"GAP ": "sensor-error",
          b"LIFT": "feeder-raised", b"PRMW": "remove-paper", b"STK ": "stacker-full",
          b"PSKW": "paper-skewed", b"PES ": "sensor-error", b"PE  ": "no-paper"}


@pytest.fixture(scope="module")
def house():
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return [open(path, "rb").read() for path in common.make_pictures(folder, 3, 320, 440)]


def scan(house, pages, model=epson_models.XP7100, **manner):
    return scan_bench.Scan(house, next(ADDRESSES), pages, model, **manner)


def log_line(house, event, batch):
    """The line of the log about this batch."""
    def found():  # the batch is seen to have ended a moment before the log has it
        return [line for line in house.log_text().splitlines()
                if re.search(rf"\b{re.escape(event)}\b", line) and batch["id"] in line]
    lines = common.wait_until(found, event)
    assert len(lines) == 1, lines
    return lines[0]


def assert_named(house, batch, state, code, kept):
    """The reason is in the batch, in its events and in the log; what was whole is kept."""
    assert (batch["state"], batch["reason"]["code"], batch["pages"]) == (state, code, kept)
    assert batch["reason"]["text"].endswith(".")
    status, events = house.api("GET", f"/api/v1/events?batch={batch['id']}")
    assert status == 200
    assert batch["reason"]["text"] in [e["text"] for e in events["items"]]
    ended = log_line(house, "scan.ended", batch)
    assert f"reason={code} " in ended and f"pages={kept} " in ended
    level = {"broken": "warning"}.get(state, "info")  # a cancel by a person is no trouble
    assert f" level={level} " in ended


@pytest.mark.parametrize("cause", CAUSES, ids=lambda c: c.decode().strip())
def test_every_cause(house, small, cause):
    with scan(house, small, fault="cause", cause=cause, block_max=4000) as bench:
        batch = bench.run()
        assert_named(house, batch, "broken", CAUSES[cause], 1)
        assert batch["reason"]["remedy"]
        assert bench.device.commands[-3:] == ["FIN", "STAT", "FIN"]  # left in order
        assert "CAN" not in bench.device.commands


@pytest.mark.parametrize("place", ["cause-before", "cause-at-start"])
@pytest.mark.parametrize("cause", [b"PJ  ", b"OPN ", b"AUTH", b"PERM", b"LIFT", b"SEP "],
                         ids=lambda c: c.decode().strip())
def test_cause_before_the_first_page(house, small, place, cause):
    with scan(house, small, fault=place, cause=cause) as bench:
        assert_named(house, bench.run(), "broken", CAUSES[cause], 0)
        assert ("TRDT" in bench.device.commands) == (place == "cause-at-start")


@pytest.mark.parametrize("when", ["INFO", "STAT", "TRDT", "IMG"])
@pytest.mark.parametrize("word,code", [("AFEN", "login-needed"), ("RSVD", "device-reserved")])
def test_not_ready(house, small, when, word, code):
    """A device that wants a log-in, or is reserved: said at once, with what to do at the device."""
    with scan(house, small, not_ready={when: word}, info=(b"#DSZ", b"#ATH#DSZ")) as bench:
        batch = bench.run()
        assert_named(house, batch, "broken", code, 0)
        if word == "AFEN":
            assert "access control" in batch["reason"]["remedy"]


def test_events_of_no_consequence_are_logged(house, small):
    """Start and stop, and one that nobody knows: the scan goes on, the log has them."""
    with scan(house, small, events={"TRDT": [1], "IMG": [4, 0x66]}) as bench:
        batch = bench.run()
        assert (batch["state"], batch["pages"]) == ("done", 3)
        said = re.findall(rf"scan.notice .*batch={batch['id']} notice=(\S+)", house.log_text())
        assert said == ["start", "stop", "unknown"]


@pytest.mark.parametrize("event,code,text", [(0x80, "device-timeout", "took too long"),
                                             (0xa0, "device-rejected", "(server error)"),
                                             (0x02, "connection-lost", "(the device ended it)"),
                                             (0x03, "cancelled-at-device", "at the device")])
def test_events_that_end_a_scan(house, small, event, code, text):
    """In inquiry, long before a page: the device says so and goes."""
    with scan(house, small, events={"CAPA": [event]}) as bench:
        bench.press()
        batch = bench.batch()
        assert_named(house, batch, "cancelled" if event == 3 else "broken", code, 0)
        assert text in batch["reason"]["text"]


# ---- more sheets ------------------------------------------------------------------------------

def jobs(house, **settings):
    """The settings of the only job."""
    job = house.show("job", "show", "Scan")
    house.cli("job", "set", job["id"], *(w for k, v in settings.items() for w in ("--" + k, str(v))))


@pytest.fixture
def waiting_house(house):
    jobs(house, wait_for_sheets_s=6)
    yield house
    jobs(house, wait_for_sheets_s=0)


def test_more_sheets_join_the_batch(waiting_house, small):
    """The feeder is filled twice; the third time nobody comes, and the batch is whole."""
    with scan(waiting_house, small[:2], refills=((1, small[2:]), (2, small[:1])), split=True) as bench:
        batch = bench.run()
        assert (batch["state"], batch["pages"]) == ("done", 4), batch
        assert bench.stored(batch)[1] == small + small[:1]
        assert bench.device.commands.count("TRDT") == 3 and bench.device.sessions == 1
        assert pdf_pages(waiting_house.delivered_file(batch["id"], ".pdf")) == small + small[:1]
        said = re.findall(rf"scan.notice .*batch={batch['id']} notice=(\S+)", waiting_house.log_text())
        assert said == ["waits-for-sheets", "more-sheets"] * 2 + ["waits-for-sheets"]


def test_jam_in_the_second_stack(waiting_house, small):
    with scan(waiting_house, small[:2], refills=((1, small),), fault="jam", fault_page=3) as bench:
        assert_named(waiting_house, bench.run(), "broken", "paper-jam", 4)


def test_wait_for_sheets_is_cancelled(waiting_house, small):
    jobs(waiting_house, wait_for_sheets_s=600)
    with scan(waiting_house, small[:2]) as bench:
        bench.press()
        batch = bench.running()
        common.wait_until(lambda: f"batch={batch['id']} notice=waits-for-sheets"
                          in waiting_house.log_text(), "the wait")
        assert cancel(waiting_house, batch).returncode == 0
        assert_named(waiting_house, bench.batch(), "cancelled", "cancelled", 2)
        assert bench.device.commands[-2:] == ["STAT", "FIN"]


def waiting(house, batch):
    """The batch as `platen batch show` says it while it waits for more sheets."""
    def waits():
        shown = house.show("batch", "show", batch["id"])
        return shown if "waits_for" in shown else None
    return common.wait_until(waits, "the wait")


def test_wait_for_sheets_is_said_and_finished(waiting_house, small):
    """The feeder is filled more often than there are events of it; then a person says that all is there."""
    jobs(waiting_house, wait_for_sheets_s=600)
    with scan(waiting_house, small[:2], refills=[(1, small[:1])] * 8) as bench:
        bench.press()
        batch = bench.running()
        common.wait_until(lambda: waiting_house.show("batch", "show", batch["id"])["pages"] == 10
                          and waiting(waiting_house, batch), "all sheets")
        shown = waiting(waiting_house, batch)
        assert (shown["state"], shown["waits_for"], shown["pages"]) == ("receiving", "more-sheets", 10)
        left = datetime.datetime.fromisoformat(shown["waits_until"]).timestamp() - time.time()
        assert 500 < left <= 600
        done = by_hand(waiting_house, "finish", batch)
        assert done.returncode == 0 and "waits for no more sheets" in done.stdout, done.stderr
        batch = bench.batch()
        assert (batch["state"], batch["pages"], batch.get("reason")) == ("done", 10, None)
        assert "waits_for" not in batch and "waits_until" not in batch
        assert bench.stored(batch)[1] == small[:2] + small[:1] * 8
        # In the order of the protocol, as when the time is over: no CAN.
        assert bench.device.commands[-2:] == ["STAT", "FIN"] and "CAN" not in bench.device.commands
        log_line(waiting_house, "scan.finished", batch)
        audit = waiting_house.database().execute(
            "SELECT count(*) FROM audit WHERE action = 'batch.finish' AND object_id = ?", (batch["id"],))
        assert audit.fetchone() == (1,)
        status, problem = waiting_house.api("POST", f"/api/v1/batches/{batch['id']}/finish")
        assert status == 409 and "is done: it does not wait" in problem["detail"]


def test_scan_that_runs_is_not_finished(waiting_house, small):
    """It does not wait yet: what is meant may be a cancel, so nothing happens to it."""
    with scan(waiting_house, small[:2], start_delay_s=20) as bench:
        bench.press()
        batch = bench.running()
        common.wait_until(lambda: "TRDT" in bench.device.commands, "the scan")
        assert "waits_for" not in waiting_house.show("batch", "show", batch["id"])
        done = by_hand(waiting_house, "finish", batch)
        assert done.returncode == 1 and "is receiving: it does not wait for more sheets" in done.stderr
        assert "platen batch cancel" in done.stderr
        assert cancel(waiting_house, batch).returncode == 0
        bench.device.hurry.set()
        assert_named(waiting_house, bench.batch(), "cancelled", "cancelled", 0)


def test_pulled_scan_says_that_it_waits(waiting_house, small):
    """`platen scan --wait` says what it waits for, and how that is ended."""
    jobs(waiting_house, wait_for_sheets_s=600)
    with scan(waiting_house, small[:2]) as bench:
        pull = subprocess.Popen(
            [waiting_house.program("platen"), "scan", "--device", bench.id, "--job", "Scan", "--wait"],
            stdout=subprocess.PIPE, text=True, env={**SANITIZERS, "PLATEN_SOCKET": waiting_house.socket})
        try:
            batch = bench.running()
            until = waiting(waiting_house, batch)["waits_until"]
            begun, waits = pull.stdout.readline(), pull.stdout.readline()
            assert begun == f"batch {batch['id']} has begun\n"
            assert waits == (f"batch {batch['id']} waits for more sheets until "
                             f"{until[:10]} {until[11:19]}; end that: platen batch finish {batch['id']}\n")
            assert by_hand(waiting_house, "finish", batch).returncode == 0
            rest, _ = pull.communicate(timeout=common.PATIENCE_S)
            assert rest == f"batch {batch['id']} is done with 2 pages\n" and pull.returncode == 0
        finally:
            pull.kill()
            pull.wait()


def test_server_that_stops_does_not_wait_for_sheets(small):
    """The scan that waits is complete, and the server does not use up its time for draining."""
    own = House({"server": {"drain_s": 50}}).start()
    try:
        own.configure(wait_for_sheets_s=600)
        with scan(own, small[:2]) as bench:
            bench.press()
            batch = bench.running()
            common.wait_until(lambda: "notice=waits-for-sheets" in own.log_text(), "the wait")
            begun = time.monotonic()
            own.stop()
            assert time.monotonic() - begun < 30
            bench.device.wait_end()
            assert bench.device.complaints == []
            own.start()
            settled = own.settled_batch(bench.id, [])
            assert (settled["id"], settled["state"], settled["pages"]) == (batch["id"], "done", 2)
            own.stop()
    finally:
        own.remove()


# ---- cancel at the server ---------------------------------------------------------------------

def by_hand(house, verb, batch):
    return subprocess.run([house.program("platen"), "batch", verb, batch["id"]], check=False,
                          capture_output=True, text=True, timeout=common.PATIENCE_S,
                          env={**SANITIZERS, "PLATEN_SOCKET": house.socket})


def cancel(house, batch):
    return by_hand(house, "cancel", batch)


@pytest.mark.parametrize("moment", ["in-page", "before-data", "at-start", "between-pages"])
def test_cancel_at_the_server(house, small, moment):
    """CAN and FIN in order, the pages that were whole are kept and can be delivered."""
    manner = {"in-page": {"drip": 200, "drip_pause_s": 0.05}, "before-data": {"empty_polls": 10 ** 6},
              "at-start": {"start_delay_s": 20}, "between-pages": {"polls_between": 10 ** 6}}[moment]
    with scan(house, small, **manner) as bench:
        bench.press()
        batch = bench.running()
        wanted = {"in-page": "IMG", "before-data": "IMG", "at-start": "TRDT", "between-pages": "IMG"}
        common.wait_until(lambda: wanted[moment] in bench.device.commands, "the scan")
        if moment == "between-pages":
            common.wait_until(lambda: bench.running()["pages"] == 1, "the first page")
        done = cancel(house, batch)
        assert done.returncode == 0, done.stderr
        bench.device.hurry.set()
        batch = bench.batch()
        kept = 1 if moment == "between-pages" else 0
        assert_named(house, batch, "cancelled", "cancelled", kept)
        assert bench.device.commands[-4:] == ["CAN", "FIN", "STAT", "FIN"]
        audit = house.database().execute("SELECT count(*) FROM audit WHERE action = 'batch.cancel'"
                                         " AND object_id = ?", (batch["id"],)).fetchone()
        assert audit == (1,)
        # Over: nothing is left to cancel, and the device scans again.
        again = cancel(house, batch)
        assert again.returncode == 1 and "no scan that could be cancelled" in again.stderr
        bench.device.manner = type(bench.device.manner)()
        assert bench.run()["state"] == "done"


def test_cancel_what_is_not_there(house):
    done = cancel(house, {"id": "0" * 26})
    assert done.returncode == 1 and "batch" in done.stderr
