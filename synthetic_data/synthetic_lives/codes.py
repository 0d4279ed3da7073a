"""The vocabulary: one line of codes.csv per event code, in topics that states raise or lower."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl

BIRTH = "MEDS_BIRTH"


@dataclass(frozen=True)
class Vocabulary:
    """The V event codes, in the order of codes.csv; MEDS_BIRTH is not among them since it is never drawn."""

    codes: tuple[str, ...]
    topics: tuple[str, ...]
    """The topic of each code; a topic holds one to six codes."""
    weights: np.ndarray
    """[V] how common each code is when no state holds, relative to the others."""
    descriptions: tuple[str, ...]

    def mask(self, topics: Iterable[str]) -> np.ndarray:
        """[V] bool: is the code in one of these topics?"""
        wanted = set(topics)
        if unknown := wanted - set(self.topics):
            raise KeyError(f"no such topic: {sorted(unknown)}")
        return np.array([topic in wanted for topic in self.topics])

    def members(self, topics: Iterable[str]) -> list[str]:
        """The codes of these topics, in the order of the vocabulary."""
        return [code for code, inside in zip(self.codes, self.mask(topics), strict=True) if inside]

    def effect(self, by_topic: Mapping[str, float]) -> np.ndarray:
        """[V] what a state adds to the logit of each code, 0 outside the topics it names."""
        row = np.zeros(len(self.codes))
        for topic, size in by_topic.items():
            row[self.mask([topic])] = size
        return row


@cache
def vocabulary() -> Vocabulary:
    """Read codes.csv that stands beside this file."""
    table = pl.read_csv((files("synthetic_lives") / "codes.csv").read_bytes())
    return Vocabulary(
        codes=tuple(table["code"]),
        topics=tuple(table["topic"]),
        weights=table["weight"].to_numpy().astype(float),
        descriptions=tuple(table["description"]),
    )


def parent(code: str) -> str:
    """The group a code belongs to: DIAG//F for DIAG//F32, JOB//MANUAL for JOB//MANUAL//3."""
    head, _, last = code.rpartition("//")
    return f"{head}//{last[0]}" if head in ("DIAG", "DRUG") else head
