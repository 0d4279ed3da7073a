"""How often something happened over independent cohorts, with the Monte-Carlo standard error of that."""

from typing import NamedTuple

import numpy as np


class Share(NamedTuple):
    """A share of things counted, and its standard error."""

    value: float
    error: float
    n: int
    """Things counted."""

    def __str__(self) -> str:
        return f"{self.value:.3f} ±{self.error:.3f}" if self.n else "-"


class Tally:
    """Counts by name and cohort."""

    def __init__(self):
        self.counts: dict[tuple, list[np.ndarray]] = {}

    def add(self, key: tuple, happened: np.ndarray, counted: np.ndarray) -> None:
        """One cohort: of `counted` (bool, or a number) those that `happened`."""
        self.counts.setdefault(key, []).append(np.array([np.sum(happened & counted), np.sum(counted)], float))

    def share(self, *key) -> Share:
        """Things of one cohort hang together: the error is that of a ratio of two means over cohorts (Cochran 1977, section 6.4)."""
        hit, n = np.array(self.counts.get(key, [[0.0, 0.0]])).T
        if not n.sum():
            return Share(float("nan"), float("nan"), 0)
        value = hit.sum() / n.sum()
        error = np.sqrt(len(n) / max(len(n) - 1, 1) * ((hit - value * n) ** 2).sum()) / n.sum()
        return Share(float(value), float(error), int(n.sum()))
