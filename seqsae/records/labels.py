"""Label tables (MEDS LabelSchema): each makes a view, whose input is cut at the prediction time, and a covariate of it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.data import Dataset, key_by_subject
from seqsae.records.meds import shards
from seqsae.records.meds_shard import BIRTH, possible, utc
from seqsae.shelf import read_parquet

VALUES = ("boolean_value", "integer_value", "float_value", "categorical_value")
SHOWN = 4


def beside(folder: Path) -> list[Path]:
    """The label tables in `folder`/labels: each parquet file, and each folder that holds some, is one."""
    found = sorted((folder / "labels").iterdir()) if (folder / "labels").is_dir() else []
    return [path for path in found if path.suffix == ".parquet" or (path.is_dir() and shards(path))]


def with_labels(data: Dataset, labels: Mapping[str, Any] | Iterable[str | Path] | None) -> Dataset:
    """`data` with label tables: subject_id, prediction_time and values of one kind; a view and a covariate each.

    Args:
        labels: tables or paths by view name, or paths alone: a parquet file, or a folder of them, named after itself.
    Raises:
        SeqsaeError: two tables of one name, or any fault of a table.
    """
    if not labels:
        return data
    given = list(labels.items()) if isinstance(labels, Mapping) else [(_view(Path(path)), path) for path in labels]
    names = [name for name, _ in given]
    for name in names:
        if names.count(name) > 1:
            raise SeqsaeError(f"labels: two tables are called {name!r}; rename one, since its name is the view's")
    tables = {name: _labels(data, name, table) for name, table in given}
    return replace(data, labels={**data.labels, **tables})


def _view(path: Path) -> str:
    return path.stem if path.suffix == ".parquet" else path.resolve().name


def _labels(data: Dataset, name: str, given: Any) -> pl.DataFrame:
    where = f"labels {name!r}"
    if name == "full":
        raise SeqsaeError(
            "labels: a label table cannot be called 'full', which is the view of whole records; rename it"
        )
    if data.kind != "events":
        raise SeqsaeError(f"{where}: prediction times need events with times; this data has {data.kind}")
    frame = _of_one_kind(given if isinstance(given, pl.DataFrame) else _read(Path(given)), where)
    keyed = schema.check_table(key_by_subject(frame, data.subjects, where), "labels", where)
    known = _known(data, keyed, len(frame), where).unique(maintain_order=True).sort("subject", "prediction_time")
    twice = known.filter(pl.struct("subject", "prediction_time").is_duplicated())
    if len(twice):
        who, when = data.subjects["subject_id"][twice["subject"][0]], twice["prediction_time"][0]
        raise SeqsaeError(f"{where}: subject_id {who!r} has two different labels at {when}; keep one")
    return known


def _read(path: Path) -> pl.DataFrame:
    if not path.is_dir():
        return read_parquet(path)
    files = shards(path)
    if not files:
        raise SeqsaeError(f"{path}: no label tables there (no *.parquet); give a parquet file or a folder of them")
    tables = [read_parquet(file) for file in files]
    try:
        return pl.concat([table for table in tables if len(table)] or tables[:1], how="diagonal_relaxed")
    except pl.exceptions.PolarsError as cause:
        reason = str(cause).splitlines()[0]
        raise SeqsaeError(f"{path}: its files do not fit together ({reason}); give all the same columns") from None


def _of_one_kind(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """subject_id, prediction_time (us, UTC) and the one column of values that is filled; other columns are told."""
    if not len(frame):
        raise SeqsaeError(f"{where}: holds no rows; give labels, or take the table out")
    known = ("subject_id", "prediction_time", *VALUES)
    extra = [name for name in frame.columns if name not in known]
    if extra:
        say(f"{where}: columns beyond MEDS labels are not read: {', '.join(sorted(extra)[:SHOWN])}")
    filled = [name for name in VALUES if name in frame.columns and frame[name].null_count() < len(frame)]
    if len(filled) > 1:
        raise SeqsaeError(f"{where}: two kinds of values, {filled[0]} and {filled[1]}; keep one, or make two tables")
    if "float_value" in filled and frame["float_value"].cast(pl.Float64, strict=False).is_infinite().any():
        raise SeqsaeError(f"{where}: float_value holds an infinite value; leave it empty")
    frame = frame.select(name for name in known if name in frame.columns and (name not in VALUES or name in filled))
    if filled and frame[filled[0]].null_count():
        say(f"{where}: {frame[filled[0]].null_count():,} of {len(frame):,} prediction times have no value")
    return frame.with_columns(utc(frame["prediction_time"])) if "prediction_time" in frame.columns else frame


def _known(data: Dataset, keyed: pl.DataFrame, given: int, where: str) -> pl.DataFrame:
    """The labels of subjects of the data, at a possible time from their first event on; the others are counted and said.

    Raises:
        SeqsaeError: none is left.
    """
    dated = pl.col("time").is_not_null() & (pl.col("code") != BIRTH) & ~pl.col("code").str.starts_with(f"{BIRTH}//")
    first = data.table.filter(dated).group_by("subject").agg(pl.col("time").min().alias("first"))
    dated = keyed.filter(possible("prediction_time"))
    known = dated.join(first, on="subject", how="left", maintain_order="left")
    known = known.filter(pl.col("prediction_time") >= pl.col("first")).drop("first")
    lost = {
        "of unknown subjects": given - len(keyed),
        "at impossible times": len(keyed) - len(dated),
        "before their subject's first event": len(dated) - len(known),
    }
    why = ", ".join(f"{n:,} {reason}" for reason, n in lost.items() if n)
    if not len(known):
        only = why if list(lost.values())[:2] != [0, 0] else ""
        raise SeqsaeError(
            f"{where}: every prediction time is before its subject's first event{only and f' or unusable ({only})'}; check the times"
        )
    if why:
        say(f"{where}: {sum(lost.values()):,} of {given:,} left out: {why}")
    return known
