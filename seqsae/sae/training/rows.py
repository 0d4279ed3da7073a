"""Which rows of a store an SAE learns from, and which it is measured on."""

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from seqsae.activations.store import Store
from seqsae.config import SaeConfig
from seqsae.sae.training.stream import held_out

HELDOUT_ROWS = 65_536  # rows that FVU and L0 are measured on, evenly spaced, at most
FIT_ROWS = 16_384  # training rows that a finished SAE's error is regressed on, at most
_BLOCK = 8_192  # of them read at a time


def training_rows(acts: Store, config: SaeConfig) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to learn from and to measure on.

    Learnt from: the train split. Measured on: the select split; with early stopping the rows of a share of the train
    split's clusters instead, which are then not learnt from, since a choice made on select would spend it.

    Raises:
        SeqsaeError: early stopping, and fewer than two clusters in the train split.
    """
    train = acts.rows_in("train")
    if config.patience is None:
        return train, thinned(acts.rows_in("select"))
    clusters = acts.subjects["cluster"].to_numpy()[acts.row_subject[train]]
    held = held_out(clusters, config.validation, str(acts.path))
    return train[~held], thinned(train[held])


def blocks(acts: Store, site: str, rows: np.ndarray) -> Callable[[], Iterator[Tensor]]:
    """A function that reads the rows [n, d] afresh, some thousands at a time."""
    return lambda: (acts.read(site, rows[start : start + _BLOCK]) for start in range(0, len(rows), _BLOCK))


def thinned(rows: np.ndarray, most: int = HELDOUT_ROWS) -> np.ndarray:
    """At most so many of the rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // most))]
