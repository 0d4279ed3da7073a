"""Training on a store: what is left in the artefact, and what lies beside it."""

import json
import sys
from types import ModuleType

import pytest
from features.small_stores import store_of

import seqsae
from seqsae import progress
from seqsae.errors import SeqsaeError
from seqsae.pages.training import training_page
from seqsae.sae.quality.evaluating import read_quality

OPTIONS = {"width": 16, "k": 2, "seeds": 2, "steps": 20, "batch": 32, "check_every": 5}


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path / "activations" / "full", [6] * 60)


def _train(store, tmp_path, **changes):
    return seqsae.train(store, "topk", out=tmp_path, **(OPTIONS | changes))


def test_each_artefact_has_its_quality_and_the_metrics_lie_beside_as_lines(store, tmp_path):
    saes = _train(store, tmp_path)
    lines = [json.loads(line) for line in next(tmp_path.glob("sae/*.metrics.jsonl")).read_text().splitlines()]
    for index, sae in enumerate(saes):
        last = sae.artefact.table("metrics.parquet").row(-1, named=True)
        found = read_quality(sae.artefact.path)
        assert sae.artefact.has("quality.json")
        assert found["rows"] == len(store.rows_in("select")) and found["fvu"] == pytest.approx(last["fvu"])
        assert found["dark_matter"] is not None and sum(last["density"]) == 16
        mine = [{key: line[key] for key in last} for line in lines if line["sae"] == index]
        assert mine == sae.artefact.table("metrics.parquet").to_dicts()
        assert {line["name"] for line in lines if line["sae"] == index} == {sae.artefact.path.name}
    assert "Quality" in training_page(tmp_path / "sae", tmp_path / "page.html").read_text(encoding="utf-8")


def test_another_training_of_the_name_takes_the_place_of_its_lines_and_writers_are_in_no_hash(
    store, tmp_path, monkeypatch
):
    one = _train(store, tmp_path)[0].artefact.hash
    path = next(tmp_path.glob("sae/*.metrics.jsonl"))
    before = path.read_text()
    assert _train(store, tmp_path, lr=1e-2)[0].artefact.hash != one
    assert path.read_text() != before and len(path.read_text().splitlines()) == len(before.splitlines())
    fake = ModuleType("wandb")
    fake.init = lambda **asked: fake
    fake.log, fake.finish = lambda values, step: None, lambda: None
    monkeypatch.setitem(sys.modules, "wandb", fake)
    assert _train(store, tmp_path, wandb="lives")[0].artefact.hash == one
    assert path.read_text() == before


def test_a_writer_that_is_not_installed_is_told_before_training(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(SeqsaeError, match="pip install"):
        _train(store, tmp_path, wandb="lives")
    assert not list(tmp_path.glob("sae/*/manifest.json"))


def test_a_person_sees_a_line_a_measurement(store, tmp_path, capsys):
    with progress.shown():
        _train(store, tmp_path)
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(":")[0] for line in told.err.splitlines() if "FVU" in line] == [
        f"  step {step}" for step in (5, 10, 15, 20)
    ]
