"""Where each feature stands on the map: UMAP of the decoder directions.

McInnes, Healy and Melville (2018), "UMAP: Uniform Manifold Approximation and Projection for Dimension
Reduction".
"""

import warnings

import numpy as np

from seqsae.errors import SeqsaeError

EXACT = range(
    4096, 40_000
)  # directions whose neighbours are all compared here; of fewer UMAP does that itself, of more it guesses
FEWEST = 5  # directions; below this a neighbour graph says nothing and the first two principal axes are drawn


def layout(
    directions: np.ndarray, neighbours: int, min_dist: float, seed: int, epochs: int | None = None
) -> np.ndarray:
    """Map coordinates [n, 2] float32 (no unit) of `directions` [n, d], by cosine distance.

    The same directions and seed give the same bytes: UMAP runs on one thread with a fixed random state.

    Args:
        neighbours: UMAP's n_neighbors, cut to n - 1 where there are fewer directions.
        min_dist: UMAP's min_dist, in map units.
        epochs: of the layout; None: UMAP's own, 500 of up to 10,000 directions and 200 of more.
    Raises:
        SeqsaeError: a direction holds NaN or infinity, or is zero (it has no angle to the others).
    """
    unit = unit_rows(np.asarray(directions, dtype=np.float32))
    if len(unit) < FEWEST or unit.shape[1] < 2:
        return principal_axes(unit)
    neighbours, known = min(neighbours, len(unit) - 1), {}
    if len(unit) in EXACT:
        known["precomputed_knn"] = _nearest(unit, neighbours)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn")  # that new points cannot be added: none are
        reducer = _umap()(
            n_neighbors=neighbours,
            min_dist=min_dist,
            metric="cosine",
            init="pca",  # the start matters (Kobak and Linderman 2021); a spectral one fails on equal directions
            n_epochs=epochs,
            random_state=seed,
            n_jobs=1,
            **known,
        )
        return np.asarray(reducer.fit_transform(unit), dtype=np.float32)


def _nearest(unit: np.ndarray, neighbours: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers [n, k] int32, cosine distances [n, k] float32) of the nearest rows of each, itself among them."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=neighbours, algorithm="brute", metric="cosine").fit(unit)
    distance, number = finder.kneighbors(unit)
    return number.astype(np.int32), np.maximum(distance, 0).astype(np.float32)


def principal_axes(points: np.ndarray) -> np.ndarray:
    """The first two principal coordinates [n, 2] float32 of `points` [n, d]; the signs are fixed."""
    coordinates = np.zeros((len(points), 2), dtype=np.float32)
    if len(points) < 2:
        return coordinates
    left, scale, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    kept = min(2, len(scale))
    axes = left[:, :kept] * scale[:kept]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(kept)] < 0, -1, 1)  # the SVD leaves signs open
    coordinates[:, :kept] = axes
    return coordinates


def unit_rows(directions: np.ndarray) -> np.ndarray:
    """Rows of length 1. Raises SeqsaeError naming the first row that has no direction."""
    broken = np.flatnonzero(~np.isfinite(directions).all(axis=1))
    if broken.size:
        raise SeqsaeError(
            f"decoder direction {broken[0]} holds NaN or infinity ({broken.size} of {len(directions)} do); "
            "train the SAE again with a smaller learning rate"
        )
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    if (length == 0).any():
        first = int(np.flatnonzero(length[:, 0] == 0)[0])
        raise SeqsaeError(f"decoder direction {first} is all zeros and has no place on a map; leave it out")
    return directions / length


def _umap() -> type:
    """The UMAP class, imported when asked for (seconds); that it misses Tensorflow concerns nobody here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP
    return UMAP
