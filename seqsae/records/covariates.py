"""Covariates: a table keyed by `subject_id`, typed by an explicit schema document. Nothing is guessed silently."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.files import read_json, read_parquet
from seqsae.progress import say
from seqsae.records.follow_up import check_entry, follow_up

ORDINAL_LEVELS = 10  # an integer column with at most so many values is proposed as ordinal
WITHIN = {("binary", "subject"), ("categorical", "subject")}  # type and level of what `within` may name
RESERVED = ("subject", "subject_id")  # how every table is keyed
CATEGORIES = 50  # a text column with more values than this is proposed as nothing


@dataclass(frozen=True)
class Covariates:
    """What features may be tied to, keyed by `subject` (tables) or `sample` (annotations)."""

    table: pl.DataFrame | None = None
    """subject and one column a covariate of level subject: text for binary and categorical, numbers otherwise."""
    schema: dict = field(default_factory=lambda: {"covariates": []})
    """Schema document `covariates`."""
    annotations: pl.DataFrame | None = None
    """Schema `annotations`: covariates of level token."""
    labels: dict[str, pl.DataFrame] = field(default_factory=dict)
    """View name to label table (schema `labels`)."""
    truth: dict | None = None
    """Planted truth (schema `truth`), for synthetic data."""
    truth_spans: pl.DataFrame | None = None
    """Schema `truth_spans`."""
    code_table: pl.DataFrame | None = None
    """Schema `code_table`: what codes are called in a report; no statistic reads it."""


def read_table(path: Path) -> pl.DataFrame:
    """A CSV or parquet table. Raises SeqsaeError if it is neither."""
    if path.suffix == ".parquet":
        return read_parquet(path)
    try:
        return pl.read_csv(path, infer_schema_length=None, null_values=["", "NA", "NaN"])
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; check the path") from None
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise SeqsaeError(
            f"{path}: not a readable CSV table ({str(cause).splitlines()[0]}); give CSV or parquet"
        ) from None


def read_schema(path: Path) -> dict:
    """A covariate schema document. Raises SeqsaeError naming the field that is wrong."""
    return check_schema(read_json(path, "draft one with `seqsae covariates propose`"), str(path))


def check_schema(document: dict, where: str) -> dict:
    """`document` with defaults filled in. Raises SeqsaeError on a wrong field, a covariate named twice or like a key."""
    schema.check_document(document, "covariates", where)
    entries = [{"role": "target", "level": "subject", **entry} for entry in document["covariates"]]
    names = [entry["name"] for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise SeqsaeError(f"{where}: covariate {name!r} stands twice; keep one entry")
        if name in RESERVED:
            raise SeqsaeError(f"{where}: a covariate cannot be called {name!r}, which numbers subjects; rename it")
    for entry in entries:
        check_entry(entry, where)
        if entry.get("within") and entry["type"] != "categorical":
            raise SeqsaeError(
                f"{where}: covariate {entry['name']!r}: within is for categorical covariates, this is {entry['type']}"
            )
        for other in entry.get("within") or []:
            kinds = {one["name"]: (one["type"], one["level"]) for one in entries}
            if other == entry["name"] or kinds.get(other, ("binary", "subject")) not in WITHIN:
                raise SeqsaeError(
                    f"{where}: covariate {entry['name']!r} cannot be compared within {other!r}; "
                    "name binary or categorical covariates of level subject"
                )
            if other not in names:
                raise SeqsaeError(
                    f"{where}: covariate {entry['name']!r} is compared within {other!r}, which is no covariate here"
                )
    return {"covariates": entries}


def propose(table: pl.DataFrame) -> dict:
    """A draft schema document for a person to decide on, from column types and value counts alone."""
    entries = []
    if "subject" in table.columns:
        say("covariates: the column 'subject' is not read, since it numbers subjects here; rename it to have it tested")
    for column in table.columns:
        kind = None if column in RESERVED else _kind(table[column])
        if kind is not None:
            entries.append({"name": column, "type": kind, "role": "target", "level": "subject"})
    return {"covariates": entries}


def _kind(column: pl.Series) -> str | None:
    if not plain(column):
        return None
    column = _without_nan(column)
    n_values = column.drop_nulls().n_unique()
    if n_values < 2:
        return None
    if n_values == 2:
        return "binary"
    if column.dtype.is_integer() and n_values <= ORDINAL_LEVELS:
        return "ordinal"
    if column.dtype.is_numeric():
        return "continuous"
    return "categorical" if n_values <= min(CATEGORIES, len(column) // 2) else None


def typed(table: pl.DataFrame, document: dict, where: str) -> pl.DataFrame:
    """subject and one column a subject-level covariate: text for binary and categorical, numbers otherwise.

    Raises:
        SeqsaeError: a covariate without a column or with one of lists or bytes, a subject in two rows, a value that does not fit its type.
    """
    twice = table["subject"].filter(table["subject"].is_duplicated())
    if len(twice):
        raise SeqsaeError(f"{where}: a subject has two rows (internal number {twice[0]}); keep one row a subject_id")
    columns = [table["subject"]]
    for entry in document["covariates"]:
        if entry["type"] == "survival":
            columns += follow_up(table, entry, where)
        elif entry["level"] == "subject":
            columns.append(_column(table, entry, where))
    return pl.DataFrame(columns).sort("subject")


def _column(table: pl.DataFrame, entry: dict, where: str) -> pl.Series:
    name = entry["name"]
    if name not in table.columns:
        raise SeqsaeError(
            f"{where}: no column {name!r}, which the covariate schema names; found {', '.join(table.columns[:8])}"
        )
    if not plain(table[name]):
        raise SeqsaeError(f"{where}: covariate {name!r} is {table[name].dtype}, not numbers or text; convert it first")
    column = _without_nan(table[name])
    if column.null_count() == len(column):
        raise SeqsaeError(f"{where}: covariate {name!r} is empty in every row; fill it or take it out of the schema")
    if entry["type"] in ("binary", "categorical"):
        return _categories(column, entry, where)
    numbered = numbers(column, entry, where)
    if numbered.drop_nulls().n_unique() < 2:
        raise SeqsaeError(f"{where}: covariate {name!r} has one value only; take it out of the schema")
    return numbered


def plain(column: pl.Series) -> bool:
    """Whether a column holds one number, word or date a subject."""
    return not column.dtype.is_nested() and column.dtype not in (pl.Binary, pl.Object, pl.Duration)


def _without_nan(column: pl.Series) -> pl.Series:
    """NaN as missing; floats that are whole numbers as integers, as they were before a gap made them floats."""
    if not column.dtype.is_float():
        return column
    column = column.fill_nan(None)
    whole = column.is_finite().all() and (column == column.round()).all() and (column.abs() < 2**53).all()
    return column.cast(pl.Int64) if whole else column


def _categories(column: pl.Series, entry: dict, where: str) -> pl.Series:
    text = column.cast(pl.String)
    values = text.drop_nulls().unique().sort().to_list()
    if entry["type"] == "binary" and len(values) != 2:
        raise SeqsaeError(
            f"{where}: binary covariate {entry['name']!r} has {len(values)} values ({', '.join(values[:4])}); it needs two"
        )
    positive = entry.get("positive")
    if positive is not None and as_text(positive) not in values:
        raise SeqsaeError(
            f"{where}: covariate {entry['name']!r} has no value {positive!r}; it has {', '.join(values[:6])}"
        )
    return text


def as_text(value) -> str:
    """A schema's `positive` as it stands in a text column (JSON true is polars' "true")."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def numbers(column: pl.Series, entry: dict, where: str) -> pl.Series:
    """The column as numbers, places in the entry's order where it has one. Raises SeqsaeError for what is neither."""
    order = entry.get("order")
    if order:
        places = {as_text(value): float(place) for place, value in enumerate(order)}
        found = column.cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Float64)
    else:
        found = column.cast(pl.Float64, strict=False)
    lost = column.is_not_null() & found.is_null()
    if lost.any():
        row = lost.arg_max()
        raise SeqsaeError(
            f"{where}: covariate {entry['name']!r}, row {row}: {column[row]!r} is "
            + (f"not in its order {order}" if order else "not a number")
        )
    if found.is_infinite().any():
        raise SeqsaeError(f"{where}: covariate {entry['name']!r} holds an infinite value; remove it")
    return found.alias(entry["name"])
