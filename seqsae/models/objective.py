"""What a model's own predictions are scored against: the token at each hidden row, or the one behind each position."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seqsae.errors import SeqsaeError
from seqsae.models.contract import Batch, SequenceModel
from seqsae.models.given import described


def ids_of(model: SequenceModel, batch: Batch) -> Tensor:
    """[B, T] int64 on the CPU: the id at each position, as the model says it.

    Raises:
        SeqsaeError: these are no whole numbers, not one a position, or one at a row lies below 0.
        NoObjective: the model does not say its ids.
    """
    found, mask = model.ids(batch), batch.mask.cpu()
    if not _whole(found) or found.shape != mask.shape:
        raise SeqsaeError(
            f"model {model.name!r}: its ids are {described(found)} for a batch of shape {tuple(mask.shape)}; let ids give a "
            "tensor [batch, positions] of whole numbers, one a position"
        )
    found = found.to("cpu", torch.int64)
    below = found[mask & (found < 0)]
    if len(below):
        raise SeqsaeError(
            f"model {model.name!r}: an id of {int(below[0])} at a row; count ids from 0, below it only where no row is"
        )
    return found


def _whole(value: Any) -> bool:
    return isinstance(value, Tensor) and not (
        value.is_floating_point() or value.is_complex() or value.dtype == torch.bool
    )


def targets(model: SequenceModel, batch: Batch) -> Tensor:
    """[B, T] int64: the id that the logits at a position are scored against, -1 where there is none.

    Only rows are told: in a bidirectional model at their own position (it is to be hidden from the model first), in a
    causal one at the position before. Raises SeqsaeError as `ids_of` does.
    """
    own = ids_of(model, batch).masked_fill(~batch.mask.cpu(), -1)
    if model.attention == "bidirectional":
        return own
    return F.pad(own[:, 1:], (0, 1), value=-1)


def nats(logits: Tensor, wanted: Tensor) -> Tensor:
    """[B, T] float32: cross-entropy of each position in nats, 0 where `wanted` [B, T] is -1."""
    wanted = wanted.to(logits.device)
    return F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=-1, reduction="none").view(
        wanted.shape
    )
