"""The maps room: features by what they write, what clusters of them are tied to, which belong together; persons by their features."""

from pathlib import Path

import numpy as np
import polars as pl

from seqsae import schema, shelf
from seqsae.associations.observations import cluster_codes
from seqsae.associations.room import Associated
from seqsae.config import AtlasConfig
from seqsae.errors import SeqsaeError
from seqsae.features.sources import token_codes
from seqsae.maps.clusters import NONE, labels
from seqsae.maps.enrichment import cluster_enrichment, membership
from seqsae.maps.families import families, firing_of
from seqsae.maps.labels import label_table
from seqsae.maps.persons import persons
from seqsae.maps.quality import quality
from seqsae.maps.quality_words import said
from seqsae.maps.umap_layout import layout
from seqsae.progress import say
from seqsae.sae.base import SAE

ROWS = 1 << 18  # of the select split that families and labels are read from, whole subjects


def atlas(
    sae: SAE,
    associated: Associated,
    *,
    out: Path | str | None = None,
    config: AtlasConfig | None = None,
    seed: int = 0,
) -> shelf.Artefact:
    """The map of an SAE's features, as the artefact `out/maps/<name>`.

    In it, each by the schema of its name: `atlas.parquet` (a place and a cluster a feature), `map_quality`, `clusters` (their labels),
    `cluster_enrichment` (each cluster against each covariate), `families` (features that belong together) and, unless `persons` is 0,
    `persons` (internal: a row a subject).

    Args:
        sae: the SAE whose decoder directions are laid out.
        associated: from `associate`; it brings the profile, and what clusters are tied to.
        out: run folder; default: that of the associations.
    Raises:
        SeqsaeError: as `make`.
    """
    config = config or AtlasConfig()
    folder = (Path(out) if out else associated.artefact.path.parents[2]) / "maps" / sae.artefact.path.name
    options = {**config.model_dump(mode="json"), "seed": seed}
    inputs = {"sae": sae.artefact, "features": associated.encoded.artefact, "associations": associated.artefact}
    packages = ("umap-learn", "hdbscan", "scikit-learn", "scipy")
    return shelf.stage(
        folder, "atlas", options, inputs, lambda work: _write(sae, associated, config, seed, work), packages
    )


def _write(sae: SAE, associated: Associated, config: AtlasConfig, seed: int, work: Path) -> None:
    encoded, directions = associated.encoded, sae.W_dec.detach().cpu().numpy()
    placed = make(directions, encoded.profile, config, seed)
    here = placed["x"].is_not_null().to_numpy()
    found = quality(directions[placed["feature"].to_numpy()[here]], config, seed)
    say(said(found))
    enrichment, rows = cluster_enrichment(associated, placed), some_rows(associated, seed)
    codes = encoded.values(rows)
    code, names = token_codes(encoded.store)
    named = label_table(
        membership(placed, len(directions)), codes, (code[rows], names), encoded.store.row_subject[rows],
        associated.captions, enrichment,
    )  # fmt: skip
    firing = firing_of(codes, cluster_codes(encoded.store, "token")[rows])
    live = np.zeros(len(directions), bool)
    live[placed["feature"].to_numpy()[here]] = True
    tables = {
        "atlas": with_labels(placed, named),
        "map_quality": found,
        "clusters": named,
        "cluster_enrichment": enrichment,
        "families": families(directions, firing, live, config.twin),
    }
    if config.persons:
        tables["persons"] = persons(encoded, config.neighbours, config.min_dist, config.persons, seed)
    for name, table in tables.items():
        shelf.write_table(work / f"{name}.parquet", table)


def make(W_dec: np.ndarray, profile: pl.DataFrame, config: AtlasConfig, seed: int) -> pl.DataFrame:
    """Columns `feature`, `x`, `y`, `cluster`, a row a feature of the profile.

    A dead feature, or one whose decoder direction is zero, gets no coordinates and cluster -1.

    Args:
        W_dec: decoder directions [width, d].
        profile: schema `profile`.
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
    cluster[live] = labels(points[live], config.min_cluster_size, config.clusters)
    placed = pl.DataFrame({"feature": features, "x": points[:, 0], "y": points[:, 1], "cluster": cluster})
    return placed.with_columns(pl.col("x", "y").fill_nan(None))


def with_labels(placed: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """Schema `atlas`: what `make` gave with the label of each cluster of schema `clusters`."""
    names = named.select("cluster", pl.col("label").alias("cluster_label"))
    table = placed.join(names, on="cluster", how="left", maintain_order="left")
    return schema.check_table(table, "atlas", "atlas")


def some_rows(associated: Associated, seed: int) -> np.ndarray:
    """Row numbers of the select split, ascending: all of them, or those of whole clusters of subjects drawn by the seed, about ROWS."""
    store = associated.encoded.store
    rows = store.rows_in("select")
    if len(rows) <= ROWS:
        return rows
    cluster = cluster_codes(store, "token")[rows]
    sizes = np.bincount(cluster)
    order = np.random.default_rng(seed).permutation(len(sizes))
    kept = order[np.cumsum(sizes[order]) <= ROWS]
    return rows[np.isin(cluster, kept)]
