"""embed.py writes C that holds the bytes of its input."""

import re
import subprocess

from checkers import load

embed = load("embed.py")


def test_every_byte_is_there(tmp_path):
    content = bytes(range(256)) * 2 + b"\0"
    text = embed.c_source(content, "page")
    inside = re.search(r"page\[\] = \{(.*?)\};", text, re.S)[1]
    assert bytes(map(int, inside.replace(",", " ").split())) == content + b"\0"
    assert f"page_size = {len(content)};" in text


def test_an_empty_file_compiles(tmp_path):
    source = tmp_path / "empty.c"
    source.write_text(embed.c_source(b"", "page"))
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", source], check=True)
