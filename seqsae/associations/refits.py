"""One feature with one covariate beyond the confounders, on the test split: estimate and interval, honest about clusters.

Letters: n units, q columns of confounders Z (with the constant), x the feature's mid-ranks, of mean 0 and standard deviation 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import linalg, stats

from seqsae.associations.effects import rank_influence
from seqsae.associations.freedom import quantile
from seqsae.associations.nulls import basis, logistic_fit
from seqsae.associations.ranks import midranks
from seqsae.associations.screens import times_of
from seqsae.associations.survival.refit import refit
from seqsae.associations.survival.times import Times
from seqsae.associations.targets import Target
from seqsae.associations.units import Units

STEPS = 50
NOT_PROPORTIONAL = 0.001  # p of the test of proportional hazards from which it is said
TOLD = 1e-6  # share of a covariate's variance below which its confounders tell it without error
FARTHEST = 12.0  # log odds a standard deviation; an estimate beyond it is on its way to infinity


class Adjusted(NamedTuple):
    """An effect beyond the confounders; NaN where it is not defined."""

    value: float
    ci_low: float
    ci_high: float
    separated: bool = False
    """Whether feature and confounders tell the covariate without error, so that the estimate is Firth's."""


NOTHING = Adjusted(*[float("nan")] * 3)


def ranked(x: np.ndarray) -> np.ndarray:
    """[n] mid-ranks of mean 0 and standard deviation 1; zeros if x does not vary."""
    ranks = midranks(x) - (len(x) + 1) / 2
    sd = np.sqrt((ranks**2).mean())
    return ranks / sd if sd > 0 else np.zeros(len(x))


def refitter(aim: Target, here: Units, z: np.ndarray) -> Callable[[np.ndarray], tuple[Adjusted, str | None]]:
    """Gives, for values x [units] of a feature, the adjusted effect on a target, and what a reader must know of it."""
    if aim.is_survival:
        known, times = times_of(here, aim, z)
        cluster = here.cluster[known]
        return lambda x: (
            (NOTHING, "nobody has the event") if times is None else _hazard(x[known], times, z[known], cluster)
        )
    y = aim.y[here.chosen]
    known = np.isfinite(y) & np.isfinite(z).all(axis=1)
    why = f"collinear: {aim.same_as} says the same" if aim.same_as else _undefined(y[known], z[known], aim.is_binary)
    if why:
        return lambda x: (NOTHING, why)
    y, told, cluster = y[known], _told(z[known]), here.cluster[known]  # what every feature shares
    effect = _odds_ratio if aim.is_binary else _partial_spearman

    def of(x: np.ndarray) -> tuple[Adjusted, str | None]:
        found = effect(x[known], y, told, cluster, 0.95)
        if np.isnan(found.value):
            varies = len(np.unique(x[known])) > 1
            return found, "collinear: the confounders tell the feature" if varies else "the feature does not vary here"
        return found, "separated: Firth's estimate" if found.separated else None

    return of


def _undefined(y: np.ndarray, z: np.ndarray, binary: bool) -> str | None:
    """Why no feature has an effect on y [n] beyond z [n, q]; None if one can have."""
    if len(np.unique(y)) < 2:
        return "nobody has a value and all confounders" if not len(y) else "one value among those with all confounders"
    told = _told(z)
    if told.shape[1] >= len(y):
        return "as many confounders as units"
    if binary:
        mu = logistic_fit(y, told)
        left = (mu * (1 - mu)).mean()
    else:
        ranks = midranks(y) - (len(y) + 1) / 2
        left = ((ranks - told @ (told.T @ ranks) / len(y)) ** 2).mean()
    spread = y.var() if binary else (ranks**2).mean()
    return "collinear: the confounders tell the covariate" if left < TOLD * spread else None


def _told(z: np.ndarray) -> np.ndarray:
    """[n, <= q + 1] basis of the constant and the confounders."""
    return basis(np.column_stack([np.ones(len(z)), z]))


def _hazard(x: np.ndarray, times: Times, z: np.ndarray, cluster: np.ndarray) -> tuple[Adjusted, str | None]:
    """Log hazard ratio for a standard deviation of the ranks of x (Cox 1972; ties by Efron)."""
    found = refit(ranked(x), times, z, cluster)
    if found.flag and not np.isfinite(found.log_hr):
        return NOTHING._replace(separated=found.flag == "separates"), found.flag
    note = f"hazards not proportional (p {found.ph_p:.1g})" if found.ph_p <= NOT_PROPORTIONAL else found.flag or None
    return Adjusted(found.log_hr, found.ci_low, found.ci_high), note


def odds_ratio(x: np.ndarray, y: np.ndarray, z: np.ndarray, cluster: np.ndarray, confidence: float = 0.95) -> Adjusted:
    """Log odds ratio of y [n] in {0, 1} for a standard deviation of the ranks of x, given z [n, q].

    Logistic regression by maximum likelihood; the variance is the larger of the information's and that of the
    sandwich over clusters (Liang & Zeger 1986; each cluster's part over the root of 1 - its share of the information, after Bell &
    McCaffrey 2002; t quantile of `freedom`), since of rare features few clusters speak in the latter.
    Where feature and confounders separate the classes the likelihood has no maximum: Firth's (1993) penalised estimate then, with
    its own information, and that is said.
    """
    return _odds_ratio(x, y, _told(z), cluster, confidence)


