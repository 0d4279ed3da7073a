"""Tables beside the data, and the data, with columns of types and values that are no such thing: one line each, or counted."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from conftest import events_table, write_events

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records import covariates, proposals, room

HUGE = pl.Series([2**63 + 5], dtype=pl.UInt64)
FAR = pl.lit(2**62).cast(pl.Datetime("ms"))


@pytest.fixture
def folder(tmp_path):
    made = write_events(tmp_path / "d", 12)
    (made / "metadata").mkdir(exist_ok=True)
    return made


def ids() -> pl.Series:
    return events_table(12)["subject_id"].unique(maintain_order=True)


CASES = {
    "codes as lists": ("metadata/codes.parquet", lambda: pl.DataFrame({"code": [["a"]]}), "'code' is List"),
    "codes as bytes": ("metadata/codes.parquet", lambda: pl.DataFrame({"code": [b"\xff"]}), "'code' is Binary"),
    "parents of lists": (
        "metadata/codes.parquet", lambda: pl.DataFrame({"code": ["a"], "parent_codes": [[["b"]]]}), "'parent_codes' is List",
    ),
    "splits as lists": (
        "metadata/subject_splits.parquet", lambda: pl.DataFrame({"subject_id": ids(), "split": [["train"]] * 12}), "'split' is List",
    ),
    "splits as bytes": (
        "metadata/subject_splits.parquet", lambda: pl.DataFrame({"subject_id": ids(), "split": [b"\xff"] * 12}), "'split' is Binary",
    ),
    "clusters of spans": (
        "subjects.parquet", lambda: pl.DataFrame({"subject_id": ids().cast(pl.Duration("us")), "cluster": ["a"] * 12}), "is Duration",
    ),
    "splits of no subject": (
        "metadata/subject_splits.parquet", lambda: pl.DataFrame({"subject_id": HUGE, "split": ["train"]}), "none of its 1 subject_id",
    ),
    "clusters as lists": (
        "subjects.parquet", lambda: pl.DataFrame({"subject_id": ids(), "cluster": [["a"]] * 12}), "'cluster' is List",
    ),
    "labels of lists": (
        "labels/t.parquet",
        lambda: pl.DataFrame({"subject_id": [[1]], "prediction_time": [datetime(2020, 1, 1)]}), "'subject_id' is List",
    ),
    "labels of no subject": (
        "labels/t.parquet",
        lambda: pl.DataFrame({"subject_id": HUGE, "prediction_time": [datetime(2020, 1, 1)]}), "9223372036854775813 here",
    ),
    "labels of no rows": (
        "labels/t.parquet", lambda: pl.DataFrame({"subject_id": [1], "prediction_time": [datetime(2020, 1, 1)]}).clear(),
        "labels 't': holds no rows",
    ),
    "labels at numbers": (
        "labels/t.parquet", lambda: pl.DataFrame({"subject_id": ids(), "prediction_time": range(12)}), "Int64, expected timestamp",
    ),
    "labels half a number": (
        "labels/t.parquet",
        lambda: pl.DataFrame({"subject_id": ids(), "integer_value": [1.5] * 12}).with_columns(prediction_time=datetime(2020, 1, 1)),
        "holds 1.5",
    ),
    "labels beyond all years": (
        "labels/t.parquet", lambda: pl.DataFrame({"subject_id": ids()}).with_columns(prediction_time=FAR), "12 at impossible times",
    ),
    "covariates of lists": (
        "covariates.parquet", lambda: pl.DataFrame({"subject_id": [[1]], "x": [1]}), "'subject_id' is List",
    ),
    "half an annotation": (
        "annotations.parquet",
        lambda: pl.DataFrame({"subject_id": ids()[:1], "start": [0.5], "end": [2.0], "covariate": ["c"], "value": ["v"]}),
        "row 1: column 'start' holds 0.5",
    ),
    "an annotation beyond its record": (
        "annotations.parquet",
        lambda: pl.DataFrame({"subject_id": ids()[:1], "start": [0], "end": [1_000_000], "covariate": ["c"], "value": ["v"]}),
        "ends at 1000000, but subject",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_such_table_is_refused_in_one_line(folder, case):
    name, table, says = CASES[case]
    (folder / name).parent.mkdir(exist_ok=True)
    table().write_parquet(folder / name)
    (folder / "covariates.schema.json").write_text('{"covariates": [{"name": "x", "type": "binary"}]}')
    if name != "covariates.parquet":
        (folder / "covariates.schema.json").unlink()
    with pytest.raises(SeqsaeError) as refused:
        seqsae.dataset(folder)
    assert says in str(refused.value) and name.split("/")[-1].removesuffix(".parquet") in str(refused.value)


def test_annotations_may_have_columns_of_their_own_and_end_with_their_record(folder):
    whole = events_table(12).filter(pl.col("subject_id") == ids()[0])
    pl.DataFrame(
        {"subject_id": ids()[:1], "start": [0], "end": [len(whole)], "covariate": ["c"], "value": ["v"], "sample": [7]}
    ).with_columns(pl.lit(None).alias("note"), size=pl.lit(1), concept=pl.lit(5)).write_parquet(
        folder / "annotations.parquet"
    )
    data = seqsae.dataset(folder)
    assert data.annotations.select("sample", "start", "end").rows() == [(0, 0, len(whole))]
    assert room.fingerprint(data) == room.fingerprint(seqsae.dataset(folder))


def test_annotations_of_nobody_are_counted(folder, capsys):
    spans = {
        "subject_id": [*ids()[:1], 10**9, 10**9],
        "start": [0, 0, 0],
        "end": [1, 1, 9],
        "covariate": ["c"] * 3,
        "value": ["v"] * 3,
    }
    pl.DataFrame(spans).write_parquet(folder / "annotations.parquet")
    with shown():
        assert len(seqsae.dataset(folder).annotations) == 1
    assert "2 annotations belong to no subject of the data and are left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "kind", [pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ms", "Europe/Copenhagen"), pl.Date]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_events_beyond_all_years_are_left_out_and_told(folder, capsys, kind, sign):
    file = next((folder / "data").rglob("*.parquet"))
    events = pl.read_parquet(file)
    far = sign * (2**31 - 1 if kind == pl.Date else 2**62)
    time = events["time"].cast(kind if kind == pl.Date else pl.Datetime(kind.time_unit)).to_physical()
    where = 0 if sign < 0 else len(events) - 1
    events.with_columns(time.scatter(where, far).cast(kind).alias("time")).write_parquet(file)
    with shown():
        data = seqsae.dataset(folder)
    assert len(data.table) == len(events) - 1
    assert f"1 of {len(events):,} rows are dated before 1700" in capsys.readouterr().err


def test_long_codes_are_named_by_their_beginning(folder, capsys):
    file = next((folder / "data").rglob("*.parquet"))
    pl.read_parquet(file).with_columns(code=pl.lit("x" * 1_000_000)).write_parquet(file)
    pl.DataFrame({"code": ["a"]}).write_parquet(folder / "metadata" / "codes.parquet")
    with shown():
        seqsae.dataset(folder)
    told = capsys.readouterr().err
    assert f"lacks 1 codes of the data ({'x' * 60}...)" in told and len(told) < 1000


@pytest.mark.parametrize("kind", ["continuous", "binary"])
@pytest.mark.parametrize("name", ["subject", "subject_id"])
def test_a_covariate_called_like_a_key_is_refused(folder, kind, name):
    table = pl.DataFrame({"subject_id": ids()}).with_columns(subject=pl.int_range(pl.len()) * 2.5)
    with pytest.raises(SeqsaeError, match=f"cannot be called '{name}'.*rename"):
        seqsae.dataset(folder, table, covariate_schema={"covariates": [{"name": name, "type": kind}]})


def test_a_column_called_like_a_key_is_not_proposed(capsys):
    with shown():
        drafted = proposals.propose(
            pl.DataFrame({"subject_id": [1, 2], "subject": [4, 5], "age": [1, 2], "l": [[1], [2]]})
        )
    assert [entry["name"] for entry in drafted["covariates"]] == ["age"]
    assert "'subject': left out" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["binary", "continuous"])
@pytest.mark.parametrize(
    "values", [[[1], [2]] * 6, [b"\xff", b"a"] * 6, [timedelta(1), timedelta(2)] * 6], ids=["lists", "bytes", "spans"]
)
def test_a_covariate_of_no_numbers_or_words_is_refused(folder, kind, values):
    table = pl.DataFrame({"subject_id": ids(), "x": values})
    with pytest.raises(SeqsaeError, match="covariate 'x' is (List|Binary|Duration)"):
        seqsae.dataset(folder, table, covariate_schema={"covariates": [{"name": "x", "type": kind}]})
    with pytest.raises(SeqsaeError, match="'x' is (List|Binary|Duration)"):
        seqsae.dataset(folder, table, cluster="x", covariate_schema={"covariates": []})


@pytest.mark.parametrize("given", [{}, {"time": "t"}, {"event": "e"}, {"time": "", "event": "e"}])
def test_a_survival_names_its_columns(given):
    absent = "event" if given.get("time") else "time"
    with pytest.raises(SeqsaeError, match=f"'death' names no column '{absent}'"):
        covariates.check_schema({"covariates": [{"name": "death", "type": "survival", **given}]}, "s")


def test_a_covariate_schema_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "s.json").write_bytes(b'\xef\xbb\xbf{"covariates": [{"name": "x", "type": "binary"}]}')
    assert covariates.read_schema(tmp_path / "s.json")["covariates"][0]["name"] == "x"
