"""Every option of every room, frozen, with its meaning under it. Read from TOML, never changed while running."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, field_validator

from seqsae.atlas_options import AtlasConfig
from seqsae.caption_options import CaptionConfig
from seqsae.options import Room, each_once, parse, read_toml
from seqsae.probe_options import ProbeConfig
from seqsae.training_options import SaeConfig
from seqsae.training_options import SweepConfig as SweepConfig


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
    limit: int | None = Field(None, ge=1)
    """Subjects at most: whole clusters, drawn by a hash of the salt, in the place of all. None: all."""
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


class FeaturesConfig(Room):
    """Encoding and the per-feature profile."""

    examples: int = Field(8, ge=0)
    """Top rows kept for each feature, for the internal report."""
    context: int = Field(5, ge=0)
    """Rows of context on either side of an example."""


class AssociateConfig(Room):
    """Ties between features and covariates."""

    poolings: tuple[Literal["presence", "rate", "count", "mean", "sum", "max", "last"], ...] = Field(
        ("presence", "rate", "max"), min_length=1
    )
    """How a subject's rows become one value a feature: whether it is on at all, share and number of rows with it on, mean, sum, maximum, last row."""
    q: float = Field(0.05, gt=0, lt=1)
    """Benjamini-Hochberg level on the select split."""
    min_support: int = Field(10, ge=1)
    """Clusters in which a feature must fire to be tested."""
    smallest: float = Field(0.05, gt=0, lt=0.5)
    """Smallest crude effect of interest: distance of the AUROC from 1/2, or Spearman's rho."""
    smallest_adjusted: float = Field(0.1, gt=0)
    """Smallest adjusted effect of interest: log odds (or log hazard) ratio for a standard deviation of the feature's ranks, or partial rho."""
    permutations: int = Field(200, ge=0, le=100_000)
    """Permutations of labels behind `null_95`, what the best of all features reaches by luck; 0: none."""
    refits: int = Field(20, ge=0)
    """Pairs a covariate and pooling, the most telling ones, whose intervals are refitted; the others' are to first order."""
    baselines: tuple[
        Literal[
            "confounders", "token", "token-seen", "token-last", "token-pair", "position", "composition", "neuron", "mlp-neuron",
            "pca", "ica", "random-dictionary", "k-sparse-1", "k-sparse-2", "k-sparse-5", "k-sparse-10", "k-sparse-50", "dense-probe",
        ], ...,
    ] = (
        "confounders", "token", "token-last", "token-pair", "position", "neuron", "mlp-neuron", "pca", "ica", "random-dictionary",
        "k-sparse-1", "k-sparse-5", "k-sparse-50", "dense-probe",
    )  # fmt: skip
    """Sources whose best unit, chosen on the select split, stands beside every feature (planted concepts have their own)."""
    mlp_sites: tuple[str, ...] = ()
    """Harvested sites whose dimensions are `mlp-neuron`; none: those spelled as an MLP's hidden layer, such as `blocks.1.mlp.hidden`."""
    resplits: int = Field(0, ge=0)
    """Random splits of the held-out clusters on which selection and scoring are repeated; 0: none."""
    captions: CaptionConfig = CaptionConfig()
    """A rule in words for each feature: `[associate.captions]`."""

    _each_once = field_validator("poolings", "baselines", "mlp_sites")(each_once)


