"""A kind of destination with a program of its own: from Start at a panel to files in a Windows share."""

import os
import sys

from house import House, pages

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "destinations"))
from kind_smb import Smbd  # noqa: E402
from peer import PASSWORD, USER, free_ports  # noqa: E402


def test_a_windows_share(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with House() as house:
        (home / "scans").symlink_to(house.delivered)
        server = Smbd(str(tmp_path), str(home), free_ports(1)[0])
        try:
            house.start()
            house.define(destination={"kind": "smb", "settings": {
                "server": "127.0.0.1", "port": server.port, "share": "scans", "user": USER,
                "password": PASSWORD}})
            device = house.device(pages(3, "share"))
            assert device.scan() == "done"
            assert [b["state"] for b in house.wait_quiet()] == ["done"]
            assert house.files() == ["scan.csv", "scan.pdf"]
            assert house.check_delivered() == 3
        finally:
            server.process.end()
