"""seqsae: sparse autoencoders for sequence models that are not language models.

The tour, in the order in which data passes through the rooms:

    data  = seqsae.dataset(items, covariates=table)        records
    model = seqsae.wrap(encoder, sites=[...], collate=pad)  models       (or seqsae.open_model(name))
    acts  = seqsae.harvest(model, data, out="run")          activations
    saes  = seqsae.train(acts, "topk", width=2048, k=32)    sae          (or seqsae.load_sae(path); seqsae.sweep to choose)
    codes = seqsae.encode(saes, acts)                       features
    seqsae.evaluate(model, data, saes), seqsae.steer(...)   faithfulness
    table = seqsae.associate(codes, data.covariates)        associations
    found = seqsae.concepts(codes, data)                    single units against annotated and planted concepts
    reads = seqsae.probe(codes, data)                       probes on few or all units, out of fold
    seqsae.atlas(saes), seqsae.report(table, out=...)       maps, pages
    seqsae.run("study.toml")                                all of it

Nothing heavy is imported until one of these names is used.
"""

from importlib import import_module

from seqsae.errors import SeqsaeError

__version__ = "0.1.0"

_WHERE = {
    "dataset": "seqsae.records.reading",
    "open_model": "seqsae.models.opening",
    "wrap": "seqsae.models.wrapping",
    "harvest": "seqsae.activations.harvesting",
    "train": "seqsae.sae.room",
    "sweep": "seqsae.pages.sweep_room",
    "load_sae": "seqsae.sae.room",
    "save_sae": "seqsae.sae.room",
    "encode": "seqsae.features.encoding",
    "evaluate": "seqsae.faithfulness.room",
    "steer": "seqsae.faithfulness.steering_room",
    "associate": "seqsae.associations.room",
    "concepts": "seqsae.associations.concept_room",
    "probe": "seqsae.pages.probes_room",
    "atlas": "seqsae.maps.room",
    "report": "seqsae.pages.room",
    "release": "seqsae.exports.releasing",
    "audit": "seqsae.exports.audit",
    "run": "seqsae.pipeline",
}

__all__ = ["SeqsaeError", *_WHERE]


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"module 'seqsae' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
