"""The small tables of a concepts stage that a page or a terminal shows."""

import polars as pl

from seqsae.associations.concept_room import Concepts

PATTERNS = ("point", "motif", "periodic", "whole", "rare", "dead")


def summary(made: Concepts) -> dict[str, pl.DataFrame]:
    """`matches` (the headline), `best` (a row a concept and score: F1 of each source's best unit) and `patterns` (features of each kind).

    Without annotations only `patterns` is there.
    """
    found = {"patterns": _patterns(made.patterns)}
    if made.has_annotations:
        found |= {"matches": made.matches, "best": best(made.pairs, made.annotated)}
    return found


def best(pairs: pl.DataFrame, annotated: pl.DataFrame) -> pl.DataFrame:
    """score, covariate, value, best feature and its figures on the test split, then one column a source: the same score of its best unit.

    Concepts by falling score of the best feature. A concept that no unit of a source is ever on for has null there.
    """
    keys = ["score", "covariate", "value"]
    top = pairs.filter("best").with_columns(
        pl.when(pl.col("score") == "f1").then("f1").otherwise("f1_per_domain").alias("test")
    )
    concepts = annotated.filter("kept").select("covariate", "value", "trivial_f1", "n_instances_test")
    table = pairs.select("score").unique().join(concepts, how="cross")
    mine = top.filter(pl.col("source") == "sae")
    figures = ["unit", "threshold", "ci_low", "ci_high", "f1_null", "domain_f1", "auroc"]
    table = table.join(mine.select(*keys, *figures), on=keys, how="left")
    for source in top["source"].unique(maintain_order=True):
        one = top.filter(pl.col("source") == source).select(*keys, pl.col("test").alias(source))
        table = table.join(one, on=keys, how="left")
    order = ["score", *(["sae"] if "sae" in table.columns else []), "covariate", "value"]
    return table.sort(order, descending=[name in ("score", "sae") for name in order], nulls_last=True)


def _patterns(patterns: pl.DataFrame) -> pl.DataFrame:
    """pattern, features, and the medians over them of what tells them apart; every kind in order, counts of 0 too."""
    grouped = patterns.group_by("pattern").agg(
        pl.len().alias("features"),
        pl.col("run_length", "runs_per_sample", "coverage", "period").median(),
    )
    kinds = pl.DataFrame({"pattern": PATTERNS})
    return kinds.join(grouped, on="pattern", how="left", maintain_order="left").with_columns(
        pl.col("features").fill_null(0)
    )
