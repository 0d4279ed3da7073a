"""`seqsae concepts` on a small study: annotations beside the data, features of another study beside, and what it refuses."""

import json

import polars as pl


def annotate(folder):
    """Annotations of the events with code 3, and of the second half of every record."""
    [file] = (folder / "data").glob("*.parquet")
    table = pl.read_parquet(file).with_columns(event=pl.int_range(pl.len(), dtype=pl.UInt32).over("subject_id"))
    code = table.filter(pl.col("code") == "CODE//3").select(
        "subject_id", start="event", end=pl.col("event") + 1, value=pl.lit("3")
    )
    half = table.group_by("subject_id").agg(start=(pl.len() // 2).cast(pl.UInt32), end=pl.len(), value=pl.lit("late"))
    both = pl.concat([code.cast({"end": pl.UInt32}), half.sort("subject_id").cast({"end": pl.UInt32})])
    both.with_columns(covariate=pl.lit("part")).write_parquet(folder / "annotations.parquet")


def test_concepts_of_a_study_and_of_another_beside(cli, config_file, events_folder, tmp_path):
    annotate(events_folder)
    config_file.write_text(config_file.read_text() + "[concepts]\nmin_clusters = 3\nshuffles = 2\n")
    code, out, err = cli("concepts", config_file, "--out", tmp_path / "run")
    assert code == 0 and "concepts: 2 of 2 are scored" in err, err
    for words in ("part = 3", "part = late", "random-dictionary", "Position patterns of the features", "f1_per_domain"):
        assert words in out
    [folder] = (tmp_path / "run" / "concepts").glob("*/*")
    assert str(folder) in out and {path.stem for path in folder.glob("*.parquet")} == {
        "annotated",
        "pairs",
        "matches",
        "patterns",
    }
    best = pl.read_parquet(folder / "pairs.parquet").filter(pl.col("best"), value="3", score="f1", source="token")
    assert best["unit_name"].to_list() == ["CODE//3"] and best["f1"].to_list() == [1.0]
    opened = json.loads((tmp_path / "run" / "ledger.json").read_text())["test_opened"]
    assert [one["stage"] for one in opened] == ["concepts"]
    other = config_file.with_name("other.toml")
    other.write_text("seed = 5\n" + config_file.read_text())
    features = tmp_path / "run" / "features" / folder.parent.name / "full"
    code, out, err = cli("concepts", other, "--out", tmp_path / "other", "--beside", f"random-model={features}")
    assert code == 0 and "random-model" in out, err


def test_what_concepts_refuses(cli, config_file, events_folder, tmp_path):
    code, _, err = cli("concepts", config_file, "--out", tmp_path / "run")
    assert code == 2 and "neither annotations (annotations.parquet) nor planted truth" in err
    annotate(events_folder)
    for given, words in (("x", "write NAME=FOLDER"), (f"x={tmp_path}", "no finished artefact there")):
        code, _, err = cli("concepts", config_file, "--out", tmp_path / "run", "--beside", given)
        assert code == 2 and words in err and err.strip().splitlines()[-1].startswith("seqsae: error:")
