"""Events and sequences in a profile: codes by distinct subjects, lengths, gaps, ages and years in bins."""

from collections.abc import Mapping

import polars as pl

from seqsae.disclosure.codes import d10_rolled_up
from seqsae.disclosure.table import Base
from seqsae.disclosure.texts import d13_word
from seqsae.exports import margins
from seqsae.exports.margins import Desk
from seqsae.records.data import Dataset

DAYS_A_YEAR = 365.25
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
ENDS = {"birth": "MEDS_BIRTH", "death": "MEDS_DEATH"}


def events(data: Dataset, desk: Desk, parents: Mapping[str, str]) -> dict:
    """Everything about the events: each number over at least the threshold of distinct subjects.

    What concerns dated events is counted among those who have any, so that no difference of two numbers is too small.
    """
    rows = data.table.join(desk.people, on="subject")
    dated = rows.filter(pl.col("time").is_not_null())
    is_end = pl.any_horizontal(_is(code) for code in ENDS.values())
    lived = dated.filter(~is_end)
    ends = dated.filter(is_end).join(lived.select("subject").unique(), on="subject", how="semi")
    inside = desk.within(lived, desk.base)
    if inside is None:
        lived, ends, inside = lived.clear(), ends.clear(), desk.base
    return {
        "codes": _codes(lived, desk, inside, parents),
        "static_codes": _codes(rows.filter(pl.col("time").is_null()), desk, desk.base, parents),
        **{name: _end(ends.filter(_is(code)), desk, inside) for name, code in ENDS.items()},
        "per_subject": margins.once(desk, _counts(lived, desk)),
        "at_once": margins.often(desk, _moments(lived).rename({"codes": "value"}), inside),
        "gap_days": margins.often(desk, _gaps(lived), inside),
        **_calendar(lived, ends.filter(_is(ENDS["birth"])), desk),
    }


def _is(code: str) -> pl.Expr:
    return (pl.col("code") == code) | pl.col("code").str.starts_with(f"{code}//")


def _counts(lived: pl.DataFrame, desk: Desk) -> pl.DataFrame:
    counts = desk.people.join(lived.group_by("subject").agg(pl.len().alias("value")), on="subject", how="left")
    return counts.with_columns(pl.col("value").fill_null(0))


def _moments(lived: pl.DataFrame) -> pl.DataFrame:
    """A row a subject and time: how many `codes` stand there."""
    return lived.group_by("subject", "cluster", "time").agg(pl.len().cast(pl.Float64).alias("codes"))


def _gaps(lived: pl.DataFrame) -> pl.DataFrame:
    """A row a moment but the first: days since the one before."""
    moments = _moments(lived).sort("subject", "time")
    gap = pl.col("time").diff().over("subject").dt.total_microseconds() / 86_400e6
    return moments.with_columns(gap.alias("value")).drop_nulls("value").select("subject", "cluster", "value")


def _end(rows: pl.DataFrame, desk: Desk, inside: Base) -> int:
    """Subjects with a birth (a death) beside their dated events; 0: too few to be shown."""
    found = desk.within(rows, inside)
    return 0 if found is None else found.shown


def _calendar(lived: pl.DataFrame, births: pl.DataFrame, desk: Desk) -> dict:
    """Calendar years and ages of a subject's first and last event; no date is finer than a year (D13)."""
    span = lived.group_by("subject", "cluster").agg(
        pl.col("time").min().alias("first"), pl.col("time").max().alias("last")
    )
    span = span.join(births.group_by("subject").agg(pl.col("time").min().alias("birth")), on="subject", how="left")
    unborn = span.filter(pl.col("birth").is_null())
    few = len(births) > 0 and len(unborn) > 0 and not desk.enough(unborn)
    found = {}
    for part in ("first", "last"):
        year = span.select("subject", pl.col(part).dt.year().alias("value"))
        days = (pl.col(part) - pl.col("birth")).dt.total_microseconds() / 86_400e6
        age = span.select("subject", (days / DAYS_A_YEAR).floor().alias("value"))
        if few:  # they would be the difference between those with an age and those with an event
            age = age.with_columns(pl.col("value").fill_null(pl.col("value").median().floor()))
        found[f"year_{part}"] = margins.once(desk, year, step=1.0, zero=2000.0)
        found[f"age_{part}"] = margins.once(desk, age, step=1.0)
    return found


def _codes(rows: pl.DataFrame, desk: Desk, base: Base, parents: Mapping[str, str]) -> list[dict]:
    """A code each, after roll-up: subjects, occurrences a subject, and the numeric values."""
    names = d10_rolled_up(rows, desk.policy, parents)
    desk.withheld["codes rolled up or dropped"] += sum(name != code for code, name in names.items())
    shown = rows.with_columns(pl.col("code").replace_strict(names, return_dtype=pl.String)).drop_nulls("code")
    if not len(shown):
        return []
    counted = shown.select("subject", "cluster", "code")
    cells = desk.table(counted, "code", base, extras=("per_subject",))
    measured = _measured(shown)
    found = []
    for cell in cells.rows:
        code = cell["code"]
        values = None if code not in measured else _values(measured[code], cell["subjects"], desk)
        found.append(
            {
                "code": code,
                "parent": d13_word(parents.get(code)),
                "subjects": cell["subjects"],
                "per_subject": cell["per_subject"],
                "values": values,
            }
        )
    return found


def _measured(shown: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Code to its rows, for codes of which any has a numeric value."""
    value = pl.col("numeric_value").cast(pl.Float64)
    rows = shown.with_columns(pl.when(value.is_finite()).then(value).alias("value"))
    some = rows.group_by("code").agg(pl.col("value").count()).filter(pl.col("value") > 0)["code"]
    parts = rows.filter(pl.col("code").is_in(some.implode())).partition_by("code", as_dict=True)
    return {code: part for (code,), part in parts.items()}


def _values(rows: pl.DataFrame, shown: int, desk: Desk) -> dict | None:
    """The share of a code's rows that have a value, and the values in bins."""
    base = Base(rows.select("subject", "cluster").unique("subject"), shown)
    found = margins.often(desk, rows.drop_nulls("value"), base)
    if found is None:
        return None
    cells = desk.table(rows.with_columns(pl.col("value").is_not_null().alias("valued")), "valued", base, ("share",))
    share = {row["valued"]: row["share"] for row in cells.rows}
    return found | {"share": 1.0 if share.get(True) is None else share[True]}


def sequences(data: Dataset, desk: Desk) -> dict:
    """Lengths in bins, and the letters by distinct sequences."""
    rows = data.table.join(desk.people, on="subject")
    length = rows.select("subject", pl.col("sequence").str.len_chars().alias("value"))
    counts = [pl.col("sequence").str.count_matches(letter, literal=True).alias(letter) for letter in LETTERS]
    letters = rows.select("subject", "cluster", *counts).unpivot(
        index=["subject", "cluster"], variable_name="letter", value_name="weight"
    )
    cells = desk.table(letters.filter(pl.col("weight") > 0), "letter", desk.base, extras=("share",))
    return {
        "length": margins.once(desk, length),
        "letters": [{name: row[name] for name in ("letter", "subjects", "share")} for row in cells.rows],
    }
