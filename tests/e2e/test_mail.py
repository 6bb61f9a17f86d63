"""From Start at a panel to mails in the queue of a real exim."""

import json
import os
import sys

import pytest

from house import House, pages

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "destinations"))

from mail_server import Exim  # noqa: E402
from peer import PASSWORD, USER, authority  # noqa: E402


@pytest.fixture
def exim():
    server = Exim()
    yield server
    server.end()


def define(house, exim, password=PASSWORD):
    """A job that sends mails to two people."""
    settings = {"host": "127.0.0.1", "port": exim.port, "auth": "plain", "user": USER, "password": password,
                "from": "scan@peer.test", "from_name": "Scanner", "tls_trust": "ca",
                "tls_ca": authority().text("ca.pem"), "timeout_s": 5}
    options = {"to": "Anna <anna@peer.test>", "bcc": "bob@peer.test", "subject": "{job}: Seiten {pages}"}
    house.cli("config", "apply", "-", input=json.dumps({
        "destinations": [{"name": "Mail", "kind": "email", "settings": settings}],
        "jobs": [{"name": "Büro", "index": "csv", "file_format": "pdf", "file_name": "Bericht ü",
                  "destinations": [{"destination": "Mail", "options": options}]}],
        "job_groups": [{"name": "All", "jobs": [{"job": "Büro", "panel_choice": "1-sided-pdf"}]}]}))


def test_a_batch_becomes_mails(exim):
    with House() as house:
        house.start()
        define(house, exim)
        assert house.device(pages(3, "mail", 50000)).scan() == "done"
        batch, = house.wait_quiet()
        assert batch["state"] == "done", house.parts(batch, "deliveries")
        document, index = sorted(exim.mails(), key=lambda m: ".csv" in str(m.attachments().keys()))
        assert document.message["subject"] == "Büro: Seiten 3"
        assert document.message["from"].addresses[0].display_name == "Scanner"
        (name, content), = document.attachments().items()
        assert name == "Bericht ü.pdf" and content.startswith(b"%PDF-")
        (name, content), = index.attachments().items()
        assert name == "Bericht ü.csv" and "Bericht ü.pdf".encode() in content
        for mail in document, index:
            assert sorted(mail.recipients) == ["anna@peer.test", "bob@peer.test"]
        ids = {d["id"] for d in house.parts(batch, "deliveries")}
        assert {m.message["message-id"] for m in (document, index)} == {f"<{i}@peer.test>" for i in ids}


def test_a_wrong_password_holds_and_a_wrong_recipient_is_not_saved(exim):
    with House() as house:
        house.start()
        define(house, exim, "wrong")
        assert house.device(pages(1, "held")).scan() == "done"
        batch, = house.wait_quiet()
        assert batch["state"] == "attention" and exim.mails() == []
        define(house, exim)  # whoever corrects a password lets the destination go on
        assert [b["state"] for b in house.wait_quiet()] == ["done"] and len(exim.mails()) == 2
        job, = house.ask("job", "list")
        job["destinations"][0]["options"]["to"] = "jürgen@"
        status, problem = house.api("PUT", f"/api/v1/jobs/{job['id']}", job)
        assert status == 400 and problem["field"] == "destinations[0].options.to", problem
