"""The matrices that statistics read: a source's values over the units of one split."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.observations import cluster_codes, sample_of, split_of
from seqsae.features.pooling import pool
from seqsae.features.sources import FeatureSource

ROWS = 1 << 18  # read at a time
DENSE_POOLINGS = ("mean", "max", "min")  # signed units have no rate, and their minimum is as telling as their maximum


@dataclass(frozen=True)
class Units:
    """One split of one unit: which of the view's units, and their clusters."""

    store: Store
    unit: str
    split: str

    @cached_property
    def chosen(self) -> np.ndarray:
        """Indices of the view's units (samples, events or rows) in this split, ascending."""
        return np.flatnonzero(split_of(self.store, self.unit) == self.split)

    @cached_property
    def cluster(self) -> np.ndarray:
        return cluster_codes(self.store, self.unit)[self.chosen]

    @property
    def repeats(self) -> bool:
        """Whether one subject stands behind several units: rows, events, or samples at several prediction times."""
        return self.unit != "subject" or self.store.samples["subject"].is_duplicated().any()

    @cached_property
    def sample(self) -> np.ndarray:
        """[units] sample of each."""
        return sample_of(self.store, self.unit)[self.chosen]

    @cached_property
    def counts(self) -> np.ndarray:
        """[units] rows of each."""
        if self.unit == "token":
            return np.ones(len(self.chosen), np.int64)
        counts = self.store.events.counts if self.unit == "event" else self.store.samples["n_rows"].to_numpy()
        return counts[self.chosen].astype(np.int64)

    @cached_property
    def rows(self) -> np.ndarray:
        """Row numbers of the units, unit by unit; ascending for rows and samples."""
        if self.unit == "token":
            return self.chosen
        if self.unit == "subject":
            return np.flatnonzero(np.isin(self.store.row_sample, self.chosen))
        within = np.arange(self.counts.sum()) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        return self.store.events.rows[np.repeat(self.store.events.starts[self.chosen], self.counts) + within]

    def pooled(self, source: FeatureSource, poolings: tuple[str, ...]) -> "Pooled":
        """The source's values over these units: as they are (rows, and events of one row each), or under each pooling."""
        if self.unit == "token" or (self.unit == "event" and self.store.events.single):
            return Pooled([None], lambda _: _read(source, self.rows))
        few = _read(source, self.rows if len(self.rows) <= ROWS else self.rows[:1])
        read = (lambda at: few[at]) if len(self.rows) <= ROWS else (lambda at: _read(source, self.rows[at]))
        names = poolings if sp.issparse(few) else DENSE_POOLINGS
        return Pooled(list(names), lambda pooling: self._pooled(read, pooling))

    def _pooled(self, read: Callable[[slice], sp.csr_array | np.ndarray], pooling: str) -> sp.csr_array | np.ndarray:
        """[units, features], a run of whole units at a time, so that what many rows hold is never all in memory."""
        counts = self.counts
        ends = np.concatenate([[0], np.cumsum(counts)])
        runs = [0, *(np.flatnonzero(np.diff(ends[:-1] // ROWS)) + 1), len(counts)]
        parts = [
            pool(read(slice(ends[first], ends[last])), counts[first:last], pooling)
            for first, last in itertools.pairwise(runs)
        ]
        return sp.vstack(parts, format="csr") if sp.issparse(parts[0]) else np.concatenate(parts)


def _read(source: FeatureSource, rows: np.ndarray) -> sp.csr_array | np.ndarray:
    """The source's values at `rows` in their order; it is asked in ascending order, as some sources need."""
    if not len(rows) or (np.diff(rows) > 0).all():
        return source.values(rows)
    order = np.argsort(rows)
    back = np.empty_like(order)
    back[order] = np.arange(len(rows))
    return source.values(rows[order])[back]


@dataclass(frozen=True)
class Pooled:
    """Matrices [units, features] by pooling (None where units are rows), made when asked for."""

    poolings: list[str | None]
    make: Callable[[str | None], sp.csr_array | np.ndarray]
