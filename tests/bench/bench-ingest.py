#!/usr/bin/python3
"""bench-ingest.py - pages of 64 scanners into the spool: the server's CPU, memory and rate, beside a bare loop.

usage: bench-ingest.py [--rounds N] [--seconds N] [--folder DIR]

PLATEN_BUILD names the build to measure (a release build). The pages are those of bench-compose.py: 20 different
ones of some 1.07 MB, here with a stamp each (platen-mfp --stamp), so that no two are equal. The scanners are
`platen-mfp --count 64`; they and the readers (thumbnails) run on the same processors as the server.

  paced   64 scanners of 100 pages a minute each, 107 pages/s in all, for 60 s. Goal: no page is lost, the server
          takes at most half of one core, its private memory stays below 64 MiB. Only the server counts: the
          readers are processes of their own, behind the pages.
  peak    the same scanners as fast as they are asked. Beside it, in the same round: a bare loop that writes,
          syncs, renames and commits (SQLite) the same number of the same files with 4 threads and no network; and ab,
          which sends as many to nginx by PUT, which syncs nothing. Goal: 0.7 x the rate of the loop. Each of the three
          begins with memory that was used a moment ago: bench-deliver.py says why.

Every page that a scanner saw acknowledged must be in the spool with the bytes that were fed, under its row. Then the
server is killed: documents are not measured here. The figures are medians of the rounds."""

import argparse
import hashlib
import importlib.machinery
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
os.environ.setdefault("PLATEN_BUILD", os.path.join(TOP, "build", "release"))
sys.path.insert(0, os.path.join(TOP, "tests", "peers"))

from common import free_ports, wait_until  # noqa: E402  (PLATEN_BUILD has to be set before)
from fleet import Fleet, private_bytes  # noqa: E402
from served import House  # noqa: E402

compose = importlib.machinery.SourceFileLoader(
    "bench_compose", os.path.join(HERE, "bench-compose.py")).load_module()

DEVICES, PAGES_A_MINUTE = 64, 100
PEAK_SHEETS = 20          # of each device: 1,280 pages
LOOP_THREADS = 4
CPU_GOAL, MEMORY_GOAL_MIB, RATE_GOAL = 0.5, 64, 0.7
PATIENCE_S = 600
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process and its threads, without its children."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


class MemoryWatch:
    """The most private memory of a process while it runs, in MiB."""

    def __init__(self, pid):
        self.pid, self.most, self.over = pid, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.5):
            self.most = max(self.most, private_bytes(self.pid) / (1 << 20))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def stamped(page, text):
    """SHA-256 of the page with this stamp."""
    comment = b"\xff\xfe" + (2 + len(text)).to_bytes(2, "big") + text.encode()
    digest = hashlib.sha256(page[:2] + comment)
    digest.update(page[2:])
    return digest.hexdigest()


def rows_of(house):
    """Every page's row: (serial number of its device, number, hash, path)."""
    with house.database() as database:
        return [(serial, number, sha256, os.path.join(house.spool, folder, file))
                for serial, number, sha256, folder, file in database.execute(
                    "SELECT device.serial, page.number, page.sha256, batch.folder, page.file FROM page"
                    " JOIN batch ON batch.id = page.batch_id JOIN device ON device.id = batch.device_id")]


def assert_all_there(house, fleet, pages, sheets):
    """The rows tell the pages that were fed, each once; the files have the bytes the rows tell."""
    rows = rows_of(house)
    wanted = {(serial, n + 1): stamped(pages[n % len(pages)], f"{serial} page {n + 1}")
              for serial in fleet.serials.values() for n in range(sheets)}
    assert len(rows) == len(wanted), f"{len(wanted)} pages were sent, {len(rows)} are there"
    for serial, number, sha256, path in rows:
        assert wanted[serial, number] == sha256, f"page {number} of {serial} has other bytes"
        with open(path, "rb") as f:
            assert hashlib.sha256(f.read()).hexdigest() == sha256, f"{path} has other bytes than its row tells"
    return len(rows)


