"""The numbers that go with laboratory tests and incomes in the small world."""

import numpy as np

from synthetic_lives.process import Lives
from synthetic_lives.world import World


def draw(world: World, lives: Lives, rng: np.random.Generator) -> np.ndarray:
    """[E] the result of a laboratory test, the amount of an income, nan for other codes."""
    if world.registers is not None:
        return lives.value
    index, names = world.vocabulary.index, [concept.name for concept in world.moving]
    noise, drawn = rng.standard_normal(len(lives.person)), lives.tokens[:, 0]
    diabetes, heart = (lives.holds[:, names.index(name)] for name in ("diabetes", "heart_disease"))
    results = {
        "LAB//HBA1C": 37.0 + 14.0 * diabetes + 4.0 * noise,  # mmol/mol
        "LAB//GLUCOSE": 5.3 + 2.4 * diabetes + 0.6 * noise,  # mmol/l
        "LAB//CHOLESTEROL": 5.0 + 0.7 * heart + 0.8 * noise,  # mmol/l
        "LAB//BLOODPRESSURE": 126.0 + 12.0 * heart + 11.0 * noise,  # mmHg
        **{f"INCOME//D{d}": (60_000.0 + 45_000.0 * d) * np.exp(0.05 * noise) for d in range(1, 11)},  # a year
    }
    value = np.full(len(drawn), np.nan)
    for code, result in results.items():
        here = drawn == index[code]
        value[here] = result[here]
    return value
