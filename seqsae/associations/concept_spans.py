"""Annotated concepts as instances on the rows of a view: where each one holds, piece by piece.

A concept is a value of a covariate of level token; each annotation is an instance of it (a domain, a spell). Places are
counted from a sample's first row, rows in the order of their events, so that an instance fits every view and split.

The two ends of a bond are two annotations, and so two instances, whatever a column `instance` of theirs says: InterPLM
(arXiv 2412.12101) scores a bond by residue, each of its residues is to be found, and as one instance a bond would be found
in full by a unit that knows one of its ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.targets import cluster_codes


@dataclass(frozen=True)
class Spans:
    """Instances of concepts; P pieces of I instances (one each, two where a shift has cut it)."""

    n_concepts: int
    concept: np.ndarray
    """[I]."""
    sample: np.ndarray
    """[I]."""
    instance: np.ndarray
    """[P] which instance each piece belongs to."""
    start: np.ndarray
    """[P] first place, from the sample's first row."""
    end: np.ndarray
    """[P] one past the last place."""

    def lengths(self) -> np.ndarray:
        """[I] rows of each instance."""
        return np.bincount(self.instance, self.end - self.start, len(self.concept)).astype(np.int64)

    def only(self, kept: np.ndarray) -> "Spans":
        """The instances of the concepts `kept`, which are numbered anew in that order."""
        number = np.full(self.n_concepts, -1)
        number[kept] = np.arange(len(kept))
        chosen = number[self.concept] >= 0
        place = np.cumsum(chosen) - 1
        piece = chosen[self.instance]
        return Spans(
            len(kept),
            number[self.concept[chosen]],
            self.sample[chosen],
            place[self.instance[piece]],
            self.start[piece],
            self.end[piece],
        )


@dataclass(frozen=True)
class Part:
    """The rows of one split on one line: sample after sample, by event within each."""

    samples: np.ndarray
    """[s] samples of the split, ascending."""
    rows: np.ndarray
    """[n] row number at each place of the line."""
    first: np.ndarray
    """[s + 1] place of each sample's first row."""
    cluster: np.ndarray
    """[s] number of each sample's cluster."""

    @property
    def sample_of(self) -> np.ndarray:
        """[n] index into `samples` of each place."""
        return np.repeat(np.arange(len(self.samples)), np.diff(self.first))

    def blocks(self, size: int) -> Iterator[tuple[int, int]]:
        """Stretches of whole samples with at most `size` places, or one sample."""
        start = 0
        while start < len(self.samples):
            stop = int(np.searchsorted(self.first, self.first[start] + size, side="right")) - 1
            stop = max(start + 1, min(stop, len(self.samples)))
            yield int(self.first[start]), int(self.first[stop])
            start = stop


@dataclass(frozen=True)
class Placed:
    """Spans on the line of a Part."""

    n_concepts: int
    concept: np.ndarray
    """[I]."""
    instance: np.ndarray
    """[P]."""
    start: np.ndarray
    """[P] place on the line."""
    end: np.ndarray
    """[P]."""
    place: np.ndarray
    """[I] index of the instance's sample in the part."""

    def matrices(self, low: int, high: int) -> tuple[sp.csr_array, sp.csr_array, np.ndarray]:
        """Labels [high - low, C] and members [instances here, high - low], of 0 and 1, and the concept of each instance here."""
        here = (self.start >= low) & (self.start < high)
        names, instance = np.unique(self.instance[here], return_inverse=True)
        length = self.end[here] - self.start[here]
        owner = np.repeat(instance, length)
        place = _filled(self.start[here] - low, length)
        members = _ones(owner, place, (len(names), high - low))
        concept = self.concept[names]
        return _ones(place, concept[owner], (high - low, self.n_concepts)), members, concept


def part_of(store: Store, split: str) -> Part:
    """The rows of a split, ordered by sample and event."""
    samples = np.flatnonzero(store.subjects["split"].to_numpy()[store.samples["subject"].to_numpy()] == split)
    chosen = np.flatnonzero(np.isin(store.row_sample, samples))
    rows = chosen[np.lexsort((store.rows["event"].to_numpy()[chosen], store.row_sample[chosen]))]
    counts = store.samples["n_rows"].to_numpy().astype(np.int64)[samples]
    return Part(samples, rows, np.concatenate([[0], np.cumsum(counts)]), cluster_codes(store, "subject")[samples])


