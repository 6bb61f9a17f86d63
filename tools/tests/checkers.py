"""Loads the checkers, which have no .py in their names, as modules."""

import importlib.util
import os
import sys
from importlib.machinery import SourceFileLoader

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TOP = os.path.dirname(os.path.dirname(os.path.abspath(os.path.dirname(__file__))))


def load(name):
    sys.dont_write_bytecode = True
    module = name.replace("-", "_")
    loader = SourceFileLoader(module, os.path.join(TOOLS, name))
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader(module, loader))
    loader.exec_module(loaded)
    return loaded
