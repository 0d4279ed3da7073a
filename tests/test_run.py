"""A whole run on an outsider's model: from records to page, kept, repeated, killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import seqsae
from seqsae import schema, shelf
from seqsae.testing import check_sae


def hashes(run: Path) -> dict[str, str]:
    """Every file of a run but the timings, by content."""
    return {
        path.relative_to(run).as_posix(): shelf.sha256(path)
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "timings.json"
    }


def test_a_run_writes_every_artefact_under_its_schema(config_file, cli, tmp_path):
    code, out, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    run = tmp_path / "run"
    name = "gru-topk-32x4-seed0"
    tables = {
        "records/subjects": "subjects", "records/events": "events", "records/splits": "splits",
        "activations/full/samples": "samples", "activations/full/rows-00000": "rows", f"sae/{name}/metrics": "metrics",
        f"features/{name}/full/codes-00000": "codes", f"features/{name}/full/profile": "profile",
        f"associations/{name}/full/associations": "associations", f"associations/{name}/full/baselines": "baselines",
        f"maps/{name}/atlas": "atlas",
    }  # fmt: skip
    for path, kind in tables.items():
        table = pl.read_parquet(run / f"{path}.parquet")
        assert table.schema == schema.check_table(table, kind, path).schema, path
    assert (run / "activations/full/gru/shard-00000.safetensors").is_file()
    assert (run / f"sae/{name}/sae.safetensors").is_file() and (run / "sae/gru-topk-32x4-seed1").is_dir()
    assert str(run / "report/index.html") in out and (run / "report/index.html").is_file()
    assert "has_3 = true" in out and "age" in out and "group = a" in out
    assert len(json.loads((run / "ledger.json").read_text())["test_opened"]) == 1
    assert seqsae.run(run / "config.toml", out=run).config == seqsae.run(config_file, out=run).config


def test_the_resolved_config_runs_from_where_it_lies(config_file, events_folder, cli, tmp_path, monkeypatch):
    config_file.write_text(config_file.read_text().replace(str(events_folder), "events"))
    monkeypatch.chdir(tmp_path)
    assert cli("run", "study.toml", "--out", "run")[0] == 0
    monkeypatch.chdir("/")
    code, _, err = cli("run", tmp_path / "run" / "config.toml", "--out", tmp_path / "run")
    assert code == 0 and err.count("unchanged, kept") == 9


def label_first_four(events_folder, name="had_5"):
    """A label table: whether CODE//5 is among the first four dated rows, asked at the time of the fourth."""
    first = (
        pl.read_parquet(events_folder / "data/0.parquet").drop_nulls("time").group_by("subject_id", maintain_order=True)
    )
    known = first.agg((pl.col("time").sort().get(3)).alias("prediction_time"), pl.col("code").head(4).alias("seen"))
    labels = known.select(
        "subject_id", "prediction_time", pl.col("seen").list.contains("CODE//5").alias("boolean_value")
    )
    (events_folder / "labels").mkdir(exist_ok=True)
    labels.write_parquet(events_folder / "labels" / f"{name}.parquet")


def test_a_view_at_prediction_times_ties_features_to_its_labels(config_file, events_folder, cli, tmp_path):
    label_first_four(events_folder)
    config_file.write_text(config_file.read_text().replace("[harvest]", '[harvest]\nviews = [{}, { name = "had_5" }]'))
    code, out, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    samples = pl.read_parquet(tmp_path / "run/activations/had_5/samples.parquet")
    assert samples["prediction_time"].null_count() == 0 and set(samples["n_rows"]) == {5}
    folder = tmp_path / "run/associations/gru-topk-32x4-seed0"
    here = pl.read_parquet(folder / "had_5/baselines.parquet")
    told = here.filter((pl.col("covariate") == "had_5 boolean") & (pl.col("source") == "token"))
    assert told["effect"].to_list() == [1.0] and told["baseline"][0].startswith("CODE//5")
    assert "had_5 boolean" not in set(pl.read_parquet(folder / "full/associations.parquet")["covariate"])
    assert "View full." in out and "View had_5." in out and (tmp_path / "run/report/index.html").is_file()
    page = (tmp_path / "run/report-had_5/index.html").read_text()
    assert f"report of view had_5: {tmp_path / 'run/report-had_5/index.html'}" in out
    assert "label of the view: " in page and " prediction times of " in page


@pytest.mark.parametrize("views", ("[{}]", '[{ readout = "masked" }]'))
def test_labels_without_a_view_of_theirs_are_told_before_anything_long(
    config_file, events_folder, cli, tmp_path, views
):
    label_first_four(events_folder)
    for file in events_folder.glob("covariates*"):
        file.unlink()
    config_file.write_text(config_file.read_text().replace("[harvest]", f"[harvest]\nviews = {views}"))
    code, _, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 2 and 'views = [{ name = "had_5" }]' in err and not (tmp_path / "run" / "activations").exists()


def test_a_finished_stage_is_kept_and_says_so(config_file, cli, tmp_path):
    assert cli("run", config_file, "--out", tmp_path / "run")[0] == 0
    before = hashes(tmp_path / "run")
    code, _, err = cli("run", config_file, "--out", tmp_path / "run")
    assert code == 0 and err.count("unchanged, kept") == 9
    assert hashes(tmp_path / "run") == before


