"""Small charts of what changes from layer to layer."""

from os.path import commonprefix

import altair as alt
import polars as pl

from seqsae.pages.charts import ACCENT, spec, tips

HEADINGS = {  # chart: heading, note
    "layer-fvu": ("Variance unexplained (FVU)", "on held-out rows"),
    "layer-recovered": ("Loss recovered", "against the train mean; bars: 95% interval over clusters"),
    "layer-tokens": ("Token detectors", "share of live features of whose active rows nine tenths hold one token"),
    "layer-concepts": ("Annotated concepts matched", "by one feature, on held-out subjects"),
}
_SCORES = {"concepts": ("token F1", "#0072B2"), "concepts_by_domain": ("F1 per domain", "#E69F00")}
_HEIGHT = 170


def shared_prefix(sites: list[str]) -> str:
    """What all names begin with, up to a dot: `blocks.` of `blocks.0` and `blocks.1`; empty for one site."""
    common = commonprefix(sites) if len(sites) > 1 else ""
    return common[: common.rfind(".") + 1]


def layer_charts(table: pl.DataFrame) -> dict[str, dict]:
    """Chart name to document, for what was measured.

    Args:
        table: schema `layers`, in the model's order.
    """
    cut = len(shared_prefix(table["site"].to_list()))
    rows = table.with_columns(place=pl.col("site").str.slice(cut))
    order = rows["place"].to_list()
    drawn = {
        "layer-fvu": _line(rows, "fvu", "FVU", order, zero=True),
        "layer-recovered": _recovered(rows, order),
        "layer-tokens": _line(rows, "token_detectors", "share of live features", order, zero=True, form="%"),
        "layer-concepts": _concepts(rows, order),
    }
    return {name: chart for name, chart in drawn.items() if chart is not None}


def _base(order: list[str]) -> alt.Chart:
    angle = 0 if max(map(len, order)) <= 4 else -40
    axis = alt.Axis(labelAngle=angle, grid=False, labelLimit=110)
    return alt.Chart(alt.NamedData("rows")).encode(x=alt.X("place:N", sort=order, title="site", axis=axis))


def _point() -> alt.OverlayMarkDef:
    return alt.OverlayMarkDef(size=45, filled=True)


def _line(
    rows: pl.DataFrame, column: str, title: str, order: list[str], zero: bool = False, form: str = "~g"
) -> dict | None:
    """One measure, a point a site."""
    if column not in rows.columns or not rows[column].count():
        return None
    values = rows.select("site", "place", pl.col(column).alias("value")).drop_nulls()
    y = alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=5, format=form), scale=alt.Scale(zero=zero))
    chart = _base(order).mark_line(color=ACCENT, strokeWidth=2, point=_point())
    chart = chart.encode(y=y, tooltip=tips(("site", "site")) + tips(("value", title), number=True))
    return spec(chart.properties(width="container", height=_HEIGHT), values.to_dicts())


def _recovered(rows: pl.DataFrame, order: list[str]) -> dict | None:
    """Loss recovered, each with its interval."""
    if "recovered" not in rows.columns or not rows["recovered"].count():
        return None
    names = ["recovered", *[name for name in ("ci_low", "ci_high") if name in rows.columns]]
    values = rows.select("site", "place", *names).drop_nulls("recovered")
    base = _base(order)
    scale = alt.Scale(zero=False, padding=8)
    y = alt.Y("recovered:Q", title=None, axis=alt.Axis(tickCount=5), scale=scale)
    line = base.mark_line(color=ACCENT, strokeWidth=2, point=_point())
    line = line.encode(
        y=y,
        tooltip=tips(("site", "site"))
        + tips(("recovered", "recovered"), ("ci_low", "95% from"), ("ci_high", "95% to"), number=True),
    )
    layers = [line]
    if len(names) == 3:
        bars = base.mark_rule(color=ACCENT, strokeWidth=5, opacity=0.28)
        layers.insert(0, bars.encode(y=alt.Y("ci_low:Q", title=None, scale=scale), y2="ci_high:Q"))
    return spec(alt.layer(*layers).properties(width="container", height=_HEIGHT), values.to_dicts())


def _concepts(rows: pl.DataFrame, order: list[str]) -> dict | None:
    """Concepts matched by either score."""
    found = {name: told for name, told in _SCORES.items() if name in rows.columns and rows[name].count()}
    if not found:
        return None
    values = pl.concat(
        [rows.select("site", "place", pl.col(name).alias("n"), pl.lit(title).alias("score")) for name, (title, _) in found.items()]
    ).drop_nulls("n")  # fmt: skip
    titles, hues = zip(*found.values(), strict=True)
    scale = alt.Scale(domain=list(titles), range=list(hues))
    chart = (
        _base(order)
        .mark_line(strokeWidth=2, point=_point())
        .encode(
            y=alt.Y("n:Q", title=None, axis=alt.Axis(tickCount=4, tickMinStep=1)),
            color=alt.Color("score:N", scale=scale, sort=list(titles), legend=alt.Legend(title=None)),
            tooltip=tips(("site", "site"), ("score", "score")) + [alt.Tooltip("n:Q", title="concepts matched")],
        )
    )
    return spec(chart.properties(width="container", height=_HEIGHT), values.to_dicts())
