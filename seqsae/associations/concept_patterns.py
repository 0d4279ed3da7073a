"""Where in a sequence a feature is on: at points, in motifs, at a period, or all along. Read off the rows, no label is asked.

A run is a stretch of consecutive rows of a sample with the feature on. The kinds are those that InterProt tells apart
(github.com/etowahadams/interprot); the definitions here are this project's own.
"""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.concept_spans import Part
from seqsae.associations.concept_units import Scaled

FEW = 5  # samples with the feature on below which nothing is said of it
WHOLE = 0.8  # share of a sample's rows, median over its samples
REPEATS = 3  # runs in a sample, median, without which nothing is periodic
PEAK, RISE = 0.25, 0.2  # autocorrelation at the period, and how far it stands above the lowest before it
NEAR = 0.9  # share of the highest peak from which a shorter lag is the period: its multiples are peaks too
AGAIN = 0.125  # autocorrelation at twice the period: two places at a fixed distance are no period
UNITS = 512  # features looked at together


def patterns(source: Scaled, part: Part, on: float, longest: int) -> pl.DataFrame:
    """Schema `patterns`: a row a unit.

    Args:
        on: share of its largest value above which a unit counts as on.
        longest: longest period looked for, in rows.
    """
    found = []
    values = [source.values(part.rows[low:high]) for low, high in part.blocks(source.block)]
    active = sp.vstack([_above(block, on) for block in values]).tocsc() if values else None
    for start in range(0, len(source.labels), UNITS):
        chosen = np.arange(start, min(start + UNITS, len(source.labels)))
        found.append(_of_units(active[:, chosen].tocsc(), part, longest).with_columns(feature=pl.Series(chosen)))
    table = pl.concat(found).with_columns(pattern=_kind())
    return schema.check_table(table.select(*schema.columns("patterns")), "patterns", "patterns")


def _above(values: sp.csr_array, on: float) -> sp.csr_array:
    keep = values.data > np.float32(on)
    made = sp.csr_array((keep.astype(np.uint8), values.indices, values.indptr), shape=values.shape)
    made = made.copy()
    made.eliminate_zeros()
    return made


def _kind() -> pl.Expr:
    """The first that holds."""
    return (
        pl.when(pl.col("n_samples") == 0)
        .then(pl.lit("dead"))
        .when(pl.col("n_samples") < FEW)
        .then(pl.lit("rare"))
        .when(pl.col("coverage") >= WHOLE)
        .then(pl.lit("whole"))
        .when(pl.col("period").is_not_null() & (pl.col("runs_per_sample") >= REPEATS))
        .then(pl.lit("periodic"))
        .when(pl.col("run_length") <= 1)
        .then(pl.lit("point"))
        .otherwise(pl.lit("motif"))
    )


def _of_units(active: sp.csc_array, part: Part, longest: int) -> pl.DataFrame:
    """Runs, coverage and period of some units. active: [n, u]."""
    u, n_rows = active.shape[1], np.diff(part.first)
    unit = np.repeat(np.arange(u), np.diff(active.indptr))
    place = active.indices.astype(np.int64)
    order = np.lexsort((place, unit))
    place = place[order]
    sample = part.sample_of[place]
    begins = _begins(unit, sample) | np.concatenate([[True], np.diff(place) != 1])[: len(place)]
    first = np.flatnonzero(begins)
    length = np.diff(np.append(first, len(place)))
    held = np.flatnonzero(_begins(unit, sample))  # the first row of each unit and sample
    rows_on = np.diff(np.append(held, len(place)))
    runs = np.add.reduceat(begins.astype(np.int64), held) if len(held) else rows_on
    holds = sp.csr_array((np.ones(len(held)), (unit[held], sample[held])), shape=(u, len(n_rows)))
    period, height = _periods(unit, place, sample, holds, n_rows, longest)
    return pl.DataFrame(
        {
            "n_samples": np.bincount(unit[held], minlength=u),
            "n_runs": np.bincount(unit[first], minlength=u),
            "run_length": _medians(unit[first], length, u),
            "runs_per_sample": _medians(unit[held], runs, u),
            "coverage": _medians(unit[held], rows_on / n_rows[sample[held]], u),
            "period": pl.Series([int(p) if p else None for p in period], dtype=pl.UInt32),
            "periodicity": pl.Series(height).fill_nan(None),
        }
    )


def _begins(unit: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Where another unit or sample begins."""
    return np.concatenate([[True], (np.diff(unit) != 0) | (np.diff(sample) != 0)])[: len(unit)]


def _medians(group: np.ndarray, values: np.ndarray, n: int) -> pl.Series:
    """[n] median of each group's values, null for an empty one."""
    table = pl.DataFrame({"group": group.astype(np.int64), "value": values.astype(np.float64)})
    medians = dict(table.group_by("group").agg(pl.col("value").median()).iter_rows())
    return pl.Series([medians.get(i) for i in range(n)], dtype=pl.Float64)


def _periods(unit, place, sample, holds: sp.csr_array, n_rows, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """[u] the period (0: none), the shortest lag whose peak is about as high as the highest, and its height (NaN: none)."""
    r = _autocorrelation(unit, place, sample, holds, n_rows, 2 * longest)
    lag = np.arange(2, longest + 1)
    lowest = np.minimum.accumulate(r, axis=1)
    middle = r[:, lag]
    peak = (middle >= PEAK) & (middle >= r[:, lag - 1]) & (middle >= r[:, lag + 1])
    peak &= (middle - lowest[:, lag - 1] >= RISE) & (r[:, 2 * lag] >= AGAIN)
    height = np.where(peak, middle, 0.0)
    first = (peak & (height >= NEAR * height.max(axis=1, keepdims=True))).argmax(axis=1)
    found = peak.any(axis=1)
    return np.where(found, lag[first], 0), np.where(found, height[np.arange(len(first)), first], np.nan)


def _autocorrelation(unit, place, sample, holds: sp.csr_array, n_rows, lags: int) -> np.ndarray:
    """[u, lags + 1] of being on, over the samples where the unit is on at all; lag 0 is 1.

    With p the share of rows on there: (P(on at i and at i + lag) - p^2) / (p - p^2), pairs within a sample.
    """
    u = holds.shape[0]
    line = (
        unit * (len(n_rows) * (lags + 1) + int(n_rows.sum()) + lags + 1) + place + sample * (lags + 1)
    )  # so that no pair crosses
    pairs = np.zeros((u, lags + 1))
    left = np.arange(len(line))
    for step in range(1, lags + 1):
        left = left[left + step < len(line)]
        gap = line[left + step] - line[left]
        near = gap <= lags
        left, gap = left[near], gap[near]
        if not len(left):
            break
        pairs += np.bincount(unit[left] * (lags + 1) + gap, minlength=u * (lags + 1)).reshape(u, lags + 1)
    possible = holds @ np.maximum(n_rows[:, None] - np.arange(lags + 1), 0).astype(float)
    p = (np.bincount(unit, minlength=u) / np.maximum(possible[:, 0], 1))[:, None]
    together = np.divide(pairs, possible, out=np.tile(p**2, lags + 1), where=possible > 0)
    spread = p - p**2
    r = np.divide(together - p**2, spread, out=np.zeros_like(together), where=spread > 1e-12)
    r[:, 0] = 1
    return r
