"""The random dictionary: what a feature must beat before it counts as learnt."""

from dataclasses import replace

import torch

from seqsae.sae.base import SAE

APART = 1_000_000  # no trained SAE starts from a seed as high, so none starts from these directions


@torch.no_grad()
def random_dictionary(sae: SAE, seed: int) -> SAE:
    """A frozen SAE of the same class, width, k and normaliser, with random unit directions and a tied encoder.

    Args:
        sae: the SAE to stand beside; left as it is.
        seed: seed of the directions.
    """
    baseline = type(sae)(replace(sae.config, seed=APART + seed)).to(sae.W_dec)
    baseline.mean.copy_(sae.mean)
    baseline.scale.copy_(sae.scale)
    baseline.b_dec.copy_(sae.b_dec)
    baseline.identity = dict(sae.identity)
    return baseline.requires_grad_(False).eval()
