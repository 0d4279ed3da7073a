"""What further fields an event has, and what persists between events."""

from dataclasses import dataclass

import numpy as np

from synthetic_lives.people import People
from synthetic_lives.world import World


@dataclass(frozen=True)
class Sentence:
    """The codes of m events."""

    tokens: np.ndarray
    """[m, F] int32 by field, in the order in which they are written; -1 where there is none."""
    value: np.ndarray
    """[m] the number that goes with an event, nan where there is none."""
    nats: np.ndarray
    """[m] -log p of the codes that were drawn beyond the topic and its own code."""
    also: np.ndarray
    """[m] the topic of another of its codes that rules may ask for, -1 where there is none."""
    worth: np.ndarray
    """[K] what knowing each concept was worth in those draws, in nats."""


class Plain:
    """One code an event, nothing persists: the small world."""

    n_fields = 1
    value_field = 0

    def __init__(self, world: World, people: People, strength: float):
        self.n_states = len(world.states)

    def allowed(self, who: np.ndarray) -> float:
        """[m, T] or a number: what is added to the logits of the topics; -inf where one cannot come."""
        return 0.0

    def emit(self, who, time, topic, code, states, rng: np.random.Generator) -> Sentence:
        """The codes of the events [m] whose topics and own codes are drawn."""
        m = len(who)
        tokens = code[:, None].astype(np.int32)
        return Sentence(tokens, np.full(m, np.nan), np.zeros(m), np.full(m, -1), np.zeros(self.n_states))
