"""What a study does beside the chain of its rooms: concepts scored, the SAE judged by the model's own loss, layers compared."""

from collections.abc import Mapping
from typing import Any

from seqsae import shelf
from seqsae.associations.concept_room import Concepts, concepts
from seqsae.associations.leading import leading
from seqsae.associations.targets import is_pooled
from seqsae.config import FaithfulnessConfig, RunConfig
from seqsae.errors import NoObjective, SeqsaeError
from seqsae.faithfulness.room import Faithful, evaluate
from seqsae.features.encoding import Encoded, encode
from seqsae.ledger import note_opening
from seqsae.pages.layers_room import Layer, layers
from seqsae.progress import say
from seqsae.sae.base import SAE
from seqsae.sae.room import train
from seqsae.sae.training.feasible import feasible

Study = Any  # of seqsae.pipeline, which stands behind this room


def check_names(config: RunConfig) -> None:
    """Raises SeqsaeError for a comparison of layers that could not be made."""
    sites, harvested = config.layers.sites, config.harvest.sites
    for site in sites:
        if site not in harvested:
            raise SeqsaeError(f"[layers] sites: {site!r} is not harvested; [harvest] sites has {', '.join(harvested)}")
    if twice := sorted({site for site in sites if sites.count(site) > 1}):
        raise SeqsaeError(f"[layers] sites: {twice[0]!r} stands there twice; name each site once")
    if sites:
        feasible(config.sae.model_copy(update=_size(config)), config.device)


def check_data(study: Study) -> None:
    """Raises SeqsaeError for a covariate that the data has not."""
    wanted, there = (
        study.config.faithfulness.covariates,
        [entry["name"] for entry in study.data.covariates.schema["covariates"]],
    )
    for name in wanted:
        if name not in there and name not in study.data.labels:
            raise SeqsaeError(
                f"[faithfulness] covariates: there is no {name!r}; the data has {', '.join(there) or 'none'}"
            )


def _size(config: RunConfig) -> dict[str, Any]:
    """What the SAEs of [layers] have of their own."""
    return {name: value for name, value in config.layers.model_dump().items() if name != "sites" and value is not None}


def has_concepts(study: Study) -> bool:
    """Whether a run is to score concepts, and there are any."""
    if "concepts" not in study.config.also or study.data.annotations is None:
        return False
    if is_pooled(study.first):
        say("concepts left out: annotations hold at single events, and rows here are pooled")
        return False
    return True


def scored(study: Study, codes: Encoded, beside: Mapping[str, Encoded]) -> Concepts:
    """Annotated concepts against single units of one view."""
    config, data = study.config, study.data
    with study.stage("concepts"):
        made = concepts(codes, data, out=study.out, config=config.concepts, seed=config.seed, beside=beside)
    note_opening(study.out / "ledger.json", made.artefact, "concepts")
    return made


def judged(study: Study, saes: list[SAE], room: FaithfulnessConfig) -> Faithful | None:
    """What the model keeps of an SAE (the first; of its other seeds the loss alone); None if it is not asked or cannot be told."""
    if "faithfulness" not in study.config.also:
        return None
    try:
        return faithfulness(study, saes, room)
    except NoObjective as cause:
        say(f"faithfulness left out: {cause}")
        return None


def faithfulness(study: Study, saes: list[SAE], room: FaithfulnessConfig) -> Faithful:
    """The same, asked for. Raises NoObjective where the model has none of its own."""
    model, data, view, seed = study.model, study.data, study.config.harvest.views[0], study.config.seed
    more = leading(study.told.table, room.covariates) if room.covariates else ()
    with study.stage("faithfulness"):
        made = evaluate(model, data, saes, view=view, more=more, out=study.out, config=room, seed=seed)
    if room.split == "test":
        note_opening(study.out / "ledger.json", made.artefact, "faithfulness")
    return made


def layered(study: Study) -> shelf.Artefact | None:
    """The same SAE at each of the sites of [layers]; None if none are named."""
    made = [_layer(study, site) for site in study.config.layers.sites]
    return layers(made, out=study.out) if made else None


def _layer(study: Study, site: str) -> Layer:
    config, acts = study.config, study.first
    options = {**_size(config), "seeds": 1, "site": site, "seed": config.seed, "device": config.device}
    with study.stage("train"):
        saes = train(acts, config.sae.architecture, config=config.sae, out=study.out, **options)
    with study.stage("encode"):
        codes = encode(saes, acts, out=study.out, config=config.features)
    few = config.faithfulness.model_copy(update={"features": 0, "covariates": (), "rows": ("all",), "beside": ()})
    return Layer(codes, judged(study, saes, few), scored(study, codes, {}) if has_concepts(study) else None)
