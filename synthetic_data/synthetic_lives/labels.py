"""Label tables after MEDS v0.4: what comes after 2016-01-01, for those whose record had ten events by then and went on.

Left out of a task: who is in the state already, and who leaves the country within the horizon without the event, since
nobody knows what came of them.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from synthetic_lives.people import People
from synthetic_lives.process import CUT, DEAD, GONE, Lives, Outcome
from synthetic_lives.rules import YEAR
from synthetic_lives.world import World

FEWEST = 10
"""Events before the time of prediction."""

LABELS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("prediction_time", pa.timestamp("us"), nullable=False),
        pa.field("boolean_value", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Task:
    """A question about the years after CUT."""

    concept: str | None
    """The concept that may begin; None: death."""
    years: float
    description: str


TASKS = {
    "died_within_4y": Task(None, 4, "Dies within four years"),
    "unemployed_within_2y": Task("unemployed", 2, "Becomes unemployed within two years; those unemployed left out"),
    "heart_disease_within_4y": Task("heart_disease", 4, "A first sign of heart disease within four years"),
    "depressed_within_2y": Task("depressed", 2, "A depression code within two years; those depressed left out"),
}


def tables(world: World, people: People, lives: Lives, outcome: Outcome) -> dict[str, pa.Table]:
    """Task to its table, by ascending subject_id."""
    many = len(people.birth)
    before = lives.time < CUT
    known = np.bincount(lives.person[before], minlength=many) >= FEWEST
    ended = np.full(many, np.iinfo(np.int64).max)
    last = np.append(lives.person[1:] != lives.person[:-1], True)
    ends = last & (outcome.ending[lives.person] != 0)
    ended[lives.person[ends]] = lives.time[ends]
    eligible = known & (ended > CUT)
    found = {}
    for name, task in TASKS.items():
        horizon = CUT + int(task.years * YEAR)
        already, happened = _event(world, lives, task, horizon, many)
        if task.concept is None:
            happened = (outcome.ending == DEAD) & (ended <= horizon)
        unknown = (outcome.ending == GONE) & (ended <= horizon) & ~happened
        found[name] = _table(people, eligible & ~already & ~unknown, happened)
    return found


def _event(world: World, lives: Lives, task: Task, horizon: int, many: int) -> tuple[np.ndarray, np.ndarray]:
    """[P] bool: does the concept hold at the last event before CUT; does it begin afterwards, up to the horizon?"""
    already, happened = np.zeros(many, bool), np.zeros(many, bool)
    if task.concept is not None:
        which = [concept.name for concept in world.moving].index(task.concept)
        holds = lives.holds[:, which]
        before = lives.time < CUT
        final = before & np.append((lives.person[1:] != lives.person[:-1]) | ~before[1:], True)
        already[lives.person[final & holds]] = True
        happened[lives.person[holds & ~before & (lives.time <= horizon)]] = True
    return already, happened


def _table(people: People, chosen: np.ndarray, happened: np.ndarray) -> pa.Table:
    when = pa.array(np.full(chosen.sum(), CUT * 1_000_000)).cast(pa.timestamp("us"))
    return pa.Table.from_arrays([pa.array(people.subject_id[chosen]), when, pa.array(happened[chosen])], schema=LABELS)
