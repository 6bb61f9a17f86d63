"""From Start at a panel to files in a folder. The watcher of every house looks at the folder all the
time: no test here can pass while a half file is seen or a file is overwritten."""

import datetime
import os
import subprocess

import house as at
from house import CHOICES, House, pages, sha256, wait_until

LARGE = 12 * 1024 * 1024  # a page that takes long enough to be interrupted


def started(**settings):
    """A house whose server runs and has jobs."""
    house = House(**settings)
    try:
        house.start()
        house.define()
    except BaseException as error:
        house.__exit__(type(error), error, None)
        raise
    return house


def hashes(feed):
    return [sha256(p) for p in feed]


def test_unapproved_device_starts_nothing():
    with started() as house:
        device = house.stranger(pages(2, "unapproved"))
        assert not device.press()
        waiting = [d for d in house.ask("device", "list") if d["address"] == device.address]
        assert [d["state"] for d in waiting] == ["seen"]
        assert house.batches() == []
        refused = [e for e in house.events() if e["kind"] == "scan.refused"]
        assert len(refused) == 1 and "approv" in refused[0]["text"]
        assert device.state()["sheets"] == 2, "no sheet was drawn"
        assert house.files() == []
        house.approve(device)
        assert device.scan() == "done"
        house.cli("device", "revoke", house.id_of(device))
        device.load(1)
        assert not device.press()


def test_feeder_to_pdf_and_index(tmp_path):
    feed = pages(4, "feeder", 60000)
    with started() as house:
        device = house.device(feed)
        day = datetime.date.today()
        assert device.scan() == "done"
        assert [b["state"] for b in house.wait_quiet()] == ["done"]
        assert house.files() == ["scan.csv", "scan.pdf"]
        pdf = os.path.join(house.delivered, "scan.pdf")
        subprocess.run(["qpdf", "--check", pdf], check=True, capture_output=True)
        names = [tmp_path / f"{i}.jpg" for i in range(len(feed))]
        for name, content in zip(names, feed):
            name.write_bytes(content)
        subprocess.run([os.path.join(at.TOP, "tools", "pdf-jpegs"), pdf, *names], check=True)
        row, = house.index("scan.csv")
        assert (row["file_name"], row["job"], row["pages"]) == ("scan.pdf", "Scan", "4")
        assert row["date"] in (str(day), str(datetime.date.today()))
        assert int(row["size_bytes"]) == os.path.getsize(pdf)
        assert row["sha256"] == sha256(house.content("scan.pdf"))
        batch, = house.ask("batch", "list")
        assert (batch["pages"], batch["documents"], batch["job_name"]) == (4, 2, "Scan")
        assert [p["sha256"] for p in house.ask("batch", "pages", batch["id"])] == hashes(feed)
        assert {d["state"] for d in house.ask("batch", "deliveries", batch["id"])} == {"done"}
        assert device.acknowledged == hashes(feed)
        house.check_delivered()
        house.check_fsck()


def test_flatbed_scans_one_page_at_a_time():
    feed = pages(2, "glass")
    with started() as house:
        device = house.device(feed, "--source", "flatbed")
        assert device.scan() == "done"
        assert device.scan() == "done"
        house.wait_quiet()
        assert [house.images(n) for n in ("scan.pdf", "scan_2.pdf")] == [hashes(feed[:1]), hashes(feed[1:])]


def test_jpeg_job_makes_a_file_per_page():
    feed = pages(3, "jpeg")
    with started() as house:
        assert house.device(feed).scan(choice=CHOICES["Pictures"]) == "done"
        house.wait_quiet()
        names = [f"picture-{i:03}.jpg" for i in (1, 2, 3)]
        assert house.files(".jpg") == names
        assert [house.content(n) for n in names] == feed
        index, = house.files(".csv")
        assert [row["file_name"] for row in house.index(index)] == names
        house.check_delivered()


def test_panel_choice_selects_the_job_and_each_job_counts():
    with started() as house:
        device = house.device(pages(20, "choices"))
        for choice in ("01", "04", "01", "04", "02"):
            assert device.scan(2, choice) == "done"
        device.load(2)
        assert not device.press("12"), "no job has this choice"
        assert device.state()["sheets"] == 2
        house.wait_quiet()
        assert house.files(".pdf") == ["counted-0001.pdf", "counted-0002.pdf", "scan.pdf"]
        assert house.files(".jpg") == [f"picture-{i:03}.jpg" for i in (1, 2, 3, 4)]
        house.check_delivered()


