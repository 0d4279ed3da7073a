"""Annotations beside the data: every place checked row by row, and each annotation counted once."""

from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.files import read_parquet
from seqsae.progress import say
from seqsae.records.data import Dataset, key_by_subject

SAME = ("start", "end", "covariate", "value")  # two rows that agree in these and in the subject say the same
MEND = "places are whole numbers from 0 on, ends one past the last"


def annotations(data: Dataset, file: Path) -> pl.DataFrame:
    """Schema `annotations` of a parquet file with `subject_id` in the place of `sample`, in the order of the subjects.

    Raises:
        SeqsaeError: what is wrong with it; of a place, with its column and row, or the record that it does not lie in.
    """
    given = read_parquet(file).drop("sample", strict=False)  # a column of the caller's own by that name is not ours
    given = with_places(given, str(file))
    table = key_by_subject(given, data.subjects, str(file)).rename({"subject": "sample"})
    if len(given) > len(table):
        say(f"{file}: {len(given) - len(table):,} annotations belong to no subject of the data and are left out")
    table = schema.check_table(table, "annotations", str(file))
    _within_records(table, data, file)
    return once(table, "sample", str(file)).sort("sample", "start", "covariate", maintain_order=True)


def with_places(table: pl.DataFrame, where: str) -> pl.DataFrame:
    """`table` with `start` and `end`, where it has them, as uint32.

    Raises:
        SeqsaeError: naming column and row, counted from 1, of what is no whole number from 0 on, or of a span that ends where
            it starts or before.
    """
    names = [name for name in ("start", "end") if name in table.columns]
    table = table.with_columns([_whole_numbers(table, name, where) for name in names])
    if len(names) == 2 and (empty := table["end"] <= table["start"]).any():
        row = int(empty.arg_max())
        raise SeqsaeError(f"{where}, row {row + 1}: {_span(table, row)} is {_shape(table, row)}; {MEND}")
    return table


def once(table: pl.DataFrame, subject: str, where: str) -> pl.DataFrame:
    """`table` without the rows that say of the same place of one subject what a row before them says; how many is told.

    Args:
        subject: name of the column that holds the subject.
    """
    kept = table.unique([subject, *SAME], keep="first", maintain_order=True)
    if len(kept) < len(table):
        n = len(table) - len(kept)
        say(f"{where}: {n:,} annotations repeat another one (same subject, place and value) and are not counted again")
    return kept


def _whole_numbers(table: pl.DataFrame, name: str, where: str) -> pl.Series:
    column = table[name]
    if column.is_empty():
        return pl.Series(name, [], dtype=pl.UInt32)
    if not column.dtype.is_numeric() and column.dtype != pl.Null:
        raise SeqsaeError(f"{where}, row 1: column {name!r} is {column.dtype}, no number ({_span(table, 0)}); {MEND}")
    whole = column.cast(pl.UInt32, strict=False)
    odd = (whole.cast(pl.Float64) != column.cast(pl.Float64)).fill_null(True)
    if odd.any():
        row = int(odd.arg_max())
        found = "is empty" if column[row] is None else f"holds {column[row]}"
        raise SeqsaeError(f"{where}, row {row + 1}: column {name!r} {found} ({_span(table, row)}); {MEND}")
    return whole


def _span(table: pl.DataFrame, row: int) -> str:
    """What a row says, for errors."""
    given = table.row(row, named=True)
    place = f"{given.get('covariate')!r} from {given.get('start')} to {given.get('end')}"
    return f"{place} in {given['subject_id']!r}" if "subject_id" in given else place


def _shape(table: pl.DataFrame, row: int) -> str:
    return "empty" if table["start"][row] == table["end"][row] else "reversed"


def _within_records(table: pl.DataFrame, data: Dataset, file: Path) -> None:
    """Raises SeqsaeError for an annotation that ends behind the last event or residue of its record."""
    size = pl.col("sequence").str.len_chars() if data.kind == "sequences" else pl.len()
    sizes = data.table.group_by("subject").agg(size.sum().alias("size"))
    spans = table.select("sample", "covariate", "start", "end")  # a column of the caller's own may be called size
    long = spans.join(sizes, left_on="sample", right_on="subject").filter(pl.col("end") > pl.col("size"))
    if len(long):
        first = long.row(0, named=True)
        raise SeqsaeError(
            f"{file}: an annotation of {first['covariate']!r} from {first['start']} ends at {first['end']}, but subject "
            f"{data.subjects['subject_id'][first['sample']]!r} has {first['size']} events or residues; mend it"
        )
