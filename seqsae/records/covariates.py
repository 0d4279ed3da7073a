"""Covariates: a table keyed by `subject_id`, typed by an explicit schema document. Nothing is guessed silently."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.files import read_json
from seqsae.progress import say
from seqsae.records.columns import as_numbers, as_text, listed, plain, short, tidy
from seqsae.records.follow_up import check_entry, follow_up
from seqsae.records.follow_up import columns_of as columns_of_follow_up
from seqsae.records.proposals import KEYS, fault_of

WITHIN = {("binary", "subject"), ("categorical", "subject")}  # type and level of what `within` may name
MOST_LEVELS = 1_000  # of a categorical covariate
LARGEST = 1e100  # of a number: squares and sums of larger ones overflow
EXACT = 2**53  # whole numbers beyond it run together as float64


@dataclass(frozen=True)
class Covariates:
    """What features may be tied to, keyed by `subject` (tables) or `sample` (annotations)."""

    table: pl.DataFrame | None = None
    """subject and one column a covariate of level subject: text for binary and categorical, numbers otherwise."""
    schema: dict = field(default_factory=lambda: {"covariates": []})
    """Schema document `covariates`."""
    annotations: pl.DataFrame | None = None
    """Schema `annotations`: covariates of level token and event."""
    labels: dict[str, pl.DataFrame] = field(default_factory=dict)
    """View name to label table (schema `labels`)."""
    truth: dict | None = None
    """Planted truth (schema `truth`), for synthetic data."""
    truth_spans: pl.DataFrame | None = None
    """Schema `truth_spans`."""
    code_table: pl.DataFrame | None = None
    """Schema `code_table`: what codes are called in a report; no statistic reads it."""


def read_schema(path: Path) -> dict:
    """A covariate schema document. Raises SeqsaeError naming the field that is wrong."""
    return check_schema(read_json(path, "draft one with `seqsae covariates propose`"), str(path))


def check_schema(document: dict, where: str) -> dict:
    """`document` with defaults filled in. Raises SeqsaeError on a wrong field, a covariate named twice or like a key."""
    _check_names(document, where)
    schema.check_document(document, "covariates", where)
    entries = [{"role": "target", "level": "subject", **entry} for entry in document["covariates"]]
    kinds = {entry["name"]: (entry["type"], entry["level"]) for entry in entries}
    for entry in entries:
        check_entry(entry, where)
        _check_order(entry, where)
        _check_role(entry, where)
        _check_within(entry, kinds, where)
    return {"covariates": entries}


def _check_names(document: dict, where: str) -> None:
    given = document.get("covariates")
    entries = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    names = [one["name"] for one in entries if isinstance(one.get("name"), str)]
    for name in names:
        if names.count(name) > 1:
            raise SeqsaeError(f"{where}: covariate {short(name)!r} stands twice; keep one entry")
        if name in KEYS:
            raise SeqsaeError(f"{where}: a covariate cannot be called {name!r}, which numbers subjects; rename it")
        if fault := fault_of(name):
            raise SeqsaeError(f"{where}: covariate {short(name)!r}: {fault}")
    for entry in entries:
        taken = set(columns_of_follow_up(entry)) & set(names) if entry.get("type") == "survival" else ()
        for name in taken:
            raise SeqsaeError(
                f"{where}: {name!r} is what a part of a survival covariate is called here; rename the covariate"
            )


def _check_order(entry: dict, where: str) -> None:
    order = [as_text(value) for value in entry.get("order") or []]
    for value in order:
        if order.count(value) > 1:
            raise SeqsaeError(
                f"{where}: covariate {entry['name']!r}: its order names {short(value)!r} twice; name it once"
            )


def _check_role(entry: dict, where: str) -> None:
    if entry["role"] == "stratum" and entry["type"] == "continuous":
        raise SeqsaeError(
            f"{where}: covariate {entry['name']!r} is continuous, and a stratum needs few values; cut it into bands or make it a confounder"
        )
    if entry["role"] in ("confounder", "stratum") and entry["type"] == "survival":
        raise SeqsaeError(
            f"{where}: survival covariate {entry['name']!r} cannot be a {entry['role']}; make it a target"
        )


def _check_within(entry: dict, kinds: dict[str, tuple[str, str]], where: str) -> None:
    name = entry["name"]
    if entry.get("within") and entry["type"] != "categorical":
        raise SeqsaeError(f"{where}: covariate {name!r}: within is for categorical covariates, this is {entry['type']}")
    for other in entry.get("within") or []:
        if other == name or kinds.get(other, ("binary", "subject")) not in WITHIN:
            raise SeqsaeError(
                f"{where}: covariate {name!r} cannot be compared within {other!r}; "
                "name binary or categorical covariates of level subject"
            )
        if other not in kinds:
            raise SeqsaeError(f"{where}: covariate {name!r} is compared within {other!r}, which is no covariate here")


def typed(table: pl.DataFrame, document: dict, where: str, subjects: pl.DataFrame | None = None) -> pl.DataFrame:
    """subject and one column a subject-level covariate: text for binary and categorical, numbers otherwise.

    Args:
        subjects: schema `subjects`, by which messages name a subject.
    Raises:
        SeqsaeError: a covariate without a column or with one of lists or bytes, a subject in two rows, a value that does not fit its type.
    """
    _once(table, where, subjects)
    columns = [table["subject"]]
    for entry in document["covariates"]:
        if entry["type"] == "survival":
            columns += follow_up(table, entry, where)
        elif entry["level"] == "subject":
            columns.append(_column(table, entry, where))
    return pl.DataFrame(columns).sort("subject")


def _once(table: pl.DataFrame, where: str, subjects: pl.DataFrame | None) -> None:
    """Raises SeqsaeError for the first subject with two rows, and says where these differ."""
    twice = table.filter(pl.col("subject").is_duplicated())
    if not len(twice):
        return
    number = twice["subject"][0]
    who = f"subject number {number}" if subjects is None else f"subject_id {subjects['subject_id'][number]!r}"
    one, other = twice.filter(pl.col("subject") == number)[:2].rows(named=True)
    differ = [short(name) for name in one if repr(one[name]) != repr(other[name])]
    how = f"which differ in {listed(differ)}; keep the right one" if differ else "alike; drop one"
    raise SeqsaeError(f"{where}: {who} ({twice['subject'].n_unique():,} in all) has two rows, {how}")


def _column(table: pl.DataFrame, entry: dict, where: str) -> pl.Series:
    name = entry["name"]
    if name not in table.columns:
        raise SeqsaeError(
            f"{where}: no column {name!r}, which the covariate schema names; found {listed(table.columns, 8)}"
        )
    if not plain(table[name]):
        raise SeqsaeError(f"{where}: covariate {name!r} is {table[name].dtype}, not numbers or text; convert it first")
    column = tidy(table[name])
    if column.null_count() == len(column):
        raise SeqsaeError(f"{where}: covariate {name!r} is empty in every row; fill it or take it out of the schema")
    if entry["type"] in ("binary", "categorical"):
        return _categories(column, entry, where)
    numbered = numbers(column, entry, where)
    if numbered.drop_nulls().n_unique() < 2:
        raise SeqsaeError(f"{where}: covariate {name!r} has one value only; take it out of the schema")
    return numbered


def _categories(column: pl.Series, entry: dict, where: str) -> pl.Series:
    name, text = entry["name"], column.cast(pl.String)
    values = text.drop_nulls().unique().sort().to_list()
    if column.dtype.is_float() and column.is_infinite().any():
        raise SeqsaeError(f"{where}: covariate {name!r} holds an infinite value; leave it empty")
    if entry["type"] == "binary" and len(values) != 2:
        raise SeqsaeError(
            f"{where}: binary covariate {name!r} has {len(values)} values ({listed(values)}); it needs two"
        )
    if len(values) < 2 and not (entry.get("missing") == "level" and text.null_count()):
        raise SeqsaeError(
            f"{where}: covariate {name!r} has one value only ({short(values[0])}); take it out of the schema"
        )
    check_levels(name, len(values), len(text) - text.null_count(), where)
    positive = entry.get("positive")
    if positive is not None and as_text(positive) not in values:
        raise SeqsaeError(f"{where}: covariate {name!r} has no value {short(positive)!r}; it has {listed(values, 6)}")
    _say_alike(name, values, where)
    return text


def check_levels(name: str, n_values: int, n: int, where: str) -> None:
    """Raises SeqsaeError for more categories than can be compared, which most often are an identifier's."""
    if n_values > MOST_LEVELS:
        why = ", no two alike, as identifiers are" if n_values == n else ""
        raise SeqsaeError(
            f"{where}: covariate {name!r} has {n_values:,} categories{why}; group them to at most {MOST_LEVELS:,} or take it out"
        )


