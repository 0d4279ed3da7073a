"""The process that makes the events: one event at a time, for all lives of a block at once.

p(topic | states) = softmax(log weight + background(age, sex, month) + strength * effects of the states that hold)
p(code | topic)   = weight(sex, region) / summed weights of the topic
"""

from dataclasses import dataclass, fields

import numpy as np

from synthetic_lives.codes import OUTSIDE
from synthetic_lives.ends import CLOSED, Hazards
from synthetic_lives.people import DAY, People
from synthetic_lives.registers import Plain, Sentence
from synthetic_lives.rules import YEAR
from synthetic_lives.softmax import draw, effects
from synthetic_lives.world import World

CUT = np.datetime64("2016-01-01", "s").astype(np.int64)
"""The time of prediction; a jury is called after the first event from here on."""

FRAIL_PACE = 0.9
"""Gaps of the frail are FRAIL_PACE ** strength times those of others."""

CENSORED, DEAD, GONE = 0, 1, 2


@dataclass(frozen=True)
class Lives:
    """The E events of a block, by person and time; the birth and static codes are not among them."""

    person: np.ndarray
    """[E] int64 place in People."""
    time: np.ndarray
    """[E] int64 seconds since 1970."""
    topic: np.ndarray
    """[E] int64 place in the vocabulary's names."""
    tokens: np.ndarray
    """[E, F] int32 codes of the event by field, -1 where there is none."""
    value: np.ndarray
    """[E] float64 number that goes with the event, nan where there is none."""
    holds: np.ndarray
    """[E, moving concepts] bool: does the concept hold once this event is taken in?"""
    nats: np.ndarray
    """[E] -log p of every code of the event under the process itself; 0 for the events of OUTSIDE."""


@dataclass(frozen=True)
class Outcome:
    """What is known of the lives of a block as a whole."""

    ending: np.ndarray
    """[P] CENSORED, DEAD or GONE."""
    worth: np.ndarray
    """[K] sum of what knowing each concept was worth while it held, in nats."""
    inside: np.ndarray
    """[K] events drawn while it held."""


def live(world: World, people: People, strength: float, rng: np.random.Generator) -> tuple[Lives, Outcome]:
    """Draw the events of a block, until every record has ended."""
    walk = _Walk(world, people, strength, rng)
    steps = []
    while len(who := np.flatnonzero(walk.alive)):
        if (step := walk.step(who)) is not None:
            steps.append(step)
    columns = {name.name: np.concatenate([getattr(step, name.name) for step in steps]) for name in fields(Lives)}
    order = np.argsort(columns["person"], kind="stable")
    lives = Lives(**{name: column[order] for name, column in columns.items()})
    return lives, Outcome(walk.ending, walk.worth, walk.inside)


