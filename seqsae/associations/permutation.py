"""The best of all features by luck alone: labels permuted by whole clusters within strata (max-T).

Letters: n units, F features, c covariates, B permutations, C clusters, G kinds of m units and k clusters each.

Clusters are of one kind if they have the same size and the same strata, unit by unit (the units of a cluster stand in the order
of their strata, and within one in that of the rows). A permutation hands the labels of whole clusters to clusters of
the same kind; it keeps what labels of a cluster have to do with each other and with the strata. A slot is one place in all
clusters of a kind: labels move within it.

T = sum over units of mid-rank * (score less its mean in the slot) has mean 0 over all permutations. It is divided by the root
of V, its variance over permutations of the clusters and of the places in all of them alike: exact where clusters are single
units (Pitman 1937), and never taken to be less than if units of a cluster had nothing in common. A feature's p is the share
of permutations in which the largest |T| / sqrt(V) of all features reaches its own (Westfall & Young 1993, single step), the
order as observed being one of them (Phipson & Smyth 2010). Permutations leave V as it is, so p holds even where V is off.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.inflation import MEDIAN, MIN_FEATURES
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.screen import checked, same_missing, scores_of
from seqsae.errors import SeqsaeError


class Plan(NamedTuple):
    """How much to permute."""

    n: int = 1000
    seed: int = 0
    block_bytes: int = 1 << 27
    """Of the largest array made for a block of permutations (one permutation of one covariate at least); changes no result
    beyond rounding."""


PLAN = Plan()


class MaxT(NamedTuple):
    """Results of `max_t`; NaN where nothing could be permuted or no feature is tested."""

    z: np.ndarray
    """[F, c] T / sqrt(V); NaN where T cannot vary or the feature is not tested."""
    p: np.ndarray
    """[F, c] adjusted for all tested features, 1 / (B + 1) at least."""
    null_95: np.ndarray
    """[c] 95th percentile of `effect_maxima`: what the best feature reaches in one run of twenty by luck and strata alone."""
    maxima: np.ndarray
    """[B, c] largest |T| / sqrt(V) of any tested feature. Blocks of features of the same units: take the larger, by element,
    then `adjusted_p`."""
    effect_maxima: np.ndarray
    """[B, c] largest crude effect of any tested feature: distance of AUROC from .5 (binary), or |rho|. What strata bring is in it."""
    lambdas: np.ndarray
    """[B, c] median of z^2 over tested features / 0.4549: what `inflation` of `z` is by luck, with all features' correlations."""
    n_clusters: np.ndarray
    """[c] clusters with a value."""
    n_fixed: np.ndarray
    """[c] of these, the only one of its kind: its labels cannot move."""


def max_t(
    ranks: RankMatrix,
    y: np.ndarray,
    cluster: np.ndarray | None = None,
    stratum: np.ndarray | None = None,
    plan: Plan = PLAN,
    binary: np.ndarray | None = None,
    tested: np.ndarray | None = None,
) -> MaxT:
    """Permute every column of `y` [n, c] and test every feature of `ranks` against the best of all.

    Columns of `y` with the same gaps see the same permutations.

    Args:
        y, cluster, binary: as in `screen`. Units without a value are left out, features ranked anew without them.
        stratum: [n] label of each unit's confounder stratum; None: all units in one.
        tested: [F, c] features that count (say, with enough support); None: all.

    Raises:
        SeqsaeError: as `screen`; or `stratum` or `tested` does not fit.
    """
    y, cluster, binary = checked(ranks, y, cluster, binary)
    stratum, tested = _fitting(stratum, tested, ranks, y.shape[1])
    out = _empty(tested.shape, plan.n)
    for columns in same_missing(y):
        rows = np.flatnonzero(np.isfinite(y[:, columns[0]]))
        if len(rows) < 3:
            continue
        kept = ranks if len(rows) == ranks.n else rank_excess(ranks.excess[rows])
        tests = _Tests(kept, Exchange(cluster[rows], stratum[rows]), plan)
        for first in range(0, len(columns), tests.width):
            some = columns[first : first + tests.width]
            part = tests.results(scores_of(y[np.ix_(rows, some)], binary[some]), binary[some], tested[:, some])
            for whole, piece in zip(out, part, strict=True):
                whole[..., some] = piece
    return out


def adjusted_p(z: np.ndarray, maxima: np.ndarray) -> np.ndarray:
    """[F, c] (1 + permutations whose `maxima` [B, c] reach |z| [F, c]) / (B + 1); NaN where z is."""
    out = np.full(z.shape, np.nan)
    for j in range(z.shape[1]):
        # Sums in another order differ by rounding; an equal permutation must still count.
        reached = np.searchsorted(np.sort(maxima[:, j]), np.abs(z[:, j]) * (1 - 1e-9))
        out[:, j] = (1 + len(maxima) - reached) / (len(maxima) + 1)
    return np.where(np.isnan(z), np.nan, out)


