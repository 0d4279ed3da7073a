"""The vocabulary of a world: the codes that are drawn, in topics that states raise or lower, and the others that are written."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import numpy as np

BIRTH, DEATH, ABROAD, JURY = "MEDS_BIRTH", "MEDS_DEATH", "EMIGRATION//ABROAD", "JURY//SUMMONS"

OUTSIDE = ((JURY, "Called to serve on a jury"), (DEATH, "Death of the subject"), (ABROAD, "Left the country for good"))
"""Events that no softmax draws. Each is a topic of its own, so that rules can be asked about it."""


@dataclass(frozen=True)
class Vocabulary:
    """The V event codes of a world; topics stand together, MEDS_BIRTH is not among them since it is never drawn."""

    codes: tuple[str, ...]
    """First the codes of the topics, then those of the other fields of an event, then OUTSIDE."""
    topics: tuple[str, ...]
    """[V] the topic of each code; for a code of another field its group in that field."""
    weights: np.ndarray
    """[V] how common each code is within its topic when no state holds, relative to the others; 0 outside the topics."""
    descriptions: tuple[str, ...]
    parents: tuple[tuple[str, ...], ...]
    """[V] from the nearest parent to the farthest."""
    ancestors: Mapping[str, str]
    """Description of every parent that is no code itself."""
    n_topics: int
    """T: topics that the softmax draws from; the topics of OUTSIDE follow them."""
    alone: tuple[str, ...] = ()
    """Topics whose codes stand in other events, too: an event has this topic if the code is its only one."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """[T + 3] the topics that an event may have, in the order of their first codes."""
        drawn = list(dict.fromkeys(self.topics))[: self.n_topics]
        return (*drawn, *(code for code, _ in OUTSIDE))

    @cached_property
    def index(self) -> dict[str, int]:
        """Code to its place."""
        return {code: place for place, code in enumerate(self.codes)}

    @cached_property
    def topic_of(self) -> np.ndarray:
        """[V] place of each code's topic in `names`, -1 for codes of other fields."""
        place = {name: i for i, name in enumerate(self.names)}
        return np.array([place.get(topic, -1) for topic in self.topics])

    def topic_mask(self, topics: Iterable[str]) -> np.ndarray:
        """[T + 4] bool: is it one of these topics? The last place, -1, is that of no topic."""
        wanted = self._known(topics)
        return np.array([*(name in wanted for name in self.names), False])

    def mask(self, topics: Iterable[str]) -> np.ndarray:
        """[V] bool: is the code in one of these topics or groups?"""
        wanted = self._known(topics)
        return np.array([topic in wanted for topic in self.topics])

    def members(self, topics: Iterable[str]) -> list[str]:
        """The codes of these topics, in the order of the vocabulary."""
        return [code for code, inside in zip(self.codes, self.mask(topics), strict=True) if inside]

    def _known(self, topics: Iterable[str]) -> set[str]:
        wanted = set(topics)
        if unknown := wanted - set(self.topics):
            raise KeyError(f"no such topic: {sorted(unknown)}")
        return wanted


def rows(name: str) -> list[dict[str, str]]:
    """The lines of a table that stands beside this file, as dicts."""
    text = (files("synthetic_lives") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def small() -> Vocabulary:
    """The 240 codes of codes.csv, each with the group that it belongs to as its parent."""
    table = rows("codes.csv")
    codes = [row["code"] for row in table]
    return Vocabulary(
        codes=(*codes, *(code for code, _ in OUTSIDE)),
        topics=(*(row["topic"] for row in table), *(code for code, _ in OUTSIDE)),
        weights=np.array([float(row["weight"]) for row in table] + [0.0] * len(OUTSIDE)),
        descriptions=(*(row["description"] for row in table), *(text for _, text in OUTSIDE)),
        parents=(*((parent(code),) for code in codes), *(() for _ in OUTSIDE)),
        ancestors={},
        n_topics=len({row["topic"] for row in table}),
    )


def parent(code: str) -> str:
    """The group a code belongs to: DIAG//F for DIAG//F32, JOB//MANUAL for JOB//MANUAL//3."""
    head, _, last = code.rpartition("//")
    return f"{head}//{last[0]}" if head in ("DIAG", "DRUG") else head
