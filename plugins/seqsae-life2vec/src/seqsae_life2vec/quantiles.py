"""Edges of the quantile tokens, from the values of the train subjects alone."""

from collections.abc import Iterable

import numpy as np

from seqsae.records.record import Record


def fit(records: Iterable[Record], quantiles: int) -> dict[str, list[float]]:
    """Code to its inner quantile edges, ascending and distinct; codes with fewer distinct values than quantiles have none.

    Args:
        quantiles: how many tokens a code's values are cut into at most; 0 or 1: no code is cut.
    """
    if quantiles < 2:
        return {}
    held: dict[str, list[np.ndarray]] = {}
    for record in records:
        for code, values in _values(record):
            held.setdefault(code, []).append(values)
    shares = np.arange(1, quantiles) / quantiles
    edges = {}
    for code, parts in sorted(held.items()):
        values = np.concatenate(parts).astype(np.float64)
        if len(np.unique(values)) >= quantiles:
            edges[code] = np.unique(np.quantile(values, shares)).tolist()
    return edges


def _values(record: Record) -> Iterable[tuple[str, np.ndarray]]:
    """Each code of a record with its finite values."""
    if record.numeric_value is None:
        return
    given = np.asarray(record.numeric_value, np.float32)
    finite = np.isfinite(given)
    codes, given = np.asarray(record.code)[finite].astype(str), given[finite]
    for code in np.unique(codes):
        yield str(code), given[codes == code]
