"""The partial likelihood at given coefficients: value, score, information, and each unit's part in the score.

Letters: n units, p columns, K distinct event times, m events.

Ties: the l-th of d events at one time sees its d fellows weighted by 1 - l / d (Efron 1977); with all fractions
l / d at 0 this is Breslow's (1974) form. One code serves both.
"""

from typing import NamedTuple

import numpy as np

from seqsae.associations.survival.risk import RiskSets, accrued, at_risk_sum, per_time
from seqsae.errors import SeqsaeError


class State(NamedTuple):
    """Cox's partial likelihood at some coefficients."""

    log_likelihood: float
    theta: np.ndarray
    """[n] risk scores, up to a common factor."""
    total: np.ndarray
    """[m] sum of theta over the risk set of each event, less the tied fraction."""
    mean: np.ndarray
    """[m, p] mean of the columns over that risk set, weighted by theta."""
    hazard: np.ndarray
    """[n] hazard accrued by each unit, so that theta * hazard is its expected number of events."""
    score: np.ndarray
    """[p] gradient."""
    information: np.ndarray
    """[p, p] negative second derivative."""


def tie_fractions(risk: RiskSets, ties: str) -> np.ndarray:
    """[m] share of the tied events' weight that each event does not see."""
    if ties == "breslow":
        return np.zeros(len(risk.deaths))
    if ties == "efron":
        return (np.arange(len(risk.deaths)) - risk.starts[risk.at]) / risk.count[risk.at]
    raise SeqsaeError(f"ties = {ties!r} is unknown; choose efron or breslow")


def evaluate(risk: RiskSets, columns: np.ndarray, beta: np.ndarray, fractions: np.ndarray) -> State:
    """The state for `columns` [n, p] at `beta` [p]. Time O(n p^2)."""
    linear = columns @ beta
    linear = linear - linear.max()
    theta = np.exp(linear)
    dying = per_time(risk, theta[risk.deaths])
    # The tied events are at risk themselves; rounding after delayed entry must not hide them.
    total = np.maximum(at_risk_sum(risk, theta), dying)[risk.at] - fractions * dying[risk.at]
    weighted = columns * theta[:, None]
    inner = at_risk_sum(risk, weighted)[risk.at]
    inner -= fractions[:, None] * per_time(risk, weighted[risk.deaths])[risk.at]
    mean = inner / total[:, None]
    hazard = _accrued_with_ties(risk, 1 / total, fractions)
    score = (columns[risk.deaths] - mean).sum(axis=0)
    information = columns.T @ (weighted * hazard[:, None]) - mean.T @ mean
    log_likelihood = float(linear[risk.deaths].sum() - np.log(total).sum())
    return State(log_likelihood, theta, total, mean, hazard, score, information)


def score_residuals(risk: RiskSets, columns: np.ndarray, state: State, fractions: np.ndarray) -> np.ndarray:
    """[n, p] each unit's part in the score; their sum is the score (Lin & Wei 1989)."""
    pulled = _accrued_with_ties(risk, state.mean / state.total[:, None], fractions[:, None])
    out = state.theta[:, None] * (pulled - columns * state.hazard[:, None])
    out[risk.deaths] += schoenfeld(risk, columns, state)
    return out


def schoenfeld(risk: RiskSets, columns: np.ndarray, state: State) -> np.ndarray:
    """[m, p] columns of each event less their mean over its risk set; tied events share one mean (Schoenfeld 1982)."""
    mean = per_time(risk, state.mean) / risk.count[:, None]
    return columns[risk.deaths] - mean[risk.at]


def _accrued_with_ties(risk: RiskSets, steps: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """[n] or [n, p] sum of `steps` [m] or [m, p] over the events each unit was at risk for, its own ties by Efron."""
    out = accrued(risk, per_time(risk, steps))
    out[risk.deaths] -= per_time(risk, fractions * steps)[risk.at]
    return out
