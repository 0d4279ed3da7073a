"""A world: what may happen in it, to whom, and by which effects. The process is the same in every world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from synthetic_lives.codes import Vocabulary
from synthetic_lives.concept import Concept
from synthetic_lives.softmax import grained


@dataclass(frozen=True)
class Background:
    """Effects that are no planted concept and do not grow with `strength`. Each dict maps a topic to an effect."""

    age_bands: tuple[tuple[int, int], ...]
    """Years of age, lower bound included."""
    by_age: tuple[Mapping[str, float], ...]
    by_sex: tuple[Mapping[str, float], Mapping[str, float]]
    """For men, for women."""
    by_month: tuple[Mapping[str, float], ...]
    impossible: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """Topics that men, and that women, never have."""
    tilts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Code to (log factor for women, log factor in the country) of its weight within its topic."""


@dataclass(frozen=True)
class World:
    """What may happen."""

    name: str
    vocabulary: Vocabulary
    concepts: tuple[Concept, ...]
    background: Background
    traits: Mapping[str, tuple]
    """Person concept to how it is drawn, see people.py."""
    pace: tuple[float, float]
    """Years between events, shortest and longest mean of a person."""
    uprooted: str
    """The concept that moves `housing` and `loneliness`."""
    registers: Callable[..., Any] | None = None
    """What further fields an event has and what persists between events (see registers.py); None: one code an event."""
    static: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Person concept to the static codes of those without and with it, written before the birth."""

    @cached_property
    def tokens(self) -> tuple[Concept, ...]:
        return tuple(concept for concept in self.concepts if concept.level == "token")

    @cached_property
    def moving(self) -> tuple[Concept, ...]:
        """The concepts that come and go with events."""
        return tuple(concept for concept in self.concepts if concept.rule is not None)

    @cached_property
    def persons(self) -> tuple[Concept, ...]:
        return tuple(concept for concept in self.concepts if concept.level == "person")

    @cached_property
    def states(self) -> tuple[Concept, ...]:
        """[K] the concepts that have effects, in the order of every states matrix: the moving ones, then the persons'."""
        return self.moving + self.persons

    @cached_property
    def head(self) -> int:
        """Rows that stand before the first event of a person: static codes and the birth."""
        return len(self.static) + 1

    @cached_property
    def variants(self) -> np.ndarray:
        """[4, V] weights of the codes for variant sex + 2 * rural (sex 1: female)."""
        words, tilts = self.vocabulary, self.background.tilts
        weights = np.tile(words.weights, (4, 1))
        for code, (female, rural) in tilts.items():
            for variant in range(4):
                weights[variant, words.index[code]] *= np.exp(female * (variant & 1) + rural * (variant >> 1))
        return weights

    @cached_property
    def base(self) -> np.ndarray:
        """[4, T] log of the summed weights of each topic's codes, and sex; -inf where a topic is impossible."""
        words, back = self.vocabulary, self.background
        here = words.names[: words.n_topics]
        summed = np.zeros((4, len(here)))
        drawn = words.topic_of < len(here)
        drawn &= words.topic_of >= 0
        for variant in range(4):
            summed[variant] = np.bincount(words.topic_of[drawn], self.variants[variant][drawn], len(here))
        logits = grained(np.log(summed)) + grained([self._row(back.by_sex[variant & 1]) for variant in range(4)])
        for variant in range(4):
            for topic in back.impossible[variant & 1]:
                logits[variant, here.index(topic)] = -np.inf
        return logits

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """[T] first code of each topic, and one past its last."""
        topic, many = self.vocabulary.topic_of, self.vocabulary.n_topics
        place = [np.flatnonzero(topic == i) for i in range(many)]
        if any(len(codes) != codes[-1] - codes[0] + 1 for codes in place):
            raise ValueError(f"world {self.name}: the codes of a topic do not stand together")
        return np.array([codes[0] for codes in place]), np.array([codes[-1] + 1 for codes in place])

    @cached_property
    def calendar(self) -> np.ndarray:
        """[age bands * 12, T] what age and month add; the month runs fastest."""
        ages = [self._row(effects) for effects in self.background.by_age]
        months = [self._row(effects) for effects in self.background.by_month]
        return grained([age + month for age in grained(ages) for month in grained(months)])

    def _row(self, by_topic: Mapping[str, float]) -> np.ndarray:
        names = self.vocabulary.names[: self.vocabulary.n_topics]
        if unknown := set(by_topic) - set(names):
            raise KeyError(f"no such topic: {sorted(unknown)}")
        return np.array([by_topic.get(name, 0.0) for name in names])
