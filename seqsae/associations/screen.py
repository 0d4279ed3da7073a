"""Screening: the effect and the p-value of every feature with every covariate at once.

Letters: n units, F features, c covariates, r centred scores of a covariate (0/1 or mid-ranks, less their
mean).

All pairs come from one product T = R' r of centred ranks. The null distribution of T:

- mean 0 and the permutation variance V0 = Sxx Syy / (n - 1), exact with ties (Pitman 1937);
- times the design effect of clusters, 1 + icc_x * D_y (Kloek 1981; Moulton 1986): icc_x is the correlation of
  the feature's ranks within clusters, D_y the excess of squared cluster sums of r over the squares; or the same cluster by
  cluster where that is more (`support.design_effect`). The usual
  sandwich sum_c S_c^2 is not used: for a rare feature and a rare covariate it rests on the few clusters that
  hold both, is far too small when there are none and takes all power when there are some (simulated before
  choosing);
- Pearson type III tails from the permutation third moment (Mielke & Berry 2007), its skewness growing
  with the root of the design effect. Normal tails are badly anti-conservative for rare with rare at the
  levels that a false discovery rate over many pairs needs.

There is no continuity correction, with which the test has .1 to .3 times its level where both are rare. But Pearson's tail of a
very skew T gives one meeting where lambda < 1 are expected a p of 8 E1(2) lambda = .39 lambda, and its chance is lambda. So
`rare_p` takes ONE_MEETING of the skewness g off z on the heavy side, damped by g^2 / (g^2 + DAMPING), such that p is lambda there and
is left alone where g is not large. Exact size by the hypergeometric law, 300 to 1,000,000 units, any counts of support 10 and 5: at
most 2.1 times the level at .05, 1.8 at .01, 1.5 at .001 and below; .2 to .8 times on average (`benchmarks/error_rates.py`, part grid).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from seqsae.associations.products import across
from seqsae.associations.ranks import RankMatrix, midranks, rank_excess
from seqsae.associations.support import (
    MIN_MINORITY as MIN_MINORITY,
)
from seqsae.associations.support import (
    active_in,
    clusters_of,
    design_effect,
    labels_of,
    spread_of,
    testable,
)
from seqsae.errors import SeqsaeError

_SMALLEST_P = 1e-300
_TINY = 1e-12
_NEGLIGIBLE_SKEW = 1e-3

ONE_MEETING = 0.32391258099616504
"""1 - u / 2 with E1(u) = 1/8: at lambda near 0, z less this times g = lambda**-.5 has Pearson's p 8 E1(u) lambda = lambda."""
DAMPING = 5.0
"""Of the squared skewness; chosen among 2, 5, 10 and 20 by the exact size."""


class Screen(NamedTuple):
    """Results of `screen`; every array is [F, c] unless said otherwise."""

    effect: np.ndarray
    """AUROC of a binary covariate, Spearman's rho of any other; exact with ties. NaN where undefined."""
    z: np.ndarray
    """T / sqrt(V)."""
    p: np.ndarray
    """Two-sided p-value; NaN where support is too small for a test."""
    n_active: np.ndarray
    """Clusters in which the feature is non-zero, among units with a value of the covariate."""
    n: np.ndarray
    """[c] units with a value."""
    n_positive: np.ndarray
    """[c] units at 1 of a binary covariate; units off the commonest value of any other."""
    binary: np.ndarray
    """[c] whether `effect` is an AUROC."""


Test = Callable[[RankMatrix], Screen]


class Prepared:
    """The covariates' side of a test, made once, for the features of the same units in as many blocks as they come in."""

    def __init__(self, y: np.ndarray, least: int, binary: np.ndarray, side: Callable[[np.ndarray, np.ndarray], Test]):
        """
        Args:
            y: [n, c] from `checked`.
            least: units without which a covariate is not tested.
            side: gives, for rows and columns of `y` without missing values, the test of any features ranked among these rows.
        """
        self.binary, self.parts = binary, []
        for columns in same_missing(y):
            rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
            if len(rows) >= least:
                self.parts.append((columns, rows, side(rows, columns)))

    def of(self, ranks: RankMatrix) -> Screen:
        """Every feature of `ranks` against every covariate."""
        shape = (len(ranks.base), len(self.binary))
        effect, z, p = np.full((3, *shape), np.nan)
        n_active, (n, n_positive) = np.zeros(shape, np.int64), np.zeros((2, shape[1]), np.int64)
        out = Screen(effect, z, p, n_active, n, n_positive, self.binary.copy())
        for columns, rows, test in self.parts:
            kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
            for whole, piece in zip(out, test(kept), strict=True):
                whole[..., columns] = piece
        return out


