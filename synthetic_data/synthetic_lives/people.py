"""Who the people of a block are before anything happens: households, traits that relatives share, when a record opens."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from synthetic_lives.rules import YEAR
from synthetic_lives.world import World

BLOCK = 2000
"""Persons that are drawn together, whole households among them."""

DAY = 86400
OPENED = np.datetime64("1986-01-01", "s").astype(np.int64)
"""The registers hold nothing from before."""

BORN = (1946, 1991)
"""First and last year of birth."""


@dataclass(frozen=True)
class People:
    """P persons of one block, by ascending subject_id."""

    subject_id: np.ndarray
    """[P] int64, in no order."""
    household: np.ndarray
    """[P] int64, the same for relatives."""
    traits: dict[str, np.ndarray]
    """Person concept to [P] bool."""
    birth: np.ndarray
    """[P] int64, seconds since 1970, midnight."""
    opened: np.ndarray
    """[P] int64, seconds since 1970: when the record begins."""
    pace: np.ndarray
    """[P] years between events, on average, were the person not frail."""
    called: np.ndarray
    """[P] bool: a fair coin, thrown for the jury."""
    split: np.ndarray
    """[P] 0 train, 1 tuning, 2 held_out; one for a household."""


def draw(world: World, block: int, persons: int, seed: int) -> People:
    """Draw the people of a block of a population of `persons`."""
    rng = np.random.default_rng([seed, block, 1])
    numbers = np.arange(block * BLOCK, min((block + 1) * BLOCK, persons))
    household = _households(len(numbers), rng)
    traits = _traits(world.traits, household, rng)
    birth = _births(household, rng)
    n = len(numbers)
    of_age = birth + (YEAR * rng.uniform(16, 22, n)).astype(np.int64)
    opened = np.maximum(of_age, OPENED + (YEAR * rng.random(n)).astype(np.int64)) // 60 * 60
    pace = rng.uniform(*world.pace, n)
    called = rng.random(n) < 0.5
    split = np.searchsorted([0.5, 0.8], rng.random(n), side="right")[household]
    subject_id = scattered(numbers, persons, seed)
    order = np.argsort(subject_id)
    return People(
        subject_id=subject_id[order],
        household=household[order] + block * BLOCK,
        traits={name: values[order] for name, values in traits.items()},
        birth=birth[order],
        opened=opened[order],
        pace=pace[order],
        called=called[order],
        split=split[order],
    )


def scattered(number: np.ndarray, persons: int, seed: int) -> np.ndarray:
    """[n] identifiers from 100,000 on: a bijection of 0..persons-1 in no order.

    Four rounds of a Feistel network on the smallest even number of bits that holds `persons`, walked along its cycle
    until the value is below `persons` (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
    """
    half = max(1, (int(persons - 1).bit_length() + 1) // 2)
    keys = np.random.default_rng([seed, 0, 0]).integers(1, 2**31, 4, dtype=np.int64)
    found = number.astype(np.int64)
    outside = np.ones(len(found), bool)
    while outside.any():
        found[outside] = _feistel(found[outside], half, keys)
        outside = found >= persons
    return found + 100_000


def _feistel(value: np.ndarray, half: int, keys: np.ndarray) -> np.ndarray:
    low = (1 << half) - 1
    left, right = value >> half, value & low
    for key in keys:
        mixed = ((right + key) * 2_654_435_761 & 0xFFFFFFFF) >> 15  # multiplicative hashing (Knuth)
        left, right = right, left ^ (mixed & low)
    return left << half | right


def _households(persons: int, rng: np.random.Generator) -> np.ndarray:
    """[P] household numbers; households hold one to five persons."""
    sizes = rng.choice(np.arange(1, 6), size=persons, p=[0.35, 0.3, 0.15, 0.15, 0.05])
    return np.repeat(np.arange(persons), sizes)[:persons]


def _traits(kinds: Mapping[str, tuple], household: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Person concepts. A trait is ("own" | "home", low, high): uniform, within these bounds, of the person or the household,
    those of one `of` from the same number; ("latent", share, cut): normal, of which a share of the variance is the
    household's, above a cut; or ("one in", n): exactly one person in n of a block.
    """
    n, found, uniform = len(household), {}, {}
    for name, (kind, *how) in kinds.items():
        if kind == "one in":
            found[name] = _one_in(how[0], n, rng)
        elif kind == "latent":
            found[name] = _shared(household, how[0], rng) > how[1]
        else:
            of, low, high = how
            if of not in uniform:
                uniform[of] = rng.random(n)[household] if kind == "home" else rng.random(n)
            found[name] = (uniform[of] >= low) & (uniform[of] < high)
    return found


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
    """[P] seconds since 1970 at midnight: born in BORN, relatives of one generation or two."""
    n, (first, last) = len(household), BORN
    apart = rng.choice([-3, 0, 2, 25, -25], size=n, p=[0.2, 0.3, 0.2, 0.15, 0.15])
    middle = rng.integers(first, last + 1, n)[household]
    year = middle + apart
    year = np.where((year < first) | (year > last), middle - apart, year).clip(first, last)
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    return start + DAY * rng.integers(0, 365, n)
