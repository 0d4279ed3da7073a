"""The random dictionary: what a feature must beat before it counts as learnt."""

from dataclasses import replace

import torch
from torch import Tensor

from seqsae.sae.base import SAE

APART = 1_000_000  # no trained SAE starts from a seed as high, so none starts from these directions
_CLOSE = 0.02  # relative difference in L0 that is let stand
_HALVINGS = 40


@torch.no_grad()
def random_dictionary(sae: SAE, seed: int, rows: Tensor | None = None) -> SAE:
    """A frozen SAE of the same class, width, k and normaliser, with random unit directions and a tied encoder.

    Args:
        sae: the SAE to stand beside; left as it is.
        seed: seed of the directions.
        rows: [n, d] raw rows on which it shall have the SAE's mean L0: all latents' thresholds are moved by one number. Without
            them an architecture that has no fixed number of active latents may fire far more or less than the SAE.
    """
    baseline = type(sae)(replace(sae.config, seed=APART + seed)).to(sae.W_dec)
    learnt = {name for name, _ in sae.named_parameters()} - {"b_dec"}
    target = baseline.state_dict()
    for name, value in sae.state_dict().items():
        if name not in learnt:
            target[name].copy_(value)
    baseline.identity = dict(sae.identity)
    baseline.requires_grad_(False).eval()
    if rows is not None:
        _match_l0(baseline, rows, _l0(sae, rows))
    return baseline


def _match_l0(sae: SAE, rows: Tensor, wanted: float) -> None:
    """Shift the encoder's output so that a row has `wanted` active latents on average, by bisection."""
    if abs(_l0(sae, rows) - wanted) <= _CLOSE * wanted:
        return
    reach = 2 * sae.W_enc.norm(dim=0).max() * sae.normalise(rows.to(sae.W_enc)).norm(dim=1).max() + 1
    low, high, at = -reach, reach, 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        sae.shift_encoder((middle - at).expand(sae.width))
        at = middle
        low, high = (low, middle) if _l0(sae, rows) > wanted else (middle, high)


def _l0(sae: SAE, rows: Tensor) -> float:
    return (sae.encode(rows.to(sae.W_enc)).values > 0).sum().item() / max(len(rows), 1)
