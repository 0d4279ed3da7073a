"""Parts of the losses that make codes sparse. Codes are weighed by their decoder rows' lengths, in lengths of a typical row."""

import torch
from torch import Tensor

from seqsae.sae.base import TrainingState
from seqsae.sae.products.sparse import Pattern

FLOOR = 1e-3  # added to amounts before a power below 1 is taken, in lengths of a row: its slope at 0 stays finite


class _LatentSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, pattern):
        ctx.pattern = pattern
        ctx.shape = values.shape
        return pattern.latent_sum(values)

    @staticmethod
    def backward(ctx, g):
        return ctx.pattern.spread(g).expand(ctx.shape), None


def latent_sums(values: Tensor, pattern: Pattern) -> Tensor:
    """[width]: the sum of each latent's values over all rows, with gradients for the values."""
    return _LatentSums.apply(values, pattern)


def lengths(W_dec: Tensor) -> Tensor:
    """[width]: Euclidean lengths of the decoder's rows; a row of zeros has a gradient of zeros."""
    return torch.linalg.vector_norm(W_dec, dim=1)


def power(amounts: Tensor, p: float) -> Tensor:
    """(a + FLOOR)^p - FLOOR^p of amounts >= 0, element by element: 0 at 0, a itself at p = 1."""
    return amounts if p == 1 else (amounts + FLOOR) ** p - FLOOR**p


def warmed(weight: float, share: float, state: TrainingState) -> float:
    """The weight at this step: it climbs from 0 over the first `share` of the steps."""
    over = round(share * state.steps)
    return weight if state.step >= over else weight * state.step / over
