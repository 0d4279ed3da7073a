"""MEDS data sets of other people's making: what is read as it is, put right and counted, or refused in one line."""

from datetime import UTC, date, datetime

import meds as standard
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from records import clinical

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.progress import shown

ROWS = [(1, None, "SEX//F", None), (1, datetime(2000, 1, 1), "A", 1.5), (1, datetime(2001, 1, 1), "B", None)]
TYPES = {"subject_id": pl.Int64, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32}


def frame(rows=ROWS):
    return pl.DataFrame(rows, schema=TYPES, orient="row")


def folder(path, *shards, codes=None):
    (path / "data").mkdir(parents=True, exist_ok=True)
    for number, shard in enumerate(shards):
        shard.write_parquet(path / "data" / f"{number}.parquet")
    if codes is not None:
        (path / "metadata").mkdir()
        codes.write_parquet(path / "metadata" / "codes.parquet")
    return path


def told(capsys, call):
    """What `call()` gives, and the lines it says."""
    capsys.readouterr()
    with shown():
        found = call()
    return found, capsys.readouterr().err


def test_a_stranger_s_clinical_data_set_is_read_whole(tmp_path, capsys):
    path = clinical.build(tmp_path / "hospital")
    files = sorted((path / "data").rglob("*.parquet"))
    n_rows = sum(pq.read_metadata(file).num_rows for file in files)
    data, said = told(capsys, lambda: seqsae.dataset(path))
    assert len(data) == 200 and len(data.table) == n_rows
    assert data.table["numeric_value"].drop_nulls().len() > 300
    for record in data:
        static = np.isnat(record.time)
        assert static.sum() == 2 and static[:2].all() and (np.diff(record.time[2:]) >= np.timedelta64(0)).all()
        assert record.code[2] == clinical.BIRTH
    assert [len(data.in_split(*names)) for names in (["train"], ["select", "calibrate"], ["test"])] == [100, 50, 50]
    for words in (
        "columns beyond MEDS are not read: hadm_id\n",
        "time from Datetime(time_unit='ns', time_zone='UTC')",
        "numeric_value from Float64",
        "1 shards hold no rows",
        "100 rows without a time stood behind dated ones",
        f"lacks 1 codes of the data ({clinical.GLUCOSE})",
    ):
        assert said.count(words) == 1, (words, said)
    assert "a note" not in said


def test_whatever_the_standard_accepts_is_read(tmp_path):
    """The standard's own validator and this reader agree on a plain shard; on the others this one is the more lenient."""
    path = clinical.build(tmp_path / "hospital", 40)
    standard.DataSchema.validate(pq.read_table(path / "data" / "train" / "0.parquet"))
    standard.SubjectSplitSchema.validate(pq.read_table(path / "metadata" / "subject_splits.parquet"))
    for name in ("dies", "days", "ward", "visit"):
        standard.LabelSchema.validate(pq.read_table(tmp_path / "tasks" / name / "0.parquet"))
    assert len(seqsae.dataset(path)) == 40


@pytest.mark.parametrize(
    "change",
    [
        {"time": pl.Datetime("ns")},
        {"time": pl.Datetime("ms")},
        {"code": pl.Categorical},
        {"numeric_value": pl.Float64},
        {"subject_id": pl.Int32},
        {"subject_id": pl.UInt64},
        {"time": pl.Date},
    ],
    ids=str,
)
def test_the_same_events_in_other_types_are_the_same_events(tmp_path, change):
    plain = seqsae.dataset(folder(tmp_path / "a", frame()))
    other = seqsae.dataset(folder(tmp_path / "b", frame().cast(change)))
    assert other.table.equals(plain.table) and other.table.schema == plain.table.schema


def test_times_of_a_zone_are_moved_to_utc(tmp_path):
    zoned = frame().with_columns(pl.col("time").dt.replace_time_zone("Europe/Copenhagen"))
    data = seqsae.dataset(folder(tmp_path / "d", zoned))
    wanted = datetime(2000, 1, 1).replace(tzinfo=None) - (
        datetime(2000, 1, 1, 1, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)
    )
    assert data.table["time"].to_list()[1] == wanted


def test_rows_that_repeat_precede_birth_or_have_no_possible_date_are_counted(tmp_path, capsys):
    when = [None, datetime(1677, 9, 21), datetime(1999, 1, 1), datetime(2000, 1, 1), datetime(2000, 1, 1)]
    when += [datetime(2262, 4, 11), datetime(9999, 12, 31)]
    codes = ["SEX", "A", "A", "MEDS_BIRTH//X", "B", "B", "B"]
    rows = [(1, time, code, None) for time, code in zip(when, codes, strict=True)]
    rows.insert(5, rows[4])
    data, said = told(capsys, lambda: seqsae.dataset(folder(tmp_path / "d", frame(rows))))
    assert data.table["code"].to_list() == ["SEX", "A", "MEDS_BIRTH//X", "B", "B"]
    assert "3 of 8 rows are dated before 1700 or from 2250 on: left out" in said
    assert "1 of 8 rows repeat another one: kept" in said
    assert "1 of 8 rows are dated before their subject's MEDS_BIRTH: kept" in said


def test_equal_rows_of_two_subjects_are_no_repetition(tmp_path, capsys):
    rows = [(who, datetime(2000, 1, 1), "A", None) for who in (1, 2)]
    assert "repeat" not in told(capsys, lambda: seqsae.dataset(folder(tmp_path / "d", frame(rows))))[1]


