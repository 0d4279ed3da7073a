"""The charts of a sweep as altair specs, from the tables of `seqsae.sae.choosing.sweep`."""

import altair as alt
import polars as pl

from seqsae.pages.charts import INK, MUTED, spec

_RAMP = ("#E9A03B", "#D9573F", "#A92E7D", "#5B2A86", "#12245C")  # light to dark: small to large
_KINDS = {"novel": "#D55E00", "reconstruction": "#0072B2", "unclear": "#B9C1CA", "unseen": "#E6EAEF"}
_BIN = 0.05  # width of a bar of cosines


def curves(frontier: pl.DataFrame) -> dict | None:
    """FVU over L0: a line a width through the means over seeds, a point an SAE, the frontier and the recommended one.

    None if no SAE has both numbers.
    """
    points = frontier.filter(pl.col("fvu").is_not_null() & (pl.col("l0") > 0)).with_columns(
        label=pl.format("{}", "width")
    )
    if points.is_empty():
        return None
    means = _means(points)
    layers = _layers(points)
    shown = points.select("name", "label", "seed", "fvu", "l0", "dead", "recommended")
    rows = {
        "points": shown.to_dicts(),
        "means": means.select("label", "fvu", "l0").to_dicts(),
        "edge": means.filter("on_frontier").sort("l0").select("fvu", "l0").to_dicts(),
        "taken": shown.filter("recommended").to_dicts(),
    }
    layers = [layer for layer in layers if rows[layer.data.name]]
    document = spec(alt.layer(*layers).properties(width="container", height=400))
    return document | {"datasets": {name: part for name, part in rows.items() if part}}


def _layers(points: pl.DataFrame) -> list[alt.Chart]:
    x, y = _axes(points)
    color = _widths(points["width"].unique().sort().to_list())
    line = alt.Chart(alt.NamedData("means")).mark_line(strokeWidth=1.5, opacity=0.55)
    dot = alt.Chart(alt.NamedData("points")).mark_point(filled=True, size=55, opacity=0.9)
    edge = alt.Chart(alt.NamedData("edge")).mark_line(color=INK, strokeDash=[5, 4], strokeWidth=1.5)
    ring = alt.Chart(alt.NamedData("taken")).mark_point(size=330, stroke=INK, strokeWidth=2.2, fill=None)
    name = alt.Chart(alt.NamedData("taken")).mark_text(
        dy=-20, fontSize=12, fontWeight=600, color=INK, text="recommended"
    )
    return [
        line.encode(x=x, y=y, color=color),
        edge.encode(x=x, y=y, order=alt.Order("l0:Q")),
        dot.encode(x=x, y=y, color=color, tooltip=_tips()),
        ring.encode(x=x, y=y),
        name.encode(x=x, y=y),
    ]


def _means(points: pl.DataFrame) -> pl.DataFrame:
    """A row for each width and sparsity: means over seeds."""
    return (
        points.group_by("width", "k", "sparsity", "label", maintain_order=True)
        .agg(pl.col("fvu", "l0").mean(), pl.col("on_frontier").first())
        .sort("width", "l0")
    )


def _axes(points: pl.DataFrame) -> tuple[alt.X, alt.Y]:
    domain = [points["l0"].min() / 1.15, points["l0"].max() * 1.15]
    scale = alt.Scale(type="log", base=2, domain=domain, nice=False)
    x = alt.X(
        "l0:Q", title="L0, active latents a row (log scale)", scale=scale, axis=alt.Axis(tickCount=6, format="~g")
    )
    y = alt.Y(
        "fvu:Q", title="FVU on held-out rows", scale=alt.Scale(zero=False, padding=12), axis=alt.Axis(tickCount=6)
    )
    return x, y


def _widths(widths: list[int]) -> alt.Color:
    labels = [str(width) for width in widths]
    scale = alt.Scale(domain=labels, range=ramp(len(labels)))
    return alt.Color("label:N", scale=scale, sort=labels, legend=alt.Legend(title="latents", columns=10))


