"""Groups of features that stand close together on the map: HDBSCAN.

Campello, Moulavi and Sander (2013), "Density-Based Clustering Based on Hierarchical Density Estimates".
"""

from typing import NamedTuple

import numpy as np

NONE = -1  # the label of a feature that is in no cluster


class Groups(NamedTuple):
    """Clusters of n points."""

    cluster: np.ndarray
    """[n] int32: 0 is the largest, -1 is none."""
    persistence: np.ndarray
    """[clusters] how long each lasts while the density that is asked for rises: 0 to 1, longer is firmer."""


def labels(points: np.ndarray, min_cluster_size: int, method: str = "eom") -> np.ndarray:
    """Cluster of each point [n] int32: 0 is the largest, -1 is none; deterministic.

    Args:
        points: [n, 2] map coordinates.
        min_cluster_size: the smallest group that counts as a cluster, in points.
        method: eom (those that last longest) or leaf (the smallest there are).
    """
    return groups(points, min_cluster_size, method).cluster


def groups(points: np.ndarray, min_cluster_size: int, method: str = "eom") -> Groups:
    """The same with the persistence of each cluster."""
    if len(points) <= min_cluster_size:
        return Groups(np.full(len(points), NONE, dtype=np.int32), np.zeros(0))
    from hdbscan import HDBSCAN

    finder = HDBSCAN(min_cluster_size=min_cluster_size, cluster_selection_method=method, core_dist_n_jobs=1)
    found = finder.fit_predict(points.astype(np.float64))
    order = _order(found)
    return Groups(by_size(found), np.asarray(finder.cluster_persistence_, dtype=float)[order])


def by_size(found: np.ndarray) -> np.ndarray:
    """The clusters [n] renumbered from the largest down, ties by their first point; negative becomes -1."""
    numbered = np.full(len(found), NONE, dtype=np.int32)
    for number, name in enumerate(_order(found)):
        numbered[found == name] = number
    return numbered


def _order(found: np.ndarray) -> np.ndarray:
    """Names of the clusters in `found` [n], the largest first, ties by their first point."""
    names, first, counts = np.unique(found[found >= 0], return_index=True, return_counts=True)
    return names[np.lexsort((first, -counts))]
