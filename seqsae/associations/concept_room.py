"""The concepts stage: which single unit goes with which annotated concept, beside neurons, PCA, chance; and planted truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.associations.baselines import sources_of
from seqsae.associations.beside import Beside, check_beside, inputs_of
from seqsae.associations.concept_patterns import patterns
from seqsae.associations.concept_position import best_windows
from seqsae.associations.concept_scores import concept_table
from seqsae.associations.concept_scoring import Task, drawn, score
from seqsae.associations.concept_spans import part_of
from seqsae.associations.concept_support import supported
from seqsae.associations.concept_units import Scaled
from seqsae.associations.room import fingerprint
from seqsae.associations.targets import is_pooled
from seqsae.config import ConceptsConfig
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.progress import track
from seqsae.records.covariates import Covariates
from seqsae.records.data import Dataset

TABLES = {
    "annotated": "annotated_concepts", "pairs": "concept_pairs", "matches": "concept_matches", "patterns": "patterns",
}  # fmt: skip


@dataclass(frozen=True)
class Concepts:
    """A `concepts` artefact beside the features it was made from."""

    artefact: shelf.Artefact
    encoded: Encoded
    covariates: Covariates
    seed: int

    @property
    def has_annotations(self) -> bool:
        """Whether there were annotations to score, if perhaps their tables are gone."""
        return self.covariates.annotations is not None or self.artefact.has("pairs.parquet")

    @cached_property
    def annotated(self) -> pl.DataFrame:
        """Schema `annotated_concepts`."""
        return self._table("annotated")

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """Schema `concept_pairs`."""
        return self._table("pairs")

    @cached_property
    def matches(self) -> pl.DataFrame:
        """Schema `concept_matches`: the headline."""
        return self._table("matches")

    @cached_property
    def patterns(self) -> pl.DataFrame:
        """Schema `patterns`."""
        return self._table("patterns")

    @cached_property
    def planted(self) -> pl.DataFrame | None:
        """Schema `concepts`, computed when asked for; None without planted truth."""
        return None if self.covariates.truth is None else concept_table(self.encoded, self.covariates, self.seed)

    def _table(self, name: str) -> pl.DataFrame:
        if name != "patterns" and not self.has_annotations:
            raise SeqsaeError(f"{self.artefact.path}: the data had no annotations, so there is no table {name!r}")
        where = self.artefact.path / f"{name}.parquet"
        return schema.check_table(self.artefact.table(where.name), TABLES[name], str(where))


def concepts(
    encoded: Encoded,
    data: Dataset | Covariates,
    *,
    out: Path | str | None = None,
    config: ConceptsConfig | None = None,
    seed: int = 0,
    beside: Mapping[str, Encoded] | None = None,
) -> Concepts:
    """Score every value of every token-level covariate against every single unit, and find each feature's position pattern.

    The threshold on a unit's value, scaled by its largest train value, is chosen on the select split and kept on the test
    split, whence all figures come. Beside the features stand the sources of the config, and labels shifted within their sequences.

    Args:
        encoded: from `encode`.
        data: the data, or its covariates.
        out: run folder; default: that of the features.
        beside: further features on the same rows by name, such as `random-model`: those of an SAE on a model of random weights.
    Raises:
        SeqsaeError: neither annotations nor planted truth; rows that are pooled; or `beside` stands on other rows.
    """
    config, beside = config or ConceptsConfig(), dict(beside or {})
    covariates = data.covariates if isinstance(data, Dataset) else data
    if covariates.annotations is None and covariates.truth is None:
        raise SeqsaeError(
            "there is no concept to score: the data has neither annotations (annotations.parquet: subject_id, start, end, "
            "covariate, value) nor planted truth (`seqsae synth make`)"
        )
    if covariates.annotations is not None and is_pooled(encoded.store):
        raise SeqsaeError(
            f"{encoded.path}: its rows are pooled, one a sample, and annotations hold at single events; "
            "harvest rows of single events to score annotated concepts"
        )
    check_beside(encoded, beside)
    path = encoded.path
    folder = (Path(out) if out else path.parents[2]) / "concepts" / path.parent.name / encoded.store.view
    inputs = {"features": encoded.artefact, "covariates": fingerprint(covariates)}
    inputs |= inputs_of(beside)
    options = {**config.model_dump(mode="json"), "seed": seed, "site": encoded.site}
    artefact = shelf.stage(
        folder, "concepts", options, inputs, lambda work: _write(encoded, covariates, config, seed, beside, work)
    )
    return Concepts(artefact, encoded, covariates, seed)


def _write(
    encoded: Encoded, covariates: Covariates, config: ConceptsConfig, seed: int, beside: dict, work: Path
) -> None:
    store = encoded.store
    sae = Scaled(encoded, store)
    shelf.write_table(
        work / "patterns.parquet", patterns(sae, part_of(store, "train"), config.on, config.longest_period)
    )
    if covariates.annotations is None:
        return
    select, test = part_of(store, "select"), part_of(store, "test")
    annotated, spans = supported(covariates, store, select, test, config)
    shelf.write_table(work / "annotated.parquet", annotated)
    n_rows = store.samples["n_rows"].to_numpy().astype(np.int64)
    draws = drawn(spans, n_rows, config.shuffles, seed)
    task = Task(annotated.filter("kept"), spans, draws, select, test, config, seed)
    models = tuple(name for name in config.sources if name != "position")
    others = [Scaled(one, store) for one in sources_of(encoded, models, seed, None)[1:]]
    if task.C and len(models) < len(config.sources):
        others.append(Scaled(best_windows(store, spans, select), store))
    others += [Scaled(Beside(name, one), store) for name, one in beside.items()]
    pairs, matches = score(track([sae, *others], "concepts") if task.C else [], task)
    shelf.write_table(work / "pairs.parquet", pairs)
    shelf.write_table(work / "matches.parquet", matches)
