"""A stand-in from a profile: the same bytes again, valid MEDS, margins as they were given, and what is refused."""

import copy
import json
from pathlib import Path

import meds
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from synthetic_lives import like, like_covariates, like_draw
from synthetic_lives.like import make_like


def once(*bins, integer: bool = False, missing: int = 0) -> dict:
    rows = [{"low": low, "high": high, "subjects": n, "mean": mean} for low, high, n, mean in bins]
    return {"integer": integer, "bins": rows, "missing": missing}


def often(*bins, integer: bool = False, **more) -> dict:
    rows = [
        {"low": low, "high": high, "subjects": 500, "share": share, "mean": mean} for low, high, share, mean in bins
    ]
    return {"integer": integer, "subjects": 500, "bins": rows, **more}


def levels(other: int = 0, missing: int = 0, **sizes: int) -> dict:
    return {"levels": [{"value": name, "subjects": n} for name, n in sizes.items()], "other": other, "missing": missing}


def mentions(**shares: float) -> dict:
    return {
        "subjects": 400,
        "levels": [{"value": name, "subjects": 200, "share": share} for name, share in shares.items()],
    }


def code(name: str, subjects: int, per_subject: float | None = 1.0, values: dict | None = None) -> dict:
    return {
        "code": name,
        "parent": "DIAG" if name.startswith("DIAG") else None,
        "subjects": subjects,
        "per_subject": per_subject,
        "values": values,
    }


def covariate(name: str, kind: str, margin: dict | None, **schema) -> dict:
    margins = {} if margin is None else {name: margin}
    return {"schema": {"name": name, "type": kind, "level": "subject", "role": "target", **schema}, "margins": margins}


def profile() -> dict:
    """A profile by hand, with something of everything."""
    crp = often((None, 5.0, 0.25, 4.0), (5.0, 7.0, 0.5, 6.0), (7.0, None, 0.25, 9.0), share=0.8)
    events = {
        "codes": [
            code("DIAG//A", 400, 2.0),
            code("DIAG//B", 200, 1.0),
            code("LAB//CRP", 300, 1.0, crp),
            code("OTHER", 100, None),
        ],
        "static_codes": [code("SEX//F", 260), code("SEX//M", 240)],
        "birth": 500,
        "death": 100,
        "per_subject": once((None, 5.0, 100, 3.0), (5.0, 9.0, 300, 6.5), (9.0, None, 100, 12.0), integer=True),
        "at_once": often((None, 2.0, 0.7, 1.0), (2.0, None, 0.3, 2.5), integer=True),
        "gap_days": often((None, 30.0, 0.5, 12.0), (30.0, None, 0.5, 100.0), integer=True),
        "year_first": once((None, 2005.0, 250, 2003.0), (2005.0, None, 250, 2007.0), integer=True),
        "year_last": once((None, 2012.0, 250, 2010.0), (2012.0, None, 250, 2015.0), integer=True),
        "age_first": once((None, 40.0, 250, 30.0), (40.0, None, 250, 55.0), integer=True),
        "age_last": once((None, 48.0, 250, 40.0), (48.0, None, 250, 66.0), integer=True),
    }
    return {
        "format": 1, "kind": "events", "subjects": 500, "id_type": "int", "events": events, "sequences": None,
        "clusters": once((None, 2.0, 200, 1.0), (2.0, 3.0, 200, 2.0), (3.0, None, 100, 4.0), integer=True),
        "splits": levels(train=300, tuning=100, held_out=80, missing=20),
        "covariates": [
            covariate("smoker", "binary", levels(yes=100, no=350, missing=50), positive="yes"),
            covariate("rare", "binary", levels(no=500), positive="other"),
            covariate("region", "categorical", levels(north=300, south=150, other=50)),
            covariate("grade", "ordinal", levels(low=300), order=["low"]),
            covariate("stage", "ordinal", levels(other=400, missing=100)),
            covariate("age", "continuous", once((None, 40.0, 250, 30.0), (40.0, None, 200, 55.5), missing=50)),
            covariate("withheld", "continuous", once(missing=500)),
            {"schema": {"name": "death", "type": "survival", "level": "subject", "role": "target", "time": "years", "event": "died"}, "margins": {}},
        ],
        "annotations": [
            {"covariate": "state", "per_subject": once((None, 1.0, 400, 0.0), (1.0, None, 100, 1.5), integer=True),
             "length": often((None, None, 1.0, 3.0), integer=True), "values": mentions(ill=1.0)},
        ],
        "labels": [
            {"name": "readmitted", "per_subject": once((None, 1.0, 100, 0.0), (1.0, None, 400, 1.2), integer=True),
             "seen": often((None, 0.5, 0.5, 0.3), (0.5, None, 0.5, 0.9)), "values": {"boolean_value": mentions(false=0.7, true=0.3)}},
        ],
    }  # fmt: skip


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"persons": 1}, "persons: 1"), ({"persons": True}, "persons: True"), ({"seed": -1}, "seed: -1"), ({"workers": 0}, "workers: 0"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_in_one_line_and_nothing_is_left(tmp_path, change, words):
    with pytest.raises(ValueError, match=words) as caught:
        make_like(profile(), tmp_path / "lives", **change)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def damaged(path: list, value) -> dict:
    """The profile with one field changed, or taken out where `value` is None."""
    known = copy.deepcopy(profile())
    place = known
    for part in path[:-1]:
        place = place[part]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return known


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["format"], 2, "a profile of format 2, this version reads 1"),
        (["format"], None, "no data profile"),
        (["labels"], None, "labels: absent"),
        (["events", "gap_days"], None, "events: gap_days: absent"),
        (["events", "codes", 0, "subjects"], None, "codes: subjects: absent"),
        (["events", "per_subject", "bins"], 3, "per_subject: bins: int"),
        (["kind"], "sequences", "sequences: absent, though"),
        (["kind"], "tables", "neither events nor sequences"),
        (["labels", 0, "name"], "../out", "is no name of a file"),
    ],
)
def test_a_damaged_profile_is_refused_by_field(tmp_path, path, value, words):
    with pytest.raises(ValueError, match=words) as caught:
        make_like(damaged(path, value), tmp_path / "lives")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_profile_is_refused(tmp_path):
    file = tmp_path / "p.json"
    file.write_text(json.dumps(profile())[:800])
    with pytest.raises(ValueError, match="not valid JSON.*cut"):
        make_like(file, tmp_path / "lives")
    with pytest.raises(ValueError, match="no such profile"):
        make_like(tmp_path / "none.json", tmp_path / "lives")
    (tmp_path / "lives").mkdir()
    (tmp_path / "lives" / "mine.txt").write_text("mine")
    for out, words in ((tmp_path / "lives", "not empty"), (file, "a file stands there")):
        with pytest.raises(ValueError, match=words):
            make_like(profile(), out)
    assert like_covariates.SMALLEST_SHARE < 0.05
