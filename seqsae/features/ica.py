"""Independent components of a site: what a classical method without a dictionary finds in the same rows."""

import warnings
from functools import cached_property

import numpy as np

from seqsae.activations.store import Store
from seqsae.features.sources import blocks
from seqsae.progress import say

MOST = 128  # components
ROWS = 10_000  # of the train split, evenly spread, that they are fitted on
STEPS = 200
TOLERANCE = 1e-3


class Ica:
    """FastICA (Hyvärinen 1999; scikit-learn's, parallel, log cosh) on rows of the train split, components of unit variance, signed.

    As many components as the site has independent directions, MOST at most: the leading principal ones are then unmixed.

    None where the site never varies over the train split.

    Args:
        seed: of the random start.
        rows: of the train split that are read, about, at most.
    """

    name = "ica"

    def __init__(self, store: Store, site: str, seed: int = 0, rows: int = ROWS):
        self.store, self.site, self.seed, self.rows = store, site, seed, rows

    @cached_property
    def labels(self) -> list[str]:
        n = 0 if self.fitted is None else len(self.fitted.components_)
        return [f"independent component {i}" for i in range(n)]

    @cached_property
    def fitted(self):
        """scikit-learn's FastICA, None without a component."""
        from sklearn.decomposition import FastICA
        from sklearn.exceptions import ConvergenceWarning

        x = self.store.read(self.site, spread(self.store.rows_in("train"), self.rows)).double().numpy()
        n = min(MOST, independent(x))
        if not n:
            return None
        made = FastICA(n, whiten="unit-variance", random_state=self.seed, max_iter=STEPS, tol=TOLERANCE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            made.fit(x)
        if made.n_iter_ >= STEPS:
            say(f"ica: the {n} components of {self.site} still moved after {STEPS} steps; they are used as they are")
        return made

    def values(self, rows: np.ndarray) -> np.ndarray:
        """[len(rows), components] float32."""
        if self.fitted is None:
            return np.zeros((len(rows), 0), np.float32)
        found = [self._of(block) for block in blocks(rows)]
        return np.concatenate([np.zeros((0, len(self.labels)), np.float32), *found])

    def _of(self, rows: np.ndarray) -> np.ndarray:
        return self.fitted.transform(self.store.read(self.site, rows).double().numpy()).astype(np.float32)


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most about `most` of the rows, evenly spread."""
    return rows[:: max(1, len(rows) // most)]


def independent(x: np.ndarray) -> int:
    """Directions in which rows x [n, d] vary: the rank of their covariance, to rounding."""
    if len(x) < 2:
        return 0
    variances = np.linalg.eigvalsh(np.cov(x, rowvar=False).reshape(x.shape[1], -1))
    return (
        int((variances > variances.max() * x.shape[1] * np.finfo(np.float32).eps).sum()) if variances.max() > 0 else 0
    )
