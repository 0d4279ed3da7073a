"""Who the people are before anything happens: households, traits that relatives share, when events come."""

from dataclasses import dataclass

import numpy as np

from synthetic_lives.rules import YEAR

SHORTEST, LONGEST = 30, 120
"""Events in a life, the birth not counted."""

LAST_DAY = np.datetime64("2023-12-31", "s").astype(np.int64)
DAY = 86400


@dataclass(frozen=True)
class People:
    """P persons, the longest lives first (the process walks over the lives that have not ended yet)."""

    subject_id: np.ndarray
    """[P] int64, in no order."""
    household: np.ndarray
    """[P] int64, the same for relatives."""
    traits: dict[str, np.ndarray]
    """Person concept to [P] bool."""
    birth: np.ndarray
    """[P] int64, seconds since 1970."""
    n_events: np.ndarray
    """[P] int64, events to draw, non-increasing."""
    times: np.ndarray
    """[P, LONGEST] int64 seconds since 1970, increasing; only the first n_events of a row count."""


def draw(persons: int, rng: np.random.Generator) -> People:
    """Draw `persons` people."""
    household = _households(persons, rng)
    traits = _traits(household, rng)
    mean_length = 66 + 18 * traits["frail"]
    n_events = np.clip(mean_length + 24 * rng.standard_normal(persons), SHORTEST, LONGEST).astype(np.int64)
    order = np.argsort(-n_events, kind="stable")
    birth = _births(household, rng)
    return People(
        subject_id=(100_000 + rng.permutation(persons))[order].astype(np.int64),
        household=household[order],
        traits={name: values[order] for name, values in traits.items()},
        birth=birth[order],
        n_events=n_events[order],
        times=_times(birth[order], n_events[order], rng),
    )


def _households(persons: int, rng: np.random.Generator) -> np.ndarray:
    """[P] household numbers; households hold one to five persons."""
    sizes = rng.choice(np.arange(1, 6), size=persons, p=[0.35, 0.3, 0.15, 0.15, 0.05])
    return np.repeat(np.arange(persons), sizes)[:persons]


def _traits(household: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Person concepts. Class, region and origin are the household's; frailty and risk are partly shared."""
    n = len(household)
    status = rng.random(n)[household]
    region = rng.random(n)[household]
    origin = rng.random(n)[household]
    frailty = _shared(household, 0.5, rng)
    risk = _shared(household, 0.3, rng)
    return {
        "female": rng.random(n) < 0.5,
        "low_class": status < 0.4,
        "high_class": status > 0.8,
        "frail": frailty > 0.8416,  # the upper fifth of a standard normal
        "rural": region < 0.4,
        "migrant_origin": origin < 0.1,
        "risk_taking": risk > 1.1503,  # the upper eighth
        "rare_metabolism": _one_in(200, n, rng),
    }


def _shared(household: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """[P] standard normal, of which `share` of the variance is the household's."""
    n = len(household)
    return np.sqrt(share) * rng.standard_normal(n)[household] + np.sqrt(1 - share) * rng.standard_normal(n)


def _one_in(every: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """[n] bool, exactly one positive in `every`, at least one: a rare trait never vanishes by chance."""
    chosen = np.zeros(n, bool)
    chosen[rng.permutation(n)[: max(1, round(n / every))]] = True
    return chosen


def _births(household: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[P] seconds since 1970 at midnight: born 1935 to 1992, relatives of one generation or two."""
    n = len(household)
    apart = rng.choice([-3, 0, 2, 25, -25], size=n, p=[0.2, 0.3, 0.2, 0.15, 0.15])
    year = np.clip(rng.integers(1938, 1990, n)[household] + apart, 1935, 1992)
    first = (year - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    return first + DAY * rng.integers(0, 365, n)


def _times(birth: np.ndarray, n_events: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[P, LONGEST] times to the minute: a life is observed from age 16 to 22 on, about every third of a year.

    Gaps are at least a day; a life that would pass LAST_DAY is squeezed to end before it.
    """
    n = len(birth)
    start = birth + (YEAR * rng.uniform(16, 22, n)).astype(np.int64)
    gap = rng.uniform(0.22, 0.55, n) * YEAR
    gap = np.minimum(gap, (LAST_DAY - start) / (n_events + 1))
    steps = 0.35 + 0.65 * rng.gamma(1.5, 1 / 1.5, (n, LONGEST))
    counted = np.arange(LONGEST) < n_events[:, None]
    steps = steps / (steps * counted).sum(1, keepdims=True) * n_events[:, None] * gap[:, None]
    minutes = np.maximum(steps, DAY).cumsum(1) // 60
    return start[:, None] // 60 * 60 + minutes.astype(np.int64) * 60
