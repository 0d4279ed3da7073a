"""Tokens that stand at, before and behind the rows on which a feature fires more often than elsewhere.

lift = P(token | feature fires) / P(token). Tokens are ranked by what they add to the Kullback-Leibler divergence of the
one distribution from the other, P(token | fires) log lift, which neither a rare token nor a common one leads for nothing.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.features.tallies import Tally

WINDOW = 5  # rows before and behind that count as context
TOP = 12  # tokens kept a feature and place
FEWEST = 2  # distinct subjects in whom feature and token must meet
STANDS_OUT = 4.0  # standard deviations (Poisson) by which these must be more than independence gives
PLACES = ("at", "before", "behind")


class Near(NamedTuple):
    """For each place the tokens that stand there, [N, tokens] of ones."""

    names: list[str]
    at: dict[str, sp.csr_array]


def near(tokens: np.ndarray, names: list[str], sample: np.ndarray, both: bool) -> Near:
    """What stands at each row, in the rows before it and, if `both`, in those behind it, within its sample.

    Args:
        tokens: [N] int64 number of each row's token; sample: [N] sample of each row, ascending.
    """
    wanted = {"at": (0,), "before": tuple(range(1, WINDOW + 1))}
    wanted |= {"behind": tuple(range(-WINDOW, 0))} if both else {}
    return Near(names, {place: _shifted(tokens, sample, steps, len(names)) for place, steps in wanted.items()})


def _shifted(tokens: np.ndarray, sample: np.ndarray, steps: tuple[int, ...], n_tokens: int) -> sp.csr_array:
    n, rows, found = len(tokens), [], []
    for step in steps:
        row = np.arange(max(step, 0), n + min(step, 0))
        row = row[sample[row] == sample[row - step]]
        rows.append(row)
        found.append(tokens[row - step])
    entries = np.concatenate(rows), np.concatenate(found)
    table = sp.csr_array((np.ones(len(entries[0]), np.float32), entries), shape=(n, n_tokens))
    table.sum_duplicates()
    table.data[:] = 1
    return table


def met(there: sp.csr_array, row: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For entries that fire (at `row`, of `unit`): which entry and token meet, as places among the entries and keys."""
    sizes = np.diff(there.indptr)[row]
    entry = np.repeat(np.arange(len(row)), sizes)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return entry, unit[entry] * there.shape[1] + there.indices[there.indptr[row[entry]] + within]


def enriched(
    place: str, here: Tally, everywhere: Tally, active: np.ndarray, n_rows: int, names: list[str]
) -> pl.DataFrame:
    """Schema `token_enrichment` at one place: the TOP tokens of each feature with lift clearly above 1.

    Args:
        here: by feature and token; everywhere: by token, over all rows.
        active: [width] rows on which each feature fires.
    """
    token_rows = pl.DataFrame(
        {"token": everywhere.key, "token_rows": everywhere.rows, "token_subjects": everywhere.subjects}
    )
    table = pl.DataFrame(
        {
            "feature": here.key // len(names), "token": here.key % len(names), "n_rows": here.rows,
            "n_subjects": here.subjects, "n_clusters": here.clusters,
        }
    ).join(token_rows, on="token")  # fmt: skip
    share = pl.col("n_rows") / pl.Series("active", active[table["feature"].to_numpy()])
    table = table.with_columns(place=pl.lit(place), share=share)
    table = table.with_columns(lift=pl.col("share") * n_rows / pl.col("token_rows"))
    gain = pl.col("share") * pl.col("lift").log()
    expected = pl.col("n_subjects") / pl.col("lift")
    clear = pl.col("n_subjects") - expected >= STANDS_OUT * expected.sqrt()
    kept = (
        table.filter((pl.col("lift") > 1) & (pl.col("n_subjects") >= FEWEST) & clear)
        .with_columns(gain=gain)
        .sort("feature", "gain", "token", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("feature") < TOP)
    )
    named = pl.Series("token", [names[number] for number in kept["token"]], dtype=pl.String)
    return schema.check_table(kept.drop("gain").with_columns(named), "token_enrichment", "token enrichment")
