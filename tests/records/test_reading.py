"""Sources as they are read: MEDS events, FASTA and parquet sequences, and the caller's own dicts."""

import gzip
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from conftest import events_table, write_events

import seqsae
from seqsae.errors import SeqsaeError

MEDS = {"subject_id": pl.Int64, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32}


def meds(folder, *files):
    """A MEDS folder from lists of (subject_id, year or None, code, value)."""
    (folder / "data").mkdir(parents=True)
    for number, rows in enumerate(files):
        rows = [(who, year and datetime(year, 1, 1), code, value) for who, year, code, value in rows]
        pl.DataFrame(rows, schema=MEDS, orient="row").write_parquet(folder / "data" / f"{number}.parquet")
    return folder


def test_events_are_numbered_in_order_with_the_static_rows_first(tmp_path):
    one = [(9, None, "SEX", None), (9, 2001, "a", 1.5), (9, 2001, "b", None), (9, 2003, "a", None)]
    data = seqsae.dataset(meds(tmp_path / "d", one, [(4, 1999, "c", None)]))
    assert data.subjects["subject_id"].to_list() == [9, 4], "internal numbers follow the files"
    assert data.table.select("subject", "event", "code").rows() == [
        (0, 0, "SEX"),
        (0, 1, "a"),
        (0, 2, "b"),
        (0, 3, "a"),
        (1, 0, "c"),
    ]
    record = data[0]
    assert np.isnat(record.time[0]) and record.time[3] == np.datetime64("2003-01-01")
    assert record.numeric_value[1] == 1.5 and np.isnan(record.numeric_value[[0, 2, 3]]).all()
    cut = record.until(np.datetime64("2001-01-01"))
    assert cut.code.tolist() == ["SEX", "a", "b"]
    assert [one.subject_id for one in data] == [9, 4] and len(data) == 2


def test_each_record_holds_its_own_events_and_no_other(tmp_path):
    data, table = seqsae.dataset(write_events(tmp_path / "d", 40)), events_table(40)
    for subject in range(40):
        mine = table.filter(pl.col("subject_id") == data[subject].subject_id)
        assert data[subject].code.tolist() == mine["code"].to_list()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ([[(1, 2001, "a", None), (1, 2000, "b", None)]], "row 1 of subject 1 is earlier"),
        ([[(1, 2001, "a", None), (2, 2001, "a", None)], [(1, 2002, "a", None)]], "subject 1 stands in two places"),
        ([[(1, 2005, "a", None)], [(1, 2001, "b", None)]], "subject 1"),
    ],
)
def test_events_out_of_order_or_over_two_files_are_refused(tmp_path, files, complaint):
    with pytest.raises(SeqsaeError, match=complaint):
        seqsae.dataset(meds(tmp_path / "d", *files))


@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize("given", [int, str])
def test_covariates_join_by_the_identifier_whatever_its_type(kind, given):
    names = [30, 10, 20]
    items = [{"subject_id": kind(name), "token": ["a"]} for name in names]
    table = pl.DataFrame({"subject_id": [given(name) for name in (10, 99, 20, 30)], "age": [1.0, 9.0, 2.0, 3.0]})
    data = seqsae.dataset(items, covariates=table)
    assert data.covariate_table.rows() == [(0, 3.0), (1, 1.0), (2, 2.0)]


def test_a_column_called_subject_is_not_taken_for_the_internal_number():
    items = [{"subject_id": f"p{i}", "token": ["a"]} for i in range(4)]
    table = pl.DataFrame({"subject_id": ["p0", "p1", "p2", "p3"], "subject": [3, 2, 1, 0], "age": [0.0, 1.0, 2.0, 3.0]})
    data = seqsae.dataset(
        items, covariates=table, covariate_schema={"covariates": [{"name": "age", "type": "continuous"}]}
    )
    assert data.covariate_table["age"].to_list() == [0, 1, 2, 3]


