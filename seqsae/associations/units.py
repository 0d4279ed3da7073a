"""The matrices that statistics read: a source's values over the units of one split."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.targets import cluster_codes, split_of
from seqsae.features.pooling import pool
from seqsae.features.sources import FeatureSource

DENSE_POOLINGS = ("mean", "max", "min")  # signed units have no rate, and their minimum is as telling as their maximum


@dataclass(frozen=True)
class Units:
    """One split of one unit: which of the view's units, and their clusters."""

    store: Store
    unit: str
    split: str

    @cached_property
    def chosen(self) -> np.ndarray:
        """Indices of the view's units (samples or rows) in this split, ascending."""
        return np.flatnonzero(split_of(self.store, self.unit) == self.split)

    @cached_property
    def cluster(self) -> np.ndarray:
        return cluster_codes(self.store, self.unit)[self.chosen]

    @property
    def repeats(self) -> bool:
        """Whether one subject stands behind several units: rows, or samples at several prediction times."""
        return self.unit == "token" or self.store.samples["subject"].is_duplicated().any()

    @cached_property
    def rows(self) -> np.ndarray:
        """Row numbers of the units, ascending."""
        if self.unit == "token":
            return self.chosen
        return np.flatnonzero(np.isin(self.store.row_sample, self.chosen))

    def pooled(self, source: FeatureSource, poolings: tuple[str, ...]) -> "Pooled":
        """The source's values over these units: as they are (token), or under each pooling (subject)."""
        values = source.values(self.rows)
        if self.unit == "token":
            return Pooled([None], lambda _: values)
        dense = not sp.issparse(values)
        counts = self.store.samples["n_rows"].to_numpy()[self.chosen].astype(np.int64)
        return Pooled(list(DENSE_POOLINGS if dense else poolings), lambda pooling: pool(values, counts, pooling))


@dataclass(frozen=True)
class Pooled:
    """Matrices [units, features] by pooling (None at token level), made when asked for."""

    poolings: list[str | None]
    make: Callable[[str | None], sp.csr_array | np.ndarray]
