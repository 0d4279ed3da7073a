"""The map of features: a place, a cluster and a label for each."""

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.config import AtlasConfig
from seqsae.errors import SeqsaeError
from seqsae.maps.clusters import NONE, labels
from seqsae.maps.labels import cluster_labels
from seqsae.maps.umap_layout import layout


def make(
    W_dec: np.ndarray,
    profile: pl.DataFrame,
    associations: pl.DataFrame | None,
    config: AtlasConfig,
    seed: int,
) -> pl.DataFrame:
    """The atlas table, a row a feature of the profile.

    A dead feature, or one whose decoder direction is zero, gets no coordinates and cluster -1.

    Args:
        W_dec: decoder directions [width, d].
        profile, associations: tables of those schemas; associations only serve the labels.
    Raises:
        SeqsaeError: the profile names a feature that W_dec lacks, or a live direction is not finite.
    """
    profile = profile.sort("feature")
    features = profile["feature"].to_numpy()
    if len(features) and (features.max() >= len(W_dec) or features.min() < 0):
        raise SeqsaeError(f"profile: feature {features.max()} is not in the SAE, which has {len(W_dec)}; give the profile of this SAE")
    directions = np.asarray(W_dec, dtype=np.float32)[features]
    live = ~profile["dead"].to_numpy() & (directions != 0).any(axis=1)
    points = np.full((len(features), 2), np.nan, dtype=np.float32)
    points[live] = layout(directions[live], config.neighbours, config.min_dist, seed)
    cluster = np.full(len(features), NONE, dtype=np.int32)
    cluster[live] = labels(points[live], config.min_cluster_size)
    return _table(features, points, cluster, profile, associations)


def _table(
    features: np.ndarray,
    points: np.ndarray,
    cluster: np.ndarray,
    profile: pl.DataFrame,
    associations: pl.DataFrame | None,
) -> pl.DataFrame:
    placed = pl.DataFrame({"feature": features, "x": points[:, 0], "y": points[:, 1], "cluster": cluster})
    placed = placed.with_columns(pl.col("x", "y").fill_nan(None))
    names = cluster_labels(placed, profile, associations)
    named = placed.with_columns(pl.Series("cluster_label", [names.get(number) for number in placed["cluster"]], dtype=pl.String))
    return schema.check_table(named, "atlas", "atlas")
