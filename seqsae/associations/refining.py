"""Second look at what matters: the pairs that tell most, or could be held for true, get estimates and intervals refitted in full.

To first order an effect has the variance that it would have were there none. Near no effect that is right. Far from it, and of rare
features above all, it is not: a log odds ratio of one step lies beyond the truth, and its interval beside it.
"""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.baselines import effect_of
from seqsae.associations.refits import refitter
from seqsae.associations.screening import KEYS, Bench, by_unit, is_of
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.associations.verdicts import LEVEL
from seqsae.progress import track

COLUMNS = ("effect", "ci_low", "ci_high", "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted")


def refined(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """The table from `scored` with COLUMNS and `note` of some of its selected pairs refitted on the test split.

    Of each target and pooling the `refits` pairs most telling on select, and all that the test split holds for true crudely or
    beyond the confounders (Holm).
    """
    order = pl.col("p_either").rank("ordinal").over(*KEYS, "pooling", "selected")
    true = pl.min_horizontal("p_test_holm", "p_test_adjusted_holm") <= LEVEL
    wanted = pl.col("selected") & ((order <= bench.config.refits) | true).fill_null(False)
    table = table.with_row_index("at")
    chosen = table.filter(wanted)
    rows = [
        row
        for here, aim, columns, some in of_targets(bench, aims, chosen, "refit")
        for row in _refitted(
            here, aim, columns, some, refitter(aim, here, bench.confounders.of(here.unit)[here.chosen])
        )
    ]
    types = {"at": pl.UInt32, **dict.fromkeys(COLUMNS, pl.Float64), "note": pl.String}
    found = pl.DataFrame(rows, schema=types, orient="row").with_columns(pl.col(COLUMNS).fill_nan(None))
    table = table.join(found.with_columns(there=True), on="at", how="left", suffix="_refit", maintain_order="left")
    names = [*COLUMNS, "note"]
    mended = [pl.when("there").then(f"{name}_refit").otherwise(name).alias(name) for name in names]
    return table.with_columns(mended).drop("at", "there", *[f"{name}_refit" for name in names])


def of_targets(
    bench: Bench, aims: list[Target], chosen: pl.DataFrame, told: str
) -> Iterator[tuple[Units, Target, sp.csc_array, pl.DataFrame]]:
    """(test units, target, features of one pooling, its rows of `chosen`) wherever there are any."""
    for group in by_unit(aims):
        here = Units(bench.encoded.store, group[0].unit, "test")
        pooled = here.pooled(bench.encoded, bench.config.poolings)
        for pooling in pooled.poolings:
            mine = chosen.filter(pl.col("unit") == here.unit, pl.col("pooling").eq_missing(pl.lit(pooling, pl.String)))
            columns = sp.csc_array(pooled.make(pooling)) if len(mine) else None
            for aim in track(group, f"{told} {pooling or 'rows'}") if len(mine) else ():
                if len(some := mine.filter(is_of(aim))):
                    yield here, aim, columns, some


def _refitted(
    here: Units, aim: Target, columns: sp.csc_array, chosen: pl.DataFrame, refit: Callable
) -> Iterator[tuple]:
    for at, feature in chosen.select("at", "feature").iter_rows():
        x = dense(columns, feature)
        crude, (fitted, note) = effect_of(aim, x, here), refit(x)
        yield at, crude.value, crude.ci_low, crude.ci_high, fitted.value, fitted.ci_low, fitted.ci_high, note


def dense(columns: sp.csc_array, feature: int) -> np.ndarray:
    """[units] of one feature."""
    return columns[:, [feature]].toarray().ravel()
