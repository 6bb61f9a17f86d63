"""Mails that tell people how it goes, from the event through the whole server to a real exim."""

import json
import os
import subprocess
import time

import pytest

from house import House, pages, wait_until
from mail_server import Exim
from peer import PASSWORD, USER, authority

MINUTE_MS = 60 * 1000


@pytest.fixture
def exim():
    server = Exim()
    yield server
    server.end()


@pytest.fixture
def house():
    with House() as h:
        h.start()
        yield h


def define(house, exim, notification=None, job=None, password=PASSWORD):
    """A folder that is not there, mails over exim about it."""
    mail = {"host": "127.0.0.1", "port": exim.port, "auth": "plain", "user": USER, "password": password,
            "from": "scan@peer.test", "tls_trust": "ca", "tls_ca": authority().text("ca.pem"), "timeout_s": 3}
    house.cli("config", "apply", "-", input=json.dumps({
        "destinations": [
            {"name": "Archive", "kind": "folder", "settings": {"path": os.path.join(house.folder, "gone")}},
            {"name": "Here", "kind": "folder", "settings": {"path": house.delivered}},
            {"name": "Mail", "kind": "email", "settings": mail}],
        "jobs": [{"name": "Büro {x}", "file_name": "a-{seq:4}", "destinations": [{"destination": "Archive"}],
                  **(job or {})},
                 {"name": "Good", "file_name": "b-{seq:4}", "destinations": [{"destination": "Here"}],
                  **(job or {})}],
        "job_groups": [{"name": "All", "jobs": [{"job": "Büro {x}", "panel_choice": "1-sided-pdf"},
                                                {"job": "Good", "panel_choice": "1-sided-jpeg"}]}],
        "notification": {"over": "Mail", "to": "Admin <admin@peer.test>", "digest_minutes": 0,
                         **(notification or {})}}))


def scan(house, choice="02"):
    device = house.devices[0] if house.devices else house.device(pages(12, "notification"))
    assert device.scan(1, choice) == "done"
    return house.wait_quiet()


def told(house, **query):
    return house.ask("notification", "list", "--limit", 100,
                     *[w for k, v in query.items() for w in ("--" + k, v)])


def mails(exim, count):
    """So many, and a moment later not more."""
    wait_until(lambda: len(exim.mails()) >= count, f"{count} mails")
    time.sleep(0.5)
    came = exim.mails()
    assert len(came) == count, [m.message["subject"] for m in came]
    return came


def wait_sent(house, count):
    """The events that were sent, once the server knows it of so many: it does a moment after the mail is there."""
    wait_until(lambda: len(told(house, state="sent")) >= count, f"{count} events to be sent")
    sent = told(house, state="sent")
    assert len(sent) == count, sent
    return sent


def sql(house, statement):
    """While the server is down."""
    subprocess.run(["sqlite3", os.path.join(house.data, "platen.db"), statement], check=True)


def let_time_pass(house, minutes):
    house.stop()
    back = minutes * MINUTE_MS
    sql(house, f"UPDATE notification SET at = at - {back}; UPDATE notification_mail SET"
               f" created_at = created_at - {back}, due_at = due_at - {back}")
    house.start()


def test_an_error_arrives_once_and_says_what_to_do(house, exim):
    define(house, exim)
    batch, = scan(house)
    assert batch["state"] == "attention"
    mail, = mails(exim, 1)
    assert mail.recipients == ["admin@peer.test"]
    assert mail.message["subject"].startswith('Platen: A batch of job "Büro {x}" from ')
    assert mail.message["subject"].endswith(" needs attention")
    assert mail.message["auto-submitted"] and not mail.message.is_multipart()
    text = mail.message.get_content()
    stopped, = [d for d in house.parts(batch, "deliveries") if d["state"] == "held"]
    for part in (batch["id"], "Job: Büro {x}", batch["reason"]["text"], batch["reason"]["remedy"],
                 "- to Archive, at " + stopped["result"]["stage"], stopped["result"]["text"],
                 stopped["result"]["cure"], "platen batch show " + batch["id"]):
        assert part in text, (part, text)
    assert PASSWORD not in text
    one, = wait_sent(house, 1)
    assert one["kind"] == "attention" and one["batch"] == batch["id"] and one["attempts"] == 1
    assert mail.message["message-id"] == f"<{one['mail']}@peer.test>"
    wait_until(lambda: "notification" in json.dumps(house.api("GET", "/health")[1]), "a word in health")


def test_several_become_one(house, exim):
    define(house, exim, {"digest_minutes": 10})
    for _ in range(3):
        scan(house)
    assert len(told(house, state="waiting")) == 3 and exim.mails() == []
    let_time_pass(house, 10)
    mail, = mails(exim, 1)
    assert mail.message["subject"] == "Platen: 3 events, 3 of them errors"
    text = mail.message.get_content()
    assert all(b["id"] in text for b in house.batches())
    assert len({n["mail"] for n in wait_sent(house, 3)}) == 1


def test_the_limit_of_an_hour(house, exim):
    define(house, exim, {"limit_per_hour": 2})
    for count in 1, 2:
        scan(house)
        mails(exim, count)
    for _ in range(7):
        scan(house)
    assert len(mails(exim, 2)) == 2 and len(told(house, state="waiting")) == 7
    let_time_pass(house, 60)
    subjects = [m.message["subject"] for m in mails(exim, 3)]
    assert subjects.count("Platen: 7 events, 7 of them errors") == 1


