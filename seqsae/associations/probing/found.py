"""Everything that probing measures of one SAE's features in one view, as tables."""

from typing import NamedTuple

import polars as pl

from seqsae import schema
from seqsae.associations.confounders import Confounders
from seqsae.associations.probing.bases import bases_of
from seqsae.associations.probing.concepts import absorption_table, coverage_table, loss_table
from seqsae.associations.probing.known import known_concepts
from seqsae.associations.probing.study import probe_table
from seqsae.associations.targets import supported, targets
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.probe_options import ProbeConfig
from seqsae.records.covariates import Covariates

TABLES = {"probes": "probes", "absorption": "absorption", "losses": "probe_losses", "coverage": "probe_coverage"}
"""Each table's schema."""


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
    aims = supported(targets(covariates, store), covariates, store)
    sets = known_concepts(covariates, store, aims, config.rows) if config.concepts else []
    if not any(aim.unit == "subject" for aim in aims) and not sets:
        raise SeqsaeError(
            "no covariate has enough subjects in the select and test splits to be probed; see the lines above"
        )
    probes = probe_table(encoded, Confounders(covariates, store), aims, config, seed)
    bases, names = bases_of(encoded, config, seed), config.concepts
    return Found(
        probes,
        absorption_table(encoded, sets, seed) if "absorption" in names else schema.empty("absorption"),
        loss_table(bases, sets, aims, store) if "loss" in names else schema.empty("probe_losses"),
        coverage_table(bases, sets) if "coverage" in names else schema.empty("probe_coverage"),
    )
