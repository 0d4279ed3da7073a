"""One pass over the codes that counts all that a portrait holds."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from seqsae.activations.store import Store
from seqsae.features.bins import MOST, Axis
from seqsae.features.enrichment import Near, met, near
from seqsae.features.sources import token_codes
from seqsae.features.tallies import Tally, codes_at, counted, fired, merged, parts_of, tally
from seqsae.progress import track


@dataclass(frozen=True)
class Counted:
    """Counts over the train split; of each pair of tallies the first is by feature and label, the second by label over all rows."""

    axes: list[Axis]
    steps: np.ndarray
    """[width] width of a feature's bins of strength."""
    near: Near
    n_rows: int
    """Rows of the train split."""
    by_axis: dict[str, tuple[Tally, Tally]]
    by_token: dict[str, tuple[Tally, Tally]]
    strength: Tally
    spread: pl.DataFrame
    """Schema `spread`."""


def count(encoded, axes: list[Axis], steps: np.ndarray) -> Counted:
    """Everything, over the parts of the train split; the spread over the test split too.

    Args:
        encoded: a FeatureSource with a store, its codes sparse.
        steps: [width] width of each feature's bins of strength.
    """
    store = encoded.store
    tokens, names = token_codes(store)
    around = near(tokens, names, store.row_sample, store.model["attention"] != "causal")
    who = _People(store)
    train = store.rows_in("train")
    gathered: dict[str, list[Tally]] = {}
    shares = np.zeros(len(encoded.labels))
    for rows in track(list(parts_of(train, who.cluster[train])), "portray"):
        row, unit, value = fired(codes_at(encoded, rows))
        subject = who.subject[rows[row]]
        found = _of_axes(axes, rows, row, unit, subject, who) | _of_tokens(around, rows, row, unit, subject, who)
        level = np.minimum((value / steps[unit]).astype(np.int64), MOST - 1)
        found["strength"] = tally(unit * MOST + level, subject, who.cluster_of)
        found["spread"] = tally(unit, subject, who.cluster_of)
        shares += _shares(unit, subject, who.sizes, len(shares))
        for name, one in found.items():
            gathered.setdefault(name, []).append(one)
    done = {name: merged(parts) for name, parts in gathered.items()}
    return Counted(
        axes, steps, around, len(train),
        {axis.kind: _pair(done, axis.kind) for axis in axes},
        {place: _pair(done, place) for place in around.at},
        done.get("strength", merged([])),
        _spread(done.get("spread", merged([])), _tested(encoded, who), shares, who, len(encoded.labels)),
    )  # fmt: skip


class _People:
    """Who each row is of, in numbers."""

    def __init__(self, store: Store):
        self.subject = store.row_subject.astype(np.int64)
        _, number = np.unique(
            np.array(store.subjects["cluster"].cast(pl.String).fill_null("").to_list()), return_inverse=True
        )
        self.cluster_of = number.astype(np.int64)
        """[subjects]."""
        self.cluster = self.cluster_of[self.subject]
        """[N]."""
        self.sizes = np.bincount(self.subject, minlength=len(self.cluster_of))
        """[subjects] rows of each."""
        self.store = store

    def number(self, split: str) -> int:
        """Subjects of a split who have rows."""
        here = (self.store.subjects["split"] == split).fill_null(False).to_numpy()
        return int((here & (self.sizes > 0)).sum())


def _pair(done: dict[str, Tally], name: str) -> tuple[Tally, Tally]:
    return done.get(name, merged([])), done.get(f"all {name}", merged([]))


def _of_axes(axes: list[Axis], rows, row, unit, subject, who: _People) -> dict[str, Tally]:
    found = {}
    for axis in axes:
        label = axis.place(rows)
        whole, here = label >= 0, label[row] >= 0
        found[axis.kind] = tally((unit * axis.bins.n + label[row])[here], subject[here], who.cluster_of)
        found[f"all {axis.kind}"] = tally(label[whole], who.subject[rows[whole]], who.cluster_of)
    return found


def _of_tokens(around: Near, rows, row, unit, subject, who: _People) -> dict[str, Tally]:
    found = {}
    for place, there in around.at.items():
        here = there[rows]
        entry, key = met(here, row, unit)
        found[place] = tally(key, subject[entry], who.cluster_of)
        every, token = met(here, np.arange(len(rows)), np.zeros(len(rows), np.int64))
        found[f"all {place}"] = tally(token, who.subject[rows[every]], who.cluster_of)
    return found


def _shares(unit: np.ndarray, subject: np.ndarray, sizes: np.ndarray, width: int) -> np.ndarray:
    """[width] sum over the subjects in whom a feature fires of the share of their rows on which it does."""
    feature, person, times = counted(unit, subject, len(sizes))
    return np.bincount(feature, times / sizes[person], width)


def _tested(encoded, who: _People) -> Tally:
    """Subjects and clusters of the test split in whom each feature fires."""
    rows, parts = encoded.store.rows_in("test"), []
    for part in parts_of(rows, who.cluster[rows]):
        row, unit, _ = fired(codes_at(encoded, part))
        parts.append(tally(unit, who.subject[part[row]], who.cluster_of))
    return merged(parts)


def _spread(train: Tally, test: Tally, shares: np.ndarray, who: _People, width: int) -> pl.DataFrame:
    def full(key: np.ndarray, counts: np.ndarray) -> np.ndarray:
        out = np.zeros(width, np.int64)
        out[key] = counts
        return out

    subjects, n = full(train.key, train.subjects), who.number("train")
    return pl.DataFrame(
        {
            "feature": np.arange(width),
            "n_rows": full(train.key, train.rows),
            "n_subjects": subjects,
            "n_clusters": full(train.key, train.clusters),
            "share_of_subjects": subjects / max(n, 1),
            "share_when_present": [float(one / k) if k else None for one, k in zip(shares, subjects, strict=True)],
            "n_subjects_test": full(test.key, test.subjects),
            "n_clusters_test": full(test.key, test.clusters),
        }
    )
