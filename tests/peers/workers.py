"""What the tests of the worker programs share: where they are, pages, tasks, a served program."""

import hashlib
import json
import os
import socket
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLATEN_BUILD", os.path.join(TOP, "build"))
WORKER = os.path.join(BUILD, "src", "worker", "platen-worker")
DELIVER = os.path.join(BUILD, "src", "worker", "platen-deliver")
DELIVER_SMB = DELIVER + "-smb"
ANSWER_SECONDS = 30


def program_of(kind):
    """Which program delivers to a kind of destination."""
    return DELIVER_SMB if kind == "smb" else DELIVER


def make_page(path, number=1, size="620x877", dpi=75, *options):
    """A JPEG page with noise, so that no two are equal."""
    subprocess.run(["convert", "-seed", str(number), "-size", size, "xc:white", "-attenuate", "0.3",
                    "+noise", "Gaussian", "-fill", "black", "-draw",
                    f"rectangle 20,20 {20 + 30 * number},40", "-density", str(dpi), "-units", "PixelsPerInch",
                    *options, "-quality", "80", str(path)], check=True)
    return path


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def page_of(path, number, **more):
    """A page as tasks name it."""
    return {"number": number, "side": "A", "file": os.path.basename(path),
            "size": os.path.getsize(path), "sha256": sha256(path), **more}


def by_hand(program, task, *options):
    """Runs one task; gives the exit code and its messages."""
    done = subprocess.run([program, "--task", "-", *options], input=json.dumps(task).encode(),
                          stdout=subprocess.PIPE, timeout=ANSWER_SECONDS, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def result_of(program, task, *options):
    """The only message of a task."""
    code, messages = by_hand(program, task, *options)
    assert len(messages) == 1, messages
    assert (code == 0) == messages[0].get("ok", False)
    return messages[0]


class Served:
    """A program started with --serve, and our end of its socket."""

    def __init__(self, program, **environment):
        ours, theirs = socket.socketpair()
        ours.settimeout(ANSWER_SECONDS)

        def arrange():
            os.dup2(theirs.fileno(), 3)

        self.process = subprocess.Popen([program, "--serve"], preexec_fn=arrange, close_fds=False,
                                        env={**os.environ, **environment})
        theirs.close()
        self.socket, self.rest = ours, b""

    def send(self, message):
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self):
        """The next message, None when the other side closed."""
        while b"\n" not in self.rest:
            block = self.socket.recv(65536)
            if not block:
                return None
            self.rest += block
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as f:
            return [int(pid) for pid in f.read().split()]

    def close(self):
        """The ordinary end; gives the exit code."""
        self.socket.close()
        return self.process.wait(ANSWER_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.kill()
        self.process.wait()
