"""The page of a sweep: which SAE to take and why, the frontier, and what becomes of latents between sizes. Aggregates alone."""

from html import escape

import polars as pl

from seqsae.pages import markup, offline, sweep_charts
from seqsae.pages.compact import columns
from seqsae.sae.choosing.frontier import cells
from seqsae.sae.choosing.stitching import THRESHOLD, agreement
from seqsae.sae.choosing.sweep import Comparison

BANNER = (
    '<div class="internal"><b>Internal</b> This page compares SAEs: curves and counts, no token and no subject. It has not '
    "been through a release's checks.</div>"
)
SCRIPTS = ("dom.js", "table.js", "data.js", "charts.js", "nav.js", "sweep.js")


def html(found: Comparison, site: str) -> str:
    """The whole page as text."""
    charts = {"curves": sweep_charts.curves(found.frontier), "stability": _stability(found)}
    charts |= {f"cosines-{i}": sweep_charts.cosines(part, THRESHOLD) for i, part in enumerate(_pairs(found))}
    data = {
        "frontier": columns(found.frontier),
        "splitting": columns(splits(found)),
        "stitching": columns(agreement(found.stitching)),
        "charts": {name: chart for name, chart in charts.items() if chart is not None},
    }
    return offline.document(f"Sweep at {site}", _sections(found, data["charts"]), data, SCRIPTS, BANNER)


def splits(found: Comparison) -> pl.DataFrame:
    """A row a pair: live latents of the smaller SAE, and how many are kept (`same`), `split`, narrowed (`part`), merged (`wider`), `gone`."""
    live = {
        name: round(width * (1 - dead))
        for name, width, dead in found.frontier.select("name", "width", "dead").iter_rows()
    }
    pairs = found.stitching.select("small", "large").unique(maintain_order=True)
    fate = (
        found.splitting.group_by("small", "large", "feature")
        .agg(pl.col("children").first(), same=(pl.col("relation") == "same").any())
        .group_by("small", "large")
        .agg(
            same=((pl.col("children") == 1) & pl.col("same")).sum(),
            split=(pl.col("children") > 1).sum(),
            part=((pl.col("children") == 1) & ~pl.col("same")).sum(),
            wider=(pl.col("children") == 0).sum(),
        )
    )
    table = pairs.join(fate, on=["small", "large"], how="left", maintain_order="left").fill_null(0)
    table = table.with_columns(live=pl.col("small").replace_strict(live, return_dtype=pl.Int64))
    return table.with_columns(gone=pl.col("live") - pl.sum_horizontal("same", "split", "part", "wider"))


def _sections(found: Comparison, charts: dict) -> list[offline.Section]:
    parts = [
        offline.Section("recommendation", "Recommendation", _recommendation(found)),
        offline.Section("frontier", "Frontier", offline.asset("sweep_frontier.html")),
    ]
    if "stability" in charts:
        others = "different seeds" if found.frontier["mmcs_seeds"].count() else "neighbouring sizes"
        parts.append(offline.Section("stability", "Stability", offline.filled("sweep_stability.html", others=others)))
    if not found.stitching.is_empty():
        parts.append(offline.Section("splitting", "Splitting", offline.asset("sweep_splitting.html")))
        parts.append(
            offline.Section("stitching", "Stitching", offline.filled("sweep_stitching.html", panels=_panels(found)))
        )
    return parts


def _recommendation(found: Comparison) -> str:
    chosen = found.recommendation
    taken = found.frontier.filter("recommended")
    tiles = markup.tile("none", "recommended")
    if not taken.is_empty():
        row = taken.row(0, named=True)
        tiles = "".join(
            [
                markup.tile(markup.value(row["width"]), "latents", escape(row["name"])),
                markup.tile(markup.value(row["l0"]), "active latents a row", "L0 on held-out rows"),
                markup.tile(markup.value(row["fvu"]), "variance unexplained", "FVU on held-out rows"),
                markup.tile(f"{row['dead']:.1%}", "dead latents", f"fire on no held-out row; seed {row['seed']}"),
            ]
        )
    cautions = "; ".join(escape(line) for line in chosen["cautions"])
    notice = f'<aside class="notice"><b>With caution:</b> {cautions}.</aside>' if cautions else ""
    facts = markup.group("learnt from", {"rows": chosen["rows"]["n_rows"], "subjects": chosen["rows"]["n_subjects"]})
    facts += markup.group("bounds", {_BOUNDS[name]: value for name, value in chosen["rule"].items()})
    return offline.filled(
        "sweep_recommendation.html", tiles=tiles, cautions=notice, reason=escape(chosen["reason"]), facts=facts
    )


_BOUNDS = {
    "max_dead": "dead share, at most",
    "min_firings": "rows a latent learns from, in the mean, at least",
    "max_per_subject": "latents for each subject, at most",
    "margin": "stability below the best width's, at most",
    "min_stability": "stability without a caution, at least",
    "min_gain": "FVU taken off by a doubling, at least",
    "flat": "depth of a knee, at least",
    "near": "FVU above the densest, at most",
}


def _stability(found: Comparison) -> dict | None:
    table = cells(found.frontier)
    swept = "sparsity" if table["k"].null_count() else "k"
    table = table.with_columns(level=pl.format("{}", pl.col(swept).fill_null(0))).sort(swept, "width")
    return sweep_charts.stability(table, swept)


def _pairs(found: Comparison) -> list[pl.DataFrame]:
    """Table `stitching` of each pair of widths at the sparsity that is recommended; of all if there is none there."""
    chosen = found.recommendation
    level = found.frontier.filter(*(pl.col(name).eq_missing(chosen[name]) for name in ("k", "sparsity")))
    table = found.stitching.join(level.select(small="name"), on="small", how="semi", maintain_order="left")
    return (found.stitching if table.is_empty() else table).partition_by("small", "large", maintain_order=True)


def _panels(found: Comparison) -> str:
    """A panel for each pair's chart of cosines."""
    width = dict(found.frontier.select("name", "width").iter_rows())
    titles = [f"{width[part['small'][0]]:,} into {width[part['large'][0]]:,} latents" for part in _pairs(found)]
    return "".join(
        f'<div class="panel"><h3>{escape(title)}</h3><div class="chart" data-chart="cosines-{place}"></div></div>'
        for place, title in enumerate(titles)
    )
