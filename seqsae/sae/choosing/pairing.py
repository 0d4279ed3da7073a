"""Two SAEs that are compared latent by latent must read rows in the same units."""

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.base import SAE

_NEAR = 0.05  # normalisers fitted on other samples of the same rows differ by less


def check_pair(small: SAE, large: SAE) -> None:
    """Make sure that codes and decoder rows of both SAEs have the same units. Raises SeqsaeError if they do not."""
    if small.d_model != large.d_model:
        raise SeqsaeError(
            f"comparing SAEs: one reads rows of width {small.d_model}, the other of {large.d_model}; take two of one site"
        )
    kinds = small.config.normalisation, large.config.normalisation
    if kinds[0] != kinds[1] or not _same_units(small, large):
        raise SeqsaeError(
            f"comparing SAEs: their input normalisers differ ({kinds[0]}, {kinds[1]}), so their latents have other units; "
            "take two that were trained on the same activations with the same normalise"
        )


def _same_units(small: SAE, large: SAE) -> bool:
    ours, theirs = dict(small.named_buffers()), dict(large.named_buffers())
    moved = (ours["mean"] - theirs["mean"]).abs() <= _NEAR * ours["scale"]
    same = _close(ours["scale"], theirs["scale"])
    return bool(moved.all()) and same and ("whiten" not in ours or _close(ours["whiten"], theirs["whiten"]))


def _close(one: Tensor, other: Tensor) -> bool:
    return bool(torch.linalg.vector_norm(one - other) <= _NEAR * torch.linalg.vector_norm(one))
