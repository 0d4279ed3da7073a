"""Tables and documents as small JSON that is safe inside a `<script>` element."""

import json
import math

import polars as pl

DIGITS = 4  # significant digits of every number on the page

# `<` could end the script element or open a comment in it; the two separators end a line in old JavaScript.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


LONG = 500
"""Rows from which a column of values that come again and again is told in fewer."""
WIDE = 100  # whole numbers below it are as short as their place in a list


def columns(table: pl.DataFrame) -> dict[str, list | dict]:
    """Column name to values: a table without its names repeated in each row.

    A long column may come shorter; `rowsOf` in data.js knows how:
    one of few different words or numbers is {"of": [value, ...], "at": [place of the row's value or null, ...]};
    one most rows of which hold the same, or nothing, is {"usual", "length", "gaps": [rows since the last other, ...], "is": [other, ...]}.
    """
    return {name: _values(table[name]) for name in table.columns}


def coarse(table: pl.DataFrame, but: tuple[str, ...] = ()) -> pl.DataFrame:
    """The table with broken numbers at 3 significant digits, one more than is shown of any of them, except in the columns `but`."""
    broken = [name for name, kind in table.schema.items() if kind.is_float() and name not in but]
    return table.with_columns(pl.col(broken).cast(pl.Float64).round_sig_figs(3))


def _values(column: pl.Series) -> list | dict:
    if len(column) < LONG or column.dtype.is_nested():
        return column.to_list()
    counts = column.value_counts(sort=True, name="times")
    if 2 * counts["times"][0] > len(column):
        return _unusual(column, counts[column.name][0])
    long = column.dtype == pl.String or (column.dtype.is_integer() and (column.max() or 0) >= WIDE)
    return _placed(column) if long and 4 * len(counts) <= len(column) else column.to_list()


def _unusual(column: pl.Series, usual) -> dict:
    rows = column.ne_missing(pl.Series([usual], dtype=column.dtype)).arg_true()
    gaps = rows.cast(pl.Int64).diff().fill_null(rows[0] + 1) if len(rows) else rows
    return {"usual": usual, "length": len(column), "gaps": gaps.to_list(), "is": column.gather(rows).to_list()}


def _placed(column: pl.Series) -> dict:
    values = column.drop_nulls().unique().sort()
    place = pl.DataFrame({"value": values}).with_row_index("at")
    at = column.to_frame("value").join(place, on="value", how="left", maintain_order="left")["at"]
    return {"of": values.to_list(), "at": at.to_list()}


def rounded(value):
    """`value` with every float in it at 4 significant digits; NaN and infinities become None."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


def script_json(document) -> str:
    """JSON text of `document`, numbers rounded, that no string in it can break out of a script element."""
    text = json.dumps(rounded(document), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES)
