"""One subject's record, as a model's tokenizer receives it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Record:
    """What is known of one subject, in time order; fields that a source does not have are None.

    `time` is datetime64[us] with NaT for static rows, `code` an array of strings, `numeric_value` float32 with NaN,
    all of length n_events. `sequence` is a string of residues. `item` is the caller's own dict.
    """

    subject: int
    subject_id: Any
    time: np.ndarray | None = None
    code: np.ndarray | None = None
    numeric_value: np.ndarray | None = None
    sequence: str | None = None
    item: dict | None = None

    def until(self, moment: np.datetime64) -> "Record":
        """The record with only what was known at `moment` (inclusive): static rows and events at or before it."""
        known = np.isnat(self.time) | (self.time <= moment)
        return replace(self, time=self.time[known], code=self.code[known], numeric_value=self.numeric_value[known])
