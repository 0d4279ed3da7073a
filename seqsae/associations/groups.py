"""Categorical covariates: the Kruskal-Wallis test of every feature at once, and the AUROC of every level against the rest.

Letters: n units, F features, c covariates, K levels of one covariate.

With T_k the sum over level k of a feature's centred mid-ranks, n_k its units and Sxx the sum of squares of all n centred mid-ranks,
H = (n - 1) / Sxx * sum_k T_k^2 / n_k: the statistic of Kruskal & Wallis (1952) with its correction for ties, in which
every T_k comes from one sparse product.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse, special

from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.screen import same_missing
from seqsae.errors import SeqsaeError


class Groups(NamedTuple):
    """Results of `kruskal_wallis`; every array is [F, c] unless said otherwise."""

    h: np.ndarray
    """H, corrected for ties; NaN for a feature that does not vary, or fewer than two levels."""
    p: np.ndarray
    """From chi-squared on K - 1 degrees of freedom; NaN where support is too small for a test."""
    epsilon2: np.ndarray
    """H / (n - 1), 0 to 1: the share of the ranks' variance that lies between levels (Kelley 1935). Its mean is
    (K - 1) / (n - 1) without a tie, not 0."""
    n_active: np.ndarray
    """Units in which the feature is non-zero, among those with a level."""
    n: np.ndarray
    """[c] units with a level."""
    n_levels: np.ndarray
    """[c] levels that some unit has."""


def kruskal_wallis(ranks: RankMatrix, codes: np.ndarray, min_support: int = 10) -> Groups:
    """Test every feature of `ranks` against every column of `codes` [n, c].

    Units count as independent; where they form clusters, p is too small.

    Args:
        ranks: from `rank_excess`. Features are ranked anew among the units that have a level.
        codes: integer levels from 0, -1 for missing. Rare levels are the caller's to merge or to leave out.
        min_support: units in which a feature must be non-zero for a p-value.

    Raises:
        SeqsaeError: `codes` does not fit `ranks`, or is not of integers from -1.
    """
    codes = _checked(ranks, codes)
    shape = (len(ranks.base), codes.shape[1])
    h, p = np.full((2, *shape), np.nan)
    n_active, (n, n_levels) = np.zeros(shape, np.int64), np.zeros((2, shape[1]), np.int64)
    for columns in same_missing(np.where(codes < 0, np.nan, codes)):
        rows = np.flatnonzero(codes[:, columns[0]] >= 0)
        if not len(rows):
            continue
        kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
        n[columns], n_active[:, columns] = len(rows), _active(kept)[:, None]
        for j in columns:
            h[:, j], n_levels[j] = _statistic(kept, codes[rows, j])
    tested = np.isfinite(h) & (n_active >= min_support)
    p[tested] = special.chdtrc(np.broadcast_to(n_levels - 1, shape)[tested], h[tested])
    return Groups(h, p, h / np.maximum(n - 1, 1), n_active, n, n_levels)


def level_aurocs(ranks: RankMatrix, codes: np.ndarray) -> np.ndarray:
    """AUROC [F, K] of every feature for every level of `codes` [n] (0 to K - 1, -1 missing) against all other levels.

    NaN for a level that no unit, or every unit, has.
    """
    codes = _checked(ranks, np.asarray(codes)[:, None])[:, 0]
    rows = np.flatnonzero(codes >= 0)
    kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
    total, size = _level_sums(kept, codes[rows])
    pairs = size * (kept.n - size)
    return np.where(pairs > 0, 0.5 + total / np.where(pairs > 0, pairs, 1), np.nan)


def _statistic(ranks: RankMatrix, codes: np.ndarray) -> tuple[np.ndarray, int]:
    """(H [F], levels that some unit has), for `codes` [n] without missing values."""
    total, size = _level_sums(ranks, np.unique(codes, return_inverse=True)[1])
    if len(size) < 2:
        return np.full(len(total), np.nan), len(size)
    between, varies = (total**2 / size).sum(axis=1), ranks.sum2 > 0
    return np.where(varies, (ranks.n - 1) * between / np.where(varies, ranks.sum2, 1), np.nan), len(size)


def _level_sums(ranks: RankMatrix, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T [F, K] sums of centred mid-ranks, [K] units), for `codes` [n] without missing values."""
    size = np.bincount(codes, minlength=1)
    n = len(codes)
    level = sparse.csr_array((np.ones(n), codes, np.arange(n + 1)), shape=(n, len(size)))
    total = ranks.excess.T @ level
    return (total.toarray() if sparse.issparse(total) else total) - np.outer(ranks.shift, size), size


def _active(ranks: RankMatrix) -> np.ndarray:
    return np.asarray((ranks.excess != 0).sum(axis=0)).ravel()


def _checked(ranks: RankMatrix, codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.ndim != 2 or len(codes) != ranks.n:
        raise SeqsaeError(f"codes has shape {codes.shape}; give [{ranks.n}, covariates], one row for each unit ranked")
    if codes.dtype.kind not in "iu" or (codes < -1).any():
        raise SeqsaeError("codes of levels must be integers from 0, or -1 for missing; number the levels first")
    return codes.astype(np.int64)
