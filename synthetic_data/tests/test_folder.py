"""The folder as a whole: what stands in it, that it repeats, and what it refuses."""

import json
from pathlib import Path

import meds
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from synthetic_lives import make, source


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_arguments_give_the_same_bytes_and_another_seed_does_not(tmp_path):
    first, again, other = (make(tmp_path / name, 200, seed) for name, seed in (("a", 7), ("b", 7), ("c", 8)))
    assert contents(first) == contents(again)
    assert contents(first)["data/0.parquet"] != contents(other)["data/0.parquet"]
    assert sorted(contents(first)) == [
        "covariates.parquet", "covariates.schema.json", "data/0.parquet", "metadata/codes.parquet",
        "metadata/dataset.json", "subjects.parquet", "truth.json", "truth_spans.parquet",
    ]  # fmt: skip


def test_it_is_a_meds_dataset(lives):
    meds.DataSchema.validate(pq.read_table(lives / "data" / "0.parquet"))
    meds.CodeMetadataSchema.validate(pq.read_table(lives / meds.code_metadata_filepath))
    meds.DatasetMetadataSchema.validate(json.loads((lives / meds.dataset_metadata_filepath).read_text()))
    events = pl.read_parquet(lives / "data" / "0.parquet")
    described = pl.read_parquet(lives / meds.code_metadata_filepath)
    assert set(events["code"]) <= set(described["code"])
    assert described["description"].null_count() == 0


def test_a_life_is_a_birth_and_30_to_120_events_in_increasing_time(lives):
    events = pl.read_parquet(lives / "data" / "0.parquet")
    assert events["subject_id"].is_sorted()
    gaps = events.select(pl.col("time").diff().over("subject_id")).to_series().drop_nulls()
    assert gaps.min().total_seconds() >= 60
    assert events["time"].max().year <= 2024
    per_person = events.group_by("subject_id").agg(
        first=pl.col("code").first(), births=(pl.col("code") == "MEDS_BIRTH").sum(), n=pl.len() - 1
    )
    assert set(per_person["first"]) == {"MEDS_BIRTH"}
    assert set(per_person["births"]) == {1}
    assert per_person["n"].min() >= 30 and per_person["n"].max() <= 120


def test_relatives_stand_in_one_cluster_and_share_their_class(lives):
    subjects = pl.read_parquet(lives / "subjects.parquet")
    events = pl.read_parquet(lives / "data" / "0.parquet")
    assert subjects["subject_id"].to_list() == events["subject_id"].unique().sort().to_list()
    sizes = subjects.group_by("cluster").len()["len"]
    assert sizes.max() <= 5 and sizes.mean() > 1.5
    spans = pl.read_parquet(lives / "truth_spans.parquet")
    poor = spans.filter(pl.col("concept") == "low_class")["subject_id"]
    shares = subjects.with_columns(poor=pl.col("subject_id").is_in(poor.implode())).group_by("cluster")
    assert set(shares.agg(pl.col("poor").mean())["poor"]) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"persons": 49}, "persons: 49"),
        ({"persons": 60.5}, "persons: 60.5"),
        ({"seed": -1}, "seed: -1"),
        ({"strength": -0.5}, "strength: -0.5"),
        ({"strength": float("nan")}, "strength: nan"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line_and_nothing_is_left(tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        make(tmp_path / "lives", **arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone_and_an_empty_one_is_used(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty"):
        make(tmp_path, 60)
    with pytest.raises(ValueError, match="a file stands there"):
        make(tmp_path / "mine.txt", 60)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert (make(tmp_path / "empty", 60) / "truth.json").is_file()


def test_the_source_makes_lives_or_opens_a_folder(lives, tmp_path):
    assert source.open(lives) == lives
    assert (source.open(persons=60) / "data" / "0.parquet").is_file()
    with pytest.raises(ValueError, match="no data/ folder"):
        source.open(tmp_path)


@pytest.mark.parametrize("code", ["LAB//HBA1C", "INCOME//D1"])
def test_laboratory_results_and_incomes_carry_a_value(lives, code):
    events = pl.read_parquet(lives / "data" / "0.parquet")
    assert events.filter(pl.col("code") == code)["numeric_value"].null_count() == 0
    assert events.filter(pl.col("code") == "DIAG//F32")["numeric_value"].null_count() > 0
    assert np.isfinite(events["numeric_value"].drop_nulls().to_numpy()).all()
