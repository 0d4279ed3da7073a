"""The charts as altair specs. Small tables go into the spec; the map's rows are put in by the page."""

import altair as alt
import polars as pl

from seqsae.pages.shorten import shorten
from seqsae.pages.sources import in_order, legend

INK, MUTED, GRID, ACCENT = "#1d2733", "#5b6775", "#e6eaef", "#0072B2"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
LANE = 15  # pixels of one lane of marks
LANE_GAP = 20  # pixels between the lanes of one name and those of the next
TICKS = alt.Axis(tickCount=7)


def spec(chart, rows: list[dict] | None = None, name: str = "rows") -> dict:
    """The chart as a Vega-Lite document without addresses in it, with `rows` as its data set `name`."""
    axis = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "gridColor": GRID,
        "domainColor": GRID,
        "tickColor": GRID,
    }
    text = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    document = (
        chart.properties(autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
        .configure(font=FONT, background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(**axis, **text, labelLimit=260, labelPadding=6)
        .configure_legend(**text, labelColor=INK, titleColor=MUTED, orient="top", symbolSize=90)
        .configure_header(labelColor=INK, titleColor=MUTED)
        .to_dict()
    )
    document.pop("$schema", None)
    document.pop("usermeta", None)
    if rows is not None:
        document["datasets"] = {name: rows}
    return document


def source_scales(names: list[str], labels: bool = True) -> dict:
    """Colour and shape encodings of the field `source`, holding the page's labels of `names`."""
    drawn = legend(names)
    domain = [source["label"] for source in drawn]
    guide = alt.Legend(title=None, columns=6) if labels else None
    return {
        "color": alt.Color(
            "source:N",
            scale=alt.Scale(domain=domain, range=[source["color"] for source in drawn]),
            legend=guide,
        ),
        "shape": alt.Shape(
            "source:N",
            scale=alt.Scale(domain=domain, range=[source["shape"] for source in drawn]),
            legend=guide,
        ),
    }


TITLES = {"AUROC": "AUROC", "C-index": "C-index of times", "spearman": "Spearman's ρ"}


def worth(rows: pl.DataFrame, effect_names: list[str]) -> dict:
    """Effect of the best SAE feature with its interval, and in lanes under it what stands beside: see `lane`.

    Args:
        rows: `label`, `source`, `unit_name`, `effect`, `ci_low`, `ci_high`; labels in the order they are drawn.
    """
    names = in_order(set(rows["source"]))
    titles = {source["name"]: source["label"] for source in legend(names)}
    lanes = {name: lane(name) for name in names}
    values = rows.with_columns(
        lane=pl.col("source").replace_strict(lanes, return_dtype=pl.Int64),
        reads=pl.col("source").replace_strict({**_READS, "dense-probe": 10**6}, default=None, return_dtype=pl.Int64),
        source=pl.col("source").replace(titles),
        label=_distinct(rows["label"]),
        unit_name=pl.col("unit_name").map_elements(shorten, return_dtype=pl.String),
    )
    none = 0.0 if "spearman" in effect_names else 0.5
    title = f"{', '.join(TITLES[name] for name in effect_names)} on the test split"
    low, high = _domain(rows, none)
    scale = alt.Scale(domain=[low, high], nice=False, clamp=True)
    x = alt.X("effect:Q", title=title, scale=scale, axis=TICKS)
    axis = alt.Axis(labelColor=INK, ticks=False, domain=False, grid=True, labelLimit=200)
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=axis),
        yOffset=alt.YOffset("lane:O", scale=alt.Scale(domain=list(range(LANES)), paddingOuter=0.5)),
    )
    sae = base.transform_filter("datum.lane === 0")
    ends = {"x": alt.X("ci_low:Q", title=title, scale=scale, axis=TICKS), "x2": "ci_high:Q"}
    interval = sae.mark_bar(height=5, cornerRadius=2.5, color=ACCENT, opacity=0.28).encode(**ends)
    probes = base.transform_filter("datum.reads !== null").mark_line(color="#357FB5", strokeWidth=1.4, opacity=0.6)
    probes = probes.encode(x=x, detail="label:N", order="reads:Q")
    points = base.mark_point(filled=True, opacity=0.95, strokeWidth=2).encode(
        x=x,
        size=alt.condition("datum.lane === 0", alt.value(150), alt.value(70)),
        tooltip=tips(("label", "covariate"), ("source", "source"), ("unit_name", "unit"))
        + tips(("effect", "effect, test split"), ("ci_low", "95% from"), ("ci_high", "95% to"), number=True)
        + [alt.Tooltip("n:Q", title="n, test split", format=",")],
        **source_scales(names),
    )
    zero = alt.Chart(alt.NamedData("none")).mark_rule(color=MUTED, strokeDash=[3, 3])
    zero = zero.encode(x=alt.X("x:Q", title=title, scale=scale, axis=TICKS))
    height = height_of(rows["label"], LANES)
    chart = alt.layer(zero, interval, probes, points).properties(width="container", height=height)
    document = spec(chart, values.to_dicts())
    document["datasets"]["none"] = [{"x": none}]
    return document


