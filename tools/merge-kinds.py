#!/usr/bin/python3
"""merge-kinds.py - makes one description of destinations of those of several programs.

Usage: tools/merge-kinds.py OUT IN...

Each IN is what a program prints with --describe. A kind that two of them have is an error: nobody could
tell which program delivers. Called by the build."""

import json
import sys


def merged(descriptions):
    """One description with the kinds of all."""
    kinds = [kind for description in descriptions for kind in description["destinations"]]
    names = [kind["name"] for kind in kinds]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"merge-kinds.py: two programs have the kind {', '.join(twice)}")
    versions = {description["version"] for description in descriptions}
    if len(versions) != 1:
        sys.exit(f"merge-kinds.py: the programs are of different versions: {sorted(versions)}")
    return {"version": versions.pop(), "destinations": kinds}


def main():
    target, *sources = sys.argv[1:]
    descriptions = []
    for source in sources:
        with open(source, encoding="utf-8") as f:
            descriptions.append(json.load(f))
    with open(target, "w", encoding="utf-8") as f:
        json.dump(merged(descriptions), f, ensure_ascii=False, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
