"""What is to be trained: one `Spec` for each SAE, one `Budget` for the pass over the stream that they share."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from seqsae.errors import SeqsaeError
from seqsae.sae import normalise
from seqsae.sae.base import Recipe

PRECISIONS = ("auto", "float32", "bfloat16", "int8", "autocast")
SPARSITIES = ("sparsity", "target_l0")  # options that stand in an SAE's name, since a sweep goes over them
DECAYS = ("linear", "cosine", "none")


@dataclass(frozen=True)
class Spec:
    """One SAE's own settings.

    Raises:
        SeqsaeError: a value is out of range (width and k are judged once d_model is known).
    """

    width: int
    """Number of latents."""
    k: int | None = None
    """Active latents a row; None where the architecture has no such number."""
    architecture: str = "topk"
    """Name of the architecture."""
    seed: int = 0
    """Seed of the initial weights, the only randomness of an SAE."""
    lr: float | None = None
    """Adam's learning rate at its height; None: 0.11 / sqrt(d_model). Adam moves every weight by about lr a step, so that a
    unit direction, of entries about 1 / sqrt(d_model), turns by about lr * sqrt(d_model)."""
    normalisation: str = "center-scale"
    """Input normaliser, see `seqsae.sae.normalise`."""
    bias: str = "mean"
    """Where b_dec starts: mean, geometric-median or zeros."""
    precision: Literal["auto", "float32", "bfloat16", "int8", "autocast"] = "float32"
    """Format of the dense encoder product in training. bfloat16 and int8 propose latents in it and compute their values in
    float32; auto takes the one that this machine is fastest in; autocast runs all dense products in bfloat16. Weights, all
    else, and encoding afterwards stay in float32."""
    warmup: float = 0.05
    """Share of the steps over which the learning rate climbs."""
    decay: Literal["linear", "cosine", "none"] = "linear"
    """How it falls to 0 over the last fifth of the steps; none: not at all."""
    clip: float | None = 0.01
    """Largest norm of the gradient over all weights of the SAE; larger ones are scaled down to it. So low that it nearly
    always acts: each step's gradient then counts alike, and Adam's long memory of squares holds no large early ones. None: any."""
    resample: int | None = None
    """Steps between resamplings of dead latents at rows of high loss; None: never."""
    patience: int | None = None
    """Measurements without a better FVU on held-out rows after which this SAE stops, keeping its best weights; None: it
    runs to the end."""
    options: dict[str, Any] = field(default_factory=dict)
    """The architecture's own options."""

    def __post_init__(self):
        if self.lr is not None and not (self.lr > 0 and math.isfinite(self.lr)):
            raise SeqsaeError(f"SAE: lr is {self.lr}; give a number above 0, or none for 0.11 / sqrt(d_model)")
        if not 0 <= self.warmup <= 0.8:
            raise SeqsaeError(f"SAE: warmup is {self.warmup}; give a share of the steps from 0 to 0.8")
        if self.clip is not None and not self.clip > 0:
            raise SeqsaeError(f"SAE: clip is {self.clip}; give a norm above 0, or None for no clipping")
        for name in ("resample", "patience"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise SeqsaeError(f"SAE: {name} is {getattr(self, name)}; give a whole number >= 1, or None for never")
        normalise.check(self.normalisation, self.bias)
        for name, choices in (("precision", PRECISIONS), ("decay", DECAYS)):
            if getattr(self, name) not in choices:
                raise SeqsaeError(f"SAE: unknown {name} {getattr(self, name)!r}; choose one of {', '.join(choices)}")

    def recipe(self, d_model: int) -> Recipe:
        """The SAE's recipe at a site of width d_model. Raises SeqsaeError if width or k are out of range."""
        return Recipe(self.architecture, d_model, self.width, self.k, self.normalisation, self.seed, dict(self.options))

    def name(self, site: str) -> str:
        """The artefact's name, as in `layer4-topk-2048x32-seed0` or `layer4-relu-2048-sparsity0.1-seed0`."""
        size = f"{self.width}" if self.k is None else f"{self.width}x{self.k}"
        size += "".join(f"-{name}{self.options[name]}" for name in SPARSITIES if name in self.options)
        return f"{site}-{self.architecture}-{size}-seed{self.seed}"

    def height(self, d_model: int) -> float:
        """The learning rate at its height."""
        return 0.11 / math.sqrt(d_model) if self.lr is None else self.lr

    def share(self, step: int, steps: int) -> float:
        """Share of the height that step `step` (from 0) of `steps` has: linear climb, plateau, fall over the last fifth."""
        climb = min(1.0, (step + 1) / max(1, round(self.warmup * steps)))
        left = 1.0 if self.decay == "none" else min(1.0, (steps - step) / max(1, round(0.2 * steps)))
        fall = left if self.decay == "linear" else 0.5 * (1 - math.cos(math.pi * left))
        return climb * fall


@dataclass(frozen=True)
class Budget:
    """The pass over the stream. Counted in steps, never in seconds.

    Raises:
        SeqsaeError: a number below 1.
    """

    steps: int
    """Optimiser steps."""
    batch: int = 1024
    """Rows a step."""
    every: int = 200
    """Steps between measurements on held-out rows, and between saved states."""
    device: str = "cpu"
    """Torch device of the SAEs."""
    dead_after: int | None = None
    """Rows without firing after which a latent counts as dead; None: 10 million, or an epoch, or a tenth of all rows read,
    whichever is least."""
    sample: int = 65_536
    """Rows the normaliser is fitted on, an epoch at most."""

    def __post_init__(self):
        for name in ("steps", "batch", "every", "sample"):
            if getattr(self, name) < 1:
                raise SeqsaeError(f"SAE training: {name} is {getattr(self, name)}; give a whole number >= 1")
        if self.dead_after is not None and not 1 <= self.dead_after <= 2**62:
            raise SeqsaeError(f"SAE training: dead_after is {self.dead_after}; give a number of rows >= 1, or None")

    def dead_rows(self, n_rows: int) -> int:
        """Rows after which a latent counts as dead, in a stream of n_rows an epoch; at least one batch."""
        if self.dead_after is not None:
            return self.dead_after
        return max(self.batch, min(10_000_000, n_rows, self.steps * self.batch // 10))
