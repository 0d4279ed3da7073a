"""Features to hold a feature against: others of the SAE that fire as often and write as much when they do."""

from typing import NamedTuple

import numpy as np


class Matched(NamedTuple):
    """The features nearest to one."""

    features: np.ndarray
    """[m] int, nearest first."""
    rate_fold: float
    """Largest ratio of firing rates between it and one of them, >= 1; NaN without any."""
    written_fold: float
    """The same of what they write when on."""


def matched(feature: int, rate: np.ndarray, written: np.ndarray, n: int, seed: int) -> Matched:
    """The n living features nearest to `feature` in (log firing rate, log size written), itself left out.

    Args:
        rate, written: [width] firing rate, 0 if dead, and size of what a feature writes when on, as by `written_when_on`.
            Features that are equally near come in a random order.
    """
    pool = np.flatnonzero((rate > 0) & (written > 0) & (np.arange(len(rate)) != feature))
    if not len(pool) or not n or not (rate[feature] > 0 and written[feature] > 0):
        return Matched(pool[:0], np.nan, np.nan)
    pool = np.random.default_rng([seed, feature]).permutation(pool)
    folds = np.abs(np.log(np.stack([rate[pool], written[pool]]) / np.array([[rate[feature]], [written[feature]]])))
    nearest = np.argsort(np.round(np.hypot(*folds), 6), kind="stable")[:n]
    worst = np.exp(folds[:, nearest].max(1))
    return Matched(pool[nearest], float(worst[0]), float(worst[1]))


def written_when_on(rate: np.ndarray, mean: np.ndarray, norm: np.ndarray) -> np.ndarray:
    """[width] mean activation when on times decoder norm, of the mean over all rows; 0 for dead features."""
    return np.divide(mean, rate, out=np.zeros(len(rate)), where=rate > 0) * norm


def most_active(rate: np.ndarray, mean: np.ndarray, norm: np.ndarray, n: int) -> list[int]:
    """The n features that write most on average: mean activation times decoder norm, dead ones never."""
    order = np.argsort(-(mean * norm), kind="stable")
    return [int(feature) for feature in order if rate[feature] > 0][:n]
