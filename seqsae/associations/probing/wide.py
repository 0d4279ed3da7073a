"""Nested cross-validation of a ridge on more columns than units, from the products of units with each other.

The same probe as that of `ridge` (Saunders, Gammerman & Vovk 1998: a ridge's weights are a sum of its units), but a training set
costs n^2 d instead of d^3, once for all strengths.

Letters: n units, m of them learnt from, d columns, T targets, S strengths.
"""

from typing import NamedTuple

import numpy as np

from seqsae.associations.probing.linear import STRENGTHS, Fitted, scale_of


class _Solved(NamedTuple):
    """A ridge at every strength."""

    columns: np.ndarray
    """[n, d] all units, standardised and weighted by the m learnt from."""
    mean: np.ndarray
    """[d] of the columns as given."""
    scale: np.ndarray
    """[d]."""
    parts: np.ndarray
    """[m, S, T] of each unit learnt from in the weights."""


def nested(x: np.ndarray, y: np.ndarray, fold: np.ndarray, weight: np.ndarray) -> Fitted:
    """The ridge on all units, each target's strength that of the least squared error over the folds left out in turn.

    Args:
        x: [n, d].
        y: [n, T].
        fold: [n].
        weight: [d] factors on the standardised columns.
    """
    loss = np.zeros((len(STRENGTHS), y.shape[1]))
    folds = np.unique(fold)
    for held in folds if len(folds) > 1 else ():
        loss += _loss(x, y, fold != held, weight)
    best = loss.argmin(axis=0)
    solved = _solved(x, y, np.ones(len(y), bool), weight)
    standard = solved.columns.T @ solved.parts[:, best, np.arange(len(best))]
    chosen = solved.scale[:, None] * standard
    spread, centre = np.sqrt(((solved.columns @ standard) ** 2).mean(axis=0)), solved.mean @ chosen
    return Fitted(chosen, y.mean(axis=0) - centre, centre, np.where(spread > 0, spread, 1), STRENGTHS[best])


def _loss(x: np.ndarray, y: np.ndarray, seen: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[S, T] summed squared error on the units not seen."""
    solved = _solved(x, y, seen, weight)
    products = solved.columns[~seen] @ solved.columns[seen].T
    told = (products @ solved.parts.reshape(len(products.T), -1)).reshape(-1, *solved.parts.shape[1:])
    missed = (y[~seen] - y[seen].mean(axis=0))[:, None, :] - told
    return (missed**2).sum(axis=0)


def _solved(x: np.ndarray, y: np.ndarray, seen: np.ndarray, weight: np.ndarray) -> _Solved:
    here, n = x[seen], np.count_nonzero(seen)
    mean = here.mean(axis=0)
    scale = scale_of(n, here.sum(axis=0), (here**2).sum(axis=0), weight)
    columns = (x - mean) * scale
    values, vectors = np.linalg.eigh(columns[seen] @ columns[seen].T)
    along = vectors.T @ (y[seen] - y[seen].mean(axis=0))
    shrunk = along[:, None, :] / (np.maximum(values, 0)[:, None] + STRENGTHS * n)[:, :, None]
    parts = (vectors @ shrunk.reshape(n, -1)).reshape(shrunk.shape)
    return _Solved(columns, mean, scale, parts)
