"""One shard of a MEDS data set: its columns under MEDS v0.4's names and types, and a count of whatever was put right."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.schema import clipped
from seqsae.shelf import read_parquet

REQUIRED = ("subject_id", "time", "code")
CORE = (*REQUIRED, "numeric_value", "text_value")
BIRTH = "MEDS_BIRTH"
# Dates beyond these are no dates: NaT read as nanoseconds is 1677 or 2262, an open end is 9999. De-identified records
# of the old are shifted as far as 1800 and 2210, and stay.
EARLIEST, LATEST = datetime(1700, 1, 1), datetime(2250, 1, 1)


@dataclass
class Tally:
    """What reading has noticed, over all shards of a data set."""

    ignored: set[str] = field(default_factory=set)
    """Columns beyond those of MEDS."""
    cast: set[str] = field(default_factory=set)
    """What was stored in another type, in words."""
    empty: int = 0
    """Shards without rows."""
    rows: int = 0
    moved: int = 0
    """Static rows that stood behind dated ones of their subject."""
    impossible: int = 0
    """Rows dated before `EARLIEST` or from `LATEST` on, left out."""
    repeated: int = 0
    """Rows equal in every column read to an earlier one, kept."""
    unborn: int = 0
    """Rows dated before their subject's birth, kept."""

    def lines(self) -> list[str]:
        """Each thing noticed as a line, nothing if all is well."""
        said = {
            f"columns beyond MEDS are not read: {', '.join(sorted(self.ignored))}": self.ignored,
            f"stored otherwise than MEDS has it, and cast: {'; '.join(sorted(self.cast))}": self.cast,
            f"{self.empty:,} shards hold no rows": self.empty,
            f"{self.moved:,} rows without a time stood behind dated ones: moved to the front of their subject": self.moved,
            f"{self.impossible:,} of {self.rows:,} rows are dated before {EARLIEST.year} or from {LATEST.year} on: left out": self.impossible,
            f"{self.repeated:,} of {self.rows:,} rows repeat another one: kept, as MEDS allows them": self.repeated,
            f"{self.unborn:,} of {self.rows:,} rows are dated before their subject's {BIRTH}: kept": self.unborn,
        }
        return [line for line, counts in said.items() if counts]


def read(file: Path, tally: Tally) -> pl.DataFrame:
    """subject_id int64, time (us, UTC), code, numeric_value float32 of one shard, static rows of a subject first.

    Raises:
        SeqsaeError: not parquet, a column missing, of a type that is no such thing, or empty where it may not be, a
            subject in two places, events out of time order.
    """
    given = read_parquet(file, n_rows=0).schema
    missing = sorted(set(REQUIRED) - set(given))
    if missing:
        raise SeqsaeError(f"{file}: no column {missing[0]!r}; MEDS needs subject_id, time, code")
    tally.ignored |= set(given) - set(CORE)
    table = read_parquet(file, columns=[name for name in CORE[:4] if name in given])
    table = _typed(table, file, tally)
    tally.empty += not len(table)
    tally.rows += len(table)
    return _counted(_static_first(_possible(_contiguous(table, file), tally), file, tally), tally)


def utc(column: pl.Series) -> pl.Series:
    """Dates or datetimes of any unit and zone as microseconds UTC, those beyond all years as the last; other columns as they are."""
    if column.dtype not in (pl.Date, pl.Datetime):
        return column
    column = clipped(column)
    if column.dtype == pl.Date:
        return column.cast(pl.Datetime("us"))
    if column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.dt.cast_time_unit("us")


def possible(name: str) -> pl.Expr:
    """Whether a time is null or can be one."""
    return pl.col(name).is_null() | ((pl.col(name) >= EARLIEST) & (pl.col(name) < LATEST))


_TYPES = {
    "subject_id": (pl.Int64(), lambda kind: kind.is_integer(), "whole numbers (int64)"),
    "time": (pl.Datetime("us"), lambda kind: kind in (pl.Date, pl.Datetime), "timestamps"),
    "code": (pl.String(), lambda kind: kind in (pl.String, pl.Categorical, pl.Enum), "text"),
    "numeric_value": (pl.Float32(), lambda kind: kind.is_numeric(), "numbers (float32)"),
}
_UNSAID = (pl.Categorical, pl.Enum, pl.Null)  # another way to store the same thing


def _typed(table: pl.DataFrame, file: Path, tally: Tally) -> pl.DataFrame:
    if "numeric_value" not in table.columns:
        table = table.with_columns(pl.lit(None, pl.Float32).alias("numeric_value"))
    return pl.DataFrame([_column(table[name], file, tally) for name in _TYPES])


def _column(column: pl.Series, file: Path, tally: Tally) -> pl.Series:
    wanted, fits, words = _TYPES[column.name]
    kind = column.dtype
    if kind != wanted:
        if kind != pl.Null and not fits(kind):
            raise SeqsaeError(f"{file}: not MEDS v0.4: {column.name!r} is {kind}, not {words}; convert it first")
        try:
            column = utc(column).cast(wanted)
        except pl.exceptions.PolarsError:
            raise SeqsaeError(f"{file}: not MEDS v0.4: {column.name!r} holds what is no {wanted}; mend it") from None
        if kind not in _UNSAID:
            tally.cast.add(f"{column.name} from {kind}")
    if column.name in ("subject_id", "code") and column.null_count():
        raise SeqsaeError(
            f"{file}: not MEDS v0.4: {column.null_count():,} of {len(column):,} rows have no {column.name}; drop or fill them"
        )
    return column.fill_nan(None) if column.name == "numeric_value" else column


def _contiguous(table: pl.DataFrame, file: Path) -> pl.DataFrame:
    runs = table["subject_id"].rle().struct.field("value")
    twice = runs.filter(runs.is_duplicated())
    if len(twice):
        raise SeqsaeError(f"{file}: subject {twice[0]} stands in two places or files; sort by subject_id, time")
    return table.with_row_index("at")


def _possible(table: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    kept = table.filter(possible("time"))
    tally.impossible += len(table) - len(kept)
    return kept


def _static_first(table: pl.DataFrame, file: Path, tally: Tally) -> pl.DataFrame:
    """Rows without a time in front of their subject, where others put them last; times must never go back."""
    same = pl.col("subject_id") == pl.col("subject_id").shift(1)
    behind = pl.col("time").is_null() & (pl.col("time").is_not_null().cum_sum().over("subject_id") > 0)
    moved = int(table.select(behind.sum()).item() or 0)
    if moved:
        tally.moved += moved
        run, dated = pl.col("subject_id").rle_id().alias("run"), pl.col("time").is_not_null().alias("dated")
        table = table.with_columns(run, dated).sort("run", "dated", maintain_order=True).drop("run", "dated")
    wrong = table.filter(same & (pl.col("time") < pl.col("time").shift(1)))
    if len(wrong):
        raise SeqsaeError(
            f"{file}: row {wrong['at'][0]} of subject {wrong['subject_id'][0]} is earlier than the row before; "
            "sort by subject_id, time (static rows first)"
        )
    return table.drop("at")


def _counted(table: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    tally.repeated += len(table) - table.n_unique() if len(table) else 0
    is_birth = (pl.col("code") == BIRTH) | pl.col("code").str.starts_with(f"{BIRTH}//")
    born = pl.col("time").filter(is_birth).min().over("subject_id")
    tally.unborn += int(table.select((pl.col("time") < born).sum()).item() or 0)
    return table
