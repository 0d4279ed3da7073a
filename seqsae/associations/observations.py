"""What one observation is: a sample of the view (unit subject), an event of a sample (event), or a row (token)."""

import numpy as np

from seqsae.activations.store import Store

UNITS = ("subject", "event", "token")


def sample_of(store: Store, unit: str) -> np.ndarray:
    """[units] sample of each unit."""
    if unit == "subject":
        return store.samples["sample"].to_numpy()
    return store.events.sample if unit == "event" else store.row_sample


def subject_of(store: Store, unit: str) -> np.ndarray:
    """[units] subject of each unit."""
    return store.samples["subject"].to_numpy()[sample_of(store, unit)]


def position_of(store: Store, unit: str) -> np.ndarray:
    """[units] where each row, or the first row of each event, stands in the model's input."""
    position = store.rows["position"].to_numpy()
    return position[store.events.rows[store.events.starts]] if unit == "event" else position


def cluster_codes(store: Store, unit: str) -> np.ndarray:
    """[units] int: number of each unit's cluster."""
    per_subject = store.subjects["cluster"].rank("dense").to_numpy().astype(np.int64) - 1
    return per_subject[subject_of(store, unit)]


def split_of(store: Store, unit: str) -> np.ndarray:
    """[units] split of each unit, as text."""
    return store.subjects["split"].to_numpy()[subject_of(store, unit)]
