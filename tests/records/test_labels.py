"""Label tables: files and folders, one kind of values, what is left out and counted, what is refused."""

from datetime import datetime

import polars as pl
import pytest
from records import clinical
from records.test_meds import told

import seqsae
from seqsae.activations.views import view_of
from seqsae.errors import SeqsaeError

TIME = {"prediction_time": pl.Datetime("us")}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    return clinical.build(tmp_path_factory.mktemp("labels") / "hospital", 40)


def table(rows, column="boolean_value"):
    """Labels of (subject number, year, value) in `hospital`'s first subjects."""
    ids = [10_000_000 + who for who, _, _ in rows]
    times = [year and datetime(year, 1, 1) for _, year, _ in rows]
    values = [value for _, _, value in rows]
    return pl.DataFrame({"subject_id": ids, "prediction_time": times, column: values}, schema_overrides=TIME)


@pytest.mark.parametrize(
    ("name", "column"),
    [("dies", "boolean_value"), ("days", "float_value"), ("ward", "categorical_value"), ("visit", "integer_value")],
)
def test_a_folder_of_files_is_one_view_with_several_times_a_subject(hospital, name, column):
    data = seqsae.dataset(hospital, labels=[hospital.parent / "tasks" / name])
    labels = data.labels[name]
    assert labels.columns == ["subject", "prediction_time", column]
    assert labels["subject"].is_duplicated().any() and len(labels) > 60
    files = sorted((hospital.parent / "tasks" / name).rglob("*.parquet"))
    assert len(labels) == sum(len(pl.read_parquet(file)) for file in files) and len(files) == 2


def test_the_input_of_a_view_ends_with_the_prediction_time_and_includes_it(hospital):
    data = seqsae.dataset(hospital, labels=[hospital.parent / "tasks" / "dies"])
    view = view_of(data, "dies")
    at_once = 0
    for sample in range(len(view)):
        record, whole = view.record(data, sample), data[int(view.subjects[sample])]
        dated = record.time[2:]
        assert (dated <= view.moments[sample]).all() and len(record.code) == (
            whole.time <= view.moments[sample]
        ).sum() + 2
        at_once += int((dated == view.moments[sample]).any())
    assert at_once == len(view)


def test_tables_beside_the_data_are_found_as_files_and_folders(tmp_path):
    path = clinical.build(tmp_path / "hospital", 40)
    (tmp_path / "tasks").rename(path / "labels")
    (path / "labels" / "days" / "0.parquet").rename(path / "labels" / "short.parquet")
    (path / "labels" / "empty").mkdir()
    assert list(seqsae.dataset(path).labels) == ["days", "dies", "short", "visit", "ward"]


def test_what_is_left_out_is_counted_by_reason(hospital, capsys):
    rows = [(0, 2090, True), (1, 2090, False), (999, 2090, True), (0, 1901, True), (1, 2260, True), (1, 1600, True)]
    data, said = told(capsys, lambda: seqsae.dataset(hospital, labels={"x": table(rows)}))
    kept = data.labels["x"]["boolean_value"].to_list()
    assert sorted(kept) == [False, True]
    assert "4 of 6 left out: 1 of unknown subjects, 2 at impossible times, 1 before their subject's first event" in said


def test_empty_columns_of_other_kinds_and_columns_of_others_do_no_harm(hospital, capsys):
    rows = [(0, 2090, 3), (1, 2090, None), (2, 2090, 4)]
    wide = table(rows, "integer_value").with_columns(
        pl.lit(None, pl.Boolean).alias("boolean_value"), pl.lit("x").alias("trigger")
    )
    data, said = told(capsys, lambda: seqsae.dataset(hospital, labels={"x": wide}))
    assert data.labels["x"].columns == ["subject", "prediction_time", "integer_value"]
    assert "columns beyond MEDS labels are not read: trigger" in said
    assert "1 of 3 prediction times have no value" in said


def test_times_of_another_unit_and_zone_are_cast(hospital):
    plain = table([(0, 2090, True), (1, 2090, False)])
    zoned = plain.with_columns(pl.col("prediction_time").dt.cast_time_unit("ns").dt.replace_time_zone("UTC"))
    one, other = (seqsae.dataset(hospital, labels={"x": each}).labels["x"] for each in (plain, zoned))
    assert one.equals(other) and one.schema == other.schema


REFUSED = {
    "two kinds": (lambda t: t.with_columns(pl.lit(1).alias("integer_value")), "two kinds of values, boolean_value and"),
    "no time": (lambda t: t.drop("prediction_time"), "no column 'prediction_time'"),
    "a null time": (lambda t: t.with_columns(pl.lit(None, pl.Datetime("us")).alias("prediction_time")), "empty values"),
    "strangers": (lambda t: t.with_columns(pl.col("subject_id") + 5000), "none of its 2 subject_id values"),
    "too early": (lambda t: t.with_columns(pl.lit(datetime(1901, 1, 1)).alias("prediction_time")), "before its subject's"),
    "text": (lambda t: t.with_columns(pl.lit("soon").alias("prediction_time")), "'prediction_time' is String"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_wrong_table_is_refused_in_one_line(hospital, fault):
    change, words = REFUSED[fault]
    with pytest.raises(SeqsaeError, match=words) as caught:
        seqsae.dataset(hospital, labels={"x": change(table([(0, 2090, True), (1, 2090, False)]))})
    assert "\n" not in str(caught.value)


def test_folders_that_hold_nothing_or_share_a_name_are_refused(hospital, tmp_path):
    (tmp_path / "dies").mkdir()
    with pytest.raises(SeqsaeError, match="no label tables there"):
        seqsae.dataset(hospital, labels=[tmp_path / "dies"])
    with pytest.raises(SeqsaeError, match="two tables are called 'dies'"):
        seqsae.dataset(hospital, labels=[tmp_path / "dies", hospital.parent / "tasks" / "dies"])
    with pytest.raises(SeqsaeError, match="nowhere"):
        seqsae.dataset(hospital, labels=[tmp_path / "nowhere"])
