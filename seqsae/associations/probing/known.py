"""Concepts that are known row by row, planted or annotated, on the rows of the select and of the test split."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqsae.activations.store import Store
from seqsae.associations.concept_scores import concept_labels
from seqsae.associations.observations import cluster_codes
from seqsae.associations.targets import Target
from seqsae.records.covariates import Covariates

LEAST = 5  # clusters with and without a concept that each of the two splits must have


@dataclass(frozen=True)
class Known:
    """A set of concepts on the rows of one split."""

    origin: str
    """planted or annotated."""
    names: list[str]
    rows: np.ndarray
    """[n] row numbers, ascending."""
    cluster: np.ndarray
    """[n]."""
    y: np.ndarray
    """[n, C] of 0 and 1, NaN where it is not known."""

    @cached_property
    def whole(self) -> np.ndarray:
        """[m] places of the rows at which every concept is known."""
        return np.flatnonzero(np.isfinite(self.y).all(axis=1))

    def only(self, kept: np.ndarray) -> "Known":
        """Some of the concepts."""
        return Known(self.origin, [self.names[i] for i in kept], self.rows, self.cluster, self.y[:, kept])


def known_concepts(covariates: Covariates, store: Store, aims: list[Target], most: int) -> list[tuple[Known, Known]]:
    """(select, test) of the planted and of the annotated concepts, those that have enough clusters in both.

    Args:
        aims: targets of the view; the binary ones of level token or event are the annotated concepts.
        most: rows of each split, at most: whole samples, evenly spaced.
    """
    found = []
    parts = [rows_of(store, split, most) for split in ("select", "test")]
    for origin, names, labels in _labelled(covariates, store, aims):
        both = [Known(origin, names, rows, cluster_codes(store, "token")[rows], labels(rows)) for rows in parts]
        kept = np.flatnonzero(np.min([_least(one) for one in both], axis=0) >= LEAST)
        if len(kept):
            found.append((both[0].only(kept), both[1].only(kept)))
    return found


def rows_of(store: Store, split: str, most: int) -> np.ndarray:
    """Row numbers of a split's samples, thinned evenly until they hold about `most` rows."""
    samples = np.flatnonzero(store.subjects["split"].to_numpy()[store.samples["subject"].to_numpy()] == split)
    counts = store.samples["n_rows"].to_numpy().astype(np.int64)[samples]
    if counts.sum() > most:
        number = max(1, int(len(samples) * most / counts.sum()))
        samples = samples[np.linspace(0, len(samples) - 1, number).astype(np.int64)]
    return np.flatnonzero(np.isin(store.row_sample, samples))


def _labelled(covariates: Covariates, store: Store, aims: list[Target]):
    """(origin, names, labels at rows) of each set."""
    if covariates.truth is not None:
        names = [one["name"] for one in covariates.truth["concepts"] if one["level"] != "person"]
        if names:
            labels = concept_labels(store, covariates.truth_spans, names, "token")
            yield "planted", names, lambda rows: labels[rows].astype(np.float64)
    mine = [aim for aim in aims if aim.unit in ("token", "event") and aim.is_binary]
    if mine:
        names = [f"{aim.covariate} = {aim.category}" for aim in mine]
        yield "annotated", names, lambda rows: np.column_stack([_by_row(aim, store)[rows] for aim in mine])


def _by_row(aim: Target, store: Store) -> np.ndarray:
    """[N] the target at each row; of an event at all its rows."""
    if aim.unit == "token":
        return aim.y
    out = np.full(store.n_rows, np.nan)
    out[store.events.rows] = np.repeat(aim.y, store.events.counts)
    return out


def _least(known: Known) -> np.ndarray:
    """[C] clusters with the concept, or without it, whichever are fewer."""
    sides = [[len(np.unique(known.cluster[column == side])) for column in known.y.T] for side in (0, 1)]
    return np.min(sides, axis=0)
