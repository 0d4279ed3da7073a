"""How much weight, within any stretch of a sequence, stands at values below a given one: O(log n) a question.

A wavelet matrix (Claude, Navarro & Ordonez 2015): the sequence is parted by one bit of its values at a time, from the
highest, and each question keeps to the part that its own value lies in.
"""

import numpy as np


def weight_below(
    values: np.ndarray, weights: np.ndarray, start: np.ndarray, stop: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(below [Q], equal [Q]): weight of positions start..stop - 1 whose value is less than `at`, or equal to it.

    Args:
        values: [m] integers from 0 on.
        weights: [m] their weights.
        start: [Q] first position of each question; positions from 0.
        stop: [Q] one past the last.
        at: [Q] integers from 0 on.
    """
    below, highest = np.zeros(len(at)), max(values.max(initial=0), at.max(initial=0))
    for bit in range(int(highest).bit_length() - 1, -1, -1):
        one, high = (values >> bit) & 1 == 1, (at >> bit) & 1 == 1
        zeros, light = _from_zero(~one), _from_zero(np.where(one, 0, weights))
        below += np.where(high, light[stop] - light[start], 0)
        start, stop = (np.where(high, zeros[-1] + end - zeros[end], zeros[end]) for end in (start, stop))
        order = np.argsort(one, kind="stable")
        values, weights = values[order], weights[order]
    total = _from_zero(weights)
    return below, total[stop] - total[start]


def _from_zero(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(values)])
