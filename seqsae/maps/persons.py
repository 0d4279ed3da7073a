"""A map of persons by which features are on in their records. Internal: a point is a person, and never leaves.

Each subject is the square root of the shares of rows at which each feature is on, so that the cosine of two subjects is Hellinger's
affinity of what their records are made of; reduced to `AXES` singular vectors, then UMAP.
"""

import hashlib

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.activations.store import Store
from seqsae.features.encoding import Encoded
from seqsae.features.pooling import pool
from seqsae.maps.umap_layout import FEWEST, layout

AXES = 30
ROWS = 1 << 18  # of codes read at a time
SALT = "persons"
EPOCHS = 200


def persons(encoded: Encoded, neighbours: int, min_dist: float, most: int, seed: int) -> pl.DataFrame:
    """Schema `persons`: a row a subject of the view in whom any feature is on, of `most` at most.

    Args:
        most: more subjects are drawn from by a hash of their number and the seed, which knows nothing else of them.
    """
    subjects = chosen(encoded.store, most, seed)
    rates = shares(encoded, subjects)
    on = np.flatnonzero(np.diff(rates.indptr))
    points, subjects = layout(reduced(rates[on], seed), neighbours, min_dist, seed, EPOCHS), subjects[on]
    split = encoded.store.subjects["split"].gather(subjects)
    table = pl.DataFrame({"subject": subjects, "split": split, "x": points[:, 0], "y": points[:, 1]})
    return schema.check_table(table, "persons", "persons")


def chosen(store: Store, most: int, seed: int) -> np.ndarray:
    """Numbers, ascending, of the subjects with rows in the view, at most so many."""
    there = store.samples.filter(pl.col("n_rows") > 0)["subject"].unique().sort().to_numpy().astype(np.int64)
    if len(there) <= most:
        return there
    drawn = sorted(there.tolist(), key=lambda number: hashlib.sha256(f"{SALT} {seed} {number}".encode()).digest())
    return np.sort(np.array(drawn[:most], dtype=np.int64))


def shares(encoded: Encoded, subjects: np.ndarray) -> sp.csr_array:
    """[subjects, F] square root of the share of each subject's rows, over all samples, at which each feature is on."""
    store = encoded.store
    rows = np.flatnonzero(np.isin(store.row_subject, subjects))
    sample = store.row_sample[rows]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(sample) != 0])) if len(rows) else np.zeros(0, int)
    counts = np.diff(np.concatenate([starts, [len(rows)]]))
    runs = np.concatenate([[0], np.flatnonzero(np.diff(starts // ROWS)) + 1, [len(counts)]])
    parts = []
    for first, stop in zip(runs[:-1], runs[1:], strict=True):
        begin, some = (starts[first] if stop > first else 0), counts[first:stop]
        parts.append(pool(encoded.values(rows[begin : begin + some.sum()]), some, "count"))
    owner = np.searchsorted(subjects, store.row_subject[rows][starts])
    gather = sp.csr_array((np.ones(len(owner)), (owner, np.arange(len(owner)))), shape=(len(subjects), len(owner)))
    whole = sp.csr_array(gather @ sp.vstack(parts, format="csr"))
    length = np.asarray(gather @ counts).ravel()
    whole.data = np.sqrt(whole.data / np.repeat(length, np.diff(whole.indptr)))
    return whole


def reduced(rates: sp.csr_array, seed: int) -> np.ndarray:
    """[n, <= AXES] float32: the rows in the directions in which they vary most about zero; no row becomes zero."""
    n, width = rates.shape
    unit = sp.diags_array(1 / np.maximum(np.sqrt(np.asarray(rates.power(2).sum(axis=1)).ravel()), 1e-300)) @ rates
    if min(n, width) <= max(AXES, FEWEST):
        return unit.toarray().astype(np.float32)
    from sklearn.decomposition import TruncatedSVD

    found = TruncatedSVD(AXES, random_state=seed, n_iter=4).fit_transform(unit).astype(np.float32)
    lost = ~(np.abs(found).max(axis=1) > 1e-6)  # who has only what hardly anybody has
    found[lost] = found.mean(axis=0)
    return found