class _Walk:
    """Lives in progress."""

    def __init__(self, world: World, people: People, strength: float, rng: np.random.Generator):
        n, words = len(people.birth), world.vocabulary
        self.world, self.people, self.rng = world, people, rng
        self.trackers = [concept.rule.tracker(words, n) for concept in world.moving]
        self.traits = np.stack([people.traits[concept.name] for concept in world.persons], axis=1)
        self.known = effects([one.effects for one in world.states], words.names[: words.n_topics], strength)
        self.hazards = Hazards(world, strength)
        self.registers = (world.registers or Plain)(world, people, strength)
        self.variant = people.traits["female"] + 2 * people.traits["rural"]
        self.pace = people.pace * np.where(people.traits["frail"], FRAIL_PACE**strength, 1.0) * YEAR
        self.within = np.concatenate([[0.0], world.variants.ravel().cumsum()])
        self.time = people.opened.copy()
        self.held = np.concatenate([np.zeros((n, len(self.trackers))), self.traits], axis=1)  # after the last event
        self.alive, self.due = np.ones(n, bool), np.zeros(n, bool)
        self.waiting = people.called.copy()
        self.ending = np.zeros(n, np.int64)
        self.worth, self.inside = np.zeros(len(world.states)), np.zeros(len(world.states), np.int64)

    def step(self, who: np.ndarray) -> Lives | None:
        """The next event of each living person, None if all records close."""
        outside = self.world.vocabulary.n_topics
        topic = self._next(who)
        self.alive[who[topic < 0]] = False
        who, topic = who[topic >= 0], topic[topic >= 0]
        if not len(who):
            return None
        time = self.time[who]
        drawn = topic == 0  # a place holder: the topic itself is drawn now
        tokens = np.full((len(who), self.registers.n_fields), -1, np.int32)
        value, nats = np.full(len(who), np.nan), np.zeros(len(who))
        topic[~drawn] += outside - 1
        tokens[~drawn, 0] = len(self.world.vocabulary.codes) - len(OUTSIDE) + topic[~drawn] - outside
        also = np.full(len(who), -1)
        topic[drawn], found, nats[drawn] = self._draw(who[drawn], time[drawn])
        tokens[drawn], value[drawn], also[drawn] = found.tokens, found.value, found.also
        both = np.stack([topic, also], axis=1)
        holds = np.stack([tracker.after(who, both, time) for tracker in self.trackers], axis=1)
        self.held[who, : len(self.trackers)] = holds
        self._call(who[drawn], time[drawn])
        return Lives(who, time, topic, tokens, value, holds, nats)

    def _next(self, who: np.ndarray) -> np.ndarray:
        """Move the clocks [m]; what comes: -1 nothing any more, 0 an event to draw, 1 jury, 2 death, 3 emigration."""
        time = self.time[who]
        uniform, steps = self.rng.random((len(who), 2)), self.rng.gamma(1.5, 1 / 1.5, len(who))
        gap = np.maximum((0.35 + 0.65 * steps) * self.pace[who], DAY)
        age = (time - self.people.birth[who]) / YEAR
        dying, leaving = self.hazards.draw(age, self.held[who], uniform)
        wait = np.stack([np.full(len(who), np.inf), gap, np.maximum(dying, 120.0), np.maximum(leaving, 120.0)])
        due = self.due[who]
        wait[0, due] = 60.0
        first = wait.argmin(axis=0)
        after = time + (wait.min(axis=0) // 60).clip(max=2**40).astype(np.int64) * 60
        kind = np.array([1, 0, 2, 3])[first]
        kind[after >= CLOSED] = -1
        self.due[who[due]] = False
        self.time[who] = np.where(kind >= 0, after, time)
        ends = kind >= 2
        self.alive[who[ends]], self.ending[who[ends]] = False, kind[ends] - 1
        return kind

    def _states(self, who: np.ndarray, time: np.ndarray) -> np.ndarray:
        """[m, K] 1.0 where a concept holds before an event at `time`."""
        moving = [tracker.before(who, time) for tracker in self.trackers]
        return np.concatenate([np.stack(moving, axis=1), self.traits[who]], axis=1).astype(np.float32)

    def _draw(self, who: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, Sentence, np.ndarray]:
        """Topic [m], sentence and nats [m] of an event of each."""
        world, states = self.world, self._states(who, time)
        variant = self.variant[who]
        base = world.base[variant] + world.calendar[self._season(who, time)] + self.registers.allowed(who)
        uniform = self.rng.random((len(who), 2))
        found = draw(base, states, self.known, uniform[:, 0])
        code, within = self._code(found.option, variant, uniform[:, 1])
        sentence = self.registers.emit(who, time, found.option, code, states, self.rng)
        self.worth += found.worth + sentence.worth
        self.inside += np.count_nonzero(states, axis=0)
        return found.option, sentence, found.nats + within + sentence.nats

    def _season(self, who: np.ndarray, time: np.ndarray) -> np.ndarray:
        """[m] line of the world's calendar."""
        age = (time - self.people.birth[who]) / YEAR
        band = np.searchsorted([lower for lower, _ in self.world.background.age_bands[1:]], age, side="right")
        return band * 12 + time.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12

    def _code(self, topic: np.ndarray, variant: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A code of each topic by its weight: codes [m], nats [m]."""
        first, last = self.world.edges
        size = len(self.world.vocabulary.codes)
        low, high = self.within[variant * size + first[topic]], self.within[variant * size + last[topic]]
        place = np.searchsorted(self.within, low + uniform * (high - low), side="right") - 1
        code = (place - variant * size).clip(first[topic], last[topic] - 1)
        return code, np.log(high - low) - np.log(self.world.variants[variant, code])

    def _call(self, who: np.ndarray, time: np.ndarray) -> None:
        """Those with a first event after CUT get the jury's letter next, if the coin said so."""
        first = self.waiting[who] & (time >= CUT)
        self.due[who[first]], self.waiting[who[first]] = True, False
