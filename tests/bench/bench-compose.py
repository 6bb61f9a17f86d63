#!/usr/bin/python3
"""bench-compose.py - pages to PDF: ours beside img2pdf, libharu and cat, and our memory by page count.

usage: bench-compose.py [--rounds N] [--folder DIR]

PLATEN_BUILD names the build to measure (a release build). A corpus is made in DIR (build/bench-corpus)
once: 20 different noisy A4 pages of 300 dpi, some 1.07 MB each, hard-linked to 1,000 names; and one small
page for the memory of many pages; and raw pages (A4, 300 dpi, colour and 1 bit, sparse files). Every case runs once in each round, so that a noisy neighbour hits all
alike; the figures are medians. GNU time is the parent of what is measured, which keeps the peak memory
honest. Ends with the goals and exit code 1 when one does not hold.

  G1  1,000 pages: >= 5 x less wall and CPU than img2pdf, >= 3.5 x than libharu, <= 1.3 x cat
  G2  peak memory <= 8 MiB, and <= 64 bytes more a page from 10 to 20,000 pages; the same 8 MiB for raw pages, which
      are encoded
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLATEN_BUILD", os.path.join(TOP, "build", "release"))
WORKER = os.path.join(BUILD, "src", "worker", "platen-worker")

PAGES, DISTINCT = 1000, 20
MANY = (10, 1000, 5000, 20000)
RAW_MANY = 100
MEMORY_MAX_MIB, MEMORY_A_PAGE_MAX = 8.0, 64.0


def warm_memory():
    """Touches as much memory as the corpus has and gives it back, for what is measured next."""
    subprocess.run([sys.executable, "-c", "bytearray(b'x') * (1400 << 20)"], check=True)


def make_corpus(folder):
    """The names of 1,000 pages and of a small one."""
    pages = os.path.join(folder, "pages")
    os.makedirs(pages, exist_ok=True)
    small = os.path.join(folder, "small.jpg")
    if not os.path.exists(small):
        subprocess.run(["convert", "-size", "100x140", "xc:white", "-density", "72", small], check=True)
    for i in range(DISTINCT):
        source = os.path.join(folder, f"page{i:02}.jpg")
        if not os.path.exists(source):
            print(f"making page {i + 1} of {DISTINCT}", file=sys.stderr, flush=True)
            # Lines of text-like blocks on paper noise; the amount of noise sets the size.
            lines = " ".join(f"rectangle 250,{y} {700 + (i * 97 + y * 31) % 1500},{y + 28}"
                             for y in range(300, 3200, 75))
            subprocess.run(["convert", "-seed", str(i + 1), "-size", "2480x3508", "xc:#f4f1ea",
                            "-fill", "#202020", "-draw", lines, "-attenuate", "0.40",
                            "+noise", "Gaussian", "-density", "300", "-units", "PixelsPerInch",
                            "-sampling-factor", "4:2:0", "-quality", "80", source + ".new.jpg"],
                           check=True)
            os.rename(source + ".new.jpg", source)
    names = []
    for n in range(PAGES):
        name = os.path.join(pages, f"p{n:04}.jpg")
        if not os.path.exists(name):
            os.link(os.path.join(folder, f"page{n % DISTINCT:02}.jpg"), name)
        names.append(name)
    return names, small


def build_haru(folder):
    program = os.path.join(folder, "harupdf")
    subprocess.run(["cc", "-O2", "-o", program, os.path.join(TOP, "tests", "bench", "harupdf.c"),
                    "-lhpdf"], check=True)
    return program


def measure(command, out, stdin=None):
    """(wall seconds, CPU seconds, peak MiB) of one run; what it wrote is removed."""
    report = out + ".time"
    with open(stdin or os.devnull, "rb") as source:
        begun = time.monotonic()
        subprocess.run(["/usr/bin/time", "-o", report, "-f", "%U %S %M", *command], check=True,
                       stdin=source)
        wall = time.monotonic() - begun
    with open(report, encoding="ascii") as f:
        user, system, kib = f.read().split()[-3:]
    size = os.path.getsize(out)
    os.unlink(out)
    os.unlink(report)
    return wall, float(user) + float(system), int(kib) / 1024, size


def median(runs, column):
    return statistics.median(run[column] for run in runs)


def compare(cases, rounds, out):
    """Runs the cases interleaved and prints a table; gives the medians by name."""
    runs = {name: [] for name, _, _ in cases}
    for _ in range(rounds):
        for name, command, stdin in cases:
            runs[name].append(measure(command, out, stdin))
    ours = runs[cases[0][0]]
    print(f"{'':10} {'wall s':>8} {'min-max':>15} {'CPU s':>7} {'peak MiB':>9} {'MB out':>7}"
          f" {'wall ratio':>11} {'CPU ratio':>10}")
    ratios = {}
    for name, _, _ in cases:
        wall, cpu = median(runs[name], 0), median(runs[name], 1)
        ratios[name] = wall / median(ours, 0), cpu / median(ours, 1)
        span = f"{min(r[0] for r in runs[name]):.3f}-{max(r[0] for r in runs[name]):.3f}"
        print(f"{name:10} {wall:8.3f} {span:>15} {cpu:7.3f} {median(runs[name], 2):9.1f}"
              f" {runs[name][0][3] / 1e6:7.1f} {ratios[name][0]:11.2f} {ratios[name][1]:10.2f}",
              flush=True)
    return ratios, median(ours, 2)


def memory_by_pages(small, folder, out):
    """Peak memory of ours for more and more pages; three runs each, the smallest counts."""
    peaks = {}
    for pages in MANY:
        names = os.path.join(folder, "many.txt")
        with open(names, "w", encoding="utf-8") as f:
            f.write((small + "\n") * pages)
        command = [WORKER, "compose", "--list", "-", "-o", out]
        peaks[pages] = min(measure(command, out, names)[2] for _ in range(3))
        print(f"{pages:>8} pages {peaks[pages]:6.2f} MiB", flush=True)
    first, last = MANY[0], MANY[-1]
    return (peaks[last] - peaks[first]) * 1024 * 1024 / (last - first), max(peaks.values())


def memory_of_raw(folder, out):
    """Peak memory of ours for raw pages, in colour and in 1 bit."""
    peaks = []
    for kind, line, what in (("colour", 7440, "3 8 rgb"), ("bits", 310, "1 1 gray")):
        page, names = os.path.join(folder, kind + ".raw"), os.path.join(folder, "raw.txt")
        with open(page, "wb") as f:
            f.truncate(line * 3508)
            f.seek(0, os.SEEK_END)
            f.write(f"PLATEN-RAW 1 2480 3508 {line} {what} 300".ljust(63).encode() + b"\n")
        with open(names, "w", encoding="utf-8") as f:
            f.write((page + "\n") * RAW_MANY)
        wall, _, peak, _ = measure([WORKER, "compose", "--list", "-", "-o", out], out, names)
        print(f"{RAW_MANY:>8} raw pages, {kind:6} {peak:6.2f} MiB {wall:6.2f} s", flush=True)
        peaks.append(peak)
    return max(peaks)


def verdict(goal, holds, text):
    print(f"{goal} {'holds' if holds else 'DOES NOT HOLD'}: {text}", flush=True)
    return holds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=os.path.join(TOP, "build", "bench-corpus"))
    arguments = parser.parse_args()
    names, small = make_corpus(arguments.folder)
    haru = build_haru(arguments.folder)
    listed = os.path.join(arguments.folder, "names.txt")
    with open(listed, "w", encoding="utf-8") as f:
        f.write("\n".join(names) + "\n")
    total = sum(os.path.getsize(name) for name in names)
    out = os.path.join(arguments.folder, "out")
    print(f"{PAGES} pages, {total / 1e6:.0f} MB, {arguments.rounds} rounds, {WORKER}")
    ratios, memory = compare([
        ("platen", [WORKER, "compose", *names, "-o", out], None),
        ("img2pdf", ["img2pdf", "-o", out, *names], None),
        ("libharu", [haru, out], listed),
        ("cat", ["sh", "-c", f'cat "$@" > {out}', "cat", *names], None),
    ], arguments.rounds, out)
    a_page, many = memory_by_pages(small, arguments.folder, out)
    raw = memory_of_raw(arguments.folder, out)
    g1 = all([
        verdict("G1", min(ratios["img2pdf"]) >= 5, "img2pdf takes %.1f x the wall and %.1f x the CPU"
                " (goal 5)" % ratios["img2pdf"]),
        verdict("G1", min(ratios["libharu"]) >= 3.5, "libharu takes %.1f x the wall and %.1f x the "
                "CPU (goal 3.5)" % ratios["libharu"]),
        verdict("G1", max(1 / r for r in ratios["cat"]) <= 1.3, "ours takes %.2f x the wall and %.2f"
                " x the CPU of cat (goal 1.3)" % tuple(1 / r for r in ratios["cat"])),
    ])
    g2 = all([
        verdict("G2", max(memory, many) <= MEMORY_MAX_MIB, f"peak memory {memory:.1f} MiB at "
                f"{PAGES} pages, {many:.1f} at {MANY[-1]} (goal {MEMORY_MAX_MIB:.0f})"),
        verdict("G2", raw <= MEMORY_MAX_MIB, f"peak memory {raw:.1f} MiB at {RAW_MANY} raw pages (goal "
                f"{MEMORY_MAX_MIB:.0f})"),
        verdict("G2", a_page <= MEMORY_A_PAGE_MAX, f"{a_page:.0f} bytes a page from {MANY[0]} to "
                f"{MANY[-1]} pages (goal {MEMORY_A_PAGE_MAX:.0f})"),
    ])
    sys.exit(0 if g1 and g2 else 1)


if __name__ == "__main__":
    main()
