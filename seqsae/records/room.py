"""The records room: a source is read once, checked, and written to the shelf as plain tables."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from seqsae import plugins, schema, shelf
from seqsae.config import RecordsConfig
from seqsae.errors import SeqsaeError
from seqsae.records import companions
from seqsae.records.data import Dataset, with_splits
from seqsae.records.labels import with_labels
from seqsae.records.reading import read_source
from seqsae.records.sampling import sampled

TABLES = ("subjects", "annotations", "splits", "truth_spans", "code_table")  # each of the schema of its name


def gather(config: RecordsConfig) -> Dataset:
    """The data that a records config names. Raises SeqsaeError in one line for whatever is wrong with it."""
    source = plugins.find("sources", config.source)
    try:
        found = source(config.path, **config.options)
    except (TypeError, ValueError) as cause:
        raise SeqsaeError(f"source {config.source!r}: {cause}") from cause
    whole = isinstance(found, Dataset)
    read = companions.with_covariates if whole else read_source
    data = read(found if whole else Path(found), config.covariates, config.covariate_schema)
    data = with_labels(data, config.labels)
    data = companions.with_cluster(data, config.cluster, config.covariates)
    return with_splits(sampled(data, config.limit, config.split_salt), config.split_salt)


def keep(config: RecordsConfig, out: Path | str) -> shelf.Artefact:
    """The records artefact at `out`, made anew if the data's bytes or the options have changed."""
    data = gather(config)
    whole = {"limit"} if config.limit is None else set()
    options = config.model_dump(mode="json", exclude={"path", "covariates", "covariate_schema", "labels"} | whole)
    return shelf.stage(out, "records", options, {"data": fingerprint(data)}, lambda work: write(data, work))


def fingerprint(data: Dataset) -> str:
    """Hex SHA-256 over everything in a Dataset: tables, documents and items."""
    tables = {name: _flat(frame) for name, frame in _tables(data).items() if frame is not None}
    hashes = {name: shelf.hash_table(frame) for name, frame in tables.items()}
    items = (
        None
        if data.items is None
        else [repr(sorted((key, _plain(value)) for key, value in item.items())) for item in data.items]
    )
    return shelf.digest(
        {"kind": data.kind, "tables": hashes, "schema": data.covariate_schema, "truth": data.truth, "items": items}
    )


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists of text as one text, since equal lists may lie differently in memory."""
    lists = [name for name, kind in frame.schema.items() if kind == pl.List(pl.String)]
    return frame.with_columns(pl.col(name).list.join("\0") for name in lists)


def _plain(value) -> object:
    if isinstance(value, dict):
        return sorted((str(key), _plain(part)) for key, part in value.items())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _tables(data: Dataset) -> dict:
    fixed = {name: getattr(data, name) for name in TABLES}
    labels = {f"labels/{name}": frame for name, frame in data.labels.items()}
    return {data.kind: data.table, "covariates": data.covariate_table, **fixed, **labels}


def write(data: Dataset, folder: Path) -> None:
    """Every table of a Dataset as parquet, every document as JSON, under `folder`."""
    if data.kind == "items":
        raise SeqsaeError("items live in the caller's memory; only events and sequences are written to records/")
    for name, frame in _tables(data).items():
        if frame is not None:
            path = folder / f"{name}.parquet"
            path.parent.mkdir(exist_ok=True)
            shelf.write_table(path, frame)
    shelf.write_json(folder / "covariates.schema.json", data.covariate_schema)
    if data.truth is not None:
        shelf.write_json(folder / "truth.json", data.truth)


def load(artefact: shelf.Artefact) -> Dataset:
    """The Dataset that `write` left in a records artefact."""
    import json

    def table(name: str, kind: str | None = None):
        if not artefact.has(f"{name}.parquet"):
            return None
        frame = artefact.table(f"{name}.parquet")
        return schema.check_table(frame, kind, f"{artefact.path / name}.parquet") if kind else frame

    def document(name: str):
        return json.loads(artefact.file(name).read_text()) if artefact.has(name) else None

    kind = "events" if artefact.has("events.parquet") else "sequences"
    data = Dataset(kind, table("subjects", "subjects"), table(kind, kind), covariate_table=table("covariates"))
    labels = {path.stem: table(f"labels/{path.stem}", "labels") for path in artefact.files("labels/")}
    fixed = {name: table(name, name) for name in TABLES}
    return replace(
        data,
        **fixed,
        labels=labels,
        truth=document("truth.json"),
        covariate_schema=document("covariates.schema.json") or {"covariates": []},
    )


def check_alone(room: RecordsConfig) -> None:
    """Raises SeqsaeError if other data would be read beside companions of the config's own."""
    for name in ("covariates", "covariate_schema", "labels"):
        if getattr(room, name):
            raise SeqsaeError(
                f"--data: the config also names records.{name}, which belongs to other data; keep it beside the data"
            )
