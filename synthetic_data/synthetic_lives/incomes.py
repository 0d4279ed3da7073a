"""Income in the full world: an autoregressive latent, cut at fixed quantiles.

x_t = log amount ~ N(m_t + RHO * (x_before - m_before), SPREAD**2 * (1 - RHO**2)), the first one ~ N(m_t, SPREAD**2), and

    m = MIDDLE + group of job + AGE * ((age - 48) / 30)**2 + idle + SPREAD * strength * sum of `income` of the states that hold

The amount is rounded to whole kroner, and from then on x is the logarithm of what is recorded, so that the law depends on
records alone. INCOME//q is the quantile q of 98 of N(MIDDLE, WIDE**2) in which the amount lies; the edges lie between whole
kroner. The code costs -log of the probability of its quantile; the amount within it costs nothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from synthetic_lives.people import People
from synthetic_lives.rules import YEAR
from synthetic_lives.world import World

MIDDLE, WIDE, SPREAD, RHO, AGE, OUT_OF_WORK = np.log(280_000.0), 0.6, 0.4, 0.8, -0.4, -0.55
BY_GROUP = (0.0, 0.45, 0.3, 0.1, 0.0, -0.1, -0.1, 0.05, 0.0, -0.2)
"""For each major group of jobs, 0 to 9."""

QUANTILES = 98
EDGES = np.log(np.floor(np.exp(MIDDLE + WIDE * ndtri(np.arange(1, QUANTILES) / QUANTILES))) + 0.5)
"""[97] of log amount."""


@dataclass(frozen=True)
class Paid:
    """Incomes of m labour records."""

    amount: np.ndarray
    """[m] kroner a year."""
    token: np.ndarray
    """[m] its code."""
    nats: np.ndarray
    """[m] -log p of the code."""
    worth: np.ndarray
    """[K] what knowing each concept was worth, in nats."""


class Incomes:
    """The last income of n lives: how far it lay from its mean."""

    def __init__(self, world: World, people: People, strength: float):
        self.birth = people.birth
        self.shift = SPREAD * strength * np.array([concept.income for concept in world.states])
        self.active = np.flatnonzero(self.shift)
        self.first = world.vocabulary.index["INCOME//1"]
        self.residual = np.full(len(people.birth), np.nan)

    def draw(self, who, time, group, working, states, normal) -> Paid:
        """Incomes at `time` [m], from standard normal numbers [m]; `group` is the job's, -1 without one."""
        age = (time - self.birth[who]) / YEAR
        mean = MIDDLE + np.where(group >= 0, np.array(BY_GROUP)[group], 0.0) + AGE * ((age - 48) / 30) ** 2
        mean = mean + np.where(working, 0.0, OUT_OF_WORK) + states @ self.shift
        before = self.residual[who]
        new = np.isnan(before)
        middle = mean + np.where(new, 0.0, RHO * np.where(new, 0.0, before))
        spread = SPREAD * np.where(new, 1.0, np.sqrt(1 - RHO**2))
        amount = np.maximum(np.round(np.exp(middle + spread * normal)), 1.0)
        log = np.log(amount)
        self.residual[who] = log - mean
        quantile = np.searchsorted(EDGES, log)
        lower, upper = np.append(-np.inf, EDGES)[quantile], np.append(EDGES, np.inf)[quantile]
        p = _between(lower, upper, middle, spread)
        worth = np.zeros(states.shape[1])
        for k in self.active:  # the same law without this concept's part of the mean
            held = states[:, k] > 0
            without = _between(lower[held], upper[held], middle[held] - self.shift[k], spread[held])
            worth[k] = (np.log(p[held]) - np.log(without)).sum()
        return Paid(amount, self.first + quantile, -np.log(p), worth)


def _between(lower: np.ndarray, upper: np.ndarray, middle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """P(lower < x < upper), from the tail in which both lie, so that no digits are lost."""
    a, b = (lower - middle) / spread, (upper - middle) / spread
    low, high = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
    return np.maximum(ndtr(high) - ndtr(low), 1e-300)
