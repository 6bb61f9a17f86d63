"""test_sane_legacy.py - Debian's SANE (epson2) finds platen-mfp --legacy and scans from it by ESC/I.

What SANE says about success is not believed alone: pictures are compared, pixel by pixel."""

import subprocess

import pytest

import common
from sane_peer import (SIZE, assert_same, assert_pixels, fixture_net as net, grey, scanimage, start,  # noqa: F401
                       toned)

DEVICE = "epson2:net:127.0.0.1"
AREA = ["--resolution", "75", "-x", "200", "-y", "250"]
INVERSE, PLAIN = bytes(range(255, -1, -1)), bytes(range(256))
JAMMED, NO_DOCUMENTS, IO_ERROR, CANCELLED = 6, 7, 9, 2


@pytest.fixture(name="sane")
def fixture_sane(tmp_path):
    folder = tmp_path / "sane.d"
    folder.mkdir()
    (folder / "dll.conf").write_text("epson2\n")
    (folder / "epson2.conf").write_text("net 127.0.0.1\n")
    return folder


def scan(net, sane, folder, *options):
    return scanimage(net, sane, "-d", DEVICE, *AREA, "--format=pnm", *options, cwd=folder)


def legacy(net, folder, *options):
    return start(net, folder, "--legacy", *options)


def test_is_found_by_broadcast(net, sane, tmp_path):
    """SANE asks all of the network (UDP 3289) and takes the address that answers."""
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    (sane / "epson2.conf").write_text("net autodiscovery\n")
    net.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    for link, address in (("veth0", "10.9.8.1"), ("veth1", "10.9.8.2")):
        net.run("ip", "address", "add", f"{address}/24", "dev", link)
        net.run("ip", "link", "set", link, "up")
    net.run("ip", "route", "add", "default", "dev", "veth0")
    with legacy(net, tmp_path / "in", "--address", "10.9.8.1", "--source", "flatbed", "--product", "PID 0893"):
        listed = scanimage(net, sane, "-L")
    assert "device `epson2:net:10.9.8.1' is a Epson PID 0893 flatbed scanner" in listed.stdout, listed


