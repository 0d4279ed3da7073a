"""A sequence that is longer than a model reads, in windows that overlap; each residue has its row in one of them."""

import numpy as np


def spans(n: int, longest: int, overlap: int, causal: bool = False) -> list[tuple[int, int]]:
    """Windows (start, end) over n residues, each of at most `longest`, neighbours sharing at least `overlap`.

    A bidirectional model's last window is as long as the others and so shares more; a causal model's windows start at
    the same places however long the sequence is, so that what follows a residue never changes its row.
    """
    if n <= longest:
        return [(0, n)]
    starts = list(range(0, n - overlap, longest - overlap))
    found = [(start, min(start + longest, n)) for start in starts]
    return found if causal else [(min(start, n - longest), end) for start, end in found]


def owners(n: int, windows: list[tuple[int, int]], causal: bool = False) -> np.ndarray:
    """[n] int, never falling: the window in which each residue has its row.

    It is the one where the residue is furthest from a cut (the sequence's own ends are none; the first of equals). In a
    causal model, where only what comes before counts, it is the first that holds the residue.
    """
    owner, best = np.zeros(n, dtype=np.int64), np.full(n, -1)
    for index, (start, end) in enumerate(windows):
        place = np.arange(start, end)
        left = place - start if start else np.full(len(place), n)
        right = end - 1 - place if end < n and not causal else np.full(len(place), n)
        distance = np.minimum(left, right)
        better = (distance > best[start:end]) & ~(causal & (best[start:end] >= 0))
        owner[start:end][better] = index
        best[start:end][better] = distance[better]
    return owner
