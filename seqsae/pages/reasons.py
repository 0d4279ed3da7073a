"""Why a pair has its verdict, in words: which of the rules of `associations/verdicts.py` spoke, told from the numbers in the table."""

import polars as pl

from seqsae.associations.judging import LOOKS_AHEAD
from seqsae.associations.verdicts import LEVEL

_SENTENCES = {
    "supported": "Beyond the confounders repeated on the test split, at {a} or more; more than the best tokens and products of confounders say.",
    "supported-few": "Beyond the confounders repeated on the test split, at {a} or more; more than the best tokens say; too few cases for products.",
    "unstable": "It holds in all else, but fewer than two thirds of the SAE's seeds repeat it.",
    "not-selected": "q on the select split is above {q}: it was not looked at on the test split.",
    "not-replicated": "The test split shows less than the smallest effect of interest ({d}; adjusted {a}) in the direction chosen on select.",
    "confounded": "The crude tie is there again, but beyond the confounders less than {a} is left.",
    "confounded-products": "Beyond products of the confounders less than {a} is left.",
    "token-less": "Beyond the best tokens less than {a} is left.",
    "token-rival": "A token does at least as well, and beyond the best tokens nothing sure is left.",
    "position-readout": "Where the rows stand does at least as well.",
    "ahead": "The feature may count what came after follow-up began.",
    "no-fit": "No effect beyond the confounders could be told: see the note.",
    "not-again": "Beyond the confounders it is not repeated on the test split: its Holm-corrected p is above {level}.",
    "reaches": "Beyond the confounders its interval on the test split reaches to 0.",
    "small": "Beyond the confounders it is smaller than the smallest effect of interest ({a}).",
    "turned": "Beyond the confounders it goes the other way than on the select split.",
    "token-reaches": "Beyond the best tokens its interval reaches to 0: it may be the tokens alone.",
    "products-lost": "Beyond products of the confounders there is no fit, or too few cases for one: see the note.",
    "products-reaches": "Beyond products of the confounders its interval reaches to 0.",
    "products-small": "Beyond products of the confounders it is smaller than the smallest effect of interest ({a}).",
    "unknown": "What a verdict needs was not computed.",
}


def sentences(smallest: float, smallest_adjusted: float, q: float) -> dict[str, str]:
    """Reason to a sentence that says it, with the run's own limits in it."""
    told = {"d": f"{smallest:g}", "a": f"{smallest_adjusted:g}", "q": f"{q:g}", "level": f"{LEVEL:g}"}
    return {name: text.format(**told) for name, text in _SENTENCES.items()}


def reason(smallest_adjusted: float) -> pl.Expr:
    """Key of `sentences` for each row of schema `associations`."""
    verdict = pl.col("verdict")
    adjusted, token, products = (
        _tests(name, smallest_adjusted) for name in ("adjusted", "given_token", "given_products")
    )
    rules = [
        (verdict.is_null(), "unknown"),
        (verdict == "confounded", pl.when(adjusted["within"]).then(pl.lit("confounded")).otherwise(pl.lit("confounded-products"))),
        (verdict == "token-readout", pl.when(token["within"]).then(pl.lit("token-less")).otherwise(pl.lit("token-rival"))),
        ((verdict == "supported") & products["missing"], "supported-few"),
        (verdict != "inconclusive", verdict),
        (pl.col("note").str.contains(LOOKS_AHEAD, literal=True), "ahead"),
        (adjusted["missing"], "no-fit"),
        ((pl.col("p_test_adjusted_holm") > LEVEL), "not-again"),
        (adjusted["reaches"], "reaches"),
        (adjusted["small"], "small"),
        (token["reaches"], "token-reaches"),
        (products["missing"] & ~token["missing"], "products-lost"),
        (products["reaches"], "products-reaches"),
        (products["small"], "products-small"),
    ]  # fmt: skip
    told = pl.lit("turned")
    for rule, name in reversed(rules):
        told = pl.when(rule.fill_null(False)).then(pl.lit(name) if isinstance(name, str) else name).otherwise(told)
    return told


def _tests(name: str, smallest: float) -> dict[str, pl.Expr]:
    """What can be said of one effect and its interval, whichever way it goes."""
    effect, low, high = (pl.col(f"{end}_{name}") for end in ("effect", "ci_low", "ci_high"))
    return {
        "missing": effect.is_null(),
        "within": (low > -smallest) & (high < smallest),
        "reaches": (low <= 0) & (high >= 0),
        "small": effect.abs() < smallest,
    }
