"""What every sparse autoencoder here is: a recipe, a stored normaliser, an encoder, a decoder, a loss.

Shapes: n rows of activations, d = d_model, width latents, k active latents a row. "Raw" units are the model's own;
"normalised" units are those of `seqsae.sae.normalise`, in which everything is learnt. An architecture is one file with one subclass of
`SAE`; the training loop knows none of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seqsae.errors import SeqsaeError
from seqsae.plugins import find
from seqsae.sae import normalise as normaliser
from seqsae.sae.arrays import as_rows
from seqsae.sae.products import kernels
from seqsae.sae.recipe import Recipe

CHUNK = 2**22  # floats of dense pre-activations held at a time: 16 MB, which malloc hands out again without page faults


class Codes(NamedTuple):
    """Sparse codes of n rows."""

    values: Tensor
    """[n, k] float32, >= 0, normalised units; 0 where fewer than k latents are active. In no order."""
    indices: Tensor
    """[n, k] int64, the latent that each value belongs to; distinct within a row where the value is not 0."""


class TrainingState(NamedTuple):
    """What a loss may know of the training it is part of."""

    step: int
    """Steps done before this one."""
    steps: int
    """Steps of the whole run."""
    dead: Tensor
    """[width] bool, latents that have not fired for as many rows as count for dead."""
    precision: str = "float32"
    """Format of the dense encoder product (see `Spec.precision`); all else stays in the format of the weights."""


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


class SAE(nn.Module, ABC):
    """Base class. Parameters, in normalised units:

    W_enc [d, width] (stored latent by latent, so that a latent's weights are contiguous), b_enc [width],
    W_dec [width, d], b_dec [d]. Tied at the start: W_enc = W_dec^T (Gao et al. 2024, arXiv 2406.04093, appendix A.1).
    Buffers: mean [d] and scale [] or [d], and for "whiten" whiten and unwhiten [d, d], the input normaliser.

    Options that every architecture has, with the defaults of its paper:
    subtract_b_dec: the encoder reads x - b_dec, not x. tied: W_enc is W_dec^T throughout, one parameter.
    unit_decoder: training holds the decoder's rows at unit length.
    """

    COMMON: ClassVar[dict[str, Any]] = {"subtract_b_dec": True, "tied": False, "unit_decoder": True}
    """Options of every architecture; a subclass states its own defaults for them in OPTIONS."""
    OPTIONS: ClassVar[dict[str, Any]] = {}
    """The architecture's own options and their defaults."""
    default_k: ClassVar[int | None] = None
    """k where a config names none; None for an architecture that has no k."""
    foldable: ClassVar[bool] = True
    """Whether W_enc is all that reads rows (see `seqsae.sae.fold`)."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        if self.default_k is None and recipe.k is not None:
            raise SeqsaeError(
                f"SAE {recipe.architecture!r}: k is {recipe.k}, but its number of active latents is learnt; leave k out"
            )
        defaults = {**SAE.COMMON, **self.OPTIONS}
        unknown = sorted(set(recipe.options) - set(defaults))
        if unknown:
            raise SeqsaeError(
                f"SAE {recipe.architecture!r}: unknown option {unknown[0]!r}; it has {', '.join(defaults)}"
            )
        self.config = recipe
        self.options = {**defaults, **recipe.options}
        for name in SAE.COMMON:
            if not isinstance(self.options[name], bool | None):
                raise SeqsaeError(f"SAE {recipe.architecture!r}: {name} is {self.options[name]!r}; give true or false")
        self.identity: dict = {}  # what it reads and was trained on, as `checkpoint.save` writes it
        self.artefact = None  # where it lies on the shelf, if it does
        self._metrics = None
        generator = torch.Generator().manual_seed(weight_seed(recipe.seed))
        rows = nn.functional.normalize(torch.randn(recipe.width, recipe.d_model, generator=generator), dim=1)
        self.W_dec = nn.Parameter(rows)
        if not self.options["tied"]:
            self.W_enc = nn.Parameter(rows.clone().T)
        self.b_enc = nn.Parameter(torch.zeros(recipe.width))
        self.b_dec = nn.Parameter(torch.zeros(recipe.d_model))
        self._no_normaliser()

    def __getattr__(self, name: str):
        if name == "W_enc" and self.options["tied"]:
            return self.W_dec.T
        return super().__getattr__(name)

    def _no_normaliser(self) -> None:
        d, kind = self.d_model, self.config.normalisation
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("scale", torch.ones(d) if kind == "standardise" else torch.ones(()))
        if kind == "whiten":
            self.register_buffer("whiten", torch.eye(d))
            self.register_buffer("unwhiten", torch.eye(d))

    @property
    def metrics(self):
        """Table of its training (schema `metrics`), read from its artefact when asked for; None if it is not known."""
        if self._metrics is None and self.artefact is not None and self.artefact.has("metrics.parquet"):
            self._metrics = self.artefact.table("metrics.parquet")
        return self._metrics

    @metrics.setter
    def metrics(self, table) -> None:
        self._metrics = table

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
            x: [n, d] tensor or numpy array, any float format, on any device.
        Raises:
            SeqsaeError: not [n, d_model], or NaN or infinite.
        """
        x = self.normalise(self._checked(x))
        return joined([self.codes(chunk) for chunk in row_chunks(x, self.width)])

    def decode(self, codes: Codes, rows: Tensor | None = None) -> Tensor:
        """[n, d] reconstruction in raw units.

        Args:
            rows: [n, d] the raw rows that were encoded; needed only if each row was normalised by itself ("layer-norm", "row-norm").
        Raises:
            SeqsaeError: they are needed and absent.
        """
        x = self.decode_normalised(codes)
        if self.config.normalisation == "whiten":
            x = x @ self.unwhiten
        x = x * self.scale + self.mean
        if self.config.normalisation not in normaliser.BY_ROW:
            return x
        if rows is None:
            raise SeqsaeError(
                "decode: this SAE normalises each row by itself; give decode the rows that were encoded, to undo that"
            )
        return normaliser.undone_by_row(x, self._checked(rows), self.config.normalisation)

    def decode_normalised(self, codes: Codes) -> Tensor:
        """[n, d] reconstruction in normalised units."""
        values = codes.values.to(self.W_dec)
        return (
            nn.functional.embedding_bag(codes.indices, self.W_dec, per_sample_weights=values, mode="sum") + self.b_dec
        )

    def forward(self, x: Tensor) -> Tensor:
        """[n, d] raw -> its reconstruction [n, d], raw."""
        return self.decode(self.encode(x), x)

    def normalise(self, x: Tensor) -> Tensor:
        """[n, d] raw -> normalised."""
        if self.config.normalisation in normaliser.BY_ROW:
            x = normaliser.by_row(x, self.config.normalisation)
        x = (x - self.mean).div_(self.scale)
        return x @ self.whiten if self.config.normalisation == "whiten" else x

    @torch.no_grad()
    def set_normaliser(self, fitted: normaliser.Normaliser) -> None:
        """Store a fitted normaliser and start b_dec where it says."""
        self.mean.copy_(fitted.mean)
        self.scale.copy_(fitted.scale)
        if fitted.whiten is not None:
            self.whiten.copy_(fitted.whiten)
            self.unwhiten.copy_(fitted.unwhiten)
        self.b_dec.copy_(fitted.center)

    def centred(self, x: Tensor) -> Tensor:
        """[n, d] what the encoder's product reads, as data: x - b_dec, or x if b_dec is not subtracted."""
        return x - self.b_dec.detach() if self.options["subtract_b_dec"] else x

    def encoder_weights(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """W_enc [d, width], b_enc [width] and, if it is subtracted, b_dec [d]."""
        return self.W_enc, self.b_enc, self.b_dec if self.options["subtract_b_dec"] else None

    @torch.no_grad()
    def shift_encoder(self, shift: Tensor) -> None:
        """Add [width] to what the encoder's product x W_enc gives."""
        self.b_enc.add_(shift.to(self.b_enc))

    @torch.no_grad()
    def restart(self, latents: Tensor) -> None:
        """After resampling has given latents [m] new weights: what else the architecture keeps of them starts anew."""

    def check_patience(self) -> None:
        """Raises SeqsaeError if early stopping cannot judge this SAE, since what it is trained for changes to the end."""

    @torch.no_grad()
    def constrain_gradients(self) -> None:
        """After backward: drop the part of each decoder row's gradient along the row, which would only change its length."""
        if self.options["unit_decoder"] and self.W_dec.grad is not None:
            kernels.drop_along(self.W_dec.grad, self.W_dec)

    @torch.no_grad()
    def constrain_weights(self) -> None:
        """After the optimiser's step: bring the decoder's rows back to unit length."""
        if self.options["unit_decoder"]:
            kernels.unit_rows(self.W_dec)

    def _checked(self, x: Tensor) -> Tensor:
        x = as_rows(x, "encode")
        if x.shape[1] != self.d_model:
            raise SeqsaeError(
                f"encode: activations of shape {tuple(x.shape)}; this SAE reads [n, {self.d_model}], give rows of its own site"
            )
        x = x.to(self.W_enc)
        if not kernels.finite(x):
            raise SeqsaeError(
                "encode: the activations hold NaN, infinite or too large values; drop those rows or mend the model"
            )
        return x


def weight_seed(seed: int) -> int:
    """A seed of the weights' own: data made elsewhere with torch and the same small seed must not share their numbers."""
    return int(np.random.SeedSequence([0x5AE, seed]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def joined(parts: list[Codes]) -> Codes:
    """Codes of several chunks of rows as one, padded with zeros to the fullest."""
    k = max(part.values.shape[1] for part in parts)
    padded = [[nn.functional.pad(side, (0, k - side.shape[1])) for side in part] for part in parts]
    return Codes(*(torch.cat(sides) for sides in zip(*padded, strict=True)))


def row_chunks(x: Tensor, width: int) -> Iterator[Tensor]:
    """x [n, d] in pieces whose dense pre-activations [rows, width] take at most `CHUNK` floats; one piece if n is 0."""
    floats = CHUNK if x.device.type == "cpu" else 16 * CHUNK  # a GPU is idle over small products
    return iter(x.split(max(1, floats // width)))


def build(recipe: Recipe) -> SAE:
    """A fresh SAE of the recipe's architecture. Raises SeqsaeError if no such architecture is installed."""
    return find("saes", recipe.architecture)(recipe)
