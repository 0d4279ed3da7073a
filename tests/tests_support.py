"""Helpers that break inputs, and one that borrows a benchmark's package."""

import importlib
import json
import sys
from pathlib import Path

import polars as pl


def edit_table(path, change):
    """Write `change(table)` in the table's place."""
    change(pl.read_parquet(path)).write_parquet(path)


def edit_json(path, change):
    """Apply `change` to the document in place."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def benchmark_package(monkeypatch, name, *beside):
    """The package of a benchmark, importable until the generator goes on, and the modules `beside` it."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    yield importlib.import_module(name)
    for module in [one for one in sys.modules if one in ("bars", *beside) or one.split(".")[0] == name]:
        del sys.modules[module]
