#!/usr/bin/python3
"""bench-deliver.py - the outbox beside a shell loop of one client process per file.

usage: bench-deliver.py [--rounds N] [--folder DIR] [KIND...]

PLATEN_BUILD names the build to measure (a release build). The corpus is that of bench-compose.py: 1,000 pages of
some 1.07 MB. For each kind with a real server on loopback (tests/destinations):

  many    a scan of 1,000 pages becomes 1,000 documents whose destination is stopped; the clock runs from
          "resume" until every delivery is done, with every state committed. Beside it, in the same
          round: a shell loop that starts one client process (curl, smbclient) for each of 200
          files, whose time is scaled to 1,000. Goal: at least 3 x the rate of the loop.
  large   the same pages as one document of 1.07 GB. Beside it: one curl. Goal: at least 0.9 x its
          rate; for SMB the figure is told beside smbclient's. Peak memory of the delivering process.

Kinds: ftp, webdav (over TLS, as this product wants it unless told otherwise), webdav-plain (http), smb. Each measured
part begins with memory that was used a moment ago: in a virtual machine the host may have to find a page that is
touched for the first time: where this was found, 1,000 PUTs took Apache 5 s of the kernel's time instead of 1.6.

and once, with folders: 1,000 documents to a healthy one, alone and then beside a dead and a slow
destination. Goal: at most 1.25 x the time. The figures are medians of the rounds."""

import argparse
import importlib.machinery
import json
import os
import shutil
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
sys.path[:0] = [os.path.join(TOP, "tests", name) for name in ("lib", "peers", "destinations")]

from house import House, wait_until  # noqa: E402
from kind import Kind  # noqa: E402
from peer import PASSWORD, USER, authority  # noqa: E402

compose = importlib.machinery.SourceFileLoader(
    "bench_compose", os.path.join(HERE, "bench-compose.py")).load_module()

MANY_GOAL, LARGE_GOAL, DELAY_GOAL = 3.0, 0.9, 1.25
LOOPED = 200  # files of the shell loop: its rate does not change with their number
PATIENCE_S = 600
ASKED_EVERY_S, WATCHED_EVERY_S = 0.05, 0.25
PANEL_CHOICES = {"many": "1-sided-jpeg", "large": "1-sided-pdf"}
CODES = {"many": "01", "large": "02"}


class Office(House):
    """A server, its jobs, and a scanner with the whole corpus in its feeder."""

    def __init__(self, pages_folder):
        super().__init__(build=os.environ["PLATEN_BUILD"])
        self.pages_folder, self.mfp = pages_folder, None
        self.watcher.end()  # nobody looks at the files while they are counted
        self.start()

    def define_for(self, destinations):
        """The jobs "many" (a file per page) and "large" (one PDF) to all of the destinations."""
        def job(name, **more):
            return {"name": name, "index": "none", "file_name": name + "-{seq:6}",
                    "destinations": [{"destination": d} for d in destinations], **more}
        config = {"destinations": [{"name": n, **d} for n, d in destinations.items()],
                  "jobs": [job("many", file_format="jpeg"), job("large", file_format="pdf")],
                  "job_groups": [{"name": "All", "jobs": [
                      {"job": name, "panel_choice": choice} for name, choice in PANEL_CHOICES.items()]}]}
        self.cli("config", "apply", "-", input=json.dumps(config))

    def scanner(self):
        log = os.path.join(self.folder, "scanner.log")
        with open(log, "wb") as f:
            self.mfp = subprocess.Popen(
                [self.program("platen-mfp"), "--address", self.address(2), "--port", str(self.scan_port),
                 "--pages", self.pages_folder, "--sheets", "1000",
                 "--server", f"{self.address(1)}:{self.udp_port}", "--panel-port", "0",
                 "--announce-every", "2"], stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                env=self.environment)
        wait_until(lambda: b"ready " in open(log, "rb").read(), "the scanner")
        with open(log, encoding="utf-8") as f:
            line = next(x for x in f if x.startswith("ready "))
        self.panel = dict(w.split("=", 1) for w in line.split()[1:])["panel"]
        found = wait_until(lambda: self.get("/devices")["items"], "the scanner to be seen")
        self.cli("device", "approve", found[0]["id"])
        self.cli("device", "set", found[0]["id"], "--job_group", "All")

    def post(self, path, body):
        subprocess.run(["curl", "-sSf", "-H", "Content-Type: application/json", "-d", json.dumps(body),
                        self.panel + path], check=True, capture_output=True)

    def press(self, job):
        """A scan of the whole feeder; its batch when it rests."""
        before = {b["id"] for b in self.batches()}
        self.post("/load", {"sheets": 1000})
        wait_until(lambda: json.loads(subprocess.run(["curl", "-sSf", self.panel + "/state"], check=True,
                                                     capture_output=True).stdout)["destinations"],
                   "the server on the panel")
        self.post("/press", {"name": "Platen", "choice": CODES[job]})
        new = wait_until(lambda: [b for b in self.batches() if b["id"] not in before], "the batch")
        return new[0]["id"]

    def state(self, batch):
        return self.get(f"/batches/{batch}")

    def rests(self, batch):
        return wait_until(lambda: self.state(batch)["state"] in ("attention", "done", "broken") and
                          self.state(batch), "the batch to rest", PATIENCE_S)

    def wait_sent(self, destination_id):
        """Seconds until every delivery to the destination is done. It asks seldom: the answers cost the server."""
        begun = time.monotonic()
        query = f"/deliveries?destination={destination_id}&limit=1&state="
        while any(self.get(query + state)["items"] for state in ("ready", "sending")):
            assert time.monotonic() < begun + PATIENCE_S
            time.sleep(ASKED_EVERY_S)
        return time.monotonic() - begun

    def id_of_destination(self, name):
        return next(d["id"] for d in self.ask("destination", "list") if d["name"] == name)

    def __exit__(self, *error):
        if self.mfp:
            self.mfp.terminate()
            self.mfp.wait()
        return super().__exit__(*error)


