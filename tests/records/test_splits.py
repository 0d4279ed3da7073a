"""Splits: shares, wholeness of clusters, independence of order, and the splits that MEDS brings."""

import numpy as np
import polars as pl
import pytest
from conftest import write_events

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.records.data import subjects_table
from seqsae.records.splits import assign, fraction, from_meds

SHARES = {"train": 0.5, "select": 0.2, "calibrate": 0.1, "test": 0.2}


def of(names, clusters, salt="s"):
    """Split by subject_id."""
    subjects = subjects_table(names, "d", clusters)
    return dict(zip(names, assign(subjects, salt)["split"].to_list(), strict=True))


def test_shares_of_the_clusters():
    names = list(range(20_000))
    found = pl.Series(list(of(names, [str(i) for i in names]).values())).value_counts(name="n")
    for split, n in found.rows():
        share = SHARES[split]
        assert abs(n - 20_000 * share) < 4 * np.sqrt(20_000 * share * (1 - share)), split
    assert len(found) == 4


def test_a_cluster_is_whole_whatever_the_order_and_company():
    names = list(range(900))
    clusters = [f"c{i // 3}" for i in names]
    splits = of(names, clusters)
    assert all(len({splits[i], splits[i + 1], splits[i + 2]}) == 1 for i in range(0, 900, 3))
    order = np.random.default_rng(0).permutation(900).tolist()
    assert of(order, [clusters[i] for i in order]) == splits
    few = names[30:60]
    assert of(few, [clusters[i] for i in few]) == {i: splits[i] for i in few}, "the other clusters have no say"
    assert of(names, clusters, "another salt") != splits


def test_meds_splits_are_mapped():
    names = list(range(3000))
    given = ["train", "tuning", "held_out"] * 1000
    subjects = subjects_table(names, "d")
    found = (
        pl.DataFrame({"given": given, "split": from_meds(subjects, given)["split"]}).group_by("given", "split").len()
    )
    counts = {(one, other): n for one, other, n in found.rows()}
    assert counts.pop(("train", "train")) == 1000 and counts.pop(("held_out", "test")) == 1000
    assert set(counts) == {("tuning", "select"), ("tuning", "calibrate")} and abs(counts["tuning", "select"] - 667) < 60
    assert 0 <= fraction("x", "s") < 1 and fraction("x", "s") == fraction("x", "s") != fraction("x", "t")


def with_meds_splits(folder, splits, clusters=None):
    write_events(folder, len(splits))
    (folder / "metadata").mkdir()
    pl.DataFrame({"subject_id": range(len(splits)), "split": splits}).write_parquet(
        folder / "metadata" / "subject_splits.parquet"
    )
    if clusters is not None:
        pl.DataFrame({"subject_id": range(len(splits)), "cluster": clusters}).write_parquet(folder / "subjects.parquet")
    return folder


def test_a_folder_brings_its_own_splits(tmp_path):
    given = (["train"] * 5 + ["tuning"] * 3 + ["held_out"] * 2) * 6
    data = seqsae.dataset(with_meds_splits(tmp_path / "d", given))
    of_given = {"train": {"train"}, "held_out": {"test"}, "tuning": {"select", "calibrate"}}
    assert all(split in of_given[one] for one, split in zip(given, data.splits["split"].to_list(), strict=True))
    assert data.in_split("train").tolist() == [i for i, one in enumerate(given) if one == "train"]


@pytest.mark.parametrize("way", ["subjects.parquet", "cluster="])
def test_tuning_is_cut_by_cluster_too(tmp_path, way):
    clusters = [f"h{i // 3}" for i in range(150)]
    folder = with_meds_splits(tmp_path / "d", ["tuning"] * 150, clusters if way == "subjects.parquet" else None)
    data = seqsae.dataset(folder, cluster=None if way == "subjects.parquet" else dict(enumerate(clusters)))
    parts = data.subjects.join(data.splits, on="subject").group_by("cluster").agg(pl.col("split").n_unique())["split"]
    assert parts.to_list() == [1] * 50
    assert data.splits["split"].n_unique() == 2


def test_meds_splits_that_cut_a_cluster_are_refused(tmp_path):
    folder = with_meds_splits(tmp_path / "d", ["train", "held_out"] * 10, [f"h{i // 2}" for i in range(20)])
    with pytest.raises(SeqsaeError, match="h0"):
        seqsae.dataset(folder)


def test_meds_splits_of_other_names_or_twice_are_refused(tmp_path):
    with pytest.raises(SeqsaeError, match="validation"):
        seqsae.dataset(with_meds_splits(tmp_path / "d", ["train", "validation"] * 10))
    folder = with_meds_splits(tmp_path / "e", ["train"] * 10)
    file = folder / "metadata" / "subject_splits.parquet"
    pl.concat([pl.read_parquet(file)] * 2).write_parquet(file)
    with pytest.raises(SeqsaeError, match="subject_splits"):
        seqsae.dataset(folder)


@pytest.mark.parametrize("way", ["column", "mapping"])
def test_a_household_column_or_mapping_makes_clusters(way):
    items = [{"subject_id": f"p{i}"} for i in range(400)]
    households = [f"h{i // 4}" for i in range(400)]
    table = pl.DataFrame(
        {"subject_id": [item["subject_id"] for item in items], "household": households, "age": np.arange(400.0)}
    )
    cluster = "household" if way == "column" else dict(zip(table["subject_id"], households, strict=True))
    data = seqsae.dataset(items, covariates=table, cluster=cluster)
    assert data.subjects["cluster"].to_list() == households
    both = (
        data.splits.with_columns(pl.Series("household", households))
        .group_by("household")
        .agg(pl.col("split").n_unique())
    )
    assert both["split"].max() == 1


def test_subjects_in_no_cluster_are_clusters_of_their_own(tmp_path):
    write_events(tmp_path / "d", 12)
    pl.DataFrame({"subject_id": [3, 4], "cluster": ["h", "h"]}).write_parquet(tmp_path / "d" / "subjects.parquet")
    data = seqsae.dataset(tmp_path / "d")
    assert (
        data.subjects["cluster"].n_unique() == 11 and data.subjects["cluster"][3] == data.subjects["cluster"][4] == "h"
    )


def test_a_subject_in_two_clusters_is_refused(tmp_path):
    write_events(tmp_path / "d", 12)
    (tmp_path / "d" / "covariates.parquet").unlink()
    pl.DataFrame({"subject_id": [3, 3], "cluster": ["h", "i"]}).write_parquet(tmp_path / "d" / "subjects.parquet")
    with pytest.raises(SeqsaeError, match="cluster"):
        seqsae.dataset(tmp_path / "d")
