"""The features that stand nearest to covariates, as the select split has it."""

from collections.abc import Sequence

import polars as pl

from seqsae.errors import SeqsaeError


def leading(table: pl.DataFrame, covariates: Sequence[str]) -> list[int]:
    """The feature of smallest p beyond the confounders on the select split, for each category of each covariate; each once.

    Args:
        table: schema `associations`.
    Raises:
        SeqsaeError: a covariate that is not in the table.
    """
    there = table["covariate"].unique(maintain_order=True).to_list()
    for name in covariates:
        if name not in there:
            raise SeqsaeError(f"covariate {name!r} is tied to no feature; there are {', '.join(there) or 'none'}")
    mine = table.filter(pl.col("covariate").is_in(covariates), pl.col("p_select_adjusted").is_not_null())
    size = pl.col("z_select_adjusted").abs()
    order = mine.sort("p_select_adjusted", size, "feature", descending=[False, True, False], maintain_order=True)
    best = order.group_by("covariate", "category", maintain_order=True).first()
    return best["feature"].unique(maintain_order=True).to_list()
