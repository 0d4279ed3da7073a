"""Tables that a person brings: CSV, parquet, or a polars table."""

import re
from pathlib import Path
from typing import Any

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.files import read_parquet
from seqsae.records.columns import short

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_table(path: Path) -> pl.DataFrame:
    """A CSV or parquet table. Raises SeqsaeError if it is neither."""
    if path.suffix.lower() == ".parquet":
        return read_parquet(path)
    try:
        return _named_once(_separated(_csv(path), path), path)
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; check the path") from None
    except (pl.exceptions.PolarsError, OSError) as cause:
        _told_by_header(path)
        raise SeqsaeError(
            f"{path}: not a readable CSV table ({str(cause).splitlines()[0]}); give CSV or parquet"
        ) from None


def as_table(given: Any, where: str) -> pl.DataFrame:
    """A polars table that a caller gave. Raises SeqsaeError for anything else."""
    if isinstance(given, pl.LazyFrame):
        return given.collect()
    if not isinstance(given, pl.DataFrame):
        kind = type(given).__name__
        raise SeqsaeError(
            f"{where}: {kind} is no polars table; make it one (pl.DataFrame, pl.from_pandas), with a column subject_id"
        )
    return given


def _csv(path: Path, **options) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None, null_values=["", "NA", "NaN"], **options)


def _separated(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """`table` itself. Raises SeqsaeError if its header holds another separator in the place of commas."""
    for name in table.columns:
        for sign, called in SEPARATORS.items():
            parts = name.split(sign)
            if len(parts) > 1 and (table.width == 1 or "subject_id" in parts):
                raise SeqsaeError(
                    f"{path}: its header reads as one column, {short(name)!r}: {called} separate it; write the table with commas "
                    "(and 12.5 in the place of 12,5), or as parquet"
                )
    return table


def _told_by_header(path: Path) -> None:
    """Raises SeqsaeError if the header alone says why the rows cannot be read."""
    try:
        header = _csv(path, n_rows=0)
    except (pl.exceptions.PolarsError, OSError):
        return
    _separated(header, path)


def _named_once(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """`table` itself. Raises SeqsaeError if two columns of the file had one name, which polars has then numbered."""
    for name in table.columns:
        if (base := re.sub(r"_duplicated_\d+$", "", name)) != name and base in table.columns:
            raise SeqsaeError(f"{path}: two columns are called {short(base)!r}; rename one")
    return table
