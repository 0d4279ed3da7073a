"""When a state begins and ends, as a function of the events alone.

A rule is a frozen description; its tracker follows the n lives of a block. Times are seconds since 1970. An event is told by
the topic of its own code, and that of another of its codes or -1: topics [m, 2] of the m lives `who` [m] that have one now.
"""

from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np

from synthetic_lives.codes import Vocabulary

YEAR = 365.25 * 86400
"""Seconds in a year, as every duration here counts it."""


class Tracker(Protocol):
    """The state of one rule in n lives."""

    def before(self, who: np.ndarray, time: np.ndarray) -> np.ndarray:
        """[m] bool: does the state hold at `time` [m], given the events so far?"""

    def after(self, who: np.ndarray, topic: np.ndarray, time: np.ndarray) -> np.ndarray:
        """[m] bool: take in an event of `topic` [m, 2] at `time` [m]; does it hold now?"""


class Rule(Protocol):
    """A description that can be followed and written down."""

    def tracker(self, vocabulary: Vocabulary, n: int) -> Tracker: ...

    def document(self, vocabulary: Vocabulary) -> dict:
        """The rule with codes instead of topics, for truth.json."""


@dataclass(frozen=True)
class Until:
    """Holds from a start event until the first stop event, which is itself outside."""

    starts: tuple[str, ...]
    stops: tuple[str, ...]

    def tracker(self, vocabulary: Vocabulary, n: int) -> Tracker:
        return _UntilTracker(vocabulary.topic_mask(self.starts), vocabulary.topic_mask(self.stops), np.zeros(n, bool))

    def document(self, vocabulary: Vocabulary) -> dict:
        starts, stops = vocabulary.members(self.starts), vocabulary.members(self.stops)
        return {"rule": "until", "starts": starts, "stops": stops} | _alone(vocabulary, self.starts)


@dataclass(frozen=True)
class Lasting:
    """Holds from a start event for `years` after the last start event (inf: for good)."""

    starts: tuple[str, ...]
    years: float = inf

    def tracker(self, vocabulary: Vocabulary, n: int) -> Tracker:
        return _LastingTracker(vocabulary.topic_mask(self.starts), self.years * YEAR, np.full(n, -inf))

    def document(self, vocabulary: Vocabulary) -> dict:
        known = {"rule": "lasting", "starts": vocabulary.members(self.starts), "years": _finite(self.years)}
        return known | _alone(vocabulary, self.starts)


@dataclass(frozen=True)
class Following:
    """Holds for `years` (inf: for good) after the last start event that came while `condition` held."""

    starts: tuple[str, ...]
    condition: Rule
    years: float = inf

    def tracker(self, vocabulary: Vocabulary, n: int) -> Tracker:
        own = _LastingTracker(vocabulary.topic_mask(self.starts), self.years * YEAR, np.full(n, -inf))
        return _FollowingTracker(own, self.condition.tracker(vocabulary, n))

    def document(self, vocabulary: Vocabulary) -> dict:
        return {
            "rule": "following",
            "starts": vocabulary.members(self.starts),
            "condition": self.condition.document(vocabulary),
            "years": _finite(self.years),
        } | _alone(vocabulary, self.starts)


@dataclass
class _UntilTracker:
    starts: np.ndarray
    stops: np.ndarray
    active: np.ndarray

    def before(self, who: np.ndarray, time: np.ndarray) -> np.ndarray:
        return self.active[who]

    def after(self, who: np.ndarray, topic: np.ndarray, time: np.ndarray) -> np.ndarray:
        now = (self.active[who] | _one_of(self.starts, topic)) & ~_one_of(self.stops, topic)
        self.active[who] = now
        return now


@dataclass
class _LastingTracker:
    starts: np.ndarray
    seconds: float
    last: np.ndarray

    def before(self, who: np.ndarray, time: np.ndarray) -> np.ndarray:
        last = self.last[who]
        return np.isfinite(last) & (time - last <= self.seconds)

    def after(self, who: np.ndarray, topic: np.ndarray, time: np.ndarray) -> np.ndarray:
        return self.start(who, _one_of(self.starts, topic), time)

    def start(self, who: np.ndarray, hit: np.ndarray, time: np.ndarray) -> np.ndarray:
        self.last[who[hit]] = time[hit]
        return self.before(who, time)


@dataclass
class _FollowingTracker:
    own: _LastingTracker
    condition: Tracker

    def before(self, who: np.ndarray, time: np.ndarray) -> np.ndarray:
        return self.own.before(who, time)

    def after(self, who: np.ndarray, topic: np.ndarray, time: np.ndarray) -> np.ndarray:
        # The condition is read before this event is taken in, so that the order of the two matters.
        hit = _one_of(self.own.starts, topic) & self.condition.before(who, time)
        self.condition.after(who, topic, time)
        return self.own.start(who, hit, time)


def _one_of(mask: np.ndarray, topic: np.ndarray) -> np.ndarray:
    """[m] bool: is one of the topics of each event among them?"""
    return mask[topic[:, 0]] | mask[topic[:, 1]]


def _alone(vocabulary: Vocabulary, starts: tuple[str, ...]) -> dict:
    """Said of starts whose codes stand in other events, too."""
    return {"alone": True} if set(starts) & set(vocabulary.alone) else {}


def _finite(years: float) -> float | None:
    return None if years == inf else years
