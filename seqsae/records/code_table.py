"""What codes are called: MEDS `metadata/codes.parquet` as one row a code, and a human name for any token."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.shelf import read_parquet

SEPARATOR = "//"  # between the parts of a code, and before a quantile or unit that a tokenizer has put behind it
SHOWN, LONGEST = 4, 60  # codes named in a line, and characters of each
TEXT = (pl.String, pl.Categorical, pl.Enum, pl.Null)


def read(file: Path, codes: pl.Series) -> pl.DataFrame | None:
    """Schema `code_table` of a data set; None without such a file. Codes of the data that it lacks are counted and said.

    Args:
        codes: [n] the code of every event.
    Raises:
        SeqsaeError: the file is no parquet table, or has no column `code`.
    """
    if not file.is_file():
        return None
    table = read_parquet(file)
    if "code" not in table.columns:
        raise SeqsaeError(f"{file}: no column 'code'; MEDS has code, description, parent_codes")
    if table["code"].dtype not in TEXT and not table["code"].dtype.is_integer():
        raise SeqsaeError(f"{file}: 'code' is {table['code'].dtype}, not text; convert it first")
    table = table.select(pl.col("code").cast(pl.String), _description(table, file), _parents(table, file))
    table = one_row_a_code(table.filter(pl.col("code").is_not_null()))
    absent = codes.unique().sort().filter(~codes.unique().sort().is_in(table["code"].implode()))
    if len(absent):
        say(f"{file}: lacks {len(absent):,} codes of the data ({listed(absent.to_list())}): shown without a name")
    return schema.check_table(table, "code_table", str(file))


def listed(codes: list[str], counts: Mapping[str, int] | None = None) -> str:
    """The first of some codes for a line, the longest shortened, each with its count if given; `...` if there are more."""
    named = [code if len(code) <= LONGEST else f"{code[:LONGEST]}..." for code in codes[:SHOWN]]
    if counts is not None:
        named = [f"{name} ({counts[code]:,})" for name, code in zip(named, codes, strict=False)]
    return ", ".join(named) + (", ..." if len(codes) > SHOWN else "")


def one_row_a_code(table: pl.DataFrame) -> pl.DataFrame:
    """Rows of one code joined: its different descriptions in their order, and all of its parents; sorted by code."""
    described = pl.col("description").drop_nulls().unique(maintain_order=True)
    parents = pl.col("parent_codes").explode().drop_nulls().unique(maintain_order=True)
    table = table.group_by("code", maintain_order=True).agg(described.str.join("; "), parents)
    return table.with_columns(pl.col("description").replace("", None)).sort("code")


def _description(table: pl.DataFrame, file: Path) -> pl.Expr:
    if "description" not in table.columns:
        return pl.lit(None, pl.String).alias("description")
    if table["description"].dtype not in TEXT:
        raise SeqsaeError(f"{file}: 'description' is {table['description'].dtype}, not text; convert it or drop it")
    return pl.col("description").cast(pl.String).str.strip_chars()


def _parents(table: pl.DataFrame, file: Path) -> pl.Expr:
    none = pl.lit(None, pl.List(pl.String)).alias("parent_codes")
    kind = table["parent_codes"].dtype if "parent_codes" in table.columns else pl.Null()
    if kind == pl.Null:
        return none
    if kind in TEXT:
        return pl.concat_list(pl.col("parent_codes").cast(pl.String)).alias("parent_codes")
    inner = getattr(kind, "inner", pl.Binary())
    if not isinstance(kind, pl.List) or not (inner in TEXT or inner.is_integer()):
        raise SeqsaeError(f"{file}: 'parent_codes' is {kind}, not a list of codes; convert it or drop it")
    return pl.col("parent_codes").cast(pl.List(pl.String))


def names(table: pl.DataFrame | None, tokens: Iterable[str]) -> dict[str, str]:
    """Token -> human name, for the tokens that have one.

    A token is a code, or a code with more behind it (`LAB//X//Q3`): then the longest beginning that has a description
    names it, with the rest in brackets.
    """
    if table is None:
        return {}
    described = dict(table.filter(pl.col("description").is_not_null()).select("code", "description").iter_rows())
    found = {token: _name(token, described) for token in dict.fromkeys(tokens)}
    return {token: name for token, name in found.items() if name is not None}


def _name(token: str, described: dict[str, str]) -> str | None:
    parts = token.split(SEPARATOR)
    for n in range(len(parts), 0, -1):
        name = described.get(SEPARATOR.join(parts[:n]))
        if name is not None:
            rest = SEPARATOR.join(parts[n:])
            return f"{name} ({rest})" if rest else name
    return None