def test_static_rows_go_to_the_front_of_their_own_subject(tmp_path):
    rows = [(7, datetime(2000, 1, 1), "A", None), (7, None, "S", None), (7, None, "T", None)]
    rows += [(3, datetime(2001, 1, 1), "B", None), (3, None, "U", None)]
    data = seqsae.dataset(folder(tmp_path / "d", frame(rows)))
    assert data.subjects["subject_id"].to_list() == [7, 3]
    assert [record.code.tolist() for record in data] == [["S", "T", "A"], ["U", "B"]]


def test_folders_are_read_however_deep_and_hidden_ones_are_not(tmp_path):
    path = folder(tmp_path / "d", frame())
    for name in ("a/b/c", ".cache"):
        (path / "data" / name).mkdir(parents=True)
        rows = [(9 if name[0] == "a" else 1, *row[1:]) for row in ROWS]
        frame(rows).write_parquet(path / "data" / name / "x.parquet")
    assert seqsae.dataset(path).subjects["subject_id"].to_list() == [1, 9]


REFUSED = {
    "a null code": (lambda: frame().with_columns(pl.lit(None, pl.String).alias("code")), "3 of 3 rows have no code"),
    "codes as numbers": (lambda: frame().with_columns(pl.lit(7).alias("code")), "'code' is Int"),
    "names as subjects": (lambda: frame().cast({"subject_id": pl.String}), "'subject_id' is String"),
    "fractions as subjects": (lambda: frame().cast({"subject_id": pl.Float64}), "'subject_id' is Float64"),
    "times as numbers": (lambda: frame().with_columns(pl.lit(3).alias("time")), "'time' is Int"),
    "values as text": (lambda: frame().cast({"numeric_value": pl.String}), "'numeric_value' is String"),
    "huge subjects": (
        lambda: frame().with_columns(pl.lit(2**63, pl.UInt64).alias("subject_id")), "'subject_id' holds what is no Int64",
    ),
    "no subjects": (lambda: frame().drop("subject_id"), "no column 'subject_id'"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_not_meds_is_refused_with_its_file(tmp_path, fault):
    make, words = REFUSED[fault]
    with pytest.raises(SeqsaeError, match=words) as caught:
        seqsae.dataset(folder(tmp_path / "d", frame([(5, *row[1:]) for row in ROWS]), make()))
    assert "1.parquet" in str(caught.value) and "\n" not in str(caught.value)


def test_a_subject_in_two_files_is_refused_with_both_even_where_the_times_go_on(tmp_path):
    later = frame([(1, datetime(2002, 1, 1), "C", None)])
    with pytest.raises(SeqsaeError, match="1.parquet: subject 1 stands in two places or files, also in .*0.parquet"):
        seqsae.dataset(folder(tmp_path / "d", frame(), later))


def test_a_shard_that_is_no_parquet_is_refused_and_one_without_rows_is_told(tmp_path, capsys):
    path = folder(tmp_path / "d", frame(), frame([]))
    assert "1 shards hold no rows" in told(capsys, lambda: seqsae.dataset(path))[1]
    (path / "data" / "2.parquet").write_text("subject_id,time,code")
    with pytest.raises(SeqsaeError, match="2.parquet: not a readable parquet file"):
        seqsae.dataset(path)


SPLITS = {
    "no column": (pl.DataFrame({"subject_id": [1]}), "no column 'split'"),
    "other names": (pl.DataFrame({"subject_id": [1], "split": ["dev"]}), "unknown split 'dev'"),
    "twice": (pl.DataFrame({"subject_id": [1, 1], "split": ["train", "train"]}), "stands twice"),
}


@pytest.mark.parametrize("fault", SPLITS)
def test_wrong_splits_are_refused(tmp_path, fault):
    table, words = SPLITS[fault]
    path = folder(tmp_path / "d", frame(), codes=pl.DataFrame({"code": ["A"]}))
    table.write_parquet(path / "metadata" / "subject_splits.parquet")
    with pytest.raises(SeqsaeError, match=words):
        seqsae.dataset(path)


def test_some_splits_by_other_names_or_none_go_to_calibrate_and_are_told(tmp_path, capsys):
    rows = [(who, datetime(2000, 1, 1), "A", None) for who in range(5)]
    path = folder(tmp_path / "d", frame(rows), codes=pl.DataFrame({"code": ["A"]}))
    table = pl.DataFrame({"subject_id": range(4), "split": ["train", "held_out", "external", "tuning"]})
    table.write_parquet(path / "metadata" / "subject_splits.parquet")
    data, said = told(capsys, lambda: seqsae.dataset(path))
    assert data.splits["split"].to_list()[:3] == ["train", "test", "calibrate"]
    assert data.splits["split"][3] in ("select", "calibrate") and data.splits["split"][4] == "calibrate"
    assert "2 of 5 subjects are in none of train, tuning, held_out (splits by other names: external)" in said


def test_a_date_is_a_time_at_midnight(tmp_path):
    days = frame().with_columns(pl.Series("time", [None, date(2000, 1, 1), date(2001, 1, 1)]))
    assert seqsae.dataset(folder(tmp_path / "d", days)).table["time"].to_list()[1] == datetime(2000, 1, 1)
