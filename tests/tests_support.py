"""Helpers that break inputs."""

import json

import polars as pl


def edit_table(path, change):
    """Write `change(table)` in the table's place."""
    change(pl.read_parquet(path)).write_parquet(path)


def edit_json(path, change):
    """Apply `change` to the document in place."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
