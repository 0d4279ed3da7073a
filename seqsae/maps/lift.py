"""How much more often two features are on together than independent ones would be, with an interval over clusters of subjects.

Letters: N rows, n_a, n_b, n_ab rows with a, b, both on; index c: those of cluster c; C clusters.

Log lift = log n_ab + log N - log n_a - log n_b, and by the delta method its variance over clusters is C / (C - 1) times the sum of
u_c^2, u_c = n_abc / n_ab + n_c / N - n_ac / n_a - n_bc / n_b (linearised ratio; Woodruff 1971), with Student's t of C - 1. Of few
meetings that is too short: where both met in fewer than `FEW` clusters, and in less than half of them, the interval is no shorter
than the exact Poisson one for that number (Garwood 1936). Where they never met, the upper end is 3.69 over the number of clusters in
which they would have met by chance.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp
from scipy import stats

CHUNK = 4096  # pairs at a time
FEW = 10


class Firing(NamedTuple):
    """Where features are on."""

    on: sp.csc_array
    """[N, F] float32 of ones."""
    counts: np.ndarray
    """[F] rows at which each is on."""
    member: np.ndarray
    """[N] number of each row's cluster, from 0."""
    n_rows: int


def lifts(firing: Firing, feature: np.ndarray, other: np.ndarray) -> pl.DataFrame:
    """`n`, `n_other`, `n_rows`, `n_clusters`, `lift`, `lift_low`, `lift_high` of each pair; null where one is never on."""
    parts = [_chunk(firing, feature[at : at + CHUNK], other[at : at + CHUNK]) for at in range(0, len(feature), CHUNK)]
    columns = np.concatenate(parts, axis=1) if parts else np.zeros((4, 0))
    numbers = pl.DataFrame(dict(zip(("n_clusters", "lift", "lift_low", "lift_high"), columns, strict=True)))
    whole = {"n": firing.counts[feature], "n_other": firing.counts[other], "n_rows": [firing.n_rows] * len(feature)}
    numbers = numbers.with_columns(pl.col("n_clusters").cast(pl.UInt32), pl.col("^lift.*$").fill_nan(None))
    return pl.concat([pl.DataFrame(whole).cast(pl.UInt32), numbers], how="horizontal")


def _chunk(firing: Firing, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[4, pairs]."""
    sizes = np.bincount(firing.member)
    c = len(sizes)
    sums = sp.csr_array((np.ones(len(firing.member), np.float32), (firing.member, np.arange(len(firing.member)))))
    used, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    apiece = (sums @ firing.on[:, used]).tocsc().astype(np.float64)  # [C, used]
    left, right = apiece[:, place[: len(a)]], apiece[:, place[len(a) :]]
    both = (sums @ firing.on[:, a].multiply(firing.on[:, b])).tocsc().astype(np.float64)  # [C, pairs]
    n_a, n_b, n_ab = (np.asarray(part.sum(axis=0)).ravel() for part in (left, right, both))
    met = np.diff(both.indptr) if both.nnz else np.zeros(len(a))
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = n_ab * firing.n_rows / (n_a * n_b)
        votes = _scaled(both, n_ab) - _scaled(left, n_a) - _scaled(right, n_b)
        share = sizes / max(firing.n_rows, 1)
        squares = np.asarray(votes.power(2).sum(axis=0)).ravel() + 2 * (votes.T @ share) + (share**2).sum()
        half = stats.t.ppf(0.975, max(c - 1, 1)) * np.sqrt(np.maximum(squares, 0) * c / max(c - 1, 1))
        by_chance = _met_by_chance(left, right, sizes)
        few = (met < FEW) & (2 * met < c)
        less = np.where(few, stats.chi2.ppf(0.025, 2 * met) / 2 / np.maximum(met, 1), np.inf)
        more = np.where(few, stats.chi2.ppf(0.975, 2 * met + 2) / 2 / np.maximum(met, 1), 0)
        low, high = lift * np.minimum(np.exp(-half), less), lift * np.maximum(np.exp(half), more)
        none = n_ab == 0
        low, high = np.where(none, 0, low), np.where(none, stats.chi2.ppf(0.975, 2) / 2 / by_chance, high)
    never = (n_a == 0) | (n_b == 0)
    return np.stack([met, *(np.where(never, np.nan, part) for part in (lift, low, high))])


def _scaled(counts: sp.csc_array, total: np.ndarray) -> sp.csc_array:
    """Each column over its total; zeros where that is 0."""
    return counts @ sp.diags_array(np.divide(1, total, out=np.zeros(len(total)), where=total > 0))


def _met_by_chance(left: sp.csc_array, right: sp.csc_array, sizes: np.ndarray) -> np.ndarray:
    """[pairs] clusters in which rows of both would have met by luck, were they on independently within each: sum of 1 - exp(-n_ac n_bc / n_c)."""
    rows = sp.csc_array(left.multiply(right))
    rows.data = -np.expm1(-rows.data / sizes[rows.indices])
    return np.asarray(rows.sum(axis=0)).ravel()
