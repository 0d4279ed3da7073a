"""Training: it learns, it learns from the train split alone, and a kill changes nothing."""

import hashlib

import numpy as np
import pytest
import torch
from seqsae_life2vec import batching, losses, training
from seqsae_life2vec.model import open as open_life2vec
from seqsae_life2vec.state import State
from seqsae_life2vec.tokenizer import encode
from seqsae_life2vec.vocabulary import SPECIALS, Vocabulary

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model

SMALL = {
    "d_model": 16,
    "n_blocks": 2,
    "n_heads": 2,
    "d_hidden": 32,
    "epochs": 12,
    "batch_size": 8,
    "learning_rate": 1e-2,
}


def lives(n: int = 120) -> list[Record]:
    """Toy lives of one of two kinds: half of them only ever see A and B, the others only C and D."""
    rng = np.random.default_rng(0)
    made = []
    for subject in range(n):
        m = int(rng.integers(6, 14))
        codes = rng.choice(["A", "B"] if subject % 2 else ["C", "D"], m)
        days = np.cumsum(rng.integers(1, 200, m + 1))
        time = np.datetime64("1990-01-01", "us") + days * np.timedelta64(1, "D")
        made.append(Record(subject, 100 + subject, time, np.array(["MEDS_BIRTH", *codes], object), None))
    return made


def digests(folder) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_it_learns_what_the_lives_hold_and_the_result_opens(tmp_path):
    records = lives()
    report = training.train(records, np.arange(80), np.arange(80, 120), tmp_path, 0, **SMALL)
    told = report["losses"]
    assert told["unit"] == "nats per masked event"
    assert told["unigram"] == pytest.approx(np.log(4), abs=0.02)
    assert told["model"] < 0.85  # log 2 = 0.693 is the best there is
    assert not list(tmp_path.glob(".*"))
    check_model(open_life2vec(tmp_path), records[:4])


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    records, options = lives(40), {**SMALL, "epochs": 3, "checkpoint_every": 2}
    arguments = (records, np.arange(30), np.arange(30, 40))
    training.train(*arguments, tmp_path / "whole", 3, **options)

    real, calls = training._step, []

    def dies(*given):
        if len(calls) == 7:
            raise Killed
        calls.append(1)
        real(*given)

    monkeypatch.setattr(training, "_step", dies)
    with pytest.raises(Killed):
        training.train(*arguments, tmp_path / "killed", 3, **options)
    assert (tmp_path / "killed" / ".state").is_dir()
    resumed = []
    monkeypatch.setattr(training, "_step", lambda *given: (resumed.append(1), real(*given)))
    training.train(*arguments, tmp_path / "killed", 3, **options)
    assert len(resumed) == 12 - 6  # 4 steps an epoch, the last state kept after step 6
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


def test_a_state_of_another_training_or_a_cut_one_is_not_gone_on_from(tmp_path):
    module = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    State(tmp_path, "a").save(5, module, optimiser)
    assert State(tmp_path, "b").load(module, optimiser) == 0
    assert State(tmp_path, "a").load(module, optimiser) == 5
    file = State(tmp_path, "a").file
    file.write_bytes(file.read_bytes()[:-8])
    assert State(tmp_path, "a").load(module, optimiser) == 0


def test_the_seed_decides_the_bytes(tmp_path):
    arguments = (lives(20), np.arange(15), np.arange(15, 20))
    for name, seed in (("one", 1), ("same", 1), ("two", 2)):
        training.train(*arguments, tmp_path / name, seed, **{**SMALL, "epochs": 1})
    assert digests(tmp_path / "one") == digests(tmp_path / "same")
    assert digests(tmp_path / "one")["model.safetensors"] != digests(tmp_path / "two")["model.safetensors"]


def test_the_heldout_lives_change_no_weight(tmp_path):
    records, train = lives(40), np.arange(20)
    training.train(records, train, np.arange(20, 30), tmp_path / "one", 0, **{**SMALL, "epochs": 1})
    training.train(records, train, np.arange(30, 40), tmp_path / "two", 0, **{**SMALL, "epochs": 1})
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert one["model.safetensors"] == two["model.safetensors"]
    assert one["training.json"] != two["training.json"]


def test_unigram_by_hand():
    words = Vocabulary([*SPECIALS, "A", "B"])
    record = Record(0, 0, np.array(["2000-01-01"] * 3, "datetime64[us]"), np.array(["A", "A", "B"], object), None)
    coded = encode(record, words, 9)
    wanted = -(2 * np.log(3 / 6) + np.log(2 / 6)) / 3  # A 2 + 1, B 1 + 1, [UNK] 0 + 1
    assert losses.unigram([coded], [coded], len(words)) == pytest.approx(wanted)


def test_every_life_is_in_an_epoch_once_and_like_lengths_go_together():
    lengths = np.random.default_rng(0).integers(30, 120, 1000)
    batches = batching.epoch(lengths, 16, seed=0, number=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    padded = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert padded < 1.15 * lengths.sum()
    other = batching.epoch(lengths, 16, seed=0, number=1)
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


def test_the_share_hidden_is_the_share_asked_for():
    real = torch.ones(200, 101, dtype=torch.bool)
    real[:, 81:] = False
    where = training.draw(real, 0.25, seed=0, step=3)
    assert not where[:, 0].any() and not where[:, 81:].any()
    assert where.sum().item() / (200 * 80) == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(where, training.draw(real, 0.25, seed=0, step=4))


def test_rate_rises_then_falls_to_nothing():
    rates = [training.schedule(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert all(earlier >= later for earlier, later in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 0.001


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": 2.5}, "type int"),
        ({"n_heads": 3}, "divisor of d_model"),
        ({"mask_share": 1.0}, "mask_share"),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, says):
    with pytest.raises(SeqsaeError, match=says):
        training.train(lives(10), np.arange(5), np.arange(5, 10), tmp_path, 0, **options)


@pytest.mark.parametrize(
    ("train", "heldout", "says"),
    [([], [1], "no train subjects"), ([1], [], "no held-out subjects"), ([1, 2], [2, 3], "subject 2 is in")],
)
def test_splits_that_cannot_be_trained_on_are_refused(tmp_path, train, heldout, says):
    with pytest.raises(SeqsaeError, match=says):
        training.train(lives(10), np.array(train, int), np.array(heldout, int), tmp_path, 0)


def test_lives_without_events_are_refused(tmp_path):
    empty = [Record(i, i, np.array(["NaT"], "datetime64[us]"), np.array(["SEX"], object), None) for i in range(12)]
    with pytest.raises(SeqsaeError, match="no subject of the split has an event"):
        training.train(empty, np.arange(8), np.arange(8, 12), tmp_path, 0)
