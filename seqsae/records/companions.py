"""What lies beside the data: covariates, clusters, annotations, label tables, planted truth."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records import covariates as cov
from seqsae.records import meds, sequences
from seqsae.records.data import Dataset, key_by_subject
from seqsae.shelf import read_parquet


def read_source(path: Path, covariates: Any = None, document: Any = None) -> Dataset:
    """Data from a path, recognised by what is there, with the companion tables of its folder.

    Args:
        covariates, document: covariate table and schema (see `with_covariates`) in the place of those beside the data.
    Raises:
        SeqsaeError: nothing there that can be read, naming what would be.
    """
    if (path / "data").is_dir():
        data, folder = meds.read(path), path
    else:
        file = _sequence_file(path)
        data, folder = sequences.read(file), file.parent
    found = (folder / f"covariates.{kind}" for kind in ("parquet", "csv"))
    table = covariates if covariates is not None else next((file for file in found if file.is_file()), None)
    beside = folder / "covariates.schema.json"
    if table is None and document is None and beside.is_file():
        document = beside
    return with_covariates(_beside(data, folder), table, document)


def local(path: Path | str | None) -> Path:
    """The built-in sources `meds`, `fasta` and `sequences`: what stands at the path, recognised by what it is."""
    if path is None:
        raise SeqsaeError("this source needs a path; give records.path in the config, or --data")
    if not Path(path).exists():
        raise SeqsaeError(f"{path}: no such file or folder; check the path")
    return Path(path)


def _sequence_file(path: Path) -> Path:
    if path.is_file():
        return path
    for file in sorted(path.iterdir()):
        if file.name == "sequences.parquet" or file.name.removesuffix(".gz").endswith(sequences.FASTA):
            return file
    raise SeqsaeError(f"{path}: neither a MEDS folder (data/*.parquet) nor one with sequences.parquet or a .fasta file")


def _beside(data: Dataset, folder: Path) -> Dataset:
    """`data` with subjects.parquet (clusters), annotations, labels/ and truth of its folder, where they are."""
    if (folder / "subjects.parquet").is_file():
        data = with_cluster(data, _cluster_table(folder / "subjects.parquet"))
    if (folder / "annotations.parquet").is_file():
        data = replace(data, annotations=_annotations(data, folder / "annotations.parquet"))
    if (folder / "truth.json").is_file():
        truth = schema.check_document(_json(folder / "truth.json"), "truth", str(folder / "truth.json"))
        file = folder / "truth_spans.parquet"
        data = replace(data, truth=truth, truth_spans=schema.check_table(read_parquet(file), "truth_spans", str(file)))
    return with_labels(data, sorted((folder / "labels").glob("*.parquet")))


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise SeqsaeError(f"{path}: not valid JSON: {cause}") from None


def _annotations(data: Dataset, file: Path) -> pl.DataFrame:
    table = key_by_subject(read_parquet(file), data.subjects, str(file)).rename({"subject": "sample"})
    table = schema.check_table(table, "annotations", str(file)).sort(
        "sample", "start", "covariate", maintain_order=True
    )
    empty = table.filter(pl.col("end") <= pl.col("start"))
    if len(empty):
        raise SeqsaeError(
            f"{file}: an annotation of {empty['covariate'][0]!r} ends at {empty['end'][0]} where it starts; ends are one past the last"
        )
    return table


def with_covariates(data: Dataset, table: Any, document: Any) -> Dataset:
    """`data` with a covariate table (path or frame) and its schema (path, document or None).

    Raises:
        SeqsaeError: no schema beside a table given by path, or any fault of table and schema.
    """
    if table is None:
        return data if document is None else _token_level(data, document)
    where = str(table) if isinstance(table, str | Path) else "covariates"
    frame = cov.read_table(Path(table)) if isinstance(table, str | Path) else table
    keyed = key_by_subject(frame, data.subjects, where)
    lost = len(frame) - len(keyed)
    if lost:
        say(f"{where}: {lost} rows belong to no subject of the data and are left out")
    document = _schema_of(table, frame, document, where)
    _annotated(data, document, where)
    return replace(data, covariate_table=cov.typed(keyed, document, where), covariate_schema=document)


def _token_level(data: Dataset, document: Any) -> Dataset:
    """`data` with a schema of token-level covariates only, which need no table."""
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
    """Raises SeqsaeError if a token-level covariate of the schema is in no annotation."""
    known = set() if data.annotations is None else set(data.annotations["covariate"].unique())
    absent = [
        entry["name"] for entry in document["covariates"] if entry["level"] == "token" and entry["name"] not in known
    ]
    if absent:
        raise SeqsaeError(
            f"{where}: token-level covariate {absent[0]!r} is in no annotation; add annotations.parquet or drop it from the schema"
        )


def _schema_of(table: Any, frame: pl.DataFrame, document: Any, where: str) -> dict:
    if isinstance(document, Mapping):
        return cov.check_schema(dict(document), "covariate schema")
    if document is not None:
        return cov.read_schema(Path(document))
    if isinstance(table, str | Path):
        return cov.read_schema(Path(table).with_name("covariates.schema.json"))
    say(f"{where}: types proposed from the columns; write a covariate schema to decide them yourself")
    return cov.check_schema(cov.propose(frame), "covariates")


def with_cluster(data: Dataset, cluster: str | Mapping | pl.DataFrame | None, covariates: Any = None) -> Dataset:
    """`data` whose subjects carry a cluster: a covariate column's name, a mapping from subject_id, or a table."""
    if cluster is None:
        return data
    if isinstance(cluster, str):
        table = _cluster_column(data, cluster, covariates)
    else:
        if isinstance(cluster, Mapping):
            cluster = pl.DataFrame({"subject_id": list(cluster), "cluster": [str(value) for value in cluster.values()]})
        table = key_by_subject(cluster, data.subjects, "cluster")
        twice = table["subject"].filter(table["subject"].is_duplicated())
        if len(twice):
            name = data.subjects["subject_id"][int(twice[0])]
            raise SeqsaeError(f"cluster: subject_id {name!r} stands twice; give each subject one cluster")
    alone = pl.format("alone: {}", "subject_id")  # so that a lone subject never bears a household's name
    subjects = data.subjects.drop("cluster").join(table, on="subject", how="left", maintain_order="left")
    return replace(data, subjects=subjects.with_columns(pl.col("cluster").fill_null(alone)))


