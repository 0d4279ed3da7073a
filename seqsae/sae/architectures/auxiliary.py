"""AuxK: dead latents learn to reconstruct what the living ones leave over, and so come back.

For any architecture whose OPTIONS have `aux_k` and `aux_weight`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seqsae.sae.architectures import checks
from seqsae.sae.base import SAE, TrainingState
from seqsae.sae.products.kernels import top_k
from seqsae.sae.products.sparse import Columns, Pattern, Picked, encode_at, miss_at

_DENSE = 6  # up to this many times aux_k dead latents, dense products over all of them beat sparse ones


def check_auxiliary(sae: SAE) -> None:
    """Raises SeqsaeError if aux_k or aux_weight is out of range."""
    checks.number(sae.config, sae.options, "aux_weight", 0)
    if sae.options["aux_k"] is not None:
        checks.whole(sae.config, sae.options, "aux_k", 1)


def dead_latents(sae: SAE, state: TrainingState) -> Tensor:
    """[m] int64: the dead latents; none if the option aux_weight is 0."""
    dead = state.dead.nonzero().squeeze(1)
    return dead if sae.options["aux_weight"] else dead[:0]


def auxiliary(
    sae: SAE,
    centred: Tensor,
    error: Tensor,
    dead: Tensor,
    pre: Tensor,
    strength: Callable[[Tensor, Pattern], Tensor] = lambda values, pattern: values,
) -> Tensor:
    """[] the weighted AuxK term of Gao et al. 2024 (arXiv 2406.04093), appendix A.2.

    aux_weight * mean (e - e_hat)^2, e_hat = z_dead W_dec, z_dead: the aux_k (None: half of d) largest pre-activations among the
    dead latents, through a relu whose gradient is taken to be 1 (straight through). With the relu's own gradient a latent
    that is silent on every row would never come back; without a relu, a single dead latent learns that 0 is the best it can say and
    is lifted on all rows at once, then fires on most and drives others out. It moves the dead latents alone.

    Args:
        centred: [n, d] what the encoder reads.
        error: [n, d] x - x_hat, as data.
        dead: [m] int64.
        pre: [n, m] their pre-activations, as data.
        strength: gives a code, before the relu, from a pre-activation, where the architecture has more weights between the two;
            it lets the term teach those as well.
    """
    if not len(dead):
        return error.new_zeros(())
    aux_k = min(sae.options["aux_k"] or max(1, sae.d_model // 2), len(dead))
    pattern, chosen, mask = _pattern(dead, pre, aux_k, sae.width)
    values = strength(encode_at(centred, (sae.W_enc, sae.b_enc, None), chosen, pattern), pattern)
    values = values + (values.relu() - values).detach()
    if mask is not None:
        values = values * mask
    still = sae.b_dec.detach()  # b_dec learns from the first term alone
    return sae.options["aux_weight"] * miss_at(values, sae.W_dec, still, error, pattern)[0]


def _pattern(dead: Tensor, pre: Tensor, aux_k: int, width: int) -> tuple[Columns | Picked, Tensor, Tensor | None]:
    """The pattern of the aux_k largest dead latents of each row, `pre` at its places, and a mask [n, m] if the pattern
    holds more places than those."""
    if len(dead) == aux_k:
        return Columns(dead, width), pre, None
    values, chosen = top_k(pre, aux_k)
    chosen = chosen.long()
    if len(dead) <= _DENSE * aux_k:
        return Columns(dead, width), pre, torch.zeros_like(pre, dtype=torch.bool).scatter_(1, chosen, True)
    return Picked(dead[chosen], width), values, None
