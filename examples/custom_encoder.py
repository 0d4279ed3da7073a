"""Your own encoder: a torch TransformerEncoder on its own data, from raw dicts to a report."""

import polars as pl
import torch
from torch import nn

import seqsae

# Stand-ins for what you have: an encoder, its items, a table about the same subjects.
torch.manual_seed(0)
items = [{"subject_id": i, "token": torch.randint(1, 30, (10 + i % 20,)).tolist()} for i in range(600)]
table = pl.DataFrame({"subject_id": range(600), "has_7": [7 in item["token"] for item in items]})


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 32, padding_idx=0)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 3)

    def forward(self, ids, padding):
        return self.encoder(self.embed(ids), src_key_padding_mask=padding)


def pad(batch):  # what your data loader does: items -> (inputs of forward, mask of real rows)
    ids = nn.utils.rnn.pad_sequence([torch.tensor(item["token"]) for item in batch], batch_first=True)
    return {"ids": ids, "padding": ids == 0}, ids != 0


data = seqsae.dataset(items, covariates=table)
model = seqsae.wrap(Encoder(), sites=["encoder.layers.2"], collate=pad)
acts = seqsae.harvest(model, data, out="runs/custom_encoder")
saes = seqsae.train(acts, "topk", width=128, k=8, seeds=2, steps=300)
codes = seqsae.encode(saes, acts)
page = seqsae.report(seqsae.associate(codes, data.covariates), out="runs/custom_encoder/report")
print(page)
