"""Encoded lives as padded tensors, and which of them share a step.

Shapes: B lives, T positions of the longest among them.
"""

import numpy as np
import torch
from torch import Tensor

from seqsae_life2vec.tokenizer import UNKNOWN_AGE, Encoded
from seqsae_life2vec.vocabulary import MASK, PAD

POOL = 16  # batches whose lives are sorted by length together: little padding, and still another mixture every epoch
FILL = {"token": PAD, "age": UNKNOWN_AGE, "time": 0.0, "segment": 0}


def pad(lives: list[Encoded]) -> dict[str, Tensor]:
    """The network's inputs: token, age, time, segment [B, T], and `real` [B, T] bool, False on padding."""
    longest = max(len(life) for life in lives)
    inputs = {}
    for name, filler in FILL.items():
        rows = [getattr(life, name) for life in lives]
        table = np.full((len(lives), longest), filler, rows[0].dtype)
        for i, row in enumerate(rows):
            table[i, : len(row)] = row
        inputs[name] = torch.from_numpy(table)
    lengths = torch.tensor([len(life) for life in lives])
    inputs["real"] = torch.arange(longest) < lengths[:, None]
    return inputs


def rows(real: Tensor) -> Tensor:
    """[B, T] bool: the real positions after [CLS]."""
    mask = real.clone()
    mask[:, 0] = False
    return mask


def hide(inputs: dict[str, Tensor], where: Tensor) -> dict[str, Tensor]:
    """The inputs with [MASK] in place of the tokens at `where`; age, time and segment stay."""
    return {**inputs, "token": inputs["token"].masked_fill(where.to(inputs["token"].device), MASK)}


def epoch(lengths: np.ndarray, batch_size: int, seed: int, number: int) -> list[np.ndarray]:
    """The batches of epoch `number` as indices into `lengths`: like lengths together, in an order of this epoch's own."""
    rng = np.random.default_rng([seed, number])
    order = rng.permutation(len(lengths))
    pools = [order[start : start + POOL * batch_size] for start in range(0, len(order), POOL * batch_size)]
    order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def to(inputs: dict[str, Tensor], device: str | torch.device) -> dict[str, Tensor]:
    """The inputs on `device`."""
    return {name: value.to(device) for name, value in inputs.items()}
