"""Fires x levels of a covariate: levels with a small cell are merged, never blanked, until no cell can be worked out (D3)."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.disclosure.attack import is_safe, known_of, merged_interval
from seqsae.disclosure.levels import OTHER
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason, d1_rounded
from seqsae.disclosure.safe import COUNT, LABEL, NUMBER_LABEL, SafeTable, sealed

MERGED_AWAY = "a small cell in every division into levels (D3)"


class Question(NamedTuple):
    """One covariate over the subjects of a split; levels are the published ones, so that each is large enough."""

    covariate: str
    level: np.ndarray
    """[S] number of each subject's level."""
    names: list[str]
    """Of the levels."""
    features: list[int]
    """Those that are asked for."""


class Tally(NamedTuple):
    """[2, levels] of one feature: silent and firing, by level."""

    subjects: np.ndarray
    clusters: np.ndarray


def crossed(presence: sp.sparray, cluster: np.ndarray, questions: list[Question], policy: Policy) -> SafeTable:
    """Subjects and firing ones of each (feature, covariate, level): `subjects` (of the level) and `firing`.

    Every cell shown, firing or silent, has enough subjects and clusters. Levels merged for one feature stand together as `other`,
    and only where an attacker who knows the sizes of all levels is left as much in the dark on each hidden cell as the threshold
    asks for; else the largest merge is tried that helps, and a feature of which no two levels are left is withheld.

    Args:
        presence: [S, F], not zero where a feature fires in a subject.
        cluster: [S] each subject's cluster.
    """
    columns = sp.csc_array(presence)
    made, lost = [], 0
    for question in questions:
        levels = [np.flatnonzero(question.level == number) for number in range(len(question.names))]
        for feature in question.features:
            fires = np.zeros(len(cluster), dtype=bool)
            fires[columns.indices[columns.indptr[feature] : columns.indptr[feature + 1]]] = True
            groups = _groups(fires, levels, cluster, policy, question.names)
            lost += groups is None
            for group in groups or ():
                made.append(
                    {
                        "feature": feature,
                        "covariate": question.covariate,
                        **_row(group, question.names, fires, levels, policy),
                    }
                )
    columns = {"feature": NUMBER_LABEL, "covariate": LABEL, "level": LABEL, "subjects": COUNT, "firing": COUNT}
    withheld = {MERGED_AWAY: lost} if lost else {}
    return sealed(("feature", "covariate", "level"), policy, made, columns, ("D1", "D2", "D3", "D6"), withheld)


def _row(group: list[int], names: list[str], fires: np.ndarray, levels: list[np.ndarray], policy: Policy) -> dict:
    members = np.concatenate([levels[number] for number in group])
    name = names[group[0]] if len(group) == 1 else OTHER
    return {
        "level": name,
        "subjects": d1_rounded(len(members), policy),
        "firing": d1_rounded(int(fires[members].sum()), policy),
    }


def _groups(
    fires: np.ndarray, levels: list[np.ndarray], cluster: np.ndarray, policy: Policy, names: list[str]
) -> list[list[int]] | None:
    """Levels as they may be shown, those merged together last, one called `other` among them; None if fewer than two are left."""
    order = sorted(range(len(levels)), key=lambda number: len(levels[number]))
    merged = [number for number in order if not _enough(levels[number], fires, cluster, policy)]
    if merged:
        merged += [number for number, name in enumerate(names) if name == OTHER and number not in merged]
    while merged:
        alone = [number for number in range(len(levels)) if number not in merged]
        if not alone:
            return None
        if len(merged) > 1 and _holds(merged, fires, levels, cluster, policy):
            return [[number] for number in alone] + [merged]
        merged.append(next(number for number in order if number in alone))
    return [[number] for number in range(len(levels))] if len(levels) > 1 else None


def _enough(members: np.ndarray, fires: np.ndarray, cluster: np.ndarray, policy: Policy) -> bool:
    """Whether both cells of a level, firing and silent, may be shown."""
    sides = (members[fires[members]], members[~fires[members]])
    return all(d1_reason(len(side), len(np.unique(cluster[side])), policy) is None for side in sides)


def _holds(merged: list[int], fires: np.ndarray, levels: list[np.ndarray], cluster: np.ndarray, policy: Policy) -> bool:
    """Whether the merged level may be shown and leaves each of its hidden cells open."""
    if not _enough(np.concatenate([levels[number] for number in merged]), fires, cluster, policy):
        return False
    sizes = [known_of((), d1_rounded(len(levels[number]), policy), policy) for number in merged]
    inside = sum(int(fires[levels[number]].sum()) for number in merged)
    outside = sum(len(levels[number]) for number in merged) - inside
    for part in (inside, outside):
        total = known_of((), d1_rounded(part, policy), policy)
        for place, size in enumerate(sizes):
            if not is_safe(*merged_interval(size, sizes[:place] + sizes[place + 1 :], total), policy):
                return False
    return True
