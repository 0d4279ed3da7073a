"""The section on layers: one SAE of the same size at each of several sites."""

from html import escape

import polars as pl

from seqsae.pages import markup, offline
from seqsae.pages.compact import columns
from seqsae.pages.content import Content
from seqsae.pages.layer_charts import HEADINGS, layer_charts, shared_prefix
from seqsae.pages.parts import Part


def part(content: Content) -> Part | None:
    """The section; None where there is no row."""
    table = content.layers
    if table is None or table.is_empty():
        return None
    charts = layer_charts(table)
    panels = "".join(markup.panel(heading, name, note) for name, (heading, note) in HEADINGS.items() if name in charts)
    shown = table.select(pl.col(table.columns).exclude(_empty(table)))
    prefix = shared_prefix(table["site"].to_list())
    note = f" The charts leave <code>{escape(prefix)}</code> off their names." if prefix else ""
    body = offline.filled("layers.html", panels=panels, note=note)
    return Part("Layers", "Layers", body, {"rows": columns(shown), "site": content.run.get("site")}, charts)


def _empty(table: pl.DataFrame) -> list[str]:
    """Columns in which nothing stands."""
    return [name for name in table.columns if table[name].null_count() == len(table)]
