"""The map of features: a place, a cluster and a label for each."""

from pathlib import Path

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.associations.room import Associated
from seqsae.config import AtlasConfig
from seqsae.errors import SeqsaeError
from seqsae.maps.clusters import NONE, labels
from seqsae.maps.labels import cluster_labels
from seqsae.maps.umap_layout import layout
from seqsae.sae.base import SAE


def atlas(
    sae: SAE,
    associated: Associated,
    *,
    out: Path | str | None = None,
    config: AtlasConfig | None = None,
    seed: int = 0,
) -> shelf.Artefact:
    """The map of an SAE's features, as the artefact `out/maps/<name>` with `atlas.parquet` in it.

    Args:
        sae: the SAE whose decoder directions are laid out.
        associated: from `associate`; it brings the profile, and serves the cluster labels.
        out: run folder; default: that of the associations.
    """
    config = config or AtlasConfig()
    folder = (Path(out) if out else associated.artefact.path.parents[2]) / "maps" / sae.artefact.path.name
    options = {**config.model_dump(mode="json"), "seed": seed}
    inputs = {"sae": sae.artefact, "features": associated.encoded.artefact, "associations": associated.artefact}

    def write(work: Path) -> None:
        directions = sae.W_dec.detach().cpu().numpy()
        atlas = make(directions, associated.encoded.profile, associated.table, config, seed)
        shelf.write_table(work / "atlas.parquet", atlas)

    return shelf.stage(folder, "atlas", options, inputs, write, ("umap-learn", "hdbscan"))


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
        raise SeqsaeError(
            f"profile: feature {features.max()} is not in the SAE, which has {len(W_dec)}; give the profile of this SAE"
        )
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
    named = placed.with_columns(
        pl.Series("cluster_label", [names.get(number) for number in placed["cluster"]], dtype=pl.String)
    )
    return schema.check_table(named, "atlas", "atlas")
