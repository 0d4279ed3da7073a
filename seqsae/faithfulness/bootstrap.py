"""Intervals by resampling whole clusters (Efron & Tibshirani 1993, chapter 6): sequences of one cluster repeat each other."""

import numpy as np

LEVEL = (0.025, 0.975)
FEWEST = 5  # clusters; of fewer, resampling gives intervals that are far too narrow


def by_cluster(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """[C, m] sums of values [n, m] over the clusters [n] that occur, in ascending order of their numbers."""
    names, member = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, member, values)
    return sums


def resampled(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """[draws, m]: sums [C, m] over C clusters drawn with replacement."""
    n = len(sums)
    return np.random.default_rng([seed, n]).multinomial(n, np.full(n, 1 / n), size=draws) @ sums


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of the finite draws; NaN without any."""
    kept = draws[np.isfinite(draws)]
    return tuple(np.quantile(kept, LEVEL).tolist()) if len(kept) else (np.nan, np.nan)


def mean_interval(
    sums: np.ndarray, counts: np.ndarray, clusters: np.ndarray, draws: int, seed: int
) -> tuple[float, float, float]:
    """Ratio of sums [n] to counts [n], and its 95% interval over clusters, NaN with fewer than five of them."""
    table = by_cluster(np.column_stack([sums, counts]), clusters)
    total, n = table.sum(0)
    if n <= 0:
        return np.nan, np.nan, np.nan
    if len(table) < FEWEST:
        return total / n, np.nan, np.nan
    drawn = resampled(table, draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total / n, *interval(drawn[:, 0] / drawn[:, 1]))
