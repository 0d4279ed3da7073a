"""Codes of rows that have each their own number of active latents."""

import torch
from torch import Tensor

from seqsae.sae.base import Codes


def padded(values: Tensor, active: Tensor) -> Codes:
    """The active places of dense values as codes, rows padded with zeros to the fullest.

    Args:
        values: [n, width]; gradients flow back to the active ones.
        active: [n, width] bool.
    Returns:
        Values and indices [n, k], k the most active latents in a row, at least 1.
    """
    counts = active.sum(1)
    k = max(int(counts.max()), 1) if len(counts) else 1
    row, latent = active.nonzero(as_tuple=True)
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    indices = latent.new_zeros(len(values), k).index_put((row, place), latent)
    return Codes(values.new_zeros(len(values), k).index_put((row, place), values[row, latent]), indices)
