"""Rank tests within strata: every feature with every covariate among units that are alike in a confounder.

Letters: n units, F features, c covariates, H strata of n_h units, w_h = 1 / (n_h + 1).

Mid-ranks are taken inside each stratum and weighted by w_h, the locally best choice where a shift is the same in all strata
(van Elteren 1960; Lehmann 1975, section 3.3). The covariate's scores r are 0/1 less their mean in the stratum, or its own
weighted mid-ranks there. T = sum over units of w_h * centred rank * r is one sparse product. Strata are permuted apart, so
moments add up: V = sum_h w_h^2 Sxx_h Syy_h / (n_h - 1), exact with ties (Pitman 1937), and likewise the third moment. A
stratum in which either side does not vary adds nothing. With one stratum effect and z are those of `screen`.

Clusters widen V by 1 + icc_x * D_y, as in `screen`, with the weighted scores in place of the ranks; they may
cross strata. Nothing of size strata x features is made dense.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.ranks import Matrix
from seqsae.associations.screen import MIN_MINORITY, checked, same_missing, tails
from seqsae.errors import SeqsaeError

WEIGHTS = ("pairs", "van-elteren")


class StrataRanks(NamedTuple):
    """Mid-ranks [n, F] inside strata, as sparse as the features; `excess` as in `RankMatrix`, stratum by stratum."""

    excess: sparse.csc_array
    """[n, F] mid-rank in the stratum less that of the stratum's zero block; has the order and the sign of the values."""
    stratum: np.ndarray
    """[n] number of each unit's stratum, from 0."""
    sizes: np.ndarray
    """[H] units."""
    shift: sparse.csc_array
    """[H, F] mean of `excess` over the stratum: the centred mid-rank is `excess - shift`."""
    sum2: sparse.csc_array
    """[H, F] sum over the stratum of the squared centred mid-ranks."""
    sum3: sparse.csc_array
    """[H, F] sum of their cubes."""
    active: sparse.csc_array
    """[H, F] units in which the feature is not zero."""

    @property
    def n(self) -> int:
        """Units ranked."""
        return len(self.stratum)


class Stratified(NamedTuple):
    """Results of `screen_strata`; every array is [F, c] unless said otherwise."""

    effect: np.ndarray
    """Stratified AUROC of a binary covariate, Spearman's rho within strata of any other; exact with ties. NaN where undefined."""
    z: np.ndarray
    """T / sqrt(V); NaN where T cannot vary."""
    p: np.ndarray
    """Two-sided; NaN where support is too small for a test."""
    n_active: np.ndarray
    """Units in which the feature is not zero, in strata where the covariate varies."""
    n: np.ndarray
    """[c] units in strata where the covariate varies: no others bear on the effect."""
    n_minority: np.ndarray
    """[c] of these, units of the rarer class of a binary covariate, off the commonest value of any other."""
    n_strata: np.ndarray
    """[c] strata where the covariate varies."""
    binary: np.ndarray
    """[c] whether `effect` is an AUROC."""


def rank_strata(X: Matrix, stratum: np.ndarray) -> StrataRanks:
    """Rank every column of `X` [n, F] inside every stratum, zeros (stored or implicit) included.

    Time O(nnz log n), memory of the order of `X`. A dense `X` is held as a sparse one.

    Args:
        stratum: [n] label of each unit's stratum.

    Raises:
        SeqsaeError: `X` is not a matrix, holds NaN or infinite values, or has another number of rows than `stratum`.
    """
    stratum = np.asarray(stratum)
    if X.ndim != 2 or stratum.shape != X.shape[:1]:
        raise SeqsaeError(
            f"X {X.shape} and stratum {stratum.shape} do not fit; give a matrix and a stratum for each row"
        )
    values = sparse.csc_array(X, dtype=float, copy=True)
    values.sum_duplicates()
    values.eliminate_zeros()
    if not np.isfinite(values.data).all():
        raise SeqsaeError("the feature matrix holds NaN or infinite values; drop or fill them before ranking")
    _, code, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    return _ranked(values, code, sizes)


