"""The parts of the page that need no script: notices, tiles and the run card. Every text is escaped."""

import re
from html import escape

import polars as pl

from seqsae.pages.compact import DIGITS
from seqsae.pages.sources import legend
from seqsae.pages.tables import split_counts

_TILED = ("subjects", "held_out")  # shown as tiles
_UPPER = {
    "sae": "SAE",
    "fvu": "FVU",
    "l0": "L0",
    "sha256": "SHA-256",
    "lr": "learning rate",
    "k": "k",
    "d": "d",
    "q": "q",
}
_HEX = re.compile(r"[0-9a-f]{32,}")


def words(key: str) -> str:
    """`data_sha256` as `data SHA-256`."""
    return " ".join(_UPPER.get(part, part) for part in key.split("_"))


def value(item) -> str:
    """A value of the run card as HTML: numbers grouped or at 4 significant digits, hashes cut, texts escaped."""
    if item is None:
        return '<span class="muted">not recorded</span>'
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, int):
        return f"{item:,}"
    if isinstance(item, float):
        return f"{item:.{DIGITS}g}"
    if isinstance(item, list | tuple):
        return ", ".join(value(part) for part in item)
    if isinstance(item, dict):
        return ", ".join(f"{escape(words(str(key)))} {value(part)}" for key, part in item.items())
    text = str(item)
    if _HEX.fullmatch(text):
        return f'<code title="{text}">{text[:12]}…</code>'
    return escape(text)


def tile(number: str, label: str, note: str = "") -> str:
    """One large figure of the run card; `number` and `note` are HTML already."""
    small = f'<span class="tile-note">{note}</span>' if note else ""
    return f'<div class="tile"><b>{number}</b><span>{escape(label)}</span>{small}</div>'


def tiles(run: dict, found: dict[str, int]) -> str:
    """The figures at the top. `found`: features, dead, discoveries, held."""
    subjects = run.get("subjects") or {}
    held_out = run.get("held_out") or {}
    shown = []
    if subjects:
        shown.append(tile(value(sum(subjects.values())), "subjects", " · ".join(_split_counts(subjects))))
    shown.append(tile(value(found["features"]), "live features", f"{value(found['dead'])} dead"))
    if held_out.get("fvu") is not None:
        shown.append(tile(value(held_out["fvu"]), "variance unexplained", "FVU on held-out rows"))
    if held_out.get("l0") is not None:
        shown.append(tile(value(held_out["l0"]), "active features a row", "L0 on held-out rows"))
    note = f"{value(found['held'])} supported on the test split"
    shown.append(tile(value(found["discoveries"]), "associations found", note))
    return "".join(shown)


def _split_counts(subjects: dict) -> list[str]:
    return [f"{escape(split)} {value(count)}" for split, count in split_counts(subjects)]


def panel(heading: str, chart: str, note: str = "") -> str:
    """A framed chart under its heading."""
    small = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<div class="panel"><h3>{escape(heading)}</h3><div class="chart" data-chart="{escape(chart)}"></div>{small}</div>'


def run_card(run: dict) -> str:
    """The entries of the run that are no tiles, in groups: one for the single values, one for each dict."""
    run = {key: item for key, item in run.items() if key not in _TILED}
    groups = [(key, item) for key, item in run.items() if isinstance(item, dict)]
    single = {key: item for key, item in run.items() if not isinstance(item, dict)}
    return "".join(group(words(key), item) for key, item in [*groups, *([("run", single)] if single else [])])


def group(heading: str, entries: dict) -> str:
    """A heading over a list of names and values."""
    lines = "".join(
        f"<div><dt>{escape(words(str(key)))}</dt><dd>{value(item)}</dd></div>" for key, item in entries.items()
    )
    return f'<section class="facts"><h3>{escape(heading)}</h3><dl>{lines}</dl></section>'


UNADJUSTED = (
    "What follows is unadjusted: an association may be due to age, sequence length or another confounder, "
    "or to the bare token. "
)


def waiting(words_left: list[str]) -> str:
    """The notice of what is not computed, or nothing."""
    if not words_left:
        return ""
    named = words_left[0] if len(words_left) == 1 else ", ".join(words_left[:-1]) + " and " + words_left[-1]
    return (
        f'<aside class="notice"><b>Not yet computed: {escape(named)}.</b> '
        f"{UNADJUSTED if 'effects adjusted for confounders' in words_left else ''}"
        "Read each association beside its baselines, as a hypothesis.</aside>"
    )


def differences(table: pl.DataFrame) -> str:
    """The SAE's best feature less each source's best unit: `source`, `mean`, `sd`."""
    chips = []
    for source, mean, sd in table.select("source", "mean", "sd").iter_rows():
        spread = "" if sd is None else f" ± {sd:.3f}"
        better = "warn" if mean < 0 else ""
        label = escape(legend([source])[0]["label"])
        chips.append(f'<span class="chip {better}">SAE less {label}: {mean:+.3f}{spread}</span>')
    return f'<p class="note">On the same cuts, averaged over covariates: {" ".join(chips)}</p>'
