"""The sentence-order task: a few lives have their moments reversed or shuffled while the dates stay in place."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from seqsae_life2vec.tokenizer import PREFIX, Encoded

SHARE = 0.05  # of the lives reversed, and as many shuffled, as published


def reorder(lives: list[Encoded], rng: np.random.Generator) -> tuple[list[Encoded], Tensor]:
    """The lives, some with their moments in another order, and [B] int64 which: 0 as it was, 1 reversed, 2 shuffled."""
    drawn = rng.random(len(lives))
    kind = np.where(drawn < SHARE, 1, np.where(drawn > 1 - SHARE, 2, 0))
    changed = [_in_order(life, int(k), rng) if k else life for life, k in zip(lives, kind, strict=True)]
    return changed, torch.from_numpy(kind)


def _in_order(life: Encoded, kind: int, rng: np.random.Generator) -> Encoded:
    moments = np.arange(1, int(life.moment.max(initial=0)) + 1)
    return with_moments(life, moments[::-1] if kind == 1 else rng.permutation(moments))


def with_moments(life: Encoded, order: np.ndarray) -> Encoded:
    """The life with moment order[i] in slot i: its tokens move, age, date and segment are those of the slot."""
    n = len(life.moment[life.moment == PREFIX])
    starts = np.searchsorted(life.moment, np.arange(1, len(order) + 2))
    places = [np.arange(starts[m - 1], starts[m]) for m in order]
    moved = np.concatenate([np.arange(n), *places]).astype(np.int64)
    slots = np.repeat(starts[:-1], [len(place) for place in places])
    held = np.concatenate([np.arange(n), slots]).astype(np.int64)
    there = {name: getattr(life, name)[held] for name in ("age", "time", "segment", "moment")}
    return replace(life, token=life.token[moved], event=life.event[moved], **there)
