"""What stands behind a test: clusters in which a feature is not zero, clusters off a covariate's commonest value, design effects.

Letters: n units, F features, c covariates, C clusters, r centred scores of a covariate.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.products import across, power
from seqsae.associations.ranks import RankMatrix

MIN_MINORITY = 5
"""Clusters that must hold a value other than the covariate's commonest one (binary: each of the two classes)."""

MEETINGS = 4
"""Clusters in which feature and covariate would meet by luck, from which it is heard that clusters differ. In 300 families of 8, half of
them of one piece, 3 to 50 % positive, .12 of tests fall below .05 without, and .05 with it (.07 of 3 % with 3 %, which is not heard)."""
_COLUMNS = 16  # of covariates at a time, so that nothing of size [n, c] is doubled


class Clusters(NamedTuple):
    """Cluster membership."""

    sums: sparse.csr_array | None
    """[C, n] of ones; None where each unit is its own cluster."""
    sizes: np.ndarray


class Labels(NamedTuple):
    """What stands behind the covariates, whatever the features."""

    supported: np.ndarray
    """[c] whether enough clusters are."""
    away: np.ndarray
    """[c] clusters that hold a value off the commonest one."""
    n_positive: np.ndarray
    """[c] units at 1 (binary), or off the commonest value."""


def labels_of(y: np.ndarray, clusters: Clusters, binary: np.ndarray) -> Labels:
    """Of `y` [n, c] without missing values."""
    ones = y.sum(axis=0, where=binary)  # of a binary column the units at 1
    off_mode = y == np.where(2 * ones <= len(y), 1, 0)
    for j in np.flatnonzero(~binary):
        _, inverse, counts = np.unique(y[:, j], return_inverse=True, return_counts=True)
        off_mode[:, j] = inverse != counts.argmax()
    away, at = touched(clusters, off_mode), touched(clusters, ~off_mode)
    supported = (away >= MIN_MINORITY) & ((at >= MIN_MINORITY) | ~binary)
    n_positive = np.where(binary, ones, off_mode.sum(axis=0)).astype(np.int64)
    return Labels(supported, away, n_positive)


def clusters_of(cluster: np.ndarray) -> Clusters:
    """Of a label [n] for each unit."""
    _, member, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    if sizes.max() == 1:
        return Clusters(None, sizes)
    n = len(cluster)
    return Clusters(sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(len(sizes), n)), sizes)


def active_in(ranks: RankMatrix, clusters: Clusters) -> np.ndarray:
    """[F] clusters in which a feature is not zero."""
    if clusters.sums is None and sparse.issparse(ranks.excess):
        return np.diff(ranks.excess.indptr).astype(np.int64)  # `rank_excess` stores no zeros
    return touched(clusters, ranks.excess != 0)


def testable(ranks: RankMatrix, active: np.ndarray, supported: np.ndarray, min_support: int) -> np.ndarray:
    """[F, c] whether enough clusters stand behind both."""
    return np.outer((active >= min_support) & (ranks.sum2 > 0), supported)


def touched(clusters: Clusters, flags) -> np.ndarray:
    """[m] clusters with at least one unit flagged, for each column of `flags` [n, m] (sparse or dense, bool)."""
    if clusters.sums is None:
        return np.asarray((flags != 0).sum(axis=0)).ravel()
    if sparse.issparse(flags):
        return np.asarray(((clusters.sums @ flags.astype(np.float64)) != 0).sum(axis=0)).ravel()
    parts = [clusters.sums @ flags[:, some].astype(np.float64) for some in groups(flags.shape[1])]
    return np.concatenate([(part != 0).sum(axis=0) for part in parts])


class Spread(NamedTuple):
    """How covariates agree within clusters."""

    excess: np.ndarray
    """[c] D: the squared sums over clusters of r less its squares, relative to these."""
    pairs: np.ndarray
    """[C, c] mean product of r over the pairs of a cluster's units, relative to the mean square of r; 0 of a single unit."""
    away: np.ndarray
    """[c] as in `Labels`."""


def spread_of(r: np.ndarray, clusters: Clusters, away: np.ndarray) -> Spread:
    """Of `r` [n, c]; `away` [c] from `labels_of`."""
    if clusters.sums is None:
        return Spread(np.zeros(r.shape[1]), np.zeros((0, r.shape[1])), away)
    pairs = np.maximum(clusters.sizes * (clusters.sizes - 1), 1)[:, None]
    excess, means = np.empty(r.shape[1]), np.empty((len(clusters.sizes), r.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        for some in groups(r.shape[1]):
            squares = r[:, some] ** 2
            apart = (clusters.sums @ r[:, some]) ** 2 - clusters.sums @ squares
            excess[some] = apart.sum(axis=0) / squares.sum(axis=0)
            means[:, some] = np.where(clusters.sizes[:, None] > 1, apart / pairs / squares.mean(axis=0), 0)
    return Spread(excess, means, away)


def design_effect(ranks: RankMatrix, spread: Spread, clusters: Clusters, active: np.ndarray) -> np.ndarray:
    """[F, c] factor >= 1 by which clusters widen the variance of T.

    1 + icc_x D, as if all clusters agreed alike (Moulton 1986, unequal sizes); or the same sum cluster by cluster, 1 + sum over
    clusters of A_x A_r / (m (m - 1)), A the products over the pairs of its m units, where that is more: where the clusters that agree
    in the feature are those that agree in the covariate. The latter only where luck brings both together in MEETINGS clusters:
    with fewer it is made of the very tie that is tested.

    Args:
        active: [F] clusters in which each feature is not zero.
    """
    if clusters.sums is None:
        return np.ones((len(ranks.base), len(spread.excess)))
    sizes, shift = clusters.sizes, ranks.shift
    sums = clusters.sums @ ranks.excess
    apart = power(sums, 2) - clusters.sums @ power(ranks.excess, 2)  # of the excess; the mean is taken off below
    pairs, twice = sizes * (sizes - 1), 2 * shift[:, None]
    alike = apart.sum(axis=0) - 2 * shift * (sums.T @ (sizes - 1)) + shift**2 * pairs.sum()
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature that never varies has none
        icc = alike / pairs.sum() * ranks.n / ranks.sum2
        apiece = across(apart, spread.pairs) - twice * across(sums, (sizes - 1)[:, None] * spread.pairs)
        apiece = (apiece + np.outer(shift**2, pairs @ spread.pairs)) / ranks.sum2[:, None]
        heard = np.outer(active, spread.away) >= MEETINGS * len(sizes)
        return np.maximum(1, 1 + np.fmax(np.outer(icc, spread.excess), np.where(heard, apiece, 0)))


def groups(n_columns: int) -> list[slice]:
    """Columns a few at a time, one group at least."""
    return [slice(first, min(first + _COLUMNS, n_columns)) for first in range(0, max(n_columns, 1), _COLUMNS)]
