"""Charts of the section on whether the model uses what the SAE says."""

import altair as alt
import polars as pl

from seqsae.pages.charts import INK, MUTED, TICKS, height_of, spec, tips

LEAST, MOST = -0.3, 1.3  # ends of the axis of loss recovered, at the widest
_AGAINST = {"mean": ("against the train mean", "#0072B2", "circle"), "zero": ("against zeros", "#D55E00", "square")}
_METHODS = {
    "gradient_activation": ("gradient times activation", "#E69F00", "square"),
    "integrated_gradients": ("integrated gradients", "#0072B2", "circle"),
}


def recovered_chart(rows: pl.DataFrame) -> dict | None:
    """Loss recovered with its interval by what is put in place, against either ablation; None where it is nowhere defined.

    Args:
        rows: of `used.recovered_rows`.
    """
    found = pl.concat(
        [
            rows.select(
                pl.col("mark").alias("label"), pl.lit(title).alias("against"), pl.col(name).alias("recovered"),
                pl.col(f"{name}_low").alias("low"), pl.col(f"{name}_high").alias("high"), "loss",
            )
            for name, (title, _, _) in _AGAINST.items()
        ]
    ).drop_nulls("recovered")  # fmt: skip
    if found.is_empty():
        return None
    order = [label for label in rows["mark"] if label in set(found["label"])]
    title = "loss recovered"
    x = alt.X("recovered:Q", title=title, scale=_scale(found), axis=TICKS)
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y(
            "label:N", sort=order, title=None, axis=alt.Axis(labelColor=INK, ticks=False, domain=False, labelLimit=150)
        ),
        yOffset=alt.YOffset("against:N", sort=_titles(_AGAINST), scale=alt.Scale(paddingOuter=0.5)),
    )
    marks = _marks("against", _AGAINST)
    ends = {"x": alt.X("low:Q", title=title, scale=_scale(found), axis=TICKS), "x2": "high:Q"}
    bars = base.mark_bar(height=5, cornerRadius=2.5, opacity=0.28).encode(**ends, color=marks["color"].copy())
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        tooltip=tips(("label", "put in place"), ("against", "measured"))
        + tips(("recovered", "recovered"), ("low", "95% from"), ("high", "95% to"), ("loss", "loss"), number=True),
        **marks,
    )
    rule = alt.Chart(alt.NamedData("ends")).mark_rule(color=MUTED, strokeDash=[3, 3])
    rule = rule.encode(x=alt.X("x:Q", title=title, scale=_scale(found), axis=TICKS))
    height = height_of(found["label"], 2)
    document = spec(alt.layer(rule, bars, points).properties(width="container", height=height), found.to_dicts())
    document["datasets"]["ends"] = [{"x": 0}, {"x": 1}]
    return document


def _scale(found: pl.DataFrame) -> alt.Scale:
    """From a little below 0, or the lowest, to a little above 1, or the highest; within LEAST and MOST."""
    seen = [value for name in ("recovered", "low", "high") for value in found[name].drop_nulls()]
    low, high = max(LEAST, min(-0.02, *seen) - 0.01), min(MOST, max(1.02, *seen) + 0.01)
    return alt.Scale(domain=[round(low, 2), round(high, 2)], nice=False, clamp=True)


def attribution_chart(table: pl.DataFrame, objective: str) -> dict | None:
    """What gradients foretell of each feature's ablation over what it does; None with fewer than three features."""
    mine = table.filter(pl.col("objective") == objective)
    if len(mine) < 3:
        return None
    rows = pl.concat(
        [
            mine.select("feature", "ablation", pl.col(name).alias("foretold"), pl.lit(title).alias("method"))
            for name, (title, _, _) in _METHODS.items()
        ]
    )
    values = [*rows["ablation"], *rows["foretold"]]
    ends = {"low": min(values), "high": max(values)}
    x = alt.X("ablation:Q", title="change by ablation", axis=alt.Axis(tickCount=5, format="~r"))
    y = alt.Y("foretold:Q", title="foretold", axis=alt.Axis(tickCount=5, format="~r"))
    line = alt.Chart(alt.NamedData("same")).mark_rule(color=MUTED, strokeDash=[3, 3])
    line = line.encode(x="low:Q", y="low:Q", x2="high:Q", y2="high:Q")
    points = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(filled=True, size=55, opacity=0.85)
        .encode(
            x=x,
            y=y,
            tooltip=[alt.Tooltip("feature:Q", title="feature"), alt.Tooltip("method:N")]
            + [alt.Tooltip(f"{name}:Q", format=".3g") for name in ("ablation", "foretold")],
            **_marks("method", _METHODS),
        )
    )
    document = spec(alt.layer(line, points).properties(width="container", height=220), rows.to_dicts())
    document["datasets"]["same"] = [ends]
    return document


def _titles(kinds: dict) -> list[str]:
    return [title for title, _, _ in kinds.values()]


def _marks(field: str, kinds: dict) -> dict:
    """Colour and shape of a field that holds the titles of `kinds`."""
    titles = _titles(kinds)
    guide = alt.Legend(title=None, columns=1, symbolOpacity=1)
    return {
        "color": alt.Color(
            f"{field}:N", scale=alt.Scale(domain=titles, range=[color for _, color, _ in kinds.values()]), legend=guide
        ),
        "shape": alt.Shape(
            f"{field}:N", scale=alt.Scale(domain=titles, range=[shape for _, _, shape in kinds.values()]), legend=guide
        ),
    }
