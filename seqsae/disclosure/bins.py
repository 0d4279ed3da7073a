"""Numbers in bins of enough subjects (D5): edges are round decimals, and the outer bins are open."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import polars as pl

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason, d5_rounder

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
    """Edges such that each bin holds enough distinct subjects and clusters, and about equally many.

    Args:
        rows: `subject`, `cluster`, `value` (finite, no nulls), enough subjects altogether.
        step: edges are multiples of it; None: numbers of two significant digits.
    """
    values = rows["value"].to_numpy().astype(np.float64)
    grid = _grid(values, step)
    cell = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, None)
    once = rows.select("subject", "cluster", pl.Series("cell", cell)).unique().sort("cell", "subject")
    n = once["subject"].n_unique()
    # Twice the threshold where there are subjects for it, so that something is left of a tail when it is top-coded.
    wanted = max(ceil(n / MOST), min(2 * policy.min_subjects, ceil(n / 4)))
    starts = _runs(once, wanted, policy)
    inner = [d5_rounder(float(grid[start - 1]), float(grid[start])) for start in starts]
    while not _all_enough(rows, values, inner, policy):
        inner.pop()  # rounding has moved a value over an edge, and the bin it left is too small
    return Edges(tuple(inner))


def _all_enough(rows: pl.DataFrame, values: np.ndarray, inner: list[float], policy: Policy) -> bool:
    place = pl.Series("bin", Edges(tuple(inner)).place(values))
    sizes = (
        rows.select("subject", "cluster", place)
        .group_by("bin")
        .agg(pl.col("subject").n_unique(), pl.col("cluster").n_unique())
    )
    return not inner or all(d1_reason(*size, policy) is None for _, *size in sizes.rows())


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
        if len(seen) >= wanted and d1_reason(len(seen), len(families), policy) is None:
            starts.append(at + 1)
            seen, families = set(), set()
    starts.pop()  # begins after the last cell, or is too small and joins the bin before it
    return starts[1:]


def d5_top_coded(placed: pl.DataFrame, last: int, policy: Policy) -> pl.Expr:
    """The values, those in the open ends of the outer bins cut at the last value that enough subjects reach.

    So what fewer subjects (or clusters) than the threshold have moves no mean. A bin of fewer than twice the threshold would
    be left with little but that one value: its values are null, or whole where it is the only bin.

    Args:
        placed: `subject`, `cluster`, `value` and `bin`, each bin with enough subjects; `last` is the number of the last bin.
    """
    here = placed.drop_nulls("value")
    highest = _reached(here.filter(pl.col("bin") == last), policy)
    lowest = _reached(here.filter(pl.col("bin") == 0).with_columns(-pl.col("value")), policy)
    if last == 0 and highest is None:
        return pl.col("value")
    nothing, value = pl.lit(None, pl.Float64), pl.col("value")
    cut = nothing if highest is None else value.clip(upper_bound=highest)
    above = pl.when(pl.col("bin") == last).then(cut).otherwise(value)
    cut = nothing if lowest is None else above.clip(lower_bound=-lowest)
    return pl.when(pl.col("bin") == 0).then(cut).otherwise(above)


def _reached(rows: pl.DataFrame, policy: Policy) -> float | None:
    """The highest value that enough subjects and enough clusters reach; None if there are not twice as many."""
    found = []
    for column, needed in (("subject", policy.min_subjects), ("cluster", policy.min_clusters)):
        highest = rows.group_by(column).agg(pl.col("value").max())["value"].sort(descending=True)
        if len(highest) < 2 * needed and not policy.public:
            return None
        found.append(float(highest[needed - 1]))
    return min(found)
