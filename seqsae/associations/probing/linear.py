"""What a linear probe is once it is fitted, and what every way of fitting a ridge shares.

Letters: n units, d columns, T targets.
"""

from typing import NamedTuple

import numpy as np

from seqsae.associations.ranks import Matrix

STRENGTHS = np.logspace(-4, 2, 7)
"""Of the penalty, times the number of units, on columns of unit variance."""


class Fitted(NamedTuple):
    """Linear scores of T targets: `x @ weights + intercept`."""

    weights: np.ndarray
    """[d, T] on the columns as given."""
    intercept: np.ndarray
    """[T]."""
    centre: np.ndarray
    """[T] mean score over the units learnt from, less the intercept."""
    spread: np.ndarray
    """[T] standard deviation of the scores over the units learnt from; 1 where all are equal."""
    strength: np.ndarray
    """[T] chosen by the inner folds."""

    def standard(self, x: Matrix) -> np.ndarray:
        """[m, T] scores in standard deviations from their mean over the units learnt from, so that folds can be pooled.

        The intercept is left out: it is lower where the units left out hold more positives, and would set folds against each
        other.
        """
        return (np.asarray(x @ self.weights) - self.centre) / self.spread

    def predicted(self, x: Matrix) -> np.ndarray:
        """[m, T] on the scale of the targets."""
        return np.asarray(x @ self.weights) + self.intercept


def scale_of(n: int | np.ndarray, x: np.ndarray, xx: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[d] what standardises each column, times its weight [d]; 0 for one that does not vary.

    Args:
        n: units.
        x, xx: [d] sums of the columns and of their squares.
    """
    square = xx / n
    variance = square - (x / n) ** 2
    varies = variance > 1e-12 * np.maximum(square, 1e-300)
    return np.where(varies, weight / np.sqrt(np.where(varies, variance, 1)), 0)
