"""The null model of the score test: Cox's model on the confounders alone, with the residuals that it leaves.

Letters: n units, q confounders, p of them independent, K distinct event times.
"""

from typing import NamedTuple

import numpy as np

from seqsae.associations.survival.cox import CoxFit, fit_fully
from seqsae.associations.survival.likelihood import score_residuals, tie_fractions
from seqsae.associations.survival.risk import RiskSets
from seqsae.associations.survival.times import Times


class NullModel(NamedTuple):
    """Cox's model on the confounders alone, and the products that score tests need; from `null_model`."""

    fit: CoxFit
    risk: RiskSets
    theta: np.ndarray
    """[n] risk scores, up to a common factor."""
    martingale: np.ndarray
    """[n] events less expected events; sums to 0."""
    hazard: np.ndarray
    """[n] cumulative hazard accrued between entry and time, of a unit with theta = 1 (Breslow 1974)."""
    s0: np.ndarray
    """[K] sum of theta over each risk set."""
    columns: np.ndarray
    """[n, p] independent confounders, standardised."""
    mean: np.ndarray
    """[K, p] their mean over each risk set."""
    inverse: np.ndarray
    """[p, p] inverse information of `columns`."""
    residuals: np.ndarray
    """[n, p] score residuals of `columns`."""

    @property
    def cumulative_hazard(self) -> np.ndarray:
        """[K] Breslow's cumulative hazard at `risk.event_times`, at theta = 1."""
        return np.cumsum(self.risk.count / self.s0)


def null_model(times: Times, Z: np.ndarray | None = None) -> NullModel:
    """Fit Cox's model with Breslow's ties to the confounders `Z` [n, q], and keep what `cox_score` needs.

    Raises:
        SeqsaeError: as `fit_cox`.
    """
    fitted = fit_fully(times, Z, ties="breslow")
    risk, state = fitted.risk, fitted.state
    fractions = tie_fractions(risk, "breslow")
    return NullModel(
        fit=fitted.fit,
        risk=risk,
        theta=state.theta,
        martingale=times.event - state.theta * state.hazard,
        hazard=state.hazard,
        s0=state.total[risk.starts],
        columns=fitted.columns,
        mean=state.mean[risk.starts],
        inverse=fitted.inverse,
        residuals=score_residuals(risk, fitted.columns, state, fractions),
    )
