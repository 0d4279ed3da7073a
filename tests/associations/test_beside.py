"""Features of another study, and of the shuffled model, among the baselines."""

import json

import numpy as np
import polars as pl
import pytest
from associations import planted as study
from features.small_stores import Given, store_of

from seqsae import besides
from seqsae.associations.beside import opened
from seqsae.associations.room import associate
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError
from seqsae.pages import text
from seqsae.pipeline import Study
from seqsae.progress import shown

CONFIG = AssociateConfig(baselines=("token",), poolings=("rate", "max"), min_support=5, permutations=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return study.planted(tmp_path_factory.mktemp("planted"))


def test_other_features_on_the_same_rows_are_baselines_by_their_name(made, tmp_path):
    noise = Given(made.store, np.random.default_rng(1).random((made.store.n_rows, 3)))
    copy = Given(made.store, made.codes[:, ::-1])
    covariates = made.covariates(study.ENTRIES[:2])
    found = associate(
        made.encoded, covariates, config=CONFIG, out=tmp_path, beside={"random-model": noise, "turned": copy}
    )
    table = found.baselines
    assert set(table["source"]) == {"sae", "token", "random-model", "turned"}
    sae, turned = (table.filter(source=name).select("covariate", "effect", "ci_low") for name in ("sae", "turned"))
    assert sae.equals(turned) and table.filter(source="turned", covariate="age")["baseline"][0].startswith("feature 6")
    weaker = table.filter(source="random-model", covariate="sex")["effect"][0]
    assert weaker < table.filter(source="sae", covariate="sex")["effect"][0] - 0.1
    assert "random-model" in text.covariates(found)
    again = associate(made.encoded, covariates, config=CONFIG, out=tmp_path)
    assert set(again.baselines["source"]) == {"sae", "token"}, "what stands beside is a part of what it was made from"


def test_features_on_other_rows_or_under_a_taken_name_are_refused(made, tmp_path):
    other = store_of(tmp_path / "other", [3] * 10)
    covariates = made.covariates(study.ENTRIES[:1])
    with pytest.raises(SeqsaeError, match="beside 'b': .* stands on other rows than .*; harvest the same view"):
        associate(made.encoded, covariates, config=CONFIG, out=tmp_path, beside={"b": Given(other, np.ones((30, 2)))})
    for taken in ("sae", "token-pair", "k-sparse-5", "dense-probe", ""):
        with pytest.raises(SeqsaeError, match="the name is taken; choose another"):
            associate(made.encoded, covariates, config=CONFIG, out=tmp_path, beside={taken: made.encoded})
    assert not (tmp_path / "associations").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [(["x"], "--beside x: write NAME=FOLDER"), (["=y"], "write NAME=FOLDER"), (["a="], "write NAME=FOLDER")],
)
def test_what_is_written_otherwise_on_the_command_line(given, told):
    with pytest.raises(SeqsaeError, match=told):
        opened(given)


def test_a_study_with_the_shuffled_model_beside_and_given_by_folder(cli, config_file, tmp_path):
    text_of = config_file.read_text()
    config_file.write_text('also = ["faithfulness", "random-model"]\n' + text_of)
    code, out, err = cli("associate", config_file, "--out", tmp_path / "run")
    assert code == 0 and "random-model" in out, err
    made = tmp_path / "run" / "random-model"
    [features] = (made / "features").glob("*/full")
    assert {path.name for path in made.iterdir()} == {"activations", "features", "sae"}
    shuffled = json.loads((made / "activations" / "full" / "manifest.json").read_text())["config"]
    assert shuffled["sites"] == ["gru"] and "shuffled with seed 0" in str(shuffled["model"]["options"])
    mine = pl.read_parquet(next((tmp_path / "run" / "associations").glob("*/full/baselines.parquet")))
    rows = mine.filter(source="random-model")
    assert len(rows) == len(mine.filter(source="sae")) and rows["effect"].null_count() == 0
    code, _, err = cli("associate", config_file, "--out", tmp_path / "run")
    assert code == 0 and "associations/gru-topk-32x4-seed0/full: unchanged, kept" in err

    config_file.write_text(text_of)
    code, out, err = cli("associate", config_file, "--out", tmp_path / "other", "--beside", f"random-model={features}")
    assert code == 0 and "random-model" in out, err
    other = pl.read_parquet(next((tmp_path / "other" / "associations").glob("*/full/baselines.parquet")))
    assert other.equals(mine), "the same features, however they come"
    opened_twice = json.loads((tmp_path / "other" / "ledger.json").read_text())["test_opened"]
    assert len(opened_twice) == 1
    twice = ["--beside", f"a={features}", "--beside", f"a={features}"]
    code, _, err = cli("associate", config_file, "--out", tmp_path / "other", *twice)
    assert code == 2 and "the name 'a' stands there twice" in err


def test_features_of_a_view_that_is_not_harvested_are_refused(cli, config_file, tmp_path):
    assert cli("encode", config_file, "--out", tmp_path / "run")[0] == 0
    [features] = (tmp_path / "run" / "features").glob("*/full")
    config_file.write_text(config_file.read_text().replace("[harvest]", '[harvest]\nviews = [{ readout = "masked" }]'))
    for command in ("associate", "concepts"):
        code, _, err = cli(command, config_file, "--out", tmp_path / "other", "--beside", f"a={features}")
        assert code == 2 and "Traceback" not in err
    study = Study(config_file, out=tmp_path / "other")
    study.beside = opened([f"a={features}"])
    with pytest.raises(SeqsaeError, match="beside 'a': .* is of view 'full'; the config harvests full-masked"):
        besides.beside(study)


def test_a_model_without_weights_or_with_activations_that_are_no_numbers_is_left_out_and_said(
    config_file, outsider, tmp_path, monkeypatch, capsys
):
    config_file.write_text('also = ["random-model"]\n' + config_file.read_text())
    monkeypatch.setattr(besides, "shuffle_weights", lambda model, seed: 0)
    with shown():
        assert Study(config_file, out=tmp_path / "run").random_model is None
    assert "random-model left out: model 'outsider' shows no weights to shuffle" in capsys.readouterr().err

    def spoil(model, seed):
        next(model.module.parameters()).data[:] = np.nan
        return 1

    monkeypatch.setattr(besides, "shuffle_weights", spoil)
    study = Study(config_file, out=tmp_path / "run")
    with shown():
        assert study.random_model is None
    told = capsys.readouterr().err
    assert "random-model left out: site 'gru' of model 'outsider': activations that float16 cannot hold" in told
    assert besides.beside(study) == {"full": {}}
