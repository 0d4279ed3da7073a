"""The hidden neurons of MLPs: further harvested sites, read at the same rows."""

import numpy as np

from seqsae.activations.store import Store
from seqsae.errors import SeqsaeError
from seqsae.models.sites import parse

ENDINGS = (
    ("mlp.hidden", "out"), ("intermediate", "out"), ("mlp.act", "out"), ("mlp.c_proj", "in"), ("mlp.fc_out", "in"),
    ("mlp.dense_4h_to_h", "in"), ("mlp.down_proj", "in"), ("output.dense", "in"), ("ffn.lin2", "in"), ("mlp.Wo", "in"),
    ("DenseReluDense.wo", "in"),
)  # fmt: skip
"""How the modules between the two halves of an MLP are called in the architectures that are known here, and which side of them is meant."""


class MlpNeurons:
    """Each hidden neuron of the MLPs named, behind its activation function, signed.

    Args:
        sites: harvested sites of the store, from `mlp_sites`.
    """

    name = "mlp-neuron"

    def __init__(self, store: Store, sites: list[str]):
        self.store, self.sites = store, sites
        self.labels = [f"{site} neuron {i}" for site in sites for i in range(store.sites[site])]

    def values(self, rows: np.ndarray) -> np.ndarray:
        return np.concatenate([self.store.read(site, rows).numpy() for site in self.sites], axis=1)


def mlp_sites(store: Store, named: tuple[str, ...] = ()) -> list[str]:
    """The sites named, or every harvested one that is spelled as an MLP's hidden layer is.

    Raises:
        SeqsaeError: a site that the store does not hold.
    """
    for site in named:
        if site not in store.site_names:
            raise SeqsaeError(
                f"[associate] mlp_sites: {site!r} is not harvested; {store.path} has {', '.join(store.site_names)}"
            )
    return list(named) or [site for site in store.site_names if is_hidden(site)]


def is_hidden(site: str) -> bool:
    """Whether a site is spelled as the hidden layer of an MLP in one of the architectures that are known here."""
    place = parse(site)
    if place.path.endswith("attention.output.dense"):  # BERT's attention writes through a module of the same name
        return False
    return not place.parts and any(
        place.side == side and (place.path == path or place.path.endswith(f".{path}")) for path, side in ENDINGS
    )
