"""Hashes of files, tables and documents, the same wherever and however they are stored."""

import hashlib
import io
import json
from pathlib import Path

import polars as pl


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_table(table: pl.DataFrame) -> str:
    """Hex SHA-256 of a table's content: names, types and values, however it is stored."""
    buffer = io.BytesIO()
    # What lies under a null is whatever was in memory: nulls are hashed as a mask of their own.
    nulls = [column.is_null().alias(f"{column.name}\0null") for column in table if column.null_count()]
    whole = [_whole_bytes(column) for column in [*(_filled(column) for column in table), *nulls]]
    pl.DataFrame(whole).rechunk().write_ipc(buffer, compression="uncompressed")
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def _whole_bytes(column: pl.Series) -> pl.Series:
    """True and false as bytes: in the last byte of packed bits, those past the end may be anything."""
    return column.cast(pl.UInt8) if column.dtype == pl.Boolean else column


def _filled(column: pl.Series) -> pl.Series:
    """The column with one fixed value in the place of nulls."""
    kind = column.dtype
    if not column.null_count() or kind == pl.Null or kind.is_nested():
        return column
    if kind in (pl.Categorical, pl.Enum):  # their numbers depend on what was read before them
        return column.cast(pl.String).fill_null("")
    fixed = {pl.String: "", pl.Boolean: False}.get(kind.base_type(), 0)
    return column.fill_null(pl.lit(fixed).cast(kind))


def digest(document) -> str:
    """Hex SHA-256 of a JSON-able document in canonical form."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
