"""A feature's kin: the nearest directions of its own dictionary, and its likeness in dictionaries of other seeds."""

from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor
from torch.nn.functional import normalize

from seqsae import schema
from seqsae.sae.base import SAE
from seqsae.sae.quality.dictionaries import best_match

NEAREST = 5
CHANCE = "random directions"
_CELLS = 1 << 24  # cosines held at a time


@torch.no_grad()
def neighbours(W_dec: Tensor, live: Tensor) -> pl.DataFrame:
    """Schema `neighbours`: the NEAREST other live features of each live feature by decoder cosine.

    Args:
        W_dec: [width, d]; live: [m] int64 numbers of the live features, ascending.
    """
    rows, count = normalize(W_dec[live].float(), dim=1), min(NEAREST, len(live) - 1)
    if count < 1:
        return schema.empty("neighbours")
    parts = []
    for start, chunk in _chunks(rows):
        cosine = chunk @ rows.T
        cosine[torch.arange(len(chunk)), torch.arange(start, start + len(chunk))] = -torch.inf  # itself
        parts.append(cosine.topk(count, dim=1))
    other, cosine = torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])
    table = pl.DataFrame(
        {
            "feature": live.repeat_interleave(count).numpy(),
            "rank": torch.arange(count).repeat(len(live)).numpy(),
            "other": live[other.ravel()].numpy(),
            "cosine": cosine.ravel().numpy(),
        }
    )
    return schema.check_table(table, "neighbours", "neighbours")


def _chunks(rows: Tensor):
    size = max(1, _CELLS // len(rows))
    return ((start, rows[start : start + size]) for start in range(0, len(rows), size))


@torch.no_grad()
def seed_matches(sae: SAE, siblings: Sequence[SAE], live: Tensor) -> pl.DataFrame:
    """Schema `seed_matches`: the nearest direction of each live feature in each other seed's dictionary.

    Beside them as many random directions as a dictionary has: what nearness is worth in so few dimensions.
    """
    if not siblings:
        return schema.empty("seed_matches")
    mine = sae.W_dec[live].float()
    chance = torch.randn(sae.W_dec.shape, generator=torch.Generator().manual_seed(0))
    others = {one.artefact.path.name: one.W_dec.float() for one in siblings} | {CHANCE: chance}
    parts = []
    for name, directions in others.items():
        found = best_match(mine, directions)
        columns = {"feature": live.numpy(), "sae": [name] * len(live), "other": found.index.numpy()}
        parts.append(pl.DataFrame({**columns, "cosine": found.cosine.numpy()}))
    return schema.check_table(pl.concat(parts), "seed_matches", "seed matches")
