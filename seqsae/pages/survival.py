"""The section on times to events: curves by whether a feature fires, how many are at risk, and the hazard ratio beside them."""

import math
from html import escape

import numpy as np
import polars as pl

from seqsae.pages import offline
from seqsae.pages.compact import columns
from seqsae.pages.content import Content
from seqsae.pages.parts import Part
from seqsae.pages.shorten import cut, shorten
from seqsae.pages.survival_charts import followed

STEPS = 60  # of a curve on the page, at most
TIMES = 5  # at which the numbers at risk are told
_RATIO = (
    "pooling",
    "n_adjusted",
    "n_positive_adjusted",
    "p_test_adjusted_holm",
    "note",
    "verdict",
    "replicated_seeds",
    "n_seeds",
)


def part(content: Content) -> Part | None:
    """The section; None where no curve was drawn."""
    curves = content.curves
    if curves is None or curves.is_empty():
        return None
    names = curves["covariate"].unique().sort().to_list()
    units = {entry["name"]: str(entry.get("unit") or "the covariate's own unit") for entry in content.covariates}
    thin = thinned(curves)
    drawn = [(name, units.get(name, "time"), thin.filter(pl.col("covariate") == name)) for name in names]
    charts = {f"followed-{at}": followed(rows, shorten(unit, 40)) for at, (_, unit, rows) in enumerate(drawn)}
    panels = "".join(_panel(at, name, unit, rows["what"][0]) for at, (name, unit, rows) in enumerate(drawn))
    data = {"covariates": names, "ratios": columns(ratios(content, curves)), "risk": columns(at_risk(curves))}
    return Part("Times to events", "Survival", offline.filled("survival.html", panels=panels), data, charts)


def _panel(at: int, name: str, unit: str, what: str) -> str:
    note = f"{_HOW[what]}, test split, crude: nothing is held fixed. Bands: 95% intervals. Time in {shorten(unit, 40)}."
    return (
        f'<div class="panel"><h3><bdi>{escape(cut(name))}</bdi></h3><div class="survival" data-covariate="{at}"></div>'
        f'<div class="chart" data-chart="followed-{at}"></div><p class="note">{escape(note)}</p></div>'
    )


_HOW = {
    "survival": "Kaplan-Meier: share without the event",
    "incidence": "Aalen-Johansen: share with the event, others competing",
}


def thinned(curves: pl.DataFrame) -> pl.DataFrame:
    """At most STEPS steps of each curve, the first and the last among them."""
    keys = ["covariate", "feature", "fires"]
    place, size = pl.int_range(pl.len()).over(keys), pl.len().over(keys)
    last_of_its_share = ((place + 1) * STEPS) // size != (place * STEPS) // size
    return curves.sort(*keys, "time").filter((place == 0) | last_of_its_share | (size <= STEPS))


def ratios(content: Content, curves: pl.DataFrame) -> pl.DataFrame:
    """A row a covariate and feature that is drawn, in the order of the curves: its adjusted hazard ratio with the interval.

    Of the feature's poolings a supported one, else that of the smallest adjusted p on the select split, as the curves are chosen.
    """
    drawn = curves.select("covariate", "feature").unique(maintain_order=True).with_row_index("place")
    order = [pl.col("verdict").eq_missing(pl.lit("supported")).not_(), "p_select_adjusted", "pooling"]
    rows = content.associations.sort(*order, nulls_last=True).unique(
        ["covariate", "feature"], keep="first", maintain_order=True
    )
    ratio = {
        f"{name}": pl.col(f"{end}_adjusted").exp()
        for name, end in (("ratio", "effect"), ("low", "ci_low"), ("high", "ci_high"))
    }
    told = drawn.join(
        rows.select("covariate", "feature", *_RATIO, **ratio),
        on=["covariate", "feature"],
        how="left",
        maintain_order="left",
    )
    return told.drop("place")


def at_risk(curves: pl.DataFrame) -> pl.DataFrame:
    """Subjects under observation at TIMES times evenly over each covariate's: at the first step from then on; null after the last."""
    rows = []
    for (covariate,), mine in curves.group_by("covariate", maintain_order=True):
        times = marks(mine["time"].max())
        for (feature, fires), curve in mine.sort("feature", "fires", "time").group_by(
            "feature", "fires", maintain_order=True
        ):
            first = np.searchsorted(curve["time"].to_numpy(), times, side="left")
            known = [curve["at_risk"][int(at)] if at < len(curve) else None for at in first]
            rows.append((covariate, feature, fires, curve["n"][0], int(curve["events"].sum()), times, known))
    types = {
        "covariate": pl.String, "feature": pl.Int32, "fires": pl.Boolean, "n": pl.UInt32, "events": pl.UInt32,
        "times": pl.List(pl.Float64), "at_risk": pl.List(pl.UInt32),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=types, orient="row")


def marks(last: float) -> list[float]:
    """Round times from 0, TIMES of them or a few more, none after the last."""
    if not last > 0:
        return [0.0]
    rough = last / (TIMES - 1)
    scale = 10.0 ** math.floor(math.log10(rough))
    step = max(scale * size for size in (1, 2, 2.5, 5) if size * scale <= rough * (1 + 1e-9))
    return [round(step * number, 12) for number in range(int(last / step * (1 + 1e-12)) + 1)]
