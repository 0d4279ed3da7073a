"""Cox's proportional hazards model on a few columns: Newton's method, ties, delayed entry, clusters.

Letters: n units, q columns, K distinct event times, m events, C clusters. `theta` are the risk scores exp(Z b).

Sources: Cox (1972); ties by Efron (1977) or Breslow (1974); the robust variance by Lin & Wei (1989), summed over
clusters as in Lee, Wei & Amato (1992). The weighted sums over risk sets never form [K, q, q]: the information is
Z' diag(theta H) Z less the squared means at the events, H the hazard that each unit has accrued.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.survival.likelihood import State, evaluate, score_residuals, tie_fractions
from seqsae.associations.survival.risk import RiskSets, risk_sets
from seqsae.associations.survival.times import Times, cluster_codes
from seqsae.errors import SeqsaeError

_MAX_ITERATIONS = 60
_MAX_HALVINGS = 30
_SMALLEST_GAIN = 1e-12
"""Relative gain in log-likelihood at which Newton's method stops; the step then taken is near 1e-6 or less."""
_LARGEST_MOVE = 5.0
"""Largest change of a unit's log risk score in one step, so that no risk score can overflow."""
_STILL_MOVING = 1e-2
"""A coefficient whose last step changes log risk scores by more than this runs to infinity."""
_NO_INFORMATION = 1e-12


class CoxFit(NamedTuple):
    """A fitted model. Coefficients are per unit of Z; NaN for columns that the others (or nothing) determine."""

    coefficients: np.ndarray
    """[q] log hazard ratios."""
    covariance: np.ndarray
    """[q, q] inverse information."""
    robust: np.ndarray
    """[q, q] sum over clusters of squared dfbetas (Lin & Wei 1989), without small-sample factor."""
    log_likelihood: float
    null_log_likelihood: float
    """At coefficients of 0."""
    converged: bool
    """Whether the log-likelihood stopped growing; true also when a coefficient runs to infinity."""
    monotone: np.ndarray
    """[q] bool: the coefficient runs to infinity (separation); its value and variance mean nothing, its sign does."""
    aliased: np.ndarray
    """[q] bool: constant, a combination of columns to its left, or without information; coefficient NaN."""


class Fitted(NamedTuple):
    """A fit with what was needed for it: the standardised columns that were used, and the likelihood's state there."""

    fit: CoxFit
    risk: RiskSets
    columns: np.ndarray
    """[n, p] columns not aliased, centred and divided by their standard deviation."""
    state: State
    inverse: np.ndarray
    """[p, p] inverse information of `columns`."""
    dfbeta: np.ndarray
    """[C, p] what each cluster adds to the coefficients of `columns`."""


def fit_cox(times: Times, Z: np.ndarray | None, cluster: np.ndarray | None = None, ties: str = "efron") -> CoxFit:
    """Fit the model to `Z` [n, q] (None or no columns: only the log-likelihood).

    Time O(n log n + n q^2) per iteration. `ties`: "efron" or "breslow". `cluster` [n]: label of each unit's cluster
    for the robust variance; None: each unit is its own. Competing events: see `times`.

    Raises:
        SeqsaeError: shapes do not fit, Z is not finite, or `ties` is unknown.
    """
    return fit_fully(times, Z, cluster, ties).fit


def fit_fully(times: Times, Z: np.ndarray | None, cluster: np.ndarray | None = None, ties: str = "efron") -> Fitted:
    """As `fit_cox`, with the state at the solution."""
    Z, member = checked_columns(Z, len(times)), cluster_codes(cluster, len(times))
    risk = risk_sets(times)
    fractions = tie_fractions(risk, ties)
    exposed = risk.last > risk.first
    centre, scale, kept = _independent(Z, exposed)
    # Units that are never at risk count for nothing; at the mean they cannot spoil the scale of the others.
    columns = np.where(exposed[:, None], (Z[:, kept] - centre[kept]) / scale[kept], 0)
    null = evaluate(risk, columns, np.zeros(columns.shape[1]), fractions)
    beta, state, converged, step = _newton(risk, columns, fractions, null)
    without = _inverse(null.information, len(risk.deaths))[1]
    inverse, lost = _inverse(state.information, len(risk.deaths))
    # Information that was there at 0 and is gone at the end has been left behind on the way to infinity.
    monotone = (np.abs(step) * np.abs(columns).max(axis=0, initial=0) > _STILL_MOVING) | (lost & ~without)
    dfbeta = cluster_sums(score_residuals(risk, columns, state, fractions), member) @ inverse
    fit = CoxFit(
        coefficients=_spread_out(np.where(without, np.nan, beta / scale[kept]), kept),
        covariance=_square(inverse, scale[kept], kept, lost),
        robust=_square(dfbeta.T @ dfbeta, scale[kept], kept, lost),
        log_likelihood=state.log_likelihood,
        null_log_likelihood=null.log_likelihood,
        converged=converged,
        monotone=_spread_out(monotone, kept, False).astype(bool),
        aliased=_spread_out(without, kept, True).astype(bool),
    )
    return Fitted(fit, risk, columns, state, inverse, dfbeta)


