"""The process that delivers dies, or the server does, at every place that has a name; then it goes on. In the
end each document is there once: where the kind renames, and where the other side remembers a key. Mails, prints
and runs of programs come at most once more; prints and programs only when a person has said so.

POINTS says which places are tried with which kind. All of them with ftp; the others have those at which they differ
from it: what finds the file of an attempt that died (renamed, before-result), and one before. `deliver` kills
that process at its second visit, which is the index: the server lives on and tries again by itself (where each
attempt would die there, at its first, and the server is stopped and started without the fault). `server` is
harder: the process is stopped at its first visit and the server killed. The orphan has to die with it, so that it
does not work beside the next server, although what it has sent may still be on its way. In the middle of an upload
both are tried with each kind that has a slow way to its server."""

import collections
import contextlib
import os
import re
import signal

import pytest

from delivering import program_of
from house import House, pages, sha256, wait_until
from kind import Kind

SITE = ["site.written", "site.verified", "site.before-rename", "site.renamed"]
DELIVER = ["deliver.asked", "deliver.before-result"]
BOTH = ("deliver", "server")
POINTS = {
    "ftp": [(point, who) for point in SITE + DELIVER for who in BOTH],
    "folder": [("folder.copied", "server"), ("site.before-rename", "deliver"), ("site.renamed", "server")],
    "sftp": [("site.before-rename", "deliver"), ("site.renamed", "server"), ("deliver.before-result", "deliver")],
    "smb": [("site.written", "server"), ("site.renamed", "deliver"), ("deliver.asked", "server")],
    "webdav": [("site.verified", "deliver"), ("site.before-rename", "server"), ("site.renamed", "server")],
    "sharepoint": [("site.renamed", who) for who in BOTH],  # it may have to be checked in
    "sharepoint_online": [("site.renamed", "server"), ("site.before-rename", "deliver")],
    "s3": [(point, who) for point in DELIVER for who in BOTH],
    "webhook": [("deliver.before-result", who) for who in BOTH],
    "paperless": [("deliver.asked", "server"), *(("deliver.before-result", who) for who in BOTH)],
    "email": [(point, who) for point in DELIVER for who in BOTH],
    "printer": [(point, who) for point in DELIVER for who in BOTH],
    "program": [(point, who) for point in DELIVER for who in BOTH],
}
CASES = [pytest.param(word, point, who, id=f"{word}-{point}-{who}")
         for word, points in POINTS.items() for point, who in points]
SLOW = ["ftp", "sftp", "smb", "webdav", "email"]
NO_INDEX = ("paperless", "printer")  # they have no use for one
UNSURE = ("email", "printer", "program")
LARGE = 4 << 20  # bytes of a page that takes a while on the slow ways
TAKE = """#!/bin/sh
set -eu
cp "$2" "$1/.$PLATEN_NAME"
mv "$1/.$PLATEN_NAME" "$1/$PLATEN_DELIVERY-$$"
"""


class Take(Kind):
    """A program that keeps a file for each run; the server's user may run it."""
    name = "program"

    def __init__(self, house):
        super().__init__(house.folder)
        self.house, self.scratch = house, os.path.join(house.folder, "scratch")
        programs = os.path.join(house.folder, "programs")
        os.mkdir(programs, 0o755)
        house.make_folder(self.scratch)
        house.environment["TMPDIR"] = self.scratch
        house.configure(programs=programs)
        self.path = os.path.join(programs, "take")
        with open(self.path, "w", encoding="ascii") as f:
            f.write(TAKE)
        os.chmod(self.path, 0o755)

    def settings(self, **changes):
        return {"program": self.path, "arguments": [{"argument": self.house.delivered}], **changes}

    def files(self):
        return {name: self.house.content(name) for name in self.house.files()}

    def temporary(self):
        return os.listdir(self.scratch)


class Here(Take):
    """The folder of a house."""
    name = "folder"

    def __init__(self, house):  # pylint: disable=super-init-not-called
        self.house = house

    def settings(self, **changes):
        return {"path": self.house.delivered, **changes}

    def temporary(self):
        return [name for name in os.listdir(self.house.delivered) if name.startswith(".")]


