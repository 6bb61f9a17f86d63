"""docs/destinations.md tells the settings as the programs describe them, and has a section for every kind."""

import importlib.util
import os
import re
from importlib.machinery import SourceFileLoader

from workers import BUILD

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_loader = SourceFileLoader("destination_tables", os.path.join(TOP, "tools", "destination-tables"))
tables = importlib.util.module_from_spec(importlib.util.spec_from_loader(_loader.name, _loader))
_loader.exec_module(tables)


def text():
    with open(tables.PAGE, encoding="utf-8") as f:
        return f.read()


def sections():
    """Heading -> what stands below it."""
    return dict(part.split("\n", 1) for part in re.split(r"^## ", text(), flags=re.M)[1:])


def test_the_tables_are_those_of_the_programs():
    assert tables.page(text(), tables.described(BUILD)) == text(), "run tools/destination-tables"


def test_every_kind_has_its_section():
    kinds = tables.described(BUILD)
    assert {name for name in kinds if len(re.findall(f"^<!-- settings of {name} -->$", text(), re.M)) == 1} \
        == set(kinds)
    for name, kind in kinds.items():
        section = sections()[f"{kind['title']} (`{name}`)"]
        assert f"<!-- settings of {name} -->" in section
        for word in ("**Needs**", "**Exactly once**"):
            assert word in section, f"{name} does not say {word}"


def test_every_field_is_in_a_table():
    for name, kind in tables.described(BUILD).items():
        section = sections()[f"{kind['title']} (`{name}`)"]
        for field in [*kind["fields"], *(kind.get("options") or [])]:
            assert f"| `{field['name']}` |" in section and field["help"].split("|")[0] in section


def test_insecure_is_warned_of_wherever_it_can_be_chosen():
    choosing = [name for name, kind in tables.described(BUILD).items()
                if any("insecure" in field.get("choices", []) for field in kind["fields"])]
    assert len(choosing) > 5
    trust = sections()["Whom to trust"]
    assert "**Never use `insecure`" in trust
    assert all(f"`{name}`" in trust for name in choosing)
