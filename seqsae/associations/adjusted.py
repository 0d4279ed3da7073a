"""Screening beyond the confounders: the score test of every feature with every covariate, given Z.

Letters: n units, F features, c covariates, q columns of confounders Z, x the mid-ranks of a feature (their distance from the
zero block, so as sparse as the feature), r a covariate's residual given Z and w that residual's variance (`nulls`).

T = x' r. With x~ what is left of x given Z, its variance is V = sum x~^2 w, which opens into sparse products:
V = x'Wx - 2 g'Z'Wx + g'Z'WZ g, where g are the coefficients of x on Z: weighted by w for a logistic null (Rao's efficient
score; Cox & Hinkley 1974, section 9.3), plain for a linear one (Frisch & Waugh 1933; Lovell 1963). The tails are Pearson type III
with the third moment of T, and clusters are heard as in `screen`, for its reasons.
Units that repeat a subject must also stand a t test over clusters, as in `clustered`, on the projected scores.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, stats

from seqsae.associations.clustered import over_clusters
from seqsae.associations.nulls import basis, null_models, weighted_gram
from seqsae.associations.products import Powers
from seqsae.associations.ranks import RankMatrix
from seqsae.associations.screen import Prepared, Screen, checked, some, tails
from seqsae.associations.support import (
    active_in,
    clusters_of,
    design_effect,
    groups,
    labels_of,
    spread_of,
    testable,
)


class _Features(NamedTuple):
    """What any covariate needs of features."""

    ranks: RankMatrix
    powers: Powers
    plain: np.ndarray
    """[q, F] coefficients of x on Z."""
    left: np.ndarray
    """[F] sum of squares of what is left of x given Z."""


class _Parts(NamedTuple):
    """The test of all features against c covariates."""

    total: np.ndarray
    """[F, c] T."""
    variance: np.ndarray
    """[F, c] V."""
    third: np.ndarray
    """[F, c] third central moment of T."""
    g: np.ndarray
    """[c, q, F] coefficients of x on Z."""


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
    a standard deviation of the feature's ranks, T sd(x) / V, which is off where it is large (towards 0 of a
    common feature, away from 0 of a rare one): refit what matters.

    Args:
        repeats: whether several units stand for one subject.
    """
    y, cluster, binary = checked(ranks, y, cluster, binary)
    return adjusted_tests(y, z, cluster, min_support, binary, repeats).of(ranks)


def adjusted_tests(
    y: np.ndarray, z: np.ndarray, cluster: np.ndarray, min_support: int, binary: np.ndarray, repeats: bool
) -> Prepared:
    """`screen_adjusted` of whatever features, for arrays from `checked`."""

    def side(rows: np.ndarray, at: np.ndarray) -> "_Adjusted":
        told = basis(np.column_stack([np.ones(len(rows)), z[rows]]))
        return _Adjusted(some(y, rows, at), told, cluster[rows], min_support, binary[at], repeats)

    return Prepared(y, z.shape[1] + 3, binary, side)


