"""Coverage: how often the 95% intervals hold the effect that a cohort of several hundred thousand people of the same law has.

A hidden state goes with age and household, makes features fire and moves every covariate; age, length and household move these besides.
The effect in the large cohort is found by the same functions (its own error is a twentieth of a cohort's, or less).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from cohorts import ALONE, BINARY, COVARIATES, HOUSEHOLDS, People, counts, covariates, follow_up, people
from scipy.special import expit

from rated.tally import Tally
from seqsae.associations.effects import auroc, spearman
from seqsae.associations.refits import odds_ratio, partial_spearman, ranked
from seqsae.associations.survival.concordance import harrell_c
from seqsae.associations.survival.refit import refit
from seqsae.associations.survival.times import Times

RATES = np.array([0.0006, 0.004, 0.05])
"""[F] chance to fire at a row without the hidden state: in about 2, 10 and 55 % of people."""
GAIN = 6.0
"""How much oftener features fire in it."""
POPULATIONS = {"in households": (1000, HOUSEHOLDS), "alone": (1000, ALONE), "few, in households": (300, HOUSEHOLDS)}
"""Of one and the same law but for who lives with whom, and how many they are."""
FIRING = 10
"""People in whom a feature must fire for its intervals to be asked: the least support of a claim."""
SURVIVAL = {"survival, common": -1.0, "survival, rare": -3.0}
MEASURES = ("AUROC", "log odds ratio", "Spearman", "partial Spearman", "C-index", "log hazard ratio")


class Drawn(NamedTuple):
    """A cohort."""

    who: People
    x: np.ndarray
    """[n, F] share of rows at which each feature fires."""
    state: np.ndarray
    y: np.ndarray
    """[n, 3] COVARIATES"""


class Asked(NamedTuple):
    """One interval."""

    measure: str
    covariate: str
    feature: int
    value: float
    low: float
    high: float
    firth: bool = False
    """Whether the estimate is the penalised one of data that separate."""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.measure, self.covariate, self.feature


def drawn(rng: np.random.Generator, n: int, sizes: tuple = HOUSEHOLDS) -> Drawn:
    who = people(rng, n, sizes=sizes)
    chance = expit(-0.8 + 0.05 * (who.age - 50) + 0.7 * rng.normal(size=n)[who.cluster])
    state = (rng.random(n) < chance) * 1.0
    fired = counts(rng, who, RATES, np.log(GAIN) * state[:, None])
    return Drawn(who, fired / who.length[:, None], state, covariates(rng, who, who.confounding + 1.5 * state - 0.6))


def intervals(rng: np.random.Generator, n: int, sizes: tuple = HOUSEHOLDS) -> Iterator[Asked]:
    """Every measure of every feature with every covariate it fits, over n people."""
    cohort = drawn(rng, n, sizes)
    who, z = cohort.who, cohort.who.confounders
    for j, name in enumerate(COVARIATES):
        y = cohort.y[:, j]
        for f, x in _asked(cohort.x):
            crude, beyond = (auroc, odds_ratio) if BINARY[j] else (spearman, partial_spearman)
            names = ("AUROC", "log odds ratio") if BINARY[j] else ("Spearman", "partial Spearman")
            yield Asked(names[0], name, f, *crude(x, y, who.cluster, test=False)[:3])
            yield Asked(names[1], name, f, *beyond(x, y, z, who.cluster))
    for name, level in SURVIVAL.items():
        kept, times = follow_up(rng, who, level, who.confounding + 1.2 * cohort.state - 0.4)
        yield from _of_survival(name, cohort.x[kept], who.some(kept), times)


def _of_survival(name: str, x: np.ndarray, who: People, times: Times) -> Iterator[Asked]:
    z = who.confounders
    for f, values in _asked(x):
        found = harrell_c(values, times, who.cluster)
        yield Asked("C-index", name, f, found.value, found.ci_low, found.ci_high)
        found = refit(ranked(values), times, z, who.cluster)
        yield Asked("log hazard ratio", name, f, found.log_hr, found.ci_low, found.ci_high)


def _asked(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    return ((f, values) for f, values in enumerate(x.T) if np.count_nonzero(values) >= FIRING)


def truth(n: int) -> dict[tuple, float]:
    """By key: the effects in a cohort of n people."""
    return {asked.key: asked.value for asked in intervals(np.random.default_rng([9, 9]), n)}


def count(tally: Tally, population: str, asked: Asked, true: float) -> None:
    """Whether the interval holds the truth; one that is not defined counts as none, and is told."""
    given = bool(np.isfinite([asked.low, asked.high]).all())
    told = {"held": asked.low <= true <= asked.high, "below": asked.high < true, "above": asked.low > true}
    told["firth"] = asked.firth
    for key in ((population, asked.measure), (population, *asked.key)):
        for name, happened in told.items():
            tally.add((*key, name), np.array(given and happened), np.array(given))
        tally.add((*key, "given"), np.array(given), np.array(True))
