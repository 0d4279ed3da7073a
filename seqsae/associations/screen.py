"""Screening: the effect and the p-value of every feature with every covariate at once.

Letters: n units, F features, c covariates, r centred scores of a covariate (0/1 or mid-ranks, less their
mean).

All pairs come from one product T = R' r of centred ranks. The null distribution of T:

- mean 0 and the permutation variance V0 = Sxx Syy / (n - 1), exact with ties (Pitman 1937);
- times the design effect of clusters, 1 + icc_x * D_y (Kloek 1981; Moulton 1986): icc_x is the correlation of
  the feature's ranks within clusters, D_y the excess of squared cluster sums of r over the squares. The usual
  sandwich sum_c S_c^2 is not used: for a rare feature and a rare covariate it rests on the few clusters that
  hold both, is far too small when there are none and takes all power when there are some (simulated before
  choosing);
- Pearson type III tails from the permutation third moment (Mielke & Berry 2007), its skewness growing
  with the root of the design effect. Normal tails are badly anti-conservative for rare with rare at the
  levels that a false discovery rate over many pairs needs;
- a continuity correction of half the smallest step that T can make away from the two modes (Yates 1934),
  without which one chance meeting of a rare feature with a rare covariate counts several times too much.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse, special

from seqsae.associations.ranks import RankMatrix, midranks, rank_excess
from seqsae.errors import SeqsaeError

MIN_MINORITY = 5
"""Clusters that must hold a value other than the covariate's commonest one (binary: each of the two classes)."""

_SMALLEST_P = 1e-300
_NEGLIGIBLE_SKEW = 1e-3


class Screen(NamedTuple):
    """Results of `screen`; every array is [F, c] unless said otherwise."""

    effect: np.ndarray
    """AUROC of a binary covariate, Spearman's rho of any other; exact with ties. NaN where undefined."""
    z: np.ndarray
    """T / sqrt(V), without continuity correction (for inflation factors and signs)."""
    p: np.ndarray
    """Two-sided p-value; NaN where support is too small for a test."""
    n_active: np.ndarray
    """Clusters in which the feature is non-zero, among units with a value of the covariate."""
    n: np.ndarray
    """[c] units with a value."""
    n_positive: np.ndarray
    """[c] units at 1 of a binary covariate; units off the commonest value of any other."""
    binary: np.ndarray
    """[c] whether `effect` is an AUROC."""


class _Clusters(NamedTuple):
    """Cluster membership."""

    sums: sparse.csr_array | None
    """[n_clusters, n] of ones; None where each unit is its own cluster."""
    sizes: np.ndarray


class _Scores(NamedTuple):
    """Covariates without missing values, ready for a rank statistic."""

    r: np.ndarray
    """[n, c] centred scores."""
    gap: np.ndarray
    """[c] smallest step of a score away from the commonest value."""
    n_positive: np.ndarray
    binary: np.ndarray
    supported: np.ndarray
    """[c] whether enough clusters stand on either side for a test."""
    clusters: _Clusters


def screen(
    ranks: RankMatrix,
    y: np.ndarray,
    cluster: np.ndarray | None = None,
    min_support: int = 10,
    binary: np.ndarray | None = None,
) -> Screen:
    """Test every feature of `ranks` against every column of `y` [n, c].

    Args:
        ranks: from `rank_excess`.
        y: 0/1 for a binary covariate, any increasing scale for an ordinal or continuous one, NaN for missing.
            Features are ranked anew among the units that have a value; columns with the same gaps share this.
        cluster: [n] label of each unit's cluster; None: each unit is its own.
        min_support: clusters in which a feature must be non-zero for a test.
        binary: [c] which covariates are binary, so that AUROC is their effect; None: those of 0 and 1 only.

    Raises:
        SeqsaeError: lengths differ, or a covariate said to be binary has other values than 0 and 1.
    """
    y, cluster, binary = _checked(ranks, y, cluster, binary)
    shape = (len(ranks.base), y.shape[1])
    effect, z, p = np.full((3, *shape), np.nan)
    n_active, (n, n_positive) = np.zeros(shape, np.int64), np.zeros((2, shape[1]), np.int64)
    out = Screen(effect, z, p, n_active, n, n_positive, binary.copy())
    for columns in same_missing(y):
        rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
        if len(rows) < 3:
            continue
        kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
        scores = _prepared(y[np.ix_(rows, columns)], binary[columns], _cluster_sums(cluster[rows]))
        part = _screen_complete(kept, scores, min_support)
        for whole, piece in zip(out, part, strict=True):
            whole[..., columns] = piece
    return out


