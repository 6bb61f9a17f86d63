"""What is kept no longer is removed: pages and documents after their days, history after a year; what was
not delivered never."""

import glob
import os
import shutil
import time

from house import CHOICES, pages, wait_until
from test_scan import started


def removed(house):
    return all(b["files"] == "removed" for b in house.batches())


def metric(house, name):
    return next(int(line.split()[1]) for line in house.cli("metrics").splitlines()
                if line.startswith(name + " "))


def test_files_go_after_their_days_and_history_after_a_year():
    with started() as house:
        device = house.device(pages(4, "days"))
        assert device.scan(2) == "done"
        batch, = house.wait_quiet()
        assert batch["files"] == "kept"
        document, index = house.parts(batch, "documents")
        assert index["kind"] == "index"
        house.stop()
        house.age(29)
        house.start()
        assert device.scan(2) == "done"
        house.wait_quiet()
        assert house.spool_folders() == sorted(b["id"] for b in house.batches())
        house.stop()
        house.age(2)
        house.start()
        wait_until(lambda: house.spool_folders() != sorted(b["id"] for b in house.batches()),
                   "the files of the first batch to be removed")
        wait_until(lambda: house.get(f"/batches/{batch['id']}")["files"] == "removed", "its row")
        later, first = house.batches()
        assert (first["id"], later["files"]) == (batch["id"], "kept")
        for path in ("pages/1/image", "pages/1/thumbnail", f"documents/{document['id']}/file"):
            status, problem = house.api("GET", f"/api/v1/batches/{batch['id']}/{path}")
            assert status == 404 and "the files were removed after 30 days" in problem["detail"]
        # Where it went stays known, and that it cannot be sent any more.
        delivery = house.parts(batch, "deliveries")[0]
        assert delivery["state"] == "done" and delivery["result"]["remote_name"] == "scan.pdf"
        house.make_folder(os.path.join(house.folder, "other"))
        house.cli("destination", "create", "--name", "Other", "--kind", "folder", "--path",
                  os.path.join(house.folder, "other"))
        refused = house.run("delivery", "elsewhere", delivery["id"], "Other")
        assert refused.returncode == 1 and "removed after 30 days" in refused.stderr
        assert "scan again" in refused.stderr
        wait_until(lambda: metric(house, "platen_batches_removed_total") == 1, "the count")
        assert metric(house, "platen_pages_total") == 4
        assert "batch.files-removed" in [e["kind"] for e in house.events()]
        house.check_delivered()
        house.check_fsck()
        audits = house.sql("SELECT count(*) FROM audit")
        house.age(335)
        house.start()
        wait_until(lambda: [b["id"] for b in house.batches()] == [later["id"]], "the history to end")
        wait_until(lambda: removed(house), "the files of the second batch to be removed")
        assert not [e for e in house.events() if e["batch"] == batch["id"]]
        wait_until(lambda: metric(house, "platen_batches_removed_total") == 2, "the count")
        house.check_fsck()
        assert house.sql("SELECT count(*) FROM audit") == audits
        assert house.sql("SELECT count(*) FROM delivery") == [(2,)]


def test_undelivered_is_kept_until_a_person_gives_it_up():
    with started(keep_files_days=0, keep_history_days=1) as house:
        house.define(path=os.path.join(house.folder, "nowhere"))
        device = house.device(pages(5, "kept"))
        assert device.scan(2) == "done"
        assert [b["state"] for b in house.wait_quiet()] == ["attention"]
        house.stop()
        house.age(4000)
        house.start()
        time.sleep(2)
        batch, = house.batches()
        assert batch["files"] == "kept" and house.spool_folders() == [batch["id"]]
        refused = house.run("batch", "purge", batch["id"])
        assert refused.returncode == 1 and "--undelivered" in refused.stderr
        assert "has its files removed" in house.cli("batch", "purge", batch["id"], "--undelivered")
        house.wait_removed()
        batch, = house.batches()
        assert (batch["state"], batch["reason"]["code"]) == ("cancelled", "given-up")
        assert {d["state"] for d in house.parts(batch, "deliveries")} == {"dropped"}
        for verb in ("deliver", "retry", "purge"):
            assert house.run("batch", verb, batch["id"]).returncode == 1
        drop = house.parts(batch, "deliveries")[0]
        again = house.run("delivery", "retry", drop["id"])
        assert again.returncode == 1 and "nothing is left to send" in again.stderr
        # What is delivered goes by itself, at once.
        house.define()
        assert device.scan(3) == "done"
        wait_until(lambda: len(house.batches()) == 2, "the second batch")
        house.wait_quiet()
        house.wait_removed()
        house.stop()
        assert ("batch.purge", "undelivered") in house.sql("SELECT action, detail FROM audit")


