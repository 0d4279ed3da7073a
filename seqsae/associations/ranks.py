"""Mid-ranks of every feature at once, stored as sparsely as the features themselves.

Letters: n units (subjects, samples or token rows), F features, c covariates.

A sparse feature is zero in most units, and all of those share one mid-rank. Only the distance of a non-zero
unit's mid-rank from that of the zero block is kept, so that every rank statistic against any covariate is one
sparse product (the two-sample form is Mann & Whitney 1947; ties by mid-ranks, Kruskal 1958).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.products import across
from seqsae.errors import SeqsaeError

_NON_ZEROS = 1 << 20  # ranked at a time: a dozen arrays of this length are made

Matrix = sparse.csc_array | sparse.csr_array | np.ndarray


class RankMatrix(NamedTuple):
    """Mid-ranks [n, F] as `excess + base`; their mean over units is (n + 1) / 2 for every feature.

    `excess` keeps the order and the sign of the values: it is 0 exactly where the value is 0. Ranking a
    subset of the rows of `excess` therefore gives the same ranks as ranking that subset of the values.
    """

    excess: sparse.csc_array | np.ndarray
    """[n, F] mid-rank less `base`."""
    base: np.ndarray
    """[F] mid-rank of the zero block (where a zero would stand, for a feature without zeros)."""
    n: int
    """Units ranked."""
    sum2: np.ndarray
    """[F] sum over units of the squared centred mid-ranks."""
    sum3: np.ndarray
    """[F] sum over units of the cubed centred mid-ranks."""

    @property
    def shift(self) -> np.ndarray:
        """[F] mean of `excess` over units: the centred mid-rank is `excess - shift`."""
        return (self.n + 1) / 2 - self.base


def midranks(values: np.ndarray) -> np.ndarray:
    """Mid-ranks [m] of `values` [m], from 1, exactly as `scipy.stats.rankdata`."""
    order = np.argsort(values)
    ordered = values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    out = np.empty(len(values))
    out[order] = _tied_ranks(new)
    return out


def rank_excess(X: Matrix) -> RankMatrix:
    """Rank every column of `X` [n, F] over its rows, zeros (stored or implicit) included.

    Time O(nnz log n), memory of the order of `X`.

    Raises:
        SeqsaeError: `X` is not a matrix, or holds NaN or infinite values.
    """
    if sparse.issparse(X):
        return _rank_sparse(X)
    if X.ndim != 2:
        raise SeqsaeError(f"X has shape {X.shape}; give a matrix [units, features]")
    _refuse_non_finite(X)
    n, n_features = X.shape
    excess = np.empty((n, n_features), order="F")
    base, sum2, sum3 = np.empty((3, n_features))
    for f in range(n_features):
        values = np.ascontiguousarray(X[:, f])
        # A zero, or the place where one would stand; a non-zero unit's mid-rank is never equal to it.
        base[f] = np.count_nonzero(values < 0) + (np.count_nonzero(values == 0) + 1) / 2
        ranks = midranks(values)
        excess[:, f] = ranks - base[f]
        centred = ranks - (n + 1) / 2
        sum2[f], sum3[f] = centred @ centred, (centred * centred) @ centred
    return RankMatrix(excess, base, n, sum2, sum3)


def aurocs(ranks: RankMatrix, y: np.ndarray) -> np.ndarray:
    """AUROC [F, c] = P(x+ > x-) + P(x+ = x-) / 2 of every feature for every column of `y` [n, c] in {0, 1}.

    NaN where a column of `y` holds one class only. From the rank sum: AUROC = 1/2 + T / (n+ n-), T the sum
    over positives of the centred mid-ranks (Mann & Whitney 1947; Bamber 1975).
    """
    y = np.asarray(y, dtype=float)
    n_positive = y.sum(axis=0)
    pairs = n_positive * (ranks.n - n_positive)
    score = across(ranks.excess, y - y.mean(axis=0))
    return np.where(pairs > 0, 0.5 + score / np.where(pairs > 0, pairs, 1), np.nan)


def _rank_sparse(X: sparse.csc_array | sparse.csr_array) -> RankMatrix:
    """The sparse half of `rank_excess`: only non-zeros are visited; zeros enter the sums in closed form."""
    values = sparse.csc_array(X, copy=True)
    values.sum_duplicates()
    values.eliminate_zeros()
    _refuse_non_finite(values.data)
    n, n_features = values.shape
    data = np.empty(values.nnz)
    base, sum2, sum3 = np.empty((3, n_features))
    for first, stop in _runs(values.indptr):
        held, here = slice(values.indptr[first], values.indptr[stop]), slice(first, stop)
        indptr = values.indptr[first : stop + 1] - values.indptr[first]
        data[held], base[here], sum2[here], sum3[here] = _rank_columns(values.data[held], indptr, n)
    excess = sparse.csc_array((data, values.indices, values.indptr), shape=values.shape)
    return RankMatrix(excess, base, n, sum2, sum3)


def _runs(indptr: np.ndarray) -> list[tuple[int, int]]:
    """(first, stop) of runs of columns of about `_NON_ZEROS` each, one column at least."""
    crossed = np.flatnonzero(np.diff(indptr[1:] // _NON_ZEROS)) + 1
    return list(pairwise([0, *crossed.tolist(), len(indptr) - 1]))


def _rank_columns(values: np.ndarray, indptr: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    """(excess [m], base, sum2, sum3 [F]) of the non-zero `values` [m] of some columns."""
    stored = np.diff(indptr)
    zeros = n - stored
    column = np.repeat(np.arange(len(stored)), stored)
    below = values < 0
    base = np.bincount(column, below, len(stored)) + (zeros + 1) / 2
    ranks = _segment_midranks(values, indptr, column) + np.where(below, 0, zeros[column])
    data = ranks - base[column]
    shift = (n + 1) / 2 - base
    centred = data - shift[column]
    squared = centred * centred
    sum2 = np.bincount(column, squared, len(stored)) + zeros * shift**2
    sum3 = np.bincount(column, squared * centred, len(stored)) - zeros * shift**3
    return data, base, sum2, sum3


def _segment_midranks(values: np.ndarray, indptr: np.ndarray, column: np.ndarray) -> np.ndarray:
    """`midranks` within each run indptr[f]:indptr[f + 1] of `values`; `column` [m] is the run of each value."""
    order = np.empty(len(values), dtype=np.intp)
    for start, stop in zip(indptr[:-1], indptr[1:], strict=True):
        order[start:stop] = np.argsort(values[start:stop])
        order[start:stop] += start
    ordered = values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]) | (column[1:] != column[:-1])
    out = np.empty(len(values))
    out[order] = _tied_ranks(new)
    out -= indptr[column]
    return out


def _tied_ranks(new: np.ndarray) -> np.ndarray:
    """Mid-ranks, from 1, of ordered values, where `new` marks the first of each run of equal ones."""
    first = np.flatnonzero(new)
    count = np.diff(first, append=len(new))
    return np.repeat(first + (count + 1) / 2, count)


def _refuse_non_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise SeqsaeError("the feature matrix holds NaN or infinite values; drop or fill them before ranking")
