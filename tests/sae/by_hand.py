"""SAEs whose latents are set by hand."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from seqsae.sae.base import SAE, Recipe, build


def sae_of(directions: Tensor, k: int, normalisation: str = "none") -> SAE:
    """A TopK SAE that reads and writes along the rows of `directions` [width, d]."""
    width, d = directions.shape
    sae = build(Recipe("topk", d, width, k, normalisation))
    with torch.no_grad():
        sae.W_dec.copy_(normalize(directions, dim=1))
        sae.W_enc.copy_(sae.W_dec.T)
    return sae.eval()


def random_sae(d: int, width: int, k: int, seed: int) -> SAE:
    """A TopK SAE with random weights and biases, its decoder rows of any length."""
    generator = torch.Generator().manual_seed(seed)
    sae = build(Recipe("topk", d, width, k, "none", seed))
    with torch.no_grad():
        for weight in sae.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 3)
    return sae.eval()