def test_an_older_database_learns_what_was_removed():
    with started() as house:
        device = house.device(pages(4, "older"))
        assert device.scan(2) == "done"
        batch, = house.wait_quiet()
        house.stop()
        backup = os.path.join(house.folder, "backup.db")
        house.sql(f"VACUUM INTO '{backup}'")
        house.start()
        house.cli("batch", "purge", batch["id"])
        house.wait_removed()
        house.stop()
        for path in glob.glob(os.path.join(house.data, "platen.db*")):
            os.remove(path)
        shutil.copy(backup, os.path.join(house.data, "platen.db"))
        owner = os.stat(house.data)
        os.chown(os.path.join(house.data, "platen.db"), owner.st_uid, owner.st_gid)
        text = house.cli("fsck", "--config", house.config_path)
        assert "its folder is gone: marked" in text and "1 without their folder" in text
        house.check_fsck()
        house.start()
        assert "spool.settled" not in house.log(), "it was said once"
        batch, = house.batches()
        assert (batch["state"], batch["files"]) == ("done", "missing")
        status, problem = house.api("GET", f"/api/v1/batches/{batch['id']}/pages/1/image")
        assert status == 404 and "missing" in problem["detail"]
        house.cli("batch", "purge", batch["id"])
        house.wait_removed()


def copies_of_batch(house, count):
    """Rows and folders of many batches that are done, made from the one there is. The server is down."""
    (model, day), = house.sql("SELECT id, substr(folder, 1, 10) FROM batch")
    names = [f"0{i:025}" for i in range(count)]
    columns = [row[1] for row in house.sql("PRAGMA table_info(batch)")]
    values = {"id": "'{0}'", "folder": f"'{day}/{{0}}'"}
    picked = ", ".join(values.get(c, c) for c in columns)
    house.sql(*[f"INSERT INTO batch ({', '.join(columns)}) SELECT {picked.format(name)} FROM batch"
                f" WHERE id = '{model}'" for name in names])
    folder = os.path.join(house.data, "spool", day)
    owner = os.stat(house.data)
    for name in names:
        shutil.copytree(os.path.join(folder, model), os.path.join(folder, name))
        for path, _, files in os.walk(os.path.join(folder, name)):
            for one in (path, *(os.path.join(path, f) for f in files)):
                os.chown(one, owner.st_uid, owner.st_gid)


def test_scans_go_on_while_many_batches_are_removed():
    with started() as house:
        device = house.device(pages(7, "many"))
        assert device.scan(1) == "done"
        house.wait_quiet()
        house.stop()
        copies_of_batch(house, 400)
        house.age(31)
        house.start()
        begun = time.monotonic()
        for choice in (CHOICES["Scan"], CHOICES["Counted"], CHOICES["Pictures"]):
            assert device.scan(2, choice) == "done"
            wait_until(lambda: all(b["state"] != "receiving" for b in house.batches()[:3]), "its end")
        scanned = time.monotonic() - begun
        wait_until(lambda: len(house.spool_folders()) == 3, "401 folders to be removed")
        print(f"three scans took {scanned:.1f} s, 401 removals {time.monotonic() - begun:.1f} s")
        assert [b["state"] for b in house.wait_quiet()][:3] == ["done"] * 3
        wait_until(lambda: metric(house, "platen_batches_removed_total") == 401, "the count")
        house.check_delivered()
        house.check_fsck()
