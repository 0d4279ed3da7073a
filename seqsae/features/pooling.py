"""From rows to samples: one value a unit and sample."""

import numpy as np
import scipy.sparse as sp

from seqsae.errors import SeqsaeError

POOLINGS = ("presence", "count", "rate", "sum", "mean", "max", "min", "last")


def pool(values: sp.csr_array | np.ndarray, counts: np.ndarray, pooling: str) -> sp.csr_array | np.ndarray:
    """[n_samples, units] from [n_rows, units] whose rows stand sample by sample; sparse stays sparse.

    Samples without rows are 0.

    Args:
        values: float; if sparse, no entry is stored twice.
        counts: [n_samples] rows of each sample, in order; their sum is n_rows.
        pooling: presence (1 if any row is above zero), count (rows above zero), rate (their share of the rows),
            sum, mean, max, min, or last (the value at the sample's last row).

    Raises:
        SeqsaeError: a pooling of another name.
    """
    if pooling not in POOLINGS:
        raise SeqsaeError(f"pooling {pooling!r} is not known; give one of {', '.join(POOLINGS)}")
    counts = np.asarray(counts)
    return _pool_sparse(values, counts, pooling) if sp.issparse(values) else _pool_dense(values, counts, pooling)


def _pool_dense(values: np.ndarray, counts: np.ndarray, pooling: str) -> np.ndarray:
    out = np.zeros((len(counts), values.shape[1]), dtype=np.float64)
    filled = counts > 0
    starts = (np.cumsum(counts) - counts)[filled]
    if pooling in ("max", "min"):
        out[filled] = (np.maximum if pooling == "max" else np.minimum).reduceat(values, starts, axis=0)
    elif pooling == "last":
        out[filled] = values[starts + counts[filled] - 1]
    else:
        summed = values if pooling in ("sum", "mean") else values > 0
        out[filled] = np.add.reduceat(summed.astype(np.float64), starts, axis=0)
        if pooling == "presence":
            out = (out > 0).astype(np.float64)
        elif pooling in ("rate", "mean"):
            out[filled] /= counts[filled, None]
    return out


def _pool_sparse(values: sp.sparray, counts: np.ndarray, pooling: str) -> sp.csr_array:
    values = sp.csr_array(values, dtype=np.float64, copy=True)
    if pooling in ("max", "min"):
        return _extreme(values, counts, np.maximum if pooling == "max" else np.minimum)
    if pooling == "last":
        return (_last_rows(counts) @ values).tocsr()
    if pooling not in ("sum", "mean"):
        values.data = (values.data > 0).astype(np.float64)
        values.eliminate_zeros()
    # Summed first and divided once: equal shares of samples of different lengths are then equal numbers.
    pooled = (_gather(counts) @ values).tocsr()
    if pooling == "presence":
        pooled.data[:] = 1
    elif pooling in ("rate", "mean"):
        pooled.data /= np.repeat(counts, np.diff(pooled.indptr))
    return pooled


def _gather(counts: np.ndarray) -> sp.csr_array:
    """[n_samples, n_rows] of ones: which rows are of which sample."""
    n = int(counts.sum())
    return sp.csr_array((np.ones(n), np.arange(n), np.r_[0, np.cumsum(counts)]), shape=(len(counts), n))


def _last_rows(counts: np.ndarray) -> sp.csr_array:
    """[n_samples, n_rows] with a one at the last row of every sample that has rows."""
    filled, stops = counts > 0, np.cumsum(counts)
    indptr = np.r_[0, np.cumsum(filled)]
    shape = (len(counts), int(counts.sum()))
    return sp.csr_array((np.ones(indptr[-1]), stops[filled] - 1, indptr), shape=shape)


def _extreme(values: sp.csr_array, counts: np.ndarray, rule: np.ufunc) -> sp.csr_array:
    """Maximum or minimum of each unit over each sample's rows, those without a stored value being 0."""
    stops, shape = np.r_[0, np.cumsum(counts)], (len(counts), values.shape[1])
    if not values.nnz:
        return sp.csr_array(shape)
    # With a sample's rows taken for one row, the turn to columns puts what is to be compared side by side.
    turned = sp.csr_array((values.data, values.indices, values.indptr[stops]), shape=shape).tocsc()
    sample, column = turned.indices, np.repeat(np.arange(shape[1]), np.diff(turned.indptr))
    first = np.flatnonzero(np.r_[True, (sample[1:] != sample[:-1]) | (column[1:] != column[:-1])])
    best, stored, sample = rule.reduceat(turned.data, first), np.diff(first, append=values.nnz), sample[first]
    best = np.where(stored < counts[sample], rule(best, 0), best)
    out = sp.csc_array((best, sample, np.searchsorted(column[first], np.arange(shape[1] + 1))), shape=shape).tocsr()
    out.eliminate_zeros()
    return out
