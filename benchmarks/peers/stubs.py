"""Empty modules in place of those that a peer imports and that its training never uses (vision, plots, tracing)."""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Blank(ModuleType):
    """A module in which every name is an empty class."""

    __path__: list = []

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Finder(MetaPathFinder, Loader):
    """Finds the named modules and all below them."""

    def __init__(self, names: set[str]):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        known = any(name == known or name.startswith(known + ".") for known in self.names)
        return ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        return Blank(spec.name)

    def exec_module(self, module):
        pass


def stand_in(*names: str) -> None:
    """From here on, these modules are empty."""
    sys.meta_path.insert(0, Finder(set(names)))
