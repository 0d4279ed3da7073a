"""What lies beside the data: covariates, clusters, annotations, planted truth."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.files import read_json, read_parquet
from seqsae.progress import say
from seqsae.records import covariates as cov
from seqsae.records.columns import listed, plain
from seqsae.records.companions_spans import annotations
from seqsae.records.data import Dataset, key_by_subject
from seqsae.records.proposals import propose
from seqsae.records.tables import as_table, read_table

MADE = "write it again, or take it out"


def with_neighbours(data: Dataset, folder: Path) -> Dataset:
    """`data` with subjects.parquet (clusters), annotations and truth of its folder, where they are."""
    if (folder / "subjects.parquet").is_file():
        file = folder / "subjects.parquet"
        data = with_cluster(data, _cluster_table(file), where=str(file))
    if (folder / "annotations.parquet").is_file():
        data = replace(data, annotations=annotations(data, folder / "annotations.parquet"))
    if (folder / "truth.json").is_file():
        truth = schema.check_document(read_json(folder / "truth.json", MADE), "truth", str(folder / "truth.json"))
        file = folder / "truth_spans.parquet"
        data = replace(data, truth=truth, truth_spans=schema.check_table(read_parquet(file), "truth_spans", str(file)))
    return data


def with_covariates(data: Dataset, table: Any, document: Any) -> Dataset:
    """`data` with a covariate table (path or frame) and its schema (path, document or None).

    Raises:
        SeqsaeError: no schema beside a table given by path, or any fault of table and schema.
    """
    if table is None:
        return data if document is None else _annotated_alone(data, document)
    where = str(table) if isinstance(table, str | Path) else "covariates"
    frame = read_table(Path(table)) if isinstance(table, str | Path) else as_table(table, where)
    keyed = _keyed(frame, data.subjects, where)
    document = _schema_of(table, frame, document, where)
    _annotated(data, document, where)
    return replace(data, covariate_table=cov.typed(keyed, document, where, data.subjects), covariate_schema=document)


def of_frame(given: Any, subjects: pl.DataFrame) -> cov.Covariates:
    """Covariates of a table alone, keyed by `subject_id` or by the internal `subject`; its types are proposed, and that is said.

    Raises:
        SeqsaeError: no polars table, or any fault of it.
    """
    frame = as_table(given, "covariates")
    if "subject" in frame.columns and "subject_id" not in frame.columns:
        numbers = frame["subject"]
        if not numbers.dtype.is_integer() or not numbers.is_between(0, len(subjects) - 1).all():
            raise SeqsaeError("covariates: 'subject' is no internal number of a subject; key the table by subject_id")
        keyed = frame.with_columns(numbers.cast(pl.UInt32))
    else:
        keyed = _keyed(frame, subjects, "covariates")
    document = cov.check_schema(propose(keyed.drop("subject")), "covariates")
    if not document["covariates"]:
        raise SeqsaeError(
            f"covariates: no column can be tied to features: {listed(frame.columns)}; add a column a covariate"
        )
    say("covariates: types proposed from the columns; give `data.covariates` with a schema to decide them yourself")
    return cov.Covariates(cov.typed(keyed, document, "covariates", subjects), document)


def _keyed(frame: pl.DataFrame, subjects: pl.DataFrame, where: str) -> pl.DataFrame:
    keyed = key_by_subject(frame, subjects, where)
    lost = len(frame) - len(keyed)
    if lost:
        say(f"{where}: {lost} rows belong to no subject of the data and are left out")
    return keyed


def _annotated_alone(data: Dataset, document: Any) -> Dataset:
    """`data` with a schema of covariates of level token and event only, which need no table."""
    where = "covariate schema"
    document = (
        cov.check_schema(dict(document), where) if isinstance(document, Mapping) else cov.read_schema(Path(document))
    )
    tabled = [entry["name"] for entry in document["covariates"] if entry["level"] == "subject"]
    if tabled:
        raise SeqsaeError(
            f"{where}: covariate {tabled[0]!r} is of level subject, but there is no covariate table; give one"
        )
    _annotated(data, document, where)
    return replace(data, covariate_schema=document)


def _annotated(data: Dataset, document: dict, where: str) -> None:
    """Raises SeqsaeError if a covariate of level token or event is in no annotation."""
    known = set() if data.annotations is None else set(data.annotations["covariate"].unique())
    for entry in document["covariates"]:
        if entry["level"] != "subject" and entry["name"] not in known:
            raise SeqsaeError(
                f"{where}: covariate {entry['name']!r} is of level {entry['level']} and in no annotation; "
                "add annotations.parquet or drop it from the schema"
            )


def _schema_of(table: Any, frame: pl.DataFrame, document: Any, where: str) -> dict:
    if isinstance(document, Mapping):
        return cov.check_schema(dict(document), "covariate schema")
    if document is not None:
        return cov.read_schema(Path(document))
    if isinstance(table, str | Path):
        return cov.read_schema(Path(table).with_name("covariates.schema.json"))
    say(f"{where}: types proposed from the columns; write a covariate schema to decide them yourself")
    return cov.check_schema(propose(frame), "covariates")


def with_cluster(
    data: Dataset, cluster: str | Mapping | pl.DataFrame | None, covariates: Any = None, where: str = "cluster"
) -> Dataset:
    """`data` whose subjects carry a cluster: a covariate column's name, a mapping from subject_id, or a table."""
    if cluster is None:
        return data
    if isinstance(cluster, str):
        table = _cluster_column(data, cluster, covariates)
    else:
        if isinstance(cluster, Mapping):
            cluster = pl.DataFrame({"subject_id": list(cluster), "cluster": [str(value) for value in cluster.values()]})
        table = key_by_subject(cluster, data.subjects, where)
        twice = table["subject"].filter(table["subject"].is_duplicated())
        if len(twice):
            name = data.subjects["subject_id"][int(twice[0])]
            raise SeqsaeError(f"{where}: subject_id {name!r} stands twice; give each subject one cluster")
    alone = pl.format("alone: {}", "subject_id")  # so that a lone subject never bears a household's name
    subjects = data.subjects.drop("cluster").join(table, on="subject", how="left", maintain_order="left")
    return replace(data, subjects=subjects.with_columns(pl.col("cluster").fill_null(alone)))


def _cluster_column(data: Dataset, name: str, covariates: Any) -> pl.DataFrame:
    """subject and `cluster` from a column of the covariate table as given, which need not be in its schema."""
    table = data.covariate_table
    if covariates is not None and (table is None or name not in table.columns):
        frame = (
            read_table(Path(covariates)) if isinstance(covariates, str | Path) else as_table(covariates, "covariates")
        )
        table = key_by_subject(frame, data.subjects, "covariates")
    if table is None or name not in table.columns:
        raise SeqsaeError(
            f"cluster {name!r} is no covariate column; give one, or subjects.parquet with subject_id, cluster"
        )
    return table.select("subject", _cluster(table[name], "cluster"))


def _cluster_table(file: Path) -> pl.DataFrame:
    table = read_parquet(file)
    if not {"subject_id", "cluster"} <= set(table.columns):
        raise SeqsaeError(f"{file}: needs the columns subject_id and cluster, found {', '.join(table.columns)}")
    return table.select("subject_id", _cluster(table["cluster"], str(file)))


def _cluster(column: pl.Series, where: str) -> pl.Series:
    """A column as the text column `cluster`."""
    if not plain(column):
        raise SeqsaeError(f"{where}: {column.name!r} is {column.dtype}, not text or numbers; convert it first")
    return column.cast(pl.String).alias("cluster")
