"""The k-sparse probe as a baseline: a ridge on the k features most tied to the target, chosen and fitted on the select split."""

from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp

from seqsae.associations.fitted import Ridge
from seqsae.associations.probing.choosing import basis_of, columns_of, strongest, support, ties
from seqsae.associations.ranks import Matrix, midranks, rank_excess
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.encoding import Encoded

POOLINGS = ("mean", "max", "presence")
MIN_SUPPORT = 10  # clusters of the select split in which a feature must fire to be chosen
MOST_UNITS = 1 << 20  # token level: more are not densified, even for a few columns
LONGEST = 50  # features of which an order is kept: the longest probe that shares it

Choice = tuple[np.ndarray, np.ndarray]  # features, and which pooling each is read under


class _Pools:
    """Pooled values of one source by unit and split, and the order of features for each target: all k share them."""

    def __init__(self):
        self.matrices: dict[tuple[str, str], list[Matrix]] = {}
        self.orders: dict[tuple, Choice] = {}

    def of(self, encoded: Encoded, units: Units) -> list[Matrix]:
        """A matrix [units, F] for each pooling, by columns where sparse."""
        key = (units.unit, units.split)
        if key not in self.matrices:
            pooled = units.pooled(encoded, POOLINGS)
            made = [pooled.make(pooling) for pooling in pooled.poolings]
            self.matrices[key] = [sp.csc_array(one) if sp.issparse(one) else one for one in made]
        return self.matrices[key]

    def order(self, encoded: Encoded, aim: Target, select: Units, least: int) -> Choice:
        """Features by falling tie to the target, each under the pooling in which it is most tied."""
        y = aim.y[select.chosen]
        key = (aim.unit, aim.is_binary, least, y.tobytes())
        if key not in self.orders:
            self.orders[key] = _order(self.of(encoded, select), y, aim.is_binary, select.cluster, least)
        return self.orders[key]


_POOLS: WeakKeyDictionary[Encoded, _Pools] = WeakKeyDictionary()


class KSparse:
    """Ridge on the k features most tied to the target (Gurnee et al. 2023), chosen and fitted on the select split alone.

    Of a binary target on 0 and 1, of others on their ranks; at most k features, fewer where fewer have enough support. Each
    feature is read under the pooling (mean, maximum, presence) in which it is most tied on select.
    """

    def __init__(self, encoded: Encoded, k: int, min_support: int = MIN_SUPPORT):
        self.encoded, self.k, self.min_support = encoded, k, min_support
        self.name = f"k-sparse-{k}"
        self._pools = _POOLS.setdefault(encoded, _Pools())

    def label(self, aim: Target) -> str:
        return "ridge on 1 feature" if self.k == 1 else f"ridge on {self.k} features"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray | None:
        """[test units]; None where select holds one value only, no feature is tied to it, or there are too many rows."""
        y = aim.y[select.chosen]
        known = np.isfinite(y)
        if len(np.unique(y[known])) < 2 or max(len(y), len(test.chosen)) > MOST_UNITS:
            return None
        features, poolings = (part[: self.k] for part in self._pools.order(self.encoded, aim, select, self.min_support))
        if not len(features):
            return None
        here, there = (columns_of(self._pools.of(self.encoded, one), features, poolings) for one in (select, test))
        fitted = Ridge(here[known], select.cluster[known]).fit(y[known] if aim.is_binary else midranks(y[known]))
        return fitted(there)


def _order(matrices: list[Matrix], y: np.ndarray, binary: bool, cluster: np.ndarray, least: int) -> Choice:
    known = np.flatnonzero(np.isfinite(y))
    target = y[known] if binary else midranks(y[known])
    found = [_tied(_rows(matrix, known), target, binary, cluster[known], least) for matrix in matrices]
    tie = np.array(found)
    features = strongest(tie.max(axis=0), LONGEST)
    return features, tie.argmax(axis=0)[features]


def _tied(x: Matrix, target: np.ndarray, binary: bool, cluster: np.ndarray, least: int) -> np.ndarray:
    """[F] tie of each feature, 0 where it has too little support."""
    enough = support(x, cluster) >= least
    x = x if binary else rank_excess(x).excess
    return np.where(enough, ties(x, target[:, None], basis_of(None, len(target)))[:, 0], 0)


def _rows(x: Matrix, rows: np.ndarray) -> Matrix:
    return x if len(rows) == x.shape[0] else x[rows]
