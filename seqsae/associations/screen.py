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


class Clusters(NamedTuple):
    """Cluster membership."""

    sums: sparse.csr_array | None
    """[n_clusters, n] of ones; None where each unit is its own cluster."""
    sizes: np.ndarray


class Support(NamedTuple):
    """How much there is to test with."""

    active: np.ndarray
    """[F] clusters in which the feature is non-zero."""
    testable: np.ndarray
    """[F, c] whether enough clusters stand behind both."""
    gap: np.ndarray
    """[c] smallest step of a score away from the commonest value."""
    n_positive: np.ndarray
    """[c] units at 1 (binary), or off the commonest value."""
    clusters: Clusters


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
    y, cluster, binary = checked(ranks, y, cluster, binary)
    shape = (len(ranks.base), y.shape[1])
    effect, z, p = np.full((3, *shape), np.nan)
    n_active, (n, n_positive) = np.zeros(shape, np.int64), np.zeros((2, shape[1]), np.int64)
    out = Screen(effect, z, p, n_active, n, n_positive, binary.copy())
    for columns in same_missing(y):
        rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
        if len(rows) < 3:
            continue
        kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
        part = _screen_complete(kept, y[np.ix_(rows, columns)], binary[columns], cluster[rows], min_support)
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


def support_of(ranks: RankMatrix, y: np.ndarray, cluster: np.ndarray, binary: np.ndarray, min_support: int) -> Support:
    """What stands behind each feature and each covariate of `y` [n, c], without missing values."""
    clusters = _clusters(cluster)
    active = _touched(clusters, ranks.excess != 0)
    off_mode, gap, r = np.empty(y.shape, dtype=bool), np.empty(y.shape[1]), scores_of(y, binary)
    for j in range(y.shape[1]):
        _, inverse, counts = np.unique(y[:, j], return_inverse=True, return_counts=True)
        off_mode[:, j] = inverse != counts.argmax()
        at_mode = r[~off_mode[:, j], j][0]
        gap[j] = np.abs(r[off_mode[:, j], j] - at_mode).min(initial=len(y))
    away, at = _touched(clusters, off_mode), _touched(clusters, ~off_mode)
    supported = (away >= MIN_MINORITY) & ((at >= MIN_MINORITY) | ~binary)
    n_positive = np.where(binary, (y == 1).sum(axis=0), off_mode.sum(axis=0))
    testable = np.outer((active >= min_support) & (ranks.sum2 > 0), supported)
    return Support(active, testable, gap, n_positive, clusters)


def scores_of(y: np.ndarray, binary: np.ndarray) -> np.ndarray:
    """[n, c] centred scores of `y` [n, c]: 0/1 as it stands, mid-ranks of anything else."""
    r = np.column_stack([y[:, j] if binary[j] else midranks(y[:, j]) for j in range(y.shape[1])])
    return r - r.mean(axis=0)


def _screen_complete(
    ranks: RankMatrix, y: np.ndarray, binary: np.ndarray, cluster: np.ndarray, min_support: int
) -> Screen:
    """`screen` for covariates without missing values."""
    support, r = support_of(ranks, y, cluster, binary, min_support), scores_of(y, binary)
    total = ranks.excess.T @ r
    z, p = _null(ranks, r, total, support)
    effect = _effects(ranks, r, total, binary)
    n = np.full(len(binary), ranks.n)
    return Screen(effect, z, p, support.active[:, None], n, support.n_positive, binary)


def _effects(ranks: RankMatrix, r: np.ndarray, total: np.ndarray, binary: np.ndarray) -> np.ndarray:
    """[F, c]: AUROC = 1/2 + T / (n+ n-) for binary, rho = T / sqrt(Sxx Syy) for others."""
    syy = (r**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A centred 0/1 score has sum of squares n+ n- / n.
        auroc = 0.5 + total / (ranks.n * syy)
        return np.where(binary, auroc, total / np.sqrt(np.outer(ranks.sum2, syy)))


def _null(ranks: RankMatrix, r: np.ndarray, total: np.ndarray, support: Support) -> tuple[np.ndarray, np.ndarray]:
    """(z, p) [F, c] of T = `total`; p is NaN where not testable, z where T cannot vary."""
    n = ranks.n
    variance = np.outer(ranks.sum2, (r**2).sum(axis=0)) / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = n * np.outer(ranks.sum3, (r**3).sum(axis=0)) / ((n - 1) * (n - 2)) / variance**1.5
        design = design_effect(ranks, r, support.clusters)
        sd = np.sqrt(variance * design)
        z = total / sd
        step = np.outer(zero_gap(ranks.excess), support.gap) * design / sd
    return z, tails(z, skew, step, design, support.testable)


def tails(z: np.ndarray, skew: np.ndarray, step: np.ndarray, design: np.ndarray, testable: np.ndarray) -> np.ndarray:
    """p [F, c] of a standardised statistic: continuity correction by half its `step`, tails of its `skew`; NaN where not testable."""
    with np.errstate(invalid="ignore", divide="ignore"):
        corrected = np.sign(z) * np.maximum(np.abs(z) - step / 2, 0)
        # Clusters lengthen the heavy tail; they are not allowed to shorten the light one.
        skew = np.where(skew * z > 0, skew * np.sqrt(design), skew)
    p = np.full(z.shape, np.nan)
    tested = testable & np.isfinite(corrected) & np.isfinite(skew)
    p[tested] = pearson3_p(corrected[tested], skew[tested])
    return p


def design_effect(ranks: RankMatrix, r: np.ndarray, clusters: Clusters) -> np.ndarray:
    """[F, c] factor >= 1 by which clusters widen the variance of T (Moulton 1986, unequal sizes)."""
    if clusters.sums is None:
        return np.ones((len(ranks.base), r.shape[1]))
    sizes, shift = clusters.sizes, ranks.shift
    sums = clusters.sums @ ranks.excess
    squares = (sums * sums).sum(axis=0) - 2 * shift * (sums.T @ sizes) + shift**2 * (sizes**2).sum()
    pairs = (sizes * (sizes - 1)).sum()
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature that never varies has none
        icc = (squares - ranks.sum2) / pairs * ranks.n / ranks.sum2
    syy = (r**2).sum(axis=0)
    spread = ((clusters.sums @ r) ** 2).sum(axis=0) / syy - 1
    return np.maximum(1, 1 + np.outer(icc, spread))


def _clusters(cluster: np.ndarray) -> Clusters:
    _, member, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    if sizes.max() == 1:
        return Clusters(None, sizes)
    n = len(cluster)
    return Clusters(sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(len(sizes), n)), sizes)


def _touched(clusters: Clusters, flags) -> np.ndarray:
    """[m] clusters with at least one unit flagged, for each column of `flags` [n, m] (sparse or dense, bool)."""
    held = flags if clusters.sums is None else clusters.sums @ flags.astype(np.float64)
    return np.asarray((held != 0).sum(axis=0)).ravel()


def zero_gap(excess: sparse.csc_array | np.ndarray) -> np.ndarray:
    """[F] smallest distance of a non-zero unit's mid-rank from the zero block; 0 for a feature never active."""
    if not sparse.issparse(excess):
        nearest = np.abs(excess).min(axis=0, where=excess != 0, initial=np.inf)
        return np.where(np.isfinite(nearest), nearest, 0)
    filled = np.flatnonzero(np.diff(excess.indptr))
    gap = np.zeros(excess.shape[1])
    if len(filled):
        gap[filled] = np.minimum.reduceat(np.abs(excess.data), excess.indptr[filled])
    return gap


def checked(
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
