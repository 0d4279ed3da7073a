"""Every feature against every target: chosen on the select split, scored on the test split."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.effects import Effect, auroc, spearman
from seqsae.associations.fdr import benjamini_hochberg, holm
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.targets import Target
from seqsae.associations.units import Units, screen_aims
from seqsae.config import AssociateConfig
from seqsae.features.encoding import Encoded
from seqsae.progress import track

# Selected features a target whose interval is computed, the most significant ones; the rest have null ends.
INTERVALS = 100


def by_unit(aims: list[Target]) -> list[list[Target]]:
    """Targets grouped by what one observation is."""
    return [group for unit in ("subject", "token") if (group := [aim for aim in aims if aim.unit == unit])]


def screened_table(encoded: Encoded, aims: list[Target], config: AssociateConfig) -> pl.DataFrame:
    """One row a feature, target and pooling, with effect, n and p on the select split. All `aims` are of one unit."""
    here = Units(encoded.store, aims[0].unit, "select")
    pooled = here.pooled(encoded, config.poolings)
    parts = []
    for pooling in pooled.poolings:
        result = screen_aims(here, aims, rank_excess(pooled.make(pooling)), config.min_support)
        parts += [_screen_rows(aim, pooling, encoded.store.view, j, result) for j, aim in enumerate(aims)]
    return pl.concat(parts)


def _screen_rows(aim: Target, pooling: str | None, window: str, j: int, result) -> pl.DataFrame:
    width = len(result.effect)
    return pl.DataFrame(
        {
            "feature": np.arange(width, dtype=np.int32),
            "covariate": aim.covariate,
            "category": pl.Series([aim.category] * width, dtype=pl.String),
            "unit": aim.unit,
            "kind": aim.kind,
            "window": window,
            "pooling": pl.Series([pooling] * width, dtype=pl.String),
            "n": pl.Series([int(result.n[j])] * width, dtype=pl.UInt32),
            "n_positive": pl.Series([int(result.n_positive[j]) if aim.is_binary else None] * width, dtype=pl.UInt32),
            "effect_name": "AUROC" if aim.is_binary else "spearman",
            "effect": pl.Series(result.effect[:, j]).fill_nan(None),
            "p_select": pl.Series(result.p[:, j]).fill_nan(None),
        }
    )


def with_choice(table: pl.DataFrame, config: AssociateConfig) -> pl.DataFrame:
    """q_select over the whole table, and which pairs go on to the test split."""
    q = benjamini_hochberg(table["p_select"].fill_null(float("nan")).to_numpy())
    table = table.with_columns(pl.Series("q_select", q).fill_nan(None))
    return table.with_columns(
        (pl.col("q_select") <= config.q).fill_null(False).alias("selected"), pl.col("effect").alias("effect_select")
    )


def scored(encoded: Encoded, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """Effect, n and p of the selected pairs on the test split, and intervals of the strongest."""
    table = table.with_row_index("at")
    scores = []
    for group in by_unit(aims):
        here = Units(encoded.store, group[0].unit, "test")
        pooled = here.pooled(encoded, tuple(name for name in table["pooling"].unique(maintain_order=True) if name))
        for pooling in pooled.poolings:
            matrix = pooled.make(pooling)
            ranks = rank_excess(matrix)
            columns = matrix.tocsc()
            for aim in track(group, f"score {pooling or 'rows'}"):
                chosen = table.filter(
                    pl.col("selected") & _is(aim) & pl.col("pooling").eq_missing(pl.lit(pooling, pl.String))
                )
                if len(chosen):
                    scores.append(_score_target(here, aim, ranks, columns, chosen))
    empty = {
        "at": pl.UInt32,
        "effect": pl.Float64,
        "p_test": pl.Float64,
        "n": pl.UInt32,
        "n_positive": pl.UInt32,
        "ci_low": pl.Float64,
        "ci_high": pl.Float64,
    }
    found = pl.concat(scores) if scores else pl.DataFrame(schema=empty)
    table = table.join(found, on="at", how="left", suffix="_new", maintain_order="left")
    kept = [
        pl.when("selected").then(f"{name}_new").otherwise(name).alias(name) for name in ("effect", "n", "n_positive")
    ]
    p_holm = holm(table["p_test"].fill_null(float("nan")).to_numpy())
    return table.with_columns(*kept, pl.Series("p_test_holm", p_holm).fill_nan(None)).drop("at")


def _is(aim: Target) -> pl.Expr:
    return (
        (pl.col("covariate") == aim.covariate)
        & pl.col("category").eq_missing(pl.lit(aim.category, pl.String))
        & (pl.col("unit") == aim.unit)
    )


def _score_target(
    here: Units, aim: Target, ranks: RankMatrix, columns: sp.csc_array, chosen: pl.DataFrame
) -> pl.DataFrame:
    y, cluster, binary = aim.y[here.chosen], here.cluster, aim.is_binary
    result = screen_aims(here, [aim], ranks, 1)
    features = chosen["feature"].to_numpy()
    strongest = set(features[np.argsort(chosen["p_select"].to_numpy(), kind="stable")[:INTERVALS]].tolist())
    counts = np.isfinite(y)
    measure = auroc if binary else spearman

    def interval(feature: int) -> Effect | None:
        x = columns[:, [feature]].toarray().ravel()
        return measure(x[counts], y[counts], cluster[counts], test=False) if feature in strongest else None

    effects = [interval(feature) for feature in features.tolist()]
    return pl.DataFrame(
        {
            "at": chosen["at"],
            "effect": pl.Series(result.effect[features, 0]).fill_nan(None),
            "p_test": pl.Series(result.p[features, 0]).fill_nan(None),
            "n": pl.Series([int(result.n[0])] * len(features), dtype=pl.UInt32),
            "n_positive": pl.Series([int(result.n_positive[0]) if binary else None] * len(features), dtype=pl.UInt32),
            "ci_low": _ends(effects, "ci_low"),
            "ci_high": _ends(effects, "ci_high"),
        }
    )


def _ends(effects: list[Effect | None], end: str) -> pl.Series:
    return pl.Series([None if one is None else getattr(one, end) for one in effects], dtype=pl.Float64).fill_nan(None)
