"""The features that stand nearest to covariates, as the select split has it."""

from collections.abc import Sequence

import polars as pl

from seqsae.errors import SeqsaeError


def leading(table: pl.DataFrame, covariates: Sequence[str]) -> list[int]:
    """The feature of largest effect on the select split for each category of each covariate, each feature once.

    Args:
        table: schema `associations`.
    Raises:
        SeqsaeError: a covariate that is not in the table.
    """
    there = table["covariate"].unique(maintain_order=True).to_list()
    for name in covariates:
        if name not in there:
            raise SeqsaeError(f"covariate {name!r} is tied to no feature; there are {', '.join(there) or 'none'}")
    nothing = pl.when(pl.col("effect_name") == "AUROC").then(0.5).otherwise(0.0)
    scale = pl.when(pl.col("effect_name") == "AUROC").then(2.0).otherwise(1.0)
    mine = table.filter(pl.col("covariate").is_in(covariates), pl.col("effect_select").is_not_null())
    order = mine.select(
        "covariate", "category", "feature", size=((pl.col("effect_select") - nothing) * scale).abs()
    ).sort("size", "feature", descending=[True, False], maintain_order=True)
    best = order.group_by("covariate", "category", maintain_order=True).first()
    return best["feature"].unique(maintain_order=True).to_list()