def test_a_server_that_is_killed_loses_nothing_and_sends_once(house, exim):
    define(house, exim, {"digest_minutes": 5})
    batch, = scan(house)
    house.kill()
    sql(house, f"UPDATE notification SET at = at - {5 * MINUTE_MS}")
    house.start()
    mail, = mails(exim, 1)
    assert batch["id"] in mail.message.get_content()
    wait_sent(house, 1)  # else it is sent again, as one whose end nobody knows
    house.kill()
    house.start()
    mails(exim, 1)


def test_a_mail_under_way_is_repeated_under_its_id(house, exim):
    exim.stop()  # takes the connection and says nothing
    define(house, exim)
    scan(house)
    first, = wait_until(lambda: told(house, state="sending"), "a mail under way")
    house.kill()
    exim.go_on()
    house.start()
    mail, = mails(exim, 1)
    assert mail.message["message-id"] == f"<{first['mail']}@peer.test>"
    assert told(house)[0]["attempts"] == 2


def test_the_mail_server_is_down_for_a_while(house, exim):
    exim.kill()
    define(house, exim)
    scan(house)
    waiting, = wait_until(lambda: [n for n in told(house, state="waiting") if "result" in n], "an attempt")
    assert waiting["result"]["stage"] == "connect" and waiting["due_at"]
    status, health = wait_until(lambda: (lambda s: s[0] == 503 and s)(house.api("GET", "/health")), "health")
    failing, = [c for c in health["checks"] if not c["ok"]]
    assert failing["name"] == "notification" and failing["remedy"] and status == 503
    exim.start()
    wait_until(lambda: exim.mails(), "the next attempt", 120)
    mails(exim, 1)
    wait_sent(house, 1)
    assert len(told(house)) == 1, "a failure is no event"
    wait_until(lambda: house.api("GET", "/health")[0] == 200, "health")


def test_a_wrong_password_stops_in_time_and_what_waits_goes_when_mended(house, exim):
    define(house, exim, password="wrong")
    scan(house)
    wait_until(lambda: [n for n in told(house, state="waiting") if "result" in n], "an attempt")
    house.cli("notification", "set", "--limit-per-hour", "11")  # tries what waits
    wait_until(lambda: [d for d in house.ask("destination", "list") if "stopped" in d], "the stop")
    house.cli("notification", "set", "--limit-per-hour", "10")
    time.sleep(1)
    one, = told(house)
    assert one["attempts"] == 2 and one["state"] == "waiting", "an account was nearly locked"
    house.cli("destination", "set", "Mail", "--password", PASSWORD)
    mails(exim, 1)


def test_never_always_and_the_word_of_the_job(house, exim):
    define(house, exim, {"when": "never"})
    scan(house)
    scan(house, "01")
    assert told(house) == []
    define(house, exim, {"when": "never"}, {"notify": "always", "notify_to": "bob@peer.test"})
    scan(house)
    mail, = mails(exim, 1)
    assert sorted(mail.recipients) == ["admin@peer.test", "bob@peer.test"]
    scan(house, "01")
    done, = [m for m in mails(exim, 2) if m.message["subject"].endswith("is done")]
    assert "What to do" not in done.message.get_content()
    define(house, exim, {"when": "always"}, {"notify": "never"})
    scan(house)
    scan(house, "01")
    define(house, exim, {"when": "error"}, {"notify": "inherit", "notify_to": ""})
    scan(house, "01")
    mails(exim, 2)


def test_a_broken_scan_and_a_stopped_destination_are_told(house, exim):
    define(house, exim)
    device = house.device(pages(1, "whole") + pages(1, "never whole", 64 << 20))
    assert device.press()
    device.wait("page-acknowledged 1")
    device.kill()
    wait_until(lambda: [n for n in told(house, state="sent") if n["kind"] == "broken"], "the mail", 120)
    mail, = mails(exim, 1)
    assert mail.message["subject"].endswith("is broken")
    house.cli("destination", "stop", "Here")  # by a person, who knows it
    mails(exim, 1)


def test_without_its_destination_nothing_is_sent_and_it_is_said(house, exim):
    define(house, exim)
    house.cli("destination", "delete", "Mail")
    scan(house)
    wait_until(lambda: told(house, state="dropped"), "the event")
    wait_until(lambda: "notification.dropped" in house.log(), "the log")
    health = wait_until(lambda: (lambda r: r.returncode == 1 and r)(house.run("health")), "health")
    assert "platen notification set" in health.stdout + health.stderr
    assert exim.mails() == []


def test_a_person_tries_it(house, exim):
    refused = house.run("notification", "test")
    assert refused.returncode == 1 and "platen notification set" in refused.stderr
    define(house, exim)
    assert "sent" in house.cli("notification", "test")
    mail, = mails(exim, 1)
    assert mail.message["subject"] == "Platen: a test"
    define(house, exim, password="wrong")
    failed = house.run("notification", "test")
    assert failed.returncode == 1 and "login" in failed.stdout and "do:" in failed.stdout
    shown = house.ask("notification", "show")
    assert shown["over_name"] == "Mail" and shown["to"] == "Admin <admin@peer.test>"
    wrong = house.run("notification", "set", "--over", "Meil")
    assert wrong.returncode != 0 and 'Did you mean "Mail"?' in wrong.stderr
    assert "over: Mail" in house.cli("config", "export")
