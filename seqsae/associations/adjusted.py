"""Screening beyond the confounders: the score test of every feature with every covariate, given Z.

Letters: n units, F features, c covariates, q columns of confounders Z, x the mid-ranks of a feature (their distance from the
zero block, so as sparse as the feature), r a covariate's residual given Z and w that residual's variance (`nulls`).

T = x' r. With x~ what is left of x given Z, its variance is V = sum x~^2 w, which opens into sparse products:
V = x'Wx - 2 g'Z'Wx + g'Z'WZ g, where g are the coefficients of x on Z: weighted by w for a logistic null (Rao's efficient
score; Cox & Hinkley 1974, section 9.3), plain for a linear one (Frisch & Waugh 1933; Lovell 1963). The tails are Pearson type III
with the third moment of T, and the design effect of clusters is that of `screen`, for its reasons; there is no continuity correction,
since confounders blur the steps of T (simulated: with one, rare features are tested at a third of the level).
Units that repeat a subject must also stand a t test over clusters, as in `clustered`, on the projected scores.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse, stats

from seqsae.associations.nulls import Null, basis, null_models
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.screen import (
    Screen,
    Support,
    checked,
    design_effect,
    same_missing,
    support_of,
    tails,
)


class _Parts(NamedTuple):
    """The test of all features against one covariate."""

    total: np.ndarray
    """[F] T."""
    variance: np.ndarray
    """[F] V."""
    third: np.ndarray
    """[F] third central moment of T."""
    effect: np.ndarray
    """[F]."""
    over_clusters: np.ndarray
    """[F] t over clusters; NaN if units do not repeat a subject."""
    freedom: int


def screen_adjusted(
    ranks: RankMatrix,
    y: np.ndarray,
    z: np.ndarray,
    cluster: np.ndarray,
    min_support: int,
    binary: np.ndarray,
    repeats: bool,
) -> Screen:
    """As `screen`, given the confounders `z` [n, q] (finite; the constant is added).

    `effect` is the partial Spearman correlation of a numeric covariate, exact; of a binary one the one-step log odds ratio for
    a standard deviation of the feature's ranks, T sd(x) / V, which is biased towards 0 where it is large: refit what matters.

    Args:
        repeats: whether several units stand for one subject.
    """
    y, cluster, binary = checked(ranks, y, cluster, binary)
    shape = (len(ranks.base), y.shape[1])
    effect, standard, p = np.full((3, *shape), np.nan)
    n_active, (n, n_positive) = np.zeros(shape, np.int64), np.zeros((2, shape[1]), np.int64)
    out = Screen(effect, standard, p, n_active, n, n_positive, binary.copy())
    for columns in same_missing(y):
        rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
        if len(rows) < z.shape[1] + 3:
            continue
        kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
        there = support_of(kept, y[np.ix_(rows, columns)], cluster[rows], binary[columns], min_support)
        here = _Tests(kept, basis(np.column_stack([np.ones(len(rows)), z[rows]])), cluster[rows], repeats)
        part = here.screened(y[np.ix_(rows, columns)], binary[columns], there)
        for whole, piece in zip(out, part, strict=True):
            whole[..., columns] = piece
    return out


class _Tests:
    """All features over the units that have a value, and what any covariate needs of them."""

    def __init__(self, ranks: RankMatrix, z: np.ndarray, cluster: np.ndarray, repeats: bool):
        self.ranks, self.z, self.cluster, self.repeats = ranks, z, cluster, repeats
        self.x, self.squared = ranks.excess, _power(ranks.excess, 2)
        self.plain = (self.x.T @ z).T / len(z)  # [q, F], for Z of orthogonal columns of mean square 1
        # What is left of x given Z: its sum of squares.
        self.left = np.asarray(self.squared.sum(axis=0)).ravel() - len(z) * (self.plain**2).sum(axis=0)

    def screened(self, y: np.ndarray, binary: np.ndarray, support: Support) -> Screen:
        null = null_models(y, self.z, binary)
        parts = [self._test(null, j) for j in range(y.shape[1])]
        total, variance, third, effect, over, freedom = (np.stack(part, axis=-1) for part in zip(*parts, strict=True))
        design = design_effect(self.ranks, null.residual, support.clusters)
        # Where the confounders tell the covariate without error, or the feature, nothing is left to test.
        usual = np.outer(self.left, (null.score - null.score.mean(axis=0)).var(axis=0))
        live = (variance > 1e-6 * usual) & (self.left > 1e-9 * self.ranks.sum2)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.where(live, variance, np.nan)
            z, skew = total / np.sqrt(variance * design), third / variance**1.5
        p = tails(z, skew, np.zeros_like(z), design, support.testable)
        if self.repeats:
            p = np.maximum(p, 2 * stats.t.sf(np.abs(over), np.maximum(freedom, 1)))
            z = np.where(np.isfinite(over), over, z)
        n = np.full(y.shape[1], self.ranks.n)
        return Screen(np.where(live, effect, np.nan), z, p, support.active[:, None], n, support.n_positive, binary)

    def _test(self, null: Null, j: int) -> _Parts:
        r, w, m3 = null.residual[:, j], null.variance[:, j], null.third[:, j]
        total = self.x.T @ r
        weighted = (self.x.T @ (self.z * w[:, None])).T  # [q, F]
        gram = self.z.T @ (self.z * w[:, None])
        g = (
            linalg.solve(gram + 1e-12 * np.trace(gram) * np.eye(len(gram)), weighted, assume_a="pos")
            if null.logistic[j]
            else self.plain
        )
        variance = self.squared.T @ w - 2 * (g * weighted).sum(axis=0) + (g * (gram @ g)).sum(axis=0)
        over, freedom = self._over_clusters(r, g) if self.repeats else (np.full(len(total), np.nan), 0)
        return _Parts(total, variance, self._third(w, m3), self._effect(null, j, total, variance), over, freedom)

    def _effect(self, null: Null, j: int, total: np.ndarray, variance: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            if null.logistic[j]:
                return total / variance * np.sqrt(self.ranks.sum2 / self.ranks.n)
            return total / np.sqrt(self.left * (null.residual[:, j] ** 2).sum())

    def _third(self, w: np.ndarray, m3: np.ndarray) -> np.ndarray:
        """[F] sum of (x - g)^3 m3 with g the weighted mean of x: of Z the constant alone, which is nearly all of it."""
        x1, x2, x3 = (_power(self.x, k).T @ m3 for k in (1, 2, 3))
        g = (self.x.T @ w) / max(w.sum(), 1e-300)
        return x3 - 3 * g * x2 + 3 * g**2 * x1 - g**3 * m3.sum()

    def _over_clusters(self, r: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, int]:
        """t [F] over the clusters' sums of (x - Z g) r, and its degrees of freedom (Liang & Zeger 1986)."""
        sums = _cluster_sums(self.cluster)
        n_clusters = sums.shape[0]
        weighted = sums @ sparse.diags_array(r)
        mine, label = weighted @ self.x, weighted @ self.z  # [C, F], [C, q]
        cross = (mine.T @ label).T  # [q, F]
        squares = np.asarray(_power(mine, 2).sum(axis=0)).ravel()
        squares = squares - 2 * (g * cross).sum(axis=0) + (g * ((label.T @ label) @ g)).sum(axis=0)
        total = np.asarray(mine.sum(axis=0)).ravel() - g.T @ label.sum(axis=0)
        freedom = n_clusters - 1
        spread = (squares - total**2 / n_clusters) * n_clusters / max(freedom, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(spread > 1e-9 * np.maximum(squares, 1e-300), total / np.sqrt(spread), np.nan), freedom


def _cluster_sums(cluster: np.ndarray) -> sparse.csr_array:
    names, member = np.unique(cluster, return_inverse=True)
    n = len(member)
    return sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(len(names), n))


def _power(x: sparse.csc_array | np.ndarray, k: int) -> sparse.csc_array | np.ndarray:
    """Element by element."""
    if not sparse.issparse(x):
        return x**k
    out = x.copy()
    out.data = out.data**k
    return out
