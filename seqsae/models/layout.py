"""How a batch of sequences lies in a tensor: batch or time first, packed, nested; one form [B, T, d] for all, and back."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

Lying = Tensor | PackedSequence


def padded(value: Lying, batch_first: bool, length: int) -> Tensor:
    """[B, T, d] of what a site gives; whatever is no batch of sequences keeps its shape.

    Args:
        length: T of the batch, to which packed sequences are padded.
    """
    if isinstance(value, PackedSequence):
        return pad_packed_sequence(value, batch_first=True, total_length=max(length, len(value.batch_sizes)))[0]
    value = value.to_padded_tensor(0.0) if value.is_nested else value
    return value if batch_first or value.ndim < 3 else value.transpose(0, 1)


def back(changed: Tensor, like: Lying, batch_first: bool) -> Any:
    """`changed` [B, T, d] in the form that `like` has."""
    if isinstance(like, PackedSequence):
        _, lengths = pad_packed_sequence(like, batch_first=True)
        return pack_padded_sequence(changed, lengths, batch_first=True, enforce_sorted=like.sorted_indices is None)
    return changed if batch_first else changed.transpose(0, 1)


def wide(rows: Tensor) -> Tensor:
    """Rows in float32 where the module computes in fewer bits, else as they are."""
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows
