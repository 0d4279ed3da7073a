"""Genomic-control inflation: whether a covariate goes with all features at once, as confounding makes it.

lambda = median over features of z^2, over the median 0.4549 of chi-squared on one degree of freedom (Devlin & Roeder 1999).
Near 1 where most features have no tie; far above it where a confounder or clusters were left out of the model.
Features are correlated, and some are truly tied: read it as a sign, and its interval as one too.
"""

from typing import NamedTuple

import numpy as np
from scipy import special, stats

from seqsae.errors import SeqsaeError

MIN_FEATURES = 50
"""Tested features below which there is no lambda."""
MEDIAN = float(special.ndtri(0.75) ** 2)
"""Of chi-squared on one degree of freedom, 0.4549."""


class Inflation(NamedTuple):
    """Lambda of one covariate."""

    value: float
    ci_low: float
    ci_high: float
    n_features: int
    """Features with a z."""


def inflation(z: np.ndarray, confidence: float = 0.95) -> list[Inflation | None]:
    """Lambda of every column of `z` [F, c]; None for a column with fewer than `MIN_FEATURES` numbers (NaN: not tested).

    The interval lies between two order statistics of z^2, by the binomial law of how many lie below the median: exact, and at
    least `confidence`, for independent features; far too short for features that go together (see `permutation` for a
    reference that keeps their correlation).

    Raises:
        SeqsaeError: `z` is not a matrix.
    """
    z = np.asarray(z, dtype=float)
    if z.ndim != 2:
        raise SeqsaeError(f"z has shape {z.shape}; give a matrix [features, covariates]")
    return [_of_one(z[~np.isnan(z[:, j]), j], confidence) for j in range(z.shape[1])]


def _of_one(z: np.ndarray, confidence: float) -> Inflation | None:
    n = len(z)
    if n < MIN_FEATURES:
        return None
    scaled = np.sort(z * z) / MEDIAN
    # The k-th smallest lies above the median only if fewer than k values lie below it.
    k = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5))
    return Inflation(float(np.median(scaled)), float(scaled[k - 1]), float(scaled[n - k]), n)
