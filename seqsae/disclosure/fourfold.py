"""How many distinct subjects stand in each cell of fires x class (D2), for every feature at once."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.disclosure.policy import Policy


class Cells(NamedTuple):
    """[F] distinct subjects (or clusters) of each cell; a subject of several units may stand in several."""

    fires_in: np.ndarray
    fires_out: np.ndarray
    silent_in: np.ndarray
    silent_out: np.ndarray


def fourfold(presence: sp.sparray, inside: np.ndarray, owner: np.ndarray) -> Cells:
    """Cells of all features.

    Args:
        presence: [units, F], not zero where a feature fires.
        inside: [units] 1 in the class, 0 out of it, NaN where it does not count.
        owner: [units] whose unit it is: number of a subject, or of a cluster.
    """
    numbers = np.unique(owner, return_inverse=True)[1]
    on = sp.csr_array((np.ones(presence.nnz), presence.indices, presence.indptr), shape=presence.shape)
    (fires_in, silent_in), (fires_out, silent_out) = (_sides(on, numbers, inside == side) for side in (1, 0))
    return Cells(fires_in, fires_out, silent_in, silent_out)


def _sides(on: sp.csr_array, owner: np.ndarray, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[F] owners with a unit of this class on which the feature fires, and with one on which it does not."""
    n = int(owner.max(initial=-1)) + 1
    chosen = np.flatnonzero(here)
    whose = sp.csr_array((np.ones(len(chosen)), (owner[chosen], np.arange(len(chosen)))), shape=(n, len(chosen)))
    fired = sp.csc_array(whose @ on[chosen])
    units = np.bincount(owner[chosen], minlength=n)
    everywhere = sp.csc_array(
        ((fired.data >= units[fired.indices]).astype(float), fired.indices, fired.indptr), shape=fired.shape
    )
    fires = np.diff(fired.indptr)
    return fires, (units > 0).sum() - np.asarray(everywhere.sum(0)).ravel().astype(int)


def d2_four_cells(subjects: Cells, clusters: Cells, policy: Policy) -> np.ndarray:
    """[F] whether each of the four cells holds enough distinct subjects and clusters."""
    enough = [np.minimum.reduce(list(cells)) for cells in (subjects, clusters)]
    return (enough[0] >= policy.min_subjects) & (enough[1] >= policy.min_clusters)
