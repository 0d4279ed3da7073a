"""Gated: one path decides which latents are active, another how strongly; only the first is penalised."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import auxiliary, check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import above
from seqsae.sae.architectures.padded import padded
from seqsae.sae.architectures.penalties import latent_sums, lengths, warmed
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState
from seqsae.sae.products.sparse import Pattern, at_latents, encode_at, miss_at


class Gated(SAE):
    """Rajamanoharan et al. 2024, "Improving dictionary learning with gated sparse autoencoders" (arXiv 2404.16014), section 3.

        gate   = (x - b_dec) W_enc + b_enc                       (b_enc is the paper's b_gate)
        strong = (x - b_dec) W_enc exp(r_mag) + b_mag            (weights tied: W_mag = W_gate exp(r_mag), latent by latent)
        z      = [gate > 0] relu(strong),   x_hat = z W_dec + b_dec
        L      = mean (x - x_hat)^2 + s * mean over rows of sum_j relu(gate_j) |W_dec,j| / sqrt(d)
               + mean (x - x_gate)^2 + AuxK,   x_gate = relu(gate) W_dec + b_dec, no gradient to W_dec and b_dec

    The last line's first term alone teaches the gate what its latents are for; x - x_hat cannot, as [gate > 0] has no slope. s is
    `sparsity`, climbing from 0 over the first `sparsity_warmup` of the steps; in units that mean the same at every d (see
    `seqsae.sae.architectures.relu`). The decoder's rows have unit length, or, if it is left free, their lengths weigh in the penalty, held
    fixed there as W_dec is in x_gate. AuxK, on the mean of gate and strength, brings dead latents back where the paper
    resamples them (`Spec.resample` does too).
    """

    OPTIONS: ClassVar = {"sparsity": 0.16, "sparsity_warmup": 0.05, "aux_k": None, "aux_weight": 1 / 32}

    def __init__(self, recipe: Recipe):
        checks.no_k(recipe)
        super().__init__(recipe)
        check_auxiliary(self)
        checks.number(recipe, self.options, "sparsity", 0)
        checks.number(recipe, self.options, "sparsity_warmup", 0, 1)
        self.r_mag = nn.Parameter(torch.zeros(recipe.width))
        self.b_mag = nn.Parameter(torch.zeros(recipe.width))

    def codes(self, x: Tensor) -> Codes:
        x = x - self.b_dec if self.options["subtract_b_dec"] else x
        gate = torch.addmm(self.b_enc, x, self.W_enc)
        values = self._strong(gate, self.b_enc, self.r_mag.exp(), self.b_mag).relu()
        return padded(values, (gate > 0) & (values > 0))

    @staticmethod
    def _strong(gate: Tensor, b_gate: Tensor, factor: Tensor, b_mag: Tensor) -> Tensor:
        return (gate - b_gate) * factor + b_mag

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred, weights = self.centred(x), self.encoder_weights()
        dead = dead_latents(self, state)
        pattern, pre, pre_dead = above(centred, *weights[:2], 0.0, state.precision, dead)
        gate = encode_at(centred, weights, pre, pattern)
        values = self._strength(gate, pattern).relu() * (pre > 0)
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, pattern)
        open_, frozen = gate.relu(), (self.W_dec.detach(), self.b_dec.detach())
        extra = self._penalty(latent_sums(open_, pattern), state) / len(x)
        extra = extra + miss_at(open_, *frozen, target, pattern)[0]
        extra = extra + auxiliary(self, centred, left, dead, pre_dead, self._revived)
        fired = pattern.latent_sum(values.detach()) > 0
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), fired)

    def _strength(self, gate: Tensor, pattern: Pattern) -> Tensor:
        """Codes before their relu, at the pattern's places."""
        return self._strong(gate, *(at_latents(part, pattern) for part in (self.b_enc, self.r_mag.exp(), self.b_mag)))

    def _revived(self, gate: Tensor, pattern: Pattern) -> Tensor:
        """What AuxK takes for a dead latent's code: the mean of gate and strength, so that it opens the one and raises the other."""
        return (gate + self._strength(gate, pattern)) / 2

    def _penalty(self, sums: Tensor, state: TrainingState) -> Tensor:
        """[] the weighted penalty. sums [width]: of the positive gates, over the rows."""
        weight = warmed(self.options["sparsity"], self.options["sparsity_warmup"], state) / math.sqrt(self.d_model)
        return weight * (sums * lengths(self.W_dec.detach())).sum()

    @torch.no_grad()
    def shift_encoder(self, shift: Tensor) -> None:
        """Add [width] to what the encoder's product x W_enc gives: both paths read it."""
        super().shift_encoder(shift)
        self.b_mag.add_(shift.to(self.b_mag) * self.r_mag.exp())

    @torch.no_grad()
    def restart(self, latents: Tensor) -> None:
        """Both paths of the latents [m] read alike again."""
        self.r_mag[latents] = 0
        self.b_mag[latents] = 0
