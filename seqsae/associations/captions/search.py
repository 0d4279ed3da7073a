"""The search for rules: greedy, all features and all literals at once, by sparse products over the select rows.

Letters: n rows, F features, m literals, U distinct rules. A rule that holds on `called` rows, `tp` of them among the P on which the
feature fires, has F1 = 2 tp / (called + P). What is maximised is F1 less `margin` for every literal beyond the first.

The best literals, and the best union of tokens and families, are starts; each start is joined by `and` with the literal that makes its
F1 highest, and the best of those once more. A token stands at a row or does not, so the rows of a union are the sum of its
members' rows, and unions cost no pass over the rows. (Sequential covering by F1, as in rule learners: Fuernkranz, Gamberger & Lavrac 2012.)
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.associations.captions.rules import Rule, held, size
from seqsae.caption_options import CaptionConfig

FEATURES = 512  # looked at together
ROWS = 2048  # literals made dense at a time
BEAM = 2  # literals that are starts; the best union besides
WIDE = 0.06  # share of the rows from which a dense product costs less than a sparse one


class Ground(NamedTuple):
    """What rules are looked for in."""

    literals: sp.csr_array
    """[n, m] int8 of 0 and 1."""
    n_tokens: int
    """The first literals are tokens,"""
    clash: np.ndarray
    """[A, A] and up to A they are tokens and families: which hold together somewhere."""
    config: CaptionConfig


class Best(NamedTuple):
    """What is found for each feature; the empty rule where the feature never fires."""

    rules: list[Rule]
    f1: np.ndarray
    """[F] of the rule on the rows of the search."""
    tokens: list[Rule]
    """The best single token."""


def search(ground: Ground, firing: sp.csr_array) -> Best:
    """The best rule of each feature. firing: [n, F] bool."""
    called = np.asarray(ground.literals.sum(axis=0, dtype=np.int64)).ravel().astype(float)
    parts = [
        _block(ground, firing[:, start : start + FEATURES].astype(np.float32), called)
        for start in range(0, firing.shape[1], FEATURES)
    ]
    return Best(
        [rule for part in parts for rule in part.rules],
        np.concatenate([part.f1 for part in parts] or [np.empty(0)]),
        [rule for part in parts for rule in part.tokens],
    )


def _block(ground: Ground, firing: sp.csr_array, called: np.ndarray) -> Best:
    config = ground.config
    positives = np.asarray(firing.sum(axis=0, dtype=np.float64)).ravel()
    tp = counted(ground.literals, firing)
    f1 = _f1(tp, called, positives[:, None])
    found = [_starts(f1[f], BEAM) for f in range(len(positives))]
    unions = best_unions(tp[:, : len(ground.clash)], called[: len(ground.clash)], positives, ground.clash, config)
    for several, (score, atoms) in zip(found, unions, strict=True):
        if len(atoms) > 1:
            several.append((score, (atoms,)))
    longer = found
    for _ in range(config.terms - 1):
        longer = _extended(ground, firing, positives, longer)
        found = [all_of + more for all_of, more in zip(found, longer, strict=True)]
    chosen = [_best(several, config.margin) if p else (0.0, ()) for several, p in zip(found, positives, strict=True)]
    tokens = f1[:, : ground.n_tokens]
    single = [((int(row.argmax()),),) if len(row) and row.any() else () for row in tokens]
    return Best([rule for _, rule in chosen], np.array([score for score, _ in chosen]), single)


Scored = list[tuple[float, Rule]]


def _starts(f1: np.ndarray, most: int) -> Scored:
    """The best literals; of equal ones the first."""
    order = np.argsort(-f1, kind="stable")[:most]
    return [(float(f1[one]), ((int(one),),)) for one in order if f1[one] > 0]


def best_unions(
    tp: np.ndarray, called: np.ndarray, positives: np.ndarray, clash: np.ndarray, config: CaptionConfig
) -> list[tuple[float, tuple[int, ...]]]:
    """F1 and members of each feature's union, grown from its best member by the one that raises F1 most while it does by `margin`.

    Args:
        tp: [F, A] rows with member and feature; called: [A] rows with the member; clash: [A, A] which are never taken together.
    """
    if not tp.shape[1]:
        return [(0.0, ())] * len(tp)
    rows = np.arange(len(tp))
    f1 = _f1(tp, called, positives[:, None])
    first = f1.argmax(axis=1)
    best, members = f1[rows, first], [first]
    hits, total, barred = tp[rows, first], called[first], clash[first].copy()
    for _ in range(config.union - 1):
        f1 = np.where(barred, -1.0, _f1(hits[:, None] + tp, total[:, None] + called, positives[:, None]))
        pick = f1.argmax(axis=1)
        better = f1[rows, pick] > best + config.margin
        best = np.where(better, f1[rows, pick], best)
        hits, total = hits + better * tp[rows, pick], total + better * called[pick]
        barred |= clash[pick] | ~better[:, None]
        members.append(np.where(better, pick, -1))
    table = np.column_stack(members)
    return [
        (float(score), tuple(sorted(int(one) for one in row if one >= 0)))
        for score, row in zip(best, table, strict=True)
    ]


def _extended(ground: Ground, firing: sp.csr_array, positives: np.ndarray, starts: list[Scored]) -> list[Scored]:
    """Each feature's starts, each joined with its best further literal; the best of them."""
    pairs = [(f, rule) for f, several in enumerate(starts) for _, rule in several]
    rules = list(dict.fromkeys(rule for _, rule in pairs))
    number = {rule: place for place, rule in enumerate(rules)}
    longer: list[Scored] = [[] for _ in starts]
    if not pairs:
        return longer
    where = held(ground.literals, rules).astype(np.float32)
    called = counted(ground.literals, where)
    of_feature, of_rule = (np.array(one) for one in zip(*[(f, number[rule]) for f, rule in pairs], strict=True))
    both = firing.tocsc()[:, of_feature].multiply(where.tocsc()[:, of_rule]).tocsr()
    f1 = _f1(counted(ground.literals, both), called[of_rule], positives[of_feature, None])
    for place, (f, rule) in enumerate(pairs):
        f1[place, [one for term in rule for one in term]] = -1
        pick = int(f1[place].argmax())
        longer[f].append((float(f1[place, pick]), tuple(sorted([*rule, (pick,)]))))
    return [[_best(several, ground.config.margin)] if several else [] for several in longer]


def _best(several: Scored, margin: float) -> tuple[float, Rule]:
    """The highest F1 less the margin for further literals; of equal ones the shortest, then the first by number."""
    return min(several, key=lambda one: _order(one, margin))


def _order(one: tuple[float, Rule], margin: float) -> tuple:
    score, rule = one
    return (-round(score - margin * (size(rule) - 1), 12), size(rule), rule)


def counted(literals: sp.csr_array, where: sp.csr_array) -> np.ndarray:
    """[k, m] float64: rows on which each column of `where` [n, k] float32 of 0 and 1, and each literal, hold. Exact."""
    n, k = where.shape
    total = np.zeros((k, literals.shape[1]))
    wide = np.diff(where.tocsc().indptr) > WIDE * n
    broad, narrow = where[:, wide].tocsr(), where[:, ~wide].tocsr()
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        dense = literals[rows].toarray().astype(np.float32)
        total[~wide] += narrow[rows].T.tocsr() @ dense
        if wide.any():
            total[wide] += broad[rows].toarray().T @ dense
    return total


def _f1(tp: np.ndarray, called: np.ndarray, positives: np.ndarray) -> np.ndarray:
    return 2 * tp / np.maximum(called + positives, 1)
