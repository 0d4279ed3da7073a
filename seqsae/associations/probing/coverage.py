"""Coverage of a set of concepts by single units, and its reconstruction from precise units (Karvonen et al. 2024, arXiv 2408.00113).

Letters: n rows, F units, C concepts.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.associations.f1 import best_f1, score, trivial_f1
from seqsae.associations.ranks import Matrix

SHARES = tuple(i / 10 for i in range(10))
"""Thresholds tried, as shares of a unit's largest value."""
PRECISION = 0.95
LEAST_ROWS = 10  # rows with unit and concept without which a unit is not called precise


class Coverage(NamedTuple):
    """Chosen on one set of rows, scored on another."""

    coverage: float
    """Mean over concepts of the best unit's F1."""
    coverage_trivial: float
    """Mean F1 of calling every row."""
    precise: int
    """Concepts that some unit classifies precisely where it was chosen."""
    threshold: float | None
    """Share of its largest value above which a unit is on; None where no unit is precise."""
    reconstruction: float
    """F1 over all rows and concepts together."""
    reconstruction_mean: float
    """Mean of the concepts' F1."""


def covered(x: Matrix, y: np.ndarray, x_test: Matrix, y_test: np.ndarray) -> Coverage:
    """Units and thresholds chosen on `x` [n, F] and y [n, C] of 0 and 1, scored on the others; dense units are read either way up."""
    signed = not sp.issparse(x)
    best = best_f1(x, y, signed)
    f1 = [
        score(_column(x_test, best.unit[j]), best.threshold[j], y_test[:, j], best.sign[j]).f1
        if best.unit[j] >= 0
        else 0.0
        for j in range(y.shape[1])
    ]
    trivial = float(np.mean([trivial_f1(column).f1 for column in y_test.T]))
    threshold, precise = _precise(x, y)
    if threshold is None:
        return Coverage(float(np.mean(f1)), trivial, 0, None, 0.0, 0.0)
    called = _called(_on(x_test, _tops(x), threshold), precise)
    whole, each = _f1(called, y_test == 1)
    return Coverage(float(np.mean(f1)), trivial, int(precise.any(axis=0).sum()), threshold, whole, each)


def _precise(x: Matrix, y: np.ndarray) -> tuple[float | None, np.ndarray]:
    """(threshold, [F', C] which units are precise for which concepts at it), of the best reconstruction on these rows."""
    tops, best, found = _tops(x), -1.0, (None, np.zeros((0, y.shape[1]), bool))
    for share in SHARES:
        on = _on(x, tops, share)
        both = np.asarray(on.T @ y)
        times = np.asarray(on.sum(axis=0)).ravel()[:, None]
        precise = (both >= LEAST_ROWS) & (both >= PRECISION * times)
        if precise.any():
            value = _f1(_called(on, precise), y == 1)[0]
            if value > best:
                best, found = value, (share, precise)
    return found


def _tops(x: Matrix) -> np.ndarray:
    """[F'] largest value of each unit; of dense ones, then of their negatives."""
    if sp.issparse(x):
        return x.max(axis=0).toarray().ravel()
    return np.r_[x.max(axis=0), (-x).max(axis=0)]


def _on(x: Matrix, tops: np.ndarray, share: float) -> sp.csr_array:
    """[n, F'] 1 where a unit is above its threshold; a unit that is never above 0 is never on."""
    if not sp.issparse(x):
        x = np.hstack([x, -x])
        return sp.csr_array(((x > np.maximum(share * tops, 0)) & (tops > 0)).astype(np.float64))
    x = sp.csr_array(x)
    on = (x.data > share * tops[x.indices]).astype(np.float64)
    out = sp.csr_array((on, x.indices, x.indptr), shape=x.shape, copy=True)
    out.eliminate_zeros()
    return out


def _called(on: sp.csr_array, precise: np.ndarray) -> np.ndarray:
    """[n, C] bool: where one of a concept's precise units is on."""
    return np.asarray(on @ precise.astype(np.float64)) > 0


def _f1(called: np.ndarray, there: np.ndarray) -> tuple[float, float]:
    """(F1 over all rows and concepts, mean F1 of the concepts)."""
    hits, sums = (called & there).sum(axis=0), called.sum(axis=0) + there.sum(axis=0)
    each = np.where(sums > 0, 2 * hits / np.maximum(sums, 1), 0)
    return float(2 * hits.sum() / max(sums.sum(), 1)), float(each.mean())


def _column(x: Matrix, unit: int) -> np.ndarray:
    return x[:, [unit]].toarray().ravel() if sp.issparse(x) else x[:, unit]