def test_the_same_config_gives_the_same_bytes_elsewhere(config_file, cli, tmp_path):
    for name in ("one", "other"):
        assert cli("run", config_file, "--out", tmp_path / name)[0] == 0
    assert hashes(tmp_path / "one") == hashes(tmp_path / "other")


def test_a_strangers_architecture_trains_by_name(config_file, cli, tmp_path):
    text = config_file.read_text().replace("k = 4", 'architecture = "plain-topk"\noptions = { scale = 2.0 }')
    config_file.write_text(text)
    code, out, err = cli("train", config_file, "--out", tmp_path / "run")
    assert code == 0, err
    assert "gru-plain-topk-32x4-seed1" in out  # k by the architecture's default
    sae = seqsae.load_sae(tmp_path / "run/sae/gru-plain-topk-32x4-seed0")
    assert type(sae).__name__ == "PlainTopK" and sae.options["scale"] == 2.0
    check_sae("plain-topk", width=24, k=3)


def test_another_collate_or_model_option_makes_another_harvest(config_file, cli, tmp_path):
    text = config_file.read_text()
    assert cli("harvest", config_file, "--out", tmp_path / "run")[0] == 0
    config_file.write_text(text.replace('name = "outsider"', 'name = "outsider"\noptions = { width = 16 }'))
    assert "activations/full: unchanged" not in cli("harvest", config_file, "--out", tmp_path / "run")[2]


def test_a_changed_option_makes_only_what_hangs_on_it(config_file, cli, tmp_path):
    assert cli("run", config_file, "--out", tmp_path / "run")[0] == 0
    config_file.write_text(config_file.read_text().replace("features = 5", "features = 6"))
    assert cli("run", config_file, "--out", tmp_path / "run")[2].count("unchanged, kept") == 8
    config_file.write_text(config_file.read_text().replace("steps = 60", "steps = 80"))
    assert cli("run", config_file, "--out", tmp_path / "run")[2].count("unchanged, kept") == 2


SLOW = """
import sys, time
sys.path.insert(0, {site!r})
from {module} import {owner} as owner
plain = owner.{method}
def slowly(*args, **kwargs):
    time.sleep({delay})
    return plain(*args, **kwargs)
owner.{method} = slowly
sys.argv = ["seqsae", "run", {config!r}, "--out", {out!r}]
from seqsae import cli
cli.main()
"""


@pytest.mark.parametrize(
    ("module", "owner", "method", "delay", "sign"),
    [
        ("seqsae.activations.harvesting", "_Job", "_shard", 0.4, "activations/full.partial/.done/00000.json"),
        ("seqsae.sae.training.learner", "Learner", "learn", 0.02, "sae/.gru-topk-32x4-seed0.training-*/step-*"),
    ],
)
def test_killed_and_run_again_it_ends_with_the_same_bytes(
    module, owner, method, delay, sign, config_file, outsider, cli, tmp_path
):
    run = tmp_path / "run"
    code = SLOW.format(
        site=str(outsider),
        module=module,
        owner=owner,
        method=method,
        delay=delay,
        config=str(config_file),
        out=str(run),
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(run.glob(sign)):
        assert process.poll() is None and time.monotonic() < deadline, "the run ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (run / "report").exists()
    assert cli("run", config_file, "--out", run)[0] == 0
    assert cli("run", config_file, "--out", tmp_path / "undisturbed")[0] == 0
    assert hashes(run) == hashes(tmp_path / "undisturbed")


def test_an_interrupted_training_is_not_continued_on_other_data(config_file, events_folder, outsider, cli, tmp_path):
    from conftest import write_events

    run = tmp_path / "run"
    fault = ("seqsae.sae.training.learner", "Learner", "learn", 0.02)
    code = SLOW.format(site=str(outsider), **dict(zip(("module", "owner", "method", "delay"), fault, strict=True)),
                       config=str(config_file), out=str(run))  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not list(run.glob("sae/.*.training-*/step-*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert "stopped; run the same command again" in process.communicate()[1] and process.returncode == 130
    other = write_events(tmp_path / "other", seed=9)
    assert cli("train", config_file, "--data", other, "--out", run)[0] == 0
    assert cli("train", config_file, "--data", other, "--out", tmp_path / "fresh")[0] == 0
    name = "sae/gru-topk-32x4-seed0/sae.safetensors"
    assert shelf.sha256(run / name) == shelf.sha256(tmp_path / "fresh" / name)
    assert not list(run.glob("sae/.*"))


def test_encoding_with_an_sae_of_another_layer_or_model_is_refused_by_name(config_file, cli, tmp_path):
    text = config_file.read_text()
    assert cli("train", config_file, "--out", tmp_path / "a")[0] == 0
    sae = tmp_path / "a/sae/gru-topk-32x4-seed0"
    other = tmp_path / "layer.toml"
    other.write_text(text.replace('["embed", "gru"]', '["embed"]'))
    code, _, err = cli("encode", other, "--out", tmp_path / "b", "--sae", sae)
    assert code == 2 and "this SAE reads gru of outsider" in err and "these activations are embed of outsider" in err
    other.write_text(text.replace('name = "outsider"', 'name = "outsider"\noptions = { seed = 1 }'))
    code, _, err = cli("encode", other, "--out", tmp_path / "c", "--sae", sae)
    assert code == 2 and err.splitlines()[-1].count("fingerprint") == 2
