"""The sandwich variance of the efficient score: sum over clusters of the squared sum of their units' parts in it.

Letters: n units, F features, B of them in a block, p confounders, K distinct event times, C clusters.

e_i = L_i(x) - L_i(Z) I^-1 c, with score residuals L (Lin & Wei 1989). L_i(x) is not sparse, for a unit at zero still
leans on the mean of x over its risk sets; so it is computed exactly in dense blocks of features, summed by cluster
before anything of the size of n is formed.
"""

import numpy as np
from scipy import sparse

from seqsae.associations.ranks import Matrix
from seqsae.associations.survival.cox import cluster_sums
from seqsae.associations.survival.null import NullModel
from seqsae.associations.survival.steps import suffix_sums

_BLOCK_BYTES = 256 * 2**20
"""Memory of all dense arrays of a block of features together."""


def robust_variance(X: Matrix, null: NullModel, jumps: Matrix, lean: np.ndarray, member: np.ndarray) -> np.ndarray:
    """[F] variance of the score of each column of `X` [n, F].

    Args:
        X: features, sparse by columns or dense.
        null: the null model.
        jumps: [K, F] of `X`, from `risk_set_jumps`.
        lean: [F, p] information that features share with the confounders.
        member: [n] cluster of each unit, numbered from 0.
    """
    n, n_times, n_clusters = len(member), len(null.s0), member.max() + 1
    sums = sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(n_clusters, n))
    own = sums @ sparse.diags_array(null.martingale) @ X
    own = own.tocsc() if sparse.issparse(own) else own
    leaning, explained = sums @ _leaning(null), cluster_sums(null.residuals, member) @ null.inverse
    steps = (null.risk.count / null.s0**2)[:, None]
    out = np.empty(X.shape[1])
    for block in _blocks(X.shape[1], n_times, n_clusters):
        s1 = suffix_sums(_dense(jumps[:, block]).real)
        e = leaning @ np.concatenate([s1 / null.s0[:, None], np.cumsum(steps * s1, axis=0)])
        e += _dense(own[:, block])
        e -= explained @ lean[block].T
        out[block] = np.einsum("cf,cf->f", e, e)
    return out


def _leaning(null: NullModel) -> sparse.csr_array:
    """[n, 2 K] how each unit leans on the mean at its own event, and on the sum of d S1 / S0^2 while it is at risk."""
    risk = null.risk
    died = sparse.csr_array((-np.ones(len(risk.at)), (risk.deaths, risk.at)), shape=risk.crossing.shape[::-1])
    return sparse.hstack([died, sparse.diags_array(null.theta) @ risk.crossing.T], format="csr")


def _blocks(n_features: int, n_times: int, n_clusters: int) -> list[slice]:
    """Blocks of features whose dense arrays (seven of K, four of C rows) fit into the memory allowed."""
    width = max(1, _BLOCK_BYTES // (8 * (7 * n_times + 4 * n_clusters)))
    return [slice(start, start + width) for start in range(0, n_features, width)]


def _dense(values: Matrix) -> np.ndarray:
    return values.toarray() if sparse.issparse(values) else values
