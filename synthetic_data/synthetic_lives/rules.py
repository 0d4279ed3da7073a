"""When a state begins and ends, as a function of the events alone.

A rule is a frozen description; its tracker follows many lives at once. Times are seconds since 1970.
Trackers are asked about the first m lives only: longer lives stand first, shorter ones have ended.
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

    def before(self, time: np.ndarray) -> np.ndarray:
        """[m] bool: does the state hold at `time` [m], given the events so far?"""

    def after(self, code: np.ndarray, time: np.ndarray) -> np.ndarray:
        """[m] bool: take in the event `code` [m] (vocabulary index) at `time` [m]; does it hold now?"""


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
        return _UntilTracker(vocabulary.mask(self.starts), vocabulary.mask(self.stops), np.zeros(n, bool))

    def document(self, vocabulary: Vocabulary) -> dict:
        starts, stops = vocabulary.members(self.starts), vocabulary.members(self.stops)
        return {"rule": "until", "starts": starts, "stops": stops}


@dataclass(frozen=True)
class Lasting:
    """Holds from a start event for `years` after the last start event (inf: for good)."""

    starts: tuple[str, ...]
    years: float = inf

    def tracker(self, vocabulary: Vocabulary, n: int) -> Tracker:
        return _LastingTracker(vocabulary.mask(self.starts), self.years * YEAR, np.full(n, -inf))

    def document(self, vocabulary: Vocabulary) -> dict:
        return {"rule": "lasting", "starts": vocabulary.members(self.starts), "years": _finite(self.years)}


@dataclass(frozen=True)
class Following:
    """Holds for `years` (inf: for good) after the last start event that came while `condition` held."""

    starts: tuple[str, ...]
    condition: Rule
    years: float = inf

    def tracker(self, vocabulary: Vocabulary, n: int) -> Tracker:
        own = _LastingTracker(vocabulary.mask(self.starts), self.years * YEAR, np.full(n, -inf))
        return _FollowingTracker(own, self.condition.tracker(vocabulary, n))

    def document(self, vocabulary: Vocabulary) -> dict:
        return {
            "rule": "following",
            "starts": vocabulary.members(self.starts),
            "condition": self.condition.document(vocabulary),
            "years": _finite(self.years),
        }


@dataclass
class _UntilTracker:
    starts: np.ndarray
    stops: np.ndarray
    active: np.ndarray

    def before(self, time: np.ndarray) -> np.ndarray:
        return self.active[: len(time)].copy()

    def after(self, code: np.ndarray, time: np.ndarray) -> np.ndarray:
        now = (self.before(time) | self.starts[code]) & ~self.stops[code]
        self.active[: len(time)] = now
        return now


@dataclass
class _LastingTracker:
    starts: np.ndarray
    seconds: float
    last: np.ndarray

    def before(self, time: np.ndarray) -> np.ndarray:
        last = self.last[: len(time)]
        return np.isfinite(last) & (time - last <= self.seconds)

    def after(self, code: np.ndarray, time: np.ndarray) -> np.ndarray:
        return self.start(self.starts[code], time)

    def start(self, hit: np.ndarray, time: np.ndarray) -> np.ndarray:
        self.last[: len(time)][hit] = time[hit]
        return self.before(time)


@dataclass
class _FollowingTracker:
    own: _LastingTracker
    condition: Tracker

    def before(self, time: np.ndarray) -> np.ndarray:
        return self.own.before(time)

    def after(self, code: np.ndarray, time: np.ndarray) -> np.ndarray:
        # The condition is read before this event is taken in, so that the order of the two matters.
        hit = self.own.starts[code] & self.condition.before(time)
        self.condition.after(code, time)
        return self.own.start(hit, time)


def _finite(years: float) -> float | None:
    return None if years == inf else years
