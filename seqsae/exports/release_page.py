"""The page of a release: one offline file, drawn from SafeTables alone."""

from functools import cache
from html import escape

import altair as alt

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.safe import SafeTable
from seqsae.disclosure.told import WORST_FEATURES
from seqsae.exports.leaf import Leaf
from seqsae.pages import offline
from seqsae.pages.charts import INK, TICKS, source_scales, spec
from seqsae.pages.offline import Section
from seqsae.pages.sources import in_order, legend

CARRIED = ("facts", "splits", "features", "tokens", "ngrams", "when", "covariates", "crossed", "associations", "baselines", "survival",
           "persons", "vignettes")  # fmt: skip
"""Data sets that the page holds, as they stand in their tables."""
SCRIPTS = ("dom.js", "table.js", "data.js", "nav.js", "release.js", "release_features.js", "release_main.js")
_HEADINGS = {
    "run": "Study", "associations": "Associations", "worth": "Beside other units", "features": "Features", "survival": "Survival",
    "persons": "Map of persons", "vignettes": "Vignettes", "about": "How it was made safe",
}  # fmt: skip
_NEEDS = {"associations": "associations", "worth": "baselines", "features": "features", "survival": "survival", "persons": "persons",
          "vignettes": "vignettes"}  # fmt: skip


def html(made: list[Leaf], policy: Policy, title: str) -> str:
    """The whole page as text; the same tables give the same bytes."""
    tables = {leaf.id: leaf.table.frame().to_dict(as_series=False) for leaf in made if leaf.id in CARRIED}
    data = {"tables": tables, "charts": _charts(made), "sources": _sources(made), "threshold": policy.min_subjects}
    texts = {"k": f"{policy.min_subjects:,}", "clusters": f"{policy.min_clusters:,}", "base": f"{policy.round_to:,}", "policy": escape(policy.name),
             "few": f"{max(policy.min_subjects, WORST_FEATURES):,}", "tables": ", ".join(f"{leaf.id}.csv" for leaf in made)}  # fmt: skip
    sections = [
        Section(name, heading, offline.filled(f"release_{name}.html", **texts))
        for name, heading in _HEADINGS.items()
        if _NEEDS.get(name) is None or _NEEDS[name] in tables
    ]
    return offline.document(title, sections, data, SCRIPTS, offline.filled("release_banner.html", **texts))


def _sources(made: list[Leaf]) -> dict[str, str]:
    """What the page calls each source of units."""
    names = {row["source"] for leaf in made if leaf.id == "baselines" for row in leaf.table.rows}
    return {one["name"]: one["label"] for one in legend(in_order(names))}


def _charts(made: list[Leaf]) -> dict[str, dict]:
    """Vega-Lite documents by name; the page fills their named data from its tables."""
    there = {leaf.id: leaf.table for leaf in made}
    charts = {"map": _map()}
    if "baselines" in there:
        charts["worth"] = _worth(there["baselines"])
    if "survival" in there:
        charts["survival"] = _survival()
    if "persons" in there:
        charts["persons"] = _persons()
    return charts


def _tips(**titles: str) -> list[alt.Tooltip]:
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


@cache
def _map() -> dict:
    bare = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    place = {name: alt.X if name == "x" else alt.Y for name in ("x", "y")}
    ends = {
        name: kind(f"{name}:Q", scale=alt.Scale(zero=False, padding=18, nice=False), axis=bare, title=None)
        for name, kind in place.items()
    }
    points = (
        alt.Chart(alt.NamedData("rows"), name="points")
        .mark_point(filled=True, stroke="white", strokeWidth=0.6, cursor="pointer", opacity=0.88)
        .encode(
            **ends,
            color=alt.Color("color:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            size=alt.Size("size:Q", scale=None),
            tooltip=[
                alt.Tooltip("name:N", title="feature"),
                alt.Tooltip("tokens:N"),
                alt.Tooltip("subjects:N"),
                alt.Tooltip("tie:N", title="associated with"),
            ],
        )
    )
    ring = (
        alt.Chart(alt.NamedData("picked"))
        .mark_point(size=330, stroke=INK, strokeWidth=2.5, shape="circle", fill=None)
        .encode(**ends)
    )
    return spec(alt.layer(points, ring).properties(width="container", height=430))


def _worth(table: SafeTable) -> dict:
    names = in_order({row["source"] for row in table.rows})
    labels = {(row["covariate"], row["category"], row["unit"]) for row in table.rows}
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, ticks=False, domain=False, grid=True))
    )
    x = alt.X(
        "strength:Q", title="strength on the test split: 0 none, 1 perfect", scale=alt.Scale(domain=[0, 1]), axis=TICKS
    )
    tips = [
        alt.Tooltip("label:N", title="covariate"),
        alt.Tooltip("source:N"),
        alt.Tooltip("told:N", title="effect"),
        alt.Tooltip("n:N", title="subjects, test split"),
    ]
    points = base.mark_point(filled=True, size=90, opacity=0.92).encode(x=x, tooltip=tips, **source_scales(names))
    return spec(points.properties(width="container", height=26 * len(labels)))


@cache
def _survival() -> dict:
    lines = (
        alt.Chart(alt.NamedData("rows"))
        .mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=36, filled=True))
        .encode(
            x=alt.X("time:Q", title="time, in the covariate's own unit", axis=TICKS),
            y=alt.Y("estimate:Q", title=None, scale=alt.Scale(zero=True)),
            color=alt.Color("group:N", title=None, scale=alt.Scale(domain=["fires", "does not fire"], range=["#0072B2", "#E69F00"])),
            tooltip=_tips(group="group", what="what", time="time", estimate="estimate", at_risk="at risk", events="events since the step before"),
        )
    )  # fmt: skip
    document = spec(lines.properties(width=300, height=190).facet(alt.Facet("panel:N", title=None), columns=3))
    document.pop("autosize")
    return document


@cache
def _persons() -> dict:
    bare = alt.Axis(labels=False, ticks=False, domain=False, grid=False)
    cells = (
        alt.Chart(alt.NamedData("rows"))
        .mark_point(shape="M0,-1.15L1,-0.58L1,0.58L0,1.15L-1,0.58L-1,-0.58Z", filled=True, size=230, opacity=1)
        .encode(
            x=alt.X("x:Q", axis=bare, title=None, scale=alt.Scale(zero=False, padding=20)),
            y=alt.Y("y:Q", axis=bare, title=None, scale=alt.Scale(zero=False, padding=20)),
            color=alt.Color("subjects:Q", title="subjects", scale=alt.Scale(scheme="blues")),
            tooltip=[alt.Tooltip("subjects:Q")],
        )
    )
    return spec(cells.properties(width="container", height=430))
