"""What every sparse autoencoder here is: a recipe, a stored normaliser, an encoder, a decoder, a loss.

Shapes: n rows of activations, d = d_model, width latents, k active latents a row. "Raw" units are the model's own;
"normalised" units are (x - mean) / scale, in which everything is learnt. An architecture is one file with one subclass of
`SAE`; the training loop knows none of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae.normalise import KINDS, Normaliser

CHUNK = 2**22  # floats of dense pre-activations held at a time: 16 MB, which malloc hands out again without page faults


class Codes(NamedTuple):
    """Sparse codes of n rows."""

    values: Tensor
    """[n, k] float32, >= 0, normalised units; 0 where fewer than k latents are active. In no order."""
    indices: Tensor
    """[n, k] int64, the latent that each value belongs to; distinct within a row."""


class TrainingState(NamedTuple):
    """What a loss may know of the training it is part of."""

    step: int
    """Steps done before this one."""
    steps: int
    """Steps of the whole run."""
    dead: Tensor
    """[width] bool, latents that have not fired for as many rows as count for dead."""
    precision: torch.dtype = torch.float32
    """Number format of the dense encoder product; all else stays in the format of the weights."""


class Loss(NamedTuple):
    """One batch's loss, in normalised units."""

    total: Tensor
    """[] what is minimised."""
    reconstruction: Tensor
    """[] mean squared error per number."""
    auxiliary: Tensor
    """[] what was added to it, weight included."""
    fired: Tensor
    """[width] bool, latents active in at least one row."""


@dataclass(frozen=True)
class Recipe:
    """What an SAE is, before any data: all that is needed to build it again.

    Raises:
        SeqsaeError: a value is out of range.
    """

    architecture: str
    """Name under which `seqsae.plugins.find("saes", name)` finds the class."""
    d_model: int
    """Width d of the activations it reads."""
    width: int
    """Number of latents."""
    k: int | None = None
    """Active latents a row; None where the architecture has no such number."""
    normalisation: str = "center-scale"
    """Kind of input normaliser, see `seqsae.sae.normalise`."""
    seed: int = 0
    """Seed of the initial weights."""
    options: dict[str, Any] = field(default_factory=dict)
    """The architecture's own options; those left out take its defaults."""

    def __post_init__(self):
        for name in ("d_model", "width"):
            if getattr(self, name) < 1:
                raise SeqsaeError(
                    f"SAE {self.architecture!r}: {name} is {getattr(self, name)}; give a whole number >= 1"
                )
        if self.k is not None and not 1 <= self.k <= self.width:
            raise SeqsaeError(
                f"SAE {self.architecture!r}: k is {self.k} with a width of {self.width}; give 1 <= k <= width"
            )
        if self.normalisation not in KINDS:
            raise SeqsaeError(f"SAE: unknown normalisation {self.normalisation!r}; choose one of {', '.join(KINDS)}")


