"""Whom a probe learns from and whom it is scored on: subjects the SAE has not seen, in folds of whole clusters."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqsae.associations.observations import split_of
from seqsae.associations.units import Units

SPLITS = ("select", "calibrate", "test")


@dataclass(frozen=True)
class HeldOut(Units):
    """The units of every split but the SAE's own train split."""

    split: str = "held out"

    @cached_property
    def chosen(self) -> np.ndarray:
        """Indices of the view's units in those splits, ascending."""
        return np.flatnonzero(np.isin(split_of(self.store, self.unit), SPLITS))


def folds_of(cluster: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """[n] fold of each unit, 0 to n_folds - 1: clusters [n] in an order drawn with the seed, cut where equal shares of units end.

    Clusters are whole; folds differ by about one cluster in size.
    """
    _, member, size = np.unique(cluster, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(size))
    middle = np.cumsum(size[order]) - size[order] / 2
    of_cluster = np.empty(len(size), dtype=np.int64)
    of_cluster[order] = np.minimum(middle * n_folds / max(size.sum(), 1), n_folds - 1).astype(np.int64)
    return of_cluster[member]
