"""What stands behind a test: clusters in which a feature is not zero, clusters off a covariate's commonest value, design effects.

Letters: n units, F features, c covariates, C clusters, r centred scores of a covariate.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.ranks import RankMatrix

MIN_MINORITY = 5
"""Clusters that must hold a value other than the covariate's commonest one (binary: each of the two classes)."""

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
    return Labels(supported, n_positive)


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


def spread_of(r: np.ndarray, clusters: Clusters) -> np.ndarray:
    """[c] D_y of `design_effect`: excess of the squared cluster sums of `r` [n, c] over its squares, relative to these."""
    if clusters.sums is None:
        return np.zeros(r.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate(
            [((clusters.sums @ r[:, some]) ** 2).sum(axis=0) / (r[:, some] ** 2).sum(axis=0) - 1 for some in groups(r.shape[1])]
        )  # fmt: skip


def design_effect(ranks: RankMatrix, spread: np.ndarray, clusters: Clusters) -> np.ndarray:
    """[F, c] factor >= 1 by which clusters widen the variance of T (Moulton 1986, unequal sizes); `spread` [c] from `spread_of`."""
    if clusters.sums is None:
        return np.ones((len(ranks.base), len(spread)))
    sizes, shift = clusters.sizes, ranks.shift
    sums = clusters.sums @ ranks.excess
    squares = (sums * sums).sum(axis=0) - 2 * shift * (sums.T @ sizes) + shift**2 * (sizes**2).sum()
    pairs = (sizes * (sizes - 1)).sum()
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature that never varies has none
        icc = (squares - ranks.sum2) / pairs * ranks.n / ranks.sum2
        return np.maximum(1, 1 + np.outer(icc, spread))


def groups(n_columns: int) -> list[slice]:
    """Columns a few at a time, one group at least."""
    return [slice(first, min(first + _COLUMNS, n_columns)) for first in range(0, max(n_columns, 1), _COLUMNS)]
