"""Which sites are an MLP's hidden layer, and its neurons beside each other."""

import numpy as np
import pytest
import torch
from conftest import write_events
from torch import nn

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.features.neurons import MlpNeurons, is_hidden, mlp_sites

HIDDEN = (
    "blocks.1.mlp.hidden", "mlp.hidden", "h.3.mlp.c_proj:in", "transformer.h.0.mlp.act", "bert.encoder.layer.1.intermediate",
    "encoder.layer.0.output.dense:in", "layers.4.mlp.down_proj:in", "esmc.layers.2.mlp.down_proj:in", "layers.0.mlp.Wo:in",
    "encoder.block.0.layer.1.DenseReluDense.wo:in",
)  # fmt: skip
OTHERS = (
    "blocks.1", "blocks.1.mlp", "blocks.1.hidden", "my_mlp.hidden2", "somlp.hidden", "h.3.mlp.c_proj", "layers.4.mlp.down_proj",
    "encoder.layer.0.attention.output.dense:in", "encoder.layer.0.output.dense", "blocks.1.mlp.hidden:in", "embedding",
)  # fmt: skip


@pytest.mark.parametrize("site", HIDDEN)
def test_hidden_layers_are_known_by_their_names(site):
    assert is_hidden(site)


@pytest.mark.parametrize("site", OTHERS)
def test_nothing_else_is_taken_for_one(site):
    assert not is_hidden(site)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Sequential(nn.Linear(4, 6), nn.ReLU()), nn.Linear(6, 4)

    def forward(self, x):
        return x + self.out(self.hidden(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(100, 4)
        self.blocks = nn.ModuleList(nn.ModuleDict({"mlp": Mlp()}) for _ in range(2))

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block["mlp"](x)
        return x


def collate(items):
    rows = [torch.tensor([1 + sum(token.encode()) % 98 for token in item["token"]]) for item in items]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return ids, ids != 0


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("net")
    sites = ["embed", "blocks.0.mlp.hidden", "blocks.1.mlp", "blocks.1.mlp.hidden"]
    return seqsae.harvest(
        seqsae.wrap(Net(), sites, collate), seqsae.dataset(write_events(out / "d", 30)), out=out / "run"
    )


def test_neurons_of_every_hidden_site_stand_side_by_side(store):
    sites = mlp_sites(store)
    assert sites == ["blocks.0.mlp.hidden", "blocks.1.mlp.hidden"]
    source, rows = MlpNeurons(store, sites), np.arange(3, store.n_rows, 5)
    assert len(source.labels) == 12 and source.labels[8] == "blocks.1.mlp.hidden neuron 2"
    expected = np.hstack([store.read(site, rows).numpy() for site in sites])
    assert np.array_equal(source.values(rows), expected) and (expected >= 0).all() and expected.any()


def test_sites_that_are_named_stand_over_the_rule(store):
    assert mlp_sites(store, ("embed",)) == ["embed"]
    with pytest.raises(SeqsaeError, match="mlp_sites: 'blocks.7' is not harvested; .* has embed, blocks.0.mlp.hidden"):
        mlp_sites(store, ("blocks.7",))
