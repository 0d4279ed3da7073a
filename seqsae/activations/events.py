"""The events of a view: which rows stand for the same event of the same sample."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Events:
    """E events of N rows, sample by sample and in the order of their numbers; an event without rows is none of the view."""

    sample: np.ndarray
    """[E] sample of each."""
    event: np.ndarray
    """[E] number in the subject's record."""
    rows: np.ndarray
    """[N] row numbers, event by event; of one event in the order of the rows."""
    counts: np.ndarray
    """[E] rows of each."""

    @cached_property
    def starts(self) -> np.ndarray:
        """[E] where the rows of each begin in `rows`."""
        return np.cumsum(self.counts) - self.counts

    @property
    def single(self) -> bool:
        """Whether each event is one row, so that nothing is pooled."""
        return len(self.rows) == len(self.counts)


def events_of(sample: np.ndarray, event: np.ndarray) -> Events:
    """The events of rows [N] of a sample and an event number each."""
    rows = np.lexsort((event, sample))  # stable
    sample, event = sample[rows].astype(np.int64), event[rows].astype(np.int64)
    first = np.flatnonzero(np.r_[True, (np.diff(sample) != 0) | (np.diff(event) != 0)][: len(rows)])
    return Events(sample[first], event[first], rows, np.diff(first, append=len(rows)))
