"""Every feature against every target: chosen on the select split, scored on the test split, crudely and beyond the confounders."""

from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.blocks import in_blocks, joined
from seqsae.associations.chance import Chance
from seqsae.associations.confounders import Confounders
from seqsae.associations.fdr import benjamini_hochberg, benjamini_yekutieli, holm
from seqsae.associations.observations import UNITS
from seqsae.associations.permutation import Plan
from seqsae.associations.ranks import Matrix, RankMatrix, rank_excess
from seqsae.associations.screen import Screen
from seqsae.associations.screens import beyond, crude_screen
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.associations.within_strata import as_column, within_strata
from seqsae.config import AssociateConfig
from seqsae.features.encoding import Encoded
from seqsae.progress import track

Z95 = 1.959963984540054
KEYS = ("covariate", "category", "unit")
"""What says which target a row is of."""
ADJUSTED = {"AUROC": "log odds ratio", "spearman": "partial spearman", "C-index": "log hazard ratio"}
"""By the crude effect."""


class Bench(NamedTuple):
    """What is tied to what, and beyond what."""

    encoded: Encoded
    confounders: Confounders
    config: AssociateConfig
    seed: int = 0


class Both(NamedTuple):
    """One test crudely, and one beyond the confounders."""

    crude: Screen
    beyond: Screen
    alike: tuple[np.ndarray, np.ndarray] | None = None
    """(effect, p) [F, c] within strata."""


def by_unit(aims: list[Target]) -> list[list[Target]]:
    """Targets grouped by what one observation is."""
    return [group for unit in UNITS if (group := [aim for aim in aims if aim.unit == unit])]


