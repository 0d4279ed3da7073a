"""A stand-in from a profile: the same bytes again, valid MEDS, margins as they were given."""

import json
from pathlib import Path

import meds
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from handmade import covariate, levels, often, once, profile
from synthetic_lives import like, like_draw
from synthetic_lives.like import make_like


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_like(profile(), tmp_path_factory.mktemp("like") / "lives")


@pytest.fixture(scope="module")
def events(folder) -> pl.DataFrame:
    return pl.read_parquet(folder / "data" / "*.parquet")


def test_the_same_profile_and_seed_give_the_same_bytes_with_any_number_of_workers(tmp_path, monkeypatch):
    (tmp_path / "p.json").write_text(json.dumps(profile()))
    monkeypatch.setattr(like, "BLOCK", 100)
    first = make_like(tmp_path / "p.json", tmp_path / "a", persons=230)
    assert contents(first) == contents(make_like(profile(), tmp_path / "b", persons=230, workers=2))
    other = make_like(profile(), tmp_path / "c", persons=230, seed=1)
    assert len(list((first / "data").iterdir())) == 3
    for name, data in contents(first).items():
        drawn = name not in ("metadata/codes.parquet", "metadata/dataset.json", "covariates.schema.json")
        assert (data != (other / name).read_bytes()) == drawn, name


def test_it_is_a_meds_dataset(folder, events):
    meds.DataSchema.validate(pq.read_table(folder / "data" / "0.parquet"))
    meds.DatasetMetadataSchema.validate(json.loads((folder / meds.dataset_metadata_filepath).read_text()))
    codes = pl.read_parquet(folder / meds.code_metadata_filepath)
    assert set(events["code"]) <= set(codes["code"]) and codes["code"].is_unique().all()
    assert dict(codes.select("code", "parent_codes").iter_rows())["DIAG//A"] == ["DIAG"]
    assert events["subject_id"].is_sorted() and events["subject_id"].n_unique() == 500
    back = (pl.col("time").diff() < pl.duration(seconds=0)).over("subject_id")
    assert not events.select(back).to_series().any()
    static_last = events.select((pl.col("time").is_null() & pl.col("time").shift(1).is_not_null()).over("subject_id"))
    assert not static_last.to_series().any()
    births = events.filter(pl.col("code") == "MEDS_BIRTH").rename({"time": "birth"}).select("subject_id", "birth")
    assert (
        len(births) == 500
        and (births.join(events.drop_nulls("time"), on="subject_id").select(pl.col("time") >= pl.col("birth")))
        .to_series()
        .all()
    )
    assert 80 <= (events["code"] == "MEDS_DEATH").sum() <= 120


def test_events_follow_their_margins(events):
    lived = events.filter(pl.col("time").is_not_null() & ~pl.col("code").str.starts_with("MEDS_"))
    per_subject = lived.group_by("subject_id").len()["len"]
    assert per_subject.mean() == pytest.approx(0.2 * 3 + 0.6 * 6.5 + 0.2 * 12, rel=0.05)
    shares = dict(lived["code"].value_counts(normalize=True).iter_rows())
    assert shares["DIAG//A"] == pytest.approx(800 / 1400, abs=0.03) and shares["OTHER"] == pytest.approx(
        1 / 14, abs=0.02
    )
    values = lived.filter(pl.col("code") == "LAB//CRP")["numeric_value"]
    assert values.is_not_null().mean() == pytest.approx(0.8, abs=0.06) and values.mean() == pytest.approx(6.25, abs=0.2)
    assert (
        lived.filter(pl.col("code") != "LAB//CRP")["numeric_value"].null_count() == (lived["code"] != "LAB//CRP").sum()
    )
    years = lived.group_by("subject_id").agg(
        pl.col("time").min().dt.year().alias("first"), pl.col("time").max().dt.year().alias("last")
    )
    assert years["first"].mean() == pytest.approx(2005, abs=0.5) and years["last"].mean() == pytest.approx(
        2012.5, abs=0.7
    )
    moments = lived.group_by("subject_id", "time").len()["len"]
    assert (moments == 1).mean() == pytest.approx(0.7, abs=0.1)
    assert (lived["time"].dt.hour() == 0).all(), "gaps in whole days: so are the times"
    static = events.filter(pl.col("time").is_null())["code"].value_counts()
    assert static["count"].min() > 200 and static["count"].max() < 320


