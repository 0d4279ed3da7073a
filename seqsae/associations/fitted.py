"""Baselines that are fitted to the target on the select split: where a row stands, how long a record is, what it is made of."""

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.ranks import midranks
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.pooling import pool
from seqsae.features.sources import Tokens

PRIOR = 1.0  # pseudo-rows that hold a position's mean at the overall one


class Position:
    """Token level: the mean of the target at each position, learnt on select. Subject level: the number of rows."""

    name = "position"

    def __init__(self, store: Store):
        self.store = store

    def label(self, aim: Target) -> str:
        return "mean at the position" if aim.unit == "token" else "length"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray:
        """[test units]."""
        y = aim.y[select.chosen]
        if aim.unit == "subject":
            length = self.store.samples["n_rows"].to_numpy().astype(float)
            known = np.isfinite(y)
            x = length[select.chosen][known]
            falls = (midranks(x) - (len(x) + 1) / 2) @ midranks(y[known]) < 0
            return length[test.chosen] * (-1 if falls else 1)
        position = self.store.rows["position"].to_numpy().astype(np.int64)
        known = np.isfinite(y)
        at = position[select.chosen][known]
        n = np.bincount(at, minlength=position.max() + 1)
        total = np.bincount(at, y[known], minlength=position.max() + 1)
        return ((total + PRIOR * y[known].mean()) / (n + PRIOR))[position[test.chosen]]


class Composition:
    """Subject level, binary targets: logistic regression on the shares of the tokens and log length, fitted on select."""

    name = "composition"

    def __init__(self, store: Store):
        self.store, self.tokens = store, Tokens(store)

    def label(self, aim: Target) -> str:
        return "logistic on token shares and length"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray | None:
        """[test units]; None at token level, for numbers, and where select holds one class only."""
        from sklearn.linear_model import LogisticRegression

        y = aim.y[select.chosen]
        known = np.isfinite(y)
        if aim.unit == "token" or not aim.is_binary or len(np.unique(y[known])) < 2:
            return None
        x = self._shares(select)
        mean, sd = x[known].mean(0), x[known].std(0) + 1e-9
        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000).fit((x[known] - mean) / sd, y[known])
        return model.decision_function((self._shares(test) - mean) / sd)

    def _shares(self, units: Units) -> np.ndarray:
        counts = self.store.samples["n_rows"].to_numpy()[units.chosen].astype(np.int64)
        shares = pool(self.tokens.values(units.rows), counts, "mean")
        return np.hstack([shares.toarray() if sp.issparse(shares) else shares, np.log1p(counts)[:, None]])
