"""Event data sets in the MEDS v0.4 form, whoever made them: `data/**/*.parquet` and what `metadata/` says of them.

Whatever is cast, moved, left out or odd is counted over the shards and said once; what cannot be read is refused.
"""

from dataclasses import replace
from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records import code_table, meds_shard
from seqsae.records.data import Dataset, key_by_subject, subjects_table
from seqsae.shelf import read_parquet

SPLITS = ("train", "tuning", "held_out")


def read(path: Path | str) -> Dataset:
    """A Dataset of events from a MEDS folder, with its code table and its subject splits if it has them.

    Raises:
        SeqsaeError: no data files, a file that is not MEDS, a subject in two files or in two places, events out of time order.
    """
    path = Path(path)
    events = _events(path)
    subjects = subjects_table(events["subject_id"].unique(maintain_order=True).to_list(), path.resolve().name)
    number = pl.int_range(pl.len(), dtype=pl.UInt32).over("subject").alias("event")
    table = key_by_subject(events, subjects, str(path)).with_columns(number)
    table = table.select("subject", "event", "time", "code", "numeric_value")
    data = Dataset("events", subjects, schema.check_table(table, "events", str(path)))
    data = replace(data, code_table=code_table.read(path / "metadata" / "codes.parquet", data.table["code"]))
    return _with_splits(data, path / "metadata" / "subject_splits.parquet")


def _events(path: Path) -> pl.DataFrame:
    files = shards(path / "data") if path.is_dir() else []
    if not files:
        raise SeqsaeError(f"{path}: no MEDS data there (no data/*.parquet); give the folder that holds data/")
    tally = meds_shard.Tally()
    tables = [meds_shard.read(file, tally) for file in files]
    for line in tally.lines():
        say(f"{path}: {line}")
    _one_file_a_subject(tables, files)
    events = pl.concat(tables)
    if not len(events):
        raise SeqsaeError(f"{path}: the data files hold no events; give a MEDS folder with events in data/")
    return events


def shards(folder: Path) -> list[Path]:
    """The parquet files under `folder` however deep, sorted, without those whose name or folder starts with a dot."""
    found = sorted(folder.rglob("*.parquet"))
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _one_file_a_subject(tables: list[pl.DataFrame], files: list[Path]) -> None:
    owners = [
        table.select(pl.col("subject_id").unique(maintain_order=True)).with_columns(file=pl.lit(number))
        for number, table in enumerate(tables)
    ]
    twice = pl.concat(owners).filter(pl.col("subject_id").is_duplicated())
    if len(twice):
        who = twice["subject_id"][0]
        first, second = twice.filter(pl.col("subject_id") == who)["file"].to_list()[:2]
        raise SeqsaeError(
            f"{files[second]}: subject {who} stands in two places or files, also in {files[first]}; keep one file a subject"
        )


def _with_splits(data: Dataset, file: Path) -> Dataset:
    """`data` with its MEDS splits; subjects of a split by another name, or of none, serve calibration alone."""
    if not file.is_file():
        return data
    table = read_parquet(file)
    if "split" not in table.columns:
        raise SeqsaeError(f"{file}: no column 'split'; MEDS has subject_id and split ({', '.join(SPLITS)})")
    if table["split"].dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise SeqsaeError(f"{file}: 'split' is {table['split'].dtype}, not text; give {', '.join(SPLITS)}")
    given = key_by_subject(table, data.subjects, str(file)).select("subject", pl.col("split").cast(pl.String))
    if given["subject"].is_duplicated().any():
        raise SeqsaeError(f"{file}: a subject stands twice; keep one row a subject_id")
    others = sorted(set(given["split"].drop_nulls()) - set(SPLITS))
    if others and len(set(given["split"]) & set(SPLITS)) < len(SPLITS):
        raise SeqsaeError(f"{file}: unknown split {others[0]!r}; all of {', '.join(SPLITS)} are needed: rename yours")
    split = data.subjects.join(given, on="subject", how="left", maintain_order="left")["split"]
    split = split.set(~split.is_in(SPLITS).fill_null(False), None)
    if split.null_count():
        why = f" (splits by other names: {', '.join(others)})" if others else ""
        say(f"{file}: {split.null_count():,} of {len(split):,} subjects are in none of {', '.join(SPLITS)}{why}")
    return replace(data, meds_split=split.to_list())
