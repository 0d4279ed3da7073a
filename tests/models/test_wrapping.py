"""`wrap` over every calling convention, ragged input, the fused path, and faults that check_model must catch."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.records.record import Record
from seqsae.testing import check_model, relative_l2

LENGTHS = (3, 9, 5, 12)


def records(lengths=LENGTHS, seed=0):
    rng = np.random.default_rng(seed)
    return [Record(i, i, item={"token": rng.integers(1, 20, n).tolist()}) for i, n in enumerate(lengths)]


def ids_of(items):
    return nn.utils.rnn.pad_sequence([torch.tensor(item["token"]) for item in items], batch_first=True)


class Attention(nn.Module):
    """A two-layer encoder; `convention` says how forward takes its input and gives its output."""

    def __init__(self, dropout=0.1):
        super().__init__()
        torch.manual_seed(1)
        self.embed = nn.Embedding(20, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def run(self, ids):
        return self.encoder(self.embed(ids), src_key_padding_mask=ids == 0)


class TakesTensor(Attention):
    def forward(self, ids):
        return self.run(ids)


class TakesKeywords(Attention):
    def forward(self, ids, scale=1.0):
        return self.run(ids) * scale


class TakesDict(Attention):
    def forward(self, batch):
        return {"hidden": self.run(batch["ids"])}


class TakesTwo(Attention):
    def forward(self, ids, offset):
        return (self.run(ids) + offset[..., None], None)


Output = namedtuple("Output", "last other")


class GivesNamed(Attention):
    def forward(self, ids):
        return Output(self.run(ids), None)


CONVENTIONS = {
    TakesTensor: lambda items: (ids_of(items), ids_of(items) != 0),
    TakesKeywords: lambda items: ({"ids": ids_of(items)}, ids_of(items) != 0),
    TakesDict: lambda items: ({"ids": ids_of(items), "unused": 1}, ids_of(items) != 0),
    TakesTwo: lambda items: ((ids_of(items), torch.zeros(ids_of(items).shape)), ids_of(items) != 0),
    GivesNamed: lambda items: (ids_of(items), ids_of(items) != 0),
}
SITES = ["embed", "encoder.layers.0", "encoder.layers.1:in", "encoder.layers.1", "encoder"]


@pytest.mark.parametrize("kind", CONVENTIONS, ids=lambda kind: kind.__name__)
def test_every_convention_passes_the_contract(kind):
    model = seqsae.wrap(kind(), SITES, CONVENTIONS[kind])
    check_model(model, records())
    assert model.sites == dict.fromkeys(SITES, 16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_padded_batch_reads_as_each_sequence_alone(dtype):
    model = seqsae.wrap(TakesTensor().to(dtype), SITES, CONVENTIONS[TakesTensor])
    samples = [model.prepare(record) for record in records()]
    together = model.capture(model.collate(samples), SITES)
    alone = [model.capture(model.collate([sample]), SITES) for sample in samples]
    for site in SITES:
        assert relative_l2(together[site], torch.cat([one[site] for one in alone])) < 1e-5
        assert len(together[site]) == sum(LENGTHS)


def test_the_forward_pass_stops_behind_the_last_site():
    model = seqsae.wrap(TakesTensor(), ["embed", "encoder.layers.0"], CONVENTIONS[TakesTensor])
    batch = model.collate([model.prepare(record) for record in records()])
    model.capture(batch, model.sites)  # before its first, a sample is run to the end
    ran = []
    model.module.encoder.layers[1].register_forward_hook(lambda *_: ran.append(1))
    model.capture(batch, ["embed", "encoder.layers.0"])
    assert not ran
    model.forward(batch)
    assert ran


def test_in_and_out_of_neighbours_agree_and_dicts_with_a_mask_need_no_second_one():
    class Masked(Attention):
        def forward(self, ids, attention_mask):
            return self.encoder(self.embed(ids), src_key_padding_mask=attention_mask == 0)

    def collate(items):
        return {"ids": ids_of(items), "attention_mask": (ids_of(items) != 0).long()}

    model = seqsae.wrap(Masked(), ["encoder.layers.0", "encoder.layers.1:in"], collate)
    check_model(model, records())
    got = model.capture(model.collate([model.prepare(record) for record in records()]), model.sites)
    assert torch.equal(got["encoder.layers.0"], got["encoder.layers.1:in"])


def test_time_first_modules():
    class TimeFirst(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embed, self.gru = nn.Embedding(20, 8), nn.GRU(8, 8)

        def forward(self, ids):
            return self.gru(self.embed(ids.T))

    collate = CONVENTIONS[TakesTensor]
    check_model(seqsae.wrap(TimeFirst(), ["gru"], collate, attention="causal", batch_first=False), records())
    with pytest.raises(SeqsaeError, match="batch_first=False"):
        model = seqsae.wrap(TimeFirst(), ["gru"], collate)
        model.capture(model.collate([model.prepare(record) for record in records()]), ["gru"])


def test_replacing_changes_real_rows_only():
    model = seqsae.wrap(TakesTensor(), ["encoder.layers.0"], CONVENTIONS[TakesTensor])
    batch = model.collate([model.prepare(record) for record in records()])
    seen = []
    with torch.no_grad():
        changed = model.replace(
            batch, "encoder.layers.0", lambda rows: seen.append(rows.shape) or torch.zeros_like(rows)
        )
        plain = model.forward(batch)
    assert seen == [(sum(LENGTHS), 16)]
    assert not torch.allclose(changed[batch.mask], plain[batch.mask])


FAULTS = {
    "does the attention mask reach the model": lambda: seqsae.wrap(
        _Unmasked(), ["encoder.layers.1"], CONVENTIONS[TakesTensor]
    ),
    "sees later positions": lambda: seqsae.wrap(
        TakesTensor(), ["encoder.layers.1"], CONVENTIONS[TakesTensor], attention="causal"
    ),
    "dropout left on": lambda: seqsae.wrap(_Noisy(), ["encoder.layers.1"], CONVENTIONS[TakesTensor]),
    "training mode": lambda: _training(seqsae.wrap(TakesTensor(), ["encoder.layers.1"], CONVENTIONS[TakesTensor])),
    "expected \\(4, 12, width\\)": lambda: seqsae.wrap(
        TakesTensor(), ["encoder.layers.1.self_attn:in"], lambda items: (ids_of(items).T, ids_of(items) != 0)
    ),
    "did not run": lambda: seqsae.wrap(_Idle(), ["idle"], CONVENTIONS[TakesTensor]),
    "names no sites": lambda: seqsae.wrap(TakesTensor(), [], CONVENTIONS[TakesTensor]),
    "other activations there changes nothing": lambda: seqsae.wrap(_Dead(), ["embed"], CONVENTIONS[TakesTensor]),
}


class _Unmasked(Attention):
    def forward(self, ids):
        return self.encoder(self.embed(ids))


class _Noisy(Attention):
    def forward(self, ids):
        return self.encoder(self.embed(ids) + torch.rand(ids.shape)[..., None], src_key_padding_mask=ids == 0)


class _Idle(Attention):
    def __init__(self):
        super().__init__()
        self.idle = nn.Linear(2, 2)

    def forward(self, ids):
        return self.run(ids)


class _Dead(Attention):
    def forward(self, ids):
        return self.run(ids) * 0 + 1


def _training(model):
    model.module.train()
    return model


@pytest.mark.parametrize("words", FAULTS)
def test_check_model_catches_a_planted_fault(words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        check_model(FAULTS[words](), records())
    assert "\n" not in str(caught.value)


def test_the_fingerprint_follows_weights_and_config():
    model, other = (seqsae.wrap(TakesTensor(), ["embed"], CONVENTIONS[TakesTensor]) for _ in range(2))
    assert model.fingerprint == other.fingerprint
    with torch.no_grad():
        other.module.embed.weight[3, 3] += 1e-3
    assert model.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("sites", "collate", "words"),
    [
        (["encoder.layers.7"], CONVENTIONS[TakesTensor], "near it: encoder.layers"),
        (["embed:up"], CONVENTIONS[TakesTensor], "'in' or 'out', not 'up'"),
        (["embed"], ids_of, "without a mask"),
        (["embed"], lambda items: (ids_of(items), ids_of(items) > 15), "mark each token once"),
    ],
)
def test_a_wrong_wrapping_is_told_in_one_line(sites, collate, words):
    with pytest.raises(SeqsaeError, match=words):
        seqsae.wrap(TakesTensor(), sites, collate).prepare(records((4,), seed=3)[0])


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused_with_a_reason():
    class Plain(nn.Module):
        def forward(self, ids: torch.Tensor):
            return ids

    with pytest.raises(SeqsaeError, match="cannot be hooked"):
        seqsae.wrap(torch.jit.script(Plain()), [], CONVENTIONS[TakesTensor])


def newest(items):
    """The last six tokens of each item but those below 5, and which they are."""
    kept = [[i for i, token in enumerate(item["token"]) if token >= 5][-6:] for item in items]
    ids = nn.utils.rnn.pad_sequence(
        [torch.tensor([item["token"][i] for i in these]) for item, these in zip(items, kept, strict=True)],
        batch_first=True,
    )
    index = nn.utils.rnn.pad_sequence([torch.tensor(these) for these in kept], batch_first=True)
    return ids, ids != 0, index


def test_a_collate_that_clips_and_drops_says_which_entries_are_left():
    model = seqsae.wrap(TakesTensor().eval(), ["encoder.layers.0"], newest)
    for record in records((30, 41)):
        sample = model.prepare(record)
        tokens = record.item["token"]
        assert sample.event.tolist() == [i for i, token in enumerate(tokens) if token >= 5][-6:]
        assert sample.token.tolist() == [str(tokens[i]) for i in sample.event]
    check_model(model, records((30, 41, 5, 4, 25)))


@pytest.mark.parametrize("away", (50, -50, 2**40))
def test_an_entry_that_is_not_there_is_refused(away):
    wrong = lambda items: (*newest(items)[:2], newest(items)[2] + away)  # noqa: E731
    model = seqsae.wrap(TakesTensor().eval(), ["encoder.layers.0"], wrong)
    with pytest.raises(SeqsaeError, match="a row is entry .* of an item that has 9"):
        model.prepare(records((9,))[0])


@pytest.mark.parametrize("device", ("tpu", "", "meta"))
def test_a_device_that_is_not_here_is_one_line(device):
    with pytest.raises(SeqsaeError, match="choose cpu, or one that is here"):
        seqsae.wrap(TakesTensor(), ["encoder.layers.0"], newest, device=device)
