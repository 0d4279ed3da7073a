"""The report's page: what each of its sections holds."""

from pathlib import Path

import polars as pl

from seqsae.pages import markup, offline, tables
from seqsae.pages.compact import columns
from seqsae.pages.content import Content
from seqsae.pages.drawing import CURVES, DENSITY, drawings, resplit_differences, training
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
    "model.js",
    "covariates.js",
    "features.js",
    "cards.js",
    "charts.js",
    "nav.js",
    "main.js",
)
_SECTIONS = {
    "run": "Run",
    "worth": "Is it worth it?",
    "covariates": "Covariates",
    "concepts": "Planted concepts",
    "features": "Feature map",
    "cards": "Feature cards",
    "training": "Training",
}


def render(content: Content, out: Path) -> Path:
    """Write the page to `out`, an .html file or a folder that gets an index.html; return the file's path.

    The same content gives the same bytes.
    """
    return offline.write(html(content), out)


def html(content: Content) -> str:
    """The whole page as text."""
    known = tables.pairs(content)
    found = tables.tested(content, known)
    units = tables.best_units(content, known)
    data = _data(content, known, found, units)
    return offline.document(content.title, _sections(content, found), data, SCRIPTS, INTERNAL)


def _data(content: Content, known: pl.DataFrame, found: pl.DataFrame, units: pl.DataFrame) -> dict:
    """What the page's scripts read."""
    cards = tables.carded(content, units, found)
    examples = tables.examples(content, cards)
    sources = in_order(set(units["source"]) | (set(content.concepts["source"]) if _has(content.concepts) else set()))
    return {
        "q": content.q,
        "sources": legend(sources),
        "pairs": columns(known.drop("pair")),
        "covariates": columns(tables.covariates(content, known, found)),
        "units": columns(units.drop(tables.PAIR)),
        "associations": columns(tables.shown(found, cards)),
        "features": columns(tables.features(content)),
        "cards": cards,
        "examples": examples,
        "names": tables.names(content, examples["tokens"]),
        "concepts": columns(content.concepts.sort("concept", "source")) if _has(content.concepts) else None,
        "charts": drawings(content, known, found, units),
    }


def _has(table: pl.DataFrame | None) -> bool:
    return table is not None and not table.is_empty()


def _present(content: Content) -> dict[str, str]:
    """The sections this content can fill, with their headings."""
    absent = {"concepts"} if not _has(content.concepts) else set()
    absent |= {"training"} if not _has(content.metrics) else set()
    return {name: heading for name, heading in _SECTIONS.items() if name not in absent}


def _sections(content: Content, found: pl.DataFrame) -> list[offline.Section]:
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
        "curves": _curves(content),
    }
    return [
        offline.Section(name, heading, offline.filled(f"{name}.html", **texts))
        for name, heading in _present(content).items()
    ]


def _curves(content: Content) -> str:
    """A panel for each chart of the training."""
    drawn = training(content.metrics) if _has(content.metrics) else {}
    headings = {f"curve-{name}": heading for name, (heading, _) in CURVES.items()} | {"density": DENSITY}
    notes = {"density": "Darker: more latents fire in so many rows. Dashed: a tenth of the rows. Lowest band: never."}
    return "".join(markup.panel(headings[name], name, notes.get(name, "")) for name in drawn)


def _resplits(content: Content) -> str:
    """The part on random cuts, or nothing."""
    if not _has(content.resplits):
        return ""
    differences = markup.differences(resplit_differences(content.resplits))
    return offline.filled("resplits.html", differences=differences)
