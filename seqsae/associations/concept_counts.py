"""What concept scores are made of: true and false calls and instances found, for all units, concepts and thresholds at once.

Letters: n rows, U units, C concepts, I instances of them, T thresholds. A unit calls a row where its value exceeds the
threshold. Each non-zero value is given its level, the number of thresholds that it exceeds; two sparse products over the
levels then count everything, and a running sum from the top level down turns levels into thresholds. Counts of disjoint
rows add up, so that rows can be read in blocks of whole samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from seqsae.errors import SeqsaeError

MOST = 1000  # bits of a double's exponent that levels may use


@dataclass(frozen=True)
class Counts:
    """Counts over some rows; those of disjoint sets of whole samples add up."""

    n: int
    """Rows."""
    called: np.ndarray
    """[U, T] rows that the unit calls: tp + fp."""
    tp: np.ndarray
    """[C, U, T] rows that it calls and that have the concept."""
    hits: np.ndarray
    """[C, U, T] instances of the concept with at least one called row."""
    positives: np.ndarray
    """[C] rows with the concept."""
    instances: np.ndarray
    """[C]."""

    @property
    def fp(self) -> np.ndarray:
        """[C, U, T] rows called that have not the concept."""
        return self.called - self.tp

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.n + other.n,
            self.called + other.called,
            self.tp + other.tp,
            self.hits + other.hits,
            self.positives + other.positives,
            self.instances + other.instances,
        )


def levels(values: sp.csr_array, thresholds: Sequence[float]) -> sp.csr_array:
    """[n, U] uint8: how many of the ascending thresholds each value exceeds, at the values' own precision."""
    level = np.zeros(len(values.data), np.uint8)
    for threshold in thresholds:
        level += values.data > values.data.dtype.type(threshold)
    made = sp.csr_array((level, values.indices, values.indptr), shape=values.shape)
    if not level.all():
        made = made.copy()
        made.eliminate_zeros()
    return made


def count(level: sp.csr_array, labels: sp.csr_array, members: sp.csr_array, concept: np.ndarray, T: int) -> Counts:
    """Counts over the rows of `level`.

    Args:
        level: [n, U], from `levels`.
        labels: [n, C] of 0 and 1: rows that have the concept.
        members: [I, n] of 0 and 1: rows of each instance; instances may overlap.
        concept: [I] concept of each instance.
        T: number of thresholds.
    """
    (n, U), C = level.shape, labels.shape[1]
    slot = level.indices.astype(np.int64) * T + (level.data.astype(np.int64) - 1)
    called = np.bincount(slot, minlength=U * T).reshape(U, T)
    ones = sp.csr_array((np.ones(len(slot), np.int32), slot, level.indptr), shape=(n, U * T))
    tp = (labels.T.tocsr() @ ones).toarray().reshape(C, U, T)
    return Counts(
        n,
        _from_the_top(called),
        _from_the_top(tp),
        _from_the_top(_found(level, members, concept, C, T)),
        np.asarray(labels.sum(0)).ravel().astype(np.int64),
        np.bincount(concept, minlength=C),
    )


def _found(level: sp.csr_array, members: sp.csr_array, concept: np.ndarray, C: int, T: int) -> np.ndarray:
    """[C, U, T] instances by the highest level that the unit reaches in them.

    Level l enters as 2^(bits (l - 1)) with more than a row's worth of bits, so that the sum over an instance's rows tells by
    its exponent which level was the highest.
    """
    U = level.shape[1]
    bits = int(np.diff(members.indptr).max(initial=1)).bit_length()
    if bits * T > MOST:
        raise SeqsaeError(f"{T} thresholds are too many for instances this long; give {MOST // bits} at most")
    powers = np.ldexp(1.0, bits * (level.data.astype(np.int32) - 1))
    reached = members.astype(np.float64) @ sp.csr_array((powers, level.indices, level.indptr), shape=level.shape)
    highest = (np.frexp(reached.data)[1] - 1) // bits
    owner = np.repeat(concept, np.diff(reached.indptr))
    slot = (owner.astype(np.int64) * U + reached.indices) * T + highest
    return np.bincount(slot, minlength=C * U * T).reshape(C, U, T)


def _from_the_top(by_level: np.ndarray) -> np.ndarray:
    """Counts by level as counts of at least that level, along the last axis."""
    return np.cumsum(by_level[..., ::-1], axis=-1, dtype=np.int32)[..., ::-1]


# Scores, each [C, U, T] in 0 to 1; 0 where nothing is called, or there is nothing to be found.


def precision(counts: Counts) -> np.ndarray:
    """Share of the called rows that have the concept."""
    return _share(counts.tp, counts.called)


def domain_recall(counts: Counts) -> np.ndarray:
    """Share of the instances with a called row."""
    return _share(counts.hits, counts.instances[:, None, None])


def f1(counts: Counts) -> np.ndarray:
    """Rows on both sides: harmonic mean of precision and recall, 2 tp / (called + positives) (van Rijsbergen 1979)."""
    return _share(2 * counts.tp, counts.called + counts.positives[:, None, None])


def f1_per_domain(counts: Counts) -> np.ndarray:
    """Rows on one side, instances on the other: harmonic mean of precision and `domain_recall`, as InterPLM scores (arXiv 2412.12101)."""
    p, r = precision(counts), domain_recall(counts)
    return _share(2 * p * r, p + r)


SCORES = {"f1_per_domain": f1_per_domain, "f1": f1}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)
