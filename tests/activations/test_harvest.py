"""Harvest and stream: identity of rows, views, the masked readout, sharding, mixing, exact resumption."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
import torch
from conftest import events_table, write_events
from torch import nn

import seqsae
from seqsae.activations.batches import bucketed
from seqsae.activations.store import Store
from seqsae.activations.stream import StoreStream
from seqsae.activations.views import passes_of
from seqsae.config import HarvestConfig, ViewConfig
from seqsae.errors import SeqsaeError


class Look(nn.Module):
    """Bidirectional on purpose: each position sees the mean of the whole input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(12, 8, padding_idx=0)
        self.mix = nn.Linear(8, 8)

    def forward(self, ids):
        x = self.embed(ids)
        real = (ids != 0).float()[..., None]
        return self.mix(x + (x * real).sum(1, keepdim=True) / real.sum(1, keepdim=True))


NAMES = {"STATIC//A": 1, **{f"CODE//{i}": 2 + i for i in range(8)}}
HIDDEN = 11


def collate(items):
    ids = nn.utils.rnn.pad_sequence(
        [torch.tensor([NAMES[token] for token in item["token"]]) for item in items], batch_first=True
    )
    return ids, ids != 0


def model(**options):
    return seqsae.wrap(
        Look(), ["embed", "mix"], collate, hide=lambda ids, where: ids.masked_fill(where, HIDDEN), **options
    )


@pytest.fixture
def data(tmp_path):
    return seqsae.dataset(write_events(tmp_path / "d", 60))


def config(**options):
    return HarvestConfig(**{"sites": ("embed", "mix"), "shard_samples": 16, "dtype": "float32", **options})


def test_every_row_can_be_traced_and_holds_what_the_model_gave(data, tmp_path):
    store = seqsae.harvest(model(), data, out=tmp_path, config=config(token_budget=50))
    rows, table = store.rows, events_table(60)
    assert store.n_rows == len(table) == len(rows) and rows["row"].to_list() == list(range(len(rows)))
    assert rows["token"].to_list() == table["code"].to_list()
    assert rows["time"].to_list() == table["time"].to_list()
    one = model()
    sample = one.prepare(data[37])
    mine = np.flatnonzero(store.row_subject == 37)
    alone = one.capture(one.collate([sample]), ["mix"])["mix"]
    assert torch.allclose(store.read("mix", mine), alone, atol=1e-6)
    assert rows[mine.tolist()]["event"].to_list() == list(range(len(sample)))


def test_shards_and_batches_do_not_shape_the_numbers(data, tmp_path):
    one = seqsae.harvest(model(), data, out=tmp_path / "a", config=config(shard_samples=7, token_budget=20))
    other = seqsae.harvest(model(), data, out=tmp_path / "b", config=config(shard_samples=100, token_budget=5000))
    everything = np.arange(one.n_rows)
    assert torch.allclose(one.read("mix", everything), other.read("mix", everything), atol=1e-6)
    some = np.array([5, 300, 2, 2, 411])
    assert torch.equal(one.read("embed", some), one.read("embed", everything)[some])


def test_a_prediction_time_cuts_the_input_not_only_the_rows(data, tmp_path):
    labels = pl.DataFrame(
        {
            "subject_id": [3, 5],
            "prediction_time": [datetime(2000, 4, 1), datetime(2000, 3, 1)],
            "boolean_value": [True, False],
        },
        schema_overrides={"prediction_time": pl.Datetime("us")},
    )
    data = seqsae.dataset(tmp_path / "d", labels={"ill": labels})
    store = seqsae.harvest(model(), data, "ill", out=tmp_path, config=config())
    assert store.samples.select("subject", "n_rows").rows() == [(3, 5), (5, 4)]
    assert store.rows["time"].drop_nulls().max() <= datetime(2000, 4, 1)
    one, full = model(), seqsae.harvest(model(), data, out=tmp_path, config=config())
    cut = one.capture(one.collate([one.prepare(data[3].until(np.datetime64("2000-04-01")))]), ["mix"])["mix"]
    assert torch.allclose(store.read("mix", np.arange(5)), cut, atol=1e-6)
    whole = full.read("mix", np.flatnonzero(full.row_subject == 3)[:5])
    assert not torch.allclose(cut, whole, atol=1e-3), "a bidirectional model would have seen the future"


def test_the_masked_readout_reads_each_row_where_it_was_hidden(data, tmp_path):
    store = seqsae.harvest(
        model(), data, ViewConfig(readout="masked"), out=tmp_path, config=config(masked_passes=3), seed=5
    )
    assert store.view == "full-masked" and store.rows["token"].to_list() == events_table(60)["code"].to_list()
    one = model()
    expected = one.module.embed.weight[HIDDEN].expand(store.n_rows, -1)
    assert torch.allclose(store.read("embed", np.arange(store.n_rows)), expected)
    sample = one.prepare(data[4])
    turn = passes_of(4, len(sample), 3, 5)
    batch = one.collate([sample])
    hidden = one.capture(one.hide(batch, torch.from_numpy(turn == 1)[None]), ["mix"])["mix"]
    mine = np.flatnonzero(store.row_subject == 4)
    assert torch.allclose(store.read("mix", mine[turn == 1]), hidden[turn == 1], atol=1e-6)


