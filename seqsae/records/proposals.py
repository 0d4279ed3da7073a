"""Drafts of covariate schemas: what each column seems to be and why, identifiers and what is no covariate left out."""

import re
from typing import NamedTuple

import polars as pl

from seqsae.errors import printable
from seqsae.progress import say
from seqsae.records.columns import as_numbers, as_text, plain, short, tidy

ORDINAL_LEVELS = 10  # an integer column with at most so many values is proposed as ordinal
CATEGORIES = 50  # a text column with more values than this is proposed as nothing
LONGEST = 200  # characters of a name
KEYS = ("subject", "subject_id")  # how every table is keyed
ID_ROWS = 20  # rows from which whole numbers that never repeat look like an identifier
NEARLY = 0.9  # share of numbers from which a column of text looks like numbers that are badly written
CODE = re.compile(r"^0\d")  # a code of digits, such as that of a municipality


class Proposal(NamedTuple):
    """What one column is proposed as."""

    name: str
    kind: str | None
    """binary, categorical, ordinal, continuous; None: left out."""
    why: str

    def told(self) -> str:
        """One line for a person."""
        what = "left out" if self.kind is None else f"{self.kind}, level subject, role target"
        return f"{short(self.name)!r}: {what} ({printable(self.why)})"


def propose(table: pl.DataFrame) -> dict:
    """A draft schema document for a person to decide on, from column types and value counts alone; what is left out is said."""
    found = proposals(table)
    for one in found:
        if one.kind is None:
            say(f"covariates: {one.told()}")
    return document_of(found)


def document_of(found: list[Proposal]) -> dict:
    """Schema document `covariates` of what is proposed."""
    return {
        "covariates": [
            {"name": one.name, "type": one.kind, "role": "target", "level": "subject"} for one in found if one.kind
        ]
    }


def proposals(table: pl.DataFrame) -> list[Proposal]:
    """One a column but the key."""
    return [Proposal(name, *_kind(name, table[name])) for name in table.columns if name != "subject_id"]


def fault_of(name: str) -> str | None:
    """Why a covariate cannot be called so; None if it can."""
    if not name.strip():
        return "it has no name; name its column"
    if len(name) > LONGEST:
        return f"its name has {len(name):,} characters; rename it, at most {LONGEST}"
    if not name.isprintable():
        return "its name holds a line break or another control sign; rename it"
    return "subjects are numbered by that name here; rename it to have it tested" if name in KEYS else None


def _kind(name: str, column: pl.Series) -> tuple[str | None, str]:
    """(type or None, why)."""
    if fault := fault_of(name):
        return None, fault
    if not plain(column):
        return None, f"{column.dtype}, not numbers or text"
    column = tidy(column)
    n_values, n = column.drop_nulls().n_unique(), len(column) - column.null_count()
    if n_values < 2:
        return None, "empty in every row" if not n else "one value only"
    if n_values == 2:
        return (
            "binary",
            f"two values: {' and '.join(short(as_text(one)) for one in column.drop_nulls().unique().sort())}",
        )
    return _of_text(column, n_values, n) if column.dtype == pl.String else _of_numbers(column, n_values, n)


def _of_numbers(column: pl.Series, n_values: int, n: int) -> tuple[str | None, str]:
    if column.dtype.is_float() and column.is_infinite().any():
        return None, "it holds an infinite value; leave it empty"
    if column.dtype.is_integer():
        if n_values <= ORDINAL_LEVELS:
            return "ordinal", f"{n_values} whole numbers"
        if n_values == n >= ID_ROWS:
            return (
                None,
                "whole numbers that never repeat, as identifiers do; add it as continuous if it measures something",
            )
    what = f"{column.dtype} values" if column.dtype.is_temporal() else "numbers"
    return "continuous", f"{n_values:,} different {what}"


def _of_text(column: pl.Series, n_values: int, n: int) -> tuple[str | None, str]:
    numbers = as_numbers(column)
    readable = n - (numbers.null_count() - column.null_count())
    codes = column.drop_nulls().str.contains(CODE.pattern).any()
    if readable == n and not codes:
        kind, why = _of_numbers(tidy(numbers), n_values, n)
        return kind, f"text that reads as numbers: {why}"
    if readable >= NEARLY * n and not codes:
        wrong = column.filter(column.is_not_null() & numbers.is_null())
        return None, f"text, though {readable:,} of {n:,} values are numbers; mend {short(wrong[0])!r}"
    if n_values == n:
        return None, "text that never repeats, as identifiers do"
    if n_values <= min(CATEGORIES, len(column) // 2):
        return "categorical", f"{n_values} values"
    return None, f"{n_values:,} values, too many for categories; group them, at most {CATEGORIES}"
