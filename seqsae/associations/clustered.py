"""Token rows: the test of `screen`, and beside it a t test over clusters; the larger p-value counts.

Rows of homologous sequences, or of one life, repeat each other in more ways than a correlation within clusters can
tell: a label that stands at the same places in every sequence makes rows look like thousands of witnesses. Here each
cluster c has one vote, its score S_c = sum over its rows of the centred rank times the centred label, and
t = T / sqrt(C / (C - 1) sum (S_c - T / C)^2), T = sum S_c, on C - 1 degrees of freedom (Liang & Zeger 1986; Bell &
McCaffrey 2002 on why t and not normal).
"""

import numpy as np
from scipy import sparse, stats

from seqsae.associations.products import power
from seqsae.associations.ranks import Matrix, RankMatrix, midranks, rank_excess
from seqsae.associations.screen import Screen, same_missing, screen
from seqsae.associations.support import Clusters, clusters_of


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
    clusters, g = clusters_of(cluster), ranks.shift[None]
    told = np.ones((len(cluster), 1))
    votes = [over_clusters(ranks.excess, told, column, g, clusters) for column in r.T]
    return np.column_stack(votes), len(clusters.sizes) - 1


def over_clusters(x: Matrix, told: np.ndarray, r: np.ndarray, g: np.ndarray, clusters: Clusters) -> np.ndarray:
    """t [F] over the clusters' sums of (x - told g) r, `x` [n, F], `told` [n, q], `r` [n], `g` [q, F] (Liang & Zeger 1986).

    NaN where clusters do not differ. Nothing of size [C, F] is made dense unless x is.
    """
    sums, n_clusters = clusters.sums, len(clusters.sizes)
    weighted = sparse.diags_array(r) if sums is None else sums @ sparse.diags_array(r)
    mine, label = weighted @ x, weighted @ told  # [C, F], [C, q]
    squares = np.asarray(power(mine, 2).sum(axis=0)).ravel()
    squares = squares + (g * ((label.T @ label) @ g - 2 * (mine.T @ label).T)).sum(axis=0)
    total = np.asarray(mine.sum(axis=0)).ravel() - g.T @ label.sum(axis=0)
    spread = (squares - total**2 / n_clusters) * n_clusters / max(n_clusters - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-9 * np.maximum(squares, 1e-300), total / np.sqrt(spread), np.nan)


def _scores(y: np.ndarray, binary: bool) -> np.ndarray:
    r = y if binary else midranks(y)
    return r - r.mean()
