"""The page of a training: how its SAEs came along, side by side, and what became of them. Offline, in one file."""

import json
from collections.abc import Sequence
from html import escape
from os.path import commonprefix
from pathlib import Path
from typing import NamedTuple

import polars as pl

from seqsae import schema, shelf
from seqsae.errors import SeqsaeError
from seqsae.pages import markup, offline, training_quality
from seqsae.pages.training_charts import cells, cosines, curves, density, explained, styles
from seqsae.sae.base import SAE
from seqsae.sae.quality.evaluating import read_quality

BANNER = (
    '<div class="internal"><b>Internal</b> This page shows how SAEs were trained: curves and counts, no token and no '
    "subject. It has not been through a release's checks.</div>"
)
SCRIPTS = ("dom.js", "data.js", "charts.js", "nav.js", "training.js")
CURVES = {  # column: heading, note
    "fvu": ("Variance unexplained (FVU)", "on held-out rows"),
    "loss": (
        "Training loss",
        "mean since the measurement before, normalised units; comparable within an architecture only",
    ),
    "l0": ("Active latents a row (L0)", "on held-out rows"),
    "dead": ("Dead in training", "share of latents that have not fired within the dead window"),
    "dead_heldout": ("Dead on held-out rows", "share of latents that fire in none of them"),
    "dense": ("Dense latents", "share that fire in more than a tenth of the held-out rows"),
    "shrinkage": ("Shrinkage", "1: none; below it the latents' values are too small"),
}

FINISHED = {  # chart: heading, note
    "explained": (
        "Explained variance by dimension",
        "of the activations; below 0 a dimension is rebuilt worse than by its mean",
    ),
    "nearest": ("Nearest other latent", "share of live latents by the cosine with the one most like it"),
    "encoder": ("Encoder and decoder", "share of live latents by the cosine of the two"),
}


class Run(NamedTuple):
    """One SAE of the training."""

    name: str
    config: dict
    metrics: pl.DataFrame
    quality: dict | None


def training_page(saes: Path | str | Sequence, out: Path | str, title: str = "SAE training") -> Path:
    """Write the page to `out`, an .html file or a folder that gets an index.html; the file's path.

    The same SAEs give the same bytes.

    Args:
        saes: a folder with an SAE in each of its folders (RUN/sae), or a list of SAEs, their artefacts or their folders, in
            the order they are to be shown in.
    Raises:
        SeqsaeError: there is no SAE with metrics, or a file of one is not readable.
    """
    runs = [_read(folder) for folder in _folders(saes)]
    if not runs:
        raise SeqsaeError(
            f"{saes}: no SAE with metrics to show; give a run's sae folder, or SAEs that were trained on a store"
        )
    return offline.write(html(runs, title), Path(out))


def html(runs: Sequence[Run], title: str) -> str:
    """The whole page as text."""
    names, shared = short([run.name for run in runs])
    looks = styles(names)
    rows = pl.concat(
        [run.metrics.with_columns(sae=pl.lit(name)) for name, run in zip(names, runs, strict=True)],
        how="diagonal_relaxed",
    )
    drawn = {f"curve-{column}": curves(rows, column, looks) for column in CURVES}
    drawn |= _heatmaps(runs) | _finished(names, runs, looks)
    charts = {name: chart for name, chart in drawn.items() if chart is not None}
    sections = [
        offline.Section("training", "Training", _curves(charts, looks, shared)),
        offline.Section("density", "Firing rates", _density(names, charts)),
        offline.Section("quality", "Quality", _quality(looks, runs, charts)),
    ]
    data = {"charts": charts}
    return offline.document(title, [part for part in sections if part.body], data, SCRIPTS, BANNER)


def short(names: list[str]) -> tuple[list[str], str]:
    """The names without the beginning that all share (up to a hyphen), and that beginning."""
    shared = commonprefix(names) if len(names) > 1 else ""
    shared = shared[: shared.rfind("-") + 1]
    return [name.removeprefix(shared) for name in names], shared


