"""What rules are worth on rows that did not choose them, with intervals over clusters.

Letters: n rows, F features with a rule each, C clusters. Of every cluster four counts are kept: tp, called (rows of the rule), positive
(rows on which the feature fires) and rows. Balanced accuracy, (tp / positive + 1 - (called - tp) / (rows - positive)) / 2, and F1, 2 tp /
(called + positive), are ratios of their sums, so that each cluster's influence is linear in its four counts, and the variance,
C / (C - 1) times the sum of squared influences, comes from the sums of products of the counts: the linearisation of a ratio
estimator (Woodruff 1971). Nothing is drawn; pieces of whole clusters are added up.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy import stats

from seqsae.associations.captions.lines import cluster_of, pieces
from seqsae.associations.captions.rules import Rule, held
from seqsae.associations.concept_spans import Part

ROWS = 50_000  # rows at a time
FEWEST = 5  # clusters; of fewer, an interval would be far too narrow
_SETS = 256  # features whose counts by cluster are dense at a time


class Counts(NamedTuple):
    """Sums over clusters of (tp, called, positive, rows)."""

    total: np.ndarray
    """[F, 4]."""
    products: np.ndarray
    """[F, 4, 4] sums over clusters of their products."""
    subjects: np.ndarray
    """[F, 4] the same of subjects: the rule holds anywhere in one, the feature fires anywhere in one."""
    n_clusters: int

    def only(self, features: slice) -> "Counts":
        """Of some of the features."""
        return Counts(self.total[features], self.products[features], self.subjects[features], self.n_clusters)


class Interval(NamedTuple):
    """A figure [F] and the ends of its 95% interval; NaN where it is not defined."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def count(
    part: Part, subject: np.ndarray, literals: Callable[[Part], sp.csr_array], firing: Callable, rules: list[Rule]
) -> Counts:
    """The counts of rule f against feature f, over the whole part.

    Args:
        subject: [samples of the store] subject of each sample.
        literals: part -> [n, m]; firing: part -> [n, F] bool.
    """
    size = len(rules)
    total, subjects, products = np.zeros((size, 4)), np.zeros((size, 4)), np.zeros((size, 4, 4))
    distinct = list(dict.fromkeys(rules))
    number = {rule: place for place, rule in enumerate(distinct)}
    column = np.array([number[rule] for rule in rules], dtype=np.int64)
    n_clusters = 0
    for piece in pieces(part, ROWS) if size else ():
        said, fires = held(literals(piece), distinct).tocsc(), firing(piece).tocsc()
        groups = [_groups(names) for names in (cluster_of(piece), subject[piece.samples][piece.sample_of])]
        n_clusters += groups[0].shape[0]
        for start in range(0, size, _SETS):
            some = slice(start, start + _SETS)
            a, b = said[:, column[some]].astype(np.int32), fires[:, some].astype(np.int32)
            by_cluster = _counted(groups[0], a, b)
            total[some] += by_cluster.sum(axis=0)
            products[some] += np.einsum("cfi,cfj->fij", by_cluster, by_cluster, optimize=True)
            subjects[some] += _by_subject(groups[1], a, b)
    return Counts(total, products, subjects, n_clusters)


def _groups(names: np.ndarray) -> sp.csr_array:
    """[groups, n] of 0 and 1."""
    found, member = np.unique(names, return_inverse=True)
    return sp.csr_array(
        (np.ones(len(names), np.int32), (member, np.arange(len(names)))), shape=(len(found), len(names))
    )


def _counted(groups: sp.csr_array, said: sp.csc_array, fires: sp.csc_array) -> np.ndarray:
    """[groups, F, 4] float64."""
    both, called, positive = ((groups @ one).toarray() for one in (said.multiply(fires), said, fires))
    rows = np.broadcast_to(groups.sum(axis=1)[:, None], both.shape)
    return np.stack([both, called, positive, rows], axis=-1).astype(float)


def _by_subject(groups: sp.csr_array, said: sp.csc_array, fires: sp.csc_array) -> np.ndarray:
    """[F, 4]."""
    called, positive = ((groups @ one).astype(bool) for one in (said, fires))
    both = called.multiply(positive)
    sums = [np.asarray(one.sum(axis=0, dtype=np.int64)).ravel() for one in (both, called, positive)]
    return np.column_stack([*sums, np.full(len(sums[0]), groups.shape[0])]).astype(float)


def precision(total: np.ndarray) -> np.ndarray:
    """[F] from counts [F, 4]; NaN where the rule never holds."""
    return _ratio(total[:, 0], total[:, 1])


def recall(total: np.ndarray) -> np.ndarray:
    """[F]; NaN where the feature never fires."""
    return _ratio(total[:, 0], total[:, 2])


def f1(total: np.ndarray) -> np.ndarray:
    """[F]; NaN where the feature never fires."""
    return np.where(total[:, 2] > 0, _ratio(2 * total[:, 0], total[:, 1] + total[:, 2]), np.nan)


def balanced_accuracy(total: np.ndarray) -> np.ndarray:
    """[F] mean of sensitivity and specificity; NaN where the feature fires nowhere or everywhere."""
    tp, called, positive, n = total.T
    return (_ratio(tp, positive) + 1 - _ratio(called - tp, n - positive)) / 2


def f1_interval(counts: Counts) -> Interval:
    """F1 with its interval over clusters."""
    value, total = f1(counts.total), counts.total
    size = np.maximum(total[:, 1] + total[:, 2], 1)
    slope = np.column_stack([2 / size, -value / size, -value / size, np.zeros(len(total))])
    return _interval(value, slope, counts)


def balanced_accuracy_interval(counts: Counts) -> Interval:
    """Balanced accuracy with its interval over clusters."""
    tp, called, positive, n = counts.total.T
    yes, no = np.maximum(positive, 1), np.maximum(n - positive, 1)
    sensitivity, fallout = tp / yes, (called - tp) / no
    # half of (tp_c - sensitivity positive_c) / yes less half of (called_c - tp_c - fallout (rows_c - positive_c)) / no
    slope = np.column_stack([1 / yes + 1 / no, -1 / no, -sensitivity / yes - fallout / no, fallout / no]) / 2
    return _interval(balanced_accuracy(counts.total), slope, counts)


def _interval(value: np.ndarray, slope: np.ndarray, counts: Counts) -> Interval:
    """t interval on C - 1 degrees of freedom, cut at 0 and 1; NaN with fewer than five clusters."""
    if counts.n_clusters < FEWEST:
        return Interval(value, np.full(len(value), np.nan), np.full(len(value), np.nan))
    squares, size = (np.einsum("fi,fij,fj->f", one, counts.products, one) for one in (slope, np.abs(slope)))
    squares = np.where(squares > 1e-13 * size, squares, 0)  # a rule without a fault: what is left is rounding
    error = np.sqrt(squares * counts.n_clusters / (counts.n_clusters - 1))
    reach = stats.t.ppf(0.975, counts.n_clusters - 1) * error
    return Interval(value, np.clip(value - reach, 0, 1), np.clip(value + reach, 0, 1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
