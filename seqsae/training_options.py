"""Options of the sparse autoencoders and of their training."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from seqsae.options import Room


class SweepConfig(Room):
    """What `seqsae train --sweep` trains in place of one size and sparsity: every width with every sparsity."""

    widths: tuple[PositiveInt, ...] = ()
    """Numbers of latents; none: a quarter, half, once and twice `width`."""
    ks: tuple[PositiveInt, ...] = ()
    """Active latents a row; none: half, once and twice `k`."""
    sparsities: tuple[PositiveFloat, ...] = ()
    """Values of the option of sparsity of an architecture without k (`sparsity`, or `target_l0` where its penalty is a
    target); none: half, once and twice the option."""
    seeds: int = Field(2, ge=1, le=10_000)
    """SAEs of each width and sparsity; with one, the noise between seeds is unknown."""


class SaeConfig(Room):
    """The sparse autoencoder and its training."""

    architecture: str = "topk"
    """Name of an architecture (`seqsae plugins`)."""
    site: str | None = None
    """Site to train on; None: the last of those harvested."""
    width: int = Field(2048, ge=1)
    """Number of latents."""
    k: int | None = Field(None, ge=1)
    """Active latents a row; None: 32 for architectures that have such a number."""
    seeds: int = Field(3, ge=1, le=10_000)
    """How many SAEs are trained side by side, differing in their initial weights; seed 0 is reported."""
    steps: int = Field(1000, ge=1)
    """Optimiser steps."""
    epochs: float | None = Field(None, gt=0)
    """Passes over the training rows, in place of `steps`."""
    batch: int = Field(1024, ge=1, le=2**24)
    """Rows a step."""
    lr: float | None = Field(None, gt=0)
    """Adam's learning rate at its height; None: 0.11 / sqrt(d_model)."""
    warmup: float = Field(0.05, ge=0, le=0.8)
    """Share of the steps over which the learning rate climbs."""
    decay: Literal["linear", "cosine", "none"] = "linear"
    """How the learning rate falls to 0 over the last fifth of the steps."""
    clip: float = Field(0.01, ge=0)
    """Largest norm of an SAE's gradient; so low that each step's counts alike. 0: no clipping."""
    normalise: Literal["none", "center-scale", "mean-norm", "layer-norm", "row-norm", "standardise", "whiten"] = (
        "center-scale"
    )
    """Input normalisation, fitted on the train split and stored with the weights: centred and brought to one scale; as it is;
    scaled alone; each row by itself (mean and deviation, or its length); each dimension; or all of them made uncorrelated."""
    bias: Literal["mean", "geometric-median", "zeros"] = "mean"
    """Where the decoder's bias starts."""
    precision: Literal["auto", "float32", "bfloat16", "int8", "autocast"] = "float32"
    """Number format of the large encoder product in training; weights and everything written stay in float32."""
    dead_after: int | None = Field(None, ge=1, le=2**62)
    """Rows without firing after which a latent counts as dead; None: 10 million, an epoch, or a tenth of all rows read,
    whichever is least."""
    resample: int | None = Field(None, ge=1)
    """Steps between resamplings of dead latents; None: never."""
    patience: int | None = Field(None, ge=1)
    """Early stopping: measurements without a better FVU on validation subjects after which an SAE stops; None: never."""
    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the train split's clusters held out for early stopping."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further options of the architecture, for topk: aux_k (dead latents in AuxK), aux_weight."""
    tensorboard: bool = False
    """Also write the metrics as TensorBoard event files (needs `pip install 'seqsae[tensorboard]'`)."""
    wandb: str | None = Field(None, min_length=1)
    """Weights & Biases project to log the metrics to, offline (needs `pip install 'seqsae[wandb]'`)."""
    check_every: int = Field(200, ge=1)
    """Steps between measurements on held-out rows, and between checkpoints to resume from."""
    sweep: SweepConfig = SweepConfig()
    """What `seqsae train --sweep` trains."""
