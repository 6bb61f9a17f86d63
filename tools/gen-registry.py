#!/usr/bin/python3
"""Writes the registry array of a kind of thing: destinations, file formats, device protocols.

usage: gen-registry.py OUTPUT HEADER TYPE PREFIX WORD...

The build calls it with the words listed in meson.build. For the words "a b" it writes an array
PREFIX_types of pointers to the constant structs PREFIX_a and PREFIX_b, ended by NULL. No linker
sections, no constructors: grep finds every entry.
"""
import re
import sys


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    output, header, struct, prefix, words = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
    for word in words:
        if not re.fullmatch(r'[a-z][a-z0-9_]*', word):
            sys.exit(f'gen-registry.py: "{word}" is not a word of lower-case letters, digits and "_"')
    if len(set(words)) != len(words):
        sys.exit('gen-registry.py: a word is listed twice')
    with open(output, 'w', encoding='ascii') as out:
        out.write(f'/* Written by tools/gen-registry.py from a list in meson.build. */\n#include "{header}"\n\n')
        for word in words:
            out.write(f'extern const {struct} {prefix}_{word};\n')
        out.write(f'\nconst {struct} *const {prefix}_types[] = {{\n')
        for word in words:
            out.write(f'    &{prefix}_{word},\n')
        out.write('    0,\n};\n')


if __name__ == '__main__':
    main()
