"""Values as they may be named: no date finer than a year (D13), and no text so long that it is a sentence of somebody's."""

import re
from datetime import date

import polars as pl

LONGEST = 40
"""Characters of a published category, at most."""
WORD = re.compile(r"[^\s]{1,64}")
UNIT = re.compile(r"[\w%°µ/·^.*()\[\] -]{1,20}")
SPLIT_DATE = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})(?:[ T].*)?")
WHOLE_DATE = re.compile(r"((?:18|19|20|21)\d\d)(\d\d)(\d\d)(?:[ T_]?\d{4,6})?(?:\.0)?")


def d13_named(values: pl.Series, other: str) -> pl.Series:
    """[n] text: dates as their year, texts of more than LONGEST characters as `other`; null stays null."""
    if (
        values.dtype.is_temporal()
        and hasattr(values.dt, "year")
        and values.dtype != pl.Duration
        and values.dtype != pl.Time
    ):
        return values.dt.year().cast(pl.String)
    text = values.cast(pl.String)
    names = {value: _named(value, other) for value in text.unique().drop_nulls().to_list()}
    return text.replace_strict(names, default=None, return_dtype=pl.String) if names else text


def _named(value: str, other: str) -> str:
    year = _year(value.strip())
    return str(year) if year is not None else value if len(value) <= LONGEST else other


def d13_years(values: pl.Series) -> pl.Series:
    """Numbers; where all of them are dates written as numbers (20160317), their years."""
    whole = values.drop_nulls()
    if not len(whole) or not whole.is_between(18_000_101, 21_991_231).all():
        return values
    years = {value: _year(str(int(value))) for value in whole.unique().to_list()}
    if None in years.values():
        return values
    return values.replace_strict(years, default=None, return_dtype=pl.Float64)


def d13_word(value: str | None) -> str | None:
    """A code as it may be named beside another (a parent): itself if it is one word, else None."""
    return value if value is not None and WORD.fullmatch(value) else None


def d13_unit(value: str | None) -> str | None:
    """A unit of measurement: itself if it reads like one, else None."""
    return value if value is not None and UNIT.fullmatch(value) and _year(value) is None else None


def _year(text: str) -> int | None:
    """The year of a date in one of the ways of writing it; None for what is no date."""
    split, whole = SPLIT_DATE.fullmatch(text), WHOLE_DATE.fullmatch(text)
    if whole:
        year, month, day = (int(part) for part in whole.groups())
    elif split:
        first, month, last = split.groups()
        year, day = (int(first), int(last)) if len(first) == 4 else (int(last), int(first))
        year = year if year > 99 else 1900 + year
        month, day = (month, day) if int(month) <= 12 else (day, month)
    else:
        return None
    try:
        return date(year, int(month), int(day)).year
    except ValueError:
        return None
