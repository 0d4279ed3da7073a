"""Baselines that are fitted to the target on the select split: confounders, where a row stands, what a record is made of, all of the site."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.confounders import Confounders
from seqsae.associations.ranks import midranks
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.pooling import pool
from seqsae.features.sources import Tokens, token_codes

PRIOR = 1.0  # pseudo-rows that hold a position's mean at the overall one
STRENGTHS = np.logspace(-4, 4, 9)  # of the ridge, chosen by clusters left out


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
        return means(position[select.chosen], y, position[test.chosen])


def means(key: np.ndarray, y: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """[len(asked)] the mean of y [n] among the units of the same key [n] (whole numbers from 0), drawn to the overall mean."""
    known = np.isfinite(y)
    most = max(key.max(initial=0), asked.max(initial=0)) + 1
    n = np.bincount(key[known], minlength=most)
    total = np.bincount(key[known], y[known], minlength=most)
    return ((total + PRIOR * y[known].mean()) / (n + PRIOR))[asked]


class TokenLast:
    """Subject level: the mean of the target by the last token of one family, learnt on select; the family that does best there.

    A family are the tokens that begin alike, up to the first `//` (as registers and MEDS write codes). What a register says last
    of income, home or job can be read off it without any model.
    """

    name = "token-last"

    def __init__(self, store: Store):
        codes, names = token_codes(store)
        families = sorted({name.split("//")[0] for name in names if "//" in name})
        number = {family: i for i, family in enumerate(families)}
        of_token = np.array([number.get(name.split("//")[0], -1) if "//" in name else -1 for name in names], int)
        self.families, self.last = families, _last(store, codes, of_token, len(families))
        self.chosen: dict[tuple, str] = {}

    def label(self, aim: Target) -> str:
        return f"last of {self.chosen[aim.covariate, aim.category]}"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray | None:
        """[test units]; None at token level and where no tokens have families."""
        y = aim.y[select.chosen]
        known = np.isfinite(y)
        if aim.unit == "token" or not self.families or not known.any():
            return None
        ranks = midranks(y[known]) - (known.sum() + 1) / 2
        best, family = max(
            (abs(_told(self.last[select.chosen, i][known], ranks)), -i) for i in range(len(self.families))
        )
        self.chosen[aim.covariate, aim.category] = self.families[-family]
        last = self.last[:, -family]
        return means(last[select.chosen], y, last[test.chosen])


def _last(store: Store, codes: np.ndarray, of_token: np.ndarray, n: int) -> np.ndarray:
    """[samples, n] 1 + the last token of each family in the sample's rows, 0 without one."""
    out = np.zeros((len(store.samples), n), np.int64)
    family = of_token[codes]
    there = family >= 0
    out[store.row_sample[there], family[there]] = codes[there] + 1  # rows come in order: the last one stays
    return out


def _told(key: np.ndarray, ranks: np.ndarray) -> float:
    """Correlation ratio of centred ranks [n] by key, corrected for the number of keys; below 0 where they tell nothing."""
    _, member, counts = np.unique(key, return_inverse=True, return_counts=True)
    between = (np.bincount(member, ranks) ** 2 / counts).sum()
    whole, n = (ranks**2).sum(), len(ranks)
    if whole == 0 or n <= len(counts) + 1:
        return 0.0
    return max(0.0, 1 - (whole - between) / (n - len(counts)) * (n - 1) / whole)


class Linear:
    """Subject level: a ridge (logistic, or of the ranks) on some numbers of each unit, fitted on select, its strength chosen by clusters left out."""

    def __init__(self, name: str, told: str, numbers: Callable[[Units], np.ndarray]):
        self.name, self.told, self.numbers = name, told, numbers
        self._kept: dict[str, np.ndarray] = {}

    def label(self, aim: Target) -> str:
        return f"{'logistic' if aim.is_binary else 'ridge'} on {self.told}"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray | None:
        """[test units]; None at token level and where select holds one value only."""
        y = aim.y[select.chosen]
        known = np.isfinite(y)
        if aim.unit == "token" or len(np.unique(y[known])) < 2:
            return None
        x = self._of(select)
        mean, sd = x[known].mean(0), x[known].std(0) + 1e-9
        fit = fit_linear((x[known] - mean) / sd, y[known], aim.is_binary, select.cluster[known])
        return fit((self._of(test) - mean) / sd)

    def _of(self, units: Units) -> np.ndarray:
        if units.split not in self._kept:
            self._kept[units.split] = self.numbers(units)
        return self._kept[units.split]


def fit_linear(x: np.ndarray, y: np.ndarray, binary: bool, cluster: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function of standardised numbers [m, d] that gives scores [m]; strength by grouped cross-validation."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GroupKFold

    folds = list(GroupKFold(min(5, len(np.unique(cluster)))).split(x, y, cluster))
    target = y if binary else midranks(y) / len(y)

    def made(strength: float):
        if binary:
            return LogisticRegression(C=1 / strength / len(y) * 100, class_weight="balanced", max_iter=1000)
        return Ridge(alpha=strength * len(y) / 100)

    def scored(strength: float) -> float:
        held = np.full(len(y), np.nan)
        for fit, rest in folds:
            if len(np.unique(target[fit])) > 1:
                held[rest] = _values(made(strength).fit(x[fit], target[fit]), x[rest])
        there = np.isfinite(held)
        ranks = midranks(held[there]) - (there.sum() + 1) / 2
        return float(ranks @ midranks(y[there]))

    best = max(STRENGTHS, key=scored)
    model = made(best).fit(x, target)
    return lambda asked: _values(model, asked)


def _values(model, x: np.ndarray) -> np.ndarray:
    return model.decision_function(x) if hasattr(model, "decision_function") else model.predict(x)


def composition(store: Store) -> Linear:
    """The shares of the tokens and log length."""
    tokens = Tokens(store)

    def shares(units: Units) -> np.ndarray:
        counts = store.samples["n_rows"].to_numpy()[units.chosen].astype(np.int64)
        found = pool(tokens.values(units.rows), counts, "mean")
        return np.hstack([found.toarray() if sp.issparse(found) else found, np.log1p(counts)[:, None]])

    return Linear("composition", "token shares and length", shares)


def confounders_alone(confounders: Confounders) -> Linear:
    """What every association is adjusted for."""

    def known(units: Units) -> np.ndarray:
        z = confounders.of(units.unit)
        return np.where(np.isfinite(z), z, np.nanmean(z, axis=0))[units.chosen]

    return Linear("confounders", "the confounders", known)


def dense_probe(store: Store, site: str) -> Linear:
    """The mean of the site over each sample's rows, all of its dimensions."""

    def pooled(units: Units) -> np.ndarray:
        counts = store.samples["n_rows"].to_numpy()[units.chosen].astype(np.int64)
        return pool(store.read(site, units.rows).numpy(), counts, "mean")

    return Linear("dense-probe", "the mean of the site", pooled)