def ramp(n: int) -> list[str]:
    """n colours from light to dark, evenly spaced on the ramp."""
    stops = [[int(color[place : place + 2], 16) for place in (1, 3, 5)] for color in _RAMP]
    colors = []
    for i in range(n):
        at = 1.0 * (len(stops) - 1) * (i / (n - 1) if n > 1 else 1)
        low = min(int(at), len(stops) - 2)
        mixed = [a + (b - a) * (at - low) for a, b in zip(stops[low], stops[low + 1], strict=True)]
        colors.append("#" + "".join(f"{round(part):02x}" for part in mixed))
    return colors


def _tips() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("name:N", title="SAE"),
        alt.Tooltip("fvu:Q", title="FVU", format=".4f"),
        alt.Tooltip("l0:Q", title="L0", format=".2f"),
        alt.Tooltip("dead:Q", title="dead", format=".1%"),
    ]


def stability(cells: pl.DataFrame, level: str) -> dict | None:
    """Agreement of dictionaries over chance, by width, a line for each sparsity; None if it is known of none.

    Args:
        cells: `frontier.cells` with the column `level`, the sparsity as text, in order.
        level: what the sparsity is called.
    """
    rows = cells.drop_nulls("stability").select("width", "level", "stability", "fvu")
    if rows.is_empty():
        return None
    levels = rows["level"].unique(maintain_order=True).to_list()
    scale = alt.Scale(domain=levels, range=ramp(len(levels)))
    chart = (
        alt.Chart(alt.NamedData("rows"))
        .mark_line(strokeWidth=1.8, point=alt.OverlayMarkDef(size=45, filled=True))
        .encode(
            x=alt.X("width:O", title="latents", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("stability:Q", title="agreement over chance", axis=alt.Axis(tickCount=5)),
            color=alt.Color("level:N", scale=scale, sort=levels, legend=alt.Legend(title=level, columns=8)),
            tooltip=[
                alt.Tooltip("width:O", title="latents"),
                alt.Tooltip("level:N", title=level),
                alt.Tooltip("stability:Q", title="agreement over chance", format=".3f"),
            ],
        )
        .properties(width="container", height=240)
    )
    return spec(chart, rows.to_dicts())


def cosines(stitching: pl.DataFrame, threshold: float) -> dict:
    """Latents of the larger SAE of one pair by their largest cosine with the smaller's, by kind."""
    bins = (
        stitching.with_columns(low=((pl.col("cosine") + 1e-9) / _BIN).floor() * _BIN)
        .group_by("low", "kind")
        .agg(n=pl.len())
        .sort("low", "kind")
        .with_columns(high=pl.col("low") + _BIN, order=pl.col("kind").replace_strict(_ORDER, return_dtype=pl.Int64))
    )
    seen = [kind for kind in _KINDS if kind in set(bins["kind"])]
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=seen, range=[_KINDS[kind] for kind in seen]),
        sort=seen,
        legend=alt.Legend(title=None),
    )
    bars = (
        alt.Chart(alt.NamedData("rows"))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X(
                "low:Q",
                bin="binned",
                title="largest cosine with a latent of the smaller",
                axis=alt.Axis(tickCount=6, grid=False),
            ),
            x2="high:Q",
            y=alt.Y("n:Q", title="latents", stack="zero", axis=alt.Axis(tickCount=4)),
            color=color,
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("kind:N"),
                alt.Tooltip("low:Q", title="cosine from", format=".2f"),
                alt.Tooltip("n:Q", title="latents"),
            ],
        )
    )
    rule = alt.Chart(alt.NamedData("rule")).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="low:Q")
    document = spec(alt.layer(bars, rule).properties(width="container", height=170))
    document["datasets"] = {"rows": bins.to_dicts(), "rule": [{"low": threshold}]}
    return document


_ORDER = {kind: place for place, kind in enumerate(_KINDS)}