def same_missing(y: np.ndarray) -> list[np.ndarray]:
    """Columns of `y` [n, c] grouped by where they are missing (NaN), in order of first appearance."""
    groups: dict[bytes, list[int]] = {}
    for j in range(y.shape[1]):
        groups.setdefault(np.packbits(np.isfinite(y[:, j])).tobytes(), []).append(j)
    return [np.array(columns) for columns in groups.values()]


def pearson3_p(z: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Two-sided p of a standardised statistic `z` whose null has skewness `skew`: twice the tail on z's side.

    With g = |skew|, (gamma(4 / g^2) - 4 / g^2) * g / 2 has mean 0, variance 1 and skewness g.
    """
    t, lean = np.abs(z), np.where(z < 0, -skew, skew)
    shape = 4 / np.maximum(np.abs(lean), _NEGLIGIBLE_SKEW) ** 2
    heavy = special.gammaincc(shape, shape + t * np.sqrt(shape))
    light = special.gammainc(shape, np.maximum(shape - t * np.sqrt(shape), 0))
    tail = np.where(np.abs(lean) < _NEGLIGIBLE_SKEW, special.ndtr(-t), np.where(lean > 0, heavy, light))
    return np.clip(2 * tail, _SMALLEST_P, 1)


def _screen_complete(ranks: RankMatrix, scores: _Scores, min_support: int) -> Screen:
    """`screen` for covariates without missing values."""
    active = _touched(scores.clusters, ranks.excess != 0)
    testable = np.outer((active >= min_support) & (ranks.sum2 > 0), scores.supported)
    total = ranks.excess.T @ scores.r
    z, p = _null(ranks, scores, total, testable)
    effect = _effects(ranks, scores, total)
    n = np.full(len(scores.binary), ranks.n)
    return Screen(effect, z, p, active[:, None], n, scores.n_positive, scores.binary)


def _effects(ranks: RankMatrix, scores: _Scores, total: np.ndarray) -> np.ndarray:
    """[F, c]: AUROC = 1/2 + T / (n+ n-) for binary, rho = T / sqrt(Sxx Syy) for others."""
    syy = (scores.r**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A centred 0/1 score has sum of squares n+ n- / n.
        auroc = 0.5 + total / (ranks.n * syy)
        return np.where(scores.binary, auroc, total / np.sqrt(np.outer(ranks.sum2, syy)))


def _null(ranks: RankMatrix, scores: _Scores, total: np.ndarray, testable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(z, p) [F, c] of T = `total`; p is NaN where not `testable`, z where T cannot vary."""
    n, r = ranks.n, scores.r
    variance = np.outer(ranks.sum2, (r**2).sum(axis=0)) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = n * np.outer(ranks.sum3, (r**3).sum(axis=0)) / ((n - 1) * (n - 2)) / variance**1.5
        design = _design_effect(ranks, r, scores.clusters)
        sd = np.sqrt(variance * design)
        z = total / sd
        step = np.outer(_zero_gap(ranks.excess), scores.gap) * design
        corrected = np.sign(z) * np.maximum(np.abs(z) - step / sd / 2, 0)
    # Clusters lengthen the heavy tail; they are not allowed to shorten the light one.
    skew = np.where(skew * z > 0, skew * np.sqrt(design), skew)
    p = np.full(z.shape, np.nan)
    p[testable] = pearson3_p(corrected[testable], skew[testable])
    return z, p


def _design_effect(ranks: RankMatrix, r: np.ndarray, clusters: _Clusters) -> np.ndarray:
    """[F, c] factor >= 1 by which clusters widen the variance of T (Moulton 1986, unequal sizes)."""
    if clusters.sums is None:
        return np.ones((len(ranks.base), r.shape[1]))
    sizes, shift = clusters.sizes, ranks.shift
    sums = clusters.sums @ ranks.excess
    squares = (sums * sums).sum(axis=0) - 2 * shift * (sums.T @ sizes) + shift**2 * (sizes**2).sum()
    pairs = (sizes * (sizes - 1)).sum()
    icc = (squares - ranks.sum2) / pairs * ranks.n / ranks.sum2
    syy = (r**2).sum(axis=0)
    spread = ((clusters.sums @ r) ** 2).sum(axis=0) / syy - 1
    return np.maximum(1, 1 + np.outer(icc, spread))


def _prepared(y: np.ndarray, binary: np.ndarray, clusters: _Clusters) -> _Scores:
    """Scores of the covariates `y` [n, c]: 0/1 as it stands, mid-ranks of anything else."""
    n, c = y.shape
    r, off_mode, gap = np.empty((n, c)), np.empty((n, c), dtype=bool), np.empty(c)
    for j in range(c):
        _, inverse, counts = np.unique(y[:, j], return_inverse=True, return_counts=True)
        off_mode[:, j] = inverse != counts.argmax()
        r[:, j] = y[:, j] if binary[j] else midranks(y[:, j])
        at_mode = r[~off_mode[:, j], j][0]
        gap[j] = np.abs(r[off_mode[:, j], j] - at_mode).min(initial=n)
    away, at = _touched(clusters, off_mode), _touched(clusters, ~off_mode)
    supported = (away >= MIN_MINORITY) & ((at >= MIN_MINORITY) | ~binary)
    n_positive = np.where(binary, (y == 1).sum(axis=0), off_mode.sum(axis=0))
    return _Scores(r - r.mean(axis=0), gap, n_positive, binary, supported, clusters)


def _cluster_sums(cluster: np.ndarray) -> _Clusters:
    _, member, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    if sizes.max() == 1:
        return _Clusters(None, sizes)
    n = len(cluster)
    return _Clusters(sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(len(sizes), n)), sizes)


