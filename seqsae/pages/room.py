"""The pages room: the tables of a run gathered into one offline page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from seqsae import schema, shelf
from seqsae.associations.concept_room import Concepts
from seqsae.associations.concept_summary import summary
from seqsae.associations.room import Associated
from seqsae.config import ReportConfig
from seqsae.faithfulness.room import Faithful
from seqsae.features.portraits import Portraits, portray
from seqsae.maps.room import atlas as lay_out
from seqsae.pages import formats
from seqsae.pages.content import Annotated, Content, Mapped, Portrayed, Used
from seqsae.pages.trusted import design, facts, openings, trusted
from seqsae.records.code_table import names as code_names
from seqsae.sae.base import SAE


def report(  # noqa: PLR0913  each table that a page may hold
    associated: Associated,
    atlas: shelf.Artefact | None = None,
    saes: Sequence[SAE] = (),
    *,
    out: Path | str,
    config: ReportConfig | None = None,
    faithful: Faithful | None = None,
    concepts: Concepts | None = None,
    layers: pl.DataFrame | None = None,
    portraits: Portraits | None = None,
    format: str = "html",  # noqa: A002  as the command has it
) -> Path:
    """Write the internal report as the artefact `out`; the path of its `index.html`, which needs no network.

    Args:
        associated: from `associate`.
        atlas: from `atlas`; made if not given.
        saes: the seeds of the training, for the run card.
        faithful: from `evaluate`: whether the model uses the features; without it the page does not say.
        concepts: from `concepts`: annotated concepts and position patterns.
        layers: schema `layers`, a row a site in the model's order.
        portraits: from `portray`; made if not given.
        format: `html`, or `parquet`, `csv` (its tables) or `png` (its charts), which are written to the folder `<out>-<format>`.
    Raises:
        SeqsaeError: another format.
    """
    formats.check(format)
    config = config or ReportConfig()
    atlas = atlas or lay_out(associated.encoded.sae, associated)
    portraits = portraits or portray(associated.encoded)
    inputs = {"associations": associated.artefact, "features": associated.encoded.artefact, "atlas": atlas}
    inputs |= {f"sae{i}": sae.artefact for i, sae in enumerate(saes)}
    if associated.covariates.code_table is not None:
        inputs["names"] = shelf.digest(_names(associated))
    inputs["portraits"] = portraits.artefact
    inputs["said"] = shelf.digest({"openings": openings(associated), "facts": facts(associated, saes)})
    if layers is not None:
        inputs["layers"] = shelf.digest(schema.check_table(layers, "layers", "layers").to_dicts())
    asked = {"faithfulness": faithful, "concepts": concepts}
    inputs |= {name: made.artefact for name, made in asked.items() if made is not None}

    def write(work: Path) -> None:
        shown = content(associated, atlas, saes, config)
        identity = shown.run["identity"] | {
            name: made.artefact.hash[:16] for name, made in asked.items() if made is not None
        }
        parts = {"used": used(faithful), "annotated": annotated(concepts), "layers": layers}
        parts["portraits"] = portrayed(portraits, atlas)
        formats.write(replace(shown, run=shown.run | {"identity": identity}, **parts), format, work)

    options, folder = config.model_dump(mode="json"), Path(out)
    if format != "html":
        options, folder = options | {"format": format}, folder.with_name(f"{folder.name}-{format}")
    made = shelf.stage(folder, "report", options, inputs, write, ("altair", "vl-convert-python")).path
    return made / "index.html" if format == "html" else made


def content(associated: Associated, atlas: shelf.Artefact, saes: Sequence[SAE], config: ReportConfig) -> Content:
    """Everything the page shows."""
    encoded, names = associated.encoded, _names(associated)
    return Content(
        title=config.title,
        run=run_card(associated, saes),
        covariates=[{**entry, "n": _known(associated, entry)} for entry in associated.covariates.schema["covariates"]]
        + _labels(associated),
        profile=encoded.profile,
        associations=associated.table,
        baselines=associated.baselines,
        atlas=schema.check_table(atlas.table("atlas.parquet"), "atlas", str(atlas.path)),
        examples=encoded.examples,
        concepts=associated.concepts,
        metrics=schema.check_table(
            encoded.sae.artefact.table("metrics.parquet"), "metrics", str(encoded.sae.artefact.path)
        ),
        captions=associated.captions,
        resplits=associated.resplits,
        q=associated.artefact.setting("q"),
        cards=config.features,
        names=names,
        mapped=mapped(atlas),
        **trusted(associated, saes),
    )


def used(faithful: Faithful | None) -> Used | None:
    """What the page shows of it: no table of subjects."""
    if faithful is None:
        return None
    return Used(faithful.recovered, faithful.effects, faithful.tokens, faithful.attribution, faithful.summary)


def mapped(atlas: shelf.Artefact) -> Mapped | None:
    """What the page shows of the map's worth and its clusters, where the atlas has them."""
    names = ("map_quality", "clusters", "cluster_enrichment")
    there = all(atlas.has(f"{name}.parquet") for name in names)
    return Mapped(*(atlas.table(f"{name}.parquet") for name in names)) if there else None


