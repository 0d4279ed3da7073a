"""Codebook: a row is the sum of its k nearest codes; a code is there or not, it has no strength."""

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import picked
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState
from seqsae.sae.products.sparse import Picked, encode_at, miss_at


class Codebook(SAE):
    """Tamkin, Taufeeque & Goodman 2023, "Codebook features: sparse and discrete interpretability for neural networks"
    (arXiv 2310.17230), section 2.

        S     = the k codes j of the greatest cosine of x - b_dec and W_enc,j
        z_j   = 1 for j in S, else 0
        x_hat = sum of W_dec,j over S, + b_dec
        L     = mean (x - x_hat)^2 + aux_weight * mean (e - e_hat)^2,   e = x - x_hat, no gradient through e

    A code's value is 1: which codes are there is all that passes the bottleneck, so strengths must lie in which codes are
    chosen. W_enc is W_dec^T (tied), so that a code is near what it stands for; gradients reach it through the sum alone, as in the
    paper, whose loss pulls codes to the activations in the same way. Activations are data here, so its straight-through
    gradient for them, and VQ-VAE's commitment loss, have nothing to move. Untied, W_enc learns by the straight-through value
    1 + (cos - cos), the second without gradient, b_dec through the sum alone; `codes` are differentiable in the same way. b_enc stays 0, unused.

    Dead codes: e_hat is the sum of the aux_k (None: 1) dead codes nearest to e by cosine, so they move to what is badly
    reconstructed; the paper's own code replaces them instead, as `Spec.resample` does.
    """

    OPTIONS: ClassVar = {"tied": True, "unit_decoder": False, "aux_k": None, "aux_weight": 1 / 32}
    default_k = 32
    foldable = False

    def __init__(self, recipe: Recipe):
        checks.a_k(recipe)
        super().__init__(recipe)
        check_auxiliary(self)
        with torch.no_grad():  # k codes that are orthogonal then add up to the length of a normalised row
            self.W_dec.mul_((recipe.d_model / recipe.k) ** 0.5)

    def codes(self, x: Tensor) -> Codes:
        x = x - self.b_dec if self.options["subtract_b_dec"] else x
        cosines = normalize(x, dim=1) @ normalize(self.W_enc, dim=0)
        near, indices = cosines.topk(self.k, sorted=False)
        return Codes(1 + (near - near.detach()), indices)

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred, dead = self.centred(x), dead_latents(self, state)
        directions = normalize(self.W_enc, dim=0)
        pattern, pre, _ = picked(centred, directions, self.b_enc, self.k, state.precision)
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        values = self._ones(centred, directions, pattern, pre)
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, pattern)
        extra = self._auxiliary(centred, directions, left, dead) if len(dead) else x.new_zeros(())
        fired = pattern.latent_sum(torch.ones_like(pre)) > 0
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), fired)

    def _ones(self, centred: Tensor, directions: Tensor, pattern: Picked, pre: Tensor) -> Tensor:
        """[n, k] ones; if untied, with the gradient of the cosines. pre: the product with the directions there, as data."""
        if self.options["tied"]:
            return torch.ones_like(pre)
        near = encode_at(centred, (directions, self.b_enc.detach(), None), pre, pattern)
        near = near / torch.linalg.vector_norm(centred, dim=1, keepdim=True).clamp_min(1e-12)
        return 1 + (near - near.detach())

    def _auxiliary(self, centred: Tensor, directions: Tensor, left: Tensor, dead: Tensor) -> Tensor:
        """[] the weighted auxiliary term over the dead codes [m]."""
        nearest = left @ directions.detach()[:, dead]
        chosen = nearest.topk(min(self.options["aux_k"] or 1, len(dead)), sorted=False).indices
        pattern = Picked(dead[chosen], self.width)
        pre = pattern.dots(centred, directions.detach().T)
        values = self._ones(centred, directions, pattern, pre)
        return self.options["aux_weight"] * miss_at(values, self.W_dec, self.b_dec.detach(), left, pattern)[0]

    @torch.no_grad()
    def restart(self, latents: Tensor) -> None:
        """The codes [m] take the usual length: they are added as they are."""
        length = torch.linalg.vector_norm(self.W_dec, dim=1, keepdim=True)
        self.W_dec[latents] *= length.median() / length[latents].clamp_min(1e-12)
