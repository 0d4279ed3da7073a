"""Which units a k-sparse probe reads: those most tied to the target on the units that it may learn from.

Letters: n units of observation, F features (the probe's candidates), T targets, q confounders.
"""

import numpy as np
from scipy import sparse

from seqsae.associations.products import across, power
from seqsae.associations.ranks import Matrix

NOTHING = 1e-10  # share of a feature's own variation below which what confounders leave of it is rounding


def basis_of(z: np.ndarray | None, n: int | None = None) -> np.ndarray:
    """[n, q'] orthonormal columns that span the constant and the confounders `z` [n, q] (None: the constant alone)."""
    n = len(z) if n is None else n
    one = np.full((n, 1), n**-0.5)
    if z is None or not z.shape[1]:
        return one
    z = z - z.mean(axis=0)
    u, s, _ = np.linalg.svd(z / np.where(z.std(axis=0) > 0, z.std(axis=0), 1), full_matrices=False)
    return np.hstack([one, u[:, s > 1e-9 * max(s.max(initial=0), 1)]])


def ties(x: Matrix, y: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """[F, T] absolute partial correlation of every column of `x` [n, F] with every column of `y` [n, T] given `basis` [n, q'].

    With the constant alone and y of 0 and 1 this orders features as the standardised difference of class means, which Gurnee et
    al. (2023, arXiv 2305.01610) choose the units of a k-sparse probe by; of mid-ranks it is Spearman's. 0 where either does not
    vary. By Frisch & Waugh (1933): sparse `x` is never made dense.
    """
    rest = y - basis @ (basis.T @ y)
    along = across(x, basis)
    squares = np.asarray(power(x, 2).sum(axis=0)).ravel()
    left = squares - (along**2).sum(axis=1)
    whole = np.where(left > NOTHING * np.maximum(squares, 1e-300), left, np.inf)
    varies = (rest**2).sum(axis=0)
    varies = np.where(varies > NOTHING * np.maximum((y**2).sum(axis=0), 1e-300), varies, np.inf)
    return np.abs(across(x, rest)) / np.sqrt(np.outer(whole, varies))


def support(x: Matrix, cluster: np.ndarray) -> np.ndarray:
    """[F] clusters in which each column of a sparse `x` [n, F] is not 0; of a dense one all clusters."""
    member = np.unique(cluster, return_inverse=True)[1]
    n_clusters = int(member.max(initial=-1)) + 1
    if not sparse.issparse(x):
        return np.full(x.shape[1], n_clusters)
    gather = sparse.csr_array((np.ones(len(member)), (member, np.arange(len(member)))), shape=(n_clusters, len(member)))
    return np.bincount((gather @ abs(sparse.csr_array(x)).sign()).tocsr().indices, minlength=x.shape[1])


def strongest(tie: np.ndarray, k: int) -> np.ndarray:
    """The features of the k largest ties [F] above 0, strongest first; the first in order wins a tie."""
    order = np.argsort(-tie, kind="stable")[:k]
    return order[tie[order] > 0]


def columns_of(matrices: list[Matrix], features: np.ndarray, poolings: np.ndarray) -> np.ndarray:
    """[n, k] the features, each from the matrix [n, F] of its pooling, dense; `poolings` [k] are places in `matrices`."""
    out = np.empty((matrices[0].shape[0], len(features)))
    for pooling in np.unique(poolings):
        here = poolings == pooling
        part = matrices[pooling][:, features[here]]
        out[:, here] = part.toarray() if sparse.issparse(part) else part
    return out


def greedy(x: np.ndarray, y: np.ndarray, basis: np.ndarray, k: int) -> np.ndarray:
    """k columns of a dense `x` [n, m], one at a time: each the most tied to what those before it leave of `y` [n].

    Forward selection (Efroymson 1960): after each choice both sides are made orthogonal to the chosen column.
    """
    x = x - basis @ (basis.T @ x)
    y = y - basis @ (basis.T @ y)
    start = (x**2).sum(axis=0)
    chosen: list[int] = []
    for _ in range(min(k, x.shape[1])):
        left = (x**2).sum(axis=0)
        left = np.where(left > NOTHING * np.maximum(start, 1e-300), left, np.inf)
        tie = np.abs(x.T @ y) / np.sqrt(left)
        best = int(tie.argmax())
        if not tie[best] > NOTHING:
            break
        chosen.append(best)
        axis = x[:, best] / np.sqrt(left[best])
        x, y = x - np.outer(axis, axis @ x), y - axis * (axis @ y)
    return np.array(chosen, dtype=np.int64)
