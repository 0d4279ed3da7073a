"""The strongest rows of each feature as tracks: what stands around them, when, and how strongly the feature fires there. Individuals show."""

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.features.encoding import Encoded
from seqsae.features.tallies import codes_at

SHOWN = 4  # examples of a feature that get a track
REACH = 7  # rows on either side
REACH_RESIDUES = 24  # of records whose every token is a letter
_DAY = 86_400e6  # microseconds


def tracks(encoded: Encoded) -> pl.DataFrame:
    """Schema `tracks`, for the first SHOWN of each feature's examples."""
    store, told = encoded.store, encoded.examples.filter(pl.col("rank") < SHOWN)
    if told.is_empty():
        return schema.empty("tracks")
    reach = REACH_RESIDUES if store.rows["token"].str.len_chars().max() == 1 else REACH
    rows, ends = told["row"].to_numpy(), np.cumsum(store.samples["n_rows"].to_numpy().astype(np.int64))
    last = ends[store.row_sample[rows]]
    first = last - store.samples["n_rows"].to_numpy().astype(np.int64)[store.row_sample[rows]]
    low, high = np.maximum(first, rows - reach), np.minimum(last, rows + reach + 1)
    wanted = np.unique(np.concatenate([np.arange(a, b) for a, b in zip(low, high, strict=True)]))
    codes, tokens = codes_at(encoded, wanted), store.rows["token"].to_list()
    time = store.rows["time"].cast(pl.Int64).to_numpy().astype(np.float64)
    found = []
    ends_of = zip(rows, first, low, high, strict=True)
    for (feature, rank), (row, start, a, b) in zip(told.select("feature", "rank").iter_rows(), ends_of, strict=True):
        at = np.searchsorted(wanted, a)
        days = (time[a:b] - time[row]) / _DAY
        values = _strength(codes, at, at + b - a, feature)
        known = [round(day, 2) for day in days.tolist()] if np.isfinite(days).all() else None
        found.append((feature, rank, int(row - a), int(row - start), tokens[a:b], values, known))
    table = pl.DataFrame(found, schema=schema.columns("tracks"), orient="row")
    return schema.check_table(table, "tracks", "tracks")


def _strength(codes, low: int, high: int, feature: int) -> list[float]:
    """The feature's values at rows `low` up to `high` of the codes."""
    out = np.zeros(high - low)
    start, stop = codes.indptr[low], codes.indptr[high]
    here = start + np.flatnonzero(codes.indices[start:stop] == feature)
    out[np.searchsorted(codes.indptr[low : high + 1], here, side="right") - 1] = codes.data[here]
    return out.tolist()
