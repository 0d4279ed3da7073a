"""Covariates, clusters, splits, labels and annotations in a profile: schema and margins, nothing of a person."""

import polars as pl

from seqsae.disclosure.table import Base
from seqsae.disclosure.texts import d13_unit, d13_years
from seqsae.exports import margins
from seqsae.exports.margins import Desk
from seqsae.records.covariates import as_text
from seqsae.records.data import Dataset

KEPT = (
    "name",
    "type",
    "level",
    "role",
    "within",
    "min_level_n",
    "unit",
    "in_input",
    "time",
    "event",
    "entry",
    "competing",
    "origin",
)
"""Fields of a covariate's schema that a profile repeats; descriptions are free text, `positive` and `order` hold values."""
MOST_LEVELS = 50
"""An ordinal covariate with more distinct values is profiled in bins."""


def covariates(data: Dataset, desk: Desk, annotated: list[dict]) -> list[dict]:
    """An entry a covariate: its schema, and the margin of each of its columns.

    Args:
        annotated: what `annotations` found, for the values of covariates of level token and event.
    """
    values = {entry["covariate"]: entry["values"] for entry in annotated}
    return [_entry(entry, data, desk, values) for entry in data.covariate_schema["covariates"]]


def _entry(entry: dict, data: Dataset, desk: Desk, annotated: dict) -> dict:
    kept = {name: entry[name] for name in KEPT if entry.get(name) is not None}
    if "unit" in kept and d13_unit(kept["unit"]) is None:
        del kept["unit"]
    if entry["level"] != "subject":
        return {"schema": kept | _values(entry, annotated.get(entry["name"])), "margins": {}}
    names = [entry["name"]]
    if entry["type"] == "survival":
        names = [entry[part] for part in ("time", "event", "entry", "competing") if entry.get(part)]
    table = data.covariate_table
    found = {name: _margin(entry, table.select("subject", pl.col(name).alias("value")), desk) for name in names
             if table is not None and name in table.columns}  # fmt: skip
    return {"schema": kept | _values(entry, found.get(entry["name"])), "margins": found}


def _margin(entry: dict, values: pl.DataFrame, desk: Desk) -> dict:
    if not values["value"].dtype.is_numeric():
        return margins.levels(desk, values)
    values = values.with_columns(d13_years(values["value"]))
    few = values["value"].n_unique() <= MOST_LEVELS
    if entry["type"] != "ordinal" or not few:
        return margins.once(desk, values)
    found = margins.ordered(desk, values)
    order = entry.get("order")
    if order:
        for level in found["levels"]:
            level["value"] = as_text(order[int(level["value"])])
    return found


def _values(entry: dict, margin: dict | None) -> dict:
    """`positive` and `order` of the schema, as far as the values they name are shown."""
    shown = [level["value"] for level in margin.get("levels", [])] if margin else []
    found = {}
    positive = entry.get("positive")
    if positive is not None:
        found["positive"] = positive if as_text(positive) in shown else "other"
    if entry.get("order"):
        found["order"] = [value for value in entry["order"] if as_text(value) in shown]
    return found


def clusters(desk: Desk) -> dict | None:
    """Subjects by the size of their cluster; None where (nearly) each subject is its own."""
    sizes = desk.people.with_columns(pl.len().over("cluster").alias("value"))
    return margins.once(desk, sizes) if desk.enough(sizes.filter(pl.col("value") > 1)) else None


def splits(data: Dataset, desk: Desk) -> dict | None:
    """Subjects by the split that the data set brings, as MEDS calls it; None where it brings none."""
    if data.meds_split is None:
        return None
    return margins.levels(desk, pl.DataFrame({"subject": data.subjects["subject"], "value": data.meds_split}))


def labels(data: Dataset, desk: Desk) -> list[dict]:
    """An entry a label table: labels a subject, where in the record they stand, and the margins of the values."""
    return [_label_table(name, table, data, desk) for name, table in sorted(data.labels.items())]


def _label_table(name: str, table: pl.DataFrame, data: Dataset, desk: Desk) -> dict:
    rows = table.join(desk.people, on="subject")
    counts = desk.people.join(rows.group_by("subject").agg(pl.len().alias("value")), on="subject", how="left")
    per_subject = margins.once(desk, counts.with_columns(pl.col("value").fill_null(0)))
    inside = desk.within(rows, desk.base) or Base(rows.select("subject", "cluster").clear(), 0)
    columns = [name for name in table.columns if name.endswith("_value") and table[name].null_count() < len(table)]
    return {
        "name": name,
        "per_subject": per_subject,
        "seen": margins.often(desk, _seen(rows, data), inside, step=0.1),
        "values": {column: _label_values(rows.rename({column: "value"}), desk, inside) for column in columns},
    }


def _label_values(rows: pl.DataFrame, desk: Desk, inside: Base) -> dict | None:
    there = rows.select("subject", "cluster", "value").drop_nulls("value")
    if there["value"].dtype.is_numeric():
        return margins.often(desk, there, inside)
    return margins.mentions(desk, there.with_columns(pl.col("value").cast(pl.String)), inside)


def _seen(labels: pl.DataFrame, data: Dataset) -> pl.DataFrame:
    """For each label the share of the subject's dated events that lie at or before its prediction time."""
    numbered = labels.with_row_index("label").select("label", "subject", "cluster", "prediction_time")
    dated = data.table.filter(pl.col("time").is_not_null()).select("subject", "time")
    both = numbered.join(dated, on="subject").group_by("label", "subject", "cluster")
    share = both.agg((pl.col("time") <= pl.col("prediction_time")).mean().alias("value"))
    return share.select("subject", "cluster", "value")


def annotations(data: Dataset, desk: Desk) -> list[dict]:
    """An entry a covariate of the annotations: spans a subject, their lengths, and their values."""
    if data.annotations is None:
        return []
    numeric = {entry["name"] for entry in data.covariate_schema["covariates"]
               if entry["type"] in ("ordinal", "continuous") and not entry.get("order")}  # fmt: skip
    rows = data.annotations.rename({"sample": "subject"}).join(desk.people, on="subject")
    names = sorted(rows["covariate"].unique())
    return [_annotated(name, rows.filter(pl.col("covariate") == name), desk, name in numeric) for name in names]


def _annotated(name: str, rows: pl.DataFrame, desk: Desk, numeric: bool) -> dict:
    counts = desk.people.join(rows.group_by("subject").agg(pl.len().alias("value")), on="subject", how="left")
    lengths = rows.with_columns((pl.col("end") - pl.col("start")).cast(pl.Float64).alias("value"))
    parsed = rows.with_columns(pl.col("value").cast(pl.Float64, strict=False))
    inside = desk.within(rows, desk.base) or Base(rows.select("subject", "cluster").clear(), 0)
    return {
        "covariate": name,
        "per_subject": margins.once(desk, counts.with_columns(pl.col("value").fill_null(0))),
        "length": margins.often(desk, lengths, inside),
        "values": margins.often(desk, parsed, inside) if numeric else margins.mentions(desk, rows, inside),
    }