def stored_rate(house):
    """Pages a second from the first page that was whole to the last (a page's time is taken just before it is
    flushed): pressing 64 panels is not in it, nor is the last flush."""
    with house.database() as database:
        count, first, last = database.execute("SELECT count(*), min(stored_at), max(stored_at) FROM page").fetchone()
    return (count - 1) * 1000 / (last - first)


class Figures:
    """What a run took; rate: pages a second. Of the server alone: CPU seconds, most private MiB, commits."""

    def __init__(self, pages, rate, seconds, cpu, memory, commits):
        self.pages, self.rate, self.seconds = pages, rate, seconds
        self.cpu, self.memory, self.commits = cpu, memory, commits
        self.load = cpu / seconds

    def say(self, what):
        print(f"{what}: {self.pages} pages in {self.seconds:.1f} s, {self.rate:.0f} pages/s; server {self.load:.2f} of"
              f" a core, {self.cpu / self.pages * 1000:.2f} ms of CPU a page, {self.memory:.1f} MiB private,"
              f" {self.commits / self.pages:.2f} commits a page", flush=True)


def commits(house):
    text = house.api("GET", "/metrics")[1]
    return int(re.search(r"^platen_store_commits_total (\d+)", text, re.M)[1])


def ingest(folder, pages, sheets, pages_a_minute=0):
    """All scanners scan so many sheets at once into a new server."""
    house = House({"devices": {"identify": "true"}, "limits": {"spool_threads": LOOP_THREADS}}).start()
    try:
        house.configure()
        options = ["--sheets", sheets, "--panel-port", 0, "--announce-every", 2]
        with Fleet(house, folder, DEVICES, "127.90.0.1", "INGEST", *options,
                   *(["--ppm", pages_a_minute] if pages_a_minute else [])) as fleet:
            fleet.approve()
            fleet.wait_shown()
            wait_until(lambda: all(d["serial"] for d in house.devices().values()), "the serial numbers")
            pid = house.process.pid
            compose.warm_memory()
            cpu, committed, begun = cpu_seconds(pid), commits(house), time.monotonic()
            with MemoryWatch(pid) as memory:
                fleet.press()
                ended = fleet.wait_ends(PATIENCE_S)
            seconds = time.monotonic() - begun
            figures = Figures(sum(ended.values()), stored_rate(house), seconds, cpu_seconds(pid) - cpu, memory.most,
                              commits(house) - committed)
            assert set(ended.values()) == {sheets}
            assert assert_all_there(house, fleet, pages, sheets) == figures.pages
        return figures
    finally:
        house.kill()
        house.remove()