class SAE(nn.Module, ABC):
    """Base class. Parameters, in normalised units:

    W_enc [d, width] (stored latent by latent, so that a latent's weights are contiguous), b_enc [width],
    W_dec [width, d] with rows of unit length, b_dec [d]. Tied at the start: W_enc = W_dec^T (Gao et al. 2024,
    arXiv 2406.04093, appendix A.1). Buffers: mean [d] and scale [], the input normaliser.
    """

    OPTIONS: ClassVar[dict[str, Any]] = {}
    """The architecture's own options and their defaults."""
    unit_decoder: ClassVar[bool] = True
    """Whether training holds the decoder's rows at unit length."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        unknown = sorted(set(recipe.options) - set(self.OPTIONS))
        if unknown:
            known = ", ".join(self.OPTIONS) or "none"
            raise SeqsaeError(f"SAE {recipe.architecture!r}: unknown option {unknown[0]!r}; it has {known}")
        self.config = recipe
        self.options = {**self.OPTIONS, **recipe.options}
        self.identity: dict = {}  # what it reads and was trained on, as `checkpoint.save` writes it
        generator = torch.Generator().manual_seed(_weight_seed(recipe.seed))
        rows = nn.functional.normalize(torch.randn(recipe.width, recipe.d_model, generator=generator), dim=1)
        self.W_dec = nn.Parameter(rows)
        self.W_enc = nn.Parameter(rows.clone().T)
        self.b_enc = nn.Parameter(torch.zeros(recipe.width))
        self.b_dec = nn.Parameter(torch.zeros(recipe.d_model))
        self.register_buffer("mean", torch.zeros(recipe.d_model))
        self.register_buffer("scale", torch.ones(()))

    @property
    def d_model(self) -> int:
        return self.config.d_model

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def k(self) -> int | None:
        return self.config.k

    @abstractmethod
    def codes(self, x: Tensor) -> Codes:
        """Codes of rows [n, d] in normalised units, differentiable in x."""

    @abstractmethod
    def loss(self, x: Tensor, state: TrainingState) -> Loss:
        """The loss on rows [n, d] in normalised units."""

    def encode(self, x: Tensor) -> Codes:
        """Codes of raw activations.

        Args:
            x: [n, d] any float format, on any device.
        Raises:
            SeqsaeError: not [n, d_model], or NaN or infinite.
        """
        x = self.normalise(self._checked(x))
        parts = [self.codes(chunk) for chunk in row_chunks(x, self.width)]
        return Codes(torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts]))

    def decode(self, codes: Codes) -> Tensor:
        """[n, d] reconstruction in raw units."""
        dense = nn.functional.embedding_bag(
            codes.indices, self.W_dec, per_sample_weights=codes.values.to(self.W_dec), mode="sum"
        )
        return (dense + self.b_dec) * self.scale + self.mean

    def forward(self, x: Tensor) -> Tensor:
        """[n, d] raw -> its reconstruction [n, d], raw."""
        return self.decode(self.encode(x))

    def normalise(self, x: Tensor) -> Tensor:
        """[n, d] raw -> normalised."""
        return (x - self.mean) / self.scale

    @torch.no_grad()
    def set_normaliser(self, normaliser: Normaliser) -> None:
        """Store a fitted normaliser and start b_dec at the data's mean (0 once the data are centred)."""
        self.mean.copy_(normaliser.mean)
        self.scale.copy_(normaliser.scale)
        self.b_dec.copy_((normaliser.data_mean - normaliser.mean) / normaliser.scale)

    @torch.no_grad()
    def constrain_gradients(self) -> None:
        """After backward: drop the part of each decoder row's gradient along the row, which would only change its length."""
        if self.unit_decoder and self.W_dec.grad is not None:
            along = torch.linalg.vecdot(self.W_dec.grad, self.W_dec)
            self.W_dec.grad.addcmul_(self.W_dec, along[:, None], value=-1)

    @torch.no_grad()
    def constrain_weights(self) -> None:
        """After the optimiser's step: bring the decoder's rows back to unit length."""
        if self.unit_decoder:
            self.W_dec.div_(torch.linalg.vector_norm(self.W_dec, dim=1, keepdim=True).clamp_min_(1e-12))

    def _checked(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.d_model:
            raise SeqsaeError(
                f"encode: activations of shape {tuple(x.shape)}; this SAE reads [n, {self.d_model}], give rows of its own site"
            )
        if not torch.isfinite(x).all():
            raise SeqsaeError("encode: the activations hold NaN or infinite values; drop those rows or mend the model")
        return x.to(self.W_enc)


def _weight_seed(seed: int) -> int:
    """A seed of the weights' own: data made elsewhere with torch and the same small seed must not share their numbers."""
    return int(np.random.SeedSequence([0x5AE, seed]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def row_chunks(x: Tensor, width: int) -> Iterator[Tensor]:
    """x [n, d] in pieces whose dense pre-activations [rows, width] take at most `CHUNK` floats; one piece if n is 0."""
    return iter(x.split(max(1, CHUNK // width)))


def build(recipe: Recipe) -> SAE:
    """A fresh SAE of the recipe's architecture. Raises SeqsaeError if no such architecture is installed."""
    return find("saes", recipe.architecture)(recipe)
