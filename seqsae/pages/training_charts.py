"""The charts of a training: a curve of every measure, and firing rates over time."""

import math

import altair as alt
import polars as pl

from seqsae.pages.charts import MUTED, spec
from seqsae.pages.feature_map import HUES
from seqsae.sae.quality.density import DENSE, EDGES

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])  # every hue with each: 28 SAEs told apart
_STEPS = 60  # columns of a heatmap, at most
_POINTS = 100  # of a line over dimensions, about
_FLOOR = math.log10(EDGES[0]) - 0.25  # lower end of the bin of the rarest latents, log10
_NEVER = (_FLOOR - 0.45, _FLOOR - 0.1)  # where latents that never fire are drawn
_TITLES = {"fvu": "FVU", "l0": "L0"}


def styles(names: list[str]) -> list[dict]:
    """Name, colour and dashes of each SAE."""
    looks = [(color, dash) for dash in DASHES for color in HUES]
    return [
        {"name": name, "color": looks[i % len(looks)][0], "dash": looks[i % len(looks)][1]}
        for i, name in enumerate(names)
    ]


def curves(rows: pl.DataFrame, column: str, drawn: list[dict]) -> dict | None:
    """One measure over optimiser steps, a line an SAE; None if it was never measured.

    Args:
        rows: `sae` (name), `step` and the measure.
        drawn: from `styles`.
    """
    if column not in rows.columns or not rows[column].count():
        return None
    share = column in ("dead", "dense", "dead_heldout")
    known = rows.select("sae", at="step", value=column).drop_nulls()
    low, high = (0.0, max(known["value"].max(), 0.05)) if share else _ends(known["value"])
    low, high = (min(low, 0.95), max(high, 1.05)) if column == "shrinkage" else (low, high)  # hundredths are noise
    x = alt.X("at:Q", title="optimiser steps", axis=alt.Axis(tickCount=5, grid=False, format=",d"))
    y = alt.Y(
        "value:Q",
        title=None,
        axis=alt.Axis(tickCount=5, format="~%" if share else "~g"),
        scale=alt.Scale(domain=[low, high], nice=False),
    )
    tips = [alt.Tooltip("at:Q", title="step", format=",")]
    tips += [alt.Tooltip("value:Q", title=_TITLES.get(column, column), format=".2%" if share else ".4f")]
    line = alt.Chart(alt.NamedData("rows")).mark_line(strokeWidth=1.8, point=alt.OverlayMarkDef(size=18, filled=True))
    return _lines(line.encode(x=x, y=y), known.to_dicts(), drawn, tips)


def _ends(values: pl.Series) -> tuple[float, float]:
    """Ends of an axis that shows all values, with room around them even if all are equal."""
    low, high = values.min(), values.max()
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def cosines(documents: dict[str, dict], kind: str, title: str, drawn: list[dict]) -> dict | None:
    """Share of the latents by cosine, a stepped line an SAE; None without a document.

    Args:
        documents: the part `decoder` of each SAE's quality document.
        kind: "nearest" or "encoder".
    """
    rows = [
        {"sae": name, "at": low, "value": n / max(sum(found[kind]), 1)}
        for name, found in documents.items()
        for low, n in zip(found["edges"], [*found[kind], 0], strict=True)
    ]
    if not rows:
        return None
    x = alt.X("at:Q", title=title, axis=alt.Axis(tickCount=6, grid=False))
    y = alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=4, format="~%"))
    tips = [alt.Tooltip("at:Q", title="from", format=".2f"), alt.Tooltip("value:Q", title="latents", format=".1%")]
    line = alt.Chart(alt.NamedData("rows")).mark_line(strokeWidth=1.8, interpolate="step-after")
    return _lines(line.encode(x=x, y=y), rows, drawn, tips)


def explained(documents: dict[str, list[float | None]], drawn: list[dict]) -> dict | None:
    """Explained variance of the activations' dimensions from the worst to the best, a line an SAE; None without any."""
    rows = []
    for name, values in documents.items():
        known = sorted(value for value in values if value is not None)
        kept = range(0, len(known), max(1, len(known) // _POINTS))
        rows += [{"sae": name, "at": (place + 1) / len(known), "value": max(known[place], -1.0)} for place in kept]
    if not rows:
        return None
    x = alt.X("at:Q", title="dimensions, worst first", axis=alt.Axis(tickCount=5, grid=False, format="~%"))
    y = alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=5, format="~%"))
    tips = [alt.Tooltip("value:Q", title="explained", format=".1%")]
    return _lines(alt.Chart(alt.NamedData("rows")).mark_line(strokeWidth=1.8).encode(x=x, y=y), rows, drawn, tips)


