"""Which unit goes with which concept: the threshold chosen on the select split, the score read on the test split."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqsae.associations.concept_counts import SCORES, Counts, count, levels
from seqsae.associations.concept_spans import Part, Placed
from seqsae.associations.concept_units import Scaled

LIFT = 0.2  # share of the way from the F1 of always yes to 1 that a match must have come
ENTRIES = 2**23  # of a table [C, U, T], at most (a unit's at least)


@dataclass(frozen=True)
class Choice:
    """One score of every concept and unit, each at the threshold that is best on the select split."""

    score: str
    """f1_per_domain or f1."""
    threshold: np.ndarray
    """[C, U] index; the lowest wins a tie. Never looked at on test."""
    select: np.ndarray
    """[C, U] score on the select split: optimistic, it chose."""
    test: np.ndarray
    """[C, U] score on the test split at that threshold."""


def counted(source: Scaled, part: Part, spans: Placed, thresholds: tuple[float, ...], units: np.ndarray) -> Counts:
    """Counts of the chosen units over a split, block by block."""
    total = None
    for low, high in part.blocks(source.block):
        level = levels(source.values(part.rows[low:high], units), thresholds)
        here = count(level, *spans.matrices(low, high), len(thresholds))
        total = here if total is None else total + here
    return total


def unit_blocks(n_units: int, n_concepts: int, n_thresholds: int) -> Iterator[np.ndarray]:
    """Unit numbers in stretches whose counts fit in memory."""
    size = max(1, ENTRIES // max(1, n_concepts * n_thresholds))
    return (np.arange(start, min(start + size, n_units)) for start in range(0, n_units, size))


def chosen(select: Counts, test: Counts) -> list[Choice]:
    """For each kind of score the best threshold on select, and what it gives on test."""
    found = []
    for name, score in SCORES.items():
        on_select = score(select)
        threshold = on_select.argmax(axis=2)
        found.append(Choice(name, threshold, on_select.max(axis=2), at(score(test), threshold)))
    return found


def at(table: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """[C, U] of a table [C, U, T] at the thresholds [C, U]."""
    return np.take_along_axis(table, threshold[:, :, None], axis=2)[:, :, 0]


class Tally:
    """Matches of one source under one score, over blocks of units: of the true concepts and of shifted ones beside them.

    A pair of unit and concept matches if its score exceeds `level` on the select split and, with the threshold chosen there,
    on the test split, where it must also have come a fifth of the way from the score of always yes, `trivial` [C], to 1.
    """

    def __init__(self, trivial: np.ndarray, draws: int, level: float):
        n_concepts = len(trivial)
        self.n_concepts, self.level = n_concepts, level
        self.least = np.maximum(level, trivial + LIFT * (1 - trivial))
        self.units = np.zeros(draws + 1, dtype=np.int64)
        self.concepts = np.zeros((draws + 1, n_concepts), dtype=bool)
        self.best_select = np.full((draws + 1, n_concepts), -1.0)
        self.best_test = np.zeros((draws + 1, n_concepts))
        self.best_unit = np.zeros((draws + 1, n_concepts), dtype=np.int64)

    def add(self, choice: Choice, units: np.ndarray) -> None:
        """Enter a block of units; concepts are the true ones and then those of each draw."""
        shape = (-1, self.n_concepts, len(units))
        select, test = choice.select.reshape(shape), choice.test.reshape(shape)
        match = (select > self.level) & (test > self.least[:, None])
        self.units += match.any(axis=1).sum(axis=1)
        self.concepts |= match.any(axis=2)
        top = select.argmax(axis=2)[:, :, None]
        here = np.take_along_axis(select, top, axis=2)[:, :, 0]
        better = here > self.best_select
        self.best_select[better] = here[better]
        self.best_test[better] = np.take_along_axis(test, top, axis=2)[:, :, 0][better]
        self.best_unit[better] = units[top[:, :, 0][better]]

    @property
    def null(self) -> np.ndarray:
        """[C] the best that chance gave: over draws the highest test score of the unit that is best on select; NaN without draws."""
        drawn = self.best_test[1:]
        return drawn.max(axis=0) if len(drawn) else np.full(self.n_concepts, np.nan)
