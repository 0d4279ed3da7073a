"""Tables of statistics, of features, and of what holds nobody's data: the other makers of SafeTables."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from seqsae.disclosure.ladder import d7_p, d7_statistic
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason, d7_digits
from seqsae.disclosure.safe import COUNT, LABEL, PLACE, TEXT, Column, SafeTable, sealed

FEW_CELLS = "too few subjects in a cell of firing x class (D2)"
WORST_FEATURES = 20
"""Distinct subjects of the train and of the test split in whom a released feature fires, at least (D9)."""
FACT = re.compile(r"[A-Za-z][A-Za-z0-9 .,:+-]{0,59}")


def d9_listed(fires: pl.DataFrame, policy: Policy) -> list[int]:
    """Features that fire in at least max(threshold, 20) distinct subjects, and enough clusters, of the train and of the test split.

    All others are to vanish from everything: the direction of a feature that fires in few is those few.

    Args:
        fires: `feature`, `subject`, `cluster`, `split`, a row a feature and subject.
    """
    needed = 1 if policy.public else max(policy.min_subjects, WORST_FEATURES)
    sizes = fires.group_by("feature", "split").agg(
        pl.col("subject").n_unique().alias("subjects"), pl.col("cluster").n_unique().alias("clusters")
    )
    large = sizes.filter(
        pl.col("subjects") >= needed, pl.col("clusters") >= min(needed, max(policy.min_clusters, needed))
    )
    both = large.filter(pl.col("split").is_in(["train", "test"])).group_by("feature").len().filter(pl.col("len") == 2)
    return sorted(both["feature"].to_list())


def d2_statistics(
    rows: Iterable[Mapping], labels: Mapping[str, Column], statistics: Mapping[str, Column], policy: Policy
) -> SafeTable:
    """Effects with intervals and p-values of which every cell of fires x class holds enough.

    Args:
        rows: of each the labels, the statistics (exact) and `safe` (whether its cells hold enough), `least` (subjects of the smallest
            side that is compared); counts among the statistics are rounded already.
        statistics: what each is: counts and texts are taken as they are, statistics and interval ends rounded to what one subject can
            change, p-values put on a ladder.
    """
    made, lost = [], 0
    for row in rows:
        lost += not row["safe"]
        if row["safe"]:
            made.append(
                {name: row[name] for name in labels}
                | {name: _rounded(row, name, kind, policy) for name, kind in statistics.items()}
            )
    rules, withheld = ("D1", "D2", "D3", "D7", "D9"), {FEW_CELLS: lost} if lost else {}
    return sealed(tuple(labels), policy, made, {**labels, **statistics}, rules, withheld)


def _rounded(row: Mapping, name: str, kind: Column, policy: Policy):
    if kind.role == "p":
        return d7_p(row[name])
    return (
        d7_statistic(row[name], row["least"], policy)
        if kind.role in ("statistic", "interval") and kind.type == "number"
        else row[name]
    )


def placed(rows: Iterable[Mapping], columns: Mapping[str, Column], policy: Policy) -> SafeTable:
    """What is told of features themselves, each listed by D9: places on a map, similarities of directions, counts that were rounded.

    Coordinates and statistics of directions to the policy's digits; nothing here is of one subject.
    """
    made = [{name: _coarse(row[name], columns[name], policy) for name in columns} for row in rows]
    return sealed((next(iter(columns)),), policy, made, columns, ("D1", "D2", "D4", "D5", "D7", "D9", "D12"), {})


def _coarse(value, kind: Column, policy: Policy):
    return d7_digits(value, policy.digits) if isinstance(value, float) and kind.type == "number" else value


def stated(facts: Mapping[str, object], policy: Policy) -> SafeTable:
    """Facts of how the study was made, of which none is data: numbers of settings, and short names.

    Raises:
        ValueError: a text that could be a path, a date or a sentence (D13).
    """
    made = []
    for name, value in facts.items():
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if not FACT.fullmatch(name) or not (text.replace(".", "", 1).isdigit() or FACT.fullmatch(text)):
            raise ValueError(f"{name}: {text!r} is no plain fact")
        made.append({"fact": name, "value": text})
    return sealed(("fact",), policy, made, {"fact": LABEL, "value": TEXT}, ("D13",), {})


def d12_hexbins(points: pl.DataFrame, policy: Policy, across: int = 24) -> SafeTable:
    """A map of persons as counts in hexagons of enough subjects and clusters; others leave no trace.

    Args:
        points: `subject`, `cluster`, `x`, `y`.
        across: hexagons side by side over the width of the inner 95 % of the map.
    """
    x, y = (points[name].to_numpy().astype(float) for name in ("x", "y"))
    size = d7_digits((np.quantile(x, 0.975) - np.quantile(x, 0.025)) / across, 1) or 1.0
    row = np.round(y / (size * 0.866)).astype(int)
    column = np.round(x / size - (row % 2) / 2).astype(int)
    bins = points.select("subject", "cluster").with_columns(pl.Series("row", row), pl.Series("column", column))
    cells = bins.group_by("row", "column").agg(
        pl.col("subject").n_unique(), pl.col("cluster").n_unique().alias("clusters")
    )
    made, lost = [], 0
    for cell in cells.sort("row", "column").iter_rows(named=True):
        reason = d1_reason(cell["subject"], cell["clusters"], policy)
        lost += reason is not None
        if reason is None:
            place = {
                "x": d7_digits((cell["column"] + (cell["row"] % 2) / 2) * size, 4),
                "y": d7_digits(cell["row"] * size * 0.866, 4),
            }
            made.append(place | {"subjects": policy.round_to * round(cell["subject"] / policy.round_to)})
    columns = {"x": PLACE, "y": PLACE, "subjects": COUNT}
    return sealed(
        ("x", "y"), policy, made, columns, ("D1", "D12"), {"too few subjects in a hexagon (D12)": lost} if lost else {}
    )


def authored(rows: Iterable[Mapping], columns: Mapping[str, Column], policy: Policy) -> SafeTable:
    """Activations on sequences that somebody wrote and signed for as of no record (D11)."""
    made = [{name: _coarse(row[name], columns[name], policy) for name in columns} for row in rows]
    return sealed(tuple(columns)[:2], policy, made, columns, ("D7", "D9", "D11"), {})
