"""Groups of features that stand close together on the map: HDBSCAN.

Campello, Moulavi and Sander (2013), "Density-Based Clustering Based on Hierarchical Density Estimates".
"""

import numpy as np

NONE = -1  # the label of a feature that is in no cluster


def labels(points: np.ndarray, min_cluster_size: int) -> np.ndarray:
    """Cluster of each point [n] int32: 0 is the largest, -1 is none; deterministic.

    Args:
        points: [n, 2] map coordinates.
        min_cluster_size: the smallest group that counts as a cluster, in points.
    """
    if len(points) <= min_cluster_size:
        return np.full(len(points), NONE, dtype=np.int32)
    from hdbscan import HDBSCAN

    finder = HDBSCAN(min_cluster_size=min_cluster_size, core_dist_n_jobs=1)
    return by_size(finder.fit_predict(points.astype(np.float64)))


def by_size(found: np.ndarray) -> np.ndarray:
    """The clusters [n] renumbered from the largest down, ties by their first point; negative becomes -1."""
    names, first, counts = np.unique(found[found >= 0], return_index=True, return_counts=True)
    numbered = np.full(len(found), NONE, dtype=np.int32)
    for number, place in enumerate(np.lexsort((first, -counts))):
        numbered[found == names[place]] = number
    return numbered
