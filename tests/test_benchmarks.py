"""The benchmark against peers: its data, its judgement, and its workers, here with no peer but the floor."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests_support import benchmark_package

TINY = {"d": 16, "directions": 32, "rows": 4096, "heldout": 2048, "active": 3.0}


@pytest.fixture
def peers(monkeypatch):
    """The benchmark's package, importable for one test."""
    yield from benchmark_package(monkeypatch, "peers")


@pytest.fixture
def tiny(peers, monkeypatch, tmp_path) -> Path:
    """A small written set."""
    from peers import data

    monkeypatch.setitem(data.SETS, "tiny", data.Planted(**TINY))
    return data.written("tiny", tmp_path)


def job(folder: Path, **other) -> dict:
    base = {"peer": "ours", "precision": "float32", "architecture": "topk", "d": 16, "width": 64, "k": 4, "batch": 256}
    base |= {"steps": 9, "lr": 1e-2, "warmup": 0.1, "decay": 0.2, "dead_steps": 100, "seed": 0, "threads": 1}
    return base | {"data": str(folder), "every": 3, "judge": True, "environment": {}} | other


def test_data_are_as_planted(tiny):
    from peers.data import FAMILY, read_truth

    truth = read_truth(tiny, 16)
    rows = np.fromfile(tiny / "rows.f32", np.float32).reshape(-1, 16)
    assert len(rows) == TINY["rows"] and len(truth.heldout) == len(truth.active) == TINY["heldout"]
    assert np.allclose(np.linalg.norm(truth.directions, axis=1), 1, atol=1e-5)
    assert abs((rows**2).sum(1).mean() / 16 - 1) < 0.1
    assert abs(truth.active.sum(1).mean() - TINY["active"]) < 0.3
    family = truth.active.reshape(-1, TINY["directions"] // FAMILY, FAMILY)
    assert not (family[:, :, 1:].any(2) & ~family[:, :, 0]).any()


def test_data_repeat_and_are_written_once(tiny, tmp_path):
    from peers.data import written

    first = (tiny / "rows.f32").read_bytes()
    (tiny / "rows.f32").write_bytes(b"")
    assert written("tiny", tmp_path) == tiny and (tiny / "rows.f32").read_bytes() == b""
    (tiny / "settings.json").unlink()
    assert (written("tiny", tmp_path) / "rows.f32").read_bytes() == first


def test_judgement_of_the_truth_and_of_a_constant(tiny):
    from peers.data import read_truth
    from peers.quality import judged

    truth = read_truth(tiny, 16)
    place = {row.tobytes(): index for index, row in enumerate(truth.heldout)}
    active, mean = torch.from_numpy(truth.active).float(), torch.from_numpy(truth.heldout).mean(0)

    def knows(x):
        return x, active[[place[row.numpy().tobytes()] for row in x]]

    right = judged(knows, torch.from_numpy(truth.directions), truth)
    seen = truth.active.any(0).mean()
    assert right["fvu"] == 0 and right["recovered"] == 1 and right["mmcs"] == pytest.approx(1)
    assert right["f1"] == pytest.approx(seen) and right["dead"] == pytest.approx(1 - seen)
    assert right["l0"] == pytest.approx(truth.active.sum(1).mean())
    wrong = judged(lambda x: (mean.expand_as(x), x.new_zeros(len(x), 8)), torch.eye(8, 16), truth)
    assert wrong["fvu"] == pytest.approx(1, abs=1e-5) and wrong["f1"] == 0 and wrong["dead"] == 1


def test_workers_take_turns_and_finished_rounds_are_kept(tiny, tmp_path):
    from peers.rounds import Rounds

    file = tmp_path / "rounds.json"
    jobs = {"ours": job(tiny), "floor": job(tiny, peer="floor", steps=5)}
    runs = Rounds(file, sys.executable, resume=False).together("a round", jobs, burst=2)
    ours = runs["ours"]
    assert len(ours.cpu_ms) == 9 and len(runs["floor"].cpu_ms) == 5 and min(ours.cpu_ms) > 0 and ours.peak_mb > 0
    assert [steps for steps, _, _ in ours.curve] == [3, 6, 9]
    assert ours.curve[-1][1] == pytest.approx(sum(ours.cpu_ms) / 1e3, rel=0.05)
    assert ours.curve[-1][2] == pytest.approx(ours.quality["fvu"], rel=1e-4)
    assert 0 < ours.quality["fvu"] < 1 and ours.quality["l0"] <= 4
    assert runs["floor"].quality == {}
    again = Rounds(file, "no such interpreter", resume=True).together("a round", jobs, burst=2)
    assert again == runs


def test_a_dead_worker_is_told_with_its_log(tiny, tmp_path):
    from peers.rounds import Rounds

    rounds = Rounds(tmp_path / "rounds.json", sys.executable, resume=False)
    with pytest.raises(RuntimeError, match="(?s)no-peer.*No module named 'peers.nothing'") as told:
        rounds.together("a round", {"no-peer": job(tiny, peer="nothing")}, burst=2)
    assert "log" in str(told.value)


def test_time_to_quality_is_the_first_point_there(peers):
    from peers.contest import _reached
    from peers.rounds import Run

    run = Run({}, [1.0], 0.0, [[1, 0.5, 0.9], [2, 1.0, 0.4], [3, 1.5, 0.3]], {})
    assert _reached(run, 0.4) == 1.0 and _reached(run, 0.1) == math.inf