def _folders(saes: Path | str | Sequence) -> list[Path]:
    if isinstance(saes, str | Path):
        found = [path.parent for path in Path(saes).glob("*/metrics.parquet") if not path.parent.name.startswith(".")]
        return sorted((path for path in found if path.suffix not in (".partial", ".old")), key=_natural)
    folders = [getattr(sae, "artefact", None) if isinstance(sae, SAE) else sae for sae in saes]
    return [Path(getattr(folder, "path", folder)) for folder in folders if folder is not None]


def _natural(path: Path) -> list:
    """Sorts `topk-128` before `topk-1024`."""
    import re

    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name)]


def _read(folder: Path) -> Run:
    table = shelf.read_parquet(folder / "metrics.parquet")
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as cause:
        raise SeqsaeError(f"{folder}: no readable config.json ({cause}); give the folder of an SAE") from None
    metrics = schema.check_table(table, "metrics", str(folder))
    return Run(folder.name, config, metrics, read_quality(folder))


def _heatmaps(runs: Sequence[Run]) -> dict[str, dict | None]:
    """A heatmap an SAE, all on one scale of colours."""
    largest = max((row["share"] for run in runs for row in cells(run.metrics)), default=None)
    return {f"density-{i}": density(run.metrics, largest) for i, run in enumerate(runs)}


def _finished(names: list[str], runs: Sequence[Run], looks: list[dict]) -> dict[str, dict | None]:
    """The charts of the quality documents."""
    known = {name: run.quality for name, run in zip(names, runs, strict=True) if run.quality is not None}
    decoders = {name: document["decoder"] for name, document in known.items()}
    by_dimension = {name: document["explained_by_dimension"] for name, document in known.items()}
    return {
        "explained": explained(by_dimension, looks),
        "nearest": cosines(decoders, "nearest", "cosine", looks),
        "encoder": cosines(decoders, "encoder", "cosine", looks),
    }


def _curves(charts: dict, looks: list[dict], shared: str) -> str:
    keys = "".join(
        f'<button type="button" class="key" data-sae="{escape(look["name"])}" aria-pressed="false">{_line(look)}'
        f"<span>{escape(look['name'])}</span></button>"
        for look in looks
    )
    begin = f" Their names all begin with <code>{escape(shared)}</code>." if shared else ""
    lead = f"{len(looks)} SAE{'s' if len(looks) > 1 else ''}, measured as training went on.{begin} "
    lead += "Click a name to make its curves stand out." if len(looks) > 1 else ""
    panels = [
        markup.panel(heading, f"curve-{column}", note)
        for column, (heading, note) in CURVES.items()
        if f"curve-{column}" in charts
    ]
    return f'<p class="lead">{lead}</p><div class="legend">{keys}</div><div class="curves">{"".join(panels)}</div>'


def _line(look: dict) -> str:
    """A piece of the SAE's line, for the legend."""
    dash = " ".join(map(str, look["dash"])) if look["dash"] != [1, 0] else "none"
    return (
        f'<svg width="22" height="10" aria-hidden="true"><line x1="0" x2="22" y1="5" y2="5" stroke="{look["color"]}" '
        f'stroke-width="2.5" stroke-dasharray="{dash}"/></svg>'
    )


def _density(names: list[str], charts: dict) -> str:
    panels = [markup.panel(name, f"density-{i}") for i, name in enumerate(names) if f"density-{i}" in charts]
    if not panels:
        return ""
    lead = (
        "How often latents fire on held-out rows, over training: each column is a measurement, each cell the share of latents that "
        "fire in so many rows (darker: more of them). Above the dashed line they are dense; the lowest band never fires."
    )
    return f'<p class="lead">{lead}</p><div class="curves">{"".join(panels)}</div>'


def _quality(looks: list[dict], runs: Sequence[Run], charts: dict) -> str:
    labels = {look["name"]: f"{_line(look)} {escape(look['name'])}" for look in looks}
    table = training_quality.table(list(labels.values()), [run.quality for run in runs])
    if not table:
        return ""
    rows = next(run.quality["rows"] for run in runs if run.quality is not None)
    lead = f"The finished SAEs on {rows:,} rows that they were not trained on."
    panels = [markup.panel(heading, name, note) for name, (heading, note) in FINISHED.items() if name in charts]
    return (
        f'<p class="lead">{lead}</p>{table}<div class="curves">{"".join(panels)}</div>'
        f"<h3>What the numbers mean</h3>{training_quality.meanings()}"
    )
