"""What `seqsae probe` prints: the strongest targets, and a line on each measure of concepts."""

import polars as pl

from seqsae.pages import probes_tables
from seqsae.pages.lines import aligned
from seqsae.pages.probes_room import Probed

SHOWN = 12  # targets printed; all of them stand in the table and on the page


def told(made: Probed) -> str:
    """A table of the targets that the SAE's features say most of, and what was found of concepts."""
    parts = [_targets(made.table), _absorption(made.absorption), _losses(made.losses), _coverage(made.coverage)]
    return "\n".join(part for part in parts if part)


def _targets(probes: pl.DataFrame) -> str:
    if probes.is_empty():
        return "no covariate could be probed"
    table = probes_tables.overview(probes_tables.named(probes))
    columns = ["confounders all", "token all", "neuron all"]
    columns += [f"sae {k}" for k in sorted(probes["k"].drop_nulls().unique())] + ["sae all"]
    columns = [name for name in columns if name in table.columns]
    rows = [
        [row["label"], *[_number(row[name]) for name in columns], _gain(row)]
        for row in table.head(SHOWN).iter_rows(named=True)
    ]
    heads = [name.replace(" all", "").replace("sae", "features") for name in columns[:-1]] + [
        "all features",
        "gain over confounders",
    ]
    note = f"\n({len(table) - SHOWN} more in probes.parquet)" if len(table) > SHOWN else ""
    title = (
        "Out of fold, on held-out subjects: AUROC, Spearman for numbers, C-index for times. Dense probes on the confounders, all tokens,\n"
        "all neurons; on the few most telling features; on all features; and what these add to the confounders.\n"
    )
    return title + aligned(["read off", *heads], rows) + note


def _gain(row: dict) -> str:
    if row.get("gain") is None:
        return "-"
    return f"{row['gain']:+.3f} [{row['gain_low']:+.3f}, {row['gain_high']:+.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _absorption(table: pl.DataFrame) -> str:
    measured = table.drop_nulls("absorption")
    if measured.is_empty():
        return ""
    worst = measured.sort("absorption", descending=True).row(0, named=True)
    return (
        f"absorption over {len(measured)} of {len(table)} concepts: mean fraction {measured['absorption'].mean():.3f}, "
        f"most in {worst['concept']} ({worst['absorption']:.2f}, by latent {worst['absorbers'] or 'none'})"
    )


def _losses(table: pl.DataFrame) -> str:
    if table.is_empty():
        return ""
    saved = probes_tables.losses(table).drop_nulls("saved")
    lines = []
    for name, of in (("concepts", pl.col("origin") != "covariate"), ("covariates", pl.col("origin") == "covariate")):
        mine = saved.filter(of)
        if not mine.is_empty():
            means = mine.group_by("source", maintain_order=True).agg(pl.col("saved").mean())
            lines.append(f"{name} " + ", ".join(f"{source} {share:.1%}" for source, share in means.iter_rows()))
    return "entropy saved by the best single unit, mean: " + "; ".join(lines) if lines else ""


def _coverage(table: pl.DataFrame) -> str:
    lines = [
        f"{row['source']} {row['coverage']:.2f} and {row['reconstruction']:.2f}" for row in table.iter_rows(named=True)
    ]
    return (
        "coverage of known concepts by single units, and their reconstruction (F1): " + ", ".join(lines)
        if lines
        else ""
    )
