"""Every option of every room, frozen, with its meaning under it. Read from TOML, never changed while running."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from seqsae.errors import SeqsaeError


class Room(BaseModel):
    """Options of one room: unknown names are refused, values cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, given: Any) -> Any:
        """true is no 1."""
        for name, value in given.items() if isinstance(given, dict) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and "bool" not in str(field.annotation):
                raise ValueError(f"{name} is {str(value).lower()}, not a number or text")
        return given


class RecordsConfig(Room):
    """Where the subjects, their sequences or events, and their covariates come from."""

    source: str = "meds"
    """Name of a source: `meds`, `fasta`, `sequences`, or one that a plugin offers (`seqsae plugins`)."""
    path: str | None = None
    """Folder or file to read; `--data` on the command line stands over it. Some sources make their own data without."""
    covariates: str | None = None
    """CSV or parquet keyed by subject_id; default: covariates.parquet or .csv beside the data, if there."""
    covariate_schema: str | None = None
    """JSON that types the covariates; default: covariates.schema.json beside them."""
    labels: tuple[str, ...] = ()
    """Label tables (MEDS: subject_id, prediction_time, values of one kind): parquet files, or folders of them; the name
    without suffix names a view."""
    cluster: str | None = None
    """Covariate that holds household or homology cluster; splits keep it whole. Default: subjects.parquet, if there."""
    split_salt: str = "seqsae"
    """Salt of the hash that assigns clusters to splits, where the data brings none of its own."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further options, handed to the source."""


class ModelConfig(Room):
    """The encoder that is looked into."""

    name: str
    """Name of a model that a plugin offers (`seqsae plugins`)."""
    path: str | None = None
    """Folder of the model's weights, where the plugin wants one."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further options, handed to the plugin."""
    train: dict[str, Any] | None = None
    """Options for training the model on the train split first; None: the model comes trained."""


class ViewConfig(Room):
    """What the model is shown and where it is read."""

    name: str = "full"
    """`full` (each subject's whole record) or the name of a label table (the record cut at each prediction time)."""
    readout: Literal["observed", "masked"] = "observed"
    """`masked`: in seeded passes a share of the rows is hidden from the model and read there."""

    @property
    def folder(self) -> str:
        """Name of the view's folder on the shelf."""
        return self.name if self.readout == "observed" else f"{self.name}-masked"


class HarvestConfig(Room):
    """Which activations are stored, and how."""

    sites: tuple[str, ...] = Field(min_length=1)
    """Names of the model's sites, all captured in one forward pass."""
    views: tuple[ViewConfig, ...] = Field((ViewConfig(),), min_length=1)
    """Views to harvest; the first one is what SAEs are trained on."""
    dtype: Literal["float16", "bfloat16", "float32"] = "float16"
    """Number format on disk; the disk holds rows x d_model x its size."""
    token_budget: int = Field(8192, ge=1)
    """Padded positions in one forward pass, at most (one sequence at least)."""
    shard_samples: int = Field(512, ge=1)
    """Samples in one shard: what a kill can cost."""
    masked_passes: int = Field(4, ge=2)
    """Passes of the masked readout; each row is hidden, and read, in exactly one: a share of 1/passes at a time."""


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


class FeaturesConfig(Room):
    """Encoding and the per-feature profile."""

    examples: int = Field(8, ge=0)
    """Top rows kept for each feature, for the internal report."""
    context: int = Field(5, ge=0)
    """Rows of context on either side of an example."""


class AssociateConfig(Room):
    """Ties between features and covariates."""

    poolings: tuple[Literal["rate", "mean", "max"], ...] = Field(("rate", "max"), min_length=1)
    """How a subject's rows become one value a feature: share of rows with the feature on, mean, maximum."""
    q: float = Field(0.05, gt=0, lt=1)
    """Benjamini-Hochberg level on the select split."""
    min_support: int = Field(10, ge=1)
    """Clusters in which a feature must fire to be tested."""
    baselines: tuple[Literal["neuron", "pca", "random-dictionary", "token", "token-seen", "position", "composition"], ...] = (
        "neuron", "pca", "random-dictionary", "token", "position",
    )  # fmt: skip
    """Sources whose best unit, chosen on the select split, stands beside every feature (planted concepts have their own)."""
    resplits: int = Field(0, ge=0)
    """Random splits of the held-out clusters on which selection and scoring are repeated; 0: none."""


class AtlasConfig(Room):
    """The map of features."""

    neighbours: int = Field(15, ge=2)
    """UMAP's n_neighbors."""
    min_dist: float = Field(0.1, ge=0)
    """UMAP's min_dist."""
    min_cluster_size: int = Field(5, ge=2)
    """HDBSCAN's smallest cluster of features."""


class ReportConfig(Room):
    """The page."""

    title: str = "seqsae report"
    """Heading of the page."""
    features: int = Field(60, ge=1)
    """Features with a card of their own, the most associated ones first."""


class RunConfig(Room):
    """A whole study: one table per room."""

    seed: int = Field(0, ge=0)
    """The one seed."""
    threads: int = Field(1, ge=1, le=1024)
    """Threads of the numerical libraries; the same number gives the same bytes."""
    device: str = "cpu"
    """Torch device of the model and of SAE training."""
    records: RecordsConfig = RecordsConfig()
    model: ModelConfig
    harvest: HarvestConfig
    sae: SaeConfig = SaeConfig()
    features: FeaturesConfig = FeaturesConfig()
    associate: AssociateConfig = AssociateConfig()
    atlas: AtlasConfig = AtlasConfig()
    report: ReportConfig = ReportConfig()


def read(path: Path | str) -> RunConfig:
    """A run config from a TOML file; relative paths in it are taken from its folder.

    Raises:
        SeqsaeError: no such file, not TOML, an unknown option, or a value out of range, with the option's name.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such config file; see examples/ for one to copy") from None
    except RecursionError:
        raise SeqsaeError(f"{path}: not valid TOML: nested too deep") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as cause:
        raise SeqsaeError(f"{path}: not valid TOML: {cause}") from None
    return _anchored(parse(RunConfig, document, str(path)), path.parent)


def parse(kind: type[Room], document: dict, where: str):
    """`document` as a config of `kind`. Raises SeqsaeError naming the first option that is wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as cause:
        first = cause.errors()[0]
        option = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SeqsaeError(f"{where}: unknown option {option!r}; {_nearest(kind, first['loc'])}") from None
        given = "" if first["type"] == "missing" else f" (given: {first['input']!r})"
        raise SeqsaeError(f"{where}: option {option!r}: {first['msg']}{given}") from None


def _nearest(kind: type[Room], location: tuple) -> str:
    for part in location[:-1]:
        inner = kind.model_fields[part].annotation if isinstance(part, str) and part in kind.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, Room)):
            break
        kind = inner
    return f"options here: {', '.join(kind.model_fields)}"


def _anchored(config: RunConfig, folder: Path) -> RunConfig:
    """Relative data paths become relative to the config's own folder."""

    def anchor(path: str | None) -> str | None:
        return None if path is None else str(folder / path)

    records = config.records.model_copy(
        update={
            "path": anchor(config.records.path),
            "covariates": anchor(config.records.covariates),
            "covariate_schema": anchor(config.records.covariate_schema),
            "labels": tuple(anchor(path) for path in config.records.labels),
        }
    )
    return config.model_copy(
        update={"records": records, "model": config.model.model_copy(update={"path": anchor(config.model.path)})}
    )
