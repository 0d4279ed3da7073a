"""The chart of the section on annotated concepts."""

import altair as alt
import polars as pl

from seqsae.pages.charts import INK, height_of, source_scales, spec, tips
from seqsae.pages.sources import in_order, legend

_SCORES = {"f1": "token F1", "f1_per_domain": "F1 per domain"}


def matched_chart(matches: pl.DataFrame) -> dict:
    """Concepts that a unit of each source matches, by either score; a tick: the same with shifted labels.

    Args:
        matches: schema `concept_matches`, not empty.
    """
    names = in_order(set(matches["source"]))
    titles = {source["name"]: source["label"] for source in legend(names)}
    order = [titles[name] for name in names]
    rows = matches.select(
        pl.col("score").replace_strict(_SCORES).alias("level"),
        pl.col("source").replace(titles),
        "concepts_matched", "concepts_beyond", "concepts", "null_concepts",
    )  # fmt: skip
    most = max(1, int(matches["concepts"].max()))
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y(
            "level:N", sort=list(_SCORES.values()), title=None,
            axis=alt.Axis(labelColor=INK, ticks=False, domain=False),
        ),
        yOffset=alt.YOffset("source:N", sort=order, scale=alt.Scale(paddingOuter=0.25)),
    )  # fmt: skip
    bars = base.mark_bar(cornerRadiusEnd=2, height={"band": 0.82}).encode(
        x=alt.X(
            "concepts_matched:Q",
            title=f"concepts matched, of {most:,}",
            scale=alt.Scale(domain=[0, most]),
            axis=alt.Axis(tickCount=7, tickMinStep=1, format="d"),
        ),
        color=source_scales(names, labels=False)["color"],
        tooltip=tips(("level", "score"), ("source", "source"))
        + [alt.Tooltip("concepts_matched:Q", title="matched"), alt.Tooltip("concepts_beyond:Q", title="beyond chance")]
        + tips(("null_concepts", "matched by chance"), number=True),
    )
    ticks = base.mark_tick(color=INK, thickness=1.5, height={"band": 0.82})
    ticks = ticks.transform_filter("datum.null_concepts !== null").encode(x="null_concepts:Q")
    height = height_of(rows["level"], len(names))
    return spec(alt.layer(bars, ticks).properties(width="container", height=height), rows.to_dicts())