class Home:
    """A house that delivers to one kind, and what has come there."""

    def __init__(self, word, kinds):
        local = {"program": Take, "folder": Here}
        given = None if word in local else kinds(word)  # before the house: it may set the environment
        self.word, self.house = word, House()
        self.kind = given or local[word](self.house)
        self.house.start()
        self.define(self.kind.settings())
        self.device = self.house.device(pages(2 * len(POINTS[word]), word))
        self.house.stop()
        self.what = {}

    def define(self, settings):
        self.house.define(destination={"kind": self.kind.name, "settings": settings, "parallel": 1},
                          index="none" if self.word in NO_INDEX else "csv",
                          destinations=[{"destination": "Delivered", "options": self.kind.options()}])

    def contents(self):
        return collections.Counter(sha256(content) for content in self.kind.files(**self.what).values())

    def deliveries(self):
        return self.house.parts(self.house.batches()[0], "deliveries")

    def processes(self):
        """Those that deliver."""
        program = os.path.basename(program_of(self.kind.name))
        return [pid for pid in self.house.workers() if name_of(pid) == program]

    def stopped(self):
        return [pid for pid in self.processes() if state_of(pid) == "T"]

    def orphan(self, pid):
        """The server dies beside a stopped process, the next one starts; the process never goes on."""
        self.house.kill()
        self.house.start()  # which waits until the locks of the orphan are free
        assert state_of(pid) in (None, "Z", "X"), "the orphan is there beside the next server"

    def check(self, before):
        """Everything is there, and no more often than it may."""
        self.house.wait_quiet()
        unsure = [d for d in self.deliveries() if d["state"] == "uncertain"]
        assert not unsure or self.word in UNSURE
        for delivery in unsure:  # a person looks, and wants it
            self.house.cli("delivery", "retry", delivery["id"])
        assert self.house.wait_quiet()[0]["state"] == "done", self.deliveries()
        deliveries, new = self.deliveries(), self.contents() - before
        assert len(new) == len(deliveries) == (1 if self.word in NO_INDEX else 2), new
        assert {d["result"]["sha256"] for d in deliveries} == set(new), "what the receipts say"
        more = 1 + len(unsure) if self.word == "email" else len(unsure)
        assert len(deliveries) <= sum(new.values()) <= len(deliveries) + more, new
        if self.word == "email":
            self.check_mails(deliveries, new)
        assert self.kind.temporary() == []

    def check_mails(self, deliveries, new):
        """One that came twice can be known by its Message-ID, and its receipt says so."""
        twice = {content for content, count in new.items() if count > 1}
        assert all("earlier attempt" in d["result"]["text"] for d in deliveries if d["result"]["sha256"] in twice)
        known = {re.fullmatch(r"<(\w+)@.*>", mail.message["message-id"])[1] for mail in self.kind.exim.mails()}
        assert {d["id"] for d in deliveries} <= known


def name_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
        return os.path.basename(f.read().split(b"\0")[0].decode())
    return None


def state_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0]
    return None


def wait_death(pid):
    """Of a process whose server has died: the kernel has its signal, and needs a moment for it."""
    wait_until(lambda: state_of(pid) in (None, "Z", "X"), "the orphan to die with its server")


@pytest.fixture(scope="module")
def homes(kinds):
    """word -> Home, made when first asked for."""
    with contextlib.ExitStack() as stack:
        made = {}

        def get(word):
            if word not in made:
                made[word] = Home(word, kinds)
                stack.enter_context(made[word].house)
            return made[word]

        yield get


@contextlib.contextmanager
def running(house, fault=None):
    """A server for one case; none is left for the next one."""
    house.start(fault)
    try:
        yield
        house.stop()
    finally:
        house.kill()


@pytest.mark.parametrize("word, point, who", CASES)
def test_death_at(homes, word, point, who):
    home = homes(word)
    house, before = home.house, home.contents()
    again = who == "deliver" and word in (*NO_INDEX, "program")  # it would die at every attempt
    fault = f"{point}:1" if again else f"{point}:2" if who == "deliver" else f"{point}:1:stop"
    with running(house, fault):
        assert home.device.scan(2) == "done"
        wait_until(lambda: f"fault={fault}" in house.log(), f"the visit of {point}")
        if who == "server":
            pid, = wait_until(home.stopped, "the process to stop")
            home.orphan(pid)
        elif again:
            house.stop()
            house.start()
        home.check(before)


def test_a_mail_that_was_cut_off_twice_waits_for_a_person(homes):
    home = homes("email")
    house, before, fault = home.house, home.contents(), "deliver.before-result:1:stop"
    for _ in range(2):
        with running(house, fault):
            if all(b["state"] == "done" for b in house.batches()):
                assert home.device.scan(2) == "done"
            pid, = wait_until(home.stopped, "the process to stop")
            house.kill()
            wait_death(pid)
    with running(house):
        batch = wait_until(lambda: house.batches()[0]["state"] == "attention" and house.batches()[0], "the end")
        mail, = [d for d in house.parts(batch, "deliveries") if d["state"] == "uncertain"]
        assert list((home.contents() - before).values()) == [2], "the document, twice"
        assert "two attempts were cut off" in mail["result"]["text"] and "confirm" in mail["result"]["cure"]
        house.cli("delivery", "confirm", mail["id"])
        assert house.wait_quiet()[0]["state"] == "done"
        assert sum((home.contents() - before).values()) == 3  # and the index once


def slow_way(kind, word):
    """Settings, and how files() looks there."""
    if word in ("ftp", "sftp"):
        return kind.slowly(), {"user": "slow"}
    if word == "smb":
        return kind.slowly(), {"share": "slow"}
    return kind.through(kind.slow.port), {}


@pytest.mark.parametrize("who", BOTH)
@pytest.mark.parametrize("word", SLOW)
def test_death_in_an_upload(homes, word, who):
    home = homes(word)
    house, kind = home.house, home.kind
    settings, home.what = slow_way(kind, word)
    before = home.contents()
    with running(house):
        home.define(settings)
        device = house.device(pages(2, f"{word}-{who}", LARGE))
        assert device.scan(2) == "done"
        wait_until(kind.exim.receiving if word == "email" else kind.uploading, "the beginning of an upload")
        pid, = home.processes()
        os.kill(pid, signal.SIGSTOP if who == "server" else signal.SIGKILL)
        if who == "server":
            wait_until(home.stopped, "the process to stop")
            home.orphan(pid)
        home.check(before)
        home.define(kind.settings())
    home.what = {}