def spans_of(annotations: pl.DataFrame, concepts: pl.DataFrame, store: Store) -> Spans:
    """Every annotation of the concepts (columns covariate, value) in every sample of its subject that has rows under it."""
    numbered = concepts.select("covariate", "value").with_row_index("concept")
    samples = store.samples.select("sample", "subject")
    table = (
        annotations.select(pl.col("sample").alias("subject"), "start", "end", "covariate", "value")
        .join(numbered, on=["covariate", "value"], how="inner", maintain_order="left")
        .join(samples, on="subject", how="inner", maintain_order="left")
    )
    sample, concept = (table[name].to_numpy().astype(np.int64) for name in ("sample", "concept"))
    low, high = (_places(store, sample, table[name].to_numpy().astype(np.int64)) for name in ("start", "end"))
    here = high > low
    return Spans(len(concepts), concept[here], sample[here], np.arange(here.sum()), low[here], high[here])


def shifted(spans: Spans, n_rows: np.ndarray, rng: np.random.Generator) -> Spans:
    """The same instances moved round within their samples, each sample's all by one number: what chance would label.

    Args:
        n_rows: [samples] rows of each sample.
    """
    n = n_rows[spans.sample].astype(np.int64)[spans.instance]
    step = rng.integers(0, np.maximum(n_rows.astype(np.int64), 1))[spans.sample][spans.instance]
    start = (spans.start + step) % n
    end = start + spans.end - spans.start
    over = end > n
    return Spans(
        spans.n_concepts,
        spans.concept,
        spans.sample,
        np.concatenate([spans.instance, spans.instance[over]]),
        np.concatenate([start, np.zeros(over.sum(), np.int64)]),
        np.concatenate([np.minimum(end, n), (end - n)[over]]),
    )


def stacked(parts: list[Spans]) -> Spans:
    """Several spans side by side, the concepts of each numbered after those of the one before."""
    concepts = np.cumsum([0, *[one.n_concepts for one in parts]])
    instances = np.cumsum([0, *[len(one.concept) for one in parts]])
    return Spans(
        int(concepts[-1]),
        np.concatenate([one.concept + offset for one, offset in zip(parts, concepts, strict=False)]),
        np.concatenate([one.sample for one in parts]),
        np.concatenate([one.instance + offset for one, offset in zip(parts, instances, strict=False)]),
        np.concatenate([one.start for one in parts]),
        np.concatenate([one.end for one in parts]),
    )


def placed(spans: Spans, part: Part) -> Placed:
    """The instances of the part's samples on its line."""
    index = np.searchsorted(part.samples, spans.sample)
    inside = index < len(part.samples)
    inside[inside] = part.samples[index[inside]] == spans.sample[inside]
    piece = inside[spans.instance]
    base = part.first[np.where(inside, index, 0)][spans.instance[piece]]
    return Placed(
        spans.n_concepts,
        spans.concept[inside],
        (np.cumsum(inside) - 1)[spans.instance[piece]],
        base + spans.start[piece],
        base + spans.end[piece],
        index[inside],
    )


def _places(store: Store, sample: np.ndarray, event: np.ndarray) -> np.ndarray:
    """How many rows of each sample [m] stand at events before `event` [m]."""
    events = store.rows["event"].to_numpy().astype(np.int64)
    width = max(int(events.max(initial=0)), int(event.max(initial=0))) + 1
    line = np.sort(store.row_sample.astype(np.int64) * width + events)
    first = np.concatenate([[0], np.cumsum(store.samples["n_rows"].to_numpy().astype(np.int64))])
    return np.searchsorted(line, sample * width + event) - first[sample]


def _filled(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """start, start + 1, ... of each stretch, one after the other."""
    before = np.cumsum(length) - length
    return np.arange(length.sum()) + np.repeat(start - before, length)


def _ones(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sp.csr_array:
    """1 at each of the given places, however often it is given."""
    made = sp.csr_array((np.ones(len(row), np.int32), (row, column)), shape=shape)
    made.sum_duplicates()
    made.data[:] = 1
    return made
