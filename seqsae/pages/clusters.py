"""The section on the map's clusters: what the map is worth, what each cluster is called after, and what it is associated with."""

from html import escape

import altair as alt
import polars as pl

from seqsae.maps import quality_words
from seqsae.pages import markup, offline
from seqsae.pages.charts import ACCENT, spec
from seqsae.pages.content import Content, Mapped
from seqsae.pages.parts import Part
from seqsae.pages.shorten import cut, shorten

GREY = "#8C8C8C"
KINDS = {
    "decoder": "this map", "seed": "other seeds", "random": "random directions", "covariance": "random, same covariance",
}  # fmt: skip
MEASURES = {
    "map-trustworthiness": ("trustworthiness", "Neighbours on the map that are neighbours in the decoder"),
    "map-persistence": ("persistence", "How firm its clusters are"),
}
SHOWN = 60  # cells of clusters and covariates; all of them stand in the table
LONG = 120  # letters of a name


def part(content: Content) -> Part | None:
    """The section; None where nothing is known of the map."""
    made = content.mapped
    if made is None or made.quality.is_empty():
        return None
    charts = {name: chart(made.quality, measure) for name, (measure, _) in MEASURES.items()}
    panels = "".join(markup.panel(heading, name) for name, (_, heading) in MEASURES.items())
    said = escape(quality_words.said(made.quality).removeprefix("Map of features: "))
    body = offline.filled(
        "clusters.html", said=f"{said[:1].upper()}{said[1:]}", panels=panels, clusters=_clusters(made),
        ties=_ties(made, content.q), q=f"{content.q:g}",
    )  # fmt: skip
    return Part("Clusters of the map", "Clusters", body, {}, charts)


def chart(quality: pl.DataFrame, measure: str) -> dict:
    """A dot a map: the map itself, the same with other seeds, and maps of random directions."""
    rows = quality.with_columns(
        kind=pl.col("kind").replace(KINDS), value=pl.col(measure).fill_null(0).cast(pl.Float64).round(4)
    )
    rows = rows.select("kind", "draw", "value", "n_features", "n_clusters").to_dicts()
    order = [name for name in KINDS.values() if any(row["kind"] == name for row in rows)]
    colour = alt.condition(alt.datum.kind == KINDS["decoder"], alt.value(ACCENT), alt.value(GREY))
    dots = alt.Chart(alt.NamedData("rows")).mark_point(filled=True, size=80, opacity=0.75)
    dots = dots.encode(
        x=alt.X("value:Q", title=measure, scale=alt.Scale(zero=False, padding=8)),
        y=alt.Y("kind:N", title=None, sort=order),
        color=colour,
        tooltip=[
            alt.Tooltip("kind:N", title="map"), alt.Tooltip("value:Q", title=measure), alt.Tooltip("n_features:Q", title="features"),
            alt.Tooltip("n_clusters:Q", title="clusters"),
        ],
    )  # fmt: skip
    return spec(dots.properties(width="container", height=28 * len(order)), rows)


def _clusters(made: Mapped) -> str:
    """A row a cluster."""
    rows = []
    for row in made.clusters.iter_rows(named=True):
        share = (
            ""
            if row["token"] is None
            else f"{row['token_share']:.1%} of its rows, {row['token_lift']:.1f} times as often"
        )
        covariate = (
            "" if row["covariate"] is None else f"{_name(row['covariate'])} <small>q {row['covariate_q']:.1g}</small>"
        )
        words = "" if row["words"] is None else f"{_name(row['words'])} <small>{row['words_share']:.0%}</small>"
        token = "" if row["token"] is None else f"{_name(row['token'])} <small>{share}</small>"
        rows.append([_name(row["label"]), f"{row['n_features']:,}", token, covariate, words])
    heads = ("cluster", "features", "token that tells most", "most enriched covariate", "phrase of its captions")
    return _table(heads, rows, numbers=(1,))


def _ties(made: Mapped, q: float) -> str:
    """A row a cluster and covariate category that either test finds."""
    found = made.enrichment.filter((pl.col("q") <= q) | (pl.col("q_select") <= q)).sort(
        "q", "q_select", nulls_last=True
    )
    if found.is_empty():
        return f'<p class="note">No cluster is enriched for a covariate at q ≤ {q:g}, nor associated with one by itself.</p>'
    labels, rows = dict(made.clusters.select("cluster", "label").rows()), []
    for row in found.head(SHOWN).iter_rows(named=True):
        covariate = row["covariate"] if row["category"] is None else f"{row['covariate']} = {row['category']}"
        mine = _interval(row, "difference", "ci_low_difference", "ci_high_difference")
        own = _interval(row, "effect_adjusted", "ci_low_adjusted", "ci_high_adjusted")
        own = (
            f'<span title="{escape(row["adjusted_name"])}; n {row["n_test"] or 0:,}, test split">{own}</span>'
            if own
            else ""
        )
        cells = [_name(labels[row["cluster"]]), _name(covariate), f"{row['n_features']:,}", f"{row['n_supported']:,}"]
        rows.append([*cells, mine, _p(row["q"]), own, _p(row["p_test_holm"])])
    heads = (
        "cluster",
        "covariate",
        "features",
        "supported",
        "mean z above others",
        "q",
        "cluster itself, test split",
        "p (Holm)",
    )
    more = f'<p class="note">{len(found) - SHOWN} more in cluster_enrichment.parquet.</p>' if len(found) > SHOWN else ""
    return _table(heads, rows, numbers=(2, 3, 4, 5, 6, 7)) + more


def _interval(row: dict, value: str, low: str, high: str) -> str:
    return "" if row[value] is None else f"{row[value]:.2f} [{row[low]:.2f}, {row[high]:.2f}]"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.1g}"


def _name(text: str) -> str:
    """A name as it is, kept from turning its neighbours round; cut where it is long, the whole in its title."""
    title = f' title="{escape(shorten(text, 2000))}"' if len(text) > LONG else ""
    return f"<bdi{title}>{escape(cut(text, LONG))}</bdi>"


def _table(heads: tuple[str, ...], rows: list[list[str]], numbers: tuple[int, ...]) -> str:
    """The table of cells that are HTML already."""
    plain = ['class="num' if i in numbers else 'class="' for i in range(len(heads))]
    head = "".join(
        f'<th {kind} plain" scope="col">{escape(name)}</th>' for kind, name in zip(plain, heads, strict=True)
    )
    lines = ["".join(f'<td {kind}">{cell}</td>' for kind, cell in zip(plain, row, strict=True)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="panel flush"><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>'
