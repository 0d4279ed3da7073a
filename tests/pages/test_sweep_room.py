"""A sweep over a store: every SAE as if trained alone, going on after a kill, told in tables and on a page."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from features.small_stores import store_of

import seqsae
from seqsae import schema, shelf
from seqsae.activations.stream import StoreStream
from seqsae.errors import SeqsaeError
from seqsae.pages import sweep_room, sweep_text
from seqsae.sae import room
from seqsae.sae.training.stream import ArrayStream

SIZES = {"widths": (8, 16), "ks": (1, 2), "seeds": 2, "steps": 12, "batch": 64, "check_every": 4}


def _rows(n: int = 1200, d: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(12, d))
    codes = rng.random((n, 12)) * (rng.random((n, 12)) < 0.2)
    return (codes @ directions + 0.01 * rng.normal(size=(n, d))).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    return store_of(tmp_path / "run", [12] * 100, _rows())


def _hashes(folder):
    return {
        path.relative_to(folder).as_posix(): shelf.sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_every_sae_is_an_artefact_as_if_trained_alone(store, tmp_path):
    found = seqsae.sweep(store, **SIZES)
    assert [sae.artefact.path.name for sae in found.saes] == found.frontier["name"].to_list()
    assert len(found.saes) == 8 and found.saes[3].artefact.path.name == "site-topk-8x2-seed1"
    same = {"steps": 12, "batch": 64, "check_every": 4}
    alone = seqsae.train(store, width=16, k=1, seeds=2, out=tmp_path / "alone", **same)
    for sae in alone:
        assert sae.artefact.hash == shelf.Artefact(store.path.parents[1] / "sae" / sae.artefact.path.name).hash
    beside = seqsae.train(store, width=16, k=1, seeds=2, out=tmp_path / "run", **same)
    assert beside[0].artefact.hash == alone[0].artefact.hash


def test_the_artefact_holds_tables_recommendation_and_page(store):
    found = seqsae.sweep(store, **SIZES)
    folder = store.path.parents[1] / "sae" / "sweep-site"
    assert found.artefact.path == folder
    assert set(found.artefact.manifest["files"]) == {
        "frontier.parquet", "splitting.parquet", "stitching.parquet", "recommendation.json", "sweep.html",
    }  # fmt: skip
    assert set(found.artefact.manifest["inputs"]) == {"activations", *found.frontier["name"]}
    for name in ("frontier", "splitting", "stitching"):
        table = pl.read_parquet(folder / f"{name}.parquet")
        assert table.equals(getattr(found, name)) and table.columns == list(schema.columns(name))
    assert len(found.stitching) == 2 * 16
    chosen = json.loads((folder / "recommendation.json").read_text())
    assert chosen["reason"] == found.reason and chosen["rows"] == {"n_rows": 600, "n_subjects": 50}
    if found.recommended is not None:
        assert found.recommended.artefact.path.name == chosen["name"]
    assert "<title>Sweep at site</title>" in (folder / "sweep.html").read_text()
    printed = sweep_text.whole(found)
    assert f"recommended: {chosen['name']}" in printed and str(folder / "sweep.html") in printed
    assert len([line for line in printed.splitlines() if line.startswith(("8 ", "16 "))]) == 4


class Breaking:
    """Switches the machine off at a batch of training."""

    def __init__(self, monkeypatch, at: int):
        self.batches = 0
        following = StoreStream.next

        def next_(stream, n):
            if n == SIZES["batch"]:
                self.batches += 1
                if self.batches == at:
                    raise KeyboardInterrupt
            return following(stream, n)

        monkeypatch.setattr(StoreStream, "next", next_)


@pytest.mark.parametrize("at", [3, 6, 12])
def test_a_killed_sweep_goes_on_to_the_same_bytes(store, tmp_path, monkeypatch, at):
    whole = seqsae.sweep(store, out=tmp_path / "whole", **SIZES)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Breaking(patch, at)
        seqsae.sweep(store, out=tmp_path / "killed", **SIZES)
    with monkeypatch.context() as patch:
        counted = Breaking(patch, 0)
        seqsae.sweep(store, out=tmp_path / "killed", **SIZES)
    assert counted.batches == SIZES["steps"] - (at - 1) // 4 * 4  # from the last saved state on
    assert _hashes(tmp_path / "killed") == _hashes(tmp_path / "whole")
    assert whole.artefact.hash == shelf.Artefact(tmp_path / "killed" / "sae" / "sweep-site").hash


def test_a_kill_between_artefacts_costs_no_training(store, tmp_path, monkeypatch):
    seqsae.sweep(store, out=tmp_path / "whole", **SIZES)
    staged, stage = [], shelf.stage

    def killed(out, *rest):
        if len(staged) == 3:
            raise KeyboardInterrupt
        staged.append(out)
        return stage(out, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shelf, "stage", killed)
        seqsae.sweep(store, out=tmp_path / "killed", **SIZES)
    with monkeypatch.context() as patch:
        counted = Breaking(patch, 0)
        seqsae.sweep(store, out=tmp_path / "killed", **SIZES)
    assert len(staged) == 3 and counted.batches == 0
    assert _hashes(tmp_path / "killed") == _hashes(tmp_path / "whole")


def test_a_wider_sweep_trains_what_is_new_alone(store, monkeypatch):
    seqsae.sweep(store, **SIZES)
    trained, train_on = [], room.train_on

    def noted(stream, site, specs, *rest):
        trained.extend(spec.name(site) for spec in specs)
        return train_on(stream, site, specs, *rest)

    monkeypatch.setattr(room, "train_on", noted)
    found = seqsae.sweep(store, **{**SIZES, "widths": (8, 16, 24)})
    assert trained == [f"site-topk-24x{k}-seed{seed}" for k in (1, 2) for seed in (0, 1)]
    assert found.frontier["width"].unique().to_list() == [8, 16, 24] and len(found.stitching) == 2 * (16 + 24)
    trained.clear()
    again = seqsae.sweep(store, **{**SIZES, "widths": (8, 16, 24)})
    assert trained == [] and again.frontier.equals(found.frontier)
    # what another pass trained is what this one would have
    other = seqsae.sweep(store, out=store.path.parents[1] / "other", **{**SIZES, "widths": (8, 16, 24)})
    assert [sae.artefact.hash for sae in other.saes] == [sae.artefact.hash for sae in found.saes]


def test_one_artefact_that_was_lost_is_made_again(store):
    import shutil

    found = seqsae.sweep(store, **SIZES)
    before = found.saes[2].artefact.hash
    shutil.rmtree(found.saes[2].artefact.path)
    assert seqsae.sweep(store, **SIZES).saes[2].artefact.hash == before


def test_options_of_sparsity_stand_in_the_names(store):
    sizes = {**SIZES, "ks": (), "sparsities": (0.01, 0.1), "seeds": 1}
    found = seqsae.sweep(store, "relu", **sizes)
    assert found.frontier["name"].to_list() == [
        f"site-relu-{width}-sparsity{value}-seed0" for width in (8, 16) for value in (0.01, 0.1)
    ]
    assert found.frontier["sparsity"].to_list() == [0.01, 0.1, 0.01, 0.1] and found.frontier["k"].null_count() == 4
    l0 = found.frontier["l0"]
    assert l0[0] > l0[1] and l0[2] > l0[3]
    assert "sparsity" in sweep_text.whole(found)


def test_an_array_is_swept_with_a_tenth_held_out():
    rows = torch.from_numpy(_rows())
    found = seqsae.sweep(rows, **SIZES)
    assert found.artefact is None and len(found.saes) == 8
    assert found.comparison.recommendation["rows"] == {"n_rows": 1080, "n_subjects": None}
    again = seqsae.sweep(ArrayStream(rows), patience=2, **SIZES)
    assert len(again.saes) == 8


def test_what_cannot_be_swept_is_refused(store):
    with pytest.raises(SeqsaeError, match="sweep: unknown option 'width2'"):
        seqsae.sweep(store, width2=4)
    with pytest.raises(SeqsaeError, match=r"sweep: option 'sweep.ks.0'"):
        seqsae.sweep(store, widths=(8,), ks=("many",))
    with pytest.raises(SeqsaeError, match="k is 12 with a width of 8"):
        seqsae.sweep(store, widths=(8,), ks=(12,))
    with pytest.raises(SeqsaeError, match="no rows can be held out of this stream"):
        sweep_room.sweep(StoreStream(store, ["site"], store.rows_in("train"), 0))
    nobody = store_of(store.path.parents[1] / "x", [12] * 20, _rows(240), split=["train"] * 20)
    with pytest.raises(SeqsaeError, match="no held-out rows"):
        seqsae.sweep(nobody, **SIZES)


def test_the_command_line_sweeps_and_refuses(cli, config_file, tmp_path):
    code, _, err = cli("train", config_file, "--out", tmp_path / "run", "--widths", "8,16")
    assert code == 2 and "--widths is a list for a sweep; give --sweep too" in err
    code, _, err = cli("train", config_file, "--out", tmp_path / "run", "--sweep", "--widths", "8,many", "--ks", "2")
    assert code == 2 and "option 'sweep.widths.1'" in err and "Traceback" not in err
    code, out, err = cli("train", config_file, "--out", tmp_path / "run", "--sweep", "--widths", "8, 16", "--ks", "2,4")
    assert code == 0, err
    assert "recommended: gru-topk-" in out and "sweep.html" in out
    assert len(list((tmp_path / "run" / "sae").glob("gru-topk-*-seed?"))) == 8
    config_file.write_text(
        config_file.read_text().replace("[sae]", "[sae]\nsweep = {widths = [16], ks = [2, 4], seeds = 1}")
    )
    code, out, err = cli("train", config_file, "--out", tmp_path / "run", "--sweep")
    assert code == 0, err
    table = pl.read_parquet(tmp_path / "run" / "sae" / "sweep-gru" / "frontier.parquet")
    assert table.select("width", "k", "seed").rows() == [(16, 2, 0), (16, 4, 0)]
