"""Detectors of two tokens side by side: what can be read off the record without a model that looks further back than one row."""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.features.sources import token_codes

MOST = 4_096  # pairs


class TokenPairs:
    """Unit "A then B" is on where token B stands and A in the row before it, in the same sample.

    The pairs are those that enough clusters of the select split hold; if there are more than `most`, those that most clusters hold.
    Time O(rows), memory three whole numbers a row.

    Args:
        min_support: clusters that a pair must be found in.
    """

    name = "token-pair"

    def __init__(self, store: Store, min_support: int = 1, most: int = MOST):
        self.store, self.min_support, self.most = store, min_support, most
        self.tokens, self.names = token_codes(store)

    @cached_property
    def labels(self) -> list[str]:
        first, second = np.divmod(self.kept, len(self.names))
        return [f"{self.names[a]} then {self.names[b]}" for a, b in zip(first, second, strict=True)]

    @cached_property
    def kept(self) -> np.ndarray:
        """[pairs] numbers of the pairs (first token times all tokens, plus second), ascending."""
        rows = self.store.rows_in("select")
        pair = self._pair(rows)
        rows, pair = rows[pair >= 0], pair[pair >= 0]
        numbers, place = np.unique(pair, return_inverse=True)
        clusters = self.store.subjects["cluster"].rank("dense").to_numpy().astype(np.int64)
        of_row = clusters[self.store.row_subject[rows]]
        width = int(clusters.max(initial=0)) + 1
        support = np.bincount(np.unique(place * width + of_row) // width, minlength=len(numbers))
        order = np.lexsort((numbers, -support))[: self.most]
        return np.sort(numbers[order[support[order] >= self.min_support]])

    def values(self, rows: np.ndarray) -> sp.csr_array:
        pair = self._pair(rows)
        place = np.searchsorted(self.kept, pair)
        there = np.append(self.kept, -2)[place] == pair
        indptr = np.concatenate([[0], np.cumsum(there)])
        return sp.csr_array((np.ones(indptr[-1], np.float32), place[there], indptr), shape=(len(rows), len(self.kept)))

    def _pair(self, rows: np.ndarray) -> np.ndarray:
        """[len(rows)] number of the pair that ends at each row, -1 at the first row of a sample."""
        sample = self.store.row_sample
        before = np.maximum(rows - 1, 0)
        paired = (rows > 0) & (sample[before] == sample[rows])
        return np.where(paired, self.tokens[before] * len(self.names) + self.tokens[rows], -1)
