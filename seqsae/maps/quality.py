"""What a map is worth: how faithful it is, what of it returns with another seed, and what random directions give.

Letters: n features, d dimensions of a direction, k neighbours.

UMAP draws islands of anything, so that each number stands beside the same of maps of random directions: `random`, normal in all d
dimensions alike, and `covariance`, normal with the mean and the covariance of the decoder's own directions. Trustworthiness is that
of Venna and Kaski (2001), of cosine distance; the agreement of clusters is the adjusted Rand index (Hubert and Arabie 1985).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.config import AtlasConfig
from seqsae.maps.clusters import NONE, groups
from seqsae.maps.umap_layout import FEWEST, layout, unit_rows
from seqsae.progress import track

K = 15
"""Neighbours; fewer where there are fewer than twice as many features."""
NULLS = ("random", "covariance")


class Drawn(NamedTuple):
    """One map."""

    points: np.ndarray
    """[n, 2]."""
    cluster: np.ndarray
    """[n]."""
    persistence: np.ndarray
    """[clusters]."""


def quality(directions: np.ndarray, config: AtlasConfig, seed: int) -> pl.DataFrame:
    """Schema `map_quality`: a row a map. Of more than `quality_features` directions as many are drawn by the seed.

    Args:
        directions: [n, d] of the features that have a place on the map; none is zero.
    Raises:
        SeqsaeError: a direction holds NaN or infinity, or is zero.
    """
    some = drawn(np.asarray(directions, dtype=np.float32), config.quality_features, seed)
    unit = unit_rows(some)
    if len(unit) < FEWEST or unit.shape[1] < 2:
        return schema.empty("map_quality")
    first = _draw(some, config, seed)  # not of `unit`: what is rounded anew is another map
    rows = [_row("decoder", 0, seed, unit, first)]
    tasks = [("seed", i) for i in range(1, config.seeds)] + [(kind, i) for kind in NULLS for i in range(config.nulls)]
    for kind, i in track(tasks, "map quality"):
        there = unit if kind == "seed" else random_directions(unit, kind, [seed, NULLS.index(kind), i])
        made = _draw(some if kind == "seed" else there, config, seed + i)
        again = agreement(first, made) if kind == "seed" else {}
        rows.append(_row(kind, i, seed + i, there, made) | again)
    return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), "map_quality", "map_quality")


def drawn(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of the rows [n, d], in their order."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]


def random_directions(unit: np.ndarray, kind: str, seed: list[int]) -> np.ndarray:
    """Directions [n, d] float32 of length 1 that know nothing of the features but their number, and their covariance if asked."""
    rng, (n, d) = np.random.default_rng(seed), unit.shape
    if kind == "random":
        made = rng.standard_normal((n, d))
    else:
        mean = unit.mean(axis=0, dtype=np.float64)
        made = mean + rng.standard_normal((n, n)) @ (unit - mean) / np.sqrt(max(n - 1, 1))
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return np.divide(made, length, out=unit.astype(np.float64), where=length > 0).astype(np.float32)


def _draw(directions: np.ndarray, config: AtlasConfig, seed: int) -> Drawn:
    points = layout(directions, config.neighbours, config.min_dist, seed)
    return Drawn(points, *groups(points, config.min_cluster_size, config.clusters))


def _row(kind: str, draw: int, seed: int, unit: np.ndarray, made: Drawn) -> dict:
    return {
        "kind": kind,
        "draw": draw,
        "seed": seed,
        "n_features": len(unit),
        "neighbours": neighbours_of(len(unit)),
        "trustworthiness": trustworthy(unit, made.points),
        "n_clusters": len(made.persistence),
        "clustered": float((made.cluster != NONE).mean()),
        "persistence": float(made.persistence.mean()) if len(made.persistence) else None,
        "separation": separation(unit, made.cluster),
        "procrustes": None,
        "neighbours_kept": None,
        "neighbours_by_chance": neighbours_of(len(unit)) / (len(unit) - 1),
        "adjusted_rand": None,
    }


def neighbours_of(n: int) -> int:
    """k for n features; trustworthiness is only defined for less than half of them."""
    return min(K, (n - 1) // 2)


def trustworthy(unit: np.ndarray, points: np.ndarray) -> float:
    """Trustworthiness: 1 where all neighbours on the map are neighbours in the decoder, by cosine; near 1/2 of a map drawn by luck."""
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(unit, points, n_neighbors=neighbours_of(len(unit)), metric="cosine"))


def separation(unit: np.ndarray, cluster: np.ndarray) -> float | None:
    """Mean cosine of a clustered feature with the others of its cluster, less that with features outside it, in the decoder itself.

    None without a cluster, or if one cluster holds everything.
    """
    found = np.unique(cluster[cluster != NONE])
    unit, gaps = unit.astype(np.float64), []
    whole = unit.sum(axis=0)
    for name in found:
        mine = unit[cluster == name]
        total, m = mine.sum(axis=0), len(mine)
        if m < 2 or m == len(unit):
            continue
        gaps.append((mine @ total - 1) / (m - 1) - mine @ (whole - total) / (len(unit) - m))
    return float(np.concatenate(gaps).mean()) if gaps else None


def agreement(one: Drawn, other: Drawn) -> dict[str, float | None]:
    """How alike two maps of the same features are; a feature in no cluster is a cluster of its own."""
    from sklearn.metrics import adjusted_rand_score

    alone = np.arange(len(one.cluster)) + len(one.cluster)
    named = [np.where(made.cluster == NONE, alone, made.cluster) for made in (one, other)]
    return {
        "procrustes": _disparity(one.points, other.points),
        "neighbours_kept": neighbours_kept(one.points, other.points),
        "adjusted_rand": float(adjusted_rand_score(*named)),
    }


def _disparity(one: np.ndarray, other: np.ndarray) -> float | None:
    """Squared distance left after the best shift, turn and scaling, 0 to 1 (Gower 1975); None if all points are one."""
    from scipy.spatial import procrustes

    if min(np.ptp(one, axis=0).max(), np.ptp(other, axis=0).max()) == 0:
        return None
    return float(procrustes(one.astype(float), other.astype(float))[2])


def neighbours_kept(one: np.ndarray, other: np.ndarray) -> float:
    """Mean share of each point's k nearest neighbours on one map that are so on the other too."""
    k = neighbours_of(len(one))
    near = [_nearest(points, k) for points in (one, other)]
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)]))


def _nearest(points: np.ndarray, k: int) -> np.ndarray:
    """[n, k] the nearest other points of each, ties by number."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k).fit(points.astype(float))
    return found.kneighbors(return_distance=False)
