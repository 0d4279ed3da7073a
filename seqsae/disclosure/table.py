"""The one kind of table that may leave: counts and means of cells, made from rows only through the primary rules."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import DOMINATED, d1_reason, d1_rounded, d2_rest_is_safe, d4_dominated, d7_digits, d7_mean
from seqsae.disclosure.safe import COUNT, LABEL, RATE, STATISTIC, TEXT, SafeTable, sealed
from seqsae.errors import SeqsaeError

FINEST = 1e-6
"""Digits of a measured number behind the point, at most, that its lattice is looked for in."""


@dataclass(frozen=True, repr=False)
class Base:
    """The subjects from whom a cell's subjects come: what a reader may subtract the cell's count from."""

    people: pl.DataFrame
    """`subject` and `cluster`, a row each."""
    shown: int
    """Their number as published."""

    def __repr__(self) -> str:
        return f"Base(shown={self.shown})"


def base_of(people: pl.DataFrame, policy: Policy, where: str = "the data") -> Base:
    """The whole cohort as a base. Raises SeqsaeError if it is itself too small to be shown."""
    people = people.select("subject", "cluster").drop_nulls().unique("subject", maintain_order=True)
    clusters = people["cluster"].n_unique()
    if d1_reason(len(people), clusters, policy):
        raise SeqsaeError(
            f"{where}: fewer subjects or clusters than policy {policy.name!r} asks for "
            f"({policy.min_subjects} subjects, {policy.min_clusters} clusters); nothing of them may be shown"
        )
    return Base(people, d1_rounded(len(people), policy))


def aggregate(
    rows: pl.DataFrame,
    by: tuple[str, ...],
    base: Base,
    policy: Policy,
    levels: list[tuple] | None = None,
    extras: tuple[str, ...] = (),
) -> SafeTable:
    """Cells of `rows`, each shown only if the primary rules allow.

    D1: fewer subjects or clusters than the threshold: withheld; counts rounded. D2: a cell that leaves out too few of its
    base is shown as the whole base. D4: shares, means and numbers a subject that few subjects make are withheld. D7: digits.

    Args:
        rows: `subject`, `cluster` and the columns of `by`; a row an observation. A column `weight` says for how many
            observations a row stands (whole, default 1), a column `measure` what was measured.
        base: the subjects who could be in a cell; rows of others are not counted, and a subject's cluster is that of the base.
        levels: labels that are public knowledge: these cells stand in the table even where withheld. A withheld cell
            of any other label leaves no trace but its number (D10).
        extras: of `share` (of all shown observations), `per_subject` (observations a subject in the cell), `mean` (of `measure`).
    Raises:
        ValueError: a label, weight or policy that no honest table can have.
    """
    Policy.model_validate(policy.model_dump())  # a copy can be given any threshold
    if clash := set(by) & {"subject", "cluster", "weight", "measure", "subjects", "reason", *extras}:
        raise ValueError(f"a table cannot be made by {min(clash)!r}, a name of its own; rename that column")
    if "weight" in rows.columns and not (
        rows["weight"].dtype.is_integer() and (rows["weight"] > 0).fill_null(False).all()
    ):
        raise ValueError("weights are whole numbers of 1 or more")
    rows = rows.drop("cluster").join(base.people, on="subject", maintain_order="left")
    each = _each(rows, by)
    cells = _cells(each, by, base, policy)
    if "mean" in extras:
        _add_lattices(cells, rows, by)
    made = {tuple(cell[name] for name in _keys(by)): _row(cell, by, base, policy, extras) for cell in cells}
    hidden = [row for row in made.values() if row["subjects"] is None]
    shown = [row for row in made.values() if row["subjects"] is not None]
    _add_shares(shown, policy, extras)
    reasons = [row["reason"] for row in made.values() if row["reason"]]
    if levels is not None:
        empty = {"subjects": None, "reason": d1_reason(0, 0, policy), **dict.fromkeys(extras)}
        absent = [dict(zip(by, label, strict=True)) | empty for label in levels if tuple(label) not in made]
        known = [row for row in hidden if tuple(row[name] for name in by) in {tuple(label) for label in levels}]
        shown += known + absent
        reasons += [row["reason"] for row in absent]
    withheld = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    return sealed(by, policy, _sorted(shown, by), _columns(by, extras), ("D1", "D2", "D4", "D7", "D10"), withheld)


def _columns(by: tuple[str, ...], extras: tuple[str, ...]) -> dict:
    kinds = {"share": RATE, "per_subject": RATE, "mean": STATISTIC}
    return dict.fromkeys(by, LABEL) | {"subjects": COUNT, "reason": TEXT} | {name: kinds[name] for name in extras}


def _each(rows: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """A row a cell and subject: what the subject contributes."""
    absent = {"weight": pl.lit(1), "measure": pl.lit(None, pl.Float64)}
    filled = rows.with_columns(column.alias(name) for name, column in absent.items() if name not in rows.columns)
    filled = filled.select("subject", "cluster", *absent, *(pl.col(name).alias(f"by {name}") for name in by))
    measure = pl.col("measure").cast(pl.Float64)
    return filled.group_by([*_keys(by), "subject", "cluster"]).agg(
        pl.col("weight").sum().cast(pl.Int64),
        measure.sum(),
        measure.abs().sum().alias("size"),
        measure.count().cast(pl.Int64).alias("measured"),
    )


def _keys(by: tuple[str, ...]) -> list[str]:
    """The label columns under names that no other column bears."""
    return [f"by {name}" for name in by]


def _cells(each: pl.DataFrame, by: tuple[str, ...], base: Base, policy: Policy) -> list[dict]:
    """What the rules need of each cell: who is in it, who is not, and how much its largest contributors bring."""
    sizes = base.people.group_by("cluster").agg(pl.len().alias("members"))
    each = each.join(sizes, on="cluster", how="left").with_columns(pl.len().over(*_keys(by), "cluster").alias("here"))
    whole = pl.col("cluster").filter(pl.col("here") >= pl.col("members")).n_unique()
    sums = [
        expression
        for name in ("weight", "size")
        for expression in (
            pl.col(name).sum().alias(f"{name}_total"),
            pl.col(name).top_k(policy.dominance_top).sum().alias(f"{name}_top"),
            pl.col(name).max().alias(f"{name}_largest"),
        )
    ]
    cells = each.group_by(_keys(by)).agg(
        pl.len().cast(pl.Int64).alias("subjects"),
        pl.col("cluster").n_unique().cast(pl.Int64).alias("clusters"),
        whole.cast(pl.Int64).alias("whole"),
        pl.col("measure", "measured").sum(),
        *sums,
    )
    rest = (len(base.people) - pl.col("subjects")).alias("rest")
    return cells.with_columns(rest, (len(sizes) - pl.col("whole")).alias("rest_clusters")).to_dicts()


def _row(cell: dict, by: tuple[str, ...], base: Base, policy: Policy, extras: tuple[str, ...]) -> dict:
    row = {name: cell[f"by {name}"] for name in by}
    reason = d1_reason(cell["subjects"], cell["clusters"], policy)
    if reason:
        return row | {"subjects": None, "reason": reason, **dict.fromkeys(extras)}
    safe = d2_rest_is_safe(cell["rest"], cell["rest_clusters"], policy)
    subjects = d1_rounded(cell["subjects"], policy) if safe and cell["rest"] else base.shown
    row |= {"subjects": subjects, "reason": None}
    if "share" in extras or "per_subject" in extras:
        row |= _frequency(cell, subjects, policy, extras)
    if "mean" in extras:
        bad = cell["measured"] == 0 or _dominated(cell, "size", policy)
        row["mean"] = None if bad else _mean(cell, policy)
        row["reason"] = row["reason"] or (DOMINATED if bad and cell["measured"] else None)
    return row


def _mean(cell: dict, policy: Policy) -> float | None:
    """A reader knows a cell's number to within rounding, and that fewer than the threshold may be counted in besides."""
    least = cell["measured"] if policy.public else cell["measured"] - policy.round_to - policy.min_subjects
    return d7_mean(cell["measure"], cell["measured"], cell["lattice"], policy.digits, least)


