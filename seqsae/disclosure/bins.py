"""Numbers in bins of enough subjects (D5): edges are round decimals that few have no part in, and the outer bins are open."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d5_rounder

MOST = 16
"""Bins of one distribution, at most."""


@dataclass(frozen=True)
class Edges:
    """Inner edges, ascending; bin i holds values from edge i-1 (inclusive) up to edge i, the first and last are open."""

    inner: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.inner) + 1

    def place(self, values: np.ndarray) -> np.ndarray:
        """[n] the bin of each value."""
        return np.searchsorted(np.array(self.inner), values, side="right")

    def bounds(self, index: int) -> tuple[float | None, float | None]:
        """Low and high of a bin, None where it is open."""
        low = self.inner[index - 1] if index > 0 else None
        high = self.inner[index] if index < len(self.inner) else None
        return low, high


def d5_edges(rows: pl.DataFrame, policy: Policy, step: float | None = None) -> Edges:
    """Edges such that each bin holds twice the needed subjects and clusters, and about equally many.

    An edge is the roundest number between what the threshold's number of subjects below it reach and what as many above it
    do: it tells no value that fewer have.

    Args:
        rows: `subject`, `cluster`, `value` (finite, no nulls), enough subjects altogether.
        step: a power of ten of which edges are multiples; None: any round decimal.
    """
    values = rows["value"].to_numpy().astype(np.float64)
    grid = _grid(values, step)
    cell = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, None)
    rows = rows.select("subject", "cluster", "value", pl.Series("cell", cell))
    once = rows.select("subject", "cluster", "cell").unique().sort("cell", "subject")
    starts = _runs(once, ceil(once["subject"].n_unique() / MOST), policy)
    around = zip([0, *starts], starts, [*starts[1:], len(grid)], strict=False)
    inner = [
        _edge(
            rows.filter(pl.col("cell").is_between(first, start - 1)),
            rows.filter(pl.col("cell").is_between(start, end - 1)),
            policy,
            step,
        )
        for first, start, end in around
    ]
    return Edges(_kept(rows, values, [edge for edge in inner if edge is not None], policy))


def _edge(below: pl.DataFrame, above: pl.DataFrame, policy: Policy, step: float | None) -> float | None:
    low, high = _reached(below, policy), _reached(above.with_columns(-pl.col("value")), policy)
    return None if low is None or high is None else d5_rounder(low, -high, step)


def _kept(rows: pl.DataFrame, values: np.ndarray, inner: list[float], policy: Policy) -> tuple[float, ...]:
    """The edges that leave enough in every bin: rounding has moved values over some."""
    while inner:
        place = pl.Series("bin", Edges(tuple(inner)).place(values))
        sizes = rows.select("subject", "cluster", place).group_by("bin")
        sizes = sizes.agg(pl.col("subject").n_unique(), pl.col("cluster").n_unique())
        enough = {number for number, *size in sizes.rows() if _twice(*size, policy)}
        small = next((number for number in range(len(inner) + 1) if number not in enough), None)
        if small is None:
            break
        inner.pop(min(small, len(inner) - 1))
    return tuple(inner)


def _twice(subjects: int, clusters: int, policy: Policy) -> bool:
    """Whether half of them are enough, so that a bin's ends can be cut and something is left."""
    return (
        policy.public and subjects > 0 or (subjects >= 2 * policy.min_subjects and clusters >= 2 * policy.min_clusters)
    )


def _grid(values: np.ndarray, step: float | None) -> np.ndarray:
    """Ascending grid points, the lower ends of the cells in which there are values."""
    if step is not None:
        return np.unique(np.floor(values / step)) * step
    size = np.abs(values)
    power = np.floor(np.log10(np.where(size > 1e-12, size, 1.0))).astype(np.int64) - 1
    mantissa = np.where(size > 1e-12, np.floor(values / 10.0**power), 0.0).astype(np.int64)
    pairs = np.unique(np.stack([mantissa, power]), axis=1).T
    return np.unique([float(f"{int(digits)}e{int(exponent)}") for digits, exponent in pairs])


def _runs(once: pl.DataFrame, wanted: int, policy: Policy) -> list[int]:
    """Cells (not the first) at which a new bin begins: each bin as short as the thresholds allow, the last takes the rest."""
    cell, subject, cluster = (once[name].to_numpy() for name in ("cell", "subject", "cluster"))
    bounds = np.searchsorted(cell, np.arange(cell[-1] + 2))
    starts, seen, families = [0], set(), set()
    for at in range(cell[-1] + 1):
        here = slice(bounds[at], bounds[at + 1])
        seen.update(subject[here].tolist())
        families.update(cluster[here].tolist())
        if len(seen) >= wanted and _twice(len(seen), len(families), policy):
            starts.append(at + 1)
            seen, families = set(), set()
    starts.pop()  # begins after the last cell, or is too small and joins the bin before it
    return starts[1:]


def d5_clipped(placed: pl.DataFrame, policy: Policy) -> pl.Series:
    """[n] the values, those at either end of their bin cut at the last that enough subjects (and clusters) reach.

    So what fewer than the threshold have moves no mean. Null in a bin of fewer than twice as many, which would be left with
    little but one value.

    Args:
        placed: `subject`, `cluster`, `value` and `bin`; null where there is none.
    """
    low, high = {}, {}
    for (number,), here in placed.drop_nulls("value").partition_by("bin", as_dict=True).items():
        top, bottom = _reached(here, policy), _reached(here.with_columns(-pl.col("value")), policy)
        high[number], low[number] = top, None if bottom is None else -bottom
    ends = [pl.col("bin").replace_strict(ends, default=None, return_dtype=pl.Float64) for ends in (low, high)]
    cut = pl.when(ends[0].is_not_null()).then(pl.col("value").clip(*ends))
    return placed.select(cut.alias("measure"))["measure"]


def _reached(rows: pl.DataFrame, policy: Policy) -> float | None:
    """The highest value that enough subjects and enough clusters reach; None if there are not twice as many."""
    found = []
    for column, needed in (("subject", policy.min_subjects), ("cluster", policy.min_clusters)):
        highest = rows.group_by(column).agg(pl.col("value").max())["value"].sort(descending=True)
        if len(highest) < (1 if policy.public else 2 * needed):
            return None
        found.append(float(highest[min(needed, len(highest)) - 1]))
    return min(found)
