"""Which charts a page has, each with its rows: name to Vega-Lite document."""

import polars as pl

from seqsae.pages import charts
from seqsae.pages.content import Content
from seqsae.pages.feature_map import breadth, feature_map
from seqsae.pages.sources import strength
from seqsae.pages.training_charts import density

CURVES = {  # column: heading, what the tooltip says
    "fvu": ("Variance unexplained (FVU)", "fraction of variance unexplained"),
    "l0": ("Active latents a row (L0)", "active latents a row"),
    "dead": ("Share of dead latents", "share of dead latents"),
    "dense": ("Share that fire in over a tenth of rows", "share of dense latents"),
}
DENSITY = "Firing rates of the latents"
BREADTH = (
    "How many, and how often",
    "breadth",
    "To the right: it fires in many people. Up: on many rows of those in whom it fires. Upper left: a state that few are in for long.",
)


def drawings(content: Content, known: pl.DataFrame, found: pl.DataFrame, units: pl.DataFrame) -> dict[str, dict]:
    """Every chart that the content has rows for."""
    drawn = {"map": feature_map()} | ({} if content.portraits is None else {"breadth": breadth()})
    for effect_names, name in ((("AUROC", "C-index"), "worth-auroc"), (("spearman",), "worth-spearman")):
        rows = worth_rows(known, found, units, effect_names)
        if not rows.is_empty():
            there = known.filter(pl.col("label").is_in(rows["label"].implode()))["effect_name"].unique().to_list()
            drawn[name] = charts.worth(rows, [one for one in effect_names if one in there])
    if content.concepts is not None and not content.concepts.is_empty():
        drawn["concepts"] = charts.concepts(concept_rows(content.concepts))
    if content.metrics is not None and not content.metrics.is_empty():
        drawn |= training(content.metrics)
    if content.resplits is not None and not content.resplits.is_empty():
        drawn["resplits"] = charts.resplits(resplit_rows(content.resplits))
    return drawn


def training(metrics: pl.DataFrame) -> dict[str, dict]:
    """A curve for each measure that was taken, and the heatmap of firing rates."""
    taken = {name: title for name, (_, title) in CURVES.items() if metrics.get_column(name, default=_NONE).count()}
    drawn = {f"curve-{name}": charts.curve(metrics, name, title) for name, title in taken.items()}
    rates = density(metrics)
    return drawn if rates is None else {**drawn, "density": rates}


_NONE = pl.Series([], dtype=pl.Float64)


def worth_rows(
    known: pl.DataFrame, found: pl.DataFrame, units: pl.DataFrame, effect_names: tuple[str, ...]
) -> pl.DataFrame:
    """The best unit of each source, for one category a covariate: that of the smallest p on the select split.

    The category is chosen without a look at the test split; covariates are ordered by the SAE's effect.
    """
    smallest = found.group_by("pair").agg(pl.col("p_select").min())
    chosen = (
        known.filter(pl.col("effect_name").is_in(effect_names))
        .join(smallest, on="pair", how="left")
        .sort("p_select", "pair", nulls_last=True)
        .unique(["covariate", "unit"], keep="first", maintain_order=True)
    )
    best = units.filter(pl.col("feature").is_null() | (pl.col("source") == "sae")).drop_nulls("effect")
    rows = best.join(chosen.select("pair", "label", "effect_name"), on="pair").unique(
        ["pair", "source"], keep="first", maintain_order=True
    )
    ours = rows.filter(pl.col("source") == "sae").select("pair", ours=strength())
    sizes = found.filter(pl.col("p_test").is_not_null()).group_by("pair").agg(n=pl.col("n").max())
    return (
        rows.join(ours, on="pair", how="left")
        .sort("ours", "pair", "source", descending=[True, False, False], nulls_last=True)
        .join(sizes, on="pair", how="left", maintain_order="left")
        .select("label", "source", pl.col("baseline").alias("unit_name"), "effect", "ci_low", "ci_high", "n")
    )


def concept_rows(concepts: pl.DataFrame) -> pl.DataFrame:
    """Mean F1, mean F1 of always saying yes, and number of concepts, by level and source."""
    return (
        concepts.group_by("level", "source")
        .agg(f1=pl.col("f1").mean(), trivial=pl.col("trivial_f1").mean(), n=pl.len())
        .sort(
            pl.col("level").replace_strict(_LEVELS, default=len(_LEVELS), return_dtype=pl.Int64),
            "level",
            "source",
        )
    )


_LEVELS = {"token": 0, "spell": 1, "conjunction": 2, "person": 3}


def resplit_rows(resplits: pl.DataFrame) -> pl.DataFrame:
    """Label (the covariate), source, mean over cuts of its best unit's AUROC, and that less and plus one sd.

    The categories of a covariate are averaged within each cut.
    """
    per_cut = resplits.group_by("covariate", "source", "split").agg(pl.col("best").mean())
    mean, sd = pl.col("best").mean(), pl.col("best").std().fill_null(0.0)
    over = per_cut.sort("split").group_by("covariate", "source").agg(mean=mean, low=mean - sd, high=mean + sd)
    return over.rename({"covariate": "label"}).sort("label", "source")


def resplit_differences(resplits: pl.DataFrame) -> pl.DataFrame:
    """For each other source the SAE's best unit less its own, on the same cuts: `source`, `mean`, `sd` over cuts."""
    keys = ["split", "covariate", "category"]
    ours = resplits.filter(pl.col("source") == "sae").select(*keys, ours="best")
    both = resplits.filter(pl.col("source") != "sae").join(ours, on=keys, nulls_equal=True)
    per_cut = both.group_by("source", "split").agg(difference=(pl.col("ours") - pl.col("best")).mean())
    over = per_cut.sort("split").group_by("source").agg(mean=pl.col("difference").mean(), sd=pl.col("difference").std())
    return over.sort("source")