def test_covariates_follow_their_margins_and_types(folder):
    table = pl.read_parquet(folder / "covariates.parquet")
    assert table["smoker"].value_counts().sort("smoker").rows() == [(None, 50), ("no", 350), ("yes", 100)]
    assert table["region"].value_counts().sort("count").rows() == [("other", 50), ("south", 150), ("north", 300)]
    assert set(table["rare"]) == {"no", "other"} and 1 < (table["rare"] == "other").sum() < 50, (
        "two values, as a binary one needs"
    )
    assert table["age"].null_count() == pytest.approx(50, abs=1) and table["age"].mean() == pytest.approx(41.3, abs=1)
    assert table["withheld"].drop_nulls().sort().to_list() == [0.0, 1.0] and table["withheld"].null_count() == 498
    assert table["years"].dtype.is_float() and table["died"].dtype == pl.Boolean
    assert set(table["stage"]) == {0.0, 1.0, None} and table["stage"].null_count() == 100, (
        "numbers, as an ordinal one needs"
    )
    grade = json.loads((folder / "covariates.schema.json").read_text())["covariates"][3]
    assert set(table["grade"]) == {"low", "other", None} - {None} and grade["order"] == ["low", "other"]


def test_nothing_depends_on_anything_else(folder, events):
    table = pl.read_parquet(folder / "covariates.parquet")
    counts = events.group_by("subject_id").agg(pl.len().alias("n"), (pl.col("code") == "DIAG//A").any().alias("a"))
    both = table.join(counts, on="subject_id").drop_nulls(["smoker", "age"])
    smoker = (both["smoker"] == "yes").cast(pl.Float64).to_numpy()
    for other in (both["age"], both["n"], both["a"].cast(pl.Float64)):
        assert abs(np.corrcoef(smoker, other.to_numpy())[0, 1]) < 0.2


def test_clusters_splits_labels_and_annotations(folder, events):
    sizes = pl.read_parquet(folder / "subjects.parquet").group_by("cluster").len()["len"]
    share = np.bincount(sizes.to_numpy(), weights=sizes.to_numpy()) / 500
    assert share[1] == pytest.approx(0.4, abs=0.1) and share[2] == pytest.approx(0.4, abs=0.1)
    splits = pl.read_parquet(folder / meds.subject_splits_filepath).join(
        pl.read_parquet(folder / "subjects.parquet"), on="subject_id"
    )
    assert splits.group_by("cluster").agg(pl.col("split").n_unique())["split"].max() == 1
    assert splits["split"].value_counts(normalize=True).sort("proportion")["proportion"][-1] == pytest.approx(
        0.625, abs=0.1
    )
    labels = pl.read_parquet(folder / "labels" / "readmitted.parquet")
    assert set(labels.columns) == {"subject_id", "prediction_time", "boolean_value"}
    assert labels["boolean_value"].mean() == pytest.approx(0.3, abs=0.05) and labels["subject_id"].n_unique() > 300
    own = labels.join(events, left_on=["subject_id", "prediction_time"], right_on=["subject_id", "time"], how="semi")
    assert len(own) == len(labels) and not labels.select("subject_id", "prediction_time").is_duplicated().any()
    spans = pl.read_parquet(folder / "annotations.parquet").join(events.group_by("subject_id").len(), on="subject_id")
    assert (
        (spans["start"] < spans["end"]).all()
        and (spans["end"] <= spans["len"]).all()
        and set(spans["value"]) == {"ill"}
    )
    assert spans["subject_id"].n_unique() == pytest.approx(100, abs=30)


@pytest.mark.parametrize(
    ("margin", "low", "high"),
    [
        (once((None, None, 9, 5.0)), 4.7, 5.3),
        (once((None, None, 9, 1.0), integer=True), 1, 1),
        (once((None, None, 9, None)), -0.1, 0.1),
        (once((2.0, 4.0, 9, None), integer=True), 2, 3),
        (once((None, 4.0, 5, None), (4.0, 6.0, 5, 5.0), (6.0, None, 5, None)), 2.0, 8.0),
        (once((None, 0.0, 5, -3.0), (0.0, None, 5, 3.0)), -6.0, 6.0),
        (once((None, 10.0, 5, 8.0), (10.0, None, 5, 12.0), integer=True), 7, 14),
    ],
)
def test_numbers_stay_where_the_bins_put_them(margin, low, high):
    drawn = like_draw.numbers(margin, np.linspace(0, 1, 1001, endpoint=False))
    assert low <= drawn.min() and drawn.max() <= high and (not margin["integer"] or (drawn == np.round(drawn)).all())


