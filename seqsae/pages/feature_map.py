"""The map of features: a brush on it is what filters the feature table."""

import altair as alt

from seqsae.pages.charts import INK, MUTED, spec

# Okabe and Ito's palette without black and without yellow, which is too pale on white; seven hues times four shapes.
HUES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4E9E"]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
NOISE = "#b9c1ca"


def feature_map() -> dict:
    """The spec. The page fills its data sets: `map` (a row a feature), `names` (a row a cluster), `picked` (the
    ringed feature; never empty, as an axis has no ends without rows, but its `shown` may be 0).

    `map` holds x, y, color, shape, size and what the tooltip says; the brush is the signal `brush`.
    """
    brush = alt.selection_interval(
        name="brush", encodings=["x", "y"], zoom=False, mark=alt.BrushConfig(fillOpacity=0.08, stroke=MUTED)
    )
    bare = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    x = alt.X("x:Q", scale=alt.Scale(zero=False, padding=18, nice=False), axis=bare, title=None)
    y = alt.Y("y:Q", scale=alt.Scale(zero=False, padding=18, nice=False), axis=bare, title=None)
    points = (
        alt.Chart(alt.NamedData("map"), name="points")
        .mark_point(filled=True, stroke="white", strokeWidth=0.5, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=alt.Color("color:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            size=alt.Size("size:Q", scale=None),
            opacity=alt.condition(brush, alt.value(0.88), alt.value(0.14)),
            tooltip=[
                alt.Tooltip("name:N", title="feature"),
                alt.Tooltip("token:N", title="commonest token"),
                alt.Tooltip("caption:N", title="fires where"),
                alt.Tooltip("cluster:N"),
                alt.Tooltip("firing:N", title="firing rate"),
                alt.Tooltip("tie:N", title="associated with"),
            ],
        )
        .add_params(brush)
    )
    ring = (
        alt.Chart(alt.NamedData("picked"))
        .mark_point(size=330, stroke=INK, strokeWidth=2.5, shape="circle", fill=None)
        .encode(x=x, y=y, opacity=alt.Opacity("shown:Q", scale=None))
    )
    halo = alt.Chart(alt.NamedData("names")).encode(x=x, y=y, text="text:N")
    names = {"fontSize": 12, "fontWeight": 600, "dy": -14, "limit": 190}
    behind = halo.mark_text(stroke="white", strokeWidth=4, strokeJoin="round", opacity=0.85, **names)
    front = halo.mark_text(color=INK, **names)
    return spec(alt.layer(points, ring, behind, front).properties(width="container", height=480))
