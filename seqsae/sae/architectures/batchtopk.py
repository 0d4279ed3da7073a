"""BatchTopK: k latents a row on average, however many each row needs."""

from typing import ClassVar

import torch
from torch import Tensor

from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import auxiliary, check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import largest
from seqsae.sae.architectures.padded import padded
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState
from seqsae.sae.products.sparse import Ragged, encode_at, miss_at

_MEMORY = 0.7  # share of the running mean that a step leaves: it has to follow the weights within a run of 20 steps


class BatchTopK(SAE):
    """Bussmann, Leask & Nanda 2024, "BatchTopK sparse autoencoders" (arXiv 2412.06410).

        z     = relu((x - b_dec) W_enc + b_enc), but 0 unless among the n k largest of the whole batch of n rows
        x_hat = z W_dec + b_dec
        L     = mean (x - x_hat)^2 + AuxK,    AuxK: see `seqsae.sae.architectures.auxiliary`

    Codes must not depend on the rows that stand beside a row, so outside training a latent is active where it is above
    `threshold`: the mean over the last steps of the smallest number chosen, the running mean corrected for its start at 0.
    Both buffers are in the checkpoint. Before the first step the threshold is 0, and so every positive latent is active.

    Options: aux_k (None: half of d_model), aux_weight (0 turns AuxK off).
    """

    OPTIONS: ClassVar = {"aux_k": None, "aux_weight": 1 / 32}
    default_k = 32

    def __init__(self, recipe: Recipe):
        checks.a_k(recipe)
        super().__init__(recipe)
        check_auxiliary(self)
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("threshold_weight", torch.zeros(()))  # how much of a full running mean it holds, 0 to 1

    def codes(self, x: Tensor) -> Codes:
        pre = torch.addmm(self.b_enc, x - self.b_dec if self.options["subtract_b_dec"] else x, self.W_enc)
        return padded(pre, pre > self.threshold)

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred, weights = self.centred(x), self.encoder_weights()
        dead = dead_latents(self, state)
        pattern, pre, pre_dead = largest(centred, *weights[:2], self.k * len(x), state.precision, dead)
        if self.training:
            self._follow(pre)
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        reconstruction, more, left = self._misses(encode_at(centred, weights, pre, pattern), target, pattern)
        extra = more + auxiliary(self, centred, left, dead, pre_dead)
        fired = pattern.latent_sum(pre) > 0
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), fired)

    def _misses(self, values: Tensor, target: Tensor, pattern: Ragged) -> tuple[Tensor, Tensor, Tensor]:
        """[] mean squared error, [] what else is to be minimised, and as data [n, d] what the reconstruction leaves over."""
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, pattern)
        return reconstruction, torch.zeros_like(reconstruction), left

    @torch.no_grad()
    def _follow(self, chosen: Tensor) -> None:
        """Move the threshold towards the smallest chosen number of a batch."""
        if len(chosen):
            self.threshold_weight.lerp_(torch.ones_like(self.threshold_weight), 1 - _MEMORY)
            self.threshold.lerp_(chosen.min(), (1 - _MEMORY) / self.threshold_weight)