def portrayed(made: Portraits, atlas: shelf.Artefact) -> Portrayed:
    """What the page shows of the portraits, and of the atlas' families where it has them."""
    names = ("feature_profiles", "token_enrichment", "spread", "neighbours", "seed_matches", "tracks")
    families = atlas.table("families.parquet") if atlas.has("families.parquet") else None
    return Portrayed(*map(made.table, names), families)


def annotated(concepts: Concepts | None) -> Annotated | None:
    """What the page shows of it."""
    if concepts is None:
        return None
    kinds = summary(concepts)["patterns"]
    if not concepts.has_annotations:
        return Annotated(concepts.patterns, kinds)
    return Annotated(concepts.patterns, kinds, concepts.matches, concepts.pairs, concepts.annotated)


def _names(associated: Associated) -> dict[str, str]:
    """Token -> human name, by the code table of the data."""
    table = associated.covariates.code_table
    return {} if table is None else code_names(table, associated.encoded.store.rows["token"].unique().sort())


def run_card(associated: Associated, saes: Sequence[SAE]) -> dict:
    """What was read, trained and held out, with the hashes that identify it."""
    store, sae = associated.encoded.store, associated.encoded.sae
    last = sae.artefact.table("metrics.parquet").row(-1, named=True)
    return {
        "subjects": dict(store.subjects["split"].value_counts(sort=True).iter_rows()),
        "held_out": {key: last[key] for key in ("fvu", "l0", "dead")},
        "model": f"{store.model['name']}, {store.model['attention']}",
        "site": associated.encoded.site,
        "view": store.view,
        "rows": store.n_rows,
        "SAE": f"{sae.config.architecture}, width {sae.config.width}, k {sae.config.k}, {max(1, len(saes))} seed{'s' if len(saes) > 1 else ''}",
        "training rows": last["rows"],
        "unit of inference": f"subject; {store.subjects['cluster'].n_unique():,} clusters, whole in one split",
        **design(associated),
        "identity": {
            "model weights": store.model["fingerprint"][:16],
            "activations": store.artefact.hash[:16],
            "SAE": sae.artefact.hash[:16],
            "features": associated.encoded.artefact.hash[:16],
            "associations": associated.artefact.hash[:16],
            "covariates": associated.artefact.manifest["inputs"]["covariates"][:16],
        },
    }


def _labels(associated: Associated) -> list[dict]:
    """Entries for what is of no covariate schema: the labels at the view's prediction times."""
    named = {entry["name"] for entry in associated.covariates.schema["covariates"]}
    found = associated.table.select("covariate", "kind").unique("covariate", maintain_order=True)
    store = associated.encoded.store
    subjects = store.subjects.join(store.samples.select("subject").unique(), on="subject", how="semi")
    counts = dict(subjects["split"].value_counts(sort=True).iter_rows())
    told = f"label of the view: {len(store.samples):,} prediction times of {len(subjects):,} subjects"
    entries = found.filter(~pl.col("covariate").is_in(list(named))).iter_rows()
    return [
        {"name": name, "type": kind, "level": "subject", "description": told, "n": counts} for name, kind in entries
    ]


def _known(associated: Associated, entry: dict) -> dict[str, int]:
    """Subjects by split in which the covariate is known."""
    subjects, covariates = associated.encoded.store.subjects, associated.covariates
    if entry["level"] != "subject":
        known = (
            covariates.annotations.filter(pl.col("covariate") == entry["name"])
            .select(pl.col("sample").alias("subject"))
            .unique()
        )
    elif covariates.table is None or entry["name"] not in covariates.table.columns:
        return {}
    else:
        known = covariates.table.filter(pl.col(entry["name"]).is_not_null()).select("subject")
    return dict(subjects.join(known, on="subject", how="semi")["split"].value_counts(sort=True).iter_rows())