def _add_lattices(cells: list[dict], rows: pl.DataFrame, by: tuple[str, ...]) -> None:
    """`lattice` of each cell: the largest number of which all differences of what was measured in it are multiples."""
    parts = rows.select(*by, pl.col("measure").cast(pl.Float64)).partition_by(*by, as_dict=True)
    for cell in cells:
        values = parts[tuple(cell[name] for name in _keys(by))]["measure"].drop_nulls().to_numpy()
        away = np.rint((values - values.min()) / FINEST) if len(values) else np.zeros(1)
        cell["lattice"] = float(np.gcd.reduce(away.astype(np.int64)) * FINEST) if away.max() < 2**62 else 0.0


def _frequency(cell: dict, subjects: int, policy: Policy, extras: tuple[str, ...]) -> dict:
    """`share` (as yet a rounded count) and `per_subject`, from rounded counts; null where few subjects make them."""
    bad = _dominated(cell, "weight", policy)
    count = None if bad else d1_rounded(cell["weight_total"], policy)
    found = {"share": count} if "share" in extras else {}
    if "per_subject" in extras:
        found["per_subject"] = None if bad else d7_digits(max(count / subjects, 1.0), policy.digits)
    return found | ({"reason": DOMINATED} if bad else {})


def _dominated(cell: dict, name: str, policy: Policy) -> bool:
    return d4_dominated(*(cell[f"{name}_{part}"] for part in ("total", "top", "largest")), policy)


def _add_shares(shown: list[dict], policy: Policy, extras: tuple[str, ...]) -> None:
    if "share" not in extras:
        return
    total = sum(row["share"] for row in shown if row["share"])
    for row in shown:
        if row["share"] is not None:
            row["share"] = d7_digits(row["share"] / total, policy.digits)


def _sorted(rows: list[dict], by: tuple[str, ...]) -> list[dict]:
    return sorted(rows, key=lambda row: [(row[name] is None, row[name]) for name in by])
