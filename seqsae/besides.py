"""What a study does beside the chain of its rooms: concepts scored, the SAE judged by the model's own loss, layers compared."""

from collections.abc import Mapping
from typing import Any

from seqsae import shelf
from seqsae.activations.harvesting import harvest
from seqsae.associations.beside import RANDOM_MODEL
from seqsae.associations.concept_room import Concepts, concepts
from seqsae.associations.leading import leading
from seqsae.associations.room import Associated, associate
from seqsae.associations.targets import is_pooled
from seqsae.config import FaithfulnessConfig, RunConfig
from seqsae.errors import NoObjective, SeqsaeError
from seqsae.faithfulness.room import Faithful, evaluate
from seqsae.features.bins import births
from seqsae.features.encoding import Encoded, encode
from seqsae.features.portraits import Portraits, portray
from seqsae.ledger import note_opening
from seqsae.maps.room import atlas
from seqsae.models.contract import SequenceModel
from seqsae.models.randomised import shuffle_weights
from seqsae.pages.layers_room import Layer, layers
from seqsae.pages.probes_room import Probed, probe
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


def associated(study: Study, encoded: Mapping[str, Encoded]) -> dict[str, Associated]:
    """Features against covariates in each of these views."""
    config, covariates, others = study.config, study.data.covariates, beside(study)
    with study.stage("associate"):
        made = {
            view: associate(
                codes, covariates, out=study.out, config=config.associate, seed=config.seed, beside=others[view]
            )
            for view, codes in encoded.items()
        }
    for one in made.values():
        note_opening(study.out / "ledger.json", one.artefact)
    return made


def beside(study: Study, more: Mapping[str, Encoded] | None = None) -> dict[str, dict[str, Encoded]]:
    """View to the features that stand beside its own, by name: those given, and those of the shuffled model.

    Raises:
        SeqsaeError: features of a view that is not harvested.
    """
    given = {**study.beside, **(more or {})}
    if RANDOM_MODEL in study.config.also and RANDOM_MODEL not in given:
        given |= {} if study.random_model is None else {RANDOM_MODEL: study.random_model}
    views = [view.folder for view in study.config.harvest.views]
    for name, one in given.items():
        if one.store.view not in views:
            raise SeqsaeError(
                f"beside {name!r}: {one.path} is of view {one.store.view!r}; the config harvests {', '.join(views)}"
            )
    return {view: {name: one for name, one in given.items() if one.store.view == view} for view in views}


def random_model(study: Study) -> Encoded | None:
    """One seed of the SAE trained anew on the model with shuffled weights, under RUN/random-model; None where that cannot be done."""
    with study.stage(RANDOM_MODEL):
        model = study.open_model()
        if not shuffle_weights(model, study.config.seed):
            say(f"{RANDOM_MODEL} left out: model {model.name!r} shows no weights to shuffle")
            return None
        try:
            return _learnt_of(study, model)
        except SeqsaeError as cause:  # such as activations that the number format cannot hold
            say(f"{RANDOM_MODEL} left out: {cause}")
            return None


def _learnt_of(study: Study, model: SequenceModel) -> Encoded:
    """The first view of another model harvested at the SAE's site, and its own SAE's features."""
    config, out = study.config, study.out / RANDOM_MODEL
    site = config.sae.site or config.harvest.sites[-1]
    reading = config.harvest.model_copy(update={"sites": (site,), "views": config.harvest.views[:1]})
    acts = harvest(model, study.data, reading.views[0], out=out, config=reading, seed=config.seed)
    options = {"site": site, "seeds": 1, "seed": config.seed, "device": config.device}
    saes = train(acts, config.sae.architecture, config=config.sae, out=out, **options)
    return encode(saes, acts, out=out, config=config.features)


def annotated(study: Study) -> Concepts:
    """Concepts in the view that the report is of."""
    codes = study.told.encoded
    return scored(study, codes, beside(study)[codes.store.view])


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


def laid_out(study: Study) -> shelf.Artefact:
    """The map of the features of the view that is told, and what its clusters are tied to; where those ask the test split it is noted."""
    sae, told = study.saes[0], study.told
    with study.stage("atlas"):
        made = atlas(sae, told, out=study.out, config=study.config.atlas, seed=study.config.seed)
    if made.table("cluster_enrichment.parquet")["n_test"].drop_nulls().len():
        note_opening(study.out / "ledger.json", made, "atlas", told.encoded.store.view)
    return made


def portrayed(study: Study, one: Associated) -> Portraits:
    """What the features of a view look like in aggregates; ages count from the births of the records, where there are any."""
    return portray(one.encoded, births(study.data), out=study.out)


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


def probed(study: Study) -> dict[str, Probed]:
    """Probes of every view in which there is anything to be probed, and a page of each."""
    config, made = study.config, {}
    for view in config.harvest.views:
        if study.has_targets(view.name):
            codes = study.encoded[view.folder]
            with study.stage("probe"):
                made[view.folder] = probe(codes, study.data, out=study.out, config=config.probe, seed=config.seed)
            note_opening(study.out / "ledger.json", made[view.folder].artefact, "probe")
    return made