def _cluster_column(data: Dataset, name: str, covariates: Any) -> pl.DataFrame:
    """subject and `cluster` from a column of the covariate table as given, which need not be in its schema."""
    table = data.covariate_table
    if covariates is not None and (table is None or name not in table.columns):
        frame = cov.read_table(Path(covariates)) if isinstance(covariates, str | Path) else covariates
        table = key_by_subject(frame, data.subjects, "covariates")
    if table is None or name not in table.columns:
        raise SeqsaeError(
            f"cluster {name!r} is no covariate column; give one, or subjects.parquet with subject_id, cluster"
        )
    return table.select("subject", pl.col(name).cast(pl.String).alias("cluster"))


def _cluster_table(file: Path) -> pl.DataFrame:
    table = read_parquet(file)
    if not {"subject_id", "cluster"} <= set(table.columns):
        raise SeqsaeError(f"{file}: needs the columns subject_id and cluster, found {', '.join(table.columns)}")
    return table.select("subject_id", pl.col("cluster").cast(pl.String))


def with_labels(data: Dataset, labels: Mapping[str, Any] | Iterable[str | Path] | None) -> Dataset:
    """`data` with label tables: subject_id, prediction_time and values (MEDS LabelSchema), one view each."""
    if not labels:
        return data
    named = dict(labels) if isinstance(labels, Mapping) else {Path(path).stem: path for path in labels}
    tables = {name: _labels(data, name, table) for name, table in named.items()}
    return replace(data, labels={**data.labels, **tables})


def _labels(data: Dataset, name: str, table: Any) -> pl.DataFrame:
    where = f"labels {name!r}"
    if name == "full":
        raise SeqsaeError(
            "labels: a label table cannot be called 'full', which is the view of whole records; rename it"
        )
    if data.kind != "events":
        raise SeqsaeError(f"{where}: prediction times need events with times; this data has {data.kind}")
    frame = table if isinstance(table, pl.DataFrame) else read_parquet(Path(table))
    keyed = schema.check_table(key_by_subject(frame, data.subjects, where), "labels", where)
    first = (
        data.table.filter(pl.col("time").is_not_null() & (pl.col("code") != "MEDS_BIRTH"))
        .group_by("subject")
        .agg(pl.col("time").min().alias("first"))
    )
    known = keyed.join(first, on="subject", how="inner", maintain_order="left").filter(
        pl.col("prediction_time") >= pl.col("first")
    )
    lost = len(frame) - len(known)
    if not len(known):
        raise SeqsaeError(f"{where}: every prediction time is before its subject's first event; check the times")
    if lost:
        say(f"{where}: {lost} of {len(frame)} left out (unknown subject, or nothing known at the prediction time)")
    known = known.drop("first").unique(maintain_order=True).sort("subject", "prediction_time")
    twice = known.filter(pl.struct("subject", "prediction_time").is_duplicated())
    if len(twice):
        who, when = data.subjects["subject_id"][twice["subject"][0]], twice["prediction_time"][0]
        raise SeqsaeError(f"{where}: subject_id {who!r} has two different labels at {when}; keep one")
    return known
