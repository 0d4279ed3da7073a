"""What a model's own predictions are scored against: the token at each hidden row, or the one behind each position."""

from torch import Tensor
from torch.nn import functional as F

from seqsae.models.contract import Batch, SequenceModel


def targets(model: SequenceModel, batch: Batch) -> Tensor:
    """[B, T] int64: the id that the logits at a position are scored against, -1 where there is none.

    Only rows are told: in a bidirectional model at their own position (it is to be hidden from the model first), in a
    causal one at the position before. Raises SeqsaeError if the model does not say its ids.
    """
    own = model.ids(batch).to("cpu").masked_fill(~batch.mask.cpu(), -1)
    if model.attention == "bidirectional":
        return own
    return F.pad(own[:, 1:], (0, 1), value=-1)


def nats(logits: Tensor, wanted: Tensor) -> Tensor:
    """[B, T] float32: cross-entropy of each position in nats, 0 where `wanted` [B, T] is -1."""
    wanted = wanted.to(logits.device)
    return F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=-1, reduction="none").view(
        wanted.shape
    )