class Exchange:
    """Which clusters may hand each other their labels, and the permutations that do so."""

    def __init__(self, cluster: np.ndarray, stratum: np.ndarray):
        cluster, stratum = (np.unique(label, return_inverse=True)[1] for label in (cluster, stratum))
        units, size = np.lexsort((stratum, cluster)), np.bincount(cluster)
        begin = np.cumsum(size) - size
        kind = _kinds(stratum[units], begin, size)
        order = np.argsort(kind, kind="stable")
        self.kind, self.size = kind[order], size[order]
        self.k = np.bincount(kind)
        """[G] clusters of each kind."""
        self.first = np.cumsum(self.k) - self.k
        self.m = self.size[self.first]
        """[G] units in each cluster of a kind."""
        self.begin = np.cumsum(self.size) - self.size
        self.place = np.arange(len(units)) - np.repeat(self.begin, self.size)
        self.units = units[np.repeat(begin[order], self.size) + self.place]
        """[n] units by kind, cluster and place."""

    @property
    def n_fixed(self) -> int:
        """Clusters alone of their kind."""
        return int((self.k == 1).sum())

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """[n] the unit whose label each unit is given; all permutations are equally likely."""
        order = np.arange(len(self.kind))
        for first, k in zip(self.first[self.k > 1], self.k[self.k > 1], strict=True):
            rng.shuffle(order[first : first + k])
        take = np.empty_like(self.units)
        take[self.units] = self.units[np.repeat(self.begin[order], self.size) + self.place]
        return take

    def members(self) -> list[sparse.csr_array]:
        """Ones where a unit is in a slot [S, n], in a cluster [C, n], of a kind [G, n]."""
        n, kind = len(self.units), np.repeat(self.kind, self.size)
        slot = (np.cumsum(self.m) - self.m)[kind] + self.place
        labels = ((slot, self.m.sum()), (np.repeat(np.arange(len(self.kind)), self.size), len(self.kind)))
        return [
            sparse.csr_array((np.ones(n), (label, self.units)), shape=(int(count), n))
            for label, count in (*labels, (kind, len(self.k)))
        ]


def _kinds(stratum: np.ndarray, begin: np.ndarray, size: np.ndarray) -> np.ndarray:
    """[C] number of each cluster's kind; `stratum` stands cluster by cluster, ascending in each."""
    kind, found = np.empty(len(size), np.intp), 0
    for m in np.unique(size):
        same = np.flatnonzero(size == m)
        table = stratum[begin[same, None] + np.arange(m)]
        _, number = np.unique(table, axis=0, return_inverse=True)
        kind[same] = found + number.ravel()
        found = kind[same].max() + 1
    return kind


