"""How a record ends: death and emigration compete over the gap to the next event, and the registers close.

Hazards are per year. Over a gap they depend on the concepts that held after the last event, and on age:

    death(age)  = DEATH_AT_0 * exp(SLOPE * age + strength * sum of `death` of the concepts that hold)      (Gompertz 1825)
    abroad(age) = ABROAD_YOUNG or, from age 40, ABROAD_OLD, * exp(strength * sum of `abroad`)

Times are drawn by inverting the cumulative hazard from the age at the last event on.
"""

import numpy as np

from synthetic_lives.rules import YEAR
from synthetic_lives.world import World

DEATH_AT_0, SLOPE = 3.2e-5, 0.093
ABROAD_YOUNG, ABROAD_OLD = 4e-3, 1.5e-3
CLOSED = np.datetime64("2023-12-31", "s").astype(np.int64)
"""The registers hold nothing from this day on."""


class Hazards:
    """The hazards of a world at one strength."""

    def __init__(self, world: World, strength: float):
        self.death = np.array([strength * concept.death for concept in world.states])
        self.abroad = np.array([strength * concept.abroad for concept in world.states])

    def draw(self, age: np.ndarray, states: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Seconds to death and to emigration [m], from `age` [m] in years, states [m, K] and uniform [m, 2]."""
        waits = -np.log1p(-uniform)
        dying = DEATH_AT_0 * np.exp(SLOPE * age + states @ self.death)
        leaving = np.where(age < 40, ABROAD_YOUNG, ABROAD_OLD) * np.exp(states @ self.abroad)
        return YEAR * np.log1p(SLOPE * waits[:, 0] / dying) / SLOPE, YEAR * waits[:, 1] / leaving
