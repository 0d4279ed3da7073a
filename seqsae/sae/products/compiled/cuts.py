"""Numbers that a given count of values reach."""

import numpy as np

from seqsae.sae.products.compiled.decorator import compiled

_HALVINGS = 40  # tries at a cut between two numbers, which ties may not have


@compiled
def _reach(values, cut):
    """How many of the values are not less than the cut."""
    count = np.int32(0)
    for j in range(values.shape[0]):
        count += np.int32(1) if values[j] >= cut else np.int32(0)
    return count


@compiled
def _kth_largest(values, k):
    """The k-th largest value. No NaN."""
    work, low, high, k = values.copy(), 0, values.shape[0] - 1, k - 1
    while low < high:
        pivot, i, j = work[(low + high) // 2], low, high
        while i <= j:
            while work[i] > pivot:
                i += 1
            while work[j] < pivot:
                j -= 1
            if i <= j:
                work[i], work[j] = work[j], work[i]
                i, j = i + 1, j - 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return work[k]


@compiled
def cut(values, k, most):
    """A number that at least k of the values reach, and at most `most` if ties allow it. No NaN.

    By halving: counting is a few vector instructions, sorting is many wrong guesses of the processor.
    """
    low, high = values[0], values[0]
    for j in range(values.shape[0]):
        low, high = min(low, values[j]), max(high, values[j])
    if values.shape[0] <= most:
        return low
    for _ in range(_HALVINGS if low > -np.inf else 0):
        middle = low + np.float32(0.5) * (high - low)
        count = _reach(values, middle)
        if count < k:
            high = middle
        else:
            low = middle
            if count <= most:
                return low
    return _kth_largest(values, k)
