"""Batches by token budget: samples of like length together, so that little of a batch is padding."""

from collections.abc import Iterator

import numpy as np


def bucketed(lengths: np.ndarray, budget: int, equal_only: bool = False) -> Iterator[np.ndarray]:
    """Indices of `lengths` [n], shortest first, in groups of at most `budget` padded positions (one sample at least).

    Args:
        equal_only: no two lengths in one group, for models that padding would change.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end < len(order):
            longest = lengths[order[end]]
            fits = (end + 1 - start) * longest <= budget
            if fits and not (equal_only and longest != lengths[order[start]]):
                continue
        yield order[start:end]
        start = end
