"""Whether the SAE is worth it, in one line a rival: how the best feature stands to the best unit of each other source, over covariates."""

from html import escape

import polars as pl

from seqsae.pages.content import Content
from seqsae.pages.sources import in_order, legend, strength
from seqsae.pages.tables import PAIR, pairs

MARGIN = 0.01  # of strength, within which two units do alike


def headline(content: Content) -> str:
    """A table with a line a source; nothing where there is no other source."""
    rows = compared(content)
    if rows.is_empty():
        return ""
    labels = {one["name"]: one for one in legend(rows["source"].to_list())}
    lines = "".join(_line(row, labels[row["source"]]["label"]) for row in rows.iter_rows(named=True))
    heads = "".join(f'<th scope="col" class="plain">{name}</th>' for name in _HEADS)
    return (
        '<details class="panel" open><summary>In how many covariates does one feature do better than one unit of each simpler source?'
        f'</summary><div class="scroll short" tabindex="0"><table id="worth-table"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody>'
        f'</table></div><p class="note">{_NOTE}</p></details>'
    )


_HEADS = ("The best SAE feature against the best", "Does better", "Alike", "Does worse", "", "Median difference")
_NOTE = (
    "A covariate category is a case. Strength of a tie runs from 0 (none) to 1 (perfect): 2|AUROC − ½|, the same of a C-index, or |ρ|, on the "
    "test split, of units chosen on the select split; alike is within 0.01. Cases in which neither reaches 0.1 are left out. Confounders, "
    "composition, position, tokens, last tokens and probes of many features may be fits of several columns: they are no single units."
)
LEAST = 0.1


def compared(content: Content) -> pl.DataFrame:
    """A row a source: `better`, `alike` and `worse` cases for the SAE's best feature, `n` of them, and the `median` difference of strength."""
    known = pairs(content)
    names = known.select(*PAIR, "effect_name", "pair")
    table = content.baselines.join(names, on=PAIR, how="left", nulls_equal=True).drop_nulls("effect")
    best = table.with_columns(strength=_upward()).group_by("pair", "source").agg(pl.col("strength").max())
    ours = best.filter(pl.col("source") == "sae").select("pair", ours="strength")
    both = best.filter(pl.col("source") != "sae").join(ours, on="pair")
    both = both.filter(pl.max_horizontal("ours", "strength") >= LEAST)
    gap = pl.col("ours") - pl.col("strength")
    told = both.group_by("source").agg(
        better=(gap > MARGIN).sum(),
        worse=(gap < -MARGIN).sum(),
        alike=(gap.abs() <= MARGIN).sum(),
        n=pl.len(),
        median=gap.median(),
    )
    place = {name: rank for rank, name in enumerate(in_order(set(told["source"])))}
    return told.sort(pl.col("source").replace_strict(place, default=None, return_dtype=pl.Int64))


def _upward() -> pl.Expr:
    """Strength of a unit in the direction it had on the select split: one that turned round on the test split has less than none."""
    away = pl.when(pl.col("effect_name") == "spearman").then(pl.col("effect")).otherwise(2 * (pl.col("effect") - 0.5))
    return pl.when(pl.col("source") == "sae").then(strength()).otherwise(away)


def _line(row: dict, label: str) -> str:
    parts = [(row[name], name) for name in ("better", "alike", "worse")]
    bar = "".join(f'<i class="{name}" style="width:{100 * n / row["n"]:.1f}%"></i>' for n, name in parts if n)
    said = f"{row['better']} better, {row['alike']} alike, {row['worse']} worse of {row['n']}"
    cells = "".join(f'<td class="num">{n}</td>' for n, _ in parts)
    return (
        f"<tr><td>{escape(label)}</td>{cells}"
        f'<td><span class="tally" role="img" aria-label="{said}" title="{said}">{bar}</span></td>'
        f'<td class="num">{row["median"]:+.3f}</td></tr>'
    ).replace("-0.", "−0.")
