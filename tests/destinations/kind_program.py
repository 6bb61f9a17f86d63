"""kind_program.py - a folder of programs that are allowed, and what they do with documents."""

import contextlib
import os

from kind import Kind
from peer import tmpfs

NO_SERVER = "the program runs on this machine: nothing is connected to"
TAKE = """#!/bin/sh
# take FOLDER HOW [DOCUMENT]
set -eu
case $2 in
late) sleep 1.5 ;;
die) kill -KILL $$ ;;
hang) sleep 60 & sleep 60 ;;
esac
if [ $# = 3 ]; then cat "$3"; else cat; fi >"$1/.$PLATEN_NAME"
mv "$1/.$PLATEN_NAME" "$1/$PLATEN_NAME"
"""


class Program(Kind):
    name = "program"
    without = {
        "wrong_password": "nobody logs in", "wrong_host": NO_SERVER, "untrusted": NO_SERVER +
        "; who may not be trusted as a program is in test_program.py",
        "refuses": NO_SERVER + "; a program that asks to be tried again is in test_program.py",
    }

    def __init__(self, folder):
        super().__init__(folder)
        self.programs, self.taken, self.scratch = (
            os.path.join(folder, name) for name in ("programs", "taken", "scratch"))
        for path in (self.programs, self.taken, self.scratch):
            os.mkdir(path, 0o755)
        self.add("take", TAKE)
        self.former = {name: os.environ.get(name) for name in ("PLATEN_PROGRAMS", "TMPDIR")}
        os.environ.update(PLATEN_PROGRAMS=self.programs, TMPDIR=self.scratch)

    def close(self):
        super().close()
        for name, value in self.former.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value

    def add(self, name, text, mode=0o755):
        """Puts a program into the folder; gives its path."""
        path = os.path.join(self.programs, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def settings(self, how="well", **changes):
        return {"program": os.path.join(self.programs, "take"),
                "arguments": [{"argument": self.taken}, {"argument": how}], **changes}

    def files(self):
        found = {}
        for name in os.listdir(self.taken):
            with open(os.path.join(self.taken, name), "rb") as f:
                found[name] = f.read()
        return found

    def temporary(self):
        return os.listdir(self.scratch)

    # --- faults ---

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(program=os.path.join(self.programs, "none"))

    @contextlib.contextmanager
    def read_only(self):
        with tmpfs(self.scratch, "size=8m", "ro"):  # where the copy of the document would be
            yield self.settings()

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(self.scratch):
            yield self.settings()

    @contextlib.contextmanager
    def dies(self):
        yield self.settings("die")

    @contextlib.contextmanager
    def hangs(self):
        yield self.settings("hang", time_limit_s=1)

    @contextlib.contextmanager
    def late(self):
        yield self.settings("late", time_limit_s=10)
