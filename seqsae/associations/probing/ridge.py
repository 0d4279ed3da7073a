"""Nested cross-validation of a ridge from each fold's moments alone: every training set is a sum of them, every loss a product.

Letters: n units, d columns, T targets, K folds, S strengths. Of each fold are kept the number of units, the sums of the columns
[d] and of their products [d, d]; rows are read once for these, and once more for the scores. Far more columns than units: `wide`.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve

from seqsae.associations.probing import wide
from seqsae.associations.probing.linear import STRENGTHS, Fitted, scale_of
from seqsae.associations.ranks import Matrix

LOOSE = 10.0
"""Factor on columns that are to be penalised little: a penalty of a hundredth."""
SPECTRAL = 512
"""Columns up to which a training set is solved by its eigenvectors; beyond, by Cholesky's factors, strength by strength."""


class Moments(NamedTuple):
    """What a ridge needs to know of some units; moments of disjoint sets of units add up."""

    n: np.ndarray
    """[] number of units."""
    x: np.ndarray
    """[d] sums."""
    xx: np.ndarray
    """[d, d]."""
    y: np.ndarray
    """[T] sums."""
    yy: np.ndarray
    """[T]."""
    xy: np.ndarray
    """[d, T]."""


class Design:
    """Columns x [n, d] in folds, ready for any target.

    Args:
        x: sparse or dense.
        fold: [n] whole numbers.
        weight: [d] factors on the standardised columns: a larger one is penalised less. None: 1 each.
    """

    def __init__(self, x: Matrix, fold: np.ndarray, weight: np.ndarray | None = None):
        self.x = sp.csr_array(x, dtype=np.float64) if sp.issparse(x) else np.asarray(x, dtype=np.float64)
        self.fold, self.folds = fold, np.unique(fold)
        self.weight = np.ones(x.shape[1]) if weight is None else weight
        self.rows = {int(f): np.flatnonzero(fold == f) for f in self.folds}

    @cached_property
    def _sums(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """By fold: sums of the columns [d] and of their products [d, d]."""
        parts = {f: self.x[rows] for f, rows in self.rows.items()}
        return {f: (np.asarray(part.sum(axis=0)).ravel(), _dense(part.T @ part)) for f, part in parts.items()}

    def moments(self, f: int, y: np.ndarray, columns: np.ndarray | slice = slice(None)) -> Moments:
        """Of one fold, for targets y [n, T], of some of the columns."""
        rows, (x, xx) = self.rows[f], self._sums[f]
        xy = np.asarray(self.x[rows].T @ y[rows])
        xx = xx[columns][:, columns]
        return Moments(np.array(len(rows)), x[columns], xx, y[rows].sum(0), (y[rows] ** 2).sum(0), xy[columns])

    def fit(self, y: np.ndarray, held: int | None = None, columns: Sequence[np.ndarray | slice] = (slice(None),)):
        """A Fitted for each set of columns: to targets y [n, T] on every fold but `held`, their strength chosen by leaving out each
        of those in turn. Values of y in the held fold are not read."""
        used = [int(f) for f in self.folds if f != held]
        if self._is_wide(used):
            return [self._wide(y, used, chosen) for chosen in columns]
        whole = [self.moments(f, y) for f in used]
        made = []
        for chosen in columns:
            parts = [_only(part, chosen) for part in whole]
            made.append(_nested(parts, self.weight[chosen]))
        return made

    def _is_wide(self, used: list[int]) -> bool:
        """Whether products of units with each other are solved sooner than those of columns."""
        return self.x.shape[1] > max(SPECTRAL, 2 * sum(len(self.rows[f]) for f in used))

    def _wide(self, y: np.ndarray, used: list[int], columns: np.ndarray | slice) -> Fitted:
        rows = np.concatenate([self.rows[f] for f in used])
        x = self.x[rows][:, columns]
        return wide.nested(_dense(x), y[rows], self.fold[rows], self.weight[columns])


def _only(part: Moments, columns: np.ndarray | slice) -> Moments:
    return part._replace(x=part.x[columns], xx=part.xx[columns][:, columns], xy=part.xy[columns])


def _nested(parts: list[Moments], weight: np.ndarray) -> Fitted:
    """The ridge on all parts, each target's strength that of the least squared error over parts left out in turn."""
    total = _added(parts)
    trains = [_less(total, part) for part in parts] if len(parts) > 1 else []
    scales = [scale_of(train.n, train.x, np.diag(train.xx), weight) for train in [total, *trains]]
    solved = [_paths(train, scale, STRENGTHS) for train, scale in zip([total, *trains], scales, strict=True)]
    loss = np.zeros((len(STRENGTHS), len(total.y)))
    for train, part, weights in zip(trains, parts, solved[1:], strict=True):
        loss += _loss(train, part, weights)
    best = loss.argmin(axis=0)
    chosen = solved[0][:, best, np.arange(len(best))]
    mean = total.x / total.n
    covariance = total.xx / total.n - np.outer(mean, mean)
    variance = (chosen * (covariance @ chosen)).sum(axis=0)
    spread = np.sqrt(np.maximum(variance, 0))
    centre = mean @ chosen
    return Fitted(chosen, total.y / total.n - centre, centre, np.where(spread > 0, spread, 1), STRENGTHS[best])


def _added(parts: list[Moments]) -> Moments:
    return Moments(*[sum(side[1:], start=side[0]) for side in zip(*parts, strict=True)])


def _less(total: Moments, part: Moments) -> Moments:
    return Moments(*[a - b for a, b in zip(total, part, strict=True)])


def _paths(train: Moments, scale: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """[d, S, T] weights on the columns as given."""
    mean = train.x / train.n
    gram = (train.xx - train.n * np.outer(mean, mean)) * np.outer(scale, scale)
    along = (train.xy - np.outer(mean, train.y)) * scale[:, None]
    if len(scale) <= SPECTRAL:
        values, vectors = np.linalg.eigh(gram)
        shrunk = (vectors.T @ along)[:, None, :] / (np.maximum(values, 0)[:, None] + strengths * train.n)[:, :, None]
        flat = shrunk.reshape(len(scale), -1)
        return scale[:, None, None] * (vectors @ flat).reshape(shrunk.shape)
    found = []
    for strength in strengths:
        factor = cho_factor(gram + strength * float(train.n) * np.eye(len(gram)), overwrite_a=True, check_finite=False)
        found.append(cho_solve(factor, along, check_finite=False))
    return scale[:, None, None] * np.stack(found, axis=1)


def _loss(train: Moments, part: Moments, weights: np.ndarray) -> np.ndarray:
    """[S, T] summed squared error on `part` of weights [d, S, T] learnt on `train`, its intercept with them."""
    d, s, t = weights.shape
    mean_x, mean_y = train.x / train.n, train.y / train.n
    flat = weights.reshape(d, -1)
    intercept = mean_y - (mean_x @ flat).reshape(s, t)
    quadratic = (flat * (part.xx @ flat)).sum(axis=0).reshape(s, t)
    linear = (part.xy[:, None, :] * weights).sum(axis=0)
    sums = (part.x @ flat).reshape(s, t)
    return part.yy - 2 * linear + quadratic + 2 * intercept * (sums - part.y) + part.n * intercept**2


def _dense(product) -> np.ndarray:
    return product.toarray() if sp.issparse(product) else product
