"""Resampling: dead latents start anew at rows that are reconstructed badly."""

import numpy as np
import torch
from torch import Tensor

from seqsae.sae.base import SAE

_ENCODER = 0.2  # length of a resampled latent's encoder weights, in mean lengths of the living ones' ...
_COMPETING = 1.0  # ... and where only the k largest fire: a shorter one would never be among them


@torch.no_grad()
def resample(sae: SAE, x: Tensor, dead: Tensor, seed: tuple[int, int]) -> Tensor:
    """Give dead latents new weights; returns the latents that got them, [m] int64.

    Bricken et al. 2023, "Towards monosemanticity", appendix "Advice for training": rows are drawn with probability
    proportional to the square of their squared error; a dead latent's decoder row becomes the row's direction (here of its
    residual, what is left unexplained), its encoder the same at a fifth of the living latents' mean length (at their full
    length where k latents compete), its bias 0. A row is used once, so that no two latents start equal.

    Args:
        sae: changed in place. Its optimiser's state of those latents has to be cleared by the caller.
        x: [n, d] rows in normalised units.
        dead: [width] bool.
        seed: of the draw; (the SAE's seed, the step).
    """
    error = x - sae.decode_normalised(sae.codes(x))
    loss = error.square().sum(1).double()
    latents = dead.nonzero().squeeze(1)[: int((loss > 0).sum())]
    if not len(latents):
        return latents
    chance = (loss.square() / loss.square().sum()).cpu().numpy()
    rng = np.random.default_rng(np.random.SeedSequence([0x4E5, *seed]))
    rows = torch.from_numpy(rng.choice(len(x), len(latents), replace=False, p=chance / chance.sum())).to(x.device)
    directions = torch.nn.functional.normalize(error[rows], dim=1)
    alive = torch.linalg.vector_norm(sae.W_enc, dim=0)[~dead]
    length = alive.mean() if len(alive) else torch.ones((), device=x.device)
    sae.W_dec[latents] = directions
    if not sae.options["tied"]:
        sae.W_enc[:, latents] = (_ENCODER if sae.k is None else _COMPETING) * length * directions.T
    sae.b_enc[latents] = 0
    sae.restart(latents)
    return latents
