"""What early stopping looks at."""

from collections.abc import Iterable

import torch
from torch import Tensor

from seqsae.sae.base import SAE, TrainingState


@torch.no_grad()
def verdict(sae: SAE, fvu: float, heldout: Iterable[Tensor]) -> float:
    """A number that is the lower the better an SAE in training is, on held-out raw rows [n, d]; NaN if they say nothing.

    FVU where the number of active latents is set. Where a penalty sets it, FVU is best before the penalty has worked, so
    that the loss is taken in its place, with every schedule at its end.
    """
    if sae.default_k is not None:
        return fvu
    state = TrainingState(1, 1, torch.zeros(sae.width, dtype=torch.bool, device=sae.W_dec.device))
    was = sae.training
    sae.eval()
    total = n = 0.0
    for x in heldout:
        total += sae.loss(sae.normalise(x.to(sae.W_dec)), state).total.item() * len(x)
        n += len(x)
    sae.train(was)
    return total / n if n else float("nan")
