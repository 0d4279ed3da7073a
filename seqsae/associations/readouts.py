"""Whether a feature says more than the token that says most: its effect beyond the confounders and that token."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.baselines import choose
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screening import Bench, by_unit, is_of, steps
from seqsae.associations.screens import beyond
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.sources import Tokens
from seqsae.progress import track

COLUMNS = ("effect_given_token", "ci_low_given_token", "ci_high_given_token")


def given_tokens(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """The table with COLUMNS, of the selected pairs on the test split; null where no token could be chosen on select.

    The confounders gain the token's value (its ranks) and whether it is there at all. Effects and intervals are to first order.
    """
    table, parts = table.with_row_index("at"), []
    for group in by_unit(aims):
        select, test = (Units(bench.encoded.store, group[0].unit, split) for split in ("select", "test"))
        tokens = Tokens(bench.encoded.store)
        picked = choose(select, tokens, group, bench.config)
        values = test.pooled(tokens, bench.config.poolings)
        features = test.pooled(bench.encoded, bench.config.poolings)
        for pooling in features.poolings:
            columns = sp.csc_array(features.make(pooling))
            for aim, choice in track(list(zip(group, picked, strict=True)), "beyond the best token"):
                same = pl.col("pooling").eq_missing(pl.lit(pooling, pl.String))
                chosen = table.filter(pl.col("selected") & is_of(aim) & same)
                if len(chosen) and choice is not None:
                    token = sp.csc_array(values.make(choice[1]))[:, [choice[0]]].toarray().ravel()
                    parts.append(
                        _beyond(bench, test, aim, columns[:, chosen["feature"].to_numpy()], token, chosen["at"])
                    )
    empty = pl.DataFrame(schema={"at": pl.UInt32, **dict.fromkeys(COLUMNS, pl.Float64)})
    found = pl.concat([empty, *parts])
    return table.join(found, on="at", how="left", maintain_order="left").drop("at")


def _beyond(
    bench: Bench, here: Units, aim: Target, values: sp.csc_array, token: np.ndarray, at: pl.Series
) -> pl.DataFrame:
    z = bench.confounders.of(here.unit)[here.chosen]
    z = np.column_stack([z, rank_excess(token[:, None]).excess, token > 0])
    found = beyond(here, [aim], rank_excess(values), z, 1)
    ends = [steps(found, i) for i in range(len(at))]
    columns = (found.effect[:, 0], [low for low, _ in ends], [high for _, high in ends])
    table = pl.DataFrame(
        {"at": at, **dict(zip(COLUMNS, columns, strict=True))}, schema_overrides=dict.fromkeys(COLUMNS, pl.Float64)
    )
    return table.with_columns(pl.col(COLUMNS).fill_nan(None))
