"""The data of a study in memory: subjects, their records, covariates, annotations, splits, labels."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.records.covariates import Covariates
from seqsae.records.record import Record
from seqsae.records.splits import assign, from_meds


@dataclass(frozen=True)
class Dataset:
    """Who is in the study and what is known of them. `data[subject]` is a Record; tables are keyed by `subject`."""

    kind: str
    """events, sequences or items."""
    subjects: pl.DataFrame
    """Schema `subjects`."""
    table: pl.DataFrame | None = None
    """Schema `events` or `sequences`; None for items."""
    items: list[dict] | None = None
    """The caller's own dicts, one a subject."""
    covariate_table: pl.DataFrame | None = None
    """subject and one typed column a covariate: strings for binary and categorical, numbers otherwise."""
    covariate_schema: dict = field(default_factory=lambda: {"covariates": []})
    """Schema document `covariates`."""
    annotations: pl.DataFrame | None = None
    """Schema `annotations`."""
    splits: pl.DataFrame | None = None
    """Schema `splits`."""
    meds_split: list[str | None] | None = None
    """[subjects] split as MEDS calls it, where the source brings one; made into `splits` once clusters are known."""
    labels: dict[str, pl.DataFrame] = field(default_factory=dict)
    """View name to label table (schema `labels`)."""
    code_table: pl.DataFrame | None = None
    """Schema `code_table`: what codes are called, where the source says it."""
    truth: dict | None = None
    """Planted truth (schema `truth`), for synthetic data."""
    truth_spans: pl.DataFrame | None = None
    """Schema `truth_spans`."""

    @property
    def covariates(self) -> Covariates:
        """All that features may be tied to, as `associate` takes it."""
        return Covariates(
            table=self.covariate_table,
            schema=self.covariate_schema,
            annotations=self.annotations,
            labels=self.labels,
            truth=self.truth,
            truth_spans=self.truth_spans,
            code_table=self.code_table,
        )

    def __len__(self) -> int:
        return len(self.subjects)

    def __iter__(self) -> Iterator[Record]:
        return (self[subject] for subject in range(len(self)))

    def __getitem__(self, subject: int) -> Record:
        name = self._names[subject]
        if self.kind == "items":
            return Record(subject, name, item=self.items[subject])
        if self.kind == "sequences":
            return Record(subject, name, sequence=self._columns["sequence"][subject])
        low, high = self._bounds[subject], self._bounds[subject + 1]
        columns = {key: self._columns[key][low:high] for key in ("time", "code", "numeric_value")}
        return Record(subject, name, **columns)

    def in_split(self, *splits: str) -> np.ndarray:
        """Subjects [n] of the named splits, ascending."""
        return self.splits.filter(pl.col("split").is_in(splits))["subject"].to_numpy()

    @cached_property
    def _names(self) -> list:
        return self.subjects["subject_id"].to_list()

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        if self.kind == "sequences":
            return {"sequence": self.table["sequence"].to_numpy()}
        return {
            "time": self.table["time"].to_numpy(),
            "code": self.table["code"].to_numpy(),
            "numeric_value": self.table["numeric_value"].fill_null(float("nan")).to_numpy(),
        }

    @cached_property
    def _bounds(self) -> np.ndarray:
        return np.searchsorted(self.table["subject"].to_numpy(), np.arange(len(self) + 1))


def with_splits(data: Dataset, salt: str) -> Dataset:
    """`data` with splits by hash of the cluster, unless the source brought its own."""
    if data.splits is not None:
        return data
    if data.meds_split is not None:
        return replace(data, splits=from_meds(data.subjects, data.meds_split))
    return replace(data, splits=assign(data.subjects, salt))


def subjects_table(names: list, dataset_name: str, cluster: list[str] | None = None) -> pl.DataFrame:
    """Schema `subjects` from identifiers. Raises SeqsaeError if one stands twice or they are of mixed types."""
    kinds = {type(name) for name in names}
    if not (kinds <= {int} or kinds <= {str}):
        raise SeqsaeError(
            f"{dataset_name}: subject_id must be all integers or all strings, found {sorted(kind.__name__ for kind in kinds)}"
        )
    column = pl.Series("subject_id", names, dtype=pl.Int64 if kinds <= {int} else pl.String)
    twice = column.filter(column.is_duplicated())
    if len(twice):
        raise SeqsaeError(f"{dataset_name}: subject_id {twice[0]!r} stands twice; give each subject one entry")
    n = len(names)
    table = pl.DataFrame(
        {
            "subject": pl.arange(0, n, eager=True, dtype=pl.UInt32),
            "subject_id": column,
            "dataset": pl.Series([dataset_name] * n, dtype=pl.String),
            "cluster": pl.Series(cluster or [f"{name}" for name in names], dtype=pl.String),
        }
    )
    return schema.check_table(table, "subjects", dataset_name)


def key_by_subject(table: pl.DataFrame, subjects: pl.DataFrame, where: str) -> pl.DataFrame:
    """`table` with `subject` in the place of `subject_id`, rows of unknown subjects left out.

    Raises:
        SeqsaeError: no `subject_id` column, one of values that are no names, or none of them is a subject of the study.
    """
    if "subject_id" not in table.columns:
        raise SeqsaeError(f"{where}: no column 'subject_id'; found {', '.join(table.columns[:6])}")
    named = table["subject_id"][:1].to_list()
    table = table.with_columns(_ids(table["subject_id"], where))
    ids = subjects.select("subject", "subject_id")
    if table["subject_id"].dtype != ids["subject_id"].dtype:
        table = table.with_columns(pl.col("subject_id").cast(pl.String))
        ids = ids.with_columns(pl.col("subject_id").cast(pl.String))
    table = table.drop("subject", strict=False)  # a column of the caller's own by that name is not ours
    joined = table.join(ids, on="subject_id", how="inner", maintain_order="left")
    if len(table) and not len(joined):
        given, wanted = named[0], subjects["subject_id"][0]
        raise SeqsaeError(
            f"{where}: none of its {len(table)} subject_id values is one of the data ({given!r} here, {wanted!r} there); use the same"
        )
    return joined.drop("subject_id").select("subject", pl.exclude("subject"))


def _ids(column: pl.Series, where: str) -> pl.Series:
    """Identifiers as int64 or text, as `subjects` has them; a whole number too large for any subject as null."""
    if not column.dtype.is_numeric() and column.dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null, pl.Boolean):
        raise SeqsaeError(f"{where}: 'subject_id' is {column.dtype}, not whole numbers or text; convert it first")
    return column.cast(pl.Int64, strict=False) if column.dtype.is_integer() else column
