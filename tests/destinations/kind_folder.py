"""kind_folder.py - a folder of this machine."""

import contextlib
import os

from kind import Kind, seen_below
from peer import tmpfs

NO_SERVER = "a folder has no server: what is mounted there is the kernel's affair"


class Folder(Kind):
    name = "folder"
    without = {
        "wrong_password": "nobody logs in", "wrong_host": NO_SERVER, "untrusted": NO_SERVER,
        "dies": NO_SERVER + "; power loss is in tests/crash", "hangs": NO_SERVER,
        "refuses": NO_SERVER, "late": NO_SERVER,
    }

    def __init__(self, folder):
        super().__init__(folder)
        self.path = os.path.join(folder, "delivered")
        os.makedirs(self.path)

    def settings(self, **changes):
        return {"path": self.path, **changes}

    def files(self):
        return seen_below(self.path)

    def temporary(self):
        return [name for _, _, names in os.walk(self.path) for name in names if name.startswith(".")]

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(path=self.path + "/none")

    @contextlib.contextmanager
    def read_only(self):
        with tmpfs(self.path, "size=8m", "ro"):  # root, too, may not write there
            yield self.settings()

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.path):
            yield self.settings()
