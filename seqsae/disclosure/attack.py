"""The attacker who holds every published number: what linear programming tells of a cell that was withheld (D3).

Unknown are the true counts, whole numbers of 0 or more. Known is, of sums of them, what was published: a count rounded to a base
lies within half of it. The two linear programs of each hidden cell (its least and its largest value under all that is known; Fischetti
& Salazar-Gonzalez 2000) are solved by HiGHS.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqsae.disclosure.policy import Policy


class Known(NamedTuple):
    """What was published of a sum of cells."""

    cells: tuple[int, ...]
    """Which cells it is the sum of."""
    low: float
    high: float


def known_of(cells: Sequence[int], published: int, policy: Policy) -> Known:
    """A published count as the interval of true ones: halves are rounded up."""
    half = policy.round_to / 2
    low, high = published - half, published + half
    return Known(tuple(cells), max(0.0, float(np.ceil(low))), float(np.ceil(high) - 1))


def intervals(n_cells: int, known: Sequence[Known], hidden: Sequence[int]) -> np.ndarray:
    """[len(hidden), 2] the least and the largest value each hidden cell may have; infinite where nothing bounds it.

    Raises:
        ValueError: no counts agree with what is known.
    """
    from scipy.optimize import linprog

    matrix = np.zeros((len(known), n_cells))
    for row, one in enumerate(known):
        matrix[row, list(one.cells)] = 1
    upper = np.concatenate([matrix, -matrix])
    bound = np.concatenate([[one.high for one in known], [-one.low for one in known]])
    found = np.empty((len(hidden), 2))
    for place, cell in enumerate(hidden):
        for end, sign in enumerate((1.0, -1.0)):
            aim = np.zeros(n_cells)
            aim[cell] = sign
            done = linprog(aim, A_ub=upper, b_ub=bound, bounds=(0, None), method="highs")
            if done.status == 2:
                raise ValueError("no counts agree with what was published")
            found[place, end] = sign * done.fun if done.status == 0 else np.inf
    return found


def is_safe(low: float, high: float, policy: Policy) -> bool:
    """Whether an attacker's interval leaves a cell open: as wide as the threshold, and reaching it."""
    k = policy.min_subjects
    return policy.public or (high - low >= k and high >= k)


def merged_interval(mine: Known, others: Sequence[Known], total: Known) -> tuple[float, float]:
    """The interval of one row's part of `total`, which is known of several rows together, as the program would find it.

    Args:
        mine: the row's own size.
        others: sizes of the other rows of the total.
    """
    room = sum(one.high for one in others)
    return max(0.0, total.low - room), min(mine.high, total.high)
