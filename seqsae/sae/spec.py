"""What is to be trained: one `Spec` for each SAE, one `Budget` for the pass over the stream that they share."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe

PRECISIONS = ("float32", "bfloat16")
DECAYS = ("linear", "cosine")


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
    lr: float = 3e-3
    """Adam's learning rate at its height."""
    normalisation: str = "center-scale"
    """Input normaliser: center-scale or none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Format of the dense encoder product in training; bfloat16 picks latents in it and computes their values in float32.
    Weights, all else, and encoding afterwards stay in float32."""
    warmup: float = 0.05
    """Share of the steps over which the learning rate climbs."""
    decay: Literal["linear", "cosine"] = "linear"
    """How it falls to 0 over the last fifth of the steps."""
    clip: float = 1.0
    """Largest norm of the gradient over all weights of the SAE; larger ones are scaled down to it."""
    options: dict[str, Any] = field(default_factory=dict)
    """The architecture's own options."""

    def __post_init__(self):
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise SeqsaeError(f"SAE: lr is {self.lr}; give a number above 0, 3e-3 to begin with")
        if not 0 <= self.warmup <= 0.8:
            raise SeqsaeError(f"SAE: warmup is {self.warmup}; give a share of the steps from 0 to 0.8")
        for name, choices in (("precision", PRECISIONS), ("decay", DECAYS)):
            if getattr(self, name) not in choices:
                raise SeqsaeError(f"SAE: unknown {name} {getattr(self, name)!r}; choose one of {', '.join(choices)}")

    def recipe(self, d_model: int) -> Recipe:
        """The SAE's recipe at a site of width d_model. Raises SeqsaeError if width or k are out of range."""
        return Recipe(self.architecture, d_model, self.width, self.k, self.normalisation, self.seed, dict(self.options))

    def name(self, site: str) -> str:
        """The artefact's name, as in `layer4-topk-2048x32-seed0`."""
        size = f"{self.width}" if self.k is None else f"{self.width}x{self.k}"
        return f"{site}-{self.architecture}-{size}-seed{self.seed}"

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of step `step` (from 0) of `steps`: linear climb, plateau, fall over the last fifth."""
        climb = min(1.0, (step + 1) / max(1, round(self.warmup * steps)))
        left = min(1.0, (steps - step) / max(1, round(0.2 * steps)))
        fall = left if self.decay == "linear" else 0.5 * (1 - math.cos(math.pi * left))
        return self.lr * climb * fall


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

    def dead_rows(self, n_rows: int) -> int:
        """Rows after which a latent counts as dead, in a stream of n_rows an epoch; at least one batch."""
        if self.dead_after is not None:
            return self.dead_after
        return max(self.batch, min(10_000_000, n_rows, self.steps * self.batch // 10))
