"""The associations room: every feature against every target, chosen on the select split, scored on the test split."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from seqsae import schema, shelf
from seqsae.associations.baselines import sources_of
from seqsae.associations.beside import check_beside, inputs_of
from seqsae.associations.captions.captioning import captions
from seqsae.associations.concept_scores import concept_table
from seqsae.associations.confounders import Confounders
from seqsae.associations.controls import controls
from seqsae.associations.followed import curves
from seqsae.associations.judging import judged
from seqsae.associations.omnibus import omnibus
from seqsae.associations.resplitting import resplit_table
from seqsae.associations.screening import Bench
from seqsae.associations.targets import supported, targets, why_none
from seqsae.config import AssociateConfig
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.progress import say
from seqsae.records.companions import of_frame
from seqsae.records.covariates import Covariates


@dataclass(frozen=True)
class Associated:
    """An `associations` artefact beside the features it was made from."""

    artefact: shelf.Artefact
    encoded: Encoded
    covariates: Covariates

    @cached_property
    def table(self) -> pl.DataFrame:
        """Schema `associations`."""
        return self._table("associations")

    @cached_property
    def baselines(self) -> pl.DataFrame:
        """Schema `baselines`."""
        return self._table("baselines")

    @cached_property
    def diagnostics(self) -> pl.DataFrame:
        """Schema `diagnostics`."""
        return self._table("diagnostics")

    @cached_property
    def controls(self) -> pl.DataFrame:
        """Schema `controls`."""
        return self._table("controls")

    @cached_property
    def omnibus(self) -> pl.DataFrame:
        """Schema `omnibus`."""
        return self._table("omnibus")

    @cached_property
    def curves(self) -> pl.DataFrame:
        """Schema `curves`."""
        return self._table("curves")

    @cached_property
    def captions(self) -> pl.DataFrame | None:
        """Schema `captions`, None if none were asked for."""
        return self._table("captions") if self.artefact.has("captions.parquet") else None

    @cached_property
    def resplits(self) -> pl.DataFrame | None:
        """Schema `resplits`, None if none were asked for."""
        return self._table("resplits") if self.artefact.has("resplits.parquet") else None

    @cached_property
    def concepts(self) -> pl.DataFrame | None:
        """Schema `concepts`, None without planted truth."""
        return self._table("concepts") if self.artefact.has("concepts.parquet") else None

    def _table(self, name: str) -> pl.DataFrame:
        return schema.check_table(self.artefact.table(f"{name}.parquet"), name, f"{self.artefact.path / name}.parquet")


def associate(
    encoded: Encoded,
    covariates: Covariates | pl.DataFrame,
    *,
    out: Path | str | None = None,
    config: AssociateConfig | None = None,
    seed: int = 0,
    beside: Mapping[str, Encoded] | None = None,
) -> Associated:
    """Tie every feature to every covariate: AUROC (binary, categorical) or Spearman (ordinal, continuous).

    Pairs are chosen on the select split (Benjamini-Hochberg over all of them), effects, intervals and p-values come from
    the test split, which the choice has not seen; beside them stand the best neuron, token, ... chosen the same way.

    Args:
        encoded: from `encode`.
        covariates: `data.covariates`, or a table keyed by `subject_id` whose types are then proposed.
        out: run folder; default: that of the features.
        beside: features of other studies on the same rows by name, which then stand among the baselines, such as `random-model`:
            those of an SAE on the same model with its weights shuffled.
    Raises:
        SeqsaeError: no covariates, or none with enough support in the select and test splits; `beside` stands on other rows.
    """
    config, beside = config or AssociateConfig(), dict(beside or {})
    check_beside(encoded, beside)
    covariates = covariates if isinstance(covariates, Covariates) else of_frame(covariates, encoded.store.subjects)
    folder = (
        (Path(out) if out else encoded.path.parents[2]) / "associations" / encoded.path.parent.name / encoded.store.view
    )
    inputs = {"features": encoded.artefact, "covariates": fingerprint(covariates), **inputs_of(beside)}
    options = {**config.model_dump(mode="json"), "seed": seed}
    artefact = shelf.stage(
        folder, "associations", options, inputs, lambda work: _write(encoded, covariates, config, seed, beside, work)
    )
    return Associated(artefact, encoded, covariates)


def fingerprint(covariates: Covariates) -> str:
    """Hex SHA-256 over everything that features may be tied to."""
    tables = {
        "table": covariates.table,
        "annotations": covariates.annotations,
        "truth": covariates.truth_spans,
        **covariates.labels,
    }
    hashes = {name: None if frame is None else shelf.hash_table(frame) for name, frame in tables.items()}
    return shelf.digest({"schema": covariates.schema, "truth": covariates.truth, "tables": hashes})


def _write(
    encoded: Encoded, covariates: Covariates, config: AssociateConfig, seed: int, beside: dict, work: Path
) -> None:
    every = targets(covariates, encoded.store)
    aims = supported(every, covariates, encoded.store)
    if not aims:
        raise SeqsaeError(why_none(every, covariates, encoded.store))
    bench = Bench(encoded, Confounders(covariates, encoded.store), config, seed)
    aims = bench.confounders.with_twins(aims)
    say(f"adjusted for {', '.join(bench.confounders.names)}")
    sources = sources_of(encoded, config.baselines, seed, bench.confounders, config, beside)
    found = judged(bench, aims, sources, encoded.siblings)
    for name, table in found._asdict().items():
        shelf.write_table(work / f"{name}.parquet", table)
    shelf.write_table(work / "omnibus.parquet", omnibus(bench, aims))
    shelf.write_table(work / "curves.parquet", curves(bench, aims, found.associations))
    shelf.write_table(work / "controls.parquet", controls(bench, sources, encoded.siblings))
    if covariates.truth is not None:
        shelf.write_table(work / "concepts.parquet", concept_table(encoded, covariates, seed))
    if config.captions.make:
        say("captions ...")
        shelf.write_table(work / "captions.parquet", captions(encoded, covariates, config.captions, seed))
    if config.resplits:
        shelf.write_table(work / "resplits.parquet", resplit_table(encoded, sources, every, config, seed))
