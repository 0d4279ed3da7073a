"""Training: it learns, it learns from the train split alone, and a kill changes nothing."""

import hashlib

import numpy as np
import pytest
import torch
from life2vec_cases import PLAIN, network
from seqsae_life2vec import batching, losses, objectives, options, order, training
from seqsae_life2vec.layout import Layout
from seqsae_life2vec.model import open as open_life2vec
from seqsae_life2vec.state import State
from seqsae_life2vec.tokenizer import PREFIX, encode
from seqsae_life2vec.vocabulary import MASK, SEP, SPECIALS, Vocabulary

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
PUBLISHED = {  # what is published but for the sizes
    **{"preset": "published", "d_model": 16, "n_blocks": 2, "n_heads": 2, "d_hidden": 32, "max_length": 64},
    **{"min_subjects": 5, "epochs": 3, "batch_size": 8, "accumulate": 2},
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
        made.append(
            Record(subject, 100 + subject, time, np.array(["MEDS_BIRTH", *codes], object), np.full(m + 1, np.nan))
        )
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


@pytest.mark.parametrize(
    "options",
    [{**SMALL, "epochs": 3}, PUBLISHED, {**SMALL, "epochs": 3, "objective": "next"}],
    ids=["small", "published", "next"],
)
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch, options):
    records, options = lives(40), {**options, "checkpoint_every": 2}
    arguments = (records, np.arange(30), np.arange(30, 40))
    whole = training.train(*arguments, tmp_path / "whole", 3, **options)

    real, calls, last = training._step, [], whole["n_steps"] - 1

    def dies(*given):
        if len(calls) == last:
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
    assert len(resumed) == whole["n_steps"] - last // 2 * 2
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
    for layout in (PLAIN, Layout(9)):
        coded = encode(record, words, layout)
        wanted = -(2 * np.log(3 / 6) + np.log(2 / 6)) / 3  # A 2 + 1, B 1 + 1, [UNK] 0 + 1
        assert losses.unigram([coded], [coded], len(words)) == pytest.approx(wanted)


def coded(n: int = 60, layout: Layout = PLAIN):
    words = Vocabulary([*SPECIALS, "A", "B", "C", "D"])
    return [encode(record, words, layout) for record in lives(n)]


def test_a_network_of_zeros_costs_as_much_as_guessing_blindly():
    tested = network(head="plain")
    torch.nn.init.zeros_(tested.head.out.weight)
    torch.nn.init.zeros_(tested.head.out.bias)
    assert losses.nats(tested, coded(), 4, 0) == pytest.approx(np.log(14), rel=1e-5)
    causal = network(head="plain", causal=True)
    causal.head = tested.head
    assert losses.nats(causal, coded(), 4, 0) == pytest.approx(np.log(14), rel=1e-5)


def test_what_is_hidden_kept_and_swapped_follows_the_shares():
    chosen = options.parse({"mask_share": 0.3, "keep_share": 0.1, "random_share": 0.1, "separators": True})
    documents = coded(400, Layout(64, birth_tokens=False))
    asked = objectives.ask(documents, chosen, 14, 0, 1)
    token = batching.pad(documents)["token"]
    rows = batching.rows(documents)
    assert not asked.where[~rows].any() and (asked.answer >= len(SPECIALS)).all()
    assert asked.where.sum() / rows.sum() == pytest.approx(0.3, abs=0.02)
    shown = asked.inputs["token"]
    assert torch.equal(shown[~asked.where], token[~asked.where])
    assert (shown[asked.where] == MASK).float().mean() == pytest.approx(0.8, abs=0.03)
    same = (shown[asked.where] == asked.answer).float().mean()
    assert same == pytest.approx(0.1 + 0.1 / 4, abs=0.03)  # kept, or swapped for itself
    again = objectives.ask(documents, chosen, 14, 0, 1)
    assert torch.equal(again.inputs["token"], shown)
    assert not torch.equal(objectives.ask(documents, chosen, 14, 0, 2).where, asked.where)


def test_next_asks_every_position_for_the_token_behind_it():
    document = coded(1, Layout(64))[0]
    asked = objectives.following(batching.pad([document]))
    assert asked.where[0].tolist() == [True] * (len(document) - 1) + [False]
    assert asked.answer.tolist() == document.token[1:].tolist()


