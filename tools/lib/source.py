"""What check-layers and check-style share: the files of the tree, and C text without its comments.

It is no C parser. The code is laid out by clang-format, so a scanner that knows comments, literals,
preprocessor lines and braces is enough, and stays small enough to be trusted."""

import os
import re
import subprocess

SKIPPED_FOLDERS = re.compile(r"^(\.git|build.*|demo|__pycache__|node_modules|\.pytest_cache)$")


def tree(top):
    """Paths, relative to top, of the files that belong to the project: what git tracks or would
    add. Without git (a tarball) every file that is not a product of the build."""
    try:
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", top, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard", "--", "."],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        paths = [p for p in listing.decode("utf-8", "surrogateescape").split("\0") if p]
        if paths:
            return sorted(p for p in set(paths) if os.path.isfile(os.path.join(top, p)))
    except (OSError, subprocess.CalledProcessError):
        pass
    found = []
    for folder, subfolders, names in os.walk(top):
        subfolders[:] = [s for s in subfolders if not SKIPPED_FOLDERS.match(s)]
        found += [os.path.relpath(os.path.join(folder, name), top) for name in names]
    return sorted(found)


TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(text):
    """The same length and lines, with blanks for everything else."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """Comments become blanks, literals stay. Lines keep their numbers."""
    return TOKEN.sub(lambda m: blank(m[0]) if m[0].startswith("/") else m[0], text)


def code_only(text):
    """Comments and the inside of literals become blanks."""
    def replace(m):
        word = m[0]
        return blank(word) if word.startswith("/") else word[0] + blank(word[1:-1]) + word[0]
    return TOKEN.sub(replace, text)


def without_directives(code):
    """Preprocessor lines, continued ones included, become blanks."""
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: blank(m[0]), code, flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def matching_paren(code, close):
    """Offset of the '(' that belongs to the ')' at close; -1 when there is none."""
    depth = 0
    for at in range(close, -1, -1):
        if code[at] == ")":
            depth += 1
        elif code[at] == "(":
            depth -= 1
            if depth == 0:
                return at
    return -1


CONTROL = re.compile(r"\b(if|for|while|switch)\s*$")
ATTRIBUTES = re.compile(r"(__attribute__\s*\(\(.*?\)\)\s*)+$", re.S)


def opens_block(code, brace):
    """True when the '{' at brace opens a block of statements, not an initializer."""
    before = code[:brace].rstrip()
    if before.endswith(")"):
        return bool(CONTROL.search(code[:matching_paren(code, len(before) - 1)].rstrip()))
    return bool(re.search(r"(\b(else|do)|[;{}:(])$", before))


TABLE = re.compile(r"^\s+static const\b[^;]*\{.*?^\s+\};$", re.S | re.M)


class Function:
    """Name, first and last line, and deepest nesting of blocks (the body itself is 0)."""

    def __init__(self, name, first, last, deepest):
        self.name, self.first, self.last, self.deepest = name, first, last, deepest
        self.table_lines = 0  # of constant tables inside: data to look at, no steps to follow


def functions(text):
    """The function definitions of a C file."""
    code = without_directives(code_only(text))
    found, stack, start = [], [], 0
    for at, char in enumerate(code):
        if char == ";" and not stack:
            start = at + 1
        elif char == "{":
            if not stack:
                head = ATTRIBUTES.sub("", code[start:at].rstrip()).rstrip()
                name = None
                if head.endswith(")") and "=" not in head:
                    name = re.search(r"(\w+)\s*$", head[:matching_paren(head, len(head) - 1)])
                stack.append("body" if name else "other")
                if name:
                    first = line_of(code, start + len(head) - len(head.lstrip()))
                    current = [name[1], first, 0]
            else:
                block = stack[-1] != "other" and opens_block(code, at)
                stack.append("block" if block else "other")
                if block:
                    current[2] = max(current[2], stack.count("block"))
        elif char == "}" and stack:
            if len(stack) == 1:
                if stack[0] == "body":
                    found.append(Function(current[0], current[1], line_of(code, at), current[2]))
                    found[-1].table_lines = sum(
                        m[0].count("\n") for m in TABLE.finditer(code, start, at))
                start = at + 1
            stack.pop()
    return found