def checked_columns(Z: np.ndarray | None, n: int) -> np.ndarray:
    """`Z` as floats [n, q]; None: no columns. SeqsaeError if its shape does not fit or it is not finite."""
    Z = np.zeros((n, 0)) if Z is None else np.asarray(Z, dtype=float)
    if Z.ndim != 2 or len(Z) != n:
        raise SeqsaeError(f"the confounders have shape {Z.shape}; give [{n}, confounders], one row for each unit")
    if not np.isfinite(Z).all():
        bad = ~np.isfinite(Z).all(axis=1)
        raise SeqsaeError(
            f"{bad.sum()} units have NaN or infinite confounders (first: unit {bad.argmax()}); drop or fill"
        )
    return Z


def _newton(
    risk: RiskSets, columns: np.ndarray, fractions: np.ndarray, now: State
) -> tuple[np.ndarray, State, bool, np.ndarray]:
    """(coefficients, state, converged, last step) from coefficients of 0."""
    beta, step = np.zeros((2, columns.shape[1]))
    if not len(beta):
        return beta, now, True, step
    for _ in range(_MAX_ITERATIONS):
        step = _inverse(now.information, len(risk.deaths))[0] @ now.score
        step *= min(1, _LARGEST_MOVE / max(np.abs(columns @ step).max(), 1e-300))
        allowed = _SMALLEST_GAIN * (abs(now.log_likelihood) + 1)
        for _ in range(_MAX_HALVINGS):
            then = evaluate(risk, columns, beta + step, fractions)
            if then.log_likelihood >= now.log_likelihood - allowed:
                break
            step = step / 2
        else:
            return beta, now, False, step
        gain, beta, now = then.log_likelihood - now.log_likelihood, beta + step, then
        if gain <= allowed:
            return beta, now, True, step
    return beta, now, False, step


def _independent(Z: np.ndarray, exposed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(centre [q], scale [q], kept [q] bool): columns that vary and that no columns to their left explain."""
    seen = Z[exposed]
    centre, scale = seen.mean(axis=0), seen.std(axis=0)
    kept = scale > 1e-10 * np.abs(seen).max(axis=0, initial=0)
    scale = np.where(kept, scale, 1)
    gram = ((seen - centre) / scale).T @ ((seen - centre) / scale) / len(seen)
    for j in np.flatnonzero(kept):
        left = np.flatnonzero(kept[:j])
        explained = gram[j, left] @ np.linalg.lstsq(gram[np.ix_(left, left)], gram[left, j])[0]
        kept[j] = gram[j, j] - explained > 1e-10
    return centre, scale, kept


def _inverse(information: np.ndarray, n_events: int) -> tuple[np.ndarray, np.ndarray]:
    """(pseudo-inverse, [p] bool columns in a direction without information)."""
    values, vectors = np.linalg.eigh(information)
    good = values > _NO_INFORMATION * n_events
    inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T
    return inverse, (vectors[:, ~good] ** 2).sum(axis=1) > 1e-6


def cluster_sums(values: np.ndarray, member: np.ndarray) -> np.ndarray:
    """[C, p] sums of `values` [n, p] over the units of each cluster."""
    n = len(member)
    return sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(member.max() + 1, n)) @ values


def _spread_out(values: np.ndarray, kept: np.ndarray, fill: float = np.nan) -> np.ndarray:
    out = np.full(len(kept), fill, dtype=float)
    out[kept] = values
    return out


def _square(matrix: np.ndarray, scale: np.ndarray, kept: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """[q, q] on the scale of Z, NaN for aliased columns."""
    out = np.full((len(kept), len(kept)), np.nan)
    matrix = matrix / np.outer(scale, scale)
    matrix[lost, :] = matrix[:, lost] = np.nan
    out[np.ix_(kept, kept)] = matrix
    return out
