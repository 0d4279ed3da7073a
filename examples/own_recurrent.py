"""Your own encoder, 3: a recurrent model over packed sequences, one row a step, from raw dicts to a report."""

import polars as pl
import torch
from torch import nn
from torch.nn.utils import rnn

import seqsae
from seqsae.testing import check_model

# Stand-ins for what you have: items, a recurrent encoder (here untrained), a table about the same subjects.
torch.manual_seed(0)
items = [{"subject_id": i, "token": torch.randint(1, 30, (8 + i % 9,)).tolist()} for i in range(300)]
table = pl.DataFrame({"subject_id": range(300), "has_7": [7 in item["token"] for item in items]})


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 32)
        self.gru = nn.GRU(32, 32, num_layers=2, batch_first=True)
        self.risk = nn.Linear(32, 1)

    def forward(self, ids, lengths):
        packed = rnn.pack_padded_sequence(self.embed(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        return rnn.pad_packed_sequence(states, batch_first=True)[0], self.risk(last[-1])


# From here on: seqsae.
def pad(batch):  # a tuple goes in as positional arguments
    ids = rnn.pad_sequence([torch.tensor(item["token"]) for item in batch], batch_first=True)
    return (ids, (ids != 0).sum(1)), ids != 0


data = seqsae.dataset(items, covariates=table)
model = seqsae.wrap(Encoder(), sites=["embed", "gru"], collate=pad, attention="causal")
check_model(model, data)
acts = seqsae.harvest(model, data, out="runs/own_recurrent")
saes = seqsae.train(acts, "topk", site="gru", width=64, k=8, seeds=2, steps=200)
codes = seqsae.encode(saes, acts)
page = seqsae.report(seqsae.associate(codes, data.covariates), out="runs/own_recurrent/report")
print(page)
