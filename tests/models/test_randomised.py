"""The model with its weights shuffled: the same entries in other places."""

import torch
from torch import nn

import seqsae
from seqsae.models.randomised import shuffle_weights


class Net(nn.Module):
    def __init__(self, tied=False):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.norm, self.head = nn.Embedding(50, 6), nn.LayerNorm(6), nn.Linear(6, 50, bias=False)
        self.register_buffer("counts", torch.arange(5.0))
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(self.norm(self.embed(ids)))


class Bare(nn.Module):
    def forward(self, ids):
        return ids[..., None].float()


def collate(items):
    ids = torch.tensor([[len(item["token"])] for item in items])
    return ids, ids > 0


def wrapped(module, sites=("norm",)):
    return seqsae.wrap(module, list(sites), collate)


def test_each_tensor_keeps_its_entries_in_another_order():
    model, before = wrapped(Net()), wrapped(Net())
    assert shuffle_weights(model, 3) == 4
    for (name, new), old in zip(model.module.named_parameters(), before.module.parameters(), strict=True):
        assert torch.equal(new.flatten().sort().values, old.flatten().sort().values), name
        assert (new != old).any() == (old.unique().numel() > 1), name
    assert torch.equal(model.module.counts, before.module.counts)
    assert model.fingerprint != before.fingerprint and model.identity["options"] == {
        "weights": "'shuffled with seed 3'"
    }
    assert before.identity["options"] == {}


def test_the_same_seed_shuffles_alike_and_another_differently():
    models = [wrapped(Net()) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        shuffle_weights(model, seed)
    assert models[0].fingerprint == models[1].fingerprint != models[2].fingerprint


def test_tied_weights_stay_tied():
    model = wrapped(Net(tied=True))
    assert shuffle_weights(model, 0) == 3
    assert model.module.head.weight is model.module.embed.weight


def test_a_model_without_weights_is_left_as_it_is():
    model = wrapped(Bare(), [":out"])
    before = model.identity
    assert shuffle_weights(model, 0) == 0 and model.identity == before


def test_weights_that_cannot_be_shuffled_in_place_are_still_shuffled():
    """A frozen, transposed (non-contiguous) weight."""
    net = Net()
    net.head.weight = nn.Parameter(torch.arange(300.0).reshape(6, 50).T, requires_grad=False)
    model = wrapped(net)
    shuffle_weights(model, 0)
    assert sorted(net.head.weight.flatten().tolist()) == list(range(300))
    assert not torch.equal(net.head.weight, torch.arange(300.0).reshape(6, 50).T)