def test_sequences_are_written_as_they_are_read(tmp_path):
    known = profile() | {
        "kind": "sequences", "events": None, "labels": [], "splits": None,
        "sequences": {"length": once((None, 50.0, 50, 40.0), (50.0, None, 50, 60.0), integer=True),
                      "letters": [{"letter": letter, "subjects": 500, "share": share} for letter, share in (("A", 0.6), ("W", 0.4))]},
    }  # fmt: skip
    table = pl.read_parquet(make_like(known, tmp_path / "numbers", 40) / "sequences.parquet")
    assert table["subject_id"].to_list() == list(range(1, 41)) and set("".join(table["sequence"])) == {"A", "W"}
    assert table["sequence"].str.len_chars().mean() == pytest.approx(50, abs=3)
    fasta = (make_like(known | {"id_type": "string"}, tmp_path / "names", 40) / "sequences.fasta").read_text().split()
    assert fasta[0] == ">like-0000001" and len(fasta) == 80


ENDS = ("birth", "death", "codes", "static_codes")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("edges", [(None, None), (None, 1990.0), (1990.0, None), ()])
@pytest.mark.parametrize("name", [name for name in profile()["events"] if name not in ENDS])
@pytest.mark.parametrize("subjects", [500, 0])
def test_a_margin_that_tells_next_to_nothing_is_enough(tmp_path, name, edges, subjects):
    known = profile()
    several = "subjects" in known["events"][name]
    bins = [(*edges, 1.0 if several else subjects, None)] if edges else []
    known["events"][name] = (often if several else once)(*bins, integer=True)
    if not bins and several:
        known["events"][name] = None
    rows = pl.read_parquet(make_like(known, tmp_path / "lives", persons=20) / "data" / "*.parquet")
    times = rows.drop_nulls("time")
    assert rows["subject_id"].n_unique() == 20 and times["time"].dt.year().is_between(1700, 2249).all()
    assert not times.select((pl.col("time").diff() < pl.duration(seconds=0)).over("subject_id")).to_series().any()


@pytest.mark.filterwarnings("error")
def test_null_means_and_rare_tables_are_no_hindrance(tmp_path):
    """The normal case under a threshold: nothing is known of labels, annotations and values but that they are there."""
    known = profile()
    nothing = once(missing=500)
    known["labels"] = [{"name": column, "per_subject": nothing, "seen": None, "values": {f"{column}_value": None}}
                       for column in ("boolean", "integer", "float", "categorical")]  # fmt: skip
    known["annotations"][0] |= {"per_subject": nothing, "length": None, "values": None}
    known["covariates"] = [covariate("sex", "binary", None, positive="f"), covariate("kind", "categorical", levels(a=500), positive="other"),
                           covariate("far", "continuous", once((None, None, 500, 1e300), integer=True))]  # fmt: skip
    known["events"]["codes"][2]["values"] = often((None, None, 1.0, 1e300), share=1.0)
    out = make_like(known, tmp_path / "lives", persons=30)
    for column in ("boolean", "integer", "float", "categorical"):
        table = pl.read_parquet(out / "labels" / f"{column}.parquet")
        assert len(table) and table[f"{column}_value"].null_count() == 0
    table = pl.read_parquet(out / "covariates.parquet")
    assert "f" in set(table["sex"]) and table["sex"].n_unique() == 2 and set(table["kind"]) == {"a", "other"}
    values = pl.read_parquet(out / "data" / "*.parquet")["numeric_value"].drop_nulls()
    assert len(values) and values.is_finite().all()


def test_no_person_has_more_labels_than_events(tmp_path):
    known = profile()
    known["labels"][0]["per_subject"] = once((None, None, 500, 1e7), integer=True)
    assert len(pl.read_parquet(make_like(known, tmp_path / "lives", persons=20) / "labels" / "*.parquet")) < 20 * 40


def test_persons_with_many_events_stand_in_smaller_files(tmp_path, monkeypatch):
    monkeypatch.setattr(like, "ROWS", 100)
    out = make_like(profile(), tmp_path / "lives", persons=60)
    files = sorted((out / "data").iterdir())
    rows = pl.read_parquet(out / "data" / "*.parquet")
    assert len(files) > 3 and rows["subject_id"].n_unique() == 60 and rows["subject_id"].is_sorted()
