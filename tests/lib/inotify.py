"""inotify.py - every name that ever appears in a folder, told by the kernel: none is too short-lived."""

import ctypes
import os
import struct
import threading

CREATE, MOVED_TO, Q_OVERFLOW = 0x100, 0x80, 0x4000
HEADER = struct.Struct("iIII")
libc = ctypes.CDLL(None, use_errno=True)


class Names:
    """seen: names of files and folders that were made in a folder or came into it, after the end of the block."""

    def __init__(self, folder):
        self.folder, self.seen = folder, set()

    def __enter__(self):
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        assert self.fd >= 0
        assert libc.inotify_add_watch(self.fd, os.fsencode(self.folder), CREATE | MOVED_TO) >= 0
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self

    def read(self):
        while True:
            data = os.read(self.fd, 65536)
            while data:
                _, mask, _, size = HEADER.unpack_from(data)
                name = data[HEADER.size:HEADER.size + size].rstrip(b"\0").decode()
                data = data[HEADER.size + size:]
                assert not mask & Q_OVERFLOW, "names were lost"
                if name == END:
                    return
                self.seen.add(name)

    def __exit__(self, *_):
        os.mkdir(os.path.join(self.folder, END))  # what was before it has been read when it is
        self.reader.join(20)
        os.rmdir(os.path.join(self.folder, END))
        alive = self.reader.is_alive()
        os.close(self.fd)
        assert not alive, "the names were not read to the end"


END = ".end-of-names"