def test_passes_share_the_rows_evenly_and_differ_by_sample():
    counts = np.bincount(passes_of(0, 10, 4, 0), minlength=4)
    assert counts.sum() == 10 and np.ptp(counts) == 1
    assert not np.array_equal(passes_of(0, 50, 4, 0), passes_of(1, 50, 4, 0))
    assert np.array_equal(passes_of(1, 50, 4, 0), passes_of(1, 50, 4, 0))


@pytest.mark.parametrize("budget", [1, 10, 37, 10_000])
@pytest.mark.parametrize("equal_only", [False, True])
def test_buckets_hold_every_sample_once_within_the_budget(budget, equal_only):
    lengths = np.random.default_rng(0).integers(1, 30, 200)
    groups = list(bucketed(lengths, budget, equal_only))
    assert sorted(np.concatenate(groups)) == list(range(200))
    for group in groups:
        assert len(group) == 1 or len(group) * lengths[group].max() <= budget
        assert not equal_only or len(set(lengths[group])) == 1


def test_a_model_that_padding_changes_never_sees_padding(data, tmp_path):
    seen = []

    def watching(items):
        ids, mask = collate(items)
        seen.append(bool(mask.all()))
        return ids, mask

    unpaddable = seqsae.wrap(Look(), ["mix"], watching, pad_invariant=False)
    seqsae.harvest(unpaddable, data, out=tmp_path, config=config(sites=("mix",)))
    assert all(seen)


def test_numbers_that_the_format_cannot_hold_are_refused(data, tmp_path):
    big = model()
    with torch.no_grad():
        big.module.mix.weight *= 1e7
    with pytest.raises(SeqsaeError, match="float16 cannot hold"):
        seqsae.harvest(big, data, out=tmp_path, config=config(dtype="float16"))
    assert not (tmp_path / "activations" / "full").exists()
    seqsae.harvest(big, data, out=tmp_path, config=config(dtype="bfloat16"))
    with torch.no_grad():
        big.module.mix.weight[0, 0] = float("nan")
    with pytest.raises(SeqsaeError, match="look at the model's input"):
        seqsae.harvest(big, data, out=tmp_path, config=config())


def stream_of(store, seed=0, buffer_rows=256):
    return StoreStream(store, ["mix"], store.rows_in("train"), seed, buffer_rows)


def test_an_epoch_deals_every_train_row_once_and_no_other(data, tmp_path):
    store = seqsae.harvest(model(), data, out=tmp_path, config=config())
    stream = stream_of(store)
    dealt = stream.next(stream.n_rows)["mix"]
    expected = store.read("mix", store.rows_in("train"))
    assert torch.equal(dealt.sort(0).values, expected.sort(0).values)
    assert not torch.equal(dealt, expected)
    assert not torch.equal(stream.next(stream.n_rows)["mix"], dealt), "the second epoch has an order of its own"


def test_a_batch_mixes_subjects(data, tmp_path):
    store = seqsae.harvest(model(), data, out=tmp_path, config=config())
    stream = stream_of(store, buffer_rows=10_000)
    rows = store.read("mix", np.arange(store.n_rows))
    batch = stream.next(64)["mix"]
    subjects = {int(store.row_subject[(rows == row).all(1).nonzero()[0, 0]]) for row in batch}
    assert len(subjects) > 10


@pytest.mark.parametrize("n", [1, 63, 64, 300])
def test_a_restored_stream_goes_on_exactly(data, tmp_path, n):
    store = seqsae.harvest(model(), data, out=tmp_path, config=config())
    stream = stream_of(store)
    for _ in range(5):
        stream.next(n)
    state, after = stream.state(), [stream.next(n)["mix"] for _ in range(4)]
    fresh = stream_of(store)
    fresh.restore(state)
    assert all(torch.equal(fresh.next(n)["mix"], one) for one in after)


def test_a_store_refuses_what_it_does_not_hold(data, tmp_path):
    store = seqsae.harvest(model(), data, out=tmp_path, config=config())
    with pytest.raises(SeqsaeError, match="holds no site 'layers.9'; it has embed, mix"):
        store.read("layers.9", np.array([0]))
    shard = store.path / "mix" / "shard-00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:50])
    with pytest.raises(SeqsaeError, match="shard-00001"):
        Store(store.path).read("mix", np.arange(store.n_rows))


def test_two_sites_come_from_one_forward_pass(data, tmp_path):
    one = model()
    one.capture(one.collate([one.prepare(data[0])]), one.sites)  # before its first, a sample is run to the end
    calls = []
    one.module.embed.register_forward_hook(lambda *_: calls.append(1))
    seqsae.harvest(one, data, out=tmp_path, config=config(token_budget=10**6))
    both = len(calls)
    calls.clear()
    seqsae.harvest(one, data, out=tmp_path / "b", config=config(sites=("mix",), token_budget=10**6))
    assert both == len(calls)
