"""Concordance of a score with survival: does the unit that fails first have the higher value?

Letters: n units, K distinct event times, C clusters.

An event i and a unit j are compared if j is at risk at i's time and goes on beyond it, or is censored at it (two
events at one time say nothing of order). Over all compared pairs, C = P(x_i > x_j) + P(x_i = x_j) / 2.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from seqsae.associations.freedom import quantile
from seqsae.associations.survival.counting import weight_below
from seqsae.associations.survival.risk import RiskSets, risk_sets
from seqsae.associations.survival.times import Times, cluster_codes, values_of
from seqsae.errors import SeqsaeError


class Concordance(NamedTuple):
    """C with its interval; NaN where no pair can be compared."""

    value: float
    ci_low: float
    ci_high: float
    se: float
    n_pairs: int
    """Pairs compared."""


class _Pairs(NamedTuple):
    """Pairs of events and their comparators, each seen from both sides; weights are those of the event."""

    won: np.ndarray
    """[n] weight of the pairs in which the unit takes part and that are concordant, ties 1/2."""
    all: np.ndarray
    """[n] weight of the pairs in which the unit takes part."""
    event_won: np.ndarray
    """[n] weight of concordant pairs of which the unit is the event."""
    event_all: np.ndarray
    """[n] weight of the pairs of which it is the event."""
    n_pairs: int


def harrell_c(x: np.ndarray, times: Times, cluster: np.ndarray | None = None, confidence: float = 0.95) -> Concordance:
    """Harrell's C (1982) of `x` [n], higher meaning earlier; ties in x count 1/2; delayed entry allowed. O(n log n).

    Interval on the logit scale from the influence of each unit on C, a ratio of two U-statistics (Hoeffding 1948),
    summed by `cluster` [n] before squaring, with the factor C / (C - 1), and the t quantile of `freedom`: with the normal one 92 to
    93 % of 95 % intervals held the truth where 2 % of units fire. At exactly 0 or 1 the other end is the exact binomial bound on the
    clusters with events, (alpha / 2)^(1 / k) (Clopper & Pearson 1934).

    Raises:
        SeqsaeError: x does not fit times or is not finite; cluster does not fit.
    """
    x, member = values_of(x, len(times)), cluster_codes(cluster, len(times))
    pairs = _pairs(x, risk_sets(times), times.event, times.event.astype(float))
    return _interval(pairs, 0, member, times.event, 1 - confidence)


def uno_c(
    x: np.ndarray, times: Times, tau: float | None = None, cluster: np.ndarray | None = None, confidence: float = 0.95
) -> Concordance:
    """Uno's C (2011): each event before `tau` counts 1 / G(t-)^2, G the survival of censoring, so that C does not
    depend on who was censored.

    `tau` None: all events count; choose one where a good share is still observed, for late weights are large.
    Interval as in `harrell_c`, with the influence of each unit on G in it (Uno et al. 2011, appendix).

    Raises:
        SeqsaeError: as `harrell_c`; or units enter at different times, for which this weighting is not defined.
    """
    x, member = values_of(x, len(times)), cluster_codes(cluster, len(times))
    if (times.entry != times.entry[0]).any():
        raise SeqsaeError("Uno's C is not defined with delayed entry (entries differ); use Harrell's C")
    used = times.event if tau is None else times.event & (times.time < tau)
    leaves, at_risk, kept = _censoring(times)
    before = np.searchsorted(leaves, times.time, side="left")
    weights = np.where(used, np.concatenate([[1.0], kept])[before] ** -2.0, 0)
    pairs = _pairs(x, risk_sets(times), times.event, weights)
    excess = pairs.event_won - _ratio(pairs) * pairs.event_all
    return _interval(pairs, _censoring_influence(times, leaves, at_risk, before, excess), member, used, 1 - confidence)


def harrell_influence(x: np.ndarray, times: Times) -> tuple[float, np.ndarray]:
    """Harrell's C of `x` [n] and each unit's influence [n] on it, as behind the interval of `harrell_c`; NaN without a pair.

    Raises:
        SeqsaeError: as `harrell_c`.
    """
    pairs = _pairs(values_of(x, len(times)), risk_sets(times), times.event, times.event.astype(float))
    value = _ratio(pairs)
    with np.errstate(invalid="ignore", divide="ignore"):
        return value, (pairs.won - value * pairs.all) / pairs.event_all.sum()


def _pairs(x: np.ndarray, risk: RiskSets, event: np.ndarray, weights: np.ndarray) -> _Pairs:
    """Count all pairs by two sweeps: for each event its comparators, and for each unit the events before it ends."""
    rank = np.unique(x, return_inverse=True)[1]
    deaths, at, one = risk.deaths, risk.at, np.ones(len(x))
    # Unit j is a comparator at the event times first[j] .. beyond[j] - 1.
    beyond = risk.last - event
    won, count = np.zeros(len(x)), np.zeros(len(x))
    for ends, sign in ((beyond, 1), (risk.first, -1)):
        order = np.argsort(ends, kind="stable")
        start = np.searchsorted(ends[order], at, side="right")
        stop = np.full(len(at), len(x))
        below, equal = weight_below(rank[order], one, start, stop, rank[deaths])
        won[deaths] += sign * (below + equal / 2)
        count[deaths] += sign * (stop - start)
    start, stop = (np.searchsorted(at, ends, side="left") for ends in (risk.first, np.maximum(beyond, risk.first)))
    below, equal = weight_below(rank[deaths], weights[deaths], start, stop, rank)
    total = np.concatenate([[0], np.cumsum(weights[deaths])])
    compared = total[stop] - total[start]
    event_won, event_all = weights * won, weights * count
    n_pairs = int(count[weights > 0].sum())
    return _Pairs(event_won + compared - below - equal / 2, event_all + compared, event_won, event_all, n_pairs)


def _censoring(times: Times) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(times of censoring [L], units that could then be censored [L], G after each [L]); events go first at a tie."""
    leaves, count = np.unique(times.time[~times.event], return_counts=True)
    gone = np.searchsorted(np.sort(times.time), leaves, side="left")
    tied = np.sort(times.time[times.event])
    at_risk = (
        len(times) - gone - (np.searchsorted(tied, leaves, side="right") - np.searchsorted(tied, leaves, side="left"))
    )
    return leaves, at_risk, np.cumprod(1 - count / at_risk)


