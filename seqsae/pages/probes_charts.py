"""The charts of probes: a curve over k for each target, losses and coverage by source."""

import altair as alt
import polars as pl

from seqsae.pages.charts import INK, MUTED, TICKS, TITLES, height_of, source_scales, spec, tips
from seqsae.pages.probes_tables import site_of
from seqsae.pages.sources import in_order, legend

HEIGHT = 210
ALL = "all"


def curve(rows: pl.DataFrame, bases: list[str]) -> dict:
    """Effect over the number of units read, a line a basis; `all` is the dense probe.

    A rule where the dense probe on the site stands, dotted where the confounders alone do; the SAE's interval shaded.

    Args:
        rows: of one target, as `probes_tables.named` gives them.
        bases: those of the whole page, so that colours are the same in every panel.
    """
    site = site_of(rows)
    mine = rows.filter(pl.col("basis").is_in(bases) & (pl.col("site").is_null() | (pl.col("site") == site)))
    titles = {source["name"]: source["label"] for source in legend(bases)}
    points = mine.drop_nulls("effect").with_columns(source=pl.col("basis").replace(titles))
    order = [str(k) for k in sorted(rows["k"].drop_nulls().unique())] + [ALL]
    kept = ["source", "basis", "reads", "effect", "ci_low", "ci_high", "gain", "chosen"]
    whole = mine.filter((pl.col("basis") == "neuron") & (pl.col("probe") == "dense"))
    known = rows.filter(pl.col("basis") == "confounders")
    data = {
        "points": points.select(kept).to_dicts(),
        "lines": points.filter(pl.col("reads") != ALL).select(kept).to_dicts(),
        "sae": points.filter((pl.col("basis") == "sae") & (pl.col("reads") != ALL)).select(kept).to_dicts(),
        "whole": whole.drop_nulls("effect").select("effect").to_dicts(),
        "known": known.drop_nulls("effect").select("effect").to_dicts(),
        "nothing": [{"effect": 0.0 if rows["effect_name"][0] == "spearman" else 0.5}],
    }
    layers = [layer for layer in _layers(order, bases, rows["effect_name"][0]) if data[layer.data.name]]
    document = spec(alt.layer(*layers).properties(width="container", height=HEIGHT))
    return document | {"datasets": {name: part for name, part in data.items() if part}}


def _layers(order: list[str], bases: list[str], effect_name: str) -> list[alt.Chart]:
    axis = alt.Axis(labelAngle=0, grid=False)
    x = alt.X("reads:N", sort=order, title="units read", axis=axis, scale=alt.Scale(domain=order))
    scale = alt.Scale(zero=False, padding=8, nice=True)
    y = alt.Y("effect:Q", title=TITLES[effect_name], scale=scale, axis=alt.Axis(tickCount=5))
    colors = source_scales(bases, labels=False)
    rule = {"y": y}
    nothing = alt.Chart(alt.NamedData("nothing")).mark_rule(color="#c5ccd4", strokeWidth=1).encode(**rule)
    whole = alt.Chart(alt.NamedData("whole")).mark_rule(color=INK, strokeWidth=1.4).encode(**rule)
    known = alt.Chart(alt.NamedData("known")).mark_rule(color=MUTED, strokeDash=[2, 3], strokeWidth=1.8).encode(**rule)
    band = alt.Chart(alt.NamedData("sae")).mark_area(color="#0072B2", opacity=0.13)
    band = band.encode(x=x, y=alt.Y("ci_low:Q", title=TITLES[effect_name], scale=scale), y2="ci_high:Q")
    line = alt.Chart(alt.NamedData("lines")).mark_line(strokeWidth=1.8, opacity=0.9)
    line = line.encode(x=x, y=y, color=colors["color"])
    dots = alt.Chart(alt.NamedData("points")).mark_point(filled=True, size=46, opacity=0.95)
    told = tips(("source", "basis"), ("reads", "units read")) + tips(
        ("effect", "effect"),
        ("ci_low", "95% from"),
        ("ci_high", "95% to"),
        ("gain", "gain over confounders"),
        number=True,
    )
    dots = dots.encode(x=x, y=y, **colors, tooltip=[*told, *tips(("chosen", "chosen"))])
    return [band, nothing, whole, known, line, dots]


def losses(rows: pl.DataFrame) -> dict:
    """Share of the entropy that the best single unit saves, a mark a source.

    Args:
        rows: `probes_tables.losses`, concepts in the order they are drawn.
    """
    names = in_order(set(rows["source"]))
    titles = {source["name"]: source["label"] for source in legend(names)}
    values = rows.drop_nulls("saved").with_columns(
        pl.col("source").replace(titles), shown=pl.col("saved").clip(-0.1, 1)
    )
    scale = alt.Scale(domain=[min(0, float(values["shown"].min() or 0)), 1], nice=False)
    x = alt.X(
        "shown:Q",
        title="share of the base rate's entropy saved on the test split",
        scale=scale,
        axis=alt.Axis(format="%", tickCount=7),
    )
    y = alt.Y("concept:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, ticks=False, domain=False, grid=True))
    marks = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(filled=True, size=80, opacity=0.9)
        .encode(
            x=x,
            y=y,
            **source_scales(names),
            tooltip=tips(("concept", "concept"), ("source", "source"), ("best_unit", "unit"))
            + tips(("loss", "loss, nats"), ("entropy", "base rate's"), number=True),
        )
    )
    kept = ["concept", "source", "best_unit", "loss", "entropy", "shown"]
    return spec(
        marks.properties(width="container", height=height_of(values["concept"], 0)), values.select(kept).to_dicts()
    )


def coverage(rows: pl.DataFrame) -> dict:
    """Coverage and reconstruction by source: bars, and a tick where always saying yes would stand.

    Args:
        rows: schema `probe_coverage`, of one set of concepts.
    """
    drawn = legend(in_order(set(rows["source"])))
    order = [one["label"] for one in drawn]
    measures = {
        "coverage": "coverage: mean F1 of the best units",
        "reconstruction": "reconstruction: F1 of the whole state",
    }
    values = rows.with_columns(pl.col("source").replace({one["name"]: one["label"] for one in drawn})).unpivot(
        list(measures), index=["source", "coverage_trivial"], variable_name="measure", value_name="f1"
    )
    values = values.with_columns(
        trivial=pl.when(pl.col("measure") == "coverage").then("coverage_trivial"),
        measure=pl.col("measure").replace(measures),
    )
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y(
            "measure:N",
            sort=list(measures.values()),
            title=None,
            axis=alt.Axis(labelColor=INK, ticks=False, domain=False),
        ),
        yOffset=alt.YOffset("source:N", sort=order, scale=alt.Scale(paddingOuter=0.25)),
    )
    scale = alt.Scale(domain=order, range=[one["color"] for one in drawn])
    bars = base.mark_bar(cornerRadiusEnd=2, height={"band": 0.82}).encode(
        x=alt.X("f1:Q", title="F1 on the test split", scale=alt.Scale(domain=[0, 1]), axis=TICKS),
        color=alt.Color("source:N", scale=scale, sort=order, legend=alt.Legend(title=None, columns=9)),
        tooltip=tips(("source", "source"), ("measure", "measure"))
        + tips(("f1", "F1"), ("coverage_trivial", "calling every row"), number=True),
    )
    ticks = base.mark_tick(color=INK, thickness=1.5, height={"band": 0.82}).encode(x="trivial:Q")
    chart = alt.layer(bars, ticks).properties(width="container", height=height_of(values["measure"], len(order)))
    return spec(chart, values.to_dicts())
