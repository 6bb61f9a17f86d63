"""test_sane.py - Debian's SANE scans from platen-mfp: an independent client judges the device.

SANE knows only port 1865, so each test has a network name space of its own. What SANE says about
success is not believed alone (it takes a lost connection for a normal end): pictures are compared."""

import os
import subprocess
import time

import common
from sane_peer import (AREA, DEVICE, SIZE, assert_same, fixture_net as net, fixture_sane as sane,  # noqa: F401
                       scanimage, start)

NO_DOCUMENTS, CANCELLED = 7, 2  # exit codes of scanimage are SANE_Status


def test_is_found(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with start(net, tmp_path / "in", "--product", "PID 11D1"):
        listed = scanimage(net, sane, "-L")
    assert "device `epsonds:net:127.0.0.1' is a Epson PID 11D1 ESC/I-2" in listed.stdout


def test_feeder_pages_are_those_that_were_fed(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 3, *SIZE)
    with start(net, tmp_path / "in", "--sheets", 5, "--formats", "jpeg", "--exit-after", 1) as mfp:
        done = scanimage(net, sane, "-d", DEVICE, *AREA, "--batch=%d.pnm", "--format=pnm",
                         cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Batch terminated, 5 pages scanned" in done.stderr
        assert mfp.wait_exit() == 0
    for i in range(5):
        assert_same(tmp_path / f"{i + 1}.pnm", fed[i % 3])
    assert not (tmp_path / "6.pnm").exists()
    sizes = [os.path.getsize(fed[i % 3]) for i in range(5)]
    assert [line for line in mfp.lines if line.startswith("page ")] == [
        f"page {i + 1} bytes={size}" for i, size in enumerate(sizes)]
    assert mfp.lines[-1] == "scan-end pages=5 outcome=done"


def test_a_slow_feeder_is_asked_again_and_again(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 2, *SIZE)
    begun = time.monotonic()
    with start(net, tmp_path / "in", "--ppm", 20, "--exit-after", 1) as mfp:
        done = scanimage(net, sane, "-d", DEVICE, *AREA, "--batch=%d.pnm", "--format=pnm", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert mfp.wait_exit() == 0
    assert time.monotonic() - begun >= 6
    for i in range(2):
        assert_same(tmp_path / f"{i + 1}.pnm", fed[i])


def test_large_page_in_many_blocks(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 1, 2480, 3508)  # 210 x 297 mm at 300 dpi
    assert os.path.getsize(fed[0]) > 5 * 86592
    with start(net, tmp_path / "in"):
        done = scanimage(net, sane, "-d", DEVICE, "--resolution", "300", "-x", "210", "-y", "297",
                         "-o", "page.pnm", "--format=pnm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "page.pnm", fed[0])


def test_flatbed_gives_the_next_picture_each_time(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 2, *SIZE)
    with start(net, tmp_path / "in", "--source", "flatbed", "--exit-after", 3) as mfp:
        for i in range(3):
            done = scanimage(net, sane, "-d", DEVICE, "--source", "Flatbed", *AREA,
                             "-o", f"{i}.pnm", "--format=pnm", cwd=tmp_path)
            assert done.returncode == 0, done.stderr
        assert mfp.wait_exit() == 0
    for i in range(3):
        assert_same(tmp_path / f"{i}.pnm", fed[i % 2])


def test_empty_feeder_is_said(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with start(net, tmp_path / "in", "--source", "flatbed") as mfp:
        done = scanimage(net, sane, "-d", DEVICE, "--source", "ADF Front", *AREA, "-o", "none.pnm",
                         "--format=pnm", cwd=tmp_path)
        assert done.returncode == NO_DOCUMENTS
        assert "out of documents" in done.stderr
    assert not [line for line in mfp.lines if line.startswith("scan-begin")]


def test_one_page_of_many_leaves_the_rest(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 3, *SIZE)
    with start(net, tmp_path / "in") as mfp:
        for i in range(3):
            done = scanimage(net, sane, "-d", DEVICE, *AREA, "-o", f"{i}.pnm", "--format=pnm",
                             cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            mfp.wait_line("scan-end")
    for i in range(3):
        assert_same(tmp_path / f"{i}.pnm", fed[i])


def test_cancel_at_the_panel(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with start(net, tmp_path / "in", "--sheets", 100000, "--panel-port", 0) as mfp:
        scan = subprocess.Popen(net.command("env", f"SANE_CONFIG_DIR={sane}", "scanimage", "-d",
                                            DEVICE, *AREA, "--batch=%d.pnm", "--format=pnm"),
                                cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        mfp.wait_line("page 3 ")
        pressed = net.run("curl", "-sS", "--fail", "-X", "POST", mfp.ready["panel"] + "/cancel")
        assert pressed.returncode == 0, pressed.stderr
        _, errors = scan.communicate(timeout=common.PATIENCE_S)
        assert scan.returncode == CANCELLED, errors
        assert "outcome=cancelled" in mfp.wait_line("scan-end")
        # The device is free again, with paper left.
        done = scanimage(net, sane, "-d", DEVICE, *AREA, "-o", "again.pnm", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_busy_device_refuses_the_second_client(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    holder = ("import socket, sys\n"
              "s = socket.create_connection(('127.0.0.1', 1865))\n"
              "s.sendall(bytes.fromhex('49532100000c00000007000001a0040000012c'))\n"
              "got = b''\n"
              "while len(got) < 17 + 13: got += s.recv(100)\n"
              "print(got[-1], flush=True)\n"
              "sys.stdin.read()\n")
    with start(net, tmp_path / "in"):
        first = subprocess.Popen(net.command("/usr/bin/python3", "-c", holder), text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert first.stdout.readline() == "6\n"
        done = scanimage(net, sane, "-d", DEVICE, *AREA, "-o", "none.pnm", cwd=tmp_path)
        assert done.returncode != 0
        assert "failed" in done.stderr
        first.communicate("", timeout=common.PATIENCE_S)
        done = scanimage(net, sane, "-d", DEVICE, *AREA, "-o", "page.pnm", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