@pytest.mark.parametrize("layout", [PLAIN, Layout(64)], ids=["plain", "separated"])
def test_moments_change_places_while_dates_stay(layout):
    words = Vocabulary([*SPECIALS, "A", "B", "C"])
    time = np.array(["2000-01-01", "2001-01-01", "2001-01-01", "2003-01-01"], "datetime64[us]")
    life = encode(Record(0, 0, time, np.array(list("ABCA"), object), None), words, layout)
    back = order.with_moments(life, np.array([3, 2, 1]))
    sep = [SEP] * layout.separators
    assert back.token[back.moment > PREFIX].tolist() == [10, *sep, 11, 12, *sep, 10, *sep]
    assert back.event[back.row].tolist() == [3, 1, 2, 0]
    for channel in ("time", "age", "segment"):  # slot by slot as before, each as long as what stands in it
        kept = [getattr(life, channel)[life.moment == slot][0] for slot in (1, 2, 3)]
        assert [getattr(back, channel)[back.moment == slot][0] for slot in (1, 2, 3)] == kept
    same = order.with_moments(life, np.array([1, 2, 3]))
    assert same.token.tolist() == life.token.tolist()
    assert len(back) == len(life)


def test_few_lives_are_reordered_and_which_is_told():
    changed, kind = order.reorder(coded(400), np.random.default_rng(0))
    assert (kind > 0).float().mean() == pytest.approx(0.1, abs=0.04)
    assert set(kind.tolist()) == {0, 1, 2}
    for before, after, k in zip(coded(400), changed, kind.tolist(), strict=True):
        assert sorted(before.token) == sorted(after.token)
        assert k == 0 or len(before.token) == len(after.token)


def test_the_published_objective_learns_and_tells_the_order(tmp_path):
    records = lives(60)
    report = training.train(records, np.arange(45), np.arange(45, 60), tmp_path, 0, **PUBLISHED)
    assert 0 <= report["losses"]["order_accuracy"] <= 1
    assert report["losses"]["perplexity"] == pytest.approx(np.exp(report["losses"]["model"]))
    check_model(open_life2vec(tmp_path), records[:4])
    check_model(open_life2vec(tmp_path, rows="person"), records[:4])


def test_next_event_training_learns_and_is_causal(tmp_path):
    records = lives()
    report = training.train(records, np.arange(80), np.arange(80, 120), tmp_path, 0, **SMALL, objective="next")
    assert report["losses"]["unit"] == "nats per next event"
    assert report["losses"]["model"] < 0.95  # log 2, and log 4 for the first event of each life
    opened = open_life2vec(tmp_path)
    assert opened.attention == "causal"
    check_model(opened, records[:4])


def test_every_life_is_in_an_epoch_once_and_like_lengths_go_together():
    lengths = np.random.default_rng(0).integers(30, 120, 1000)
    batches = batching.epoch(lengths, 16, seed=0, number=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    padded = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert padded < 1.15 * lengths.sum()
    other = batching.epoch(lengths, 16, seed=0, number=1)
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


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
        ({"preset": "huge"}, "no preset 'huge'; it has tiny, small"),
        ({"objective": "both"}, "'masked' or 'next'"),
        ({"objective": "next", "order_weight": 0.2}, "0 with objective = 'next'"),
        ({"keep_share": 0.5, "random_share": 0.5}, "below 1 together"),
        ({"separators": 1}, "type bool"),
        ({"epochs": True}, "type int"),
        ({"head": "other"}, "'published' or 'plain'"),
        ({"reference": "soon"}, "must be a date"),
        ({"max_length": 3, "separators": True}, "it must be 4 "),
        ({"max_length": 10**12}, "max_length = 1000000000000"),
        ({"epochs": 10**26}, "it must be 1 to 1,000,000"),
        ({"d_model": 10**9}, "it must be 1 to"),
        ({"d_hidden": 10**6, "d_model": 65_536, "n_blocks": 1000}, "GiB, cpu has"),
        ({"mask_share": 1e-12}, "0.001 or more"),
        ({"learning_rate": float("inf")}, "finite"),
        ({"learning_rate": 1e30}, "at most 1,000,000"),
        ({"gate": float("inf")}, "finite"),
        ({"token_start": float("inf")}, "finite"),
        ({"token_start": 1e300}, "0 to 1,000,000"),
        ({"dropout": float("nan")}, "finite"),
        ({"device": "tpu"}, "device 'tpu'"),
        ({"device": "meta"}, "device 'meta'"),
        ({"device": ""}, "device ''"),
        ({"device": "cuda:99"}, "device 'cuda:99'"),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, says):
    with pytest.raises(SeqsaeError, match=says):
        training.train(lives(10), np.arange(5), np.arange(5, 10), tmp_path, 0, **options)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64])
def test_impossible_seeds_are_refused(tmp_path, seed):
    with pytest.raises(SeqsaeError, match="seed = "):
        training.train(lives(10), np.arange(5), np.arange(5, 10), tmp_path, seed)


def test_moments_longer_than_the_network_reads_are_told_as_such(tmp_path):
    when = np.array(["1990-01-01"] * 6, "datetime64[us]")
    long = [Record(i, i, when, np.array(["A"] * 6, object), None) for i in range(12)]
    with pytest.raises(SeqsaeError, match="no moment of the split fits into max_length = 5: 48 events clipped"):
        training.train(long, np.arange(8), np.arange(8, 12), tmp_path, 0, max_length=5)


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
