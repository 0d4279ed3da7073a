"""Products of a feature matrix with many columns at once, by rows within narrow blocks of features.

Letters: n units, F features, k columns.

Stored by columns, X'Y fetches a row of Y anew for every non-zero, from all over Y. Stored by rows, each row of Y is fetched once
for a block of features, and what the block adds up to, [WIDTH, k], stays in the processor's cache: 3 to 6 times as fast.
"""

from collections.abc import Callable, Iterator
from functools import reduce

import numpy as np
from scipy import sparse

WIDTH = 256
"""Features in a block."""
ROWS = 16384
"""Units whose columns are made at a time."""
FEW = 8
"""Columns below which sorting X by rows costs more than it saves."""

Held = sparse.csr_array | np.ndarray


def across(x: sparse.sparray | np.ndarray, y: np.ndarray) -> np.ndarray:
    """x'y [F, k] of `x` [n, F] and `y` [n, k]."""
    if not sparse.issparse(x) or y.shape[1] < FEW:
        return x.T @ y
    y = np.ascontiguousarray(y)
    return np.concatenate([block.T @ y for block in _by_rows(x)])


class Powers:
    """A feature matrix [n, F] and the sums over units of its powers, element by element, with any columns."""

    def __init__(self, x: sparse.sparray | np.ndarray):
        self.n, self.n_features = x.shape
        self.blocks: list[Held] = list(_by_rows(x)) if sparse.issparse(x) else [x]

    def sums(self, columns: Callable[[slice], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
        """[F, k_p] for p = 1, 2, ...: sum over units of x^p y_p.

        Args:
            columns: gives the y_p [units, k_p] of a slice of the units, so that they need never all be there at once.
        """
        totals: list[list[np.ndarray]] = [[] for _ in self.blocks]
        for first in range(0, self.n, ROWS):
            units = slice(first, min(first + ROWS, self.n))
            given = columns(units)
            for block, total in zip(self.blocks, totals, strict=True):
                found = _sums(_rows(block, units), given)
                total[:] = [a + b for a, b in zip(total, found, strict=True)] if total else found
        return [np.concatenate(parts) for parts in zip(*totals, strict=True)]


def _by_rows(x: sparse.sparray) -> Iterator[sparse.csr_array]:
    """Blocks of WIDTH features, one at least."""
    for first in range(0, max(x.shape[1], 1), WIDTH):
        yield x[:, first : first + WIDTH].tocsr()


def _rows(block: Held, units: slice) -> Held:
    """A view, where slicing a sparse array would copy."""
    if not sparse.issparse(block):
        return block[units]
    indptr = block.indptr[units.start : units.stop + 1]
    held = slice(indptr[0], indptr[-1])
    return sparse.csr_array(
        (block.data[held], block.indices[held], indptr - indptr[0]), shape=(len(indptr) - 1, block.shape[1])
    )


def _sums(x: Held, given: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    return [power(x, p).T @ y for p, y in enumerate(given, 1)]


def power(x: sparse.sparray | np.ndarray, p: int) -> sparse.sparray | np.ndarray:
    """Element by element; of a sparse `x` the places are shared."""
    values = x.data if sparse.issparse(x) else x
    raised = reduce(np.multiply, [values] * p)  # not values**p, which is a call of pow for each number
    return type(x)((raised, x.indices, x.indptr), shape=x.shape) if sparse.issparse(x) else raised