class _Tests:
    """What any covariate needs of the features of `ranks` under `moves`."""

    def __init__(self, ranks: RankMatrix, moves: Exchange, plan: Plan):
        self.ranks, self.moves, self.plan, x = ranks, moves, plan, ranks.excess
        self.width = max(1, plan.block_bytes // (8 * max(ranks.n, x.shape[1])))
        """Columns, of any permutation and covariate, that fit into a block."""
        self.slots, self.clusters, self.kinds = moves.members()
        self.slot_kind = np.repeat(np.arange(len(moves.k)), moves.m)
        self.unit_kind = np.empty(ranks.n, np.intp)
        self.unit_kind[moves.units] = np.repeat(moves.kind, moves.size)
        self.squares = _squared(x), _squared(self.slots @ x)
        self.singles = moves.m.max() == 1
        self.shared = () if self.singles else (_squared(self.clusters @ x), _squared(self.kinds @ x))

    def results(self, r: np.ndarray, binary: np.ndarray, tested: np.ndarray) -> MaxT:
        """For centred scores `r` [n, c] without missing values."""
        moved = self._less_slot_means(r)
        variance, live = self._variance(moved)
        live &= tested
        scale = np.where(live, 1 / np.sqrt(np.where(live, variance, 1)), 0)
        still = self.ranks.excess.T @ (r - moved)
        z = np.where(live, (self.ranks.excess.T @ moved) * scale, np.nan)
        maxima, effects, lambdas = self._permuted(moved, still, scale, np.where(live, self._per_effect(r, binary), 0))
        for held in (maxima, effects):
            held[:, ~live.any(axis=0)] = np.nan
        ceiling = np.quantile(effects, 0.95, axis=0, method="higher")
        counts = len(self.moves.kind), self.moves.n_fixed
        return MaxT(z, adjusted_p(z, maxima), ceiling, maxima, effects, lambdas, *map(np.asarray, counts))

    def _per_effect(self, r: np.ndarray, binary: np.ndarray) -> np.ndarray:
        """[F, c] effect for one unit of T."""
        squares = (r**2).sum(axis=0)
        # A centred 0/1 score has sum of squares n+ n- / n.
        size = np.where(binary, self.ranks.n * squares, np.sqrt(np.outer(self.ranks.sum2, squares)))
        return 1 / np.where(size > 0, size, 1)

    def _less_slot_means(self, r: np.ndarray) -> np.ndarray:
        mean = self.slots.T @ ((self.slots @ r) / self.moves.k[self.slot_kind, None])
        moved = r - mean
        return np.where(np.abs(moved) > 1e-12 * np.abs(r).max(axis=0), moved, 0)  # a mean of equals is not always exact

    def _variance(self, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(V, whether T varies) [F, c]: over kinds, (Sxx Syy / m + (Qx - Sxx)(Qy - Syy) / (m (m - 1))) / (k - 1).

        S sums squares over units, Q squares of sums over clusters; x and y less their means in the slots.
        """
        m, k = self.moves.m[:, None], self.moves.k[:, None]
        own = self.kinds @ moved**2
        apart = np.where(k > 1, own / m / np.maximum(k - 1, 1), 0)
        variance = self._quadratic(apart)
        live = variance > 1e-9 * (self.squares[0].T @ apart[self.unit_kind])
        if self.singles:
            return variance, live
        sums = self.clusters @ moved
        together = np.add.reduceat(sums**2, self.moves.first, axis=0) - own
        pairs = np.where((k > 1) & (m > 1), together / np.maximum(m * (m - 1) * (k - 1), 1), 0)
        return np.maximum(variance, self._quadratic(apart - pairs) + self._quadratic_shared(pairs)), live

    def _quadratic(self, weight: np.ndarray) -> np.ndarray:
        """[F, c] sum over kinds of `weight` [G, c] * Sxx."""
        units, slots = self.squares
        return units.T @ weight[self.unit_kind] - slots.T @ (weight / self.moves.k[:, None])[self.slot_kind]

    def _quadratic_shared(self, weight: np.ndarray) -> np.ndarray:
        """[F, c] sum over kinds of `weight` [G, c] * Qx."""
        clusters, kinds = self.shared
        return clusters.T @ weight[self.moves.kind] - kinds.T @ (weight / self.moves.k[:, None])

    def _permuted(self, moved: np.ndarray, still: np.ndarray, scale: np.ndarray, per_effect: np.ndarray) -> np.ndarray:
        """[3, B, c] largest |T| / sqrt(V), largest effect, lambda; `still` [F, c] is the part of T that strata hold."""
        (n, c), rng, x = moved.shape, np.random.default_rng(self.plan.seed), self.ranks.excess.T
        out, step = np.full((3, self.plan.n, c), np.nan), max(1, self.width // c)
        for first in range(0, self.plan.n, step):
            block = np.empty((n, min(step, self.plan.n - first), c))
            for j in range(block.shape[1]):
                block[:, j] = moved[self.moves.draw(rng)]
            total = np.asarray(x @ block.reshape(n, -1)).reshape(len(scale), -1, c)
            here = slice(first, first + block.shape[1])
            del block
            out[1, here] = _largest(total + still[:, None], per_effect)
            out[0, here] = _largest(total, scale)
            out[2, here] = _lambdas(total, scale > 0)
        return out


def _largest(total: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """[b, c] largest over features of |total| [F, b, c] * `scale` [F, c]; `total` is overwritten by these products."""
    np.abs(total, out=total)
    total *= scale[:, None]
    return total.max(axis=0, initial=0)


def _lambdas(z: np.ndarray, on: np.ndarray) -> np.ndarray:
    """[b, c] lambda of |z| [F, b, c] over the features that are `on` [F, c]."""
    out = np.full(z.shape[1:], np.nan)
    for j in np.flatnonzero(on.sum(axis=0) >= MIN_FEATURES):
        out[:, j] = np.median(z[on[:, j], :, j] ** 2, axis=0) / MEDIAN
    return out


def _squared(x: sparse.sparray | np.ndarray) -> sparse.sparray | np.ndarray:
    """Element by element."""
    return x.power(2) if sparse.issparse(x) else x**2


def _fitting(
    stratum: np.ndarray | None, tested: np.ndarray | None, ranks: RankMatrix, n_columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """(stratum [n], tested [F, c]) as given, or all in one and all."""
    stratum = np.zeros(ranks.n, np.int64) if stratum is None else np.asarray(stratum)
    shape = (len(ranks.base), n_columns)
    tested = np.ones(shape, dtype=bool) if tested is None else np.asarray(tested, dtype=bool)
    if stratum.shape != (ranks.n,) or tested.shape != shape:
        raise SeqsaeError(
            f"stratum {stratum.shape} or tested {tested.shape} does not fit; give a stratum for each of the {ranks.n} units "
            f"and tested as {list(shape)}, features by covariates"
        )
    return stratum, tested


def _empty(shape: tuple[int, int], n: int) -> MaxT:
    z, p = np.full((2, *shape), np.nan)
    maxima, effects, lambdas = np.full((3, n, shape[1]), np.nan)
    n_clusters, n_fixed = np.zeros((2, shape[1]), np.int64)
    return MaxT(z, p, np.full(shape[1], np.nan), maxima, effects, lambdas, n_clusters, n_fixed)
