"""common.py - what the tests with real peers share: programs under test, name spaces, pictures.

PLATEN_BUILD names the build folder to test; by default ./build of the project."""

import os
import queue
import random
import shlex
import socket
import subprocess
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLATEN_BUILD") or os.path.join(TOP, "build")
PATIENCE_S = 60


def program(path, build=BUILD):
    """A program of a build, by its path below it."""
    full = os.path.join(build, path)
    assert os.access(full, os.X_OK), f"{full} is missing: build first, or set PLATEN_BUILD"
    return full


def wait_until(true, what, patience_s=PATIENCE_S, pause_s=0.02):
    """Asks until the answer is true, and gives it back."""
    end = time.monotonic() + patience_s
    while True:
        answer = true()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {patience_s} s for {what}"
        time.sleep(pause_s)


# Ports for servers, in blocks: a process of tests has a block for as long as it lives, so that no other one gives its
# ports away, also while their server is down for a moment. They lie below those that the kernel takes by itself.
PORTS, PORT_BLOCK = range(12000, 32000), 50
_port_blocks, _ports_left, _port_lock = [], [], threading.Lock()


def _take_port_block():
    blocks = PORTS[::PORT_BLOCK]
    for first in random.SystemRandom().sample(blocks, len(blocks)):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0platen-test-ports-{first}")
        except OSError:
            mark.close()
            continue
        _port_blocks.append(mark)
        _ports_left[:] = range(first, first + PORT_BLOCK)
        return
    raise AssertionError("other tests have all ports")


def _is_free(port):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_ports(count):
    """Ports in a row, for TCP and UDP, that nobody has and no other test gets; never the same twice."""
    with _port_lock:
        while True:
            if len(_ports_left) < count:
                _take_port_block()
            ports = _ports_left[:count]
            del _ports_left[:count]
            if all(map(_is_free, ports)):
                return ports


# Root makes name spaces as it is, since inside a chroot the kernel refuses user name spaces; others
# need one.
IS_ROOT = os.geteuid() == 0
UNSHARE_USER = [] if IS_ROOT else ["-Ur"]


class Namespace:
    """A network of its own, so that fixed ports collide with nobody. Needs no root. beside: another
    one that links may lead to."""

    def __init__(self, beside=None):
        words = ["sh", "-c", "ip link set lo up && echo ready && exec sleep 3600"]
        words = (beside.command("unshare", "-n", *words) if beside
                 else ["unshare", *UNSHARE_USER, "-n", *words])
        self.holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n", "no network name space"

    def command(self, *words):
        """The command line that runs words inside."""
        user = [] if IS_ROOT else ["--preserve-credentials", "-U"]
        return ["nsenter", *user, "-n", "-t", str(self.holder.pid), *words]

    def run(self, *words, **more):
        return subprocess.run(self.command(*words), capture_output=True, timeout=PATIENCE_S * 2,
                              **more)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Program:
    """A program under test: its lines of standard output as they come, its standard error at the
    end. Use as a context; leaving it ends the program with SIGTERM."""

    def __init__(self, *words, namespace=None, stdin=None):
        command = namespace.command(*words) if namespace else list(words)
        self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.lines = []
        self.errors = ""
        self.unread = queue.Queue()
        self.readers = [threading.Thread(target=self._read_lines, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self.unread.put(self.lines[-1])
        self.unread.put(None)

    def _read_errors(self):
        self.errors = self.process.stderr.read()

    def wait_line(self, start, patience_s=PATIENCE_S):
        """Skips lines until one begins like this."""
        end = time.monotonic() + patience_s
        while True:
            try:
                line = self.unread.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, (f'no line "{start}..." came; lines: {self.lines}, '
                                      f"errors: {self.errors}")
            if line.startswith(start):
                return line

    def wait_exit(self, patience_s=PATIENCE_S):
        code = self.process.wait(patience_s)
        for reader in self.readers:
            reader.join(patience_s)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.wait_exit()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert "Sanitizer" not in self.errors, self.errors
        assert code >= 0, f"ended by signal {-code}: {self.errors}"


def fields(line):
    """name=value words of a line; values may stand in double quotes."""
    return dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)


def start_mfp(*options, namespace=None):
    """platen-mfp with these options, ready; .ready holds the fields of its first line."""
    mfp = Program(program("src/mfp/platen-mfp"), *map(str, options), namespace=namespace)
    mfp.ready = fields(mfp.wait_line("ready "))
    return mfp


def make_pictures(folder, count, width, height):
    """JPEG files of this size, each different, with fine structure in all colours."""
    os.makedirs(folder, exist_ok=True)
    for i in range(count):
        subprocess.run(["convert", "-size", f"{width}x{height}", "-seed", str(i + 1),
                        "plasma:fractal", "-fill", "none", "-stroke", "black", "-draw",
                        f"circle {width // 2},{height // 2} {width // 2},{10 * (i + 1)}",
                        "-quality", "90", os.path.join(folder, f"page-{i:03}.jpg")], check=True)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def pixels(path):
    """(width, height, RGB bytes) of a picture, decoded by ImageMagick."""
    size = subprocess.run(["identify", "-format", "%w %h", path], check=True, capture_output=True)
    rgb = subprocess.run(["convert", path, "-depth", "8", "rgb:-"], check=True,
                         capture_output=True).stdout
    width, height = map(int, size.stdout.split())
    return width, height, rgb
