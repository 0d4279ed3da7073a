"""Restricted cubic splines: a confounder may act in a curve without its tails running wild.

k - 1 columns for k knots: x itself, and k - 2 cubic ones that are straight lines beyond the outer knots (Stone & Koo 1985;
Harrell 2015, section 2.4.5).
"""

import numpy as np

PLACES = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
"""Quantiles at which the knots lie (Harrell 2015, table 2.3)."""


def knots(x: np.ndarray, most: int = 5) -> np.ndarray:
    """At most `most` (3 to 5) knots for the finite values of `x`, ascending; fewer where quantiles coincide, none below three."""
    values = x[np.isfinite(x)]
    for n in range(most, 2, -1):
        found = np.unique(np.quantile(values, PLACES[n], method="inverted_cdf")) if len(values) else values
        if len(found) >= 3:
            return found
    return np.zeros(0)


def spline(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """[n, max(1, k - 1)] the basis at `x` [n] for knots `at` [k]; x alone without knots."""
    if len(at) < 3:
        return x[:, None].astype(float)
    scale = (at[-1] - at[0]) ** 2

    def cube(knot: float) -> np.ndarray:
        return np.maximum(x - knot, 0) ** 3

    last, before = at[-1], at[-2]
    columns = [
        (cube(knot) - cube(before) * (last - knot) / (last - before) + cube(last) * (before - knot) / (last - before))
        / scale
        for knot in at[:-2]
    ]
    return np.column_stack([x, *columns]).astype(float)
