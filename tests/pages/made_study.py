"""Made-up tables of what a run says of itself and of covariates: controls, diagnostics, omnibus tests, curves."""

import numpy as np
import polars as pl

from seqsae import schema


def table(name: str, rows: list[dict]) -> pl.DataFrame:
    return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), name, "made up")


def controls(supported: int = 0, found: bool = True) -> pl.DataFrame:
    """A coin with so many supported features, and a planted label that is found or not."""
    coin = {
        "control": "coin of the cluster",
        "kind": "negative",
        "feature": None,
        "selected": 3,
        "supported": supported,
    }
    planted = {"control": "planted", "kind": "positive", "feature": 4, "selected": 9, "supported": 2}
    return table("controls", [coin | {"as_expected": supported == 0}, planted | {"as_expected": found}])


def diagnostics(pairs: list[tuple]) -> pl.DataFrame:
    """Inflation 4 crude and 1.5 beyond the confounders, of each pair and pooling."""
    return table("diagnostics", [
        {
            "covariate": covariate, "category": category, "unit": "subject", "pooling": pooling, "n_features": 42,
            "n_permutations": 200, "null_95": 0.08, "inflation": 4.0, "inflation_adjusted": 1.5,
        }
        for covariate, category, *_ in pairs for pooling in ("rate", "max")
    ])  # fmt: skip


def omnibus(covariate: str = "region") -> pl.DataFrame:
    """Ten features; 0 and 1 are chosen, 0 differs again on the test split."""
    return table("omnibus", [
        {
            "feature": feature, "covariate": covariate, "pooling": "rate", "n": 600, "n_levels": 3, "epsilon2": 0.2 / (1 + feature),
            "p_select": 0.001, "q_select": 0.01 if feature < 2 else 0.4, "p_test": {0: 0.001, 1: 0.3}.get(feature),
        }
        for feature in range(10)
    ])  # fmt: skip


def curves(
    covariate: str = "death", features: tuple[int, ...] = (0, 2), what: str = "survival", steps: int = 150
) -> pl.DataFrame:
    """Two curves a feature over ten years; those in whom it fires fare worse."""
    rows = []
    for feature in features:
        for fires in (False, True):
            share = np.exp(-np.linspace(0.01, 1.0 if fires else 0.5, steps))
            for step, estimate in enumerate(1 - share if what == "incidence" else share):
                rows.append({
                    "covariate": covariate, "feature": feature, "fires": fires, "what": what, "n": 300, "time": 10 * (step + 1) / steps,
                    "estimate": estimate, "ci_low": max(estimate - 0.05, 0.0), "ci_high": min(estimate + 0.05, 1.0),
                    "at_risk": max(300 - step, 1), "events": 1,
                })  # fmt: skip
    return table("curves", rows)


def followed(associations: pl.DataFrame, covariate: str = "death") -> pl.DataFrame:
    """The associations with rows of a survival covariate made from those of the first one."""
    first = associations.filter(pl.col("covariate") == associations["covariate"][0])
    hazard = pl.lit("log hazard ratio")
    made = first.with_columns(
        covariate=pl.lit(covariate),
        category=pl.lit(None, pl.String),
        kind=pl.lit("survival"),
        effect_name=pl.lit("C-index"),
        adjusted_name=hazard,
    )
    return pl.concat([associations, made])


OPENINGS = [{"stage": "associate"}, {"stage": "concepts"}, {"stage": "associate"}]