def _lines(chart: alt.Chart, rows: list[dict], drawn: list[dict], tips: list[alt.Tooltip]) -> dict:
    """The chart with each SAE in its look. The signal `picked` names the one that stands out, null for all."""
    names = [look["name"] for look in drawn]
    hues = alt.Scale(domain=names, range=[look["color"] for look in drawn])
    dashes = alt.Scale(domain=names, range=[look["dash"] for look in drawn])
    stands = alt.when("picked === null || datum.sae === picked")
    chart = chart.encode(
        color=alt.Color("sae:N", scale=hues, legend=None),
        strokeDash=alt.StrokeDash("sae:N", scale=dashes, legend=None),
        opacity=stands.then(alt.value(0.95)).otherwise(alt.value(0.1)),
        tooltip=[alt.Tooltip("sae:N", title="SAE"), *tips],
    )
    picked = alt.param(name="picked", value=None)
    return spec(chart.add_params(picked).properties(width="container", height=190), rows)


def density(metrics: pl.DataFrame, largest: float | None = None) -> dict | None:
    """Firing rates of one SAE's latents over training, as a heatmap; None if they were not measured.

    Args:
        metrics: `step` and `density` of one SAE.
        largest: share of latents in the fullest cell of all heatmaps that stand beside it; None: of this one.
    """
    rows = cells(metrics)
    if not rows:
        return None
    top = largest or max(row["share"] for row in rows)
    axis = alt.Axis(
        values=[sum(_NEVER) / 2, *range(-5, 1)],
        labelExpr=f"datum.value < {_FLOOR} ? 'never' : format(pow(10, datum.value), '~%')",
        grid=False,
        ticks=False,
        domain=False,
    )
    scale = alt.Scale(domain=[_NEVER[0], 0], nice=False)
    heat = (
        alt.Chart(alt.NamedData("rows"))
        .mark_rect(strokeWidth=0)
        .encode(
            x=alt.X("from:Q", title="optimiser steps", axis=alt.Axis(tickCount=5, grid=False, format=",d")),
            x2="to:Q",
            y=alt.Y("low:Q", title=None, axis=axis, scale=scale),
            y2="high:Q",
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(type="sqrt", domain=[0, top], range=["#f1f6fa", "#0072B2", "#062b45"]),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("to:Q", title="step", format=","),
                alt.Tooltip("range:N", title="fires in"),
                alt.Tooltip("n:Q", title="latents", format=","),
                alt.Tooltip("share:Q", title="share", format=".1%"),
            ],
        )
    )
    dense = alt.Chart(alt.NamedData("dense")).mark_rule(color=MUTED, strokeDash=[4, 3])
    dense = dense.encode(y=alt.Y("low:Q", axis=axis, scale=scale, title=None))
    document = spec(alt.layer(heat, dense).properties(width="container", height=190), rows)
    document["datasets"]["dense"] = [{"low": math.log10(DENSE)}]
    return document


def cells(metrics: pl.DataFrame) -> list[dict]:
    """The heatmap's cells that hold latents: from step, to step, log10 firing rates, count, share."""
    if "density" not in metrics.columns:
        return []
    known = metrics.select("step", "density").drop_nulls("density").sort("step")
    known = known[:: max(1, -(-len(known) // _STEPS))]
    rows, before = [], 0
    for step, counts in known.iter_rows():
        total = sum(counts)
        rows += [
            {"from": before, "to": step, "low": low, "high": high, "range": named, "n": n, "share": n / total}
            for (low, high, named), n in zip(_BINS, counts, strict=True)
            if n
        ]
        before = step
    return rows


def _bins() -> list[tuple[float, float, str]]:
    """Lower and upper end (log10) and name of each bin of `density.histogram`."""
    ends = [_FLOOR, *(math.log10(edge) for edge in EDGES)]
    names = [f"at most {EDGES[0]:.3%}"]
    names += [f"{low:.2g} to {high:.2g} of rows" for low, high in zip(EDGES[:-1], EDGES[1:], strict=True)]
    return [(*_NEVER, "no row"), *zip(ends[:-1], ends[1:], names, strict=True)]


_BINS = _bins()
