"""Selection luck, measured: the held-out clusters cut in two again and again, chosen on one half, scored on the other."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae import schema
from seqsae.associations.baselines import FITTED
from seqsae.associations.resplits import resplits
from seqsae.associations.targets import Target
from seqsae.associations.units import DENSE_POOLINGS
from seqsae.config import AssociateConfig
from seqsae.features.encoding import Encoded
from seqsae.features.pooling import pool
from seqsae.features.sources import FeatureSource

HELD_OUT = ("select", "calibrate", "test")


def resplit_table(
    encoded: Encoded, sources: list[FeatureSource], aims: list[Target], config: AssociateConfig, seed: int
) -> pl.DataFrame:
    """Schema `resplits`, over all subject-level binary targets; no source has seen any of these clusters."""
    store = encoded.store
    group = [aim for aim in aims if aim.unit == "subject" and aim.is_binary]
    per_subject = store.subjects["split"].to_numpy()[store.samples["subject"].to_numpy()]
    chosen = np.flatnonzero(np.isin(per_subject, HELD_OUT))
    rows = np.flatnonzero(np.isin(store.row_sample, chosen))
    counts = store.samples["n_rows"].to_numpy()[chosen].astype(np.int64)
    matrices = {
        source.name: _all_poolings(source.values(rows), counts, config)
        for source in sources
        if source.name not in FITTED
    }
    clusters = (
        store.subjects["cluster"].rank("dense").to_numpy()[store.samples["subject"].to_numpy()][chosen].astype(np.int64)
    )
    if not group:
        return schema.empty("resplits")
    y = np.column_stack([aim.y[chosen] for aim in group])
    table = resplits(matrices, y, clusters, n_splits=config.resplits, seed=seed)
    names = pl.DataFrame(
        {
            "target": np.arange(len(group), dtype=np.int64),
            "covariate": [aim.covariate for aim in group],
            "category": pl.Series([aim.category for aim in group], dtype=pl.String),
        }
    )
    table = (
        table.rename({"covariate": "target"})
        .with_columns(pl.col("target").cast(pl.Int64))
        .join(names, on="target", how="left", maintain_order="left")
    )
    return schema.check_table(table.drop("target"), "resplits", "resplits")


def _all_poolings(
    values: sp.csr_array | np.ndarray, counts: np.ndarray, config: AssociateConfig
) -> sp.csr_array | np.ndarray:
    """[samples, units x poolings]: the best unit is looked for under every pooling."""
    if sp.issparse(values):
        return sp.hstack([pool(values, counts, pooling) for pooling in config.poolings], format="csr")
    return np.hstack([pool(values, counts, pooling) for pooling in DENSE_POOLINGS])