class ConceptsConfig(Room):
    """Annotated concepts against single units (`seqsae concepts`)."""

    thresholds: tuple[float, ...] = Field((0.0, 0.15, 0.5, 0.6, 0.8), min_length=1, max_length=30)
    """Shares of a unit's largest train value above which it counts as on, ascending; one is chosen on the select split."""
    min_instances: int = Field(25, ge=1)
    """Instances (annotations) in select and test together from which a concept is scored, or `min_rows`."""
    min_rows: int = Field(1000, ge=1)
    """Rows with the concept in select and test together from which it is scored, however few its instances."""
    min_clusters: int = Field(5, ge=1)
    """Clusters with the concept that each of the two splits must have all the same."""
    match: float = Field(0.5, ge=0, lt=1)
    """F1 that a unit must exceed on the select and on the test split to match a concept, there also a fifth of the way from always yes to 1."""
    floor: float = Field(0.25, ge=0, lt=1)
    """F1 on the select split from which a pair of feature and concept is told; of other sources the best unit alone is."""
    shuffles: int = Field(19, ge=0, le=1000)
    """Draws of labels shifted within their sequences, scored beside the true ones: the matches that chance gives."""
    sources: tuple[Literal["neuron", "pca", "random-dictionary", "token", "position"], ...] = (
        "neuron", "pca", "random-dictionary", "token", "position",
    )  # fmt: skip
    """What stands beside the SAE's features."""
    on: float = Field(0.15, ge=0, lt=1)
    """Share of its largest train value above which a feature is on, for its position pattern."""
    longest_period: int = Field(50, ge=2, le=1000)
    """Longest period that a position pattern may have, in rows."""

    @field_validator("thresholds")
    @classmethod
    def _ascending(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if list(given) != sorted(set(given)) or not 0 <= given[0] <= given[-1] < 1:
            raise ValueError("thresholds ascend, from 0 to less than 1")
        return given


class LayersConfig(Room):
    """The same SAE at several sites, side by side."""

    sites: tuple[str, ...] = ()
    """Harvested sites to compare, in the order to show them; none: no comparison."""
    width: int | None = Field(None, ge=1)
    """Latents of each; None: as in [sae]."""
    k: int | None = Field(None, ge=1)
    """Active latents a row; None: as in [sae]."""
    steps: int | None = Field(None, ge=1)
    """Optimiser steps; None: as in [sae]."""


class ReportConfig(Room):
    """The page."""

    title: str = "seqsae report"
    """Heading of the page."""
    features: int = Field(60, ge=1)
    """Features with a card of their own, the most associated ones first."""


class FaithfulnessConfig(Room):
    """Whether the model uses what the SAE says: `seqsae evaluate`."""

    split: Literal["train", "select", "calibrate", "test"] = "test"
    """Subjects that are judged on; means, components and firing rates are fitted on the train split."""
    subjects: int = Field(300, ge=1)
    """Subjects of that split, and of the train split, at most; drawn with the seed."""
    passes: int = Field(2, ge=1)
    """Bidirectional models: masked passes each sample is shown in, of `masked_passes`."""
    masked_passes: int = Field(4, ge=2)
    """Bidirectional models: a share of 1/masked_passes of the rows is hidden at a time, as in `[harvest]`."""
    rows: tuple[Literal["all", "hidden", "observed"], ...] = Field(("all", "hidden", "observed"), min_length=1)
    """Rows at which the reconstruction is put in, each kind by itself; causal models have all alone."""
    beside: tuple[Literal["pca", "random-dictionary"], ...] = ("pca", "random-dictionary")
    """What its loss recovered is held against, beside zero and mean ablation."""
    features: NonNegativeInt | tuple[NonNegativeInt, ...] = 20
    """Features that are ablated and steered one by one: how many of those that write most on average, or a list of their numbers."""
    covariates: tuple[str, ...] = ()
    """Covariates whose best features are changed as well, one a category, by their effect on the select split."""
    scales: tuple[Annotated[float, Field(ge=-1000, le=1000)], ...] = (2.0,)
    """Factors that a feature is steered by where it is on, beside ablation."""
    matched: int = Field(20, ge=0)
    """Features of like firing rate and like size when on that each is held against."""
    samples: int = Field(32, ge=1)
    """Samples, among those in which it fires, that a feature is changed in, at most."""
    output: str = "loss"
    """What gradients are taken of: `loss`, or a token or token class (its mean logit)."""
    ig_steps: int = Field(8, ge=0)
    """Steps of integrated gradients; 0: no attribution."""
    bootstrap: int = Field(1000, ge=100)
    """Draws of clusters behind each interval."""

    @field_validator("scales")
    @classmethod
    def _that_change(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) < len(scales) or {0.0, 1.0} & {*scales}:
            raise ValueError("each factor once, and neither 0 (which is ablation) nor 1 (which changes nothing)")
        return scales


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
    also: tuple[Literal["faithfulness", "concepts", "random-model"], ...] = ("faithfulness", "concepts")
    """What a run does besides, where it can: judge the SAE by the model's own loss, score annotated concepts; `random-model`: train it
    on the same model with its weights shuffled as well, and set those features beside."""
    faithfulness: FaithfulnessConfig = FaithfulnessConfig()
    associate: AssociateConfig = AssociateConfig()
    concepts: ConceptsConfig = ConceptsConfig()
    probe: ProbeConfig = ProbeConfig()
    layers: LayersConfig = LayersConfig()
    atlas: AtlasConfig = AtlasConfig()
    report: ReportConfig = ReportConfig()


def read(path: Path | str) -> RunConfig:
    """A run config from a TOML file; relative paths in it are taken from its folder.

    Raises:
        SeqsaeError: no such file, not TOML, an unknown option, or a value out of range, with the option's name.
    """
    path = Path(path)
    return _anchored(parse(RunConfig, read_toml(path), str(path)), path.parent)


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
