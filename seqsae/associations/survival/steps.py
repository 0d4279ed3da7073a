"""Sums of sparse features over risk sets, as step functions of time with no more steps than non-zeros.

Letters: n units, F features, K distinct event times. S1 and S2 are the sums over a risk set of theta x and theta x^2.

S1 of a feature changes only after event times at which one of its non-zero units leaves, or before which one enters. So
a sum over all event times of any function of S1 and S2 is one over these changes, with the weights of the event times in
between taken from a cumulative sum.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.ranks import Matrix
from seqsae.associations.survival.null import NullModel


class StepMoments(NamedTuple):
    """Sums over event times; every array is [F], NaN where the confounders tell the times so well that a sum overflows."""

    square: np.ndarray
    """d (S1 / S0)^2"""
    mixed: np.ndarray
    """d S1 S2 / S0^2"""
    cube: np.ndarray
    """d (S1 / S0)^3"""


def risk_set_jumps(X: Matrix, null: NullModel) -> Matrix:
    """[K, F] complex: how far S1 (real) and S2 (imaginary) fall after each event time; S at k sums rows k and later.

    One complex matrix, so that both keep the same places; sparse by columns, ordered by time, or dense as X is.
    """
    if not sparse.issparse(X):
        return null.risk.crossing @ (null.theta[:, None] * (X + 1j * X * X))
    rows = X.tocsr()
    data = np.repeat(null.theta, np.diff(rows.indptr)) * (rows.data + 1j * rows.data * rows.data)
    # By way of rows, for the change to columns leaves each one ordered by time.
    return (null.risk.crossing @ sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape)).tocsc()


def step_moments(jumps: Matrix, null: NullModel) -> StepMoments:
    """The sums of `StepMoments` from `risk_set_jumps`."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        found = _sums(jumps, null.risk.count / null.s0**2, null.risk.count / null.s0**3)
    sound = np.all([np.isfinite(part) for part in found], axis=0)
    return StepMoments(*[np.where(sound, part, np.nan) for part in found])


def _sums(jumps: Matrix, per_square: np.ndarray, per_cube: np.ndarray) -> StepMoments:
    """The sums, as they come out; each event time weighs [K] in those of squares and of cubes."""
    if not sparse.issparse(jumps):
        s = suffix_sums(jumps)
        return StepMoments(per_square @ s.real**2, per_square @ (s.real * s.imag), per_cube @ s.real**3)
    n_features = jumps.shape[1]
    column = np.repeat(np.arange(n_features), np.diff(jumps.indptr))
    s = _run_sums(jumps.data[::-1], column[::-1])[::-1]
    square, cube = (_between(np.cumsum(weights)[jumps.indices], column) for weights in (per_square, per_cube))
    terms = (s.real**2 * square, s.real * s.imag * square, s.real**3 * cube)
    return StepMoments(*[np.bincount(column, term, n_features) for term in terms])


def suffix_sums(values: np.ndarray) -> np.ndarray:
    """[K, B] sums of `values` over this and all later rows."""
    return np.cumsum(values[::-1], axis=0)[::-1]


def _between(until: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Weight of the event times after the last change in the same column, up to and with this one."""
    new = np.ones(len(column), dtype=bool)
    new[1:] = column[1:] != column[:-1]
    return until - np.where(new, 0, np.roll(until, 1))


def _run_sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Cumulative sums of `values` [m] that begin anew in each run of equal `group` [m]."""
    if not len(values):
        return values
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    totals = np.add.reduceat(values, starts)
    # Taking each total off again keeps the running sum small; what rounding leaves of it is known and goes too.
    running = np.cumsum(np.insert(values, starts[1:], -totals[:-1]))
    resets = starts[1:] + np.arange(len(starts) - 1)
    left = np.concatenate([[0], running[resets]])
    return np.delete(running, resets) - np.repeat(left, np.diff(starts, append=len(values)))
