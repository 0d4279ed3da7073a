"""Two charts of one covariate's features: effect by evidence, and crude against adjusted effect."""

import altair as alt
import polars as pl

from seqsae.pages.charts import GRID, MUTED, spec

VERDICTS = {  # verdict: colour (Okabe and Ito), vega shape
    "supported": ("#009E73", "circle"),
    "unstable": ("#56B4E9", "diamond"),
    "token-readout": ("#D55E00", "triangle-up"),
    "position-readout": ("#CC79A7", "triangle-right"),
    "confounded": ("#E69F00", "square"),
    "inconclusive": ("#6d7a88", "cross"),
    "not-replicated": ("#7A4E9E", "triangle-down"),
    "not-selected": ("#c3cad2", "circle"),
}
LARGEST = 60.0
"""-log10 q beyond which a point stands at the edge."""


def rows(found: pl.DataFrame, label: str) -> list[dict]:
    """What the charts draw of rows of one pair, as the page's script makes it too."""
    none = pl.when(pl.col("effect_name") == "spearman").then(0.0).otherwise(0.5)
    small = pl.col("q_select").clip(10**-LARGEST, 1).log10().neg()
    drawn = found.filter(pl.col("verdict").is_not_null(), pl.col("effect_adjusted").is_not_null())
    return drawn.select(
        "feature",
        "verdict",
        "n",
        crude=pl.col("effect") - none,
        adjusted="effect_adjusted",
        evidence=small,
        name=pl.format("#{}", "feature"),
        q=pl.col("q_select"),
        split=pl.when(pl.col("verdict") == "not-selected").then(pl.lit("select split")).otherwise(pl.lit("test split")),
        of=pl.lit(label),
    ).to_dicts()


def volcano(drawn: list[dict], smallest: float) -> dict:
    """Adjusted effect by -log10 q of the select split; shaded: adjusted effects below the smallest of interest."""
    y = alt.Y(
        "evidence:Q",
        title="−log10 q, select split",
        scale=alt.Scale(type="sqrt", domainMin=0, nice=False, padding=6),
        axis=alt.Axis(tickCount=6),
    )
    x = alt.X(
        "adjusted:Q",
        title="effect beyond the confounders",
        scale=alt.Scale(nice=False, padding=14),
        axis=alt.Axis(tickCount=7),
    )
    return _drawn(drawn, x, y, [_band("x", -smallest, smallest)])


def confounding(drawn: list[dict], smallest: tuple[float, float]) -> dict:
    """Crude effect across, adjusted effect up: what lies in the shaded band is gone once the confounders are held fixed."""
    x = alt.X(
        "crude:Q",
        title="crude effect, from no tie",
        scale=alt.Scale(nice=False, padding=14),
        axis=alt.Axis(tickCount=7),
    )
    y = alt.Y(
        "adjusted:Q",
        title="beyond the confounders",
        scale=alt.Scale(nice=False, padding=14),
        axis=alt.Axis(tickCount=6),
    )
    return _drawn(drawn, x, y, [_band("y", -smallest[1], smallest[1])])


def _band(axis: str, low: float, high: float) -> alt.Chart:
    ends = {axis: alt.datum(low), f"{axis}2": alt.datum(high)}
    return alt.Chart(alt.NamedData("none")).mark_rect(color=GRID, opacity=0.75).encode(**ends)


def _drawn(drawn: list[dict], x: alt.X, y: alt.Y, behind: list[alt.Chart]) -> dict:
    names = list(VERDICTS)
    hues, shapes = zip(*VERDICTS.values(), strict=True)
    points = (
        alt.Chart(alt.NamedData("rows"), name="points")
        .mark_point(filled=True, size=62, opacity=0.9, strokeWidth=1.5, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=alt.Color("verdict:N", scale=alt.Scale(domain=names, range=list(hues)), legend=None),
            shape=alt.Shape("verdict:N", scale=alt.Scale(domain=names, range=list(shapes)), legend=None),
            tooltip=[
                alt.Tooltip("name:N", title="feature"),
                alt.Tooltip("of:N", title="covariate"),
                alt.Tooltip("verdict:N"),
                alt.Tooltip("crude:Q", title="crude, from no tie", format=".3f"),
                alt.Tooltip("adjusted:Q", title="beyond confounders", format=".3f"),
                alt.Tooltip("q:Q", title="q, select split", format=".2g"),
                alt.Tooltip("n:Q", title="n", format=","),
                alt.Tooltip("split:N", title="effects on"),
            ],
        )
    )
    lines = [
        alt.Chart(alt.NamedData("none")).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(**{axis: alt.datum(0)})
        for axis in ("x", "y")
    ]
    document = spec(alt.layer(*behind, *lines, points).properties(width="container", height=300), drawn)
    document["datasets"]["none"] = [{}]
    return document
