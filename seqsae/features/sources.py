"""One door for everything that can be tied to a covariate: SAE features and each of their baselines.

A FeatureSource gives, for row numbers of a store, a matrix [rows, units]: sparse (csr, non-negative) or dense (signed).
"""

from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl
import scipy.sparse as sp
import torch

from seqsae.activations.store import Store
from seqsae.sae.random import random_dictionary

BLOCK = 16_384  # rows read at a time
L0_ROWS = 4_096  # rows on which a random dictionary is given its SAE's L0, about


class FeatureSource(Protocol):
    """What associations and concept scores read."""

    name: str
    """As in the column `source` of baselines."""
    labels: list[str]
    """One a unit."""

    def values(self, rows: np.ndarray) -> sp.csr_array | np.ndarray:
        """[len(rows), n_units]."""


class Neurons:
    """Each dimension of the site itself, signed."""

    name = "neuron"

    def __init__(self, store: Store, site: str):
        self.store, self.site = store, site
        self.labels = [f"neuron {i}" for i in range(store.sites[site])]

    def values(self, rows: np.ndarray) -> np.ndarray:
        return self.store.read(self.site, rows).numpy()


class Pca:
    """Principal components of the site, fitted on the train split (float64 covariance, all components)."""

    name = "pca"

    def __init__(self, store: Store, site: str):
        self.store, self.site = store, site
        self.labels = [f"component {i}" for i in range(store.sites[site])]

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """mean [d] and components [d, d], columns by falling variance, signed so that the largest entry is positive."""
        d, rows = self.store.sites[self.site], self.store.rows_in("train")
        total, outer = np.zeros(d), np.zeros((d, d))
        for block in blocks(rows):
            x = self.store.read(self.site, block).double().numpy()
            total += x.sum(0)
            outer += x.T @ x
        mean = total / len(rows)
        _, vectors = np.linalg.eigh(outer / len(rows) - np.outer(mean, mean))
        vectors = vectors[:, ::-1]
        return mean, vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(d)])

    def values(self, rows: np.ndarray) -> np.ndarray:
        mean, vectors = self.axes
        return ((self.store.read(self.site, rows).numpy() - mean) @ vectors).astype(np.float32)


class Dictionary:
    """An SAE that encodes as it is asked, such as the frozen random dictionary."""

    def __init__(self, store: Store, site: str, sae, name: str = "random-dictionary"):
        self.store, self.site, self.sae, self.name = store, site, sae, name
        self.labels = [f"direction {i}" for i in range(sae.W_dec.shape[0])]

    def values(self, rows: np.ndarray) -> sp.csr_array:
        with torch.no_grad():
            parts = [
                as_csr(self.sae.encode(self.store.read(self.site, block)), len(self.labels)) for block in blocks(rows)
            ]
        return sp.vstack(parts, format="csr") if parts else sp.csr_array((0, len(self.labels)), dtype=np.float32)


def random_directions(store: Store, site: str, sae, seed: int) -> Dictionary:
    """The SAE's random dictionary, with its mean L0 on rows of the train split."""
    rows = store.rows_in("train")
    return Dictionary(
        store, site, random_dictionary(sae, seed, store.read(site, rows[:: max(1, len(rows) // L0_ROWS)]))
    )


class Tokens:
    """The one-token detectors: unit t is on where token t stands."""

    name = "token"

    def __init__(self, store: Store):
        self.codes, names = token_codes(store)
        self.labels = names

    def values(self, rows: np.ndarray) -> sp.csr_array:
        n = len(rows)
        return sp.csr_array((np.ones(n, np.float32), self.codes[rows], np.arange(n + 1)), shape=(n, len(self.labels)))


class TokensSeen:
    """Unit t is on from the first row of the sample at which token t has stood. Rows must be asked for in ascending order."""

    name = "token-seen"

    def __init__(self, store: Store):
        self.codes, self.labels = token_codes(store)
        self.ends = np.cumsum(store.samples["n_rows"].to_numpy().astype(np.int64))
        self.row_sample = store.row_sample

    def values(self, rows: np.ndarray) -> sp.csr_array:
        parts, width = [], len(self.labels)
        for sample in np.unique(self.row_sample[rows]):
            start = self.ends[sample - 1] if sample else 0
            here = (
                rows[self.row_sample[rows] == sample] - start
                if len(rows) < 2
                else _within(rows, start, self.ends[sample])
            )
            parts.append(_seen(self.codes[start : self.ends[sample]], width)[here])
        return sp.vstack(parts, format="csr") if parts else sp.csr_array((0, width), dtype=np.float32)


def _within(rows: np.ndarray, start: int, end: int) -> np.ndarray:
    """Rows (ascending) that lie in [start, end), counted from start."""
    low, high = np.searchsorted(rows, [start, end])
    return rows[low:high] - start


def _seen(codes: np.ndarray, width: int) -> sp.csr_array:
    """[len(codes), width]: 1 where the token has stood at or before the row."""
    firsts = np.sort(np.unique(codes, return_index=True)[1])
    counts = np.searchsorted(firsts, np.arange(len(codes)), side="right")
    indices = np.concatenate([codes[firsts[:count]] for count in counts])
    return sp.csr_array(
        (np.ones(len(indices), np.float32), indices, np.concatenate([[0], np.cumsum(counts)])),
        shape=(len(codes), width),
    )


def token_codes(store: Store) -> tuple[np.ndarray, list[str]]:
    """[N] int number of each row's token, and the tokens in sorted order."""
    tokens = store.rows["token"]
    names = tokens.unique().sort()
    return tokens.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64), names.to_list()


def blocks(rows: np.ndarray):
    """`rows` in runs of at most BLOCK."""
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


def as_csr(codes, width: int) -> sp.csr_array:
    """Codes(values [n, k], indices [n, k]) as a sparse matrix [n, width] of the values above zero, columns in order."""
    values, indices = codes.values.float().numpy(), codes.indices.numpy()
    n, k = values.shape
    matrix = sp.csr_array((values.ravel(), indices.ravel(), np.arange(0, n * k + 1, k)), shape=(n, width))
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix
