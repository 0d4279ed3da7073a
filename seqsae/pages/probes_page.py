"""The page of probes: what was measured, a curve for each target, tables of concepts. Aggregates alone."""

from html import escape

import polars as pl

from seqsae.associations.probing.found import Found
from seqsae.pages import markup, offline, probes_charts, probes_tables
from seqsae.pages.compact import columns
from seqsae.pages.sources import in_order, legend
from seqsae.probe_options import ProbeConfig

BANNER = (
    '<div class="internal"><b>Internal</b> This page tells what probes read off the model: effects and counts, no subject. It has not '
    "been through a release's checks.</div>"
)
SCRIPTS = ("dom.js", "table.js", "data.js", "charts.js", "nav.js", "probes.js")
PANELS = 60  # targets with a curve of their own; all of them stand in the table


def html(found: Found, config: ProbeConfig, features: str, view: str) -> str:
    """The whole page as text.

    Args:
        features: name of the SAE; view: of the view it was read in.
    """
    data, sections = {"charts": {}}, []
    for part in (_told, _concepts_missing, _carried, _saved, _covered):
        made = part(found, config)
        if made is not None:
            body, tables, charts = made[1:]
            sections.append(offline.Section(*made[0], body))
            data |= tables
            data["charts"] |= charts
    first = offline.Section("measured", "What was measured", _measured(found, config, features, view), "Measured")
    return offline.document(f"Probes of {features}", [first, *sections], data, SCRIPTS, BANNER)


Made = tuple[tuple[str, str], str, dict, dict]  # name and heading; body; tables; charts


def _measured(found: Found, config: ProbeConfig, features: str, view: str) -> str:
    probes = found.probes
    tiles = []
    if not probes.is_empty():
        note = f"{probes['n'].max():,} held-out units of {probes['n_clusters'].max():,} clusters"
        tiles.append(
            markup.tile(markup.value(probes.select("covariate", "category").n_unique()), "targets probed", note)
        )
        told = probes_tables.kept_shares(probes_tables.named(probes)).drop_nulls("share")
        tiles += [
            _kept(row) for row in told.filter(pl.col("reads").is_in(["1", "5", "50", "all"])).iter_rows(named=True)
        ]
    facts = markup.group(
        "probed", {"features": features, "view": view, "site": probes_tables.site_of(probes), "folds": config.folds}
    )
    facts += markup.group("probes", {"fit": config.fit, "units chosen": config.choice, "poolings": config.poolings})
    return offline.filled("probes_measured.html", tiles="".join(tiles), facts=facts, folds=str(config.folds))


def _kept(row: dict) -> str:
    what = "all features" if row["k"] is None else f"{row['k']} feature{'s' if row['k'] > 1 else ''}"
    note = f"of what the dense probe on the site tells; median of {row['n']} targets"
    return markup.tile(f"{row['share']:.0%}", f"kept by {what}", note)


def _told(found: Found, config: ProbeConfig) -> Made | None:
    """Curves and the table of targets."""
    if found.probes.is_empty():
        return None
    probes = probes_tables.named(found.probes)
    labels = probes_tables.ranked(probes)
    bases = in_order(set(probes["basis"]) - {"confounders"})
    by_label = {label: part for (label,), part in probes.partition_by("label", as_dict=True).items()}
    shown = labels[:PANELS]
    charts = {f"curve-{i}": probes_charts.curve(by_label[label], bases) for i, label in enumerate(shown)}
    panels = "".join(markup.panel(label, f"curve-{i}") for i, label in enumerate(shown))
    more = f" The {len(labels) - PANELS} weakest are in the table alone." if len(labels) > PANELS else ""
    body = offline.filled("probes_curves.html", legend=_legend(bases), panels=panels, more=more)
    tables = {"overview": columns(probes_tables.overview(probes)), "sites": columns(probes_tables.sites(probes))}
    return ("curves", "Covariates"), body, tables, charts


def _legend(bases: list[str]) -> str:
    keys = "".join(
        f'<span class="key"><i style="background:{one["color"]}" class="dot"></i><span>{escape(one["label"])}</span></span>'
        for one in legend(bases)
    )
    lines = '<span class="key"><i class="stroke"></i><span>dense probe on the site</span></span>'
    lines += '<span class="key"><i class="stroke dotted"></i><span>confounders alone</span></span>'
    return f'<div class="legend">{keys}{lines}</div>'


def _concepts_missing(found: Found, config: ProbeConfig) -> Made | None:
    """A line where there was no concept to measure."""
    if not config.concepts or not all(table.is_empty() for table in (found.absorption, found.coverage)):
        return None
    body = (
        '<p class="lead">The data has neither planted nor annotated concepts that hold at single rows in enough clusters, '
        "so that neither absorption nor coverage can be told.</p>"
    )
    return ("concepts", "Concepts"), body, {}, {}


def _carried(found: Found, config: ProbeConfig) -> Made | None:
    """Absorption."""
    if found.absorption.is_empty():
        return None
    table = found.absorption.sort("absorption", "concept", descending=[True, False], nulls_last=True)
    told = table.drop_nulls("absorption")
    tiles = [
        markup.tile(f"{len(told)} of {len(table)}", "concepts measured", "the dense probe and some latent find them")
    ]
    if len(told):
        tiles += [
            markup.tile(f"{told['absorption'].mean():.1%}", "mean absorption fraction"),
            markup.tile(f"{told['full'].mean():.1%}", "rows fully absorbed", "mean over concepts"),
        ]
    body = offline.filled("probes_absorption.html", tiles="".join(tiles))
    return ("absorption", "Absorption"), body, {"absorption": columns(table)}, {}


def _saved(found: Found, config: ProbeConfig) -> Made | None:
    """One-dimensional losses."""
    if found.losses.is_empty():
        return None
    rows = probes_tables.losses(found.losses)
    charts, panels = {}, ""
    for place, (heading, origins) in enumerate(_SETS.items()):
        mine = _by_best(rows.filter(pl.col("origin").is_in(origins)))
        if not mine.is_empty():
            charts[f"losses-{place}"] = probes_charts.losses(mine)
            panels += markup.panel(heading, f"losses-{place}")
    body = offline.filled("probes_losses.html", panels=panels)
    return ("losses", "Single units"), body, {"losses": columns(probes_tables.loss_overview(found.losses))}, charts


_SETS = {"Concepts, row by row": ["planted", "annotated"], "Covariates, by subject": ["covariate"]}


def _by_best(rows: pl.DataFrame) -> pl.DataFrame:
    """Concepts by falling share saved by the SAE's best unit, or by any where it is not probed."""
    mine = rows.filter(pl.col("source") == "sae") if "sae" in rows["source"] else rows
    best = mine.group_by("concept").agg(best=pl.col("saved").max())
    return rows.join(best, on="concept").sort(
        "best", "concept", "source", descending=[True, False, False], nulls_last=True
    )


def _covered(found: Found, config: ProbeConfig) -> Made | None:
    """Coverage and reconstruction, of each set of concepts."""
    if found.coverage.is_empty():
        return None
    parts = found.coverage.partition_by("origin", maintain_order=True)
    charts = {f"coverage-{i}": probes_charts.coverage(part) for i, part in enumerate(parts)}
    panels = "".join(
        markup.panel(f"{part['n_concepts'][0]} {part['origin'][0]} concepts", f"coverage-{i}")
        for i, part in enumerate(parts)
    )
    body = offline.filled("probes_coverage.html", panels=panels)
    return ("coverage", "Coverage"), body, {"coverage": columns(found.coverage)}, charts
