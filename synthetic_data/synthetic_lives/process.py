"""The process that makes the events: one code at a time, for all lives at once.

p(code | states) = softmax(log weight + background(age, sex) + strength * effects of the states that hold)
"""

from dataclasses import dataclass

import numpy as np

from synthetic_lives.background import AGE_BANDS, AGE_EFFECTS, SEX_EFFECTS
from synthetic_lives.codes import Vocabulary, vocabulary
from synthetic_lives.concepts import CONCEPTS, Concept
from synthetic_lives.people import LONGEST, People
from synthetic_lives.rules import YEAR

GRAIN = 1024
"""Logits are whole multiples of 1/GRAIN, so that a sum of effects is exact in whatever order it is taken."""

MOVING = tuple(concept for concept in CONCEPTS if concept.rule is not None)
TRAITS = tuple(concept for concept in CONCEPTS if concept.level == "person")


@dataclass(frozen=True)
class Lives:
    """The events of P people, in the order of People."""

    code: np.ndarray
    """[P, LONGEST] int16 index in the vocabulary, -1 after the end."""
    holds: np.ndarray
    """[P, LONGEST, len(MOVING)] bool: does the concept hold once this event is taken in?"""
    nats: np.ndarray
    """[P, LONGEST] -log p(code) under the process itself at the moment of drawing, 0 after the end."""


def live(people: People, strength: float, rng: np.random.Generator) -> Lives:
    """Draw the events of all lives."""
    words, n = vocabulary(), len(people.birth)
    lives = Lives(
        np.full((n, LONGEST), -1, np.int16),
        np.zeros((n, LONGEST, len(MOVING)), bool),
        np.zeros((n, LONGEST)),
    )
    trackers = [concept.rule.tracker(words, n) for concept in MOVING]
    fixed = _fixed_logits(people, words, strength)
    by_age = _rounded([words.effect(effects) for effects in AGE_EFFECTS])
    moving = _effects(MOVING, words, strength)
    for event in range(LONGEST):
        m = int((people.n_events > event).sum())
        if m == 0:
            break
        time = people.times[:m, event]
        states = np.stack([tracker.before(time) for tracker in trackers], axis=1)
        logits = fixed[:m] + by_age[_age_band(people.birth[:m], time)] + states.astype(float) @ moving
        code, nats = _sample(logits, rng.random(m))
        lives.code[:m, event], lives.nats[:m, event] = code, nats
        for i, tracker in enumerate(trackers):
            lives.holds[:m, event, i] = tracker.after(code, time)
    return lives


def _fixed_logits(people: People, words: Vocabulary, strength: float) -> np.ndarray:
    """[P, V] what does not change in a life: how common a code is, sex, and the person's traits."""
    base = _rounded(np.log(words.weights))
    by_sex = _rounded([words.effect(effects) for effects in SEX_EFFECTS])
    traits = np.stack([people.traits[concept.name] for concept in TRAITS], axis=1).astype(float)
    return base + by_sex[people.traits["female"].astype(int)] + traits @ _effects(TRAITS, words, strength)


def _effects(concepts: tuple[Concept, ...], words: Vocabulary, strength: float) -> np.ndarray:
    """[concepts, V] strength times effect."""
    return _rounded([strength * words.effect(concept.effects) for concept in concepts])


def _rounded(logits) -> np.ndarray:
    return np.round(np.asarray(logits) * GRAIN) / GRAIN


def _age_band(birth: np.ndarray, time: np.ndarray) -> np.ndarray:
    """[m] index in AGE_BANDS."""
    return np.searchsorted([lower for lower, _ in AGE_BANDS[1:]], (time - birth) / YEAR, side="right")


def _sample(logits: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw a code for each row of logits [m, V] by inverting its distribution: codes [m], nats [m]."""
    mass = np.exp(logits - logits.max(axis=1, keepdims=True))
    reached = mass.cumsum(axis=1)
    total = reached[:, -1]
    code = np.minimum((reached <= (uniform * total)[:, None]).sum(axis=1), logits.shape[1] - 1)
    return code, np.log(total) - np.log(mass[np.arange(len(code)), code])
