"""The same SAE at several sites: what becomes of reconstruction, of what the model keeps, and of the features' kind from layer to layer."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from seqsae import schema, shelf
from seqsae.associations.concept_room import Concepts
from seqsae.faithfulness.room import Faithful
from seqsae.features.encoding import Encoded

DETECTOR = 0.9
"""Share of a feature's active rows with its commonest token from which it counts as a detector of that token."""
SCORES = {"f1": "", "f1_per_domain": "_by_domain"}


class Layer(NamedTuple):
    """What was made of one site."""

    encoded: Encoded
    faithful: Faithful | None
    concepts: Concepts | None


def layers(made: Iterable[Layer], *, out: Path | str) -> shelf.Artefact:
    """A row a site (schema `layers`) as the artefact `out/layers`, in the order given."""
    made = list(made)
    inputs = {}
    for number, one in enumerate(made):
        found = (one.encoded, one.faithful, one.concepts)
        inputs |= {f"{number} {type(room).__name__}": room.artefact for room in found if room is not None}

    def write(work: Path) -> None:
        table = pl.DataFrame([row(one) for one in made], infer_schema_length=None)
        shelf.write_table(work / "layers.parquet", schema.check_table(table, "layers", "layers"))

    return shelf.stage(Path(out) / "layers", "layers", {}, inputs, write)


def row(layer: Layer) -> dict:
    """One row of schema `layers`."""
    sae, profile = layer.encoded.sae, layer.encoded.profile
    last = sae.metrics.row(-1, named=True)
    live = profile.filter(~pl.col("dead"))
    return {
        "site": layer.encoded.site,
        "sae": sae.artefact.path.name,
        "width": sae.width,
        "l0": last["l0"],
        "fvu": last["fvu"],
        "dead": profile["dead"].mean(),
        **recovered(layer.faithful),
        "token_detectors": (live["token_purity"] >= DETECTOR).mean(),
        **matched(layer.concepts),
    }


def recovered(faithful: Faithful | None) -> dict:
    """Loss recovered against mean ablation where all rows are replaced, with its interval."""
    columns = ("recovered", "ci_low", "ci_high")
    if faithful is None:
        return dict.fromkeys(("against", *columns))
    told = faithful.recovered.filter(
        (pl.col("source") == "sae") & (pl.col("where") == "all") & (pl.col("against") == "mean")
    )
    return {"against": "mean", **{name: told[name][0] if len(told) else None for name in columns}}


def matched(found: Concepts | None) -> dict:
    """Concepts that a feature matches, and features that match one, by either score."""
    names = [(score, f"{what}{end}") for score, end in SCORES.items() for what in ("concepts", "concept_features")]
    if found is None or not found.has_annotations:
        return dict.fromkeys(name for _, name in names)
    mine = {one["score"]: one for one in found.matches.filter(pl.col("source") == "sae").iter_rows(named=True)}
    counts = {"concepts": "concepts_matched", "concept_features": "units_matched"}
    return {f"{what}{end}": mine[score][column] for score, end in SCORES.items() for what, column in counts.items()}
