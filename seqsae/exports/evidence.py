"""What a release is made from, in memory: who, which rows, what fires, what it is tied to. All of it stays inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.targets import Target
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.table import Base, base_of
from seqsae.disclosure.told import d9_listed


@dataclass(frozen=True)
class Evidence:
    """A view's data. Subjects are numbered from 0 without gaps; units of a target are as in `seqsae.associations.targets`."""

    people: pl.DataFrame
    """`subject` 0 to S-1, `cluster` (whole number), `split`."""
    rows: pl.DataFrame
    """[N] `subject`, `token`, `position`, and where known `year`, `age` and `since` (days since the row before; null at the first)."""
    codes: sp.csr_array
    """[N, F] activations."""
    aims: list[Target] = field(default_factory=list)
    units: Mapping[str, tuple[sp.csr_array, np.ndarray]] = field(default_factory=dict)
    """Unit to [units, F] that is not zero where a feature fires, and [units] subject."""
    associations: pl.DataFrame | None = None
    """Schema `associations`."""
    baselines: pl.DataFrame | None = None
    """Schema `baselines`."""
    profile: pl.DataFrame | None = None
    """`feature` and `stability`."""
    atlas: pl.DataFrame | None = None
    """Schema `atlas`."""
    persons: pl.DataFrame | None = None
    """`subject`, `x`, `y`: a map of persons."""
    vignettes: pl.DataFrame | None = None
    """`vignette`, `place`, `token`, `feature`, `activation`, of authored sequences."""
    authored: Mapping[str, str] = field(default_factory=dict)
    """Who wrote them, and what is stated of them: `author`, `statement`."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """Code to its parent."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """How the study was made: settings and short names."""
    q: float = 0.05
    """Level of a discovery on the select split."""

    @cached_property
    def fires(self) -> pl.DataFrame:
        """A row a feature and subject in whom it fires: `feature`, `subject`, `cluster`, `split`, `weight` (rows), `measure` (mean activation)."""
        sums = self._by_subject(self.codes)
        counts = self._by_subject(_ones(self.codes))
        pairs = counts.tocoo()
        mean = np.asarray(sums[pairs.row, pairs.col]).ravel() / pairs.data
        table = pl.DataFrame({"feature": pairs.col.astype(np.int64), "subject": pairs.row.astype(np.int64),
                              "weight": pairs.data.astype(np.int64), "measure": mean})  # fmt: skip
        return table.join(self.people, on="subject", maintain_order="left")

    @cached_property
    def fired_rows(self) -> np.ndarray:
        """[codes] the row of each activation."""
        return np.repeat(np.arange(self.codes.shape[0]), np.diff(self.codes.indptr))

    @cached_property
    def owner(self) -> np.ndarray:
        """[N] subject of each row."""
        return self.rows["subject"].cast(pl.Int64).to_numpy()

    @cached_property
    def cluster(self) -> np.ndarray:
        """[S] number of each subject's cluster, from 0."""
        return self.people["cluster"].rank("dense").cast(pl.Int64).to_numpy() - 1

    def listed(self, policy: Policy) -> list[int]:
        """Features that may be named at all (D9)."""
        return d9_listed(self.fires, policy)

    def base(self, policy: Policy, split: str | None = None) -> Base:
        """Everybody, or all of a split. Raises SeqsaeError if they are too few to be shown."""
        people = self.people if split is None else self.people.filter(pl.col("split") == split)
        return base_of(people, policy, "release" if split is None else f"release: the {split} split")

    def _by_subject(self, matrix: sp.csr_array) -> sp.csr_array:
        """[S, F] sums over each subject's rows."""
        shape = (len(self.people), len(self.owner))
        return sp.csr_array((np.ones(shape[1]), (self.owner, np.arange(shape[1]))), shape=shape) @ matrix


def _ones(matrix: sp.csr_array) -> sp.csr_array:
    return sp.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
