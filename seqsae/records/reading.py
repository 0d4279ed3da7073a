"""`seqsae.dataset`: the data of a study from a path or a list of dicts, with the tables that belong to it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.records import companions, meds, sequences
from seqsae.records.data import Dataset, subjects_table, with_splits
from seqsae.records.labels import beside, with_labels


def dataset(
    source: Any,
    covariates: pl.DataFrame | str | Path | None = None,
    labels: Mapping[str, Any] | Iterable[str | Path] | None = None,
    cluster: str | Mapping | None = None,
    covariate_schema: dict | str | Path | None = None,
    split_salt: str = "seqsae",
) -> Dataset:
    """The data of a study.

    Args:
        source: a list of dicts (the caller's own items, handed to the model's collate; `subject_id` names them, else
            their index does; `token` and `time` lists are carried along), or a path: a MEDS folder, a FASTA or parquet
            file of sequences, or a folder that holds one of these beside covariates.parquet, annotations.parquet, ...
        covariates: table or path, keyed by `subject_id`.
        labels: label tables (MEDS LabelSchema) or their paths by view name, or paths alone; a path is a parquet file or a
            folder of them.
        cluster: covariate column (household, homology cluster) that splits must keep whole; default: each subject alone.
        covariate_schema: document or path of the covariate schema; without one the types are proposed, and said.
    Raises:
        SeqsaeError: in one line, whatever is wrong with the input.
    """
    if isinstance(source, list | tuple):
        data = companions.with_covariates(_of_items(list(source)), covariates, covariate_schema)
    else:
        data = read_source(local(source), covariates, covariate_schema)
    data = with_labels(data, labels)
    return with_splits(companions.with_cluster(data, cluster, covariates), split_salt)


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
    typing = folder / "covariates.schema.json"
    if table is None and document is None and typing.is_file():
        document = typing
    data = with_labels(companions.with_neighbours(data, folder), beside(folder))
    return companions.with_covariates(data, table, document)


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


def _of_items(items: list) -> Dataset:
    if not items:
        raise SeqsaeError("dataset: the list is empty; give one dict a subject")
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise SeqsaeError(f"dataset: item {index} is {type(item).__name__}, not a dict; give one dict a subject")
    names = [item.get("subject_id", index) for index, item in enumerate(items)]
    return Dataset("items", subjects_table(names, "items"), items=[dict(item) for item in items])
