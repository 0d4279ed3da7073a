"""The Cox score test of every sparse feature at once, adjusted for confounders by a null model fitted once.

Letters: n units, F features, p independent confounders, K distinct event times, C clusters.

With martingale residuals M, risk scores theta and accrued hazards H of the null model on Z:

- U = X'M;
- V = (X o X)'(theta H) - sum_k d_k (S1(t_k) / S0(t_k))^2, less the part that Z explains, c' I^-1 c, c the
  information that x and Z share and I that of Z: the efficient score's variance (Cox & Hinkley 1974);
- the third cumulant of U likewise, from the sums S1, S2, S3 of x, x^2, x^3 over risk sets, as though Z explained none.

Exact, in O(non-zeros + events), delayed entry included (`steps`). Ties are Breslow's in the null model and here, so that
U and V belong together; with heavy ties V is too large, and a refit with Efron's (`refit`) is nearer to the truth.

Clusters: units of one cluster share a frailty, so that their residuals covary as phi theta_i theta_j, phi from all pairs
within clusters; this adds phi * sum over such pairs of x~_i theta_i x~_j theta_j to V, x~ = x less its mean (the idea of
Moulton 1986, for hazards). The sandwich (`robust`) is not the default: for a rare feature it rests on the few
clusters with an event in a unit that fires (type-I error at .05 simulated as .02 to .23, where this has .03 to .075).

Tails are those of `screen` (`rare_p`: Pearson's type III), by the third cumulant: normal ones are an order of magnitude too
light at p = .001 where few events are expected among the units that fire.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.ranks import Matrix
from seqsae.associations.screen import rare_p
from seqsae.associations.support import MEETINGS
from seqsae.associations.survival.null import NullModel
from seqsae.associations.survival.risk import accrued
from seqsae.associations.survival.robust import robust_variance
from seqsae.associations.survival.steps import risk_set_jumps, step_moments
from seqsae.associations.survival.times import cluster_codes
from seqsae.errors import SeqsaeError

_COLLINEAR = 1e-10
"""Share of a feature's second moment below which nothing is left that Z does not explain."""


class Score(NamedTuple):
    """Score tests of F features; every array is [F]."""

    u: np.ndarray
    """Efficient score: positive where the feature goes with more events than Z leads to expect."""
    v: np.ndarray
    """Its variance if units are independent; 0 where Z explains the feature or it is never at risk. u / v is one
    Newton step towards the log hazard ratio: good for ordering, too far for large effects."""
    v_cluster: np.ndarray
    """Its variance with a frailty shared in clusters, at least `v`; equal to `v` without clusters."""
    v_robust: np.ndarray
    """Sum over clusters of squared sums of score residuals (Lin & Wei 1989); NaN unless asked for."""
    skew: np.ndarray
    """Skewness of u under the null."""
    z: np.ndarray
    """u / sqrt(v_cluster); NaN where v is 0."""
    p: np.ndarray
    """Two-sided, of no association given Z; NaN where v is 0."""
    n_active: np.ndarray
    """Units at risk at some event time in which the feature is non-zero: too few (below 5 or 10), and p is no test."""
    n_events: np.ndarray
    """Of these, units with the event."""


def cox_score(X: Matrix, null: NullModel, cluster: np.ndarray | None = None, robust: bool = False) -> Score:
    """Test every column of `X` [n, F], sparse or dense, any sign, given the null model.

    `cluster` [n]: label of each unit's cluster; None: each unit is its own. `robust` adds `v_robust`, exact, in dense
    blocks of features of at most 256 MB and O(F (K + C)); all else is of the order of X in time and memory.

    Raises:
        SeqsaeError: X has another number of rows, or holds NaN or infinite values; cluster does not fit.
    """
    X, member = _checked(X, len(null.theta)), cluster_codes(cluster, len(null.theta))
    jumps, lean = risk_set_jumps(X, null), _shared_information(X, null)
    second, raw, third = _cumulants(X, null, jumps)
    v = second - np.einsum("fp,pq,fq->f", lean, null.inverse, lean)
    v = np.where(v > _COLLINEAR * raw, v, 0)
    v_cluster = v if cluster is None else v + np.where(v > 0, np.maximum(_frailty(X, null, member), 0), 0)
    v_robust = robust_variance(X, null, jumps, lean, member) if robust else np.full(len(v), np.nan)
    u, tested = X.T @ null.martingale, v > 0
    z = np.divide(u, np.sqrt(v_cluster), out=np.full(len(u), np.nan), where=tested)
    skew = np.divide(third, np.maximum(second, 0) ** 1.5, out=np.zeros(len(u)), where=tested)
    # Whole clusters move together: the fewer independent parts, the more of the skewness stays.
    skew *= np.sqrt(np.divide(v_cluster, v, out=np.ones(len(u)), where=tested))
    return Score(u, v, v_cluster, v_robust, skew, z, rare_p(z, skew), *_support(X, null))