def bare_loop(folder, pages, count):
    """Pages a second of 4 threads that write, sync, rename and commit."""
    database = sqlite3.connect(os.path.join(folder, "loop.db"), check_same_thread=False, isolation_level=None)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           "CREATE TABLE page (name TEXT PRIMARY KEY, size INTEGER)")
    lock, left = threading.Lock(), list(range(count))

    def run(number):
        path = os.path.join(folder, f"loop-{number}")
        os.mkdir(path)
        folder_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        while True:
            try:
                n = left.pop()
            except IndexError:
                break
            page, name = pages[n % len(pages)], os.path.join(path, f"p{n:06}")
            fd = os.open(name + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            assert os.write(fd, page) == len(page)
            os.fdatasync(fd)
            os.close(fd)
            os.rename(name + ".part", name)
            os.fsync(folder_fd)
            with lock:
                database.execute("INSERT INTO page VALUES (?, ?)", (name, len(page)))
        os.close(folder_fd)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(LOOP_THREADS)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begun
    database.close()
    return count / seconds


NGINX = """
daemon off; worker_processes 1; pid {d}/pid; error_log {d}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_max_body_size 0; client_body_temp_path {d}/body; proxy_temp_path {d}/proxy;
  fastcgi_temp_path {d}/fastcgi; uwsgi_temp_path {d}/uwsgi; scgi_temp_path {d}/scgi;
  server {{ listen 127.0.0.1:{port}; root {d}/home; location / {{ dav_methods PUT; }} }} }}
"""


def nginx_rate(folder, page, count):
    """PUTs a second of ab to nginx, which syncs nothing."""
    port, = free_ports(1)
    os.makedirs(os.path.join(folder, "home"))
    for path in (folder, os.path.join(folder, "home")):
        os.chmod(path, 0o777)
    with open(os.path.join(folder, "conf"), "w", encoding="ascii") as f:
        f.write(NGINX.format(d=folder, port=port))
    server = subprocess.Popen(["nginx", "-c", os.path.join(folder, "conf")], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(os.path.join(folder, "pid")), "nginx")
        text = subprocess.run(["ab", "-q", "-k", "-n", str(count), "-c", "8", "-u", page, "-T", "image/jpeg",
                               f"http://127.0.0.1:{port}/page.jpg"], check=True, capture_output=True, text=True).stdout
        assert re.search(r"Failed requests: +0$", text, re.M) and "Non-2xx" not in text, text
        return float(re.search(r"Requests per second: +([\d.]+)", text)[1])
    finally:
        server.terminate()
        server.wait()


def verdict(holds, text):
    print(f"G9 {'holds' if holds else 'DOES NOT HOLD'}: {text}", flush=True)
    return holds


def in_scratch(function, *arguments):
    """What the function gives, called with an empty folder that is gone behind it; what waits is written before."""
    os.sync()
    compose.warm_memory()
    folder = tempfile.mkdtemp(prefix="platen-bench-")
    try:
        return function(folder, *arguments)
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", default=os.path.join(TOP, "build", "bench-corpus"))
    arguments = parser.parse_args()
    names, _ = compose.make_corpus(arguments.folder)
    distinct = os.path.join(arguments.folder, "distinct")
    os.makedirs(distinct, exist_ok=True)
    for name in names[:compose.DISTINCT]:
        if not os.path.exists(os.path.join(distinct, os.path.basename(name))):
            os.link(name, os.path.join(distinct, os.path.basename(name)))
    paths = [os.path.join(distinct, name) for name in sorted(os.listdir(distinct))]
    pages = []
    for path in paths:
        with open(path, "rb") as f:
            pages.append(f.read())
    print(f"{DEVICES} scanners, pages of {statistics.mean(map(len, pages)) / 1e6:.2f} MB, {arguments.rounds} rounds")

    peak, loop, nginx = [], [], []
    for _ in range(arguments.rounds):
        os.sync()
        peak.append(ingest(distinct, pages, PEAK_SHEETS))
        peak[-1].say("peak")
        count = DEVICES * PEAK_SHEETS
        loop.append(in_scratch(bare_loop, pages, count))
        nginx.append(in_scratch(nginx_rate, paths[0], count))
        print(f"bare loop: {loop[-1]:.0f} pages/s; nginx, without a sync: {nginx[-1]:.0f} pages/s", flush=True)
    os.sync()
    paced = ingest(distinct, pages, arguments.seconds * PAGES_A_MINUTE // 60, PAGES_A_MINUTE)
    paced.say("paced")

    ratios = [ours.rate / theirs for ours, theirs in zip(peak, loop)]
    rate = statistics.median(ours.rate for ours in peak)
    good = [
        verdict(paced.load <= CPU_GOAL, f"{paced.rate:.0f} pages/s of {DEVICES} scanners take {paced.load:.2f} of a"
                f" core (goal {CPU_GOAL}); none of {paced.pages} pages is lost"),
        verdict(max(paced.memory, *(run.memory for run in peak)) <= MEMORY_GOAL_MIB,
                f"private memory {paced.memory:.1f} MiB at that pace, {max(run.memory for run in peak):.1f} at the peak"
                f" (goal {MEMORY_GOAL_MIB})"),
        verdict(statistics.median(ratios) >= RATE_GOAL,
                f"peak {rate:.0f} pages/s, {statistics.median(ratios):.2f} x the bare loop ({min(ratios):.2f}-"
                f"{max(ratios):.2f}; goal {RATE_GOAL}), {rate / statistics.median(nginx):.2f} x nginx"),
    ]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