def screened_table(bench: Bench, aims: list[Target]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row a feature, target and pooling, with effect, n and p on the select split; and schema `diagnostics`. All `aims` are of one unit."""
    here = Units(bench.encoded.store, aims[0].unit, "select")
    pooled = here.pooled(bench.encoded, bench.config.poolings)
    parts, told = [], []
    window = bench.encoded.store.view
    chance = Chance(here, aims, Plan(bench.config.permutations, bench.seed), bench.confounders.strata(here))
    for pooling in track(pooled.poolings, "screen"):
        both, maxima = _by_blocks(bench, here, aims, pooled.make(pooling), chance)
        told.append(chance.diagnostics(pooling, both.crude, both.beyond, maxima))
        parts += [_screen_rows(aim, pooling, window, j, both) for j, aim in enumerate(aims)]
    return pl.concat(parts), pl.concat(told)


def _by_blocks(
    bench: Bench, here: Units, aims: list[Target], values: Matrix, chance: Chance
) -> tuple[Both, list[np.ndarray]]:
    """The screens of all features, and what chance brings of each block of them."""
    found, maxima = [], []
    for columns in in_blocks(values):
        ranks = rank_excess(columns)
        one = screened(bench, here, aims, ranks, bench.config.min_support)
        maxima.append(chance.maxima(ranks, np.isfinite(one.crude.p)))
        strata = within_strata(bench.confounders, here, aims, columns, bench.config.min_support)
        found.append((one.crude, one.beyond, strata))
    crude, adjusted, strata = zip(*found, strict=True)
    alike = tuple(np.concatenate(part) for part in zip(*strata, strict=True))
    return Both(joined(list(crude)), joined(list(adjusted)), alike), maxima


def screened(bench: Bench, here: Units, aims: list[Target], ranks: RankMatrix, min_support: int) -> Both:
    """Every feature of `ranks` against every aim over these units."""
    z = bench.confounders.of(here.unit)[here.chosen]
    return Both(crude_screen(here, aims, ranks, min_support), beyond(here, aims, ranks, z, min_support))


def _screen_rows(aim: Target, pooling: str | None, window: str, j: int, both: Both) -> pl.DataFrame:
    crude, adjusted, alike = both
    width = len(crude.effect)
    return pl.DataFrame(
        {
            "feature": np.arange(width, dtype=np.int32),
            "covariate": aim.covariate,
            "category": pl.Series([aim.category] * width, dtype=pl.String),
            "unit": aim.unit,
            "kind": aim.kind,
            "window": window,
            "pooling": pl.Series([pooling] * width, dtype=pl.String),
            "n": pl.Series([int(crude.n[j])] * width, dtype=pl.UInt32),
            "n_positive": pl.Series([_positive(aim, crude.n_positive[j])] * width, dtype=pl.UInt32),
            "n_adjusted": pl.Series([int(adjusted.n[j])] * width, dtype=pl.UInt32),
            "n_positive_adjusted": pl.Series([_positive(aim, adjusted.n_positive[j])] * width, dtype=pl.UInt32),
            "effect_name": aim.effect_name,
            "effect": pl.Series(np.full(width, np.nan) if aim.is_survival else crude.effect[:, j]).fill_nan(None),
            "p_select": pl.Series(crude.p[:, j]).fill_nan(None),
            "adjusted_name": ADJUSTED[aim.effect_name],
            "effect_adjusted": pl.Series(adjusted.effect[:, j]).fill_nan(None),
            "p_select_adjusted": pl.Series(adjusted.p[:, j]).fill_nan(None),
            "z_select_adjusted": pl.Series(adjusted.z[:, j]).fill_nan(None),
            "effect_stratified": as_column(alike[0][:, j]),
            "p_select_stratified": as_column(alike[1][:, j]),
        }
    )


def _positive(aim: Target, count: int) -> int | None:
    """Units in the category, or with the event; None for numbers."""
    return int(count) if aim.is_binary or aim.is_survival else None


def with_choice(table: pl.DataFrame, config: AssociateConfig) -> pl.DataFrame:
    """q_select over the whole table, which pairs go on to the test split, and in which direction they lie.

    A pair may be chosen for either of its two tests, at the price of two: p = 2 min(crude, adjusted). So what confounders hide is
    found, and what they feign is followed to the test split and told as such.
    """
    crude, adjusted = pl.col("p_select"), pl.col("p_select_adjusted")
    p = table.select(p=(2 * pl.min_horizontal(crude, adjusted)).clip(0, 1))["p"]
    values = p.fill_null(float("nan")).to_numpy()
    q, q_any = benjamini_hochberg(values), benjamini_yekutieli(values)
    by_beyond = (adjusted < crude).fill_null(crude.is_null()) | pl.col("effect").is_null()
    size = pl.when(by_beyond).then("effect_adjusted").otherwise(pl.col("effect") - nothing())
    return table.with_columns(q_select=as_column(q), q_select_by=as_column(q_any)).with_columns(
        (pl.col("q_select") <= config.q).fill_null(False).alias("selected"),
        pl.when(size < 0).then(-1.0).otherwise(1.0).alias("direction"),
        p_either=p,
    )


def nothing() -> pl.Expr:
    """The crude effect of no tie."""
    return pl.when(pl.col("effect_name") == "spearman").then(0.0).otherwise(0.5)


def noted(more: pl.Expr) -> pl.Expr:
    """`note` with `more` behind it; null where neither has anything to say."""
    both = pl.concat_str("note", more, separator="; ", ignore_nulls=True)
    return pl.when(pl.col("note").is_null() & more.is_null()).then(None).otherwise(both)


COUNTS = ("n", "n_positive", "n_adjusted", "n_positive_adjusted")
SCORES = {
    "at": pl.UInt32, **dict.fromkeys(COUNTS, pl.UInt32), "effect": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
    "p_test": pl.Float64, "effect_adjusted": pl.Float64, "ci_low_adjusted": pl.Float64, "ci_high_adjusted": pl.Float64,
    "p_test_adjusted": pl.Float64, "effect_stratified": pl.Float64, "note": pl.String,
}  # fmt: skip


def scored(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """Effects, intervals (to first order), n and p of the selected pairs on the test split, crudely and beyond the confounders."""
    table = table.with_row_index("at")
    scores = []
    for group in by_unit(aims):
        here = Units(bench.encoded.store, group[0].unit, "test")
        pooled = here.pooled(
            bench.encoded, tuple(name for name in table["pooling"].unique(maintain_order=True) if name)
        )
        for pooling in pooled.poolings:
            columns = sp.csc_array(pooled.make(pooling))
            for aim in track(group, f"score {pooling or 'rows'}"):
                chosen = table.filter(
                    pl.col("selected") & is_of(aim) & pl.col("pooling").eq_missing(pl.lit(pooling, pl.String))
                )
                if len(chosen):
                    scores.append(_score_target(bench, here, aim, columns, chosen))
    found = pl.concat(scores) if scores else pl.DataFrame(schema=SCORES)
    kept = ("effect", "effect_adjusted", "effect_stratified", *COUNTS)
    table = table.join(found, on="at", how="left", suffix="_new", maintain_order="left").with_columns(
        *[pl.when("selected").then(f"{name}_new").otherwise(name).alias(name) for name in kept]
    )
    family = {name: holm(table[name].fill_null(float("nan")).to_numpy()) for name in ("p_test", "p_test_adjusted")}
    return table.with_columns(*[pl.Series(f"{name}_holm", p).fill_nan(None) for name, p in family.items()]).drop("at")


def is_of(aim: Target) -> pl.Expr:
    """Rows of one target."""
    return (
        (pl.col("covariate") == aim.covariate)
        & pl.col("category").eq_missing(pl.lit(aim.category, pl.String))
        & (pl.col("unit") == aim.unit)
    )


def _score_target(bench: Bench, here: Units, aim: Target, columns: sp.csc_array, chosen: pl.DataFrame) -> pl.DataFrame:
    features = chosen["feature"].to_numpy()
    values = columns[:, features]
    both = screened(bench, here, [aim], rank_excess(values), 1)
    ends = [_to_first_order(aim, both, i) for i in range(len(features))]
    names = ("effect", "ci_low", "ci_high", "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted", "note")
    return pl.DataFrame(
        {
            "at": chosen["at"],
            "n": [int(both.crude.n[0])] * len(features),
            "n_positive": [_positive(aim, both.crude.n_positive[0])] * len(features),
            "n_adjusted": [int(both.beyond.n[0])] * len(features),
            "n_positive_adjusted": [_positive(aim, both.beyond.n_positive[0])] * len(features),
            "p_test": both.crude.p[:, 0],
            "p_test_adjusted": both.beyond.p[:, 0],
            "effect_stratified": within_strata(bench.confounders, here, [aim], values, 1)[0][:, 0],
            **dict(zip(names, map(list, zip(*ends, strict=True)), strict=True)),
        },
        schema_overrides=SCORES,
        strict=False,
    ).select(list(SCORES)).with_columns(pl.col(pl.Float64).fill_nan(None))  # fmt: skip


def _to_first_order(aim: Target, both: Both, i: int) -> tuple:
    """(effect, ci_low, ci_high, effect_adjusted, its ci_low and ci_high, note) of feature i, from the tests alone."""
    crude = (None,) * 3 if aim.is_survival else (both.crude.effect[i, 0], *steps(both.crude, i, aim.nothing))
    return *crude, both.beyond.effect[i, 0], *steps(both.beyond, i), "intervals to first order"


def steps(found: Screen, i: int, nothing: float = 0.0) -> tuple[float, float]:
    """The 95% interval that the standard error of the test gives, to first order: effect - `nothing` over z."""
    effect, z = found.effect[i, 0], found.z[i, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        half = Z95 * np.abs((effect - nothing) / z)
    return effect - half, effect + half
