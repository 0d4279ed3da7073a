"""How often latents fire, as a histogram with the same bins for every SAE and every measurement."""

import torch
from torch import Tensor

DENSE = 0.1  # a latent active in more than this share of rows counts as dense
_DECADES, _PER_DECADE = 5, 4
EDGES = tuple(10 ** (-_DECADES + i / _PER_DECADE) for i in range(_DECADES * _PER_DECADE + 1))
"""Upper ends of the bins after the first: 1e-5, then quarter decades up to 1."""
BINS = len(EDGES) + 1


def histogram(density: Tensor) -> list[int]:
    """Latents by firing rate: those that never fire, those in (0, EDGES[0]], in (EDGES[0], EDGES[1]], ...; they sum to the width.

    Args:
        density: [width] float64, share of rows in which each latent is active.
    """
    place = torch.bucketize(density, torch.tensor(EDGES, dtype=torch.float64, device=density.device)) + 1
    return torch.bincount(torch.where(density > 0, place, 0), minlength=BINS).tolist()
