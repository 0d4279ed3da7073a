"""What is probed: the units of one basis over the held-out subjects, pooled."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from seqsae.associations.ranks import Matrix
from seqsae.associations.units import Units
from seqsae.errors import SeqsaeError
from seqsae.features.encoding import Encoded
from seqsae.features.sources import FeatureSource, Neurons, Pca, Tokens, random_directions
from seqsae.probe_options import ProbeConfig


@dataclass(frozen=True)
class Basis:
    """A source of units and how it is probed."""

    name: str
    """As in the column `basis` of probes."""
    site: str | None
    source: FeatureSource
    sparse_too: bool = True
    """Whether k-sparse probes read it, beside the dense one."""


class Finite:
    """A source whose values are looked at as they are read. It is a FeatureSource."""

    def __init__(self, source: FeatureSource):
        self.source, self.name, self.labels = source, source.name, source.labels

    def values(self, rows: np.ndarray) -> Matrix:
        """[len(rows), units]. Raises SeqsaeError for a value that is not finite."""
        values = self.source.values(rows)
        if not np.isfinite(values.data if sp.issparse(values) else values).all():
            where = sp.coo_array(values)
            unit = where.col[np.argmin(np.isfinite(where.data))]
            raise SeqsaeError(
                f"probes: {self.labels[unit]} of {self.name!r} holds NaN or infinite values; harvest and encode again without them"
            )
        return values


@dataclass(frozen=True)
class Pooled:
    """A basis over units: [units, F] for each pooling."""

    basis: Basis
    matrices: list[Matrix]
    poolings: list[str]

    @property
    def labels(self) -> list[str]:
        return self.basis.source.labels

    def rows(self, rows: np.ndarray) -> "Pooled":
        """Some of the units."""
        return Pooled(self.basis, [matrix[rows] for matrix in self.matrices], self.poolings)

    def dense(self, widest: int) -> Matrix:
        """What a dense probe reads: the first pooling, of a wide sparse basis the units that are on most often."""
        x = self.matrices[0]
        if not sp.issparse(x) or x.shape[1] <= widest:
            return x
        on = np.bincount(sp.csr_array(x).indices, minlength=x.shape[1])
        return sp.csr_array(x)[:, np.sort(np.argsort(-on, kind="stable")[:widest])]


def bases_of(encoded: Encoded, config: ProbeConfig, seed: int) -> list[Basis]:
    """The bases that the config names, in its order. Raises SeqsaeError for an SAE without features."""
    store, site = encoded.store, encoded.site
    if not encoded.labels:
        raise SeqsaeError(
            f"{encoded.path}: an SAE of width 0 has no features to probe; give codes of one feature at least"
        )
    makers = {
        "sae": lambda: [Basis("sae", site, encoded)],
        "neuron": lambda: [Basis("neuron", site, Neurons(store, site))],
        "pca": lambda: [Basis("pca", site, Pca(store, site))],
        "random-dictionary": lambda: [
            Basis("random-dictionary", site, random_directions(store, site, encoded.sae, seed + 1))
        ],
        "token": lambda: [Basis("token", None, Tokens(store))],
        "sites": lambda: [
            Basis("neuron", other, Neurons(store, other), sparse_too=False) for other in store.sites if other != site
        ],
    }
    made = [basis for name in config.bases for basis in makers[name]()]
    return [replace(basis, source=Finite(basis.source)) for basis in made]


def pooled(basis: Basis, here: Units, config: ProbeConfig) -> Pooled:
    """The basis over the units; signed ones by mean, and with several poolings asked for by maximum and minimum as well."""
    found = here.pooled(basis.source, config.poolings)
    several = basis.sparse_too and len(config.poolings) > 1
    names = [name for name in found.poolings if several or name == found.poolings[0]]
    matrices = [found.make(name) for name in names]
    return Pooled(basis, [sp.csc_array(one) if sp.issparse(one) else one for one in matrices], names)
