"""Tables and documents as small JSON that is safe inside a `<script>` element."""

import json
import math

import polars as pl

DIGITS = 4  # significant digits of every number on the page

# `<` could end the script element or open a comment in it; the two separators end a line in old JavaScript.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


LONG = 500
"""Rows from which a column of words that come again and again is told as numbers into a list of them."""


def columns(table: pl.DataFrame) -> dict[str, list | dict]:
    """Column name to values: a table without its names repeated in each row.

    A long column of few different words is {"of": [word, ...], "at": [place of the row's word or null, ...]}; `rowsOf` in data.js knows.
    """
    return {name: _values(table[name]) for name in table.columns}


def _values(column: pl.Series) -> list | dict:
    if column.dtype != pl.String or len(column) < LONG or 4 * column.n_unique() > len(column):
        return column.to_list()
    words = column.drop_nulls().unique().sort()
    place = pl.DataFrame({"word": words}).with_row_index("at")
    at = column.to_frame("word").join(place, on="word", how="left", maintain_order="left")["at"]
    return {"of": words.to_list(), "at": at.to_list()}


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
