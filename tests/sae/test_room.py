"""The door of training: arrays and stores, what is written, what stands over what."""

import json

import numpy as np
import pytest
import torch
from features.small_stores import store_of

import seqsae
from seqsae import shelf
from seqsae.activations.store import Store
from seqsae.config import SaeConfig
from seqsae.errors import SeqsaeError
from seqsae.sae.quality.evaluating import evaluate_quality
from seqsae.sae.room import train_many
from seqsae.sae.training.stream import ArrayStream

SHORT = {"width": 16, "k": 2, "steps": 30, "batch": 64, "check_every": 10}


@pytest.fixture
def rows(planted) -> np.ndarray:
    return planted.rows[:1500].numpy()


def test_an_arrays_saes_are_measured_on_a_tenth_that_was_held_out(rows):
    one, other = seqsae.train(rows, seeds=2, **SHORT)
    assert one.artefact is None and one.metrics["step"].to_list() == [10, 20, 30]
    assert 0 < other.metrics["fvu"][-1] < 1 and one.metrics["fvu"].null_count() == 0


def test_a_config_stands_where_no_name_is_given(rows):
    config = SaeConfig(architecture="relu", width=16, steps=3, batch=16)
    assert seqsae.train(rows, config=config)[0].config.architecture == "relu"
    assert seqsae.train(rows, "gated", config=config)[0].config.architecture == "gated"
    assert seqsae.train(rows, steps=3, batch=16, width=8)[0].config.architecture == "topk"
    found = seqsae.sweep(rows, config=config, widths=(8,), sparsities=(0.1,), seeds=1)
    assert {sae.config.architecture for sae in found.saes} == {"relu"}


def test_k_is_no_larger_than_the_width_where_nobody_gave_one(rows):
    assert seqsae.train(rows, width=16, steps=2, batch=16)[0].k == 16


def test_saes_of_an_array_are_kept_and_an_interrupted_training_goes_on(rows, tmp_path, monkeypatch):
    whole = seqsae.train(rows, out=tmp_path / "whole", **SHORT)[0]
    assert {"sae.safetensors", "config.json", "metrics.parquet", "quality.json"} <= set(
        whole.artefact.manifest["files"]
    )
    assert whole.metrics["step"].to_list() == [10, 20, 30]
    left, plain = 17, ArrayStream.next

    def killed(stream, n):
        nonlocal left
        left -= n == SHORT["batch"]
        if left < 0:
            raise KeyboardInterrupt
        return plain(stream, n)

    monkeypatch.setattr(ArrayStream, "next", killed)
    with pytest.raises(KeyboardInterrupt):
        seqsae.train(rows, out=tmp_path / "cut", **SHORT)
    monkeypatch.undo()
    again = seqsae.train(rows, out=tmp_path / "cut", **SHORT)[0]
    assert again.artefact.hash == whole.artefact.hash
    other = seqsae.train(rows + 1, out=tmp_path / "cut", **SHORT)[0]
    assert other.artefact.hash != whole.artefact.hash


def test_what_cannot_say_what_it_was_made_from_is_not_written(rows, tmp_path):
    class Endless:
        def __init__(self):
            self.inner = ArrayStream(rows)
            self.sites, self.n_rows = self.inner.sites, self.inner.n_rows
            self.next, self.state, self.restore = self.inner.next, self.inner.state, self.inner.restore

    assert seqsae.train(Endless(), **SHORT)[0].metrics["fvu"].null_count() == 3
    with pytest.raises(SeqsaeError, match="what is written must say what it was made from"):
        seqsae.train(Endless(), out=tmp_path, **SHORT)
    with pytest.raises(SeqsaeError, match="activations of type list; give a harvest, an array"):
        seqsae.train([[1.0, 2.0]], **SHORT)
    with pytest.raises(SeqsaeError, match="only a sweep over harvested activations is written"):
        seqsae.sweep(rows, out=tmp_path, widths=(8,), ks=(2,))


def test_configs_of_one_pass_bear_what_they_differ_in(rows, tmp_path):
    store = store_of(tmp_path / "run", [12] * 100, rows[:1200])
    base = SaeConfig(width=16, k=2, seeds=1, steps=10, batch=64)
    changes = [{"lr": 1e-4}, {"lr": 1e-1}, {"lr": 1e-1, "options": {"aux_k": 3}}, {"width": 8}]
    configs = [base.model_copy(update=change) for change in changes]
    saes = train_many(store, "site", configs, out=tmp_path / "run")
    assert [sae.artefact.path.name for sae in saes] == [
        "site-topk-16x2-seed0-lr0.0001-aux_kNone",
        "site-topk-16x2-seed0-lr0.1-aux_kNone",
        "site-topk-16x2-seed0-lr0.1-aux_k3",
        "site-topk-8x2-seed0",
    ]
    assert not torch.equal(saes[0].W_dec, saes[1].W_dec)
    alone = train_many(store, "site", configs[1:2], out=tmp_path / "alone")
    assert shelf.sha256(alone[0].artefact.path / "sae.safetensors") == shelf.sha256(
        saes[1].artefact.path / "sae.safetensors"
    )
    with pytest.raises(SeqsaeError, match="the SAE site-topk-16x2-seed0 is asked for twice"):
        train_many(store, "site", [base, base], out=tmp_path / "twice")


def test_an_sae_reads_arrays_and_gives_plain_numbers(rows, tmp_path):
    sae = seqsae.train(rows, **SHORT)[0]
    codes = sae.encode(rows)
    assert codes.values.numpy().shape == (1500, 2) and sae(rows).numpy().shape == rows.shape
    x = torch.from_numpy(rows[:4]).requires_grad_()
    (slope,) = torch.autograd.grad(sae.encode(x).values.sum(), x)
    assert slope.abs().sum() > 0
    assert evaluate_quality(sae, rows, rows[:500]) == evaluate_quality(sae, torch.from_numpy(rows), [rows[:500]])
    seqsae.save_sae(sae, tmp_path / "sae")
    torch.testing.assert_close(seqsae.load_sae(tmp_path / "sae").encode(rows).values, codes.values, rtol=0, atol=0)


@pytest.mark.parametrize("call", (seqsae.train, seqsae.sweep))
def test_a_config_that_is_none_is_refused_in_one_line(rows, call):
    with pytest.raises(SeqsaeError, match="config of type int; give a seqsae.config.SaeConfig"):
        call(rows, config=3)


def test_a_path_that_is_none_is_refused_in_one_line():
    with pytest.raises(SeqsaeError, match="load_sae: NoneType where the path"):
        seqsae.load_sae(None)


def test_a_store_whose_manifest_lost_its_config_is_refused_in_one_line(tmp_path):
    store = store_of(tmp_path / "run", [12] * 10)
    path = store.artefact.path / shelf.MANIFEST
    path.write_text(json.dumps(store.artefact.manifest | {"config": {}}))
    with pytest.raises(SeqsaeError, match="its config has no 'sites'; delete .* and run the stage again"):
        seqsae.train(Store(store.path), **SHORT)