def _touched(clusters: _Clusters, flags) -> np.ndarray:
    """[m] clusters with at least one unit flagged, for each column of `flags` [n, m] (sparse or dense, bool)."""
    held = flags if clusters.sums is None else clusters.sums @ flags.astype(np.float64)
    return np.asarray((held != 0).sum(axis=0)).ravel()


def _zero_gap(excess: sparse.csc_array | np.ndarray) -> np.ndarray:
    """[F] smallest distance of a non-zero unit's mid-rank from the zero block; 0 for a feature never active."""
    if not sparse.issparse(excess):
        nearest = np.abs(excess).min(axis=0, where=excess != 0, initial=np.inf)
        return np.where(np.isfinite(nearest), nearest, 0)
    filled = np.flatnonzero(np.diff(excess.indptr))
    gap = np.zeros(excess.shape[1])
    if len(filled):
        gap[filled] = np.minimum.reduceat(np.abs(excess.data), excess.indptr[filled])
    return gap


def _checked(
    ranks: RankMatrix, y: np.ndarray, cluster: np.ndarray | None, binary: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, cluster, binary) as arrays that fit `ranks`."""
    n, y = ranks.n, np.asarray(y, dtype=float)
    if y.ndim != 2 or len(y) != n:
        raise SeqsaeError(f"y has shape {y.shape}; give [{n}, covariates], one row for each unit ranked")
    cluster = np.arange(n) if cluster is None else np.asarray(cluster)
    if cluster.shape != (n,):
        raise SeqsaeError(f"cluster has shape {cluster.shape}; give one label for each of the {n} units")
    two_valued = (np.isnan(y) | (y == 0) | (y == 1)).all(axis=0)
    binary = two_valued if binary is None else np.asarray(binary, dtype=bool)
    if binary.shape != two_valued.shape or (binary & ~two_valued).any():
        raise SeqsaeError("binary must name columns of y that hold 0 and 1 only; code the positive value as 1")
    return y, cluster, binary
