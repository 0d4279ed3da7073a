"""Who is at risk when, so that sums over risk sets are cumulative sums and no loop runs over units.

Unit i is at risk at the event times number first[i] .. last[i] - 1. A sum over each risk set then changes only
where units enter or leave: one sparse product and one cumulative sum give it for all event times.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.survival.times import Times


class RiskSets(NamedTuple):
    """Risk sets at the K distinct event times of n units."""

    event_times: np.ndarray
    """[K] increasing."""
    first: np.ndarray
    """[n] number of the first event time at which the unit is at risk."""
    last: np.ndarray
    """[n] one past the last; equal to `first` for a unit that is at risk at no event time."""
    deaths: np.ndarray
    """[m] units with the event, by time."""
    at: np.ndarray
    """[m] number of each one's event time."""
    starts: np.ndarray
    """[K] where each event time begins in `deaths`."""
    count: np.ndarray
    """[K] events at each event time."""
    crossing: sparse.csr_array
    """[K, n] 1 at a unit's last event time, -1 at the last one before its entry."""


def risk_sets(times: Times) -> RiskSets:
    """Time O(n log n)."""
    deaths = np.flatnonzero(times.event)
    deaths = deaths[np.argsort(times.time[deaths], kind="stable")]
    event_times, starts, count = np.unique(times.time[deaths], return_index=True, return_counts=True)
    first, last = (np.searchsorted(event_times, moments, side="right") for moments in (times.entry, times.time))
    at = np.repeat(np.arange(len(count)), count)
    return RiskSets(event_times, first, last, deaths, at, starts, count, _crossing(first, last, len(event_times)))


def at_risk_sum(risk: RiskSets, weights: np.ndarray) -> np.ndarray:
    """[K] or [K, q] sum of `weights` [n] or [n, q] over each risk set."""
    return np.cumsum((risk.crossing @ weights)[::-1], axis=0)[::-1]


def accrued(risk: RiskSets, steps: np.ndarray) -> np.ndarray:
    """[n] or [n, q] sum of `steps` [K] or [K, q] over the event times at which each unit is at risk."""
    total = np.concatenate([np.zeros_like(steps[:1]), np.cumsum(steps, axis=0)])
    return total[risk.last] - total[risk.first]


def per_time(risk: RiskSets, values: np.ndarray) -> np.ndarray:
    """[K] or [K, q] sum of `values` [m] or [m, q] of the events at each event time."""
    return np.add.reduceat(values, risk.starts, axis=0)


def _crossing(first: np.ndarray, last: np.ndarray, n_times: int) -> sparse.csr_array:
    exposed = last > first
    leaves, enters = np.flatnonzero(exposed), np.flatnonzero(exposed & (first > 0))
    rows = np.concatenate([last[leaves], first[enters]]) - 1
    signs = np.repeat([1.0, -1.0], [len(leaves), len(enters)])
    return sparse.csr_array((signs, (rows, np.concatenate([leaves, enters]))), shape=(n_times, len(first)))
