"""The quantile for an interval whose variance was estimated from few large influences."""

import numpy as np
from scipy import stats


def quantile(sums: np.ndarray, alpha: float) -> float:
    """Upper alpha / 2 quantile of t for a variance estimated as the sum over clusters of squared influences `sums` [C].

    Degrees of freedom by matching that estimate's own variance, sum s^4 - (sum s^2)^2 / C (Satterthwaite 1946), C - 1 at most: near C where
    influences are normal, and about twice the number of clusters that carry the sum where a few carry it, as those do in which a rare
    feature fires. Then the normal quantile is too short.
    """
    squares, fourth = (sums**2).sum(), (sums**4).sum()
    spread = fourth - squares**2 / len(sums)
    freedom = 2 * squares**2 / spread if spread > 1e-12 * fourth else np.inf
    return float(stats.t.isf(alpha / 2, max(min(freedom, len(sums) - 1), 1)))
