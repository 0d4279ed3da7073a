"""The report's page: what each of its sections holds."""

from pathlib import Path

import polars as pl

from seqsae.pages import (
    annotated,
    captions,
    clusters,
    covariate_view,
    feature_map,
    heatmap,
    layers,
    markup,
    offline,
    portraits,
    seeds,
    survival,
    tables,
    trust,
    used,
    worth,
)
from seqsae.pages.compact import coarse, columns
from seqsae.pages.content import Content
from seqsae.pages.drawing import BREADTH, CURVES, DENSITY, drawings, resplit_differences
from seqsae.pages.parts import Part
from seqsae.pages.sources import in_order, legend

__all__ = ["Content", "render"]

INTERNAL = (
    '<div class="internal"><b>Internal</b> This page shows tokens of individual subjects. '
    "It must not leave the place where the data are kept.</div>"
)
SCRIPTS = (
    "dom.js",
    "table.js",
    "data.js",
    "strip.js",
    "captions.js",
    "model.js",
    "portraits.js",
    "used.js",
    "covariates.js",
    "forest.js",
    "covariate.js",
    "heatmap.js",
    "survival.js",
    "annotated.js",
    "layers.js",
    "features.js",
    "cards.js",
    "charts.js",
    "nav.js",
    "main.js",
)
_SECTIONS = {
    "run": "Run",
    "worth": "Is it worth it?",
    "used": None,
    "covariates": "Covariates",
    "heatmap": None,
    "survival": None,
    "concepts": "Planted concepts",
    "annotated": None,
    "layers": None,
    "seeds": None,
    "features": "Feature map",
    "clusters": None,
    "cards": "Feature cards",
    "training": "Training",
}  # in the page's order; None: a part, which brings its heading if it is there at all
_PARTS = {
    "used": used.part,
    "heatmap": heatmap.part,
    "survival": survival.part,
    "annotated": annotated.part,
    "layers": layers.part,
    "seeds": seeds.part,
    "clusters": clusters.part,
}


def render(content: Content, out: Path) -> Path:
    """Write the page to `out`, an .html file or a folder that gets an index.html; return the file's path.

    The same content gives the same bytes.
    """
    return offline.write(html(content), out)


def html(content: Content) -> str:
    """The whole page as text."""
    data, parts, found = _gathered(content)
    sections = _sections(content, found, parts, list(data["charts"]))
    return offline.document(content.title, sections, data, SCRIPTS, INTERNAL)


def drawn(content: Content) -> dict[str, dict]:
    """Every chart of the page as a Vega-Lite document that holds its rows; those that the reader chooses the rows of are left out."""
    data, _, _ = _gathered(content)
    charts = feature_map.filled(data["charts"], tables.features(content), content.portraits)
    return {name: document for name, document in charts.items() if any(document.get("datasets", {}).values())}


def _gathered(content: Content) -> tuple[dict, dict[str, Part], pl.DataFrame]:
    """What the page's scripts read, the parts that are there, and what was tested."""
    known = tables.pairs(content)
    found = tables.tested(content, known)
    units = tables.best_units(content, known)
    made = {name: make(content) for name, make in _PARTS.items()}
    parts = {name: part for name, part in made.items() if part is not None}
    data = _data(content, known, found, units) | {name: part.data for name, part in parts.items()}
    for part in parts.values():
        data["charts"] |= part.charts
    return data, parts, found


def _data(content: Content, known: pl.DataFrame, found: pl.DataFrame, units: pl.DataFrame) -> dict:
    """What the page's scripts read, but for the parts."""
    few = content.cards // 6
    wanted = [*used.telling(content, few), *annotated.telling(content, few)]
    cards = tables.carded(content, units, found, wanted)
    examples = tables.examples(content, cards)
    pictured = portraits.shown(content, cards)
    sources = in_order(set(units["source"]) | (set(content.concepts["source"]) if _has(content.concepts) else set()))
    return {
        "q": content.q,
        "sources": legend(sources),
        "pairs": columns(known.drop("pair")),
        "covariates": columns(tables.covariates(content, known, found)),
        "units": columns(units.drop(tables.PAIR)),
        "associations": columns(coarse(tables.shown(found, cards))),
        "features": columns(coarse(portraits.spread(tables.features(content), content.portraits), but=("x", "y"))),
        "cards": cards,
        "portraits": pictured,
        "examples": examples,
        "names": tables.names(
            content,
            [*examples["tokens"], *used.tokens(content), *captions.tokens(content), *portraits.named(pictured)],
        ),
        "captions": captions.shown(content, portraits.portrayed(content, cards)),
        "concepts": columns(content.concepts.sort("concept", "source")) if _has(content.concepts) else None,
        "covered": covariate_view.data(content, known, found),
        "charts": drawings(content, known, found, units) | covariate_view.charts(content, known, found),
    }


def _has(table: pl.DataFrame | None) -> bool:
    return table is not None and not table.is_empty()


def _present(content: Content, parts: dict[str, Part]) -> dict[str, str]:
    """The sections this content can fill, with their headings."""
    absent = {"concepts"} if not _has(content.concepts) else set()
    absent |= {"training"} if not _has(content.metrics) else set()
    headings = _SECTIONS | {name: part.heading for name, part in parts.items()}
    return {name: heading for name, heading in headings.items() if name not in absent and heading is not None}


def _sections(content: Content, found: pl.DataFrame, parts: dict[str, Part], drawn: list[str]) -> list[offline.Section]:
    """The sections with their own texts, from `assets/<name>.html`, with the run card put in."""
    counts = tables.discoveries(found, content.q)
    dead = int(content.profile["dead"].sum())
    figures = {
        "features": len(content.profile) - dead,
        "dead": dead,
        "discoveries": int(counts["discoveries"].sum()),
        "held": int(counts["held"].sum()),
    }
    texts = {
        "tiles": markup.tiles(content.run, figures),
        "facts": markup.run_card(content.run),
        "waiting": markup.waiting(tables.pending(content)),
        "q": f"{content.q:g}",
        "dead": f"{dead:,}",
        "resplits": _resplits(content),
        "curves": _curves(drawn),
        "breadth": markup.panel(*BREADTH) if "breadth" in drawn else "",
        "headline": worth.headline(content),
    } | trust.texts(content)
    return [
        offline.Section(name, heading, parts[name].body, parts[name].short)
        if name in parts
        else offline.Section(name, heading, offline.filled(f"{name}.html", **texts))
        for name, heading in _present(content, parts).items()
    ]


def _curves(drawn: list[str]) -> str:
    """A panel for each chart of the training among those drawn."""
    headings = {f"curve-{name}": heading for name, (heading, _) in CURVES.items()} | {"density": DENSITY}
    notes = {"density": "Darker: more latents fire in so many rows. Dashed: a tenth of the rows. Lowest band: never."}
    return "".join(markup.panel(headings[name], name, notes.get(name, "")) for name in drawn if name in headings)


def _resplits(content: Content) -> str:
    """The part on random cuts, or nothing."""
    if not _has(content.resplits):
        return ""
    differences = markup.differences(resplit_differences(content.resplits))
    return offline.filled("resplits.html", differences=differences)