def _say_alike(name: str, values: list[str], where: str) -> None:
    """Tells of values that differ in upper and lower case or in spaces alone, and so may be meant as one."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(" ".join(value.split()).casefold(), []).append(repr(short(value)))
    alike = [" and ".join(group) for group in groups.values() if len(group) > 1]
    if alike:
        say(
            f"{where}: covariate {name!r}: {listed(alike)} differ in case or spaces alone and count as different values; mend them if they are one"
        )


def numbers(column: pl.Series, entry: dict, where: str) -> pl.Series:
    """The column as numbers, places in the entry's order where it has one. Raises SeqsaeError for what is neither."""
    order, name = entry.get("order"), entry["name"]
    if order:
        places = {as_text(value): float(place) for place, value in enumerate(order)}
        found = column.cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Float64)
    else:
        found = as_numbers(column)
    lost = column.is_not_null() & found.is_null()
    if lost.any():
        row = lost.arg_max()
        mend = (
            f"not in its order {listed(order, 12)}"
            if order
            else "not a number; write numbers as 12.5, and nothing where missing"
        )
        mend = f"{mend}, or give its order in the schema" if not order and entry["type"] == "ordinal" else mend
        raise SeqsaeError(f"{where}: covariate {name!r}, row {row}: {short(column[row])!r} is {mend}")
    if found.is_infinite().any():
        raise SeqsaeError(f"{where}: covariate {name!r} holds an infinite value; remove it")
    _check_size(found, column, name, where)
    if not order and column.dtype.is_integer() and (found.abs() > EXACT).any():
        raise SeqsaeError(
            f"{where}: covariate {name!r} holds whole numbers beyond 2^53, which run together as decimals; subtract an origin or cut digits"
        )
    return found.fill_nan(None).alias(name)


def _check_size(found: pl.Series, column: pl.Series, name: str, where: str) -> None:
    """Raises SeqsaeError for the first number that is too large to be reckoned with."""
    beyond = (found.abs() > LARGEST).fill_null(False)
    if beyond.any():
        row = beyond.arg_max()
        raise SeqsaeError(
            f"{where}: covariate {name!r}, row {row}: {short(column[row])!r} is beyond {LARGEST:g}; leave it empty, or give it in a larger unit"
        )
