"""Batches by token budget: samples of like length together, so that little of a batch is padding."""

from collections.abc import Iterator

import numpy as np


def bucketed(
    lengths: np.ndarray, budget: int, equal_only: bool = False, parts: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Indices of `lengths` [n], shortest first, in groups of at most `budget` padded positions (one sample at least).

    Args:
        equal_only: no two lengths in one group, for models that padding would change.
        parts: [n] rows of so many positions that each sample takes; default: one.
    """
    order = np.argsort(lengths, kind="stable")
    taken = np.concatenate([[0], np.cumsum(np.ones(len(order), int) if parts is None else parts[order])])
    start = 0
    for end in range(1, len(order) + 1):
        if end < len(order):
            longest = lengths[order[end]]
            fits = (taken[end + 1] - taken[start]) * longest <= budget
            if fits and not (equal_only and longest != lengths[order[start]]):
                continue
        yield order[start:end]
        start = end
