"""The best single unit for each binary concept: its threshold and F1, or its AUROC, chosen on one split.

Letters: n rows, U units, c concepts. A row is called positive where `sign * x >= threshold`. Every threshold
that can make a difference is tried: F1 = 2 TP / (called + P) after each distinct value in descending order
(van Rijsbergen 1979, for equal weights), and calling every row positive.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from seqsae.associations.ranks import Matrix, aurocs, rank_excess
from seqsae.errors import SeqsaeError


class F1(NamedTuple):
    """Precision, recall and their harmonic mean; 0 where nothing is called, or nothing is there to be found."""

    precision: float
    recall: float
    f1: float


class BestF1(NamedTuple):
    """The best unit of each concept, arrays [c]. Unit -1: the concept has no positive row."""

    unit: np.ndarray
    threshold: np.ndarray
    """On `sign * x`; -inf where no unit beats calling every row positive."""
    sign: np.ndarray
    """1, or -1 where low values call the concept (only with `signed`)."""
    f1: np.ndarray
    """On the rows of the choice: optimistic. Score on others with `score`."""


class BestAuroc(NamedTuple):
    """The best unit of each concept, arrays [c]. Unit -1: the concept has one class only."""

    unit: np.ndarray
    sign: np.ndarray
    auroc: np.ndarray
    """Of `sign * x`, on the rows of the choice: optimistic."""


def best_f1(X: Matrix, Y: np.ndarray, signed: bool = False) -> BestF1:
    """Choose for each concept the unit, threshold and sign of highest F1; the first unit wins a tie.

    Args:
        X: [n, U]; sparse must be non-negative, and costs O(nnz c): only its non-zero rows are visited.
        Y: [n, c] in {0, 1}.
        signed: also try each unit of a dense `X` upside down.

    Raises:
        SeqsaeError: `Y` is not binary or of another length; sparse `X` with negative values or with `signed`.
    """
    Y = np.ascontiguousarray(_concepts(X, Y).T)
    columns = _columns(X, signed)
    n_positive = np.count_nonzero(Y, axis=1)
    c = len(Y)
    trivial = np.array([trivial_f1(concept).f1 for concept in Y])
    best = BestF1(np.zeros(c, dtype=np.int64), np.full(c, -np.inf), np.ones(c, dtype=np.int64), trivial)
    for unit in range(X.shape[1]):
        values, rows = columns(unit)
        for sign in (1, -1) if signed else (1,):
            order = np.argsort(-sign * values)
            _improve(best, (unit, sign), sign * values[order], Y[:, rows[order]], n_positive)
    best.unit[n_positive == 0] = -1
    return best


def score(x: np.ndarray, threshold: float, y: np.ndarray, sign: int = 1) -> F1:
    """Precision, recall and F1 of calling `sign * x >= threshold` on `x` [n] (dense or one sparse column)."""
    x = x.toarray().ravel() if sparse.issparse(x) else np.asarray(x).ravel()
    called, there = sign * x >= threshold, np.asarray(y).ravel() == 1
    if len(called) != len(there):
        raise SeqsaeError(f"x has {len(called)} rows and y has {len(there)}; give one label for each row")
    return _f1(np.count_nonzero(called & there), np.count_nonzero(called), np.count_nonzero(there))


def trivial_f1(y: np.ndarray) -> F1:
    """F1 of calling every row positive: 2 P / (n + P). A concept score means nothing below it."""
    n_positive = np.count_nonzero(np.asarray(y) == 1)
    return _f1(n_positive, np.size(y), n_positive)


def best_auroc(X: Matrix, Y: np.ndarray, signed: bool = False) -> BestAuroc:
    """Choose for each concept the unit of highest AUROC (with `signed`, the farthest from 1/2 on either side)."""
    Y = _concepts(X, Y)
    table = aurocs(rank_excess(X), Y)
    unit = np.abs(table - 0.5).argmax(axis=0) if signed else table.argmax(axis=0)
    value = table[unit, np.arange(Y.shape[1])]
    flip = signed & (value < 0.5)
    return BestAuroc(np.where(np.isnan(value), -1, unit), np.where(flip, -1, 1), np.where(flip, 1 - value, value))


def _improve(best: BestF1, which: tuple[int, int], ordered: np.ndarray, Y: np.ndarray, n_positive: np.ndarray):
    """Enter one unit with one sign into `best` wherever it does better.

    `ordered` [m]: its signed values, descending; `Y` [c, m]: the concepts in that order. F1 can only peak at
    a positive row, so only those are looked at. Within a run of equal values `called` already counts the
    whole run, so that only the run's last positive, where TP is complete, can be the best.
    """
    concept, at = np.nonzero(Y)
    if not len(at):
        return
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    called = np.repeat(last + 1, np.diff(last, prepend=-1))
    found = np.bincount(concept, minlength=len(Y))
    first = np.cumsum(found) - found
    true_positive = np.arange(1, len(at) + 1) - first[concept]
    f1 = 2 * true_positive / (called[at] + n_positive[concept])
    some = np.flatnonzero(found)
    value = np.maximum.reduceat(f1, first[some])
    for j, top in zip(some, value, strict=True):
        if top > best.f1[j]:
            where = first[j] + f1[first[j] : first[j] + found[j]].argmax()
            best.unit[j], best.sign[j] = which
            best.threshold[j], best.f1[j] = ordered[at[where]], top


def _columns(X: Matrix, signed: bool):
    """unit -> (values [m], rows [m]): the non-zeros of a sparse unit, all rows of a dense one."""
    if not sparse.issparse(X):
        everyone = np.arange(len(X))
        return lambda unit: (np.ascontiguousarray(X[:, unit]), everyone)
    X = sparse.csc_array(X, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    if signed or (X.data < 0).any():
        raise SeqsaeError("a sparse X must be non-negative and unsigned for best_f1; pass X.toarray() instead")
    return lambda unit: tuple(part[X.indptr[unit] : X.indptr[unit + 1]] for part in (X.data, X.indices))


def _concepts(X: Matrix, Y: np.ndarray) -> np.ndarray:
    """`Y` as booleans, refused if it is anything else or of another length than `X`."""
    Y = np.asarray(Y)
    if Y.ndim != 2 or len(Y) != X.shape[0]:
        raise SeqsaeError(f"Y has shape {Y.shape}; give [{X.shape[0]}, concepts], one row for each row of X")
    if not ((Y == 0) | (Y == 1)).all():
        raise SeqsaeError("Y holds values other than 0 and 1; drop rows without a label before choosing units")
    return Y == 1


def _f1(true_positive: int, called: int, there: int) -> F1:
    precision = true_positive / called if called else 0.0
    recall = true_positive / there if there else 0.0
    return F1(precision, recall, 2 * true_positive / (called + there) if called + there else 0.0)
