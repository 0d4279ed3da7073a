"""From rows to samples: one value a unit and sample."""

import numpy as np
import scipy.sparse as sp


def pool(values: sp.csr_array | np.ndarray, counts: np.ndarray, pooling: str) -> sp.csr_array | np.ndarray:
    """[n_samples, units] from [n_rows, units] whose rows stand sample by sample.

    Args:
        counts: [n_samples] rows of each sample, in order; their sum is n_rows.
        pooling: rate (share of rows above zero), mean, max, or min.
    """
    return _pool_sparse(values, counts, pooling) if sp.issparse(values) else _pool_dense(values, counts, pooling)


def _pool_dense(values: np.ndarray, counts: np.ndarray, pooling: str) -> np.ndarray:
    out = np.zeros((len(counts), values.shape[1]), dtype=np.float64)
    filled = counts > 0
    starts = (np.cumsum(counts) - counts)[filled]
    if pooling in ("max", "min"):
        out[filled] = (np.maximum if pooling == "max" else np.minimum).reduceat(values, starts, axis=0)
    else:
        summed = values > 0 if pooling == "rate" else values
        out[filled] = np.add.reduceat(summed.astype(np.float64), starts, axis=0) / counts[filled, None]
    return out


def _pool_sparse(values: sp.csr_array, counts: np.ndarray, pooling: str) -> sp.csr_array:
    sample = np.repeat(np.arange(len(counts)), counts)
    if pooling == "min":
        return sp.csr_array(_pool_dense(values.toarray(), counts, "min"))
    if pooling == "max":
        return _max(values.tocoo(), sample, len(counts))
    values = values.astype(np.float64)
    if pooling == "rate":
        values.data = np.ones_like(values.data)
    # Summed first and divided once: equal shares of samples of different lengths are then equal numbers.
    gather = sp.csr_array((np.ones(len(sample)), (sample, np.arange(len(sample)))), shape=(len(counts), len(sample)))
    pooled = (gather @ values).tocsr()
    pooled.data /= np.repeat(counts, np.diff(pooled.indptr))
    return pooled


def _max(values: sp.coo_array, sample: np.ndarray, n_samples: int) -> sp.csr_array:
    rows, columns = sample[values.coords[0]], values.coords[1]
    order = np.lexsort((columns, rows))
    rows, columns, data = rows[order], columns[order], values.data[order].astype(np.float64)
    first = (
        np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])])
        if len(rows)
        else np.array([], int)
    )
    top = np.maximum.reduceat(data, first) if len(first) else data
    return sp.csr_array((top, (rows[first], columns[first])), shape=(n_samples, values.shape[1]))