def test_is_not_found_on_port_zero(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    query = ("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(1)\n"
             "s.sendto(bytes.fromhex('4550534f4e5000ff00000000000000'), ('127.0.0.1', 3289))\n"
             "print(len(s.recv(2000)))\n")
    with legacy(net, tmp_path / "in"):
        assert net.run("/usr/bin/python3", "-c", query, text=True).stdout == "76\n"
    with legacy(net, tmp_path / "in", "--enpc-port", 0):
        assert net.run("/usr/bin/python3", "-c", query, text=True).returncode != 0


@pytest.mark.parametrize("mode,seen", [("Color", lambda picture: picture), ("Gray", grey)])
def test_glass(net, sane, tmp_path, mode, seen):
    fed = common.make_pictures(tmp_path / "in", 2, *SIZE)
    with legacy(net, tmp_path / "in", "--source", "flatbed", "--exit-after", 2) as mfp:
        for i in range(2):
            done = scan(net, sane, tmp_path, "--mode", mode, "-o", f"{i}.pnm")
            assert done.returncode == 0, done.stderr
        assert mfp.wait_exit() == 0
    for i in range(2):
        assert_pixels(tmp_path / f"{i}.pnm", seen(common.pixels(fed[i])))


def test_options_of_feeder_and_glass(net, sane, tmp_path):
    """It has both, wherever paper lies; epson2 takes no option of a device without a glass."""
    fed = common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in"):
        listed = scanimage(net, sane, "-d", DEVICE, "-A")
        done = scan(net, sane, tmp_path, "--mode", "Color", "-o", "page.pnm")
    assert listed.returncode == 0, listed.stderr
    assert "--source Flatbed|Automatic Document Feeder" in listed.stdout
    assert done.returncode == 0, done.stderr
    assert_pixels(tmp_path / "page.pnm", common.pixels(fed[0]))


def test_black_and_white(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in", "--source", "flatbed"):
        done = scan(net, sane, tmp_path, "--mode", "Lineart", "-o", "page.pnm")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.pnm").read_bytes()[:2] == b"P4"
    assert_pixels(tmp_path / "page.pnm", grey(common.pixels(fed[0]), 128))


def test_feeder_until_it_is_empty(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 3, *SIZE)
    with legacy(net, tmp_path / "in", "--sheets", 5) as mfp:
        done = scan(net, sane, tmp_path, "--mode", "Color", "--source", "Automatic Document Feeder",
                    "--batch=%d.pnm")
        assert done.returncode == 0, done.stderr
        assert "Batch terminated, 5 pages scanned" in done.stderr
        assert mfp.wait_line("scan-end") == "scan-end pages=5 outcome=done"
    for i in range(5):
        assert_same(tmp_path / f"{i + 1}.pnm", fed[i % 3])
    assert not (tmp_path / "6.pnm").exists()


def test_a_slow_feeder_is_waited_for(net, sane, tmp_path):
    """SANE takes an answer without blocks for the end: what comes within five seconds is just late."""
    fed = common.make_pictures(tmp_path / "in", 2, *SIZE)
    with legacy(net, tmp_path / "in", "--ppm", 20) as mfp:
        done = scan(net, sane, tmp_path, "--mode", "Color", "--source", "Automatic Document Feeder",
                    "--batch=%d.pnm")
        assert done.returncode == 0, done.stderr
        assert mfp.wait_line("scan-end") == "scan-end pages=2 outcome=done"
    for i in range(2):
        assert_same(tmp_path / f"{i + 1}.pnm", fed[i])


def test_both_sides(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 4, *SIZE)
    with legacy(net, tmp_path / "in", "--duplex", "sequential", "--sheets", 2):
        done = scan(net, sane, tmp_path, "--mode", "Color", "--source", "Automatic Document Feeder",
                    "--adf-mode", "Duplex", "--batch=%d.pnm")
        assert done.returncode == 0, done.stderr
    for i in range(4):
        assert_same(tmp_path / f"{i + 1}.pnm", fed[i])


# Of an open cover epson2 knows no better than that something failed.
@pytest.mark.parametrize("fault,code", [("jam", JAMMED), ("cover", IO_ERROR)])
def test_fault_before_the_page(net, sane, tmp_path, fault, code):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in", "--fault", fault):
        done = scan(net, sane, tmp_path, "--source", "Automatic Document Feeder", "-o", "none.pnm")
        assert done.returncode == code, done.stderr


def test_jam_in_the_second_page(net, sane, tmp_path):
    fed = common.make_pictures(tmp_path / "in", 3, *SIZE)
    with legacy(net, tmp_path / "in", "--fault", "jam@2") as mfp:
        done = scan(net, sane, tmp_path, "--mode", "Color", "--source", "Automatic Document Feeder",
                    "--batch=%d.pnm")
        assert done.returncode == IO_ERROR, done.stderr
        assert mfp.wait_line("fault") == 'fault kind="jam"'
        assert mfp.wait_line("scan-end") == "scan-end pages=1 outcome=fault"
    assert_same(tmp_path / "1.pnm", fed[0])


def test_empty_feeder(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in", "--source", "flatbed"):
        done = scan(net, sane, tmp_path, "--source", "Automatic Document Feeder", "-o", "none.pnm")
        assert done.returncode == NO_DOCUMENTS, done.stderr


def test_cancel_at_the_panel(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in", "--sheets", 100000, "--panel-port", 0) as mfp:
        scanning = subprocess.Popen(net.command("env", f"SANE_CONFIG_DIR={sane}", "scanimage", "-d", DEVICE, *AREA,
                                                "--source", "Automatic Document Feeder", "--batch=%d.pnm",
                                                "--format=pnm"), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        mfp.wait_line("page 2 ")
        pressed = net.run("curl", "-sS", "--fail", "-X", "POST", mfp.ready["panel"] + "/cancel")
        assert pressed.returncode == 0, pressed.stderr
        _, errors = scanning.communicate(timeout=common.PATIENCE_S)
        assert scanning.returncode == CANCELLED, errors
        assert "outcome=cancelled" in mfp.wait_line("scan-end")


@pytest.mark.parametrize("mode,tables,seen", [
    ("Color", ["--red-gamma-table", "[0]255-[255]0"], lambda p: toned(p, INVERSE, PLAIN, PLAIN)),
    ("Color", ["--green-gamma-table", "[0]255-[255]0", "--blue-gamma-table", "[0]0-[255]0"],
     lambda p: toned(p, PLAIN, INVERSE, bytes(256))),
    ("Gray", ["--red-gamma-table", "[0]255-[255]0", "--green-gamma-table", "[0]255-[255]0", "--blue-gamma-table",
              "[0]255-[255]0"], lambda p: toned(grey(p), INVERSE, INVERSE, INVERSE)),
])
def test_gamma_tables(net, sane, tmp_path, mode, tables, seen):
    fed = common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in", "--source", "flatbed"):
        done = scan(net, sane, tmp_path, "--mode", mode, *tables, "-o", "page.pnm")
        assert done.returncode == 0, done.stderr
    assert_pixels(tmp_path / "page.pnm", seen(common.pixels(fed[0])))


def test_what_it_cannot_do_is_refused(net, sane, tmp_path):
    common.make_pictures(tmp_path / "in", 1, *SIZE)
    with legacy(net, tmp_path / "in", "--source", "flatbed"):
        done = scan(net, sane, tmp_path, "--mode", "Gray", "--dropout", "Red", "-o", "page.pnm")
    assert done.returncode != 0, done.stderr