def screen(
    ranks: RankMatrix,
    y: np.ndarray,
    cluster: np.ndarray | None = None,
    min_support: int = 10,
    binary: np.ndarray | None = None,
) -> Screen:
    """Test every feature of `ranks` against every column of `y` [n, c].

    Args:
        ranks: from `rank_excess`.
        y: 0/1 for a binary covariate, any increasing scale for an ordinal or continuous one, NaN for missing.
            Features are ranked anew among the units that have a value; columns with the same gaps share this.
        cluster: [n] label of each unit's cluster; None: each unit is its own.
        min_support: clusters in which a feature must be non-zero for a test.
        binary: [c] which covariates are binary, so that AUROC is their effect; None: those of 0 and 1 only.

    Raises:
        SeqsaeError: lengths differ, or a covariate said to be binary has other values than 0 and 1.
    """
    y, cluster, binary = checked(ranks, y, cluster, binary)
    return crude_tests(y, cluster, binary, min_support).of(ranks)


def crude_tests(y: np.ndarray, cluster: np.ndarray, binary: np.ndarray, min_support: int) -> Prepared:
    """`screen` of whatever features, for arrays from `checked`."""
    return Prepared(y, 3, binary, lambda rows, at: _Crude(some(y, rows, at), binary[at], cluster[rows], min_support))


