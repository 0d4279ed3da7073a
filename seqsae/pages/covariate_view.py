"""The page of one covariate: its leading features with every number of theirs, and behind them all others as points."""

import polars as pl

from seqsae.pages import covariate_charts
from seqsae.pages.compact import coarse, columns
from seqsae.pages.content import Content
from seqsae.pages.reasons import reason, sentences
from seqsae.pages.shorten import shorten

ROWS = 1000
"""Rows with all their numbers on the page, over all pairs; of a pair between FEWEST and MOST."""
FEWEST, MOST = 8, 40
POINTS = 4000
"""Points behind them over all pairs; of a pair between LEAST_POINTS and MOST_POINTS."""
LEAST_POINTS, MOST_POINTS = 40, 300
CARRIED = (
    "pair", "feature", "pooling", "n", "n_positive", "n_adjusted", "n_positive_adjusted", "effect", "ci_low", "ci_high",
    "adjusted_name", "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted", "p_select", "p_select_adjusted", "z_select_adjusted",
    "effect_stratified", "q_select", "q_select_by", "p_test", "p_test_adjusted", "p_test_holm", "p_test_adjusted_holm",
    "effect_given_token", "ci_low_given_token", "ci_high_given_token", "effect_given_products", "ci_low_given_products",
    "ci_high_given_products", "null_95", "replicated_seeds", "n_seeds", "note", "verdict", "reason",
)  # fmt: skip
_POINT = ("pair", "feature", "effect", "effect_adjusted", "q_select", "verdict", "n")


def data(content: Content, known: pl.DataFrame, found: pl.DataFrame) -> dict:
    """What the page's script reads.

    Args:
        known, found: from `tables.pairs` and `tables.tested`.
    """
    rows = leading(content, known, found)
    limits = sentences(content.smallest, content.smallest_adjusted, content.q)
    return {
        "rows": columns(coarse(rows).drop([name for name in rows.columns if rows[name].null_count() == len(rows)])),
        "points": columns(coarse(points(found, rows, len(known)))),
        "reasons": {name: limits[name] for name in sorted(set(rows["reason"]))},
        "counts": columns(counts(found)),
        "omnibus": columns(omnibus(content)),
        "smallest": content.smallest,
        "smallest_adjusted": content.smallest_adjusted,
    }


def leading(content: Content, known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The first features of each pair: supported ones, then by q; with the `reason` of their verdict."""
    most = max(FEWEST, min(MOST, ROWS // max(len(known), 1)))
    order = [pl.col("verdict").eq_missing(pl.lit("supported")).not_(), "q_select", "p_select", "feature"]
    rows = found.sort("pair", *order, nulls_last=True).group_by("pair", maintain_order=True).head(most)
    return rows.with_columns(reason=reason(content.smallest_adjusted)).select(CARRIED)


def points(found: pl.DataFrame, rows: pl.DataFrame, n_pairs: int) -> pl.DataFrame:
    """The other features of each pair: those selected first, then evenly over the features, as many as the page carries."""
    most = max(LEAST_POINTS, min(MOST_POINTS, POINTS // max(n_pairs, 1)))
    others = found.join(rows.select("pair", "feature"), on=["pair", "feature"], how="anti").sort("pair", "feature")
    spread = pl.int_range(pl.len()).over("pair") % (1 + pl.len().over("pair") // most)
    kept = others.sort("pair", pl.col("verdict") == "not-selected", spread, "feature", nulls_last=True)
    return kept.group_by("pair", maintain_order=True).head(most).sort("pair", "feature").select(_POINT)


def counts(found: pl.DataFrame) -> pl.DataFrame:
    """How many features of each pair have which verdict."""
    return found.group_by("pair", "verdict").agg(features=pl.len()).sort("pair", "verdict", nulls_last=True)


def omnibus(content: Content) -> pl.DataFrame:
    """A row a categorical covariate: features that differ between any of its levels, and the one that does most on the test split."""
    table = content.omnibus
    names = {
        "covariate": pl.String,
        "features": pl.UInt32,
        "chosen": pl.UInt32,
        "held": pl.UInt32,
        "n_levels": pl.UInt32,
    }
    shown = {**names, "feature": pl.Int32, "epsilon2": pl.Float64, "p_test": pl.Float64, "n": pl.UInt32}
    if table is None or table.is_empty():
        return pl.DataFrame(schema=shown)
    chosen, best = pl.col("q_select") <= content.q, pl.col("p_test").is_not_null()
    on_test = table.filter(best).sort("epsilon2", "feature", "pooling", descending=[True, False, False])
    first = on_test.unique("covariate", keep="first", maintain_order=True).select(
        "covariate", "feature", "epsilon2", "p_test", "n"
    )
    told = table.group_by("covariate").agg(
        features=pl.col("feature").filter(pl.col("q_select").is_not_null()).n_unique(),
        chosen=pl.col("feature").filter(chosen).n_unique(),
        held=pl.col("feature").filter(chosen & (pl.col("p_test") <= _LEVEL)).n_unique(),
        n_levels=pl.col("n_levels").max(),
    )
    return told.join(first, on="covariate", how="left").sort("covariate").select(list(shown))


_LEVEL = 0.05


def charts(content: Content, known: pl.DataFrame, found: pl.DataFrame) -> dict[str, dict]:
    """Volcano and crude against adjusted, of the first pair; the page puts in the rows of the pair that is looked at."""
    if found.is_empty():
        return {}
    leads = leading(content, known, found)
    behind = pl.concat([leads.select("pair", "feature"), points(found, leads, len(known)).select("pair", "feature")])
    first = int(found["pair"].min())
    label = shorten(known.filter(pl.col("pair") == first)["label"][0])
    mine = found.filter(pl.col("pair") == first)
    shown = mine.join(
        behind.filter(pl.col("pair") == first).select("pair", "feature"), on=["pair", "feature"], how="semi"
    )
    rows = covariate_charts.rows(shown, label)
    return {
        "volcano": covariate_charts.volcano(rows, content.smallest_adjusted),
        "confounding": covariate_charts.confounding(rows, (content.smallest, content.smallest_adjusted)),
    }
