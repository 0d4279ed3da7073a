"""The door of probing: what can be read off features, neurons, tokens and whole sites, as tables and a page."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from seqsae import schema, shelf
from seqsae.associations.probing.found import TABLES, Found, measure
from seqsae.associations.room import fingerprint
from seqsae.features.encoding import Encoded
from seqsae.pages import offline, probes_page
from seqsae.probe_options import ProbeConfig
from seqsae.records.companions import of_frame
from seqsae.records.covariates import Covariates
from seqsae.records.data import Dataset


@dataclass(frozen=True)
class Probed:
    """A `probes` artefact: its page is `index.html` in it."""

    artefact: shelf.Artefact
    encoded: Encoded

    @cached_property
    def found(self) -> Found:
        """All tables."""
        return Found(**{name: self._table(name) for name in TABLES})

    @property
    def table(self) -> pl.DataFrame:
        """Schema `probes`."""
        return self.found.probes

    @property
    def absorption(self) -> pl.DataFrame:
        """Schema `absorption`."""
        return self.found.absorption

    @property
    def losses(self) -> pl.DataFrame:
        """Schema `probe_losses`."""
        return self.found.losses

    @property
    def coverage(self) -> pl.DataFrame:
        """Schema `probe_coverage`."""
        return self.found.coverage

    @property
    def page(self) -> Path:
        return self.artefact.file("index.html")

    def _table(self, name: str) -> pl.DataFrame:
        where = self.artefact.path / f"{name}.parquet"
        return schema.check_table(self.artefact.table(where.name), TABLES[name], str(where))


def probe(
    encoded: Encoded,
    covariates: Dataset | Covariates | pl.DataFrame,
    *,
    out: Path | str | None = None,
    config: ProbeConfig | None = None,
    seed: int = 0,
) -> Probed:
    """Probe every covariate from the SAE's features, neurons, components, tokens and whole sites, out of fold, beside the confounders.

    Subjects of every split but the SAE's train split are cut into folds of whole clusters; probes are chosen, tuned and fitted on
    all folds but one and scored on that one. Of annotated and planted concepts: absorption, one-dimensional losses, coverage.

    Args:
        encoded: from `encode`.
        covariates: the data, its covariates, or a table keyed by `subject_id` whose types are then proposed.
        out: run folder; default: that of the features.
    Raises:
        SeqsaeError: there is nothing that can be probed.
    """
    config = config or ProbeConfig()
    covariates = covariates.covariates if isinstance(covariates, Dataset) else covariates
    covariates = covariates if isinstance(covariates, Covariates) else of_frame(covariates, encoded.store.subjects)
    path, view = encoded.path, encoded.store.view
    folder = (Path(out) if out else path.parents[2]) / "probes" / path.parent.name / view
    inputs = {"features": encoded.artefact, "covariates": fingerprint(covariates)}
    options = {**config.model_dump(mode="json"), "seed": seed, "site": encoded.site}

    def write(work: Path) -> None:
        found = measure(encoded, covariates, config, seed)
        for name, table in found._asdict().items():
            shelf.write_table(work / f"{name}.parquet", table)
        offline.write(probes_page.html(found, config, path.parent.name, view), work / "index.html")

    packages = ("altair", "vl-convert-python", "scipy")
    return Probed(shelf.stage(folder, "probes", options, inputs, write, packages), encoded)
