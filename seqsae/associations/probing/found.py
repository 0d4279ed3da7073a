"""Everything that probing measures of one SAE's features in one view, as tables."""

from typing import NamedTuple

import polars as pl

from seqsae import schema
from seqsae.associations.confounders import Confounders
from seqsae.associations.probing import study
from seqsae.associations.probing.bases import bases_of
from seqsae.associations.probing.concepts import absorption_table, coverage_table, loss_table
from seqsae.associations.probing.known import known_concepts
from seqsae.associations.targets import Target, supported, targets, why_none
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.probe_options import ProbeConfig
from seqsae.records.columns import listed
from seqsae.records.covariates import Covariates

TABLES = {"probes": "probes", "absorption": "absorption", "losses": "probe_losses", "coverage": "probe_coverage"}
"""Each table's schema."""
NAMED = 4  # covariates of which it is said why they are not probed, where none is


class Found(NamedTuple):
    """The tables of `TABLES`; empty where there was nothing to measure."""

    probes: pl.DataFrame
    absorption: pl.DataFrame
    losses: pl.DataFrame
    coverage: pl.DataFrame


def measure(encoded: Encoded, covariates: Covariates, config: ProbeConfig, seed: int) -> Found:
    """Probe every covariate, and what of `config.concepts` there are concepts for.

    Raises:
        SeqsaeError: no covariate has enough subjects to be probed, and no concept enough rows.
    """
    store = encoded.store
    every = targets(covariates, store)
    aims = supported(every, covariates, store)
    sets = known_concepts(covariates, store, aims, config.rows) if config.concepts else []
    if not aims and not sets:
        raise SeqsaeError(why_none(every, covariates, store))
    bases, names = bases_of(encoded, config, seed), config.concepts
    found = Found(
        study.probe_table(encoded, Confounders(covariates, store), aims, config, seed),
        absorption_table(encoded, sets, seed) if "absorption" in names else schema.empty("absorption"),
        loss_table(bases, sets, aims, store) if "loss" in names else schema.empty("probe_losses"),
        coverage_table(bases, sets) if "coverage" in names else schema.empty("probe_coverage"),
    )
    if not any(len(table) for table in found):
        raise SeqsaeError(_why_nothing(study.why_none(encoded, aims, config, seed), aims))
    return found


def _why_nothing(left_out: list[str], aims: list[Target]) -> str:
    """Why nothing can be read off, though there are targets with enough subjects."""
    if left_out:
        return f"no covariate can be probed: {'; '.join(left_out[:NAMED])}{'; ...' if len(left_out) > NAMED else ''}"
    names = listed(sorted({aim.covariate for aim in aims})) or "the planted concepts"
    return (
        f"no covariate to be probed is of level subject; of {names}, which hold at single tokens or events, nothing is measured: "
        "too few clusters have them in the select or the test split, or [probe] concepts leaves them out"
    )
