"""Annotations beside the data: what is no place is named by column and row, and what is given twice counts once."""

import polars as pl
import pytest
from conftest import events_table, write_events

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records.companions_spans import with_places


@pytest.fixture
def folder(tmp_path):
    return write_events(tmp_path / "d", 12)


def spans(**changes):
    """Three annotations of the first two subjects."""
    who = events_table(12)["subject_id"].unique(maintain_order=True)
    subjects = [who[0], who[0], who[1]]
    table = {"subject_id": subjects, "start": [0, 1, 0], "end": [2, 3, 1], "covariate": ["c"] * 3, "value": ["v"] * 3}
    return pl.DataFrame(table).with_columns(**changes)


PLACES = {
    "a fraction": ({"end": pl.Series([2.0, 2.5, 1.0])}, "row 2: column 'end' holds 2.5 ('c' from 1 to 2.5 in"),
    "an exact fraction": ({"start": pl.lit("0.5").cast(pl.Decimal(4, 2))}, "row 1: column 'start' holds 0.50"),
    "no number": ({"end": pl.Series([2.0, float("nan"), 1.0])}, "row 2: column 'end' holds nan"),
    "without end": ({"end": pl.Series([2.0, 3.0, float("inf")])}, "row 3: column 'end' holds inf"),
    "a switch": ({"start": pl.lit(False)}, "row 1: column 'start' is Boolean, no number"),
    "text": ({"end": pl.Series(["2", "3", "1"])}, "row 1: column 'end' is String, no number"),
    "lists": ({"end": pl.concat_list("end")}, "row 1: column 'end' is List(Int64), no number"),
    "a day": ({"start": pl.lit("2020-01-01").str.to_date()}, "row 1: column 'start' is Date, no number"),
    "nothing": ({"start": pl.Series([0, 1, None])}, "row 3: column 'start' is empty"),
    "below 0": ({"start": pl.Series([0, -1, 0])}, "row 2: column 'start' holds -1 ('c' from -1 to 3 in"),
    "beyond 32 bits": ({"end": pl.Series([2, 3, 2**33])}, "row 3: column 'end' holds 8589934592"),
    "reversed": ({"start": pl.Series([0, 3, 0]), "end": pl.Series([2, 1, 1])}, "row 2: 'c' from 3 to 1 in"),
    "empty": ({"start": pl.Series([0, 3, 0])}, "row 2: 'c' from 3 to 3 in"),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_is_no_place_is_named_by_file_row_and_column(folder, case):
    changes, says = PLACES[case]
    file = folder / "annotations.parquet"
    spans(**changes).write_parquet(file)
    with pytest.raises(SeqsaeError) as refused:
        seqsae.dataset(folder)
    told = str(refused.value)
    assert told.startswith(f"{file}, {says}") and told.endswith("ends one past the last") and "\n" not in told


def test_whole_numbers_of_any_type_are_places_and_none_at_all_are_no_error():
    for kind in (pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(9, 3)):
        read = with_places(spans().cast({"start": kind, "end": kind}), "t")
        assert read.schema["start"] == pl.UInt32 and read["end"].to_list() == [2, 3, 1]
    nobody = with_places(spans()[:0].cast({"start": pl.String}), "t")
    assert len(nobody) == 0 and nobody.schema["start"] == pl.UInt32


def test_an_annotation_beyond_its_record_is_named_with_its_span(folder):
    spans(end=pl.Series([2, 3, 999])).write_parquet(folder / "annotations.parquet")
    with pytest.raises(SeqsaeError, match=r"'c' from 0 ends at 999, but subject .* events or residues; mend it"):
        seqsae.dataset(folder)


def test_what_is_given_twice_counts_once_whatever_else_its_rows_say_and_that_is_told(folder, capsys):
    spans(instance=pl.Series([0, 1, 2])).write_parquet(folder / "annotations.parquet")
    once = seqsae.dataset(folder).annotations
    more = [spans(instance=pl.lit(n, dtype=pl.Int64)) for n in (7, 8)]
    other = spans(value=pl.lit("w"), instance=pl.lit(9, dtype=pl.Int64))[:1]
    pl.concat([spans(instance=pl.Series([0, 1, 2])), *more, other]).write_parquet(folder / "annotations.parquet")
    capsys.readouterr()
    with shown():
        again = seqsae.dataset(folder).annotations
    assert "6 annotations repeat another one (same subject, place and value)" in capsys.readouterr().err
    assert again.filter(pl.col("value") == "v").equals(once) and len(again) == 4
