"""Where a row stands, as a unit: for each annotated concept the one window of event numbers that finds it best on the select split.

A concept that always lies at the same place (a region of an aligned molecule, the first years of a record) is found by such a
window with no look at the model; a feature that goes with it says the more the farther it comes above that.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.concept_spans import Part, Spans, placed

MOST = 400  # places at which a window may begin or end; of longer records every second, third, ... event


class Window(NamedTuple):
    """Events from `low` to before `high`, counted from 0 at the first event, or at the sample's last one backwards."""

    backwards: bool
    low: int
    high: int

    @property
    def label(self) -> str:
        """In words."""
        return f"events {self.low} to {self.high - 1}" + (" from the end" if self.backwards else "")


class Windows:
    """A FeatureSource: unit i is 1 on the rows within window i, 0 elsewhere."""

    name = "position"

    def __init__(self, store: Store, windows: list[Window]):
        self.windows, self.labels = windows, [window.label for window in windows]
        self.events = {backwards: counted_from(store, backwards) for backwards in (False, True)}

    def values(self, rows: np.ndarray) -> sp.csr_array:
        """[len(rows), windows] float32."""
        at = {backwards: events[rows] for backwards, events in self.events.items()}
        on = [(at[one.backwards] >= one.low) & (at[one.backwards] < one.high) for one in self.windows]
        return sp.csr_array(np.column_stack(on).astype(np.float32))


def counted_from(store: Store, backwards: bool) -> np.ndarray:
    """[N] event number of each row, or how many events before its sample's last one it stands."""
    event = store.rows["event"].to_numpy().astype(np.int64)
    if not backwards:
        return event
    last = np.zeros(len(store.samples), np.int64)
    np.maximum.at(last, store.row_sample, event)
    return last[store.row_sample] - event


def best_windows(store: Store, spans: Spans, select: Part) -> Windows:
    """For each concept, both scores and both ends the window that is best on the select split, each window once.

    Instances are taken as unbroken stretches of events here; whatever is scored later is counted row by row.
    """
    here = placed(spans, select)
    labels = sp.csc_array(here.matrices(0, len(select.rows))[0])
    found: dict[Window, None] = {}
    for backwards in (False, True):
        at = counted_from(store, backwards)[select.rows]
        step = -(-(int(at.max(initial=0)) + 1) // MOST)
        at = at // step
        total = np.bincount(at, minlength=1)
        low, high = np.sort([at[here.start], at[here.end - 1]], axis=0)
        for concept in range(spans.n_concepts):
            rows = at[labels.indices[labels.indptr[concept] : labels.indptr[concept + 1]]]
            mine = here.concept[here.instance] == concept
            for start, end in _best(
                total, *(np.bincount(x, minlength=len(total)) for x in (rows, low[mine], high[mine]))
            ):
                found[Window(backwards, start * step, end * step)] = None
    return Windows(store, list(found))


def _best(total: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> list[tuple[int, int]]:
    """The windows [start, end) of best token F1 and of best F1 per domain.

    Args:
        total, rows: [P] rows at each place, and those of the concept.
        first, last: [P] instances of which the first and the last row stand at each place.
    """
    everything, concept, begun, over = (np.concatenate([[0], np.cumsum(x)]) for x in (total, rows, first, last))
    called, tp = (x[None, :] - x[:, None] for x in (everything, concept))
    hits = begun[None, :] - over[:, None]  # begun before the window's end, and not over before its start
    precision, recall = tp / np.maximum(called, 1), hits / max(1, begun[-1])
    by_rows = 2 * tp / np.maximum(called + concept[-1], 1)
    by_domain = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    window = np.triu(np.ones(called.shape, bool), 1)
    best = [int(np.where(window, score, -1).argmax()) for score in (by_rows, by_domain)]
    return [divmod(place, len(everything)) for place in best]
