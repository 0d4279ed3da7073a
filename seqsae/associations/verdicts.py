"""The verdict on each pair of feature and covariate, by stated rules over columns that stand beside it in the table.

All rules look in the direction s that the pair had on the select split; d is the smallest effect of interest, on the scale of the crude
effect (distance of the AUROC from 1/2, or rho) or of the adjusted one (log odds or log hazard ratio for a standard deviation of the
feature's ranks, or partial rho). In this order, the first that holds:

not-selected      q on the select split is above the level
not-replicated    the test split shows less than d in that direction, crudely and adjusted (intervals wholly below it)
confounded        the crude effect replicates, and the adjusted interval lies within (-d, d), nearly all units having all confounders
inconclusive      features may count what came after the follow-up of a survival covariate began; or the adjusted effect does not
                  replicate, or is smaller than d: too little power for any other word
token-readout     beyond the best tokens the interval lies within (-d, d); or one of them does at least as well, and tells the covariate
                  outright or leaves less than d, or an interval that reaches to 0
position-readout  of rows: where they stand does at least as well
inconclusive      beyond the best tokens the interval reaches to 0
confounded        as above, the interval being that beyond products of the confounders
inconclusive      beyond products of the confounders the interval reaches to 0, the effect is smaller than d, or no fit is found
unstable          fewer than two thirds of the SAE seeds repeat it
supported         all else

The best tokens are the single token, the last token of a family of codes and the two tokens side by side that say most of the
covariate on select, and the feature's own, at which it fires most; what is beyond them is beyond all at once. One of the rivals may
be stronger than a feature only because the covariate has several causes: so it counts against a feature of which it leaves nothing.
It tells the covariate outright if its own effect is within OUTRIGHT of the largest there is: then nothing is left to tell beyond it.

An effect *replicates* if its Holm-corrected p on the test split is at most 0.05 and its interval excludes 0 in that direction.
"""

import polars as pl

LEVEL = 0.05
SEEDS = 2 / 3
OUTRIGHT = 0.02  # of the whole way from no tie to a perfect one
COMPLETE = 0.9  # of the units; with fewer adjusted, the crude tie may lie in those that were left out

VERDICTS = (
    "supported", "unstable", "token-readout", "position-readout", "confounded", "inconclusive", "not-replicated", "not-selected",
)  # fmt: skip


def verdicts(table: pl.DataFrame, smallest: float, smallest_adjusted: float) -> pl.Series:
    """[pairs] the verdict of each.

    Args:
        table: `selected`; `direction` (1 or -1, on select); `effect`, `ci_low`, `ci_high`, `p_test_holm`, all of these again as
            `..._adjusted`; `effect_name`; `rival_token` and `rival_position` (the baseline's effect, null without one);
            `effect_given_token` and `effect_given_products` with intervals (null where there are none); `n`, `n_adjusted`;
            `looks_ahead`; `lost_in_products`, whether there is no fit with them; `replicated_seeds`, `n_seeds` (null if one seed).
        smallest, smallest_adjusted: d on either scale.
    """
    s = pl.col("direction")
    centre = pl.when(pl.col("effect_name") == "spearman").then(0.0).otherwise(0.5)
    crude = _along(s, "", centre)
    beyond, given, products = (_along(s, f"_{name}") for name in ("adjusted", "given_token", "given_products"))
    complete = pl.col("n_adjusted") >= COMPLETE * pl.col("n")
    crude_holds = _replicates(crude, pl.col("p_test_holm"))
    holds = _replicates(beyond, pl.col("p_test_adjusted_holm")) & (beyond["effect"] >= smallest_adjusted)
    size = (pl.col("effect") - centre).abs()
    says_more = ((given["low"] > 0) & (given["effect"] >= smallest_adjusted)).fill_null(False)
    outright = pl.col("rival_token") >= (1 - OUTRIGHT) * (1 - centre)
    in_products = (products["low"] > 0) & (products["effect"] >= smallest_adjusted) & ~pl.col("lost_in_products")
    rules = [
        (~pl.col("selected"), "not-selected"),
        ((crude["high"] < smallest) & (beyond["high"] < smallest_adjusted), "not-replicated"),
        (crude_holds & _within(beyond, smallest_adjusted) & complete, "confounded"),
        (pl.col("looks_ahead"), "inconclusive"),
        (~holds.fill_null(False), "inconclusive"),
        (_within(given, smallest_adjusted), "token-readout"),
        ((size <= pl.col("rival_token")) & (outright | ~says_more), "token-readout"),
        (size <= pl.col("rival_position"), "position-readout"),
        (given["low"] <= 0, "inconclusive"),
        (crude_holds & _within(products, smallest_adjusted) & complete, "confounded"),
        (~in_products, "inconclusive"),
        (pl.col("replicated_seeds") < SEEDS * pl.col("n_seeds"), "unstable"),
    ]
    verdict = pl.lit("supported")
    for rule, name in reversed(rules):  # the first that holds is put on last; what is not known is no reason
        verdict = pl.when(rule.fill_null(False)).then(pl.lit(name)).otherwise(verdict)
    return table.select(verdict=verdict)["verdict"]


def _along(s: pl.Expr, suffix: str, centre: pl.Expr | float = 0.0) -> dict[str, pl.Expr]:
    """Effect and interval, as distances from none in the direction s."""
    low, high = (s * (pl.col(f"{end}{suffix}") - centre) for end in ("ci_low", "ci_high"))
    return {
        "effect": s * (pl.col(f"effect{suffix}") - centre),
        "low": pl.when(low <= high).then(low).otherwise(high),
        "high": pl.when(low <= high).then(high).otherwise(low),
    }


def _replicates(along: dict[str, pl.Expr], p: pl.Expr) -> pl.Expr:
    return (p <= LEVEL) & (along["low"] > 0)


def _within(along: dict[str, pl.Expr], smallest: float) -> pl.Expr:
    return (along["low"] > -smallest) & (along["high"] < smallest)
