"""JumpReLU: each latent is active above a threshold of its own, which is learnt."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures import checks
from seqsae.sae.architectures.auxiliary import auxiliary, check_auxiliary, dead_latents
from seqsae.sae.architectures.dense import above
from seqsae.sae.architectures.padded import padded
from seqsae.sae.architectures.penalties import lengths, warmed
from seqsae.sae.architectures.straight_through import jump
from seqsae.sae.base import SAE, Codes, Loss, Recipe, TrainingState
from seqsae.sae.products.sparse import Columns, Pattern, at_latents, encode_at, miss_at

PENALTIES = ("l0", "tanh", "target")
_START = 0.25  # length of the encoder's weights at the start: unit ones overshoot, with many latents active
_QUICK = 0.25  # how much further than Adam's step a threshold's logarithm moves, times sqrt(d), as Adam's rate has 1 / sqrt(d)
_FROM = 0.1  # share of the latents at which the target begins, and about the share that is active at the start
_THRESHOLD = 1.3  # a normalised row's product with a unit vector is above it in about a tenth of all cases


class JumpReLU(SAE):
    """Rajamanoharan et al. 2024, "Jumping ahead: improving reconstruction fidelity with JumpReLU sparse autoencoders"
    (arXiv 2407.14435).

        pre   = x W_enc + b_enc,   t = exp(log_threshold)
        z     = pre [pre > t]
        x_hat = z W_dec + b_dec
        L     = mean (x - x_hat)^2 + s * penalty + AuxK

    penalty (None: "target" if target_l0 is given, else "l0"), over the rows of a batch, l0 their mean number of active latents:
    "l0"      l0 (section 3); s climbs from 0 over the first `sparsity_warmup` of the steps;
    "target"  (l0 / target - 1)^2, which settles at target_l0 active latents (appendix on wanted sparsities); here the target
              itself falls over `sparsity_warmup`, by equal factors from a tenth of the width: a sudden fall kills latents
              before they have found a direction;
    "tanh"    mean sum_j tanh(tanh_scale z_j |W_dec,j|), with a free decoder, s climbing; and for dead latents
              pre_act_weight / d * mean sum_j relu(t_j - pre_j) |W_dec,j|  (Conerly et al. 2025, "Dictionary learning optimization
              techniques", Circuits Updates, January 2025). With the other penalties, and AuxK on, the same term moves the dead
              latents' thresholds alone: what AuxK teaches them may lie below a threshold that nothing else lowers.

    Gradients for the thresholds: `seqsae.sae.architectures.straight_through`, with a window of `bandwidth` in normalised units, in which rows
    have length sqrt(d) (the paper's .001 where they have length 1; ours is wider, as it sees a thousandth of the rows).
    Adam moves a logarithm by its learning rate only, too slow for a threshold that starts far off: its steps are made
    sqrt(d) / 4 times as long. The encoder starts at a quarter of the decoder's length, and the thresholds
    (`threshold`) where a tenth of all pre-activations lies above. AuxK (`seqsae.sae.architectures.auxiliary`) brings dead latents back;
    the papers have only the term above.
    """

    OPTIONS: ClassVar = {
        "subtract_b_dec": False,
        "unit_decoder": None,
        "penalty": None,
        "sparsity": None,
        "sparsity_warmup": 0.3,
        "target_l0": None,
        "threshold": None,
        "bandwidth": 0.1,
        "tanh_scale": 4.0,
        "pre_act_weight": 3e-6,
        "aux_k": None,
        "aux_weight": 1 / 32,
    }
    _SPARSITY: ClassVar = {"l0": 0.003, "target": 1.0, "tanh": 0.002}

    def __init__(self, recipe: Recipe):
        checks.no_k(recipe)
        super().__init__(recipe)
        if self.options["penalty"] is None:
            self.options["penalty"] = "l0" if self.options["target_l0"] is None else "target"
        self._check()
        self._settle()
        if not self.options["tied"]:
            with torch.no_grad():
                self.W_enc.mul_(_START)
        self.log_threshold = nn.Parameter(torch.full((recipe.width,), math.log(self.options["threshold"])))

    def _settle(self) -> None:
        """Defaults that depend on other options."""
        options = self.options
        start = 1 if options["tied"] else _START
        depending = {
            "unit_decoder": options["penalty"] != "tanh",
            "sparsity": self._SPARSITY[options["penalty"]],
            "threshold": _THRESHOLD * start,
        }
        options.update({name: value for name, value in depending.items() if options[name] is None})

    def _check(self) -> None:
        recipe, options = self.config, self.options
        check_auxiliary(self)
        checks.choice(recipe, options, "penalty", PENALTIES)
        for name in ("threshold", "bandwidth", "tanh_scale"):
            if options[name] is not None:
                checks.positive(recipe, options, name)
        for name, high in (("sparsity_warmup", 1), ("pre_act_weight", math.inf)):
            checks.number(recipe, options, name, 0, high)
        if options["sparsity"] is not None:
            checks.number(recipe, options, "sparsity", 0)
        if options["penalty"] == "target":
            checks.number(recipe, options, "target_l0", 0.1, recipe.width)
        elif options["target_l0"] is not None:
            raise SeqsaeError(
                f"SAE {recipe.architecture!r}: target_l0 belongs to penalty 'target', this is {options['penalty']!r}; "
                "set that penalty or leave target_l0 out"
            )

    @property
    def threshold(self) -> Tensor:
        """[width] the thresholds, > 0."""
        return self.log_threshold.exp()

    def codes(self, x: Tensor) -> Codes:
        x = x - self.b_dec if self.options["subtract_b_dec"] else x
        pre = torch.addmm(self.b_enc, x, self.W_enc)
        return padded(pre, pre > self.threshold)

    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        centred, weights = self.centred(x), self.encoder_weights()
        dead = self._dead(state)
        threshold, bandwidth = self.threshold, self.options["bandwidth"]
        bound = threshold.detach() - bandwidth / 2
        pattern, pre, pre_dead = above(centred, *weights[:2], bound, state.precision, dead)
        values, active = jump(encode_at(centred, weights, pre, pattern), threshold, pattern, bandwidth)
        target = centred if self.options["subtract_b_dec"] else x - self.b_dec.detach()
        reconstruction, left = miss_at(values, self.W_dec, self.b_dec, target, pattern)
        extra = self._penalty(values, active, pattern, state, len(x))
        extra = extra + self._revival(centred, left, dead, pre_dead)
        fired = pattern.latent_sum(values.detach()) > 0
        return Loss(reconstruction + extra, reconstruction.detach(), extra.detach(), fired)

    def _penalty(self, values: Tensor, active: Tensor, pattern: Pattern, state: TrainingState, n: int) -> Tensor:
        """[] the weighted penalty. active []: number of active latents in all n rows."""
        weight, share = self.options["sparsity"], self.options["sparsity_warmup"]
        if self.options["penalty"] == "target":
            return weight * (active / n / self._target(state) - 1).square()
        weight = warmed(weight, share, state)
        if self.options["penalty"] == "l0":
            return weight * active / n
        amounts = self.options["tanh_scale"] * values * at_latents(lengths(self.W_dec), pattern)
        return weight * amounts.tanh().sum() / n

    def _target(self, state: TrainingState) -> float:
        """The target at this step: it falls by equal factors from `_FROM` of all latents."""
        target = self.options["target_l0"]
        to_go = 1 - warmed(1.0, self.options["sparsity_warmup"], state)
        return target * max(1.0, _FROM * self.width / target) ** to_go

    @torch.no_grad()
    def constrain_gradients(self) -> None:
        """As everywhere; and the thresholds are noted, for `constrain_weights` to lengthen their step."""
        super().constrain_gradients()
        self._stood = self.log_threshold.detach().clone()

    @torch.no_grad()
    def constrain_weights(self) -> None:
        """As everywhere; and the thresholds' step is made `_QUICK` sqrt(d) times as long."""
        super().constrain_weights()
        self.log_threshold.copy_(self._stood.lerp(self.log_threshold, _QUICK * math.sqrt(self.d_model)))

    @torch.no_grad()
    def restart(self, latents: Tensor) -> None:
        """The latents [m] take thresholds that are to their encoder's length what is usual among all."""
        length = torch.linalg.vector_norm(self.W_enc, dim=0).clamp_min(1e-12).log()
        self.log_threshold[latents] = (self.log_threshold - length).median() + length[latents]

    def _dead(self, state: TrainingState) -> Tensor:
        """[m] int64: the dead latents, as far as a term of the loss asks for them."""
        by_tanh = self.options["penalty"] == "tanh" and self.options["pre_act_weight"] > 0
        return state.dead.nonzero().squeeze(1) if by_tanh else dead_latents(self, state)

    def _revival(self, centred: Tensor, left: Tensor, dead: Tensor, pre: Tensor) -> Tensor:
        """[] what brings the dead latents [m] back. pre [n, m]: their pre-activations, as data."""
        revival = auxiliary(self, centred, left, dead, pre) if self.options["aux_weight"] else left.new_zeros(())
        if not len(dead):
            return revival
        length = lengths(self.W_dec)[dead]
        if self.options["penalty"] == "tanh":
            pre = encode_at(centred, self.encoder_weights(), pre, Columns(dead, self.width))
        else:
            length = length.detach()
        short = (self.threshold[dead] - pre).relu().sum(0) * length
        return revival + self.options["pre_act_weight"] / left.numel() * short.sum()
