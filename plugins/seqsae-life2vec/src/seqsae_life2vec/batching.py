"""Encoded lives as padded tensors, and which of them share a step.

Shapes: B lives, T positions of the longest among them.
"""

import numpy as np
import torch
from torch import Tensor

from seqsae_life2vec.tokenizer import UNKNOWN_AGE, Encoded
from seqsae_life2vec.vocabulary import MASK, PAD

POOL = 16  # batches whose lives are sorted by length together: little padding, and still another mixture every epoch
FILL = {"token": PAD, "age": UNKNOWN_AGE, "time": 0.0, "segment": 0, "dated": False}


def pad(lives: list[Encoded]) -> dict[str, Tensor]:
    """The network's inputs: token, age, time, segment, dated [B, T], and `real` [B, T] bool, False on padding."""
    longest = max(len(life) for life in lives)
    inputs = {name: _table([getattr(life, name) for life in lives], longest, fill) for name, fill in FILL.items()}
    lengths = torch.tensor([len(life) for life in lives])
    inputs["real"] = torch.arange(longest) < lengths[:, None]
    return inputs


def rows(lives: list[Encoded]) -> Tensor:
    """[B, T] bool: where an activation row stands; never [CLS], [SEP] or padding."""
    return _table([life.row for life in lives], max(len(life) for life in lives), False)


def _table(parts: list[np.ndarray], longest: int, fill) -> Tensor:
    table = np.full((len(parts), longest), fill, parts[0].dtype)
    for i, part in enumerate(parts):
        table[i, : len(part)] = part
    return torch.from_numpy(table)


def hide(inputs: dict[str, Tensor], where: Tensor) -> dict[str, Tensor]:
    """The inputs with [MASK] in place of the tokens at `where`; all other channels stay."""
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
