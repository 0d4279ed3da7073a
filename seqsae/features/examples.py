"""The strongest rows of each feature with their context: for a report that stays inside."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.activations.store import Store


def examples(codes: sp.csr_array, rows: np.ndarray, store: Store, top: int, context: int) -> pl.DataFrame:
    """Schema `examples`: for each feature its `top` strongest rows, one a sample, with `context` tokens on either side."""
    by_feature = codes.tocsc()
    sample_of, ends = store.row_sample, np.cumsum(store.samples["n_rows"].to_numpy().astype(np.int64))
    tokens = store.rows["token"].to_numpy()
    found = []
    for feature in range(codes.shape[1]):
        low, high = by_feature.indptr[feature], by_feature.indptr[feature + 1]
        for rank, (row, value) in enumerate(
            _strongest(rows[by_feature.indices[low:high]], by_feature.data[low:high], sample_of, top)
        ):
            end = ends[sample_of[row]]
            start = end - int(store.samples["n_rows"][int(sample_of[row])])
            before, after = tokens[max(start, row - context) : row], tokens[row + 1 : min(end, row + 1 + context)]
            found.append((feature, rank, row, value, before.tolist(), tokens[row], after.tolist()))
    columns = ["feature", "rank", "row", "value", "before", "token", "after"]
    if not found:
        return schema.empty("examples")
    return schema.check_table(pl.DataFrame(found, schema=columns, orient="row"), "examples", "examples")


def _strongest(rows: np.ndarray, values: np.ndarray, sample_of: np.ndarray, top: int) -> list[tuple[int, float]]:
    """The strongest rows, at most one a sample; ties go to the earlier row."""
    chosen, seen = [], set()
    if not top:
        return chosen
    for place in np.lexsort((rows, -values)):
        sample = sample_of[rows[place]]
        if sample not in seen:
            seen.add(sample)
            chosen.append((int(rows[place]), float(values[place])))
            if len(chosen) == top:
                break
    return chosen