def some(y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`y[rows][:, columns]`, `y` itself if that is all of it."""
    return y if (len(rows), len(columns)) == y.shape else y[np.ix_(rows, columns)]


def same_missing(y: np.ndarray) -> list[np.ndarray]:
    """Columns of `y` [n, c] grouped by where they are missing (NaN), in order of first appearance."""
    groups: dict[bytes, list[int]] = {}
    for j in range(y.shape[1]):
        groups.setdefault(np.packbits(np.isfinite(y[:, j])).tobytes(), []).append(j)
    return [np.array(columns) for columns in groups.values()]


def pearson3_p(z: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Two-sided p of a standardised statistic `z` whose null has skewness `skew`: twice the tail on z's side.

    With g = |skew|, (gamma(4 / g^2) - 4 / g^2) * g / 2 has mean 0, variance 1 and skewness g.
    """
    t, lean = np.abs(z), np.where(z < 0, -skew, skew)
    shape = 4 / np.maximum(np.abs(lean), _NEGLIGIBLE_SKEW) ** 2
    heavy = special.gammaincc(shape, shape + t * np.sqrt(shape))
    light = special.gammainc(shape, np.maximum(shape - t * np.sqrt(shape), 0))
    tail = np.where(np.abs(lean) < _NEGLIGIBLE_SKEW, special.ndtr(-t), np.where(lean > 0, heavy, light))
    return np.clip(2 * tail, _SMALLEST_P, 1)


def rare_p(z: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """`pearson3_p` of a statistic whose heavy tail, if any, comes of few meetings of rare with rare.

    Its light tail is nowhere below the square of the normal one, than which that of a sum of 0/1 is no lighter (no meeting where
    lambda are expected: exp(-lambda)). Pearson's ends short of z where the confounders tell most of a feature and its skewness is too large.
    """
    g = np.where(z * skew > 0, np.abs(skew), 0)
    off = ONE_MEETING * g**3 / (g**2 + DAMPING)
    # Never off to the other side: what stays there belongs to the light tail.
    p = pearson3_p(np.sign(z) * np.maximum(np.abs(z) - off, np.minimum(np.abs(z), _TINY)), skew)
    return np.where(z * skew < 0, np.maximum(p, 2 * special.ndtr(-np.abs(z)) ** 2), p)


def scores_of(y: np.ndarray, binary: np.ndarray) -> np.ndarray:
    """[n, c] centred scores of `y` [n, c]: 0/1 as it stands, mid-ranks of anything else."""
    r = np.array(y, dtype=float, order="C")
    for j in np.flatnonzero(~binary):
        r[:, j] = midranks(y[:, j])
    r -= r.mean(axis=0)
    return r


class _Crude:
    """`screen` of any features with covariates without missing values."""

    def __init__(self, y: np.ndarray, binary: np.ndarray, cluster: np.ndarray, min_support: int):
        self.binary, self.min_support, self.clusters = binary, min_support, clusters_of(cluster)
        self.labels, self.r = labels_of(y, self.clusters, binary), scores_of(y, binary)
        self.syy, self.cubes = sum_of_powers(self.r, 2), sum_of_powers(self.r, 3)
        self.spread = spread_of(self.r, self.clusters, self.labels.away)

    def __call__(self, ranks: RankMatrix) -> Screen:
        total, active = across(ranks.excess, self.r), active_in(ranks, self.clusters)
        z, p = self._null(ranks, total, active)
        n = np.full(len(self.binary), ranks.n)
        return Screen(self._effects(ranks, total), z, p, active[:, None], n, self.labels.n_positive, self.binary)

    def _effects(self, ranks: RankMatrix, total: np.ndarray) -> np.ndarray:
        """[F, c]: AUROC = 1/2 + T / (n+ n-) for binary, rho = T / sqrt(Sxx Syy) for others."""
        with np.errstate(invalid="ignore", divide="ignore"):
            # A centred 0/1 score has sum of squares n+ n- / n.
            auroc = 0.5 + total / (ranks.n * self.syy)
            return np.where(self.binary, auroc, total / np.sqrt(np.outer(ranks.sum2, self.syy)))

    def _null(self, ranks: RankMatrix, total: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(z, p) [F, c] of T = `total`; p is NaN where support is too small, z where T cannot vary."""
        n, tested = ranks.n, testable(ranks, active, self.labels.supported, self.min_support)
        variance = np.outer(ranks.sum2, self.syy) / (n - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            skew = n * np.outer(ranks.sum3, self.cubes) / ((n - 1) * (n - 2)) / (variance * np.sqrt(variance))
            design = design_effect(ranks, self.spread, self.clusters, active)
            z = total / np.sqrt(variance * design)
        return z, tails(z, skew, design, tested)


def sum_of_powers(r: np.ndarray, p: int) -> np.ndarray:
    """[c] sums over units of `r` [n, c] to the power 2 or 3; nothing of its size is made."""
    return np.einsum(",".join(["ij"] * p) + "->j", *[r] * p)


def tails(z: np.ndarray, skew: np.ndarray, design: np.ndarray, testable: np.ndarray) -> np.ndarray:
    """p [F, c] of a standardised statistic `z` by tails of its `skew`; NaN where not testable."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # Clusters lengthen the heavy tail; they are not allowed to shorten the light one.
        skew = np.where(skew * z > 0, skew * np.sqrt(design), skew)
    p = np.full(z.shape, np.nan)
    tested = testable & np.isfinite(z) & np.isfinite(skew)
    p[tested] = rare_p(z[tested], skew[tested])
    return p


def checked(
    ranks: RankMatrix, y: np.ndarray, cluster: np.ndarray | None, binary: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, cluster, binary) as arrays that fit `ranks`."""
    n, y = ranks.n, np.asarray(y, dtype=float)
    if y.ndim != 2 or len(y) != n:
        raise SeqsaeError(f"y has shape {y.shape}; give [{n}, covariates], one row for each unit ranked")
    cluster = np.arange(n) if cluster is None else np.asarray(cluster)
    if cluster.shape != (n,):
        raise SeqsaeError(f"cluster has shape {cluster.shape}; give one label for each of the {n} units")
    two_valued = (np.isnan(y) | (y == 0) | (y == 1)).all(axis=0)
    binary = two_valued if binary is None else np.asarray(binary, dtype=bool)
    if binary.shape != two_valued.shape or (binary & ~two_valued).any():
        raise SeqsaeError("binary must name columns of y that hold 0 and 1 only; code the positive value as 1")
    return y, cluster, binary