def screen_strata(
    ranks: StrataRanks,
    y: np.ndarray,
    cluster: np.ndarray | None = None,
    min_support: int = 10,
    binary: np.ndarray | None = None,
    weights: str = "pairs",
) -> Stratified:
    """Test every feature of `ranks` against every column of `y` [n, c] within strata.

    Args:
        ranks: from `rank_strata`.
        y, cluster, binary: as in `screen`.
        min_support: units (`n_active`) in which a feature must not be zero for a p-value; the covariate needs
            `MIN_MINORITY` units in `n_minority`.
        weights: of the strata in the AUROC, not in the test. With "pairs" a stratum counts by its pairs n1_h n0_h, so that the
            effect is the chance that, of all pairs of unequal class that share a stratum, the positive one has the
            higher value. "van-elteren" gives n1_h n0_h / (n_h + 1), those of the test: nearer to one vote a unit, and
            always on the side of .5 that the sign of z says.

    Raises:
        SeqsaeError: as `screen`; or weights of another name.
    """
    if weights not in WEIGHTS:
        raise SeqsaeError(f"weights {weights!r} are not known; give one of {', '.join(WEIGHTS)}")
    y, cluster, binary = checked(ranks, y, cluster, binary)
    shape = (ranks.excess.shape[1], y.shape[1])
    effect, z, p = np.full((3, *shape), np.nan)
    n_active, counts = np.zeros(shape, np.int64), np.zeros((3, shape[1]), np.int64)
    out = Stratified(effect, z, p, n_active, *counts, binary.copy())
    for columns in same_missing(y):
        rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
        if len(rows) < 3:
            continue
        kept = ranks if len(rows) == ranks.n else rank_strata(ranks.excess[rows], ranks.stratum[rows])
        tests = _Tests(kept, y[np.ix_(rows, columns)], binary[columns], cluster[rows])
        for whole, piece in zip(out, tests.results(min_support, weights), strict=True):
            whole[..., columns] = piece
    return out


def _ranked(values: sparse.csc_array, code: np.ndarray, sizes: np.ndarray) -> StrataRanks:
    """`rank_strata` of finite non-zeros: only runs of one feature in one stratum are visited."""
    shape = (len(sizes), values.shape[1])
    order = _by_stratum_and_value(values, code, len(sizes))
    ordered, of = values.data[order], code[values.indices][order]
    column = np.repeat(np.arange(shape[1]), np.diff(values.indptr))
    opens = np.ones(len(ordered), dtype=bool)
    opens[1:] = (of[1:] != of[:-1]) | (column[1:] != column[:-1])
    run, start = np.cumsum(opens) - 1, np.flatnonzero(opens)
    stratum, stored = of[start], np.diff(start, append=len(ordered))
    zeros, below = sizes[stratum] - stored, ordered < 0
    base = np.bincount(run, below, len(start)) + (zeros + 1) / 2
    opens[1:] |= ordered[1:] != ordered[:-1]
    excess = _tied_ranks(opens) - start[run] + np.where(below, 0, zeros[run]) - base[run]
    shift = (sizes[stratum] + 1) / 2 - base
    centred = excess - shift[run]
    sum2 = np.bincount(run, centred**2, len(start)) + zeros * shift**2
    sum3 = np.bincount(run, centred**3, len(start)) - zeros * shift**3
    data = np.empty(len(order))
    data[order] = excess
    indptr = np.searchsorted(column[start], np.arange(shape[1] + 1))
    shift, sum2, sum3, active = (
        sparse.csc_array((held.astype(float), stratum, indptr), shape=shape) for held in (shift, sum2, sum3, stored)
    )
    excess = sparse.csc_array((data, values.indices, values.indptr), shape=values.shape)
    return StrataRanks(excess, code, sizes, shift, sum2, sum3, active)


def _by_stratum_and_value(values: sparse.csc_array, code: np.ndarray, n_strata: int) -> np.ndarray:
    """[nnz] order of the stored values by column, then stratum, then value."""
    code = code.astype(np.uint16) if n_strata <= 1 << 16 else code  # numpy sorts short integers by their digits
    order = np.empty(values.nnz, dtype=np.intp)
    for start, stop in zip(values.indptr[:-1], values.indptr[1:], strict=True):
        by_value = np.argsort(values.data[start:stop])
        stratum = code[values.indices[start:stop]][by_value]
        order[start:stop] = start + by_value[np.argsort(stratum, kind="stable")]
    return order


def _tied_ranks(opens: np.ndarray) -> np.ndarray:
    """Mid-ranks, from 1, of ordered values, where `opens` marks the first of each run of equal ones."""
    first = np.flatnonzero(opens)
    count = np.diff(first, append=len(opens))
    return np.repeat(first + (count + 1) / 2, count)


