"""The page that explains a new destination quotes the template that is compiled and tested, and names what
there is."""

import os
import re

from checkers import TOP

TEMPLATE = "tests/unit/template/example-destination.c"
PAGE = "docs/how-to-add-a-destination.md"
LINES_MAX = 150


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def test_a_destination_takes_few_lines():
    assert 0 < len(read(TEMPLATE).splitlines()) < LINES_MAX


def test_the_page_quotes_the_template():
    quoted, = re.findall(r"^```c\n(.*?)^```$", read(PAGE), re.M | re.S)
    assert quoted == read(TEMPLATE), f"copy {TEMPLATE} into {PAGE} anew"


def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`((?:src|tests|docs|tools)/[\w./-]+)`", read(PAGE)))
    assert len(named) > 5
    assert not [path for path in named if not re.search(r"WORD", path)
                and not os.path.exists(os.path.join(TOP, path))]
