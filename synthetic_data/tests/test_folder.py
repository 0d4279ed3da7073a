"""The folder as a whole: what stands in it, that it repeats, and what it refuses."""

import json
import subprocess
import sys
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
    assert contents(first)["data/00000.parquet"] != contents(other)["data/00000.parquet"]
    assert sorted(contents(first)) == [
        "covariates.parquet", "covariates.schema.json", "data/00000.parquet", "labels/depressed_within_2y.parquet",
        "labels/died_within_4y.parquet", "labels/heart_disease_within_4y.parquet", "labels/unemployed_within_2y.parquet",
        "metadata/codes.parquet", "metadata/dataset.json", "metadata/subject_splits.parquet", "subjects.parquet",
        "truth.json", "truth_spans.parquet",
    ]  # fmt: skip


def check_meds(folder: Path) -> None:
    for file in (folder / "data").glob("*.parquet"):
        meds.DataSchema.validate(pq.read_table(file))
    meds.CodeMetadataSchema.validate(pq.read_table(folder / meds.code_metadata_filepath))
    meds.SubjectSplitSchema.validate(pq.read_table(folder / meds.subject_splits_filepath))
    meds.DatasetMetadataSchema.validate(json.loads((folder / meds.dataset_metadata_filepath).read_text()))
    for file in (folder / "labels").glob("*.parquet"):
        meds.LabelSchema.validate(pq.read_table(file))
    events = pl.read_parquet(folder / "data" / "*.parquet")
    described = pl.read_parquet(folder / meds.code_metadata_filepath)
    assert described["code"].is_unique().all()
    assert set(events["code"]) <= set(described["code"])
    assert described["description"].null_count() == 0


def test_it_is_a_meds_dataset(lives):
    check_meds(lives)


def test_the_full_world_is_a_meds_dataset_with_published_counts(full):
    check_meds(full)


def test_a_life_is_a_birth_and_events_in_increasing_time_until_it_ends(lives):
    events = pl.read_parquet(lives / "data" / "*.parquet")
    for file in (lives / "data").glob("*.parquet"):
        assert pl.read_parquet(file)["subject_id"].is_sorted()
    assert events["subject_id"].rle().len() == events["subject_id"].n_unique()  # in one file, in one piece
    gaps = events.select(pl.col("time").diff().over("subject_id")).to_series().drop_nulls()
    assert gaps.min().total_seconds() >= 60
    assert events["time"].max().year == 2023
    per_person = events.group_by("subject_id").agg(
        first=pl.col("code").first(), births=(pl.col("code") == "MEDS_BIRTH").sum(), n=pl.len() - 1
    )
    assert set(per_person["first"]) == {"MEDS_BIRTH"}
    assert set(per_person["births"]) == {1}
    assert 60 < per_person["n"].mean() < 80


def test_death_and_emigration_end_a_record(lives):
    events = pl.read_parquet(lives / "data" / "*.parquet")
    ending = pl.col("code").is_in(["MEDS_DEATH", "EMIGRATION//ABROAD"])
    later = events.filter(ending.shift(1).over("subject_id").fill_null(False))
    assert later.is_empty()
    endings = json.loads((lives / "truth.json").read_text())["endings"]
    assert endings["dead"] == (events["code"] == "MEDS_DEATH").sum() > 300
    assert endings["abroad"] == (events["code"] == "EMIGRATION//ABROAD").sum() > 200


def test_the_jury_is_called_by_a_coin_after_2016_only(lives):
    events = pl.read_parquet(lives / "data" / "*.parquet")
    jury = events.filter(pl.col("code") == "JURY//SUMMONS")
    assert jury["time"].min().year >= 2016 and jury["subject_id"].is_unique().all()
    later = events.filter((pl.col("time").dt.year() >= 2016) & ~pl.col("code").str.contains("JURY|DEATH|EMIGRATION"))
    share = len(jury) / later["subject_id"].n_unique()
    assert abs(share - 0.5) < 3.5 * 0.5 / later["subject_id"].n_unique() ** 0.5
    told = pl.read_parquet(lives / "covariates.parquet").drop_nulls("called_for_jury")
    assert set(told.filter(pl.col("called_for_jury") == "yes")["subject_id"]) == set(jury["subject_id"])


def test_splits_keep_households_whole_and_have_the_shares_of_meds(lives):
    splits = pl.read_parquet(lives / "metadata" / "subject_splits.parquet")
    both = splits.join(pl.read_parquet(lives / "subjects.parquet"), on="subject_id")
    assert both.group_by("cluster").agg(pl.col("split").n_unique())["split"].max() == 1
    shares = {split: n / len(splits) for split, n in splits.group_by("split").len().iter_rows()}
    assert shares == pytest.approx({"train": 0.5, "tuning": 0.3, "held_out": 0.2}, abs=0.03)


def test_households_lie_within_one_block_of_two_thousand(lives):
    subjects = pl.read_parquet(lives / "subjects.parquet")
    files = [set(pl.read_parquet(file)["subject_id"]) for file in sorted((lives / "data").glob("*.parquet"))]
    assert [len(file) for file in files] == [2000, 2000, 2000]
    for one in files:
        inside = subjects["subject_id"].is_in(list(one))
        assert not set(subjects.filter(inside)["cluster"]) & set(subjects.filter(~inside)["cluster"])


def test_one_worker_and_two_write_the_same_bytes(tmp_path):
    one, two = (make(tmp_path / str(n), 4100, 3, preset="small", workers=n) for n in (1, 2))
    assert contents(one) == contents(two)


def test_relatives_stand_in_one_cluster_and_share_their_class(lives):
    subjects = pl.read_parquet(lives / "subjects.parquet")
    events = pl.read_parquet(lives / "data" / "*.parquet")
    assert set(subjects["subject_id"]) == set(events["subject_id"])
    assert subjects["subject_id"].is_unique().all()
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
        ({"persons": 10**12}, "persons: 1000000000000 is more than the 200,000,000 that can be made .*ask for fewer"),
        ({"persons": 60.5}, "persons: 60.5"),
        ({"seed": -1}, "seed: -1"),
        ({"strength": -0.5}, "strength: -0.5"),
        ({"strength": float("nan")}, "strength: nan"),
        ({"preset": "huge"}, "preset: 'huge'"),
        ({"workers": 0}, "workers: 0"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line_and_nothing_is_left(tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        make(tmp_path / "lives", **arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    resource = pytest.importorskip("resource")
    code = (
        "import resource, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); import synthetic_lives\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "synthetic_lives.make(Path(sys.argv[1]) / 'lives', 300)"
    )
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, Path(__file__).parents[1]], capture_output=True, text=True
    )
    assert done.returncode == 1 and "OSError" in done.stderr
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
    assert (source.open(persons=60) / "data" / "00000.parquet").is_file()
    with pytest.raises(ValueError, match="no data/ folder"):
        source.open(tmp_path)


@pytest.mark.parametrize("code", ["LAB//HBA1C", "INCOME//D1"])
def test_laboratory_results_and_incomes_carry_a_value(lives, code):
    events = pl.read_parquet(lives / "data" / "*.parquet")
    assert events.filter(pl.col("code") == code)["numeric_value"].null_count() == 0
    assert events.filter(pl.col("code") == "DIAG//F32")["numeric_value"].null_count() > 0
    assert np.isfinite(events["numeric_value"].drop_nulls().to_numpy()).all()