class _Tests:
    """All features with covariates `y` [n, c] that have the same units and no missing values."""

    def __init__(self, ranks: StrataRanks, y: np.ndarray, binary: np.ndarray, cluster: np.ndarray):
        self.ranks, self.y, self.binary = ranks, y, binary
        self.weight = 1 / (ranks.sizes + 1)
        self.stratum, self.cluster = _members(ranks.stratum), _members(cluster)
        self.unit_weight = self.weight[ranks.stratum]
        self.r = np.column_stack([self._scores(y[:, j], binary[j]) for j in range(y.shape[1])])
        self.syy = self.stratum @ self.r**2  # [H, c]

    def _scores(self, y: np.ndarray, binary: bool) -> np.ndarray:
        if binary:
            return y - ((self.stratum @ y) / self.ranks.sizes)[self.ranks.stratum]
        own = rank_strata(y[:, None], self.ranks.stratum)
        return (own.excess.toarray() - own.shift.toarray()[own.stratum])[:, 0] * self.unit_weight

    def results(self, min_support: int, weights: str) -> Stratified:
        varies = self.syy > 0
        total = self.ranks.excess.T @ (self.unit_weight[:, None] * self.r)
        (variance, skew), design = self._moments(), self._design()
        with np.errstate(invalid="ignore", divide="ignore"):
            z = np.where(variance > 0, total / np.sqrt(variance * design), np.nan)
        n_active = self.ranks.active.T @ varies.astype(float)
        n_minority = self._minority(varies)
        testable = (n_active >= min_support) & (n_minority >= MIN_MINORITY)
        p = tails(z, skew, design, testable)
        n = self.ranks.sizes @ varies
        effect = self._effects(total, weights)
        return Stratified(effect, z, p, n_active.astype(np.int64), n, n_minority, varies.sum(axis=0), self.binary)

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """(V, skewness of T) [F, c] when strata are permuted apart."""
        n, weight = self.ranks.sizes[:, None], self.weight[:, None]
        variance = self.ranks.sum2.T @ (weight**2 * self.syy / np.maximum(n - 1, 1))
        cubes = np.where(n > 2, n * (self.stratum @ self.r**3) / np.maximum((n - 1) * (n - 2), 1), 0)
        third = self.ranks.sum3.T @ (weight**3 * cubes)
        return variance, third / np.where(variance > 0, variance, 1) ** 1.5

    def _design(self) -> np.ndarray:
        """[F, c] factor >= 1 by which clusters widen V (Moulton 1986), from sums of weighted scores over clusters."""
        sizes = np.asarray(self.cluster.sum(axis=1)).ravel()
        if sizes.max() == 1:
            return np.ones((self.ranks.excess.shape[1], self.r.shape[1]))
        weighted, shift = self.cluster @ sparse.diags_array(self.unit_weight), self.ranks.shift
        sums, held = weighted @ self.ranks.excess, weighted @ self.stratum.T  # [C, F], [C, H]
        crossed = shift.multiply((held.T @ held) @ shift - 2 * (held.T @ sums))
        squares = np.asarray(sums.multiply(sums).sum(axis=0) + crossed.sum(axis=0)).ravel()
        own = self.ranks.sum2.T @ self.weight**2
        icc = (squares / np.where(own > 0, own, 1) - 1) * len(self.r) / (sizes * (sizes - 1)).sum()
        own_y = self.syy.sum(axis=0)
        spread = ((self.cluster @ self.r) ** 2).sum(axis=0) / np.where(own_y > 0, own_y, 1) - 1
        return np.maximum(1, 1 + np.outer(icc, spread))

    def _effects(self, total: np.ndarray, weights: str) -> np.ndarray:
        """[F, c]: 1/2 + sum_h v_h T_h / (n1_h n0_h), weights v_h adding up to 1, or T over the root of both sums of squares."""
        squares = np.outer(self.ranks.sum2.T @ self.weight**2, self.syy.sum(axis=0))
        with np.errstate(invalid="ignore", divide="ignore"):
            rho = np.where(squares > 0, total / np.sqrt(squares), np.nan)
            # In a stratum the squares of a centred 0/1 score add up to n1_h n0_h / n_h.
            if weights == "pairs":
                auroc = 0.5 + (self.ranks.excess.T @ self.r) / (self.ranks.sizes @ self.syy)
            else:
                auroc = 0.5 + total / ((self.ranks.sizes * self.weight) @ self.syy)
        return np.where(self.binary, auroc, rho)

    def _minority(self, varies: np.ndarray) -> np.ndarray:
        """[c] units in strata that vary: of the rarer class (binary), or off the commonest value."""
        out = np.zeros(self.y.shape[1], np.int64)
        for j in range(len(out)):
            counts = np.unique(self.y[varies[self.ranks.stratum, j], j], return_counts=True)[1]
            out[j] = counts.sum() - counts.max(initial=0)
        return out


def _members(label: np.ndarray) -> sparse.csr_array:
    """[labels, n] of ones: which units bear each label."""
    names, member = np.unique(label, return_inverse=True)
    n = len(member)
    return sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(len(names), n))
