"""Survival and cumulative incidence by group, with delayed entry: the curves that stand beside a hazard ratio.

With delayed entry the first risk sets may be tiny, and a curve that falls to 0 there stays there: look at `at_risk`.
"""

from typing import NamedTuple

import numpy as np

from seqsae.associations.survival.times import Times
from seqsae.errors import SeqsaeError


class Curve(NamedTuple):
    """A step function of one group, given at the K times of its events; arrays [K]."""

    group: object
    """Its label; None where no groups were asked for."""
    time: np.ndarray
    estimate: np.ndarray
    """Probability, from this time until before the next."""
    variance: np.ndarray
    at_risk: np.ndarray
    """Units under observation just before the time."""
    events: np.ndarray
    """Events at the time, of the kind that the curve counts."""


def kaplan_meier(times: Times, groups: np.ndarray | None = None) -> list[Curve]:
    """Survival of each group in sorted order of its label (Kaplan & Meier 1958).

    Variance: Greenwood (1926), S^2 * sum d / (Y (Y - d)); NaN once S is 0. A group without events has no times.

    Raises:
        SeqsaeError: not one label in `groups` [n] for each unit.
    """
    return [_survival(label, *_counts(times, times.event, rows)) for label, rows in _members(times, groups)]


def aalen_johansen(times: Times, kind: np.ndarray, groups: np.ndarray | None = None) -> list[Curve]:
    """Cumulative incidence of kind 1 in each group while kind 2 competes (Aalen & Johansen 1978).

    `kind` [n]: 0 censored, 1 the event, 2 a competing event; `times.event` is not read. Given at the times of either
    kind. Variance: the Greenwood type (Andersen et al. 1993, section IV.4), equal to
    Greenwood's where nothing competes.

    Raises:
        SeqsaeError: `kind` holds other codes, or `kind` or `groups` has not one value for each unit.
    """
    kind = np.asarray(kind)
    if kind.shape != times.time.shape or not np.isin(kind, (0, 1, 2)).all():
        raise SeqsaeError(
            f"kind must hold 0, 1 or 2 for each of the {len(times)} units; code censored, event, competing"
        )
    curves = []
    for label, rows in _members(times, groups):
        time, at_risk, ended = _counts(times, kind > 0, rows)
        here = rows[kind[rows] == 1]
        events = np.bincount(np.searchsorted(time, times.time[here]), minlength=len(time))
        curves.append(_incidence(label, time, at_risk, ended, events))
    return curves


def _survival(label: object, time: np.ndarray, at_risk: np.ndarray, events: np.ndarray) -> Curve:
    survival = np.cumprod(1 - events / at_risk)
    left = at_risk - events
    share = np.divide(events, at_risk * left, out=np.full(len(time), np.nan), where=left > 0)
    return Curve(label, time, survival, survival**2 * np.cumsum(share), at_risk, events)


def _incidence(label: object, time: np.ndarray, at_risk: np.ndarray, ended: np.ndarray, events: np.ndarray) -> Curve:
    survival = np.cumprod(1 - ended / at_risk)
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * events / at_risk)
    left = at_risk - ended
    # Where nobody is left the incidence stays as it is, so that this share is never used.
    share = np.divide(ended, at_risk * left, out=np.zeros(len(time)), where=left > 0)
    own = before**2 * events * (at_risk - events) / at_risk**3
    cross = before * events / at_risk**2
    # Sums of (F(t) - F(t_j))^2 share_j and of (F(t) - F(t_j)) cross_j over all t_j <= t, opened into cumulative sums.
    squared = (
        incidence**2 * np.cumsum(share) - 2 * incidence * np.cumsum(incidence * share) + np.cumsum(incidence**2 * share)
    )
    product = incidence * np.cumsum(cross) - np.cumsum(incidence * cross)
    return Curve(label, time, incidence, np.maximum(squared + np.cumsum(own) - 2 * product, 0), at_risk, events)


def _counts(times: Times, event: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(event times, units at risk, events) of the units `rows`."""
    time, events = np.unique(times.time[rows][event[rows]], return_counts=True)
    gone = np.searchsorted(np.sort(times.time[rows]), time, side="left")
    entered = np.searchsorted(np.sort(times.entry[rows]), time, side="left")
    return time, entered - gone, events


def _members(times: Times, groups: np.ndarray | None) -> list[tuple[object, np.ndarray]]:
    """(label, units) of each group."""
    if groups is None:
        return [(None, np.arange(len(times)))]
    groups = np.asarray(groups)
    if groups.shape != times.time.shape:
        raise SeqsaeError(f"groups has shape {groups.shape}; give one label for each of the {len(times)} units")
    return [(label, np.flatnonzero(groups == label)) for label in np.unique(groups).tolist()]