def _cumulants(X: Matrix, null: NullModel, jumps: Matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(second cumulant, raw second moment, third cumulant) [F] of U, each event a draw from its risk set."""
    expected = null.theta * null.hazard
    squares = X.multiply(X) if sparse.issparse(X) else X * X
    cubes = squares.multiply(X) if sparse.issparse(X) else squares * X
    raw, sums = squares.T @ expected, step_moments(jumps, null)
    return raw - sums.square, raw, cubes.T @ expected - 3 * sums.mixed + 2 * sums.cube


def _shared_information(X: Matrix, null: NullModel) -> np.ndarray:
    """[F, p] information that each feature shares with each confounder."""
    pulled = accrued(null.risk, (null.risk.count / null.s0)[:, None] * null.mean)
    return X.T @ (null.theta[:, None] * (null.columns * null.hazard[:, None] - pulled))


def _frailty(X: Matrix, null: NullModel, member: np.ndarray) -> np.ndarray:
    """[F] phi times the sum over ordered pairs within clusters of x~_i theta_i x~_j theta_j.

    phi is that of all clusters, or each cluster's own where that is more and luck brings feature and event together in MEETINGS of
    them, as in `support.design_effect`.
    """
    n, weight = len(member), np.where(null.risk.last > null.risk.first, null.theta, 0)
    sums = sparse.csr_array((np.ones(n), (member, np.arange(n))), shape=(member.max() + 1, n))
    theta, residual = sums @ weight, sums @ null.martingale
    pairs = theta @ theta - weight @ weight
    if pairs <= 1e-12 * (weight @ weight):
        return np.zeros(X.shape[1])
    phi = max(0, (residual @ residual - null.martingale @ null.martingale) / pairs)
    mean = X.T @ weight / weight.sum()
    whole = sums @ sparse.diags_array(weight) @ X  # [C, F]
    alike = _centred_squares(whole, theta, mean) - _centred_squares(X, np.ones(n), mean, weight**2)
    possible = theta**2 - sums @ weight**2
    excess = residual**2 - sums @ null.martingale**2
    own = np.divide(excess, possible, out=np.zeros(len(theta)), where=possible > 1e-12 * theta**2)
    apiece = _centred_squares(whole, theta, mean, own) - _centred_squares(X, np.ones(n), mean, weight**2 * own[member])
    active = np.asarray((whole != 0).sum(axis=0)).ravel()
    ended = len(np.unique(member[np.unique(null.risk.deaths)]))
    return np.where(active * ended >= MEETINGS * len(theta), np.fmax(phi * alike, apiece), phi * alike)


def _centred_squares(
    values: Matrix, size: np.ndarray, mean: np.ndarray, weight: np.ndarray | None = None
) -> np.ndarray:
    """[F] sum over rows of weight (values - size * mean)^2, zeros not visited."""
    weight = np.ones(len(size)) if weight is None else weight
    squares = values.multiply(values) if sparse.issparse(values) else values * values
    return squares.T @ weight - 2 * mean * (values.T @ (weight * size)) + mean**2 * (weight @ size**2)


def _support(X: Matrix, null: NullModel) -> tuple[np.ndarray, np.ndarray]:
    """(units [F] at risk in which the feature is active, those of them with the event)."""
    active, exposed = (X != 0).T, null.risk.last > null.risk.first
    return active @ exposed.astype(np.int64), active @ np.bincount(null.risk.deaths, minlength=len(exposed))


def _checked(X: Matrix, n: int) -> Matrix:
    """X as floats, sparse by columns without stored zeros or dense."""
    if sparse.issparse(X):
        X = sparse.csc_array(X, dtype=float, copy=True)
        X.sum_duplicates()
        X.eliminate_zeros()
    else:
        X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.shape[0] != n:
        raise SeqsaeError(f"X has shape {X.shape}; give [{n}, features], one row for each unit of the null model")
    if not np.isfinite(X.data if sparse.issparse(X) else X).all():
        raise SeqsaeError("the feature matrix holds NaN or infinite values; drop or fill them before testing")
    return X