def test_a_taken_name_is_numbered_and_nothing_is_overwritten():
    with started() as house:
        own = os.path.join(house.folder, "own.pdf")
        with open(own, "wb") as f:  # whole before it is in the watched folder
            f.write(b"somebody's own file")
        os.rename(own, os.path.join(house.delivered, "scan.pdf"))
        os.mkdir(os.path.join(house.folder, "delivered", ".keep"))
        device = house.device(pages(4, "taken"))
        assert device.scan(2) == "done"
        assert device.scan(2) == "done"
        house.wait_quiet()
        assert house.content("scan.pdf") == b"somebody's own file"
        assert house.files(".pdf") == ["scan.pdf", "scan_2.pdf", "scan_3.pdf"]
        assert house.files(".csv") == ["scan.csv", "scan_2.csv"]
        for index, name in ("scan.csv", "scan_2.pdf"), ("scan_2.csv", "scan_3.pdf"):
            row, = house.index(index)
            assert row["file_name"] == name, "the index has the name that the file got"
            assert row["sha256"] == sha256(house.content(name))


def test_missing_folder_waits_for_a_person():
    with started() as house:
        later = os.path.join(house.folder, "later")
        house.define(path=later)
        feed = pages(2, "later")
        assert house.device(feed).scan() == "done"
        batch, = house.wait_quiet()
        assert batch["state"] == "attention" and batch["reason"]["remedy"]
        held = [d for d in house.parts(batch, "deliveries") if d["state"] == "held"]
        assert held and all(d["result"]["cure"] for d in held)
        assert later in held[0]["result"]["text"]
        assert not os.path.exists(later), "a missing folder is never made"
        house.make_folder(later)
        house.cli("batch", "retry", batch["id"])
        batch, = house.wait_quiet()
        assert batch["state"] == "done"
        assert sorted(os.listdir(later)) == ["scan.csv", "scan.pdf"]
        with open(os.path.join(later, "scan.pdf"), "rb") as f:
            assert [sha256(image) for image in at.pdf_images(f.read())] == hashes(feed)


def test_cancel_at_the_panel():
    with started() as house:
        device = house.device(pages(3, "cancel", LARGE))
        assert device.press()
        device.wait("page 1")
        assert device.cancel()
        assert device.wait_end() == "cancelled"
        batch, = house.wait_quiet()
        assert batch["state"] == "cancelled"
        assert house.files() == []
        assert device.scan(1) == "done", "the device is free for the next scan"
        house.wait_quiet()
        assert house.files(".pdf") == ["scan.pdf"]


def test_cancelled_scan_is_delivered_on_request():
    """keep_partial is no answer to a cancel: only a person sends what was taken."""
    with started() as house:
        house.define(keep_partial=True)
        device = house.device(pages(3, "cancel", LARGE))
        assert device.press()
        device.wait("page-acknowledged 1")
        assert device.cancel()
        assert device.wait_end() == "cancelled"
        batch, = house.wait_quiet()
        assert batch["state"] == "cancelled" and batch["pages"] == len(device.acknowledged) > 0
        assert house.files() == []
        house.cli("batch", "deliver", batch["id"])
        batch, = house.wait_quiet()
        assert batch["state"] == "done"
        assert house.images("scan.pdf") == device.acknowledged


def broken_scan(house):
    """A device that dies in the middle of its third page; the hashes of its two whole pages."""
    feed = pages(2, "broken") + pages(1, "never whole", LARGE)
    device = house.device(feed)
    assert device.press()
    device.wait("page-acknowledged 2")
    device.kill()
    assert device.acknowledged == hashes(feed[:2])
    return device.acknowledged


def test_broken_scan_is_kept_and_delivered_on_request():
    with started() as house:
        whole = broken_scan(house)
        batch, = house.wait_quiet()
        assert batch["state"] == "broken" and batch["reason"]["remedy"] and batch["pages"] == 2
        assert house.files() == []
        house.cli("batch", "deliver", batch["id"])
        batch, = house.wait_quiet()
        assert batch["state"] == "done"
        assert house.images("scan.pdf") == whole
        house.check_delivered()
        again = house.run("batch", "deliver", batch["id"])
        assert again.returncode != 0 and "done" in again.stderr


def test_keep_partial_delivers_by_itself():
    with started() as house:
        house.define(keep_partial=True)
        whole = broken_scan(house)
        wait_until(lambda: [b["state"] for b in house.batches()] == ["done"], "the partial batch")
        assert house.images("scan.pdf") == whole
        house.check_delivered()


def test_full_disk_refuses_the_scan():
    with started(free_space_mib=1 << 20) as house:
        device = house.device(pages(1, "full"))
        assert not device.press()
        assert device.state()["sheets"] == 1
        refused = [e for e in house.events() if e["kind"] == "scan.refused"]
        assert len(refused) == 1 and "space" in refused[0]["text"].lower()
        assert house.batches() == []


def test_other_devices_scan_meanwhile():
    """Ten devices at once; each page arrives once."""
    with started() as house:
        devices = [house.device(pages(6, f"many{i}", 5000 + 100 * i)) for i in range(10)]
        for _ in range(2):
            for device in devices:
                device.load(3)
            assert all(device.press("01") for device in devices)
            assert {device.wait_end() for device in devices} == {"done"}
        house.wait_quiet()
        assert house.check_delivered() == 60
        assert house.files(".pdf") == [f"counted-{i:04}.pdf" for i in range(1, 21)]
