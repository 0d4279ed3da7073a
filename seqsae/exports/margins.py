"""Distributions of one variable as documents, every number of them out of a SafeTable."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from seqsae.disclosure.bins import Edges, d5_clipped, d5_edges
from seqsae.disclosure.levels import OTHER, d3_merged, d3_neighbours
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason
from seqsae.disclosure.table import Base, SafeTable, aggregate
from seqsae.disclosure.texts import d13_named


@dataclass(frozen=True)
class Desk:
    """Where margins are made: the cohort, the policy, and the tally of what was withheld."""

    base: Base
    """All subjects."""
    policy: Policy
    withheld: Counter = field(default_factory=Counter)
    """Reason to number of cells."""

    @property
    def people(self) -> pl.DataFrame:
        """`subject` and `cluster` of all."""
        return self.base.people

    def table(self, rows: pl.DataFrame, by: str, base: Base, extras: tuple[str, ...] = ()) -> SafeTable:
        """Cells of `rows` by one column."""
        made = aggregate(rows, (by,), base, self.policy, extras=extras)
        self.withheld.update(made.withheld)
        return made

    def enough(self, rows: pl.DataFrame) -> bool:
        """Whether the subjects of `rows` may be shown as a cell."""
        return d1_reason(rows["subject"].n_unique(), rows["cluster"].n_unique(), self.policy) is None

    def within(self, rows: pl.DataFrame, base: Base) -> Base | None:
        """The subjects of `rows`, as a base inside another one; None if they are too few to be shown."""
        found = self.table(rows.select("subject", "cluster", pl.lit(True).alias("here")), "here", base)
        if not len(found):
            return None
        return Base(rows.select("subject", "cluster").unique("subject", maintain_order=True), found.rows[0]["subjects"])


def once(desk: Desk, values: pl.DataFrame, step: float | None = None, zero: float = 0.0) -> dict:
    """A number that each subject has at most once, in bins that together with the missing hold every subject.

    Fewer missing subjects than the threshold are counted in the fullest bin; if fewer have a value, all count as missing.

    Args:
        values: `subject`, `value`; null and what is not finite are missing.
        step: see `d5_edges`.
        zero: from where the values are counted, so that digits are not spent on what all have in common (calendar years).
    """
    from_zero = values.select("subject", pl.col("value").cast(pl.Float64) - zero)
    rows = desk.people.join(from_zero, on="subject", how="left")
    rows = rows.with_columns(pl.when(pl.col("value").is_finite()).then("value"))
    there = rows.drop_nulls("value")
    if not desk.enough(there):
        desk.withheld["too few subjects have a value"] += 1
        return {"integer": False, "bins": [], "missing": desk.base.shown}
    edges = d5_edges(there, desk.policy, step)
    placed = _placed(desk, rows, edges)
    gone = rows.filter(pl.col("value").is_null())
    if len(gone) and not desk.enough(gone):
        fullest = placed.drop_nulls("bin")["bin"].mode().min()
        placed = placed.with_columns(pl.col("bin").fill_null(fullest))
    found = desk.table(placed, "bin", desk.base, extras=("mean",))
    missing = next((row["subjects"] for row in found.rows if row["bin"] is None), 0)
    return _moved(_bins(desk, there, edges, found, ("mean",)), zero) | {"missing": missing}


def _moved(margin: dict, zero: float) -> dict:
    """The margin with its edges and means counted from 0 again."""
    for one in margin["bins"] if zero else ():
        one |= {name: None if one[name] is None else round(one[name] + zero, 1) for name in ("low", "high", "mean")}
    return margin


def often(desk: Desk, rows: pl.DataFrame, base: Base, step: float | None = None) -> dict | None:
    """A number that a subject may have many times, in bins of enough distinct subjects; None if too few have it at all.

    Args:
        rows: `subject`, `cluster`, `value`, and maybe `weight`.
        base: the subjects who could have had it.
    """
    there = rows.filter(pl.col("value").is_finite())
    inside = desk.within(there, base)
    if inside is None:
        return None
    edges = d5_edges(there, desk.policy, step)
    found = desk.table(_placed(desk, there, edges), "bin", inside, extras=("share", "mean"))
    return _bins(desk, there, edges, found, ("share", "mean")) | {"subjects": inside.shown}


def _placed(desk: Desk, rows: pl.DataFrame, edges: Edges) -> pl.DataFrame:
    """Rows with their `bin` (null where there is no value) and `measure`, the value cut at the ends of its bin."""
    place = pl.Series("place", edges.place(rows["value"].fill_null(0.0).to_numpy()))
    binned = rows.with_columns(pl.when(pl.col("value").is_not_null()).then(place).alias("bin"))
    return binned.with_columns(d5_clipped(binned, desk.policy))


def _bins(desk: Desk, there: pl.DataFrame, edges: Edges, found: SafeTable, extras: tuple[str, ...]) -> dict:
    rows = {row["bin"]: row for row in found.rows}
    bins = []
    for index in range(len(edges)):
        if index in rows:
            low, high = edges.bounds(index)
            shown = {name: rows[index][name] for name in ("subjects", *extras)}
            bins.append({"low": low, "high": high, **shown})
    broken = there.filter(pl.col("value") != pl.col("value").floor())
    return {"integer": not desk.enough(broken), "bins": bins}  # a few broken numbers are not told of


def _named(column: str, rows: pl.DataFrame) -> pl.Series:
    return d13_named(rows[column], OTHER).alias(column)


def levels(desk: Desk, values: pl.DataFrame) -> dict:
    """A category that each subject has at most once; rare ones, a rare missing among them, stand as `other`.

    Args:
        values: `subject`, `value` (text, dates or null).
    """
    rows = desk.people.join(values.select("subject", _named("value", values)), on="subject", how="left")
    names = d3_merged(rows, desk.policy)
    merged = rows.with_columns(pl.Series("value", [names[value] for value in rows["value"].to_list()], pl.String))
    return _levels(desk.table(merged, "value", desk.base), any(value != name for value, name in names.items()))


def ordered(desk: Desk, values: pl.DataFrame) -> dict:
    """Ordered levels that each subject has at most once; a rare one is counted with its neighbour.

    Args:
        values: `subject`, `value` (numbers or null).
    """
    rows = desk.people.join(values.select("subject", "value"), on="subject", how="left")
    there = rows.drop_nulls("value")
    if not desk.enough(there):
        desk.withheld["too few subjects have a value"] += 1
        return {"levels": [], "other": 0, "missing": desk.base.shown}
    names: Mapping[float | None, float] = d3_neighbours(there, desk.policy)
    if not names:
        few = not desk.enough(rows.filter(pl.col("value").is_null()))
        merged = rows.with_columns(pl.when(pl.col("value").is_not_null() | few).then(pl.lit(OTHER)).alias("value"))
        return _levels(desk.table(merged, "value", desk.base), True)
    places = [names.get(value) for value in rows["value"].to_list()]
    merged = rows.with_columns(pl.Series("value", places, pl.Float64))
    gone = merged.filter(pl.col("value").is_null())
    if len(gone) and not desk.enough(gone):
        merged = merged.with_columns(pl.col("value").fill_null(there["value"].replace(names).mode().min()))
    return _levels(desk.table(merged, "value", desk.base), False)


def _levels(found: SafeTable, merges: bool) -> dict:
    named = [row for row in found.rows if row["value"] is not None and not (merges and row["value"] == OTHER)]
    count = {row["value"]: row["subjects"] for row in found.rows}
    return {
        "levels": [{"value": row["value"], "subjects": row["subjects"]} for row in named],
        "other": count.get(OTHER, 0) if merges else 0,
        "missing": count.get(None, 0),
    }


def mentions(desk: Desk, rows: pl.DataFrame, base: Base) -> dict | None:
    """A category that a subject may have many times, by distinct subjects; None if too few have it at all.

    Args:
        rows: `subject`, `cluster`, `value` (text), and maybe `weight`.
    """
    there = rows.with_columns(_named("value", rows)).drop_nulls("value")
    inside = desk.within(there, base)
    if inside is None:
        return None
    names = d3_merged(there, desk.policy)
    merged = there.with_columns(pl.col("value").replace_strict(names, return_dtype=pl.String))
    found = desk.table(merged, "value", inside, extras=("share",))
    shown = [{name: row[name] for name in ("value", "subjects", "share")} for row in found.rows]
    return {"subjects": inside.shown, "levels": shown}