def _censoring_influence(
    times: Times, leaves: np.ndarray, at_risk: np.ndarray, before: np.ndarray, excess: np.ndarray
) -> np.ndarray:
    """[n] effect of each unit, by way of G, on the weighted sum of `excess`: a martingale integral over censoring."""
    if not len(leaves):
        return np.zeros(len(times))
    # `before` [n] counts the censoring times before a unit's own; each of them enters its weight.
    later = np.bincount(before, excess, len(leaves) + 1)[::-1].cumsum()[::-1][1:]
    censored = ~times.event
    count = np.bincount(before[censored], minlength=len(leaves))
    expected = np.concatenate([[0], np.cumsum(later * count / at_risk**2)])
    # Censored units are still at risk of it at their own time, events are not.
    out = -expected[before + censored]
    out[censored] += (later / at_risk)[before[censored]]
    return 2 * out


def _interval(
    pairs: _Pairs, extra: np.ndarray | float, member: np.ndarray, event: np.ndarray, alpha: float
) -> Concordance:
    nan, value = float("nan"), _ratio(pairs)
    if np.isnan(value):
        return Concordance(nan, nan, nan, nan, 0)
    influence = (pairs.won - value * pairs.all + extra) / pairs.event_all.sum()
    sums = np.bincount(member, influence)
    factor = len(sums) / (len(sums) - 1) if len(sums) > 1 else nan
    se = float(np.sqrt(factor * (sums**2).sum()))
    if min(value, 1 - value) < 1e-12:
        bound = float((alpha / 2) ** (1 / len(np.unique(member[event]))))
        return Concordance(value, *((bound, 1.0) if value > 0.5 else (0.0, 1 - bound)), se, pairs.n_pairs)
    half = quantile(sums, alpha) * se / (value * (1 - value))
    low, high = special.expit(special.logit(value) + np.array([-half, half]))
    return Concordance(value, float(low), float(high), se, pairs.n_pairs)


def _ratio(pairs: _Pairs) -> float:
    total = pairs.event_all.sum()
    return float(np.clip(pairs.event_won.sum() / total, 0, 1)) if total > 0 else float("nan")
