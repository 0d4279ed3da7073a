"""Curves of what became of subjects, by whether a feature fires; one feature at a time."""

import altair as alt
import polars as pl

from seqsae.pages.charts import spec

GROUPS = {"fires": "#0072B2", "does not fire": "#8A5A00"}


def followed(curves: pl.DataFrame, unit: str) -> dict:
    """The spec: rows of schema `curves` of one covariate; the signal `shown` is the feature that is drawn, at first the first one.

    Args:
        unit: of the times, in words.
    """
    drawn = curves.with_columns(group=pl.when("fires").then(pl.lit("fires")).otherwise(pl.lit("does not fire")))
    drawn = drawn.select("feature", "group", "n", "time", "estimate", "ci_low", "ci_high", "at_risk", "what")
    incidence = drawn["what"][0] == "incidence"
    started = _started(drawn, 0.0 if incidence else 1.0)
    shown = alt.param(name="shown", value=int(drawn["feature"][0]))
    base = alt.Chart(alt.NamedData("rows")).transform_filter("datum.feature === shown")
    top = alt.Undefined if incidence else 1.0
    y_title = "share with the event" if incidence else "share without the event"
    x = alt.X("time:Q", title=unit, scale=alt.Scale(domainMin=0, nice=False), axis=alt.Axis(tickCount=6, grid=False))
    y = alt.Y(
        "estimate:Q", title=y_title, scale=alt.Scale(domainMin=0, domainMax=top), axis=alt.Axis(format="%", tickCount=5)
    )
    hues = alt.Scale(domain=list(GROUPS), range=list(GROUPS.values()))
    fill = alt.condition("datum.group === 'fires'", *map(alt.value, GROUPS.values()))
    stroke = alt.Stroke("group:N", scale=hues, legend=alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=3))
    dash = alt.StrokeDash(
        "group:N", scale=alt.Scale(domain=list(GROUPS), range=[[1, 0], [6, 3]]), legend=alt.Legend(title=None)
    )
    band = base.mark_area(interpolate="step-after", opacity=0.14).encode(
        x=x, y=alt.Y("ci_low:Q", title=y_title), y2="ci_high:Q", fill=fill, detail="group:N"
    )
    line = base.mark_line(interpolate="step-after", strokeWidth=2.2).encode(x=x, y=y, stroke=stroke, strokeDash=dash)
    tips = [
        alt.Tooltip("group:N", title="the feature"),
        alt.Tooltip("time:Q", title="time", format=".3~g"),
        alt.Tooltip("estimate:Q", title=y_title, format=".1%"),
        alt.Tooltip("ci_low:Q", title="95% from", format=".1%"),
        alt.Tooltip("ci_high:Q", title="95% to", format=".1%"),
        alt.Tooltip("at_risk:Q", title="at risk", format=","),
        alt.Tooltip("n:Q", title="n, test split", format=","),
    ]
    points = base.mark_point(size=90, opacity=0, filled=True).encode(x=x, y=y, tooltip=tips)
    chart = alt.layer(band, line, points).add_params(shown).properties(width="container", height=260)
    return spec(chart, started)


def _started(drawn: pl.DataFrame, at: float) -> list[dict]:
    """The rows, each curve begun at time 0."""
    keys = ["feature", "group"]
    first = drawn.sort(*keys, "time").unique(keys, keep="first", maintain_order=True).filter(pl.col("time") > 0)
    begun = first.with_columns(time=pl.lit(0.0), estimate=pl.lit(at), ci_low=pl.lit(at), ci_high=pl.lit(at))
    return pl.concat([begun, drawn]).drop("what").sort(*keys, "time").to_dicts()
