"""Multiple testing over a family of p-values, some of which were never tested (NaN)."""

from collections.abc import Callable

import numpy as np

from seqsae.errors import SeqsaeError


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """q-values, of the shape of `p`: q_(i) = min over j >= i of m p_(j) / j (Benjamini & Hochberg 1995).

    NaN stays NaN and does not count in m.
    """
    return _adjust(p, _step_up)


def benjamini_yekutieli(p: np.ndarray) -> np.ndarray:
    """q-values, of the shape of `p`, that hold however the tests depend on each other (Benjamini & Yekutieli 2001).

    Those of `benjamini_hochberg` times 1 + 1/2 + ... + 1/m, at most 1. NaN stays NaN and does not count in m.
    """
    return _adjust(p, lambda ordered: _step_up(ordered, (1 / np.arange(1, len(ordered) + 1)).sum()))


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values, of the shape of `p`: max over j <= i of (m - j + 1) p_(j), at most 1 (Holm 1979).

    NaN stays NaN and does not count in m.
    """
    return _adjust(p, _step_down)


def _adjust(p: np.ndarray, rule: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply `rule` (ascending p-values -> adjusted) to the p-values that are not NaN."""
    p = np.asarray(p, dtype=float)
    out = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    values = p.ravel()[tested]
    if ((values < 0) | (values > 1)).any():
        raise SeqsaeError("p-values must lie between 0 and 1 (or be NaN); check what was handed in")
    order = np.argsort(values, kind="stable")
    out.ravel()[tested[order]] = rule(values[order])
    return out


def _step_up(ordered: np.ndarray, factor: float = 1) -> np.ndarray:
    m = len(ordered)
    scaled = ordered * (m * factor) / np.arange(1, m + 1)
    return np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)


def _step_down(ordered: np.ndarray) -> np.ndarray:
    m = len(ordered)
    return np.minimum(np.maximum.accumulate(ordered * (m - np.arange(m))), 1)
