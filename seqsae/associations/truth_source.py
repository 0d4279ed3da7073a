"""The planted concepts themselves as features: what a method that has found every one of them exactly would get."""

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.concept_scores import concept_labels
from seqsae.errors import SeqsaeError
from seqsae.records.covariates import Covariates
from seqsae.sae.base import SAE


class TruthSource:
    """A FeatureSource with a unit for each planted concept: 1 in the rows where it holds (all rows, of a concept of the person).

    It can take the place of the features in a `Bench`: it has no SAE, no other seeds, and a store to be read beside.

    Args:
        covariates: those of synthetic data, with `truth` and `truth_spans`.
    Raises:
        SeqsaeError: nothing is known to be planted.
    """

    name = "truth"

    def __init__(self, store: Store, covariates: Covariates):
        if covariates.truth is None or covariates.truth_spans is None:
            raise SeqsaeError("these data have no planted truth; give synthetic lives, with truth.json beside them")
        self.store = store
        self.labels: list[str] = [concept["name"] for concept in covariates.truth["concepts"]]
        self.siblings: list[SAE] = []
        held = concept_labels(store, covariates.truth_spans, self.labels, "token")
        self._held = sp.csr_array(held, dtype=np.float32)

    def values(self, rows: np.ndarray) -> sp.csr_array:
        """[len(rows), concepts] of 0 and 1."""
        return self._held[rows]
