"""How far raters agree: Krippendorff's alpha for any number of raters, with ratings missing.

Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability": alpha = 1 - D_observed / D_expected, from the
coincidences of values within units.
"""

from collections.abc import Callable

import numpy as np


def krippendorff(ratings: np.ndarray, level: str = "ordinal") -> float | None:
    """Alpha: 1 is full agreement, 0 what chance gives, below 0 worse. None where no two raters rated a unit, or all values are one.

    Args:
        ratings: [raters, units] float, NaN where a rater has not rated.
        level: nominal, ordinal or interval.
    """
    values, table = coincidences(np.asarray(ratings, dtype=np.float64))
    total = table.sum()
    if total == 0:
        return None
    margin = table.sum(1)
    distance = DISTANCES[level](values, margin)
    expected = (np.outer(margin, margin) * distance).sum()
    if expected == 0:
        return None
    return float(1 - (total - 1) * (table * distance).sum() / expected)


def coincidences(ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values [v] in order, and [v, v] how often each pair of them meets within units; pairs of a unit of m ratings count 1/(m - 1)."""
    values = np.unique(ratings[np.isfinite(ratings)])
    counts = (ratings[None] == values[:, None, None]).sum(1).astype(np.float64)  # [v, units]
    paired = counts[:, counts.sum(0) > 1]
    weight = 1 / (paired.sum(0) - 1)
    return values, (paired * weight) @ paired.T - np.diag((paired * weight).sum(1))


def _nominal(values: np.ndarray, margin: np.ndarray) -> np.ndarray:
    return (values[:, None] != values).astype(np.float64)


def _interval(values: np.ndarray, margin: np.ndarray) -> np.ndarray:
    return (values[:, None] - values) ** 2


def _ordinal(values: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Squared number of ratings from the one value to the other, the two themselves counted half."""
    place = np.cumsum(margin) - margin / 2
    return (place[:, None] - place) ** 2


DISTANCES: dict[str, Callable] = {"nominal": _nominal, "ordinal": _ordinal, "interval": _interval}