def _odds_ratio(x: np.ndarray, y: np.ndarray, z: np.ndarray, cluster: np.ndarray, confidence: float) -> Adjusted:
    """The same for confounders from `_told`."""
    r = ranked(x)
    left = r - z @ (z.T @ r) / len(x)
    if (left**2).mean() < 1e-9 or len(np.unique(y)) < 2:
        return NOTHING
    design = np.column_stack([left, z])  # the coefficient of x is that of what is left of it
    fit = _newton(design, y, firth=False)
    separated = fit is None
    if separated:
        fit = _newton(design, y, firth=True)
        if fit is None:
            return NOTHING._replace(separated=True)
    beta, mu = fit
    information = design.T @ (design * (mu * (1 - mu))[:, None])
    try:
        bread = linalg.inv(information)
    except linalg.LinAlgError:
        return NOTHING._replace(separated=separated)
    _, member = np.unique(cluster, return_inverse=True)
    variance, wide = bread[0, 0], stats.t.ppf((1 + confidence) / 2, max(member.max(), 1))
    if not separated:
        sums = _votes(design @ bread[0], y - mu, mu * (1 - mu), member)
        if (sums @ sums) > variance:
            variance, wide = sums @ sums, quantile(sums, 1 - confidence)
    half = wide * np.sqrt(variance)
    return Adjusted(float(beta[0]), float(beta[0] - half), float(beta[0] + half), separated)


def _votes(reach: np.ndarray, residual: np.ndarray, weight: np.ndarray, member: np.ndarray) -> np.ndarray:
    """[C] what each cluster adds to a coefficient that leans on units by `reach` [n], mended for how far it draws the fit to itself."""
    share = np.bincount(member, weight * reach**2)
    share = share / max(share.sum(), 1e-300)
    return np.bincount(member, reach * residual) / np.sqrt(np.maximum(1 - share, 1e-3))


def _newton(design: np.ndarray, y: np.ndarray, firth: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """(coefficients, fitted probabilities), or None where they run to infinity."""
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        mu = 1 / (1 + np.exp(-np.clip(design @ beta, -35, 35)))
        weight = np.maximum(mu * (1 - mu), 1e-12)
        information = design.T @ (design * weight[:, None]) + 1e-10 * np.eye(len(beta))
        residual = y - mu
        if firth:
            root = design * np.sqrt(weight)[:, None]
            hat = (root * linalg.solve(information, root.T, assume_a="pos").T).sum(axis=1)
            residual = residual + hat * (0.5 - mu)
        step = linalg.solve(information, design.T @ residual, assume_a="pos")
        beta = beta + step * min(1.0, 5 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-9:
            return beta, mu
        if not firth and abs(beta[0]) > FARTHEST:
            return None
    # The coefficients of confounders may go on for ever where a level of them has one class alone; that of x has settled.
    return (beta, mu) if abs(step[0]) < 1e-6 else None


def partial_spearman(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, cluster: np.ndarray, confidence: float = 0.95
) -> Adjusted:
    """Correlation of the ranks of x and y [n], both less what z [n, q] tells of them by least squares.

    Interval on the Fisher z scale from each unit's influence, through its own ranks and through those of all others (Hoeffding
    1948), summed by cluster, and the t quantile of `freedom`; without confounders it is `effects.spearman`.
    """
    return _partial_spearman(x, y, _told(z), cluster, confidence)


def _partial_spearman(x: np.ndarray, y: np.ndarray, z: np.ndarray, cluster: np.ndarray, confidence: float) -> Adjusted:
    """The same for confounders from `_told`."""
    n = len(x)
    u, v = ((midranks(values) - (n + 1) / 2) / n for values in (x, y))
    e, f = (part - z @ (z.T @ part) / n for part in (u, v))
    var_e, var_f = (e * e).mean(), (f * f).mean()
    if min(var_e / max((u * u).mean(), 1e-300), var_f / max((v * v).mean(), 1e-300)) < 1e-9:
        return NOTHING
    rho = float(np.clip((e * f).mean() / np.sqrt(var_e * var_f), -1, 1))
    moved_x, moved_y = rank_influence(x, e, f), rank_influence(y, f, e)
    cross = e * f + moved_x.on_other + moved_y.on_other
    scale = (e * e + 2 * moved_x.on_self) / var_e + (f * f + 2 * moved_y.on_self) / var_f
    influence = cross / np.sqrt(var_e * var_f) - rho / 2 * scale
    _, member = np.unique(cluster, return_inverse=True)
    clusters = member.max() + 1
    if clusters <= z.shape[1] + 3 or abs(rho) > 1 - 1e-9:
        return Adjusted(rho, -1.0, 1.0)
    influence = (influence - influence.mean()) / n
    variance = _sandwich(influence, member) * n / max(n - z.shape[1], 1)
    half = quantile(np.bincount(member, influence), 1 - confidence) * np.sqrt(variance) / (1 - rho**2)
    centre = np.arctanh(rho)
    return Adjusted(rho, float(np.tanh(centre - half)), float(np.tanh(centre + half)))


def _sandwich(influence: np.ndarray, member: np.ndarray) -> float:
    """Sum over clusters of squared sums of influences, times C / (C - 1)."""
    sums = np.bincount(member, influence)
    return float((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))
