"""Event tables in the MEDS v0.4 form: `data/**/*.parquet`, checked with the meds package's own schema."""

from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.records.data import Dataset, key_by_subject, subjects_table
from seqsae.shelf import read_parquet


def read(path: Path | str) -> Dataset:
    """A Dataset of events from a MEDS folder; its subject splits are kept if it has them.

    Raises:
        SeqsaeError: no data files, a file that is not MEDS, a subject in two files or in two places, events out of time order.
    """
    path = Path(path)
    files = sorted((path / "data").rglob("*.parquet")) if path.is_dir() else []
    if not files:
        raise SeqsaeError(f"{path}: no MEDS data there (no data/*.parquet); give the folder that holds data/")
    events = pl.concat([_file(file) for file in files], how="diagonal")
    _in_order(events, path)
    if not len(events):
        raise SeqsaeError(f"{path}: the data files hold no events; give a MEDS folder with events in data/")
    names = events["subject_id"].unique(maintain_order=True)
    if events["subject_id"].rle().len() != len(names):
        runs = events["subject_id"].rle().struct.field("value")
        twice = runs.filter(runs.is_duplicated())[0]
        raise SeqsaeError(
            f"{path}: subject {twice} stands in two places or files; sort by subject_id, one file a subject"
        )
    subjects = subjects_table(names.to_list(), path.resolve().name)
    table = key_by_subject(events, subjects, str(path)).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).over("subject").alias("event")
    )
    if "numeric_value" not in table.columns:
        table = table.with_columns(pl.lit(None, pl.Float32).alias("numeric_value"))
    columns = ["subject", "event", "time", "code", "numeric_value"]
    data = Dataset("events", subjects, schema.check_table(table.select(columns), "events", str(path)))
    return _with_splits(data, path / "metadata" / "subject_splits.parquet")


def _file(file: Path) -> pl.DataFrame:
    import pyarrow as pa
    from meds import DataSchema

    table = read_parquet(file)
    keep = [name for name in ("subject_id", "time", "code", "numeric_value") if name in table.columns]
    missing = {"subject_id", "time", "code"} - set(keep)
    if missing:
        raise SeqsaeError(f"{file}: no column {min(missing)!r}; MEDS needs subject_id, time, code")
    arrow = table.select(keep).to_arrow()
    plain = pa.table(
        {
            name: arrow[name].cast(pa.string())
            if name == "code" and pa.types.is_large_string(arrow[name].type)
            else arrow[name]
            for name in keep
        }
    )
    try:
        DataSchema.validate(plain)
    except Exception as cause:  # the package raises its own errors and Arrow's
        raise SeqsaeError(f"{file}: not MEDS v0.4: {cause}; see the MEDS DataSchema") from None
    return table.select(keep)


def _in_order(table: pl.DataFrame, file: Path) -> None:
    """Within a subject: static rows (null time) first, then times that never go back."""
    same = pl.col("subject_id") == pl.col("subject_id").shift(1)
    back = (pl.col("time") < pl.col("time").shift(1)) | (
        pl.col("time").is_null() & pl.col("time").shift(1).is_not_null()
    )
    wrong = table.with_row_index("at").filter(same & back)
    if len(wrong):
        raise SeqsaeError(
            f"{file}: row {wrong['at'][0]} of subject {wrong['subject_id'][0]} is earlier than the row before; "
            "sort by subject_id, time (static rows first)"
        )


def _with_splits(data: Dataset, file: Path) -> Dataset:
    from dataclasses import replace

    if not file.is_file():
        return data
    given = key_by_subject(read_parquet(file), data.subjects, str(file))
    unknown = sorted(set(given["split"].drop_nulls()) - {"train", "tuning", "held_out"})
    if unknown:
        raise SeqsaeError(f"{file}: unknown split {unknown[0]!r}; MEDS has train, tuning, held_out")
    if given["subject"].is_duplicated().any():
        raise SeqsaeError(f"{file}: a subject stands twice; keep one row a subject_id")
    split = data.subjects.join(given, on="subject", how="left", maintain_order="left")["split"].to_list()
    return replace(data, meds_split=split)
