"""One HTML file that opens from disk with no network: its style, scripts and data are inside it.

A Content-Security-Policy in the page forbids every request and every script but its own, so that it cannot call out;
Vega's expressions run in its interpreter, which needs no eval.
"""

import base64
import hashlib
from functools import cache
from html import escape
from pathlib import Path
from string import Template

import polars as pl
import vl_convert

from seqsae.pages import markup, tables
from seqsae.pages.compact import columns, script_json
from seqsae.pages.content import Content
from seqsae.pages.drawing import drawings, resplit_differences
from seqsae.pages.sources import in_order, legend

__all__ = ["Content", "render"]

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "dom.js",
    "table.js",
    "strip.js",
    "model.js",
    "covariates.js",
    "features.js",
    "cards.js",
    "charts.js",
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
    path = Path(out) if Path(out).suffix == ".html" else Path(out) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html(content), encoding="utf-8", newline="\n")
    return path


def html(content: Content) -> str:
    """The whole page as text."""
    known = tables.pairs(content)
    found = tables.tested(content, known)
    units = tables.best_units(content, known)
    scripts = [_bundle(), _own_script()]
    parts = {
        "title": escape(content.title),
        "policy": escape(_policy(scripts)),
        "style": (ASSETS / "page.css").read_text(encoding="utf-8"),
        "sections": _sections(content, found),
        "nav": _navigation(content),
        "data": script_json(_data(content, known, found, units)),
        "library": scripts[0],
        "script": scripts[1],
    }
    return Template((ASSETS / "page.html").read_text(encoding="utf-8")).substitute(parts)


def _data(content: Content, known: pl.DataFrame, found: pl.DataFrame, units: pl.DataFrame) -> dict:
    """What the page's scripts read."""
    cards = tables.carded(content, units, found)
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
        "examples": tables.examples(content, cards),
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


def _navigation(content: Content) -> str:
    return "".join(f'<a href="#{name}">{escape(heading)}</a>' for name, heading in _present(content).items())


def _sections(content: Content, found: pl.DataFrame) -> str:
    """The sections' own texts, from `assets/<name>.html`, with the run card put in."""
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
    }
    return "".join(
        f'<section id="{name}" class="room"><h2>{escape(heading)}</h2>'
        + Template((ASSETS / f"{name}.html").read_text(encoding="utf-8")).substitute(texts)
        + "</section>"
        for name, heading in _present(content).items()
    )


def _resplits(content: Content) -> str:
    """The part on random cuts, or nothing."""
    if not _has(content.resplits):
        return ""
    differences = markup.differences(resplit_differences(content.resplits))
    return Template((ASSETS / "resplits.html").read_text(encoding="utf-8")).substitute(differences=differences)


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, as the installed vl-convert holds them."""
    return _closed(vl_convert.javascript_bundle())


def _own_script() -> str:
    """The page's scripts in one function of their own: the bundle leaves one-letter names in the global scope."""
    text = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return _closed(f'(() => {{\n"use strict";\n{text}\n}})();')


def _closed(script: str) -> str:
    """The script with nothing in it that an HTML parser takes for its end or for a comment (in its strings)."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: list[str]) -> str:
    """The Content-Security-Policy: these scripts, inline style, and nothing else, from nowhere."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
