"""What a sweep prints: its frontier as a plain table, and the recommendation with its reason."""

import polars as pl

from seqsae.pages.lines import aligned
from seqsae.pages.sweep_room import Sweep
from seqsae.sae.choosing.frontier import cells

SHOWN = 60  # sizes and sparsities printed; all of them stand in the table


def whole(found: Sweep) -> str:
    """Everything `seqsae train --sweep` prints at the end."""
    chosen = found.comparison.recommendation
    lines = [_frontier(found.frontier), f"recommended: {chosen['name'] or 'none'}", chosen["reason"]]
    lines += [f"caution: {line}" for line in chosen["cautions"]]
    return "\n".join(lines + ([] if found.artefact is None else [f"sweep: {found.artefact.path / 'sweep.html'}"]))


def _frontier(table: pl.DataFrame) -> str:
    keys = ["width", "k", "sparsity"]
    marks = table.group_by(keys).agg(pl.col("on_frontier", "recommended").any())
    rows = cells(table).join(marks, on=keys, how="left", nulls_equal=True, maintain_order="left")
    lines = [
        [
            f"{row['width']:,}",
            f"{row['k'] if row['k'] is not None else row['sparsity'] or '-'}",
            f"{row['l0']:.2f}",
            f"{row['fvu']:.4f}",
            f"{row['dead']:.1%}",
            "-" if row["stability"] is None else f"{row['stability']:.2f}",
            " ".join(
                mark for mark, on in (("frontier", row["on_frontier"]), ("recommended", row["recommended"])) if on
            ),
        ]
        for row in rows.head(SHOWN).iter_rows(named=True)
    ]
    note = f"\n({len(rows) - SHOWN} more in frontier.parquet)" if len(rows) > SHOWN else ""
    level = "sparsity" if rows["k"].null_count() else "k"
    title = "Means over seeds on held-out rows; stability: agreement with other seeds (or larger dictionaries) over chance:\n"
    return title + aligned(["latents", level, "L0", "FVU", "dead", "stability", ""], lines) + note
