#!/usr/bin/python3
"""embed.py - turns a file into a C array, so that a program carries it.

Usage: tools/embed.py IN OUT NAME

OUT then defines "const unsigned char NAME[]" with the bytes of IN and "const unsigned long
NAME_size". Called by the build."""

import sys

BYTES_PER_LINE = 20


def c_source(content, name):
    """The text of a C file with these bytes under this name."""
    rows = [content[i:i + BYTES_PER_LINE] for i in range(0, len(content), BYTES_PER_LINE)]
    lines = ["    " + "".join(f"{byte}," for byte in row) for row in rows]
    return (f"extern const unsigned char {name}[];\nextern const unsigned long {name}_size;\n"
            f"const unsigned char {name}[] = {{\n" + "\n".join(lines) + "\n    0};\n"
            f"const unsigned long {name}_size = {len(content)};\n")


def main():
    source, target, name = sys.argv[1:]
    with open(source, "rb") as f:
        content = f.read()
    with open(target, "w", encoding="ascii") as f:
        f.write(c_source(content, name))


if __name__ == "__main__":
    main()
