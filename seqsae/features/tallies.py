"""How often features fire under each of some labels: rows, distinct subjects and distinct clusters, counted part by part.

A part holds whole clusters, so that the counts of parts add up, and so does no part of the data have to wait for another.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.features.sources import blocks

PART_ROWS = 1 << 20  # rows of a part, about


class Tally(NamedTuple):
    """Counts by key, keys ascending and each once. What is not named has none."""

    key: np.ndarray
    """[m] int64; a feature's number times the number of labels, plus the label."""
    rows: np.ndarray
    subjects: np.ndarray
    clusters: np.ndarray


def tally(key: np.ndarray, subject: np.ndarray, cluster_of: np.ndarray) -> Tally:
    """Counts of entries.

    Args:
        key, subject: [n] int64, one an entry.
        cluster_of: [subjects] int64 number of each subject's cluster.
    """
    key, subject, rows = counted(key, subject, len(cluster_of))
    keys, where = np.unique(key, return_inverse=True)
    by_cluster, _, _ = counted(key, cluster_of[subject], int(cluster_of.max(initial=0)) + 1)
    sums = np.bincount(where, rows, len(keys)), np.bincount(where, minlength=len(keys))
    return Tally(keys, *(one.astype(np.int64) for one in sums), np.unique(by_cluster, return_counts=True)[1])


def counted(key: np.ndarray, who: np.ndarray, n_who: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different pairs of `key` and `who` (below `n_who`), ascending, and how many entries each has."""
    pair, count = np.unique(key.astype(np.int64) * n_who + who, return_counts=True)
    return pair // n_who, pair % n_who, count


def merged(parts: list[Tally]) -> Tally:
    """The tallies of parts that share no cluster as one."""
    if not parts:
        return Tally(*(np.zeros(0, np.int64) for _ in Tally._fields))
    keys, where = np.unique(np.concatenate([part.key for part in parts]), return_inverse=True)
    sums = (np.bincount(where, np.concatenate(counts), len(keys)) for counts in list(zip(*parts, strict=True))[1:])
    return Tally(keys, *(one.astype(np.int64) for one in sums))


def parts_of(rows: np.ndarray, cluster: np.ndarray, most: int | None = None) -> Iterator[np.ndarray]:
    """`rows` [n] (ascending) cut into parts of whole clusters, each about `most` rows (default PART_ROWS) and ascending.

    Args:
        cluster: [n] int64 cluster of each of the rows.
    """
    sizes = np.bincount(cluster)
    part_of = (np.cumsum(sizes) - sizes) // (most or PART_ROWS)
    for part in np.unique(part_of[sizes > 0]):
        yield rows[part_of[cluster] == part]


def codes_at(source, rows: np.ndarray) -> sp.csr_array:
    """[len(rows), units] of a FeatureSource whose codes are sparse; `rows` ascend, and are read a block at a time."""
    parts = [source.values(block) for block in blocks(rows)]
    return sp.vstack(parts, format="csr") if parts else sp.csr_array((0, len(source.labels)), dtype=np.float32)


def fired(codes: sp.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where codes [n, units] are above zero: place among the n, unit, value."""
    row = np.repeat(np.arange(codes.shape[0]), np.diff(codes.indptr))
    on = codes.data > 0
    return row[on], codes.indices[on].astype(np.int64), codes.data[on]