LANES = 4
_READS = {"k-sparse-1": 1, "k-sparse-2": 2, "k-sparse-5": 5, "k-sparse-10": 10, "k-sparse-50": 50}
_WITHOUT_MODEL = ("token", "token-seen", "token-last", "token-pair", "position", "composition", "confounders")


def lane(source: str) -> int:
    """0: the SAE's best feature; 1: probes of many units; 2: single units of other bases; 3: what needs no model."""
    if source == "sae":
        return 0
    if source in _READS or source == "dense-probe":
        return 1
    return 3 if source in _WITHOUT_MODEL else 2


def _distinct(labels: pl.Series) -> pl.Series:
    """Labels short enough for an axis, different ones still different."""
    named: dict[str, str] = {}
    for label in labels.unique(maintain_order=True):
        short = shorten(label)
        named[label] = short if short not in named.values() else f"{short} ({len(named) + 1})"
    return labels.replace_strict(named, return_dtype=pl.String)


def height_of(names: pl.Series, lanes: int) -> int:
    """Pixels for `lanes` lanes under each distinct name. (A step size would do, but Vega-Lite warns of it.)"""
    return names.n_unique() * (lanes * LANE + LANE_GAP)


def _domain(rows: pl.DataFrame, none: float) -> tuple[float, float]:
    """Ends of the effect axis: from a little below no association to a little above the largest value."""
    seen = [value for column in ("effect", "ci_low", "ci_high") for value in rows[column].drop_nulls()]
    low = min([none - 0.05, *seen])
    return max(round(low - 0.01, 2), none - 1), min(round(max([none + 0.2, *seen]) + 0.02, 2), 1.0)


def tips(*fields: tuple[str, str], number: bool = False) -> list[alt.Tooltip]:
    """Lines of a tooltip: fields with their titles, numbers at three decimals."""
    if number:
        return [alt.Tooltip(f"{field}:Q", title=title, format=".3f") for field, title in fields]
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields]


def concepts(rows: pl.DataFrame) -> dict:
    """Mean F1 over the concepts of a level, a bar a source, and a tick where always saying yes would stand.

    Args:
        rows: `level`, `source`, `f1`, `trivial`, `n` (concepts).
    """
    names = in_order(set(rows["source"]))
    titles = {source["name"]: source["label"] for source in legend(names)}
    order = [titles[name] for name in names]
    values = rows.with_columns(source=pl.col("source").replace(titles))
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("level:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, ticks=False, domain=False)),
        yOffset=alt.YOffset("source:N", sort=order, scale=alt.Scale(paddingOuter=0.25)),
    )
    bars = base.mark_bar(cornerRadiusEnd=2, height={"band": 0.82}).encode(
        x=alt.X("f1:Q", title="mean F1 on the test split", scale=alt.Scale(domain=[0, 1]), axis=TICKS),
        color=source_scales(names)["color"],
        tooltip=tips(("level", "level"), ("source", "source"))
        + tips(("f1", "mean F1"), ("trivial", "always yes"), number=True)
        + [alt.Tooltip("n:Q", title="concepts")],
    )
    ticks = base.mark_tick(color=INK, thickness=1.5, height={"band": 0.82}).encode(x="trivial:Q")
    height = height_of(rows["level"], len(names))
    return spec(alt.layer(bars, ticks).properties(width="container", height=height), values.to_dicts())


def resplits(rows: pl.DataFrame) -> dict:
    """Mean held-out AUROC of the best unit of each source over random cuts, with one sd either side.

    Args:
        rows: `label`, `source`, `mean`, `low`, `high`.
    """
    names = in_order(set(rows["source"]))
    titles = {source["name"]: source["label"] for source in legend(names)}
    order = [titles[name] for name in names]
    values = rows.with_columns(source=pl.col("source").replace(titles))
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y(
            "label:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelColor=INK, ticks=False, domain=False, grid=True),
        ),
        yOffset=alt.YOffset("source:N", sort=order, scale=alt.Scale(paddingOuter=0.4)),
    )
    scales = source_scales(names)
    x = alt.X(
        "low:Q",
        title="held-out AUROC of the best unit, mean ± sd over cuts",
        scale=alt.Scale(zero=False),
        axis=TICKS,
    )
    bars = base.mark_rule(strokeWidth=2, opacity=0.5).encode(x=x, x2="high:Q", color=scales["color"].copy())
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="mean:Q",
        tooltip=tips(("label", "covariate"), ("source", "source")) + tips(("mean", "mean"), number=True),
        **scales,
    )
    height = height_of(rows["label"], len(names))
    return spec(alt.layer(bars, points).properties(width="container", height=height), values.to_dicts())


def curve(metrics: pl.DataFrame, column: str, title: str) -> dict:
    """One training measure over optimiser steps."""
    rows = metrics.select("step", value=column).drop_nulls().to_dicts()
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_line(color=ACCENT, strokeWidth=2, point=alt.OverlayMarkDef(size=28, filled=True, color=ACCENT))
        .encode(
            x=alt.X("step:Q", title="optimiser steps", axis=alt.Axis(tickCount=5, grid=False)),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=5), scale=alt.Scale(zero=False)),
            tooltip=[alt.Tooltip("step:Q"), alt.Tooltip("value:Q", title=title, format=".4f")],
        )
        .properties(width="container", height=170)
    )
    return spec(chart, rows)
