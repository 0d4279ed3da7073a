"""The command, in a process of its own where the exit code counts."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from seqsae_life2vec import cli
from seqsae_life2vec.model import open as open_life2vec
from seqsae_life2vec.options import PRESETS


@pytest.fixture
def meds(tmp_path):
    """40 lives of a static row, a birth and a few events with values, rare codes under a parent."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(40):
        rows += [(subject, None, "SEX//F", None), (subject, "1980-01-01", "MEDS_BIRTH", None)]
        for year in sorted(rng.integers(1990, 2020, 6)):
            rows.append((subject, f"{year}-05-01", str(rng.choice(["A", "B"])), float(rng.integers(0, 9))))
        rows.append((subject, "2020-05-01", f"R{subject}", None))
    table = pl.DataFrame(rows, ["subject_id", "time", "code", "numeric_value"], orient="row").with_columns(
        pl.col("time").str.to_datetime("%Y-%m-%d", time_unit="us"), pl.col("numeric_value").cast(pl.Float32)
    )
    folder = tmp_path / "meds"
    (folder / "data").mkdir(parents=True)
    (folder / "metadata").mkdir()
    table.write_parquet(folder / "data" / "0.parquet")
    names = [f"R{subject}" for subject in range(40)]
    pl.DataFrame({"code": names, "parent_codes": [["R"]] * 40}).write_parquet(folder / "metadata" / "codes.parquet")
    return folder


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["seqsae-life2vec", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


def test_train_makes_a_model_and_prints_its_losses(meds, tmp_path, monkeypatch, capsys):
    options = ["--preset", "tiny", "--set", "epochs=1", "--set", "quantiles=3", "--set", "objective=next"]
    assert run(monkeypatch, "train", meds, "--out", tmp_path / "model", *options) == 0
    told = capsys.readouterr()
    assert "nats per next event (perplexity" in told.out and "by frequency alone" in told.out
    assert "rare codes" in told.err and "3 codes cut" not in told.err
    model = open_life2vec(tmp_path / "model")
    assert model.attention == "causal"
    assert {"R", "A//Q1", "A//Q3"} <= set(model.words.tokens)
    assert model.words.rolled["R0"] == "R"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "none", "--out", "m"], "none: no such file or folder"),
        (["train", "{meds}", "--out", "m", "--preset", "huge"], "no preset 'huge'"),
        (["train", "{meds}", "--out", "m", "--set", "epoch=3"], "did you mean 'epochs'"),
        (["train", "{meds}", "--out", "m", "--set", "epochs"], "give NAME=VALUE"),
        (["train", "{meds}", "--out", "m", "--set", "min_subjects=99"], "lower min_subjects"),
        (["train", "{meds}"], "--out"),
        (["train", "{meds}", "--out", "{meds}"], "is the data's own folder"),
        (["train", "{meds}", "--out", "{meds}/data/m"], "is the data's own folder"),
        (["train", "{meds}", "--out", "{meds}/data/0.parquet"], "is the data's own folder"),
        (["train", "{meds}", "--out", "file"], "--out file: is a file"),
        (["train", "{meds}", "--out", "m", "--threads", "100000"], "--threads"),
        (["train", "{meds}", "--out", "m", "--threads", "100000000000"], "--threads"),
        (["train", "{meds}", "--out", "m", "--seed", "-1"], "--seed"),
        (["train", "{meds}", "--out", "m", "--seed", str(2**64)], "--seed"),
        (["train", "{meds}", "--out", "m", "--set", "device=tpu"], "device 'tpu'"),
        (["trian"], "trian"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(meds, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    assert run(monkeypatch, *(one.format(meds=meds) for one in arguments)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("seqsae-life2vec: error: ") and says in last


def test_presets_are_printed(monkeypatch, capsys):
    assert run(monkeypatch, "presets") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == list(PRESETS)
    assert ["d_model", "32", "64", "128", "280"] in [line.split() for line in told]


def test_the_command_runs_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "seqsae_life2vec.cli", "train", "none", "--out", "m"], capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