class _Adjusted:
    """`screen_adjusted` of any features with covariates without missing values, given Z from `basis`."""

    def __init__(
        self, y: np.ndarray, z: np.ndarray, cluster: np.ndarray, min_support: int, binary: np.ndarray, repeats: bool
    ):
        self.z, self.min_support, self.binary, self.repeats = z, min_support, binary, repeats
        self.clusters, self.null = clusters_of(cluster), null_models(y, z, binary)
        self.labels = labels_of(y, self.clusters, binary)
        self.spread = spread_of(self.null.residual, self.clusters, self.labels.away)
        self.gram = np.stack([weighted_gram(z, w) for w in self.null.variance.T])  # [c, q, q]

    def __call__(self, ranks: RankMatrix) -> Screen:
        features, active = self._features(ranks), active_in(ranks, self.clusters)
        tested = testable(ranks, active, self.labels.supported, self.min_support)
        design = design_effect(ranks, self.spread, self.clusters, active)
        parts = [self._screened(features, at, tested[:, at], design[:, at]) for at in groups(len(self.binary))]
        effect, z, p = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        n = np.full(len(self.binary), ranks.n)
        return Screen(effect, z, p, active[:, None], n, self.labels.n_positive, self.binary)

    def _features(self, ranks: RankMatrix) -> _Features:
        powers, n = Powers(ranks.excess), len(self.z)
        cross, squares = powers.sums(lambda units: (self.z[units], np.ones((len(self.z[units]), 1))))
        plain = cross.T / n
        return _Features(ranks, powers, plain, squares[:, 0] - n * (plain**2).sum(axis=0))

    def _screened(
        self, features: _Features, at: slice, tested: np.ndarray, design: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """(effect, z, p) [F, c] of the covariates `at`."""
        total, variance, third, g = self._parts(features, at)
        # Where the confounders tell the covariate without error, or the feature, nothing is left to test.
        usual = np.outer(features.left, self.null.spread[at])
        live = (variance > 1e-6 * usual) & (features.left > 1e-9 * features.ranks.sum2)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            effect = np.where(live, self._effect(features, at, total, variance), np.nan)
            variance = np.where(live, variance, np.nan)
            z, skew = total / np.sqrt(variance * design), third / (variance * np.sqrt(variance))
        p = tails(z, skew, design, tested)
        if not self.repeats:
            return effect, z, p
        x, residual = features.ranks.excess, self.null.residual[:, at]
        votes = [over_clusters(x, self.z, r, each, self.clusters) for r, each in zip(residual.T, g, strict=True)]
        t = np.column_stack(votes)
        p = np.maximum(p, 2 * stats.t.sf(np.abs(t), max(len(self.clusters.sizes) - 1, 1)))
        return effect, np.where(np.isfinite(t), t, z), p

    def _parts(self, features: _Features, at: slice) -> _Parts:
        """Of the covariates `at`: one pass over x, x^2 and x^3 with all columns that they need."""
        q, null, n_features = self.z.shape[1], self.null, len(features.left)
        x1, x2, x3 = features.powers.sums(lambda units: self._columns(units, at))
        x1, x2 = x1.reshape(n_features, q + 2, -1), x2.reshape(n_features, 2, -1)
        weighted, gram = x1[:, :q].transpose(2, 1, 0), self.gram[at]  # [c, q, F], [c, q, q]
        g = np.stack(
            [
                _solved(each, cross) if logistic else features.plain
                for logistic, each, cross in zip(null.logistic[at], gram, weighted, strict=True)
            ]
        )
        variance = x2[:, 0] + (g * (gram @ g - 2 * weighted)).sum(axis=1).T
        # Of Z the constant alone, which is nearly all of it: x less its weighted mean, cubed.
        constant, weight, third = self.z.mean(axis=0), null.variance[:, at].sum(axis=0), null.third(slice(None), at)
        mean = (constant @ weighted).T / np.maximum(weight, 1e-300)
        cubed = x3 - 3 * mean * x2[:, 1] + 3 * mean**2 * x1[:, q + 1] - mean**3 * third.sum(axis=0)
        return _Parts(x1[:, q], variance, cubed, g)

    def _columns(self, units: slice, at: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What x, x^2 and x^3 are summed with: w Z, r and m3; w and m3; m3."""
        z, w, m3 = self.z[units], self.null.variance[units, at], self.null.third(units, at)
        first = np.empty((len(z), z.shape[1] + 2, w.shape[1]))
        np.multiply(z[:, :, None], w[:, None, :], out=first[:, :-2])
        first[:, -2], first[:, -1] = self.null.residual[units, at], m3
        return first.reshape(len(z), -1), np.hstack([w, m3]), m3

    def _effect(self, features: _Features, at: slice, total: np.ndarray, variance: np.ndarray) -> np.ndarray:
        squares, scale = (self.null.residual[:, at] ** 2).sum(axis=0), features.ranks.sum2 / features.ranks.n
        odds = total / variance * np.sqrt(scale)[:, None]
        return np.where(self.null.logistic[at], odds, total / np.sqrt(np.outer(features.left, squares)))


def _solved(gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """[q, F] coefficients, with a trace of ridge for where nobody carries weight."""
    return linalg.solve(gram + 1e-12 * np.trace(gram) * np.eye(len(gram)), cross, assume_a="pos")
