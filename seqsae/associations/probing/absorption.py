"""Feature absorption: where a latent that should fire is silent, since a more special one carries its direction.

Chanin et al. (2024, arXiv 2409.14507), in the form of SAEBench (Karvonen et al. 2025, arXiv 2503.09532): a dense probe says where the
site holds a concept; the k-sparse probes say which latents are mainly for it; at a row where the probe fires, what the latents add
along the probe's direction tells who carries it. Letters: n rows, d dimensions, F latents.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.associations.f1 import best_f1, score
from seqsae.associations.probing import logistic
from seqsae.associations.probing.choosing import basis_of, ties
from seqsae.associations.probing.folds import folds_of
from seqsae.associations.probing.ridge import Design

STEP = 0.03  # F1 that one more latent must add to be a main one
MOST_MAIN = 10
ALIGNED = 0.1  # least cosine of an absorbing latent with the probe
ALIGNED_FULL = 0.025  # the same of the one latent of a full absorption
SHARE = 0.4  # of the probe's projection that absorbing latents must carry
ABSORBING = 3  # latents that may carry it together
FOLDS = 3  # by which the dense probe's strength is chosen
_FIRES = 1e-8


class Probe(NamedTuple):
    """A linear probe: it fires where `x @ weights >= threshold`."""

    weights: np.ndarray
    """[d]."""
    threshold: float


class Absorption(NamedTuple):
    """Of n rows that hold the concept and at which the dense probe fires."""

    fraction: np.ndarray
    """[n] 0 to 1."""
    full: np.ndarray
    """[n] bool."""
    top: np.ndarray
    """[n] the absorbing latent that carries most; -1 where none absorbs."""


def dense_probes(x: np.ndarray, y: np.ndarray, cluster: np.ndarray, seed: int) -> list[Probe]:
    """A probe for each concept of y [n, C] on rows x [n, d]: a ridge on 0 and 1, which is Fisher's discriminant, shrunk.

    (SAEBench takes a logistic regression. The ridge's products are shared by all concepts: rows are read once, not once an iteration
    and concept.) Strength by clusters left out, threshold that of the best F1 on these rows. NaN in y: the row does not count.
    """
    fold = folds_of(cluster, FOLDS, seed)
    made: list[Probe | None] = [None] * y.shape[1]
    gaps: dict[bytes, list[int]] = {}
    for c, column in enumerate(y.T):
        gaps.setdefault(np.packbits(np.isfinite(column)).tobytes(), []).append(c)
    for some in gaps.values():
        known = np.flatnonzero(np.isfinite(y[:, some[0]]))
        [fitted] = Design(x[known], fold[known]).fit(y[known][:, some])
        margins = x[known] @ fitted.weights
        for place, c in enumerate(some):
            made[c] = Probe(fitted.weights[:, place], _threshold(margins[:, place], y[known, c]))
    return made


def main_latents(codes: sp.csr_array, y: np.ndarray) -> tuple[np.ndarray, float]:
    """The latents that stand for the concept, and the F1 of a logistic probe on them, both on these rows.

    Latents that are higher with the concept are ranked by the standardised difference of means; the first k count as long as each
    of them raises the F1 of the probe on those before it by STEP.
    """
    target = y[:, None]
    tie = ties(codes, target, basis_of(None, len(y)))[:, 0]
    sums = codes.T @ y
    higher = sums / max(y.sum(), 1) > (np.asarray(codes.sum(axis=0)).ravel() - sums) / max(len(y) - y.sum(), 1)
    order = [f for f in np.argsort(-np.where(higher, tie, 0), kind="stable")[:MOST_MAIN] if higher[f] and tie[f] > 0]
    columns, best, kept = sp.csc_array(codes), 0.0, 0
    for k in range(1, len(order) + 1):
        x = columns[:, order[:k]].toarray().astype(np.float64)
        x = x / np.maximum(x.std(axis=0), 1e-300)
        margin = x @ logistic.path(x, y, np.array([1e-6]))[0, :-1]
        now = score(margin, _threshold(margin, y), y).f1
        if now < best + STEP:
            break
        best, kept = now, k
    return np.array(order[:kept], dtype=np.int64), best


def absorbed(codes: sp.csr_array, x: np.ndarray, decoder: np.ndarray, direction: np.ndarray, main: np.ndarray):
    """Absorption at each row.

    Args:
        codes: [n, F] of rows at which the probe fires.
        x: [n, d] the rows as the decoder's sum is to give them, its bias taken off.
        decoder: [F, d].
        direction: [d] of the probe.
        main: main latents.
    """
    direction = direction / np.linalg.norm(direction)
    along = decoder @ direction
    cosine = along / np.maximum(np.linalg.norm(decoder, axis=1), 1e-300)
    whole, codes = x @ direction, sp.csr_array(codes)
    carried = sp.csr_array((codes.data * along[codes.indices], codes.indices, codes.indptr), shape=codes.shape)
    is_main = np.isin(np.arange(len(along)), main)
    own = np.asarray(carried @ is_main.astype(np.float64))
    others, top = _largest(carried, ~is_main & (cosine >= ALIGNED), ABSORBING)
    positive = whole > 0
    safe = np.where(positive, whole, 1)
    absorbs = positive & (own < whole) & (others / safe >= SHARE)
    moved = np.minimum(others, whole - own)
    fraction = np.where(own <= 0, 1.0, moved / np.where(absorbs, moved + own, 1))
    single, first = _largest(carried, np.ones(len(along), bool), 1)
    fires = np.asarray((codes > _FIRES).astype(np.float64) @ is_main.astype(np.float64)) > 0
    aligned = (first >= 0) & (cosine[first] >= ALIGNED_FULL)
    full = positive & ~fires & aligned & (single / safe >= SHARE)
    return Absorption(np.where(absorbs, np.clip(fraction, 0, 1), 0.0), full, np.where(absorbs, top, -1))


def _largest(carried: sp.csr_array, allowed: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """(sum of the k largest positive entries among allowed columns, column of the largest, -1 without one), by row."""
    row = np.repeat(np.arange(carried.shape[0]), np.diff(carried.indptr))
    kept = allowed[carried.indices] & (carried.data > 0)
    row, column, value = row[kept], carried.indices[kept], carried.data[kept]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    total = np.bincount(row[place < k], value[place < k], minlength=carried.shape[0])
    top = np.full(carried.shape[0], -1)
    top[row[place == 0]] = column[place == 0]
    return total, top


def _threshold(margin: np.ndarray, y: np.ndarray) -> float:
    return float(best_f1(margin[:, None], y[:, None].astype(np.uint8)).threshold[0])
