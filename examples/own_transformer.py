"""Your own encoder, 1: a torch TransformerEncoder with four input channels, from raw dicts to a report."""

import polars as pl
import torch
from torch import nn

import seqsae
from seqsae.testing import check_model

# Stand-ins for what you have: items of four channels, an encoder (here untrained), a table about the same subjects.
torch.manual_seed(0)


def person(number: int, n: int) -> dict:
    """One subject: event tokens with the age and the day at which they happened, and a measured value."""
    days = torch.randint(0, 9000, (n,)).sort().values
    ages, values = 20 + days / 365, torch.randn(n)
    tokens = torch.randint(1, 30, (n,))
    return {"subject_id": number, "token": tokens, "age": ages, "time": days, "value": values}


items = [person(number, 8 + number % 9) for number in range(300)]
table = pl.DataFrame({"subject_id": range(300), "has_7": [7 in item["token"].tolist() for item in items]})


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(30, 32, padding_idx=0)
        self.rest = nn.Linear(3, 32)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)

    def forward(self, token, age, time, value, padding):
        rest = torch.stack([age / 90, time / 9000, value], -1)
        return self.encoder(self.token(token) + self.rest(rest), src_key_padding_mask=padding)


# From here on: seqsae.
def pad(batch):  # what a data loader does: items -> (inputs of forward by name, mask of real rows)
    channels = {name: [item[name] for item in batch] for name in ("token", "age", "time", "value")}
    inputs = {name: nn.utils.rnn.pad_sequence(lists, batch_first=True) for name, lists in channels.items()}
    return {**inputs, "padding": inputs["token"] == 0}, inputs["token"] != 0


data = seqsae.dataset(items, covariates=table)
model = seqsae.wrap(Encoder(), sites=["encoder.layers.0", "encoder.layers.1"], collate=pad)
check_model(model, data)
acts = seqsae.harvest(model, data, out="runs/own_transformer")
saes = seqsae.train(acts, "topk", site="encoder.layers.1", width=64, k=8, seeds=2, steps=200)
codes = seqsae.encode(saes, acts)
page = seqsae.report(seqsae.associate(codes, data.covariates), out="runs/own_transformer/report")
print(page)
