"""TopK: the k largest latents of each row, with an auxiliary loss that brings dead ones back."""

from typing import ClassVar

import torch
from torch import Tensor

from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import auxiliary, check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import picked
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState
from seqsae.sae.products.kernels import top_k
from seqsae.sae.products.sparse import Picked, encode_at, miss_at


class TopK(SAE):
    """Gao et al. 2024, "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093), section 2.3 and appendix A.2.

        z     = TopK(relu((x - b_dec) W_enc + b_enc))
        x_hat = z W_dec + b_dec
        L     = mean (x - x_hat)^2 + AuxK,    AuxK: see `seqsae.sae.architectures.auxiliary`

    Multi-TopK (section 5.3): with multi_weight w > 0, L(k) + w L(multi_k * k) for the first term; the paper's are 1/8 and 4.
    Codes then stay good where more than k are kept.

    Options: aux_k (None: half of d_model), aux_weight (0 turns AuxK off), multi_k, multi_weight (0 turns Multi-TopK off).
    """

    OPTIONS: ClassVar = {"aux_k": None, "aux_weight": 1 / 32, "multi_k": 4, "multi_weight": 0.0}
    default_k = 32

    def __init__(self, recipe: Recipe):
        checks.a_k(recipe)
        super().__init__(recipe)
        check_auxiliary(self)
        checks.number(recipe, self.options, "multi_k", 1)
        checks.number(recipe, self.options, "multi_weight", 0)

    def codes(self, x: Tensor) -> Codes:
        pre = torch.addmm(self.b_enc, x - self.b_dec if self.options["subtract_b_dec"] else x, self.W_enc)
        indices = top_k(pre.detach(), self.k)[1].long()
        return Codes(pre.gather(1, indices).relu(), indices)

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred, weights = self.centred(x), self.encoder_weights()
        dead = dead_latents(self, state)
        many = self._many()
        pattern, pre, pre_dead = picked(centred, *weights[:2], many or self.k, state.precision, dead)
        first, chosen = _first(pattern, pre, self.k) if many else (pattern, pre)
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        values = encode_at(centred, weights, chosen, first).relu()
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, first)
        extra = auxiliary(self, centred, left, dead, pre_dead)
        if many:
            more = encode_at(centred, weights, pre, pattern).relu()
            extra = extra + self.options["multi_weight"] * miss_at(more, self.W_dec, self.b_dec, target, pattern)[0]
        fired = first.latent_sum(values.detach()) > 0
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), fired)

    def _many(self) -> int | None:
        """Latents a row in the second term of Multi-TopK; None without one."""
        return min(self.width, round(self.options["multi_k"] * self.k)) if self.options["multi_weight"] else None


def _first(pattern: Picked, pre: Tensor, k: int) -> tuple[Picked, Tensor]:
    """The k largest of the chosen latents of each row, and their pre-activations [n, k]."""
    values, place = pre.topk(k, dim=1, sorted=False)
    return Picked(pattern.indices.gather(1, place), pattern.width), values
