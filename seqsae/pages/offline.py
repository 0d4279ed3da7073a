"""One HTML file that opens from disk with no network: its style, scripts and data are inside it.

A Content-Security-Policy in the page forbids every request and every script but its own, so that it cannot call out;
Vega's expressions run in its interpreter, which needs no eval.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

import vl_convert

from seqsae.pages.compact import script_json

ASSETS = Path(__file__).parent / "assets"
STYLES = ("page.css", "covariate.css")


class Section(NamedTuple):
    """A part of a page with its place in the navigation."""

    name: str
    """Its anchor."""
    heading: str
    body: str
    """HTML; the texts in it are escaped already."""
    short: str = ""
    """What the navigation calls it; default: its heading."""


def document(title: str, sections: Sequence[Section], data: dict, scripts: Sequence[str], banner: str = "") -> str:
    """The whole page as text.

    Args:
        data: what the scripts read; `charts`, if there, holds Vega-Lite documents by name. A page without has no Vega in it.
        scripts: names of files in assets/, in the order they run in.
        banner: HTML above everything.
    """
    sources = [_bundle() if "charts" in data else "", _closed(_own(scripts))]
    parts = {
        "title": escape(title),
        "policy": escape(_policy(sources)),
        "style": "\n".join(map(asset, STYLES)),
        "banner": banner,
        "sections": "".join(map(_drawn, sections)),
        "nav": "".join(f'<a href="#{part.name}">{escape(part.short or part.heading)}</a>' for part in sections),
        "data": script_json(data),
        "library": sources[0],
        "script": sources[1],
    }
    return Template(asset("page.html")).substitute(parts)


def write(text: str, out: Path) -> Path:
    """Write a page to `out`, an .html file or a folder that gets an index.html; the file's path."""
    path = Path(out) if Path(out).suffix == ".html" else Path(out) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def asset(name: str) -> str:
    """The text of a file in assets/."""
    return (ASSETS / name).read_text(encoding="utf-8")


def filled(name: str, **texts: str) -> str:
    """A file in assets/ with `$name` replaced by HTML."""
    return Template(asset(name)).substitute(texts)


def _drawn(part: Section) -> str:
    return f'<section id="{part.name}" class="room"><h2>{escape(part.heading)}</h2>{part.body}</section>'


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, as the installed vl-convert holds them."""
    return _closed(vl_convert.javascript_bundle())


def _own(scripts: Sequence[str]) -> str:
    """The page's scripts in one function of their own: the bundle leaves one-letter names in the global scope."""
    text = "\n".join(asset(name) for name in scripts)
    return f'(() => {{\n"use strict";\n{text}\n}})();'


def _closed(script: str) -> str:
    """The script with nothing in it that an HTML parser takes for its end or for a comment (in its strings)."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: list[str]) -> str:
    """The Content-Security-Policy: these scripts, inline style, and nothing else, from nowhere."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
