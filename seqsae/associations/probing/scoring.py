"""How well out-of-fold scores tell a target, and by how much one set of scores tells it better than another.

Letters: n units, C clusters. Intervals are honest about clusters, and count twice the variance that the scores have as they stand:
two subjects in different folds meet twice, each once scored by a probe that has learnt from the other (Bates, Hastie & Tibshirani
2023, arXiv 2104.00673). Where nothing can be told the score is such a sum of pairs and its variance is twice that of one meeting;
where much can be told the second meeting matters less, and the interval is too wide by up to that factor. (Simulated before
choosing: without it 79 to 84% of intervals held 1/2 for a target of noise, with it 96 to 97%.)
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from seqsae.associations.baselines import effect_of
from seqsae.associations.effects import Effect, rank_influence
from seqsae.associations.ranks import midranks
from seqsae.associations.screens import times_of
from seqsae.associations.survival.concordance import harrell_influence
from seqsae.associations.targets import Target
from seqsae.associations.units import Units


class Difference(NamedTuple):
    """One effect less another on the same units, with its 95% interval; NaN where either is undefined."""

    value: float
    ci_low: float
    ci_high: float


NONE = Difference(*[float("nan")] * 3)
WIDER = 2**0.5
"""Factor on standard errors of out-of-fold scores; see above."""


def effect(aim: Target, scores: np.ndarray, here: Units) -> Effect:
    """AUROC, Spearman's rho or C-index of out-of-fold scores [units] over the units that have both a value and a score (NaN: none)."""
    found = effect_of(_scored(aim, scores, here), np.nan_to_num(scores), here)
    forth, back = (np.arctanh, np.tanh) if aim.effect_name == "spearman" else (special.logit, special.expit)
    ends = []
    for end in (found.ci_low, found.ci_high):
        with np.errstate(divide="ignore", invalid="ignore"):
            wide = float(back(forth(found.value) + WIDER * (forth(end) - forth(found.value))))
        ends.append(wide if np.isfinite(wide) and abs(found.value - back(0)) < abs(back(np.inf) - back(0)) else end)
    return found._replace(ci_low=ends[0], ci_high=ends[1])


def difference(aim: Target, one: np.ndarray, other: np.ndarray, here: Units) -> Difference:
    """Effect of scores `one` less that of scores `other`, both [units].

    Each unit's first-order influence on either effect (Hoeffding 1948) is subtracted and summed by cluster before it is squared:
    for AUROCs of independent units the paired test of DeLong et al. (1988), for clusters Obuchowski's (1997).
    """
    aim = _scored(aim, one + other, here)
    known = np.isfinite(aim.y[here.chosen])
    a, b = (_influence(aim, np.nan_to_num(scores), here, known) for scores in (one, other))
    if not (np.isfinite(a[0]) and np.isfinite(b[0])):
        return NONE
    sums = np.bincount(np.unique(here.cluster[known], return_inverse=True)[1], a[1] - b[1])
    if len(sums) < 2:
        return NONE
    value = a[0] - b[0]
    half = WIDER * stats.norm.isf(0.025) * float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()))
    return Difference(value, value - half, value + half)


def r_squared(y: np.ndarray, predicted: np.ndarray, mean: np.ndarray) -> float:
    """1 - sum (y - predicted)^2 / sum (y - mean)^2 over units with all three; `mean` is that of the units learnt from.

    Below 0 where predictions are worse than that mean; NaN where y does not differ from it.
    """
    known = np.isfinite(y) & np.isfinite(predicted)
    left, whole = ((y[known] - predicted[known]) ** 2).sum(), ((y[known] - mean[known]) ** 2).sum()
    return float(1 - left / whole) if whole > 0 else float("nan")


def _scored(aim: Target, scores: np.ndarray, here: Units) -> Target:
    """The target without the units that have no score."""
    y = aim.y.astype(float).copy()
    y[here.chosen[~np.isfinite(scores)]] = np.nan
    return replace(aim, y=y)


def _influence(aim: Target, x: np.ndarray, here: Units, known: np.ndarray) -> tuple[float, np.ndarray]:
    """The effect and each known unit's influence on it."""
    if aim.is_survival:
        known, times = times_of(here, aim)
        return (float("nan"), np.zeros(0)) if times is None else harrell_influence(x[known], times)
    x, y = x[known], aim.y[here.chosen][known]
    return _of_auroc(x, y == 1) if aim.is_binary else _of_spearman(x, y)


def _of_auroc(x: np.ndarray, positive: np.ndarray) -> tuple[float, np.ndarray]:
    m, k = np.count_nonzero(positive), np.count_nonzero(~positive)
    if not m or not k:
        return float("nan"), np.zeros(len(x))
    overall, out = midranks(x), np.empty(len(x))
    above = (overall[positive] - midranks(x[positive])) / k
    below = 1 - (overall[~positive] - midranks(x[~positive])) / m
    value = float(above.mean())
    out[positive], out[~positive] = (above - value) / m, (below - value) / k
    return value, out


def _of_spearman(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    n = len(x)
    if not n:
        return float("nan"), np.zeros(0)
    u, v = ((midranks(values) - (n + 1) / 2) / n for values in (x, y))
    var_u, var_v = (u * u).mean(), (v * v).mean()
    if var_u == 0 or var_v == 0:
        return (0.0 if var_v else float("nan")), np.zeros(n)
    rho = float((u * v).mean() / np.sqrt(var_u * var_v))
    moved_x, moved_y = rank_influence(x, u, v), rank_influence(y, v, u)
    cross = (u * v + moved_x.on_other + moved_y.on_other) / np.sqrt(var_u * var_v)
    scale = (u * u + 2 * moved_x.on_self) / var_u + (v * v + 2 * moved_y.on_self) / var_v
    influence = cross - rho / 2 * scale
    return rho, (influence - influence.mean()) / n
