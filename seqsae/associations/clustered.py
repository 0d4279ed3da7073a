"""Token rows: the test of `screen`, and beside it a t test over clusters; the larger p-value counts.

Rows of homologous sequences, or of one life, repeat each other in more ways than a correlation within clusters can
tell: a label that stands at the same places in every sequence makes rows look like thousands of witnesses. Here each
cluster c has one vote, its score S_c = sum over its rows of the centred rank times the centred label, and
t = T / sqrt(C / (C - 1) sum (S_c - T / C)^2), T = sum S_c, on C - 1 degrees of freedom (Liang & Zeger 1986; Bell &
McCaffrey 2002 on why t and not normal).
"""

import numpy as np
from scipy import sparse, stats

from seqsae.associations.ranks import RankMatrix, midranks, rank_excess
from seqsae.associations.screen import Screen, same_missing, screen


def screen_rows(ranks: RankMatrix, y: np.ndarray, cluster: np.ndarray, min_support: int, binary: np.ndarray) -> Screen:
    """As `screen`, for units that are rows: p is the larger of its own and that of the t test over clusters; z is t."""
    out = screen(ranks, y, cluster, min_support, binary)
    t = np.full(out.p.shape, np.nan)
    freedom = np.zeros(y.shape[1])
    for columns in same_missing(y):
        rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
        if len(rows) < 3:
            continue
        kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
        r = np.column_stack([_scores(y[rows, j], binary[j]) for j in columns])
        t[:, columns], freedom[columns] = cluster_t(kept, r, cluster[rows])
    p = np.maximum(out.p, 2 * stats.t.sf(np.abs(t), np.maximum(freedom, 1)))
    return out._replace(z=np.where(np.isfinite(t), t, out.z), p=np.where(np.isfinite(t), p, np.nan))


def cluster_t(ranks: RankMatrix, r: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, int]:
    """t [F, c] of every feature with every centred score `r` [n, c], and its degrees of freedom.

    NaN where clusters do not differ. Time O(non-zeros x c); nothing of size clusters x features is made dense.
    """
    _, member = np.unique(cluster, return_inverse=True)
    n_clusters, n = member.max() + 1, len(member)
    sums = sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(n_clusters, n))
    total, squares = (np.empty((len(ranks.base), r.shape[1])) for _ in range(2))
    for j in range(r.shape[1]):
        per_cluster = (sums @ sparse.diags_array(r[:, j])) @ ranks.excess  # [C, F]
        label = sums @ r[:, j]  # [C]
        total[:, j] = np.asarray(per_cluster.sum(axis=0)).ravel() - ranks.shift * label.sum()
        squared = per_cluster.multiply(per_cluster) if sparse.issparse(per_cluster) else per_cluster**2
        cross = per_cluster.T @ label
        squares[:, j] = (
            np.asarray(squared.sum(axis=0)).ravel() - 2 * ranks.shift * cross + ranks.shift**2 * (label @ label)
        )
    spread = (squares - total**2 / n_clusters) * n_clusters / max(n_clusters - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-9 * np.maximum(squares, 1e-300), total / np.sqrt(spread), np.nan), n_clusters - 1


def _scores(y: np.ndarray, binary: bool) -> np.ndarray:
    r = y if binary else midranks(y)
    return r - r.mean()
