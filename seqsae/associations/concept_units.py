"""A source's units as concept scores read them: none below zero, each over its largest value on the train rows."""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.features.sources import FeatureSource, blocks


class Scaled:
    """Units of a FeatureSource with largest value 1 on the train rows.

    A signed unit becomes two: how far it lies above its train mean, and how far below. A unit that no train row switches on
    has no scale and is off everywhere.
    """

    def __init__(self, source: FeatureSource, store: Store):
        self.source, self.store, self.name = source, store, source.name

    @cached_property
    def labels(self) -> list[str]:
        """One a unit."""
        plain = list(self.source.labels)
        return plain if self._mean is None else plain + [f"{label}, low" for label in plain]

    @property
    def block(self) -> int:
        """Rows to read at a time: about four million values of a dense source, more of a sparse one."""
        return max(256, 2**22 // len(self.labels)) if self._mean is not None else 2**15

    @property
    def scale(self) -> np.ndarray:
        """[U] float32: the largest value on the train rows."""
        return self._fitted[0]

    @property
    def _mean(self) -> np.ndarray | None:
        return self._fitted[1]

    @cached_property
    def _fitted(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Scale [U], and for signed units their train mean [U / 2]."""
        n, total = 0, 0.0
        high, low = -np.inf, np.inf
        sparse = False
        for rows in blocks(self.store.rows_in("train")):
            values = self.source.values(rows)
            sparse = sp.issparse(values)
            top = values.max(axis=0)
            high = np.maximum(high, top.toarray().ravel() if sparse else top)
            if not sparse:
                low, total, n = (
                    np.minimum(low, values.min(axis=0)),
                    total + values.sum(axis=0, dtype=np.float64),
                    n + len(values),
                )
        if np.isscalar(high):
            raise SeqsaeError(
                f"source {self.name!r}: no rows in the train split to scale its units by; check the splits"
            )
        if n == 0:
            return np.maximum(high, 0).astype(np.float32), None
        mean = (total / n).astype(np.float32)
        return np.concatenate([high - mean, mean - low]).astype(np.float32), mean

    @property
    def is_signed(self) -> bool:
        """Whether each unit of the source has become two."""
        return self._mean is not None

    def signed(self, rows: np.ndarray, units: np.ndarray) -> np.ndarray:
        """[len(rows), U] float32 of a signed source: each chosen unit's distance from its train mean, below zero too, not scaled."""
        return self._apart(self.source.values(rows))[:, units]

    def values(self, rows: np.ndarray, units: np.ndarray | None = None) -> sp.csr_array:
        """[len(rows), U] float32 over the scale, of the chosen units if given."""
        values = self.source.values(rows)
        if not sp.issparse(values):
            values = sp.csr_array(np.maximum(self._apart(values), 0))
        return self.scaled(values if units is None else sp.csr_array(values[:, units]), units)

    def scaled(self, values: sp.csr_array, units: np.ndarray | None = None) -> sp.csr_array:
        """Values of the chosen units (all if not given), none below zero, over their scale."""
        scale = self.scale if units is None else self.scale[units]
        known = scale[values.indices] > 0
        data = np.where(
            known, values.data.astype(np.float32) / np.where(known, scale[values.indices], 1), np.float32(0)
        )
        made = sp.csr_array((data, values.indices, values.indptr), shape=values.shape)
        if not data.all():
            made = made.copy()
            made.eliminate_zeros()
        return made

    def _apart(self, values: np.ndarray) -> np.ndarray:
        """[n, U / 2] of a signed source as [n, U]: above the train mean, and below it."""
        apart = values - self._mean
        return np.concatenate([apart, -apart], axis=1)
