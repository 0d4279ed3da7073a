"""Coverage: how often the 95% intervals hold the effect that a cohort of several hundred thousand people of the same law has.

A hidden state goes with age and household, makes features fire and moves every covariate; age, length and household move these besides.
The effect in the large cohort is found by the same functions (its own error is a twentieth of a cohort's, or less).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from cohorts import BINARY, COVARIATES, People, counts, covariates, follow_up, people
from scipy.special import expit

from rated.tally import Tally
from seqsae.associations.effects import auroc, spearman
from seqsae.associations.refits import odds_ratio, partial_spearman, ranked
from seqsae.associations.survival.concordance import harrell_c
from seqsae.associations.survival.refit import refit
from seqsae.associations.survival.times import Times

N = 1000
RATES = np.array([0.0006, 0.004, 0.012, 0.05])
"""[F] chance to fire at a row without the hidden state: in about 2, 10, 25 and 55 % of people."""
GAIN = 6.0
"""How much oftener features fire in it."""
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

    @property
    def key(self) -> tuple[str, str, int]:
        return self.measure, self.covariate, self.feature


def drawn(rng: np.random.Generator, n: int) -> Drawn:
    who = people(rng, n)
    chance = expit(-0.8 + 0.05 * (who.age - 50) + 0.7 * rng.normal(size=n)[who.cluster])
    state = (rng.random(n) < chance) * 1.0
    fired = counts(rng, who, RATES, np.log(GAIN) * state[:, None])
    return Drawn(who, fired / who.length[:, None], state, covariates(rng, who, who.confounding + 1.5 * state - 0.6))


def intervals(rng: np.random.Generator, n: int) -> Iterator[Asked]:
    """Every measure of every feature with every covariate it fits, over n people."""
    cohort = drawn(rng, n)
    who, z = cohort.who, cohort.who.confounders
    for j, name in enumerate(COVARIATES):
        y = cohort.y[:, j]
        for f, x in enumerate(cohort.x.T):
            crude, beyond = (auroc, odds_ratio) if BINARY[j] else (spearman, partial_spearman)
            names = ("AUROC", "log odds ratio") if BINARY[j] else ("Spearman", "partial Spearman")
            yield Asked(names[0], name, f, *crude(x, y, who.cluster, test=False)[:3])
            yield Asked(names[1], name, f, *beyond(x, y, z, who.cluster)[:3])
    for name, level in SURVIVAL.items():
        kept, times = follow_up(rng, who, level, who.confounding + 1.2 * cohort.state - 0.4)
        yield from _of_survival(name, cohort.x[kept], who.some(kept), times)


def _of_survival(name: str, x: np.ndarray, who: People, times: Times) -> Iterator[Asked]:
    z = who.confounders
    for f in range(x.shape[1]):
        found = harrell_c(x[:, f], times, who.cluster)
        yield Asked("C-index", name, f, found.value, found.ci_low, found.ci_high)
        found = refit(ranked(x[:, f]), times, z, who.cluster)
        yield Asked("log hazard ratio", name, f, found.log_hr, found.ci_low, found.ci_high)


def truth(n: int) -> dict[tuple, float]:
    """By key: the effects in a cohort of n people."""
    return {asked.key: asked.value for asked in intervals(np.random.default_rng([9, 9]), n)}


def count(tally: Tally, asked: Asked, true: float) -> None:
    """Whether the interval holds the truth; one that is not defined counts as none, and is told."""
    given = bool(np.isfinite([asked.low, asked.high]).all())
    held = given and asked.low <= true <= asked.high
    for key in ((asked.measure,), asked.key):
        tally.add((*key, "held"), np.array(held), np.array(given))
    tally.add((asked.measure, "given"), np.array(given), np.array(True))
    tally.add((*asked.key, "below"), np.array(given and asked.high < true), np.array(given))
    tally.add((*asked.key, "above"), np.array(given and asked.low > true), np.array(given))
