"""The map of features and the scatter of their frequency: a brush on either filters the feature table, and the table dims them."""

import altair as alt
import polars as pl

from seqsae.pages.charts import INK, MUTED, spec
from seqsae.pages.content import Portrayed

# Okabe and Ito's palette without black and without yellow, which is too pale on white; seven hues times four shapes.
HUES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4E9E"]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
NOISE = "#b9c1ca"
LABELLED = 14  # clusters whose names stand on the map
TIPS = [
    alt.Tooltip("name:N", title="feature"),
    alt.Tooltip("token:N", title="commonest token"),
    alt.Tooltip("caption:N", title="fires where"),
    alt.Tooltip("cluster:N"),
    alt.Tooltip("firing:N", title="firing rate"),
    alt.Tooltip("breadth:N", title="subjects"),
    alt.Tooltip("tie:N", title="associated with"),
]


def feature_map() -> dict:
    """The spec. The page fills its data sets: `map` (a row a feature), `names` (a row a cluster), `picked` (the
    ringed feature; never empty, as an axis has no ends without rows, but its `shown` may be 0).

    `map` holds x, y, color, shape, size, `lit` (0 dims it) and what the tooltip says; the brush is the signal `brush`.
    """
    bare = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    x = alt.X("x:Q", scale=alt.Scale(zero=False, padding=18, nice=False), axis=bare, title=None)
    y = alt.Y("y:Q", scale=alt.Scale(zero=False, padding=18, nice=False), axis=bare, title=None)
    halo = alt.Chart(alt.NamedData("names")).encode(x=x, y=y, text="text:N")
    names = {"fontSize": 12, "fontWeight": 600, "dy": -14, "limit": 190}
    behind = halo.mark_text(stroke="white", strokeWidth=4, strokeJoin="round", opacity=0.85, **names)
    front = halo.mark_text(color=INK, **names)
    layers = alt.layer(_points("map", x, y), _ring(x, y), behind, front)
    return _dimmed(spec(layers.properties(width="container", height=480)))


def breadth() -> dict:
    """Share of subjects in whom a feature fires by the share of their rows on which it does; data sets `map` and `picked` as above."""
    few = [one * 10.0**power for power in (-5, -4, -3, -2, -1) for one in (1, 2, 5)] + [1.0]
    axis = {"format": "~%", "values": few, "grid": True}
    scale = alt.Scale(type="log", padding=14, nice=False)
    x = alt.X("x:Q", scale=scale, axis=alt.Axis(**axis), title="share of subjects in whom it fires")
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(**axis), title="mean share of their rows on which it fires")
    layers = alt.layer(_points("map", x, y), _ring(x, y))
    return _dimmed(spec(layers.properties(width="container", height=380)))


def _points(name: str, x: alt.X, y: alt.Y) -> alt.Chart:
    brush = alt.selection_interval(
        name="brush", encodings=["x", "y"], zoom=False, mark=alt.BrushConfig(fillOpacity=0.08, stroke=MUTED)
    )
    marks = alt.Chart(alt.NamedData(name), name="points").mark_point(
        filled=True, stroke="white", strokeWidth=0.5, cursor="pointer"
    )
    look = {
        "color": alt.Color("color:N", scale=None),
        "shape": alt.Shape("shape:N", scale=None),
        "size": alt.Size("size:Q", scale=None),
        "opacity": alt.condition(brush, alt.value(0.88), alt.value(0.12)),
    }
    return marks.encode(x=x, y=y, tooltip=TIPS, **look).add_params(brush)


def _ring(x: alt.X, y: alt.Y) -> alt.Chart:
    ring = alt.Chart(alt.NamedData("picked")).mark_point(
        size=330, stroke=INK, strokeWidth=2.5, shape="circle", fill=None
    )
    return ring.encode(x=x, y=y, opacity=alt.Opacity("shown:Q", scale=None))


def _dimmed(document: dict) -> dict:
    """The spec whose points are full where they are in the brush and the table has them too."""
    condition = document["layer"][0]["encoding"]["opacity"]["condition"]
    condition["test"] = {"and": [{"param": condition.pop("param")}, "datum.lit === 1"]}
    condition.pop("empty", None)
    return document


def filled(charts: dict[str, dict], features: pl.DataFrame, made: Portrayed | None) -> dict[str, dict]:
    """The charts with the rows of map and scatter in them, as the page's script gives them: for a picture."""
    rows = _rows(features)
    placed = rows.filter(pl.col("x").is_not_null())
    found = dict(charts)
    if len(placed):
        names = _names(placed)
        found["map"] = charts["map"] | {
            "datasets": {"map": placed.to_dicts(), "names": names, "picked": [{**names[0], "shown": 0}]}
        }
    if "breadth" in charts and made is not None:
        columns = made.spread.select("feature", x="share_of_subjects", y="share_when_present")
        wide = rows.drop("x", "y").join(columns.filter((pl.col("x") > 0) & (pl.col("y") > 0)), on="feature")
        if len(wide):
            picked = [{**wide.select("x", "y").row(0, named=True), "shown": 0}]
            found["breadth"] = charts["breadth"] | {"datasets": {"map": wide.to_dicts(), "picked": picked}}
    return found


def _rows(features: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("cluster").fill_null(-1)
    drawn = (known >= 0) & (known < len(HUES) * len(SHAPES))
    place = pl.when(drawn).then(known).otherwise(0)
    return features.select(
        "feature", "x", "y", "cluster_label", cluster=known, lit=pl.lit(1),
        color=pl.when(drawn).then((place % len(HUES)).replace_strict(dict(enumerate(HUES)), return_dtype=pl.String)).otherwise(pl.lit(NOISE)),
        shape=pl.when(drawn).then((place // len(HUES)).replace_strict(dict(enumerate(SHAPES)), return_dtype=pl.String)).otherwise(pl.lit(SHAPES[0])),
        size=34 + 90 * pl.col("firing_rate").sqrt().clip(0, 1),
    )  # fmt: skip


def _names(placed: pl.DataFrame) -> list[dict]:
    """A label at the median of each of the larger clusters; one without text where there are none."""
    groups = placed.filter(pl.col("cluster") >= 0).group_by("cluster").agg(
        pl.col("x", "y").median(), text=pl.col("cluster_label").first()
    )  # fmt: skip
    rows = groups.sort("cluster").head(LABELLED).select("x", "y", "text").to_dicts()
    return rows or [{**placed.select("x", "y").row(0, named=True), "text": ""}]
