"""Every kind of destination with its servers, started once for the run."""

import importlib
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, *(os.path.join(os.path.dirname(HERE), name) for name in ("peers", "lib"))]

from kind import Kind  # noqa: E402

# What libsmbclient takes once in a process and never gives back; print_suppressions would spoil messages.
os.environ["LSAN_OPTIONS"] = f"suppressions={HERE}/samba.supp:print_suppressions=0"

WORDS = sorted(name[len("kind_"):-len(".py")] for name in os.listdir(HERE)
               if name.startswith("kind_") and name.endswith(".py"))


def kind_class(word):
    module = importlib.import_module("kind_" + word)
    found, = [c for c in vars(module).values()
              if isinstance(c, type) and issubclass(c, Kind) and c.__module__ == module.__name__
              and c.name == word.replace("_", "-")]
    return found


@pytest.fixture(scope="session")
def kinds(tmp_path_factory):
    """word -> Kind, started when first asked for."""
    started = {}

    def get(word):
        if word not in started:
            started[word] = kind_class(word)(str(tmp_path_factory.mktemp(word)))
        return started[word]

    yield get
    for kind in started.values():
        kind.close()


def group_of(item):
    """The kind that a case is about: its servers run in one process of the tests."""
    words = getattr(item, "callspec", None)
    word = words.params.get("word") if words else None
    return word if word in WORDS else os.path.basename(item.path).removeprefix("test_").removesuffix(".py")


@pytest.hookimpl(tryfirst=True)  # before xdist, which looks for the groups in the same hook
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group: cases that share servers")
