"""The third user's way: profile the real data, make a stand-in, run one config on both, with nothing but the data's path changed."""

import json
import signal

import numpy as np
import polars as pl
import pytest
from conftest import CONFIG
from exports.clinic import write
from synthetic_lives.like import make_like

import seqsae
from seqsae.cli import main
from seqsae.exports.profile import profile, write_profile


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return write(tmp_path_factory.mktemp("inside") / "real", canaries=4)


@pytest.fixture(scope="module")
def stand_in(real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outside")
    return make_like(write_profile(seqsae.dataset(real), folder / "profile.json"), folder / "lives")


def test_one_config_runs_on_the_stand_in_and_unchanged_on_the_real_data(real, stand_in, outsider, tmp_path):
    config = tmp_path / "study.toml"
    text = CONFIG.format(data="nowhere").replace("[harvest]", '[harvest]\nviews = [{}, { name = "readmitted" }]')
    config.write_text(
        text.replace("steps = 60", "steps = 20")
        .replace("seeds = 2", "seeds = 1")
        .replace("width = 32\nk = 4", "width = 4\nk = 2")
    )
    names = []
    for data in (stand_in, real):
        study = seqsae.run(config, out=tmp_path / data.name, data=data)
        folder = study.out / "associations/gru-topk-4x2-seed0"
        tables = [pl.read_parquet(folder / view / "associations.parquet") for view in ("full", "readmitted")]
        assert all(len(table) for table in tables) and (study.out / "report/index.html").is_file()
        names.append({name for table in tables for name in table["covariate"]})
    assert {"smoker", "income", "readmitted"} <= {name.split(" ")[0] for name in names[0] & names[1]}


def test_the_stand_in_has_the_same_files_columns_and_types(real, stand_in):
    for file in (
        "covariates.parquet",
        "subjects.parquet",
        "annotations.parquet",
        "labels/readmitted.parquet",
        "labels/kind.parquet",
    ):
        one, other = pl.read_parquet(real / file).schema, pl.read_parquet(stand_in / file).schema
        assert {name: kind.is_numeric() for name, kind in one.items()} == {
            name: kind.is_numeric() for name, kind in other.items()
        }
    entries = [json.loads((folder / "covariates.schema.json").read_text())["covariates"] for folder in (real, stand_in)]
    kinds = [{entry["name"]: (entry["type"], entry.get("role", "target")) for entry in found} for found in entries]
    assert kinds[0] == kinds[1]
    assert {path.name for path in (real / "metadata").iterdir()} <= {
        path.name for path in (stand_in / "metadata").iterdir()
    }


def test_nothing_of_a_canary_is_in_the_stand_in(stand_in):
    for path in stand_in.rglob("*.parquet"):
        text = repr(pl.read_parquet(path).to_dicts())
        assert "CANARY" not in text and "XQZ" not in text, path
    assert "CANARY" not in (stand_in / "covariates.schema.json").read_text()


def test_a_profile_of_the_stand_in_is_near_the_profile_it_was_made_from(real, stand_in):
    one, other = profile(seqsae.dataset(real)), profile(seqsae.dataset(stand_in))
    assert other["subjects"] == one["subjects"]
    for name in ("per_subject", "year_first", "year_last", "age_first", "at_once"):
        assert mean(one["events"][name]) == pytest.approx(mean(other["events"][name]), rel=0.2), name
    gaps = [mean(known["events"]["gap_days"]) for known in (one, other)]
    assert 0.8 < gaps[1] / gaps[0] < 1.25, "some records are stretched or squeezed to end in the year drawn for them"
    assert mean(one["clusters"]) == pytest.approx(mean(other["clusters"]), rel=0.1)
    weight = [
        {entry["code"]: entry["subjects"] * entry["per_subject"] for entry in known["events"]["codes"]}
        for known in (one, other)
    ]
    for code, amount in weight[0].items():
        assert weight[1].get(code, 0) == pytest.approx(amount, rel=0.3, abs=20), code
    crp = [
        next(entry for entry in known["events"]["codes"] if entry["code"] == "LAB//CRP")["values"]
        for known in (one, other)
    ]
    assert mean(crp[0]) == pytest.approx(mean(crp[1]), rel=0.05) and crp[0]["share"] == pytest.approx(
        crp[1]["share"], abs=0.08
    )
    margins = [{entry["schema"]["name"]: entry["margins"] for entry in known["covariates"]} for known in (one, other)]
    for name in ("smoker", "region", "grade", "visits"):
        levels = [{level["value"]: level["subjects"] for level in found[name][name]["levels"]} for found in margins]
        assert levels[0] == pytest.approx(levels[1], abs=5) and margins[0][name][name]["missing"] == pytest.approx(
            margins[1][name][name]["missing"], abs=5
        )
    assert [found["income"]["income"]["missing"] for found in margins] == [0, 0]
    split = [{level["value"]: level["subjects"] for level in known["splits"]["levels"]} for known in (one, other)]
    assert split[0] == pytest.approx(split[1], abs=40) and set(split[0]) == {"train", "tuning", "held_out"}


def mean(margin: dict) -> float:
    """Of a binned number, by its bins' subjects or shares; bins without a mean left out."""
    bins = [one for one in margin["bins"] if one["mean"] is not None]
    weight = [one.get("share") or one["subjects"] for one in bins]
    return float(np.average([one["mean"] for one in bins], weights=weight))


def test_sequences_with_annotations_come_back_readable(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "proteins"
    folder.mkdir()
    names = [f"P{number}" for number in range(60)]
    made = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), int(rng.integers(30, 90)))) for _ in names]
    (folder / "p.fasta").write_text("".join(f">{name}\n{text}\n" for name, text in zip(names, made, strict=True)))
    spans = pl.DataFrame({"subject_id": names * 2, "start": [3] * 120, "end": [9] * 60 + [14] * 60, "covariate": ["loop"] * 60 + ["depth"] * 60,
                          "value": ["H1"] * 30 + ["L1"] * 30 + [str(number / 10) for number in range(60)]})  # fmt: skip
    spans.write_parquet(folder / "annotations.parquet")
    pl.DataFrame({"subject_id": names, "stable": [number % 3 == 0 for number in range(60)]}).write_parquet(
        folder / "covariates.parquet"
    )
    entries = [("stable", "binary", "subject"), ("loop", "categorical", "token"), ("depth", "continuous", "token")]
    document = {"covariates": [{"name": name, "type": kind, "level": level} for name, kind, level in entries]}
    document["covariates"][0]["positive"] = True
    (folder / "covariates.schema.json").write_text(json.dumps(document))
    out = make_like(profile(seqsae.dataset(folder)), tmp_path / "like", persons=50)
    like = seqsae.dataset(out)
    assert like.kind == "sequences" and len(like) == 50 and like.subjects["subject_id"][0] == "like-0000001"
    lengths = like.table["sequence"].str.len_chars()
    assert 50 < lengths.mean() < 70 and set("".join(like.table["sequence"])) <= set("ACDEFGHIKLMNPQRSTVWY")
    assert set(like.annotations["covariate"]) == {"loop", "depth"} and set(like.covariate_table["stable"]) == {
        "true",
        "false",
    }
    depth = like.annotations.filter(pl.col("covariate") == "depth")["value"].cast(pl.Float64)
    assert 2 < depth.mean() < 4


