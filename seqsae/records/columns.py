"""Columns of a covariate table as plain numbers or words, and how they are named in messages."""

from collections.abc import Iterable

import polars as pl

SHOWN = 40  # characters of a value that a message shows
DAY = {"ms": 86_400e3, "us": 86_400e6, "ns": 86_400e9}


def plain(column: pl.Series) -> bool:
    """Whether a column holds one number, word or date a subject."""
    return not column.dtype.is_nested() and column.dtype not in (pl.Binary, pl.Object, pl.Duration)


def tidy(column: pl.Series) -> pl.Series:
    """NaN as missing; floats that are whole numbers as integers, as they were before a gap made them floats; categories as text."""
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if not column.dtype.is_float():
        return column
    column = column.fill_nan(None)
    whole = column.is_finite().all() and (column == column.round()).all() and (column.abs() < 2**53).all()
    return column.cast(pl.Int64) if whole else column


def as_numbers(column: pl.Series) -> pl.Series:
    """float64, null where it is no number; dates as days since 1970-01-01, times of day as hours."""
    if column.dtype == pl.Datetime:
        return column.to_physical().cast(pl.Float64) / DAY[column.dtype.time_unit]
    if column.dtype == pl.Time:
        return column.to_physical().cast(pl.Float64) / 3600e9
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    return column.cast(pl.Float64, strict=False)


def as_text(value) -> str:
    """A schema's value as it stands in a text column (JSON true is polars' "true")."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def short(value: object) -> str:
    """A value as a message shows it."""
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def listed(values: Iterable, most: int = 4) -> str:
    """The first of some values, for a message."""
    values = list(values)
    return ", ".join(short(value) for value in values[:most]) + (", ..." if len(values) > most else "")
