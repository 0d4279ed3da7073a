"""Whether a feature says more than the tokens that say most: its effect beyond the confounders and these tokens."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.baselines import FITTED, as_number, choose
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screening import Bench, by_unit, is_of, steps
from seqsae.associations.screens import beyond
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.sources import FeatureSource
from seqsae.progress import track

COLUMNS = ("effect_given_token", "ci_low_given_token", "ci_high_given_token")


def given_tokens(bench: Bench, aims: list[Target], table: pl.DataFrame, rivals: list[FeatureSource]) -> pl.DataFrame:
    """The table with COLUMNS, of the selected pairs on the test split; null where no rival has anything to say of the target.

    The confounders gain, of each rival, the value of its best unit on select (its ranks) and whether it is there at all; of one that is
    fitted to the target the ranks of its scores. Effects and intervals are to first order.

    Args:
        rivals: the baselines that are tokens.
    """
    table, parts = table.with_row_index("at"), []
    for group in by_unit(aims):
        test = Units(bench.encoded.store, group[0].unit, "test")
        told = _told(bench, rivals, group, test)
        features = test.pooled(bench.encoded, bench.config.poolings)
        for pooling in features.poolings:
            columns = sp.csc_array(features.make(pooling))
            for aim, more in track(list(zip(group, told, strict=True)), "beyond the best tokens"):
                same = pl.col("pooling").eq_missing(pl.lit(pooling, pl.String))
                chosen = table.filter(pl.col("selected") & is_of(aim) & same)
                if len(chosen) and more:
                    values = columns[:, chosen["feature"].to_numpy()]
                    parts.append(_beyond(bench, test, aim, values, more, chosen["at"]))
    empty = pl.DataFrame(schema={"at": pl.UInt32, **dict.fromkeys(COLUMNS, pl.Float64)})
    found = pl.concat([empty, *parts])
    return table.join(found, on="at", how="left", maintain_order="left").drop("at")


def _told(bench: Bench, rivals: list[FeatureSource], group: list[Target], test: Units) -> list[list[np.ndarray]]:
    """For each target the columns [test units] that say what the rivals say of it."""
    select = Units(bench.encoded.store, test.unit, "select")
    told: list[list[np.ndarray]] = [[] for _ in group]
    for rival in rivals:
        if rival.name in FITTED:
            scores = [rival.scores(as_number(aim, select), select, test) for aim in group]
            columns = [[] if x is None else [rank_excess(x[:, None]).excess[:, 0]] for x in scores]
        else:
            columns = _of_units(bench, rival, group, select, test)
        for mine, more in zip(told, columns, strict=True):
            mine += more
    return told


def _of_units(
    bench: Bench, rival: FeatureSource, group: list[Target], select: Units, test: Units
) -> list[list[np.ndarray]]:
    """The ranks of the best unit on select, and whether it is there."""
    picked = choose(select, rival, group, bench.config)
    pooled = test.pooled(rival, bench.config.poolings)
    made = {name: sp.csc_array(pooled.make(name)) for name in {choice[1] for choice in picked if choice is not None}}
    values = [None if one is None else made[one[1]][:, [one[0]]].toarray() for one in picked]
    return [[] if x is None else [rank_excess(x).excess[:, 0], x[:, 0] > 0] for x in values]


def _beyond(  # noqa: PLR0913
    bench: Bench, here: Units, aim: Target, values: sp.csc_array, more: list[np.ndarray], at: pl.Series
) -> pl.DataFrame:
    z = np.column_stack([bench.confounders.of(here.unit)[here.chosen], *more])
    found = beyond(here, [aim], rank_excess(values), z, 1)
    ends = [steps(found, i) for i in range(len(at))]
    columns = (found.effect[:, 0], [low for low, _ in ends], [high for _, high in ends])
    table = pl.DataFrame(
        {"at": at, **dict(zip(COLUMNS, columns, strict=True))}, schema_overrides=dict.fromkeys(COLUMNS, pl.Float64)
    )
    return table.with_columns(pl.col(COLUMNS).fill_nan(None))
