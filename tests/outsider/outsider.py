"""A stranger's encoder, a GRU over event codes or residues, offered to seqsae by name."""

import torch
from torch import nn

import seqsae


class Reader(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.embed = nn.Embedding(97, width)
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, ids):
        return self.gru(self.embed(ids))


def pad(items):
    rows = [torch.tensor([1 + sum(token.encode()) % 96 for token in item["token"]], dtype=torch.long) for item in items]
    ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return ids, ids != 0


def open(width: int = 16, seed: int = 0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        reader = Reader(width)
    return seqsae.wrap(reader, sites=["embed", "gru"], collate=pad, name="outsider", attention="causal")