class MemoryWatch:
    """The most private memory of the delivering processes while it runs, in MiB."""

    def __init__(self, office):
        self.office, self.most, self.over = office, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(WATCHED_EVERY_S):
            for pid in self.office.workers():
                try:
                    with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                        if not f.read().startswith("platen-deliver"):
                            continue
                    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                        kib = sum(int(line.split()[1]) for line in f if line.startswith("Private"))
                    self.most = max(self.most, kib / 1024)
                except (FileNotFoundError, ProcessLookupError):
                    continue

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


# For each kind: settings for the bench, and the client that is looped, which uses TLS where the server does.
def plan_of(word, kind):
    if word == "ftp":
        url = f"ftp://{USER}:{PASSWORD}@127.0.0.1:{kind.port()}/loop/"
        os.makedirs(os.path.join(kind.home(), "loop"), exist_ok=True)
        return (kind.settings(encryption="none", tls_trust="strict", tls_ca="", timeout_s=60),
                lambda file: ["curl", "-sS", "-T", file, url])
    if word.startswith("webdav"):
        os.makedirs(kind.home("loop"), exist_ok=True)
        os.chmod(kind.home("loop"), 0o777)
        changes, door, trust = {}, kind.url(), ["--cacert", authority().path("ca.pem")]
        if word == "webdav-plain":
            door, trust = kind.url(port=kind.http, scheme="http"), []
            changes = {"url": door, "password_in_clear": True, "tls_trust": "strict", "tls_ca": ""}
        return (kind.settings(timeout_s=60, **changes),
                lambda file: ["curl", "-sS", "-f", *trust, "-u", f"{USER}:{PASSWORD}", "-T", file, door + "loop/"])
    assert word == "smb"
    return (kind.settings(timeout_s=60),
            lambda file: ["smbclient", "-p", str(kind.port()), "//127.0.0.1/scans", "-U",
                          f"{USER}%{PASSWORD}", "-c", f"put {file} loop-{os.path.basename(file)}"])