def test_identifiers_that_meet_nothing_stand_twice_or_are_mixed_are_refused():
    items = [{"subject_id": name} for name in ("a", "b")]
    with pytest.raises(SeqsaeError, match="none of its 2 subject_id values"):
        seqsae.dataset(items, covariates=pl.DataFrame({"subject_id": ["x", "y"], "age": [1.0, 2.0]}))
    with pytest.raises(SeqsaeError, match="subject_id .a. .1 in all. has two rows, which differ in age"):
        seqsae.dataset(items, covariates=pl.DataFrame({"subject_id": ["a", "a"], "age": [1.0, 2.0]}))
    with pytest.raises(SeqsaeError, match="'a' stands twice"):
        seqsae.dataset([{"subject_id": "a"}, {"subject_id": "a"}])
    with pytest.raises(SeqsaeError, match="all integers or all strings"):
        seqsae.dataset([{"subject_id": "a"}, {"subject_id": 1}])


@pytest.mark.parametrize("zipped", [False, True])
def test_fasta(tmp_path, zipped):
    text = ">one a description\nACD\r\nef g\n\n>two\nmkl*\n"
    path = tmp_path / ("s.fasta.gz" if zipped else "s.fasta")
    path.write_bytes(gzip.compress(text.replace(" g", "g").encode()) if zipped else text.replace(" g", "g").encode())
    data = seqsae.dataset(path)
    assert data.subjects["subject_id"].to_list() == ["one", "two"]
    assert [record.sequence for record in data] == ["ACDEFG", "MKL*"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ACD\n", "line 1: sequence before"),
        (">\nACD\n", "line 1: a header without"),
        (">a\nAC1\n", "holds '1'"),
        (">a\n>b\nAC\n", "'a' is empty"),
        ("", "no sequences"),
    ],
)
def test_fasta_that_is_none_is_refused(tmp_path, text, complaint):
    (tmp_path / "s.fasta").write_text(text)
    with pytest.raises(SeqsaeError, match=complaint):
        seqsae.dataset(tmp_path / "s.fasta")


@pytest.mark.parametrize("key", ["subject_id", "sequence_id"])
def test_parquet_sequences(tmp_path, key):
    pl.DataFrame({key: [7, 3], "sequence": ["acd", "MK"], "note": ["", ""]}).write_parquet(tmp_path / "x.parquet")
    data = seqsae.dataset(tmp_path / "x.parquet")
    assert data.subjects["subject_id"].to_list() == [7, 3] and [record.sequence for record in data] == ["ACD", "MK"]


def test_items_are_carried_as_they_are():
    items = [{"token": ["a", "b"], "other": object()}, {"token": ["c"], "other": None}]
    data = seqsae.dataset(items)
    assert data.subjects["subject_id"].to_list() == [0, 1] and data[0].item["other"] is items[0]["other"]
    with pytest.raises(SeqsaeError, match="item 1 is list"):
        seqsae.dataset([{}, []])


LABELS = {"prediction_time": pl.Datetime("us")}


def test_labels_keep_every_prediction_time_but_those_before_anything_is_known(tmp_path):
    data = seqsae.dataset(
        meds(
            tmp_path / "d",
            [(1, None, "s", None), (1, 2000, "MEDS_BIRTH", None), (1, 2001, "a", None), (2, 2005, "b", None)],
        )
    )
    moments = [(1, 2002), (1, 2001), (1, 2000), (2, 2004), (2, 2005), (3, 2005)]
    table = pl.DataFrame(
        {
            "subject_id": [who for who, _ in moments],
            "prediction_time": [datetime(year, 1, 1) for _, year in moments],
            "integer_value": range(6),
        },
        schema_overrides=LABELS,
    )
    kept = seqsae.dataset(tmp_path / "d", labels={"x": table}).labels["x"]
    assert [(who, time.year, value) for who, time, value in kept.rows()] == [(0, 2001, 1), (0, 2002, 0), (1, 2005, 4)]
    with pytest.raises(SeqsaeError, match="every prediction time is before"):
        seqsae.dataset(tmp_path / "d", labels={"x": table[2:4]})
    with pytest.raises(SeqsaeError, match="cannot be called 'full'"):
        seqsae.dataset(tmp_path / "d", labels={"full": table})
    assert data.labels == {}


def test_two_answers_to_one_question_are_refused(tmp_path):
    write_events(tmp_path / "d", 10)
    time = datetime(2001, 1, 1)
    table = pl.DataFrame(
        {"subject_id": [3, 3], "prediction_time": [time, time], "boolean_value": [True, False]}, schema_overrides=LABELS
    )
    with pytest.raises(SeqsaeError, match="labels 'x'"):
        seqsae.dataset(tmp_path / "d", labels={"x": table})
