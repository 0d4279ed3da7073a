"""The report in other forms than a page: its tables as parquet or CSV, its charts as pictures."""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path

import polars as pl

from seqsae import shelf
from seqsae.errors import SeqsaeError
from seqsae.pages.content import Content
from seqsae.pages.page import drawn, render

FORMATS = ("html", "parquet", "csv", "png")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV injection"), full-width forms too."""
WIDTH, SCALE = 900, 2  # pixels of a chart, and picture pixels for each


def check(format: str) -> str:  # noqa: A002  as the command has it
    """`format` itself. Raises SeqsaeError for one that is not known."""
    if format not in FORMATS:
        raise SeqsaeError(f"report: there is no format {format!r}; give one of {', '.join(FORMATS)}")
    return format


def write(content: Content, form: str, folder: Path) -> None:
    """The report as `form` in `folder`: index.html, or a file for each table or chart."""
    if form == "html":
        render(content, folder / "index.html")
    elif form == "png":
        for name, document in drawn(content).items():
            (folder / f"{name}.png").write_bytes(picture(document))
    else:
        for name, table in tables(content).items():
            if form == "parquet":
                shelf.write_table(folder / f"{name}.parquet", table)
            else:
                harmless(table).write_csv(folder / f"{name}.csv")


def tables(content: Content) -> dict[str, pl.DataFrame]:
    """Every table of the content by name, those of a part under the part's name; empty ones are left out."""
    found = {}
    for name, value in ((field.name, getattr(content, field.name)) for field in fields(content)):
        if is_dataclass(value):
            inner = {part.name: getattr(value, part.name) for part in fields(value)}
            found |= {f"{name}_{part}": table for part, table in inner.items() if isinstance(table, pl.DataFrame)}
        elif isinstance(value, pl.DataFrame):
            found[name] = value
    return {name: table for name, table in found.items() if not table.is_empty()}


def harmless(table: pl.DataFrame) -> pl.DataFrame:
    """The table with every text that a spreadsheet would take for a formula behind an apostrophe, and lists as JSON."""
    lists = [name for name, kind in table.schema.items() if kind.is_nested()]
    told = [pl.Series(name, [_json(value) for value in table[name].to_list()], dtype=pl.String) for name in lists]
    table = table.with_columns(told)
    texts = [name for name, kind in table.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)]
    return table.with_columns(
        pl.when(_opens(name)).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name) for name in texts
    )


def _opens(name: str) -> pl.Expr:
    """Whether a text, spaces aside, opens a formula and is no plain number."""
    first = pl.col(name).cast(pl.String).str.strip_chars_start(" \u00a0\ufeff").str.slice(0, 1).is_in(list(FORMULA))
    return first & pl.col(name).cast(pl.String).cast(pl.Float64, strict=False).is_null()


def _json(value) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def picture(document: dict) -> bytes:
    """A chart's Vega-Lite document as PNG, without a browser; a width that a page would give it is WIDTH."""
    import vl_convert

    document = json.loads(json.dumps(document))
    for part in [document, *document.get("vconcat", []), *document.get("hconcat", [])]:
        if part.get("width") == "container":
            part["width"] = WIDTH
    document.setdefault("config", {})["background"] = "white"
    return vl_convert.vegalite_to_png(json.dumps(document), scale=SCALE)
