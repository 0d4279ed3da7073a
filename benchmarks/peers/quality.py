"""How good a trained SAE is: on held-out rows, and against the directions that made them."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from peers.data import Truth

CHUNK = 2048

Read = Callable[[Tensor], tuple[Tensor, Tensor]]
"""[n, d] raw rows -> their reconstruction [n, d] and codes [n, m], 0 where a latent is silent."""


@torch.no_grad()
def unexplained(read: Read, heldout: Tensor) -> float:
    """Fraction of variance unexplained on [n, d]; predicting the mean row gives 1."""
    error = sum((chunk - read(chunk)[0]).double().square().sum() for chunk in heldout.split(CHUNK))
    return (error / (heldout.double() - heldout.double().mean(0)).square().sum()).item()


@torch.no_grad()
def judged(read: Read, decoder: Tensor, truth: Truth) -> dict[str, float]:
    """The figures of a run.

    fvu; l0; dead: share of latents silent on all held-out rows; mmcs: mean over true directions of the largest cosine
    with a decoder row; recovered: share of them with a cosine above .9; f1: mean over true directions of the best latent's
    F1, active against active.
    """
    heldout = torch.from_numpy(truth.heldout)
    active = torch.from_numpy(truth.active)
    both = torch.zeros(len(decoder), active.shape[1])
    fired = torch.zeros(len(decoder), dtype=torch.double)
    for chunk, real in zip(heldout.split(CHUNK), active.split(CHUNK), strict=True):
        on = (read(chunk)[1] > 0).float()
        both += on.T @ real.float()
        fired += on.sum(0)
    cosine = (normalize(torch.from_numpy(truth.directions), dim=1) @ normalize(decoder, dim=1).T).amax(1)
    f1 = 2 * both / (fired[:, None] + active.sum(0)).clamp_min(1)
    return {
        "fvu": unexplained(read, heldout),
        "l0": (fired.sum() / len(heldout)).item(),
        "dead": (fired == 0).double().mean().item(),
        "mmcs": cosine.mean().item(),
        "recovered": (cosine > 0.9).double().mean().item(),
        "f1": f1.amax(0).mean().item(),
    }
