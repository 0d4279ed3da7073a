"""Baselines that are fitted to the target on the select split: confounders, where a row stands, what a record is made of, all of the site."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.confounders import Confounders
from seqsae.associations.observations import position_of
from seqsae.associations.ranks import midranks
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.features.pooling import pool
from seqsae.features.sources import Tokens, token_codes

PRIOR = 1.0  # pseudo-rows that hold a position's mean at the overall one
STRENGTHS = np.logspace(-3, 3, 13)  # of the ridge, in units of the numbers' variance
FOLDS = 5


class Position:
    """Rows and events: the mean of the target at each position (of an event: its first row's), learnt on select. Subjects: the number of rows."""

    name = "position"

    def __init__(self, store: Store):
        self.store = store

    def label(self, aim: Target) -> str:
        return "length" if aim.unit == "subject" else "mean at the position"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray:
        """[test units]."""
        y = aim.y[select.chosen]
        if aim.unit == "subject":
            length = self.store.samples["n_rows"].to_numpy().astype(float)
            known = np.isfinite(y)
            x = length[select.chosen][known]
            falls = (midranks(x) - (len(x) + 1) / 2) @ midranks(y[known]) < 0
            return length[test.chosen] * (-1 if falls else 1)
        position = position_of(self.store, aim.unit).astype(np.int64)
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
        """[test units]; None for rows and events and where no tokens have families."""
        y = aim.y[select.chosen]
        known = np.isfinite(y)
        if aim.unit != "subject" or not self.families or not known.any():
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
    """Subject level: a ridge on some numbers of each unit, fitted on select; of a binary target on 0 and 1, of others on their ranks."""

    def __init__(self, name: str, told: str, numbers: Callable[[Units], np.ndarray]):
        self.name, self.told, self.numbers = name, told, numbers
        self._kept: dict[str, np.ndarray] = {}
        self._ridges: dict[bytes, Ridge] = {}

    def label(self, aim: Target) -> str:
        return f"ridge on {self.told}"

    def scores(self, aim: Target, select: Units, test: Units) -> np.ndarray | None:
        """[test units]; None for rows and events and where select holds one value only."""
        y = aim.y[select.chosen]
        known = np.isfinite(y)
        if aim.unit != "subject" or len(np.unique(y[known])) < 2:
            return None
        key = np.packbits(known).tobytes()
        if key not in self._ridges:  # targets known of the same units share what takes time
            self._ridges[key] = Ridge(self._of(select)[known], select.cluster[known])
        return self._ridges[key].fit(y[known] if aim.is_binary else midranks(y[known]))(self._of(test))

    def _of(self, units: Units) -> np.ndarray:
        if units.split not in self._kept:
            self._kept[units.split] = self.numbers(units)
        return self._kept[units.split]


class Ridge:
    """Ridge regression (Hoerl & Kennard 1970) of any target on the same numbers x [n, d], its strength chosen by clusters left out."""

    def __init__(self, x: np.ndarray, cluster: np.ndarray):
        from sklearn.model_selection import GroupKFold

        self.mean, self.sd = x.mean(0), x.std(0) + 1e-9
        x = (x - self.mean) / self.sd
        self.whole, self.cluster = _Decomposed(x), cluster
        n_folds = min(FOLDS, len(np.unique(cluster)))
        folds = GroupKFold(n_folds).split(x, None, cluster) if n_folds > 1 else ()
        self.folds = [(fit, rest, _Decomposed(x[fit]), x[rest]) for fit, rest in folds]

    def fit(self, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """A function of numbers [m, d] that gives scores [m], for the target y [n]."""
        held = np.zeros((len(y), len(STRENGTHS)))
        for fit, rest, parts, asked in self.folds:
            held[rest] = asked @ parts.weights(y[fit], STRENGTHS) + y[fit].mean()
        loss = ((held - y[:, None]) ** 2).sum(axis=0)
        best = STRENGTHS[[int(np.argmin(loss))]]
        weights = self.whole.weights(y, best)[:, 0]
        return lambda asked: ((asked - self.mean) / self.sd) @ weights


class _Decomposed:
    """x less its mean, as its singular vectors."""

    def __init__(self, x: np.ndarray):
        self.u, self.s, self.vt = np.linalg.svd(x - x.mean(0), full_matrices=False)

    def weights(self, y: np.ndarray, strengths: np.ndarray) -> np.ndarray:
        """[d, strengths]: the penalty is strength times the number of units."""
        along = self.u.T @ (y - y.mean())
        shrunk = self.s[:, None] / (self.s[:, None] ** 2 + strengths * len(y))
        return self.vt.T @ (shrunk * along[:, None])


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