def loop(client, files):
    """Seconds of a shell loop with one process per file."""
    script = "".join(" ".join(f"'{w}'" for w in client(f)) + " || exit 1\n" for f in files)
    compose.warm_memory()
    begun = time.monotonic()
    subprocess.run(["sh"], input=script, text=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun


def deliver(office, job, name):
    """Seconds from resume to done."""
    office.cli("destination", "stop", name)
    batch = office.press(job)
    state = office.rests(batch)
    assert state["state"] == "attention", state
    os.sync()
    where = office.id_of_destination(name)
    compose.warm_memory()
    office.cli("destination", "resume", name)
    seconds = office.wait_sent(where)
    assert office.rests(batch)["state"] == "done"
    return seconds


def bench_kind(word, rounds, pages_folder, names):
    module = importlib.import_module("kind_" + word.split("-")[0])
    kind_class = next(c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Kind)
                      and c.__module__ == module.__name__)
    folder = tempfile.mkdtemp(prefix=f"platen-bench-{word}.")
    kind = kind_class(folder)
    figures = {"many": [], "loop": [], "large": [], "one": []}
    try:
        settings, client = plan_of(word, kind)
        with Office(pages_folder) as office:
            office.define_for({"There": {"kind": kind.name, "settings": settings, "parallel": 8}})
            office.scanner()
            with MemoryWatch(office) as memory:
                for _ in range(rounds):
                    figures["loop"].append(loop(client, names[:LOOPED]) * len(names) / LOOPED)
                    figures["many"].append(deliver(office, "many", "There"))
                    figures["large"].append(deliver(office, "large", "There"))
                    large = max((os.path.join(r, n) for r, _, f in os.walk(os.path.join(office.data, "spool"))
                                 for n in f if n.endswith(".pdf")), key=os.path.getmtime)
                    figures["one"].append(loop(client, [large]))
            size = os.path.getsize(large)
    finally:
        kind.close()
        shutil.rmtree(folder)
    middle = {k: statistics.median(v) for k, v in figures.items()}
    many, large = middle["loop"] / middle["many"], middle["one"] / middle["large"]
    print(f"{word}: 1,000 documents {middle['many']:.2f} s ({min(figures['many']):.2f}-"
          f"{max(figures['many']):.2f}), loop of clients {middle['loop']:.2f} s "
          f"({min(figures['loop']):.2f}-{max(figures['loop']):.2f}): {many:.2f} x")
    print(f"{word}: one document of {size / 1e9:.2f} GB {middle['large']:.2f} s, one client "
          f"{middle['one']:.2f} s: {large:.2f} x; peak private memory {memory.most:.1f} MiB", flush=True)
    good = many >= MANY_GOAL and (large >= LARGE_GOAL or word == "smb")
    print(f"{word}: {'holds' if good else 'DOES NOT HOLD'} (goals {MANY_GOAL} x and {LARGE_GOAL} x)")
    return good


def seconds_to_healthy(pages_folder, others):
    """1,000 documents to a healthy folder, in a new house, while the others are tried as well."""
    with Office(pages_folder) as office:
        path = os.path.join(office.folder, "healthy")
        office.make_folder(path)
        office.define_for({"Healthy": {"kind": "folder", "settings": {"path": path}, "parallel": 2}, **others})
        office.scanner()
        office.cli("destination", "stop", "Healthy")
        batch = office.press("many")
        wait_until(lambda: office.state(batch)["deliveries"]["held"] == 1000, "the pages", PATIENCE_S)
        os.sync()  # what the scan has written is not written back while the clock runs
        where = office.id_of_destination("Healthy")
        compose.warm_memory()
        office.cli("destination", "resume", "Healthy")
        return office.wait_sent(where)


def bench_neighbours(pages_folder, rounds):
    """A healthy destination alone, and beside a dead and a slow one."""
    from kind_ftp import Ftp
    folder = tempfile.mkdtemp(prefix="platen-bench-slow.")
    ftp = Ftp(folder)
    alone, beside = [], []
    try:
        others = {"Slow": {"kind": "ftp", "settings": ftp.settings(user="slow", timeout_s=60)},
                  "Dead": {"kind": "ftp", "settings": ftp.settings(port=1)}}
        for _ in range(rounds):
            alone.append(seconds_to_healthy(pages_folder, {}))
            beside.append(seconds_to_healthy(pages_folder, others))
    finally:
        ftp.close()
        shutil.rmtree(folder)
    ratio = statistics.median(beside) / statistics.median(alone)
    print(f"neighbours: 1,000 documents to a folder {statistics.median(alone):.2f} s ({min(alone):.2f}-"
          f"{max(alone):.2f}) alone, {statistics.median(beside):.2f} s ({min(beside):.2f}-{max(beside):.2f}) "
          f"beside a dead and a slow destination: {ratio:.2f} x "
          f"({'holds' if ratio <= DELAY_GOAL else 'DOES NOT HOLD'}, goal {DELAY_GOAL} x)", flush=True)
    return ratio <= DELAY_GOAL


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=os.path.join(TOP, "build", "bench-corpus"))
    parser.add_argument("kinds", nargs="*", default=["ftp", "webdav", "webdav-plain", "smb", "neighbours"])
    options = parser.parse_args()
    names, _ = compose.make_corpus(options.folder)
    pages = os.path.dirname(names[0])
    good = True
    for word in options.kinds:
        good &= (bench_neighbours(pages, options.rounds) if word == "neighbours"
                 else bench_kind(word, options.rounds, pages, names))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
