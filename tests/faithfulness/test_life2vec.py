"""The whole room on a small Life2Vec, causal and masked, trained for a moment; and its commands."""

import datetime

import numpy as np
import polars as pl
import pytest
import torch

import seqsae
from seqsae.config import FaithfulnessConfig, ViewConfig

pytest.importorskip("seqsae_life2vec")

CONFIG = """
[records]
path = "{data}"
[model]
name = "life2vec"
[model.train]
epochs = 14
d_model = 16
n_heads = 2
n_blocks = 2
d_hidden = 32
min_subjects = 1
{more}
[harvest]
sites = ["blocks.0"]
views = [{{ readout = "{readout}" }}]
[sae]
width = 32
k = 6
seeds = 2
steps = 150
batch = 256
[faithfulness]
features = 3
matched = 5
samples = 6
bootstrap = 100
subjects = 40
"""


def lives(folder, n: int = 160):
    """Code i is mostly followed by code i + 1, so that there is something to predict."""
    rng, rows = np.random.default_rng(0), []
    for subject in range(n):
        rows.append((subject, datetime.datetime(1980, 1, 1), "MEDS_BIRTH", None))
        code = int(rng.integers(6))
        for step in range(int(rng.integers(6, 14))):
            code = (code + 1) % 6 if rng.random() < 0.9 else int(rng.integers(6))
            rows.append(
                (subject, datetime.datetime(2000, 1, 1) + datetime.timedelta(days=90 * step), f"CODE//{code}", None)
            )
    kinds = {"subject_id": pl.Int64, "time": pl.Datetime("us"), "code": pl.String, "numeric_value": pl.Float32}
    (folder / "data").mkdir(parents=True)
    pl.DataFrame(rows, schema=kinds, orient="row").write_parquet(folder / "data" / "0.parquet")
    return folder


@pytest.fixture(scope="module", params=["causal", "masked"])
def study(request, tmp_path_factory):
    """A study up to its SAEs, and the path of its config."""
    from seqsae.pipeline import Study

    folder = tmp_path_factory.mktemp(request.param)
    causal = request.param == "causal"
    path = folder / "study.toml"
    path.write_text(
        CONFIG.format(
            data=lives(folder / "lives"),
            more='objective = "next"' if causal else "",
            readout="observed" if causal else "masked",
        )
    )
    study = Study(path, out=folder / "run")
    return study, path


def test_identity_recovers_one_and_zero_none(study, cli):
    study, path = study
    code, said, errors = cli("evaluate", path, "--out", study.out)
    assert code == 0, errors
    folder = study.out / "faithfulness" / study.saes[0].artefact.path.name
    assert said.strip().endswith(str(folder)) and "loss recovered" in said and "percentile" in said
    table = pl.read_parquet(folder / "recovered.parquet")
    assert table.filter(source="identity")["recovered"].drop_nulls().to_list() == [1.0, 1.0]
    own = "all" if study.model.attention == "causal" else "hidden"
    mine = table.filter("headline")
    assert mine["where"].unique().to_list() == [own]
    assert mine.filter(source="zero", against="zero")["recovered"].to_list() == [0.0]
    assert mine.filter(source="sae", against="mean")["recovered"][0] > 0.3
    assert len(mine.filter(source="seed")) == 2


def test_the_python_call_finds_what_the_command_made(study):
    study, _ = study
    before = study.out / "faithfulness" / study.saes[0].artefact.path.name / "manifest.json"
    made = before.stat().st_mtime_ns if before.exists() else None
    found = seqsae.evaluate(
        study.model, study.data, study.saes, config=study.config.faithfulness
    )  # view: the SAE's own
    assert made in (None, before.stat().st_mtime_ns)
    assert found.summary["readout"] == study.config.harvest.views[0].readout
    assert found.summary["objectives"][0]["identity_error"] < 1e-6
    assert found.effects["feature"].n_unique() == 3
    assert len(found.attribution) >= 3


def test_steering_writes_what_changes(study, cli):
    study, path = study
    code, said, errors = cli("steer", path, "--feature", 1, "--clamp", 3, "--where", "all", "--out", study.out)
    assert code == 0, errors
    table = pl.read_parquet(said.strip().splitlines()[-1] + "/steered.parquet")
    assert table["kl"].max() > 0 and (table["probability_steered"] <= 1).all()
    code, _, errors = cli("steer", path, "--feature", 99, "--ablate", "--out", study.out)
    assert code == 2 and "feature 99: this SAE has latents 0 to 31" in errors
    code, _, errors = cli("steer", path, "--feature", 1, "--out", study.out)
    assert code == 2 and "exactly one of" in errors


def test_a_padded_batch_tells_no_more_than_one_life_at_a_time(study, monkeypatch, tmp_path):
    from seqsae.faithfulness import judging

    study, _ = study
    view, config = study.config.harvest.views[0], FaithfulnessConfig(features=2, matched=2, bootstrap=100, subjects=3)
    together = seqsae.evaluate(study.model, study.data, study.saes[0], view=view, config=config, out=tmp_path / "a")
    monkeypatch.setattr(judging, "BUDGET", 1)
    alone = seqsae.evaluate(study.model, study.data, study.saes[0], view=view, config=config, out=tmp_path / "b")
    for one, other in ((together.recovered, alone.recovered), (together.effects, alone.effects)):
        for name in ("loss", "value"):
            if name in one.columns:
                assert one[name].to_numpy() == pytest.approx(other[name].to_numpy(), rel=1e-4, abs=1e-6, nan_ok=True)


def test_a_model_without_words_of_its_own_is_refused_in_one_line(config_file, cli):
    code, _, errors = cli("evaluate", config_file, "--out", config_file.parent / "run")
    assert code == 2 and len(errors.strip().splitlines()[-1].split("error:")) == 2
    assert "mask" in errors or "ids" in errors or "logits" in errors
    assert torch.is_grad_enabled() and ViewConfig().readout == "observed"