def test_tables_of_three_subjects_hinder_neither_the_profile_nor_the_stand_in(tmp_path):
    """Under a threshold the rare table is the normal case: nothing of it may be told but that it is there."""
    folder = write(tmp_path / "real", n=60)
    times = pl.read_parquet(folder / "labels/readmitted.parquet").head(3).select("subject_id", "prediction_time")
    for kind, values in (
        ("boolean", [True, False, True]),
        ("integer", [4, 5, 6]),
        ("float", [0.5, 1.5, 2.5]),
        ("categorical", list("abc")),
    ):
        table = times.with_columns(pl.Series(f"{kind}_value", values))
        table.write_parquet(folder / "labels" / f"rare_{kind}.parquet")
    spans = pl.read_parquet(folder / "annotations.parquet")
    rare = spans.head(3).with_columns(covariate=pl.lit("rare"))
    pl.concat([spans, rare]).write_parquet(folder / "annotations.parquet")
    file = write_profile(seqsae.dataset(folder), tmp_path / "profile.json")
    known = json.loads(file.read_text())
    rare = [entry for entry in known["labels"] if entry["name"].startswith("rare")]
    assert [list(entry["values"].values()) for entry in rare] == [[None]] * 4
    spans = known["annotations"][0]
    assert spans["covariate"] == "rare" and spans["values"] is None and spans["length"] is None
    like = seqsae.dataset(make_like(file, tmp_path / "lives"))
    assert {entry["name"] for entry in rare} <= set(like.labels) and set(like.annotations["covariate"]) == {
        "rare",
        "state",
    }


def command(*words, monkeypatch, capsys) -> str:
    """The one line of an error of the command line."""
    monkeypatch.setattr("sys.argv", ["seqsae", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    lines = capsys.readouterr().err.splitlines()
    assert (
        caught.value.code == 2
        and lines[-1].startswith("seqsae: error: ")
        and len([one for one in lines if "error" in one]) == 1
    )
    return lines[-1]


@pytest.mark.parametrize("option", [("--preset", "tiny"), ("--strength", "2"), ("--documents",)])
def test_an_option_that_says_nothing_of_a_profile_is_refused(option, tmp_path, monkeypatch, capsys):
    words = ("synth", "make", "--like", tmp_path / "p.json", "--out", tmp_path / "o", *option)
    assert f"{option[0]} is not for --like" in command(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_files():
    """No file may grow beyond 2,000 bytes."""
    resource = pytest.importorskip("resource")
    former, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, former)


@pytest.mark.parametrize("kind", ["make", "like", "profile"])
def test_without_room_the_line_names_the_path_and_nothing_is_left(kind, tmp_path, real, request, monkeypatch, capsys):
    profile_of = write_profile(seqsae.dataset(real), tmp_path / "p" / "p.json")
    (tmp_path / "new").mkdir()
    out = tmp_path / "new" / "out"
    words = {
        "make": ("make", "--preset", "tiny"),
        "like": ("make", "--like", profile_of),
        "profile": ("profile", real),
    }[kind]
    capsys.readouterr()
    request.getfixturevalue("small_files")
    line = command("synth", *words, "--out", out, monkeypatch=monkeypatch, capsys=capsys)
    assert f"{out}: File too large; nothing of it is kept" in line
    assert list((tmp_path / "new").iterdir()) == []
