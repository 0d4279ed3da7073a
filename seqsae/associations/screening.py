"""Every feature against every target: chosen on the select split, scored on the test split, crudely and beyond the confounders."""

from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.confounders import Confounders
from seqsae.associations.effects import auroc, spearman
from seqsae.associations.fdr import benjamini_hochberg, holm
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.refits import odds_ratio, partial_spearman
from seqsae.associations.screen import Screen
from seqsae.associations.targets import Target
from seqsae.associations.units import Units, screen_aims
from seqsae.config import AssociateConfig
from seqsae.features.encoding import Encoded
from seqsae.progress import track

Z95 = 1.959963984540054
ADJUSTED = {True: "log odds ratio", False: "partial spearman"}
"""By whether the covariate is binary."""


class Bench(NamedTuple):
    """What is tied to what, and beyond what."""

    encoded: Encoded
    confounders: Confounders
    config: AssociateConfig


class Both(NamedTuple):
    """One test crudely, and one beyond the confounders."""

    crude: Screen
    beyond: Screen


def by_unit(aims: list[Target]) -> list[list[Target]]:
    """Targets grouped by what one observation is."""
    return [group for unit in ("subject", "token") if (group := [aim for aim in aims if aim.unit == unit])]


def screened_table(bench: Bench, aims: list[Target]) -> pl.DataFrame:
    """One row a feature, target and pooling, with effect, n and p on the select split. All `aims` are of one unit."""
    here = Units(bench.encoded.store, aims[0].unit, "select")
    pooled = here.pooled(bench.encoded, bench.config.poolings)
    parts = []
    for pooling in track(pooled.poolings, "screen"):
        both = screened(bench, here, aims, rank_excess(pooled.make(pooling)), bench.config.min_support)
        window = bench.encoded.store.view
        parts += [_screen_rows(aim, pooling, window, j, both) for j, aim in enumerate(aims)]
    return pl.concat(parts)


def screened(bench: Bench, here: Units, aims: list[Target], ranks: RankMatrix, min_support: int) -> Both:
    """Every feature of `ranks` against every aim over these units."""
    y = np.column_stack([aim.y[here.chosen] for aim in aims])
    binary = np.array([aim.is_binary for aim in aims])
    z = bench.confounders.of(here.unit)[here.chosen]
    beyond = screen_adjusted(ranks, y, z, here.cluster, min_support, binary, here.repeats)
    return Both(screen_aims(here, aims, ranks, min_support), beyond)


def _screen_rows(aim: Target, pooling: str | None, window: str, j: int, both: Both) -> pl.DataFrame:
    crude, beyond = both
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
            "n_positive": pl.Series([int(crude.n_positive[j]) if aim.is_binary else None] * width, dtype=pl.UInt32),
            "effect_name": "AUROC" if aim.is_binary else "spearman",
            "effect": pl.Series(crude.effect[:, j]).fill_nan(None),
            "p_select": pl.Series(crude.p[:, j]).fill_nan(None),
            "adjusted_name": ADJUSTED[aim.is_binary],
            "effect_adjusted": pl.Series(beyond.effect[:, j]).fill_nan(None),
            "p_select_adjusted": pl.Series(beyond.p[:, j]).fill_nan(None),
            "z_select_adjusted": pl.Series(beyond.z[:, j]).fill_nan(None),
        }
    )


def with_choice(table: pl.DataFrame, config: AssociateConfig) -> pl.DataFrame:
    """q_select over the whole table, which pairs go on to the test split, and in which direction they lie.

    A pair may be chosen for either of its two tests, at the price of two: p = 2 min(crude, adjusted). So what confounders hide is
    found, and what they feign is followed to the test split and told as such.
    """
    crude, beyond = pl.col("p_select"), pl.col("p_select_adjusted")
    p = table.select(p=(2 * pl.min_horizontal(crude, beyond)).clip(0, 1))["p"]
    q = benjamini_hochberg(p.fill_null(float("nan")).to_numpy())
    nothing = pl.when(pl.col("effect_name") == "AUROC").then(0.5).otherwise(0.0)
    by_beyond = (beyond < crude).fill_null(crude.is_null())
    size = pl.when(by_beyond).then("effect_adjusted").otherwise(pl.col("effect") - nothing)
    return table.with_columns(pl.Series("q_select", q).fill_nan(None)).with_columns(
        (pl.col("q_select") <= config.q).fill_null(False).alias("selected"),
        pl.when(size < 0).then(-1.0).otherwise(1.0).alias("direction"),
        p_either=p,
    )


SCORES = {
    "at": pl.UInt32, "n": pl.UInt32, "n_positive": pl.UInt32, "effect": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
    "p_test": pl.Float64, "effect_adjusted": pl.Float64, "ci_low_adjusted": pl.Float64, "ci_high_adjusted": pl.Float64,
    "p_test_adjusted": pl.Float64, "note": pl.String,
}  # fmt: skip


def scored(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """Effects, intervals, n and p of the selected pairs on the test split, crudely and beyond the confounders."""
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
    kept = ("effect", "effect_adjusted", "n", "n_positive")
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
    features, binary = chosen["feature"].to_numpy(), aim.is_binary
    values = columns[:, features]
    both = screened(bench, here, [aim], rank_excess(values), 1)
    order = np.argsort(chosen["p_either"].to_numpy(), kind="stable")
    refitted = set(order[: bench.config.refits].tolist())
    ends = [_ends(bench, here, aim, values, both, i, i in refitted) for i in range(len(features))]
    names = ("ci_low", "ci_high", "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted", "note")
    return pl.DataFrame(
        {
            "at": chosen["at"],
            "n": [int(both.crude.n[0])] * len(features),
            "n_positive": [int(both.crude.n_positive[0]) if binary else None] * len(features),
            "effect": both.crude.effect[:, 0],
            "p_test": both.crude.p[:, 0],
            "p_test_adjusted": both.beyond.p[:, 0],
            **dict(zip(names, map(list, zip(*ends, strict=True)), strict=True)),
        },
        schema_overrides=SCORES,
        strict=False,
    ).select(list(SCORES)).with_columns(pl.col(pl.Float64).fill_nan(None))  # fmt: skip


def _ends(bench: Bench, here: Units, aim: Target, values: sp.csc_array, both: Both, i: int, refit: bool) -> tuple:
    """(ci_low, ci_high, effect_adjusted, its ci_low and ci_high, note) of feature i."""
    if not refit:
        low, high = steps(both.crude, i, 0.5 if aim.is_binary else 0.0)
        return low, high, both.beyond.effect[i, 0], *steps(both.beyond, i), "intervals to first order"
    y = aim.y[here.chosen]
    counts = np.isfinite(y)
    x, y, cluster = values[:, [i]].toarray().ravel()[counts], y[counts], here.cluster[counts]
    crude = (auroc if aim.is_binary else spearman)(x, y, cluster, test=False)
    z = bench.confounders.of(here.unit)[here.chosen][counts]
    beyond = (odds_ratio if aim.is_binary else partial_spearman)(x, y, z, cluster)
    note = "separated: Firth's estimate" if beyond.separated else None
    return crude.ci_low, crude.ci_high, beyond.value, beyond.ci_low, beyond.ci_high, note


def steps(found: Screen, i: int, nothing: float = 0.0) -> tuple[float, float]:
    """The 95% interval that the standard error of the test gives, to first order: effect - `nothing` over z."""
    effect, z = found.effect[i, 0], found.z[i, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        half = Z95 * np.abs((effect - nothing) / z)
    return effect - half, effect + half
