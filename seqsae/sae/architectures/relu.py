"""ReLU: every positive pre-activation is a code, and a penalty on the codes keeps them few."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import auxiliary, check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import above
from seqsae.sae.architectures.padded import padded
from seqsae.sae.architectures.penalties import latent_sums, lengths, power, warmed
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState
from seqsae.sae.products.sparse import Pattern, at_latents, encode_at, miss_at

PENALTIES = ("l1", "sqrt", "lp")
_START = 0.1  # length of the rows of a free decoder at the start: short ones turn to their direction at once


class ReLU(SAE):
    """Bricken et al. 2023, "Towards monosemanticity"; by default in the form of Conerly et al. 2024, "Update on how we train
    SAEs" (Circuits Updates, April 2024): decoder free, its rows' lengths in the penalty, b_dec not subtracted.

        z     = relu(x W_enc + b_enc)
        x_hat = z W_dec + b_dec
        L     = mean (x - x_hat)^2 + s * mean over rows of sum_j penalty(z_j |W_dec,j| / sqrt(d)) + AuxK

    penalty: "l1" a; "sqrt" a^(1/2) (Riggs & Brinkmann 2024, "Improving SAE's by sqrt()-ing L1"); "lp" a^p, and with p_end
    p-annealing (Karvonen et al. 2024, arXiv 2408.00113, section 4): from `anneal_start` on p falls evenly from p to p_end,
    and at each step s is multiplied by sum a^p / sum a^p' for the old p and the new p' over the batch, so that the penalty keeps its
    scale. Powers below 1 are taken of a + 1e-3, less 1e-3^p: their slope at 0 would be infinite.

    s is `sparsity` (None: .08, or .02 where the power is below 1 from the start), climbing from 0 over the first
    `sparsity_warmup` of the steps. Dividing by sqrt(d), the length of a normalised row, makes it mean the same at
    every d: lambda of the paper, where rows have length sqrt(n), is s * sqrt(n), its 5 is .08 at n = 4096. AuxK
    (Gao et al. 2024; see `seqsae.sae.architectures.auxiliary`) brings dead latents back; the paper has nothing for them
    (aux_weight 0).

    A free decoder's rows start at length .1, the encoder likewise. The older form, with unit rows: options subtract_b_dec true, unit_decoder true.
    """

    OPTIONS: ClassVar = {
        "subtract_b_dec": False,
        "unit_decoder": False,
        "penalty": "l1",
        "sparsity": None,
        "sparsity_warmup": 0.05,
        "p": 1.0,
        "p_end": None,
        "anneal_start": 0.1,
        "aux_k": None,
        "aux_weight": 1 / 32,
    }

    def __init__(self, recipe: Recipe):
        checks.no_k(recipe)
        super().__init__(recipe)
        if self.options["sparsity"] is None:
            self.options["sparsity"] = 0.08 if self.options["p"] == 1 and self.options["penalty"] != "sqrt" else 0.02
        self._check()
        if not self.options["unit_decoder"]:
            with torch.no_grad():
                for name, weight in self.named_parameters():
                    weight.mul_(_START if name.startswith("W_") else 1)
        if self.options["p_end"] is not None:
            self.register_buffer("annealed", torch.ones(()))  # what s has been multiplied by

    def _check(self) -> None:
        recipe, options = self.config, self.options
        check_auxiliary(self)
        checks.choice(recipe, options, "penalty", PENALTIES)
        for name, low, high in (("sparsity", 0, math.inf), ("sparsity_warmup", 0, 1), ("anneal_start", 0, 1)):
            checks.number(recipe, options, name, low, high)
        for name in ("p", "p_end"):
            if options[name] is not None:
                checks.number(recipe, options, name, 0.01, 1)
        if options["penalty"] != "lp" and (options["p"] != 1 or options["p_end"] is not None):
            raise SeqsaeError(
                f"SAE {recipe.architecture!r}: p and p_end belong to penalty 'lp', this is {options['penalty']!r}; leave them out"
            )

    def check_patience(self) -> None:
        if self.options["p_end"] is not None:
            raise SeqsaeError(
                f"SAE {self.config.architecture!r}: early stopping cannot judge an SAE whose p is annealed to the end; "
                "leave out patience or p_end"
            )

    def codes(self, x: Tensor) -> Codes:
        pre = torch.addmm(self.b_enc, self._read(x), self.W_enc)
        return padded(pre, pre > 0)

    def _read(self, x: Tensor) -> Tensor:
        return x - self.b_dec if self.options["subtract_b_dec"] else x

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred, weights = self.centred(x), self.encoder_weights()
        dead = dead_latents(self, state)
        pattern, pre, pre_dead = above(centred, *weights[:2], 0.0, state.precision, dead)
        values = encode_at(centred, weights, pre, pattern).relu()
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, pattern)
        sums = latent_sums(values, pattern)
        penalty = self._penalty(values, sums, pattern, state) / len(x)
        extra = penalty + auxiliary(self, centred, left, dead, pre_dead)
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), sums.detach() > 0)

    def _penalty(self, values: Tensor, sums: Tensor, pattern: Pattern, state: TrainingState) -> Tensor:
        """[] the weighted penalty, summed over the rows."""
        weight = warmed(self.options["sparsity"], self.options["sparsity_warmup"], state)
        scale = lengths(self.W_dec) / math.sqrt(self.d_model)
        p = self._power(state.step, state.steps)
        if p == 1 and self.options["p_end"] is None:
            return weight * (sums * scale).sum()
        amounts = values * at_latents(scale, pattern)
        total = power(amounts, p).sum()
        if self.options["p_end"] is None:
            return weight * total
        weighted = weight * self.annealed.clone() * total
        if self.training:
            self._anneal(amounts.detach(), total.detach(), state)
        return weighted

    def _power(self, step: int, steps: int) -> float:
        """p at a step."""
        start, end = self.options["p"], self.options["p_end"]
        if self.options["penalty"] == "sqrt":
            return 0.5
        if end is None:
            return start
        first = round(self.options["anneal_start"] * steps)
        done = max(0, step - first) / max(1, steps - 1 - first)
        return start + (end - start) * min(1.0, done)

    @torch.no_grad()
    def _anneal(self, amounts: Tensor, total: Tensor, state: TrainingState) -> None:
        """Make the next step's penalty, with its p, as large on this batch as this step's."""
        after = power(amounts, self._power(state.step + 1, state.steps)).sum()
        self.annealed.mul_(torch.where(after > 0, total / after, 1))
