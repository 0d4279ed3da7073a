"""Parts of a split's line of rows, and where things stand on it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from seqsae.associations.concept_spans import Part


def only(part: Part, chosen: np.ndarray) -> Part:
    """The samples of `part` at the places `chosen`, ascending."""
    counts = np.diff(part.first)[chosen]
    first = np.concatenate([[0], np.cumsum(counts)])
    rows = part.rows[stretches(part.first[chosen], counts)]
    return Part(part.samples[chosen], rows, first, part.cluster[chosen])


def pieces(part: Part, size: int) -> Iterator[Part]:
    """The part in pieces of whole clusters with about `size` rows each (one cluster at least)."""
    names, member = np.unique(part.cluster, return_inverse=True)
    rows = np.bincount(member, np.diff(part.first), len(names))
    piece = (np.cumsum(rows) - rows) // size
    for number in np.unique(piece):
        yield only(part, np.flatnonzero(piece[member] == number))


def drawn(part: Part, most: int, seed: int) -> Part:
    """Whole clusters in a seeded order while their rows are at most `most` (one cluster at least); the part itself if it is small."""
    if len(part.rows) <= most:
        return part
    names, member = np.unique(part.cluster, return_inverse=True)
    order = np.random.default_rng([seed, 29]).permutation(len(names))
    total = np.cumsum(np.bincount(member, np.diff(part.first), len(names))[order])
    kept = np.zeros(len(names), bool)
    kept[order[: max(1, int(np.searchsorted(total, most, side="right")))]] = True
    return only(part, np.flatnonzero(kept[member]))


def with_rows(part: Part) -> Part:
    """The part without its empty samples."""
    return replace(only(part, np.flatnonzero(np.diff(part.first) > 0)))


def stretches(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """start, start + 1, ... of each stretch, one after the other."""
    before = np.cumsum(length) - length
    return np.arange(int(length.sum())) + np.repeat(start - before, length)


def place_of(part: Part) -> np.ndarray:
    """[n] place of each row in its sample, from 0."""
    return np.arange(len(part.rows)) - np.repeat(part.first[:-1], np.diff(part.first))


def cluster_of(part: Part) -> np.ndarray:
    """[n] cluster of each row."""
    return np.repeat(part.cluster, np.diff(part.first))
