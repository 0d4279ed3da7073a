"""Options of `[atlas]`."""

from typing import Literal

from pydantic import Field

from seqsae.options import Room


class AtlasConfig(Room):
    """The map of features."""

    neighbours: int = Field(15, ge=2)
    """UMAP's n_neighbors."""
    min_dist: float = Field(0.1, ge=0)
    """UMAP's min_dist."""
    min_cluster_size: int = Field(5, ge=2)
    """HDBSCAN's smallest cluster of features."""
    clusters: Literal["eom", "leaf"] = "eom"
    """Which clusters HDBSCAN takes: those that last longest, or the smallest there are (more of them)."""
    seeds: int = Field(3, ge=1)
    """Maps drawn with different seeds, to see what of the map returns; 1: not looked at."""
    nulls: int = Field(5, ge=0)
    """Maps of random directions, of either kind, that the map is held against; 0: none."""
    quality_features: int = Field(1000, ge=20)
    """Features on those maps, at most; of more, so many are drawn with the seed."""
    persons: int = Field(20_000, ge=0)
    """Subjects on the internal map of persons, at most, drawn by a hash; 0: no such map."""
    twin: float = Field(0.7, gt=0, le=1)
    """Cosine of two decoder directions from which the features are twins."""
