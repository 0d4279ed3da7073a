"""Models small enough to be worked out by hand: linear from the site to the logits."""

import numpy as np
import torch
from torch import nn

from seqsae.models.contract import Batch, Sample, SequenceModel
from seqsae.records.data import Dataset, subjects_table, with_splits
from seqsae.sae.base import Recipe, build

V, D = 7, 6
MASK = V  # one id more than there are tokens
WORDS = [f"t{i}" for i in range(V)]


class Net(nn.Module):
    """embed -> mix over positions (causal mean, or mean of all) -> logits; linear from `site` on."""

    def __init__(self, causal: bool, d: int = D, dtype=torch.float32):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.embed = nn.Embedding.from_pretrained(torch.randn(V + 2, d, generator=generator).to(dtype), freeze=False)
        self.site, self.head, self.causal = nn.Identity(), nn.Linear(d, V + 1, dtype=dtype), causal
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(V + 1, d, generator=generator))
            self.head.bias.copy_(torch.randn(V + 1, generator=generator))

    def forward(self, ids, real, hidden=None):
        x = self.site(self.embed(ids)) * real[..., None]
        if self.causal:
            return self.head(x + x.cumsum(1) / real.cumsum(1).clamp_min(1)[..., None])
        return self.head(x + x.sum(1, keepdim=True) / real.sum(1)[:, None, None])


class Toy(SequenceModel):
    """Items of token numbers; position 0 holds a start token that is no row."""

    def __init__(self, causal: bool = False, **options):
        super().__init__(
            Net(causal, **options),
            ["site", "embed"],
            name="toy",
            attention="causal" if causal else "bidirectional",
            vocabulary=WORDS,
        )

    def prepare(self, record):
        ids = list(record.item["token"])
        return Sample(
            ids, np.array([WORDS[i] for i in ids], object), np.arange(len(ids)), np.arange(len(ids)) + 1, len(ids) + 1
        )

    def collate(self, samples):
        n = max(sample.length for sample in samples)
        ids = torch.full((len(samples), n), V + 1)
        real = torch.zeros(len(samples), n, dtype=torch.long)
        for i, sample in enumerate(samples):
            ids[i, : sample.length] = torch.tensor([V, *sample.inputs])
            real[i, : sample.length] = 1
        mask = real.bool().clone()
        mask[:, 0] = False
        return Batch({"ids": ids, "real": real}, mask, samples)

    def ids(self, batch):
        return batch.inputs["ids"]

    def logits(self, output):
        return output

    def hide(self, batch, where):
        return Batch({**batch.inputs, "ids": batch.inputs["ids"].masked_fill(where, MASK)}, batch.mask, batch.samples)

    def extend(self, sample, token):
        token = min(token, V - 1)
        return self.prepare(type("R", (), {"item": {"token": [*sample.inputs, token]}})())


def people(n: int = 60, seed: int = 0, clusters: int | None = None) -> Dataset:
    """n subjects of 4 to 12 tokens, in clusters of their own or in `clusters` of them."""
    rng = np.random.default_rng(seed)
    items = [{"token": rng.choice(V, rng.integers(4, 13), p=np.arange(1, V + 1) / 28).tolist()} for _ in range(n)]
    names = None if clusters is None else [f"c{i % clusters}" for i in range(n)]
    subjects = subjects_table([f"p{i}" for i in range(n)], "toy", names)
    return with_splits(Dataset("items", subjects, items=items), "seqsae")


def sae_for(model, width=12, k=3, site="site", seed=0, normalisation="none", architecture="topk"):
    """An untrained SAE of random weights that says it reads the model."""
    d = model.module.embed.weight.shape[1]
    sae = build(Recipe(architecture, d, width, k, normalisation, seed))
    generator = torch.Generator().manual_seed(seed + 11)
    with torch.no_grad():
        sae.W_dec.copy_(sae.W_dec * (0.5 + torch.rand(width, 1, generator=generator)))
        sae.b_dec.copy_(torch.randn(d, generator=generator) / 4)
    place = {"model": model.name, "fingerprint": model.fingerprint, "site": site}
    sae.identity = {"inputs": place, "targets": place}
    return sae.eval().requires_grad_(False)
