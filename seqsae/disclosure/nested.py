"""Cells inside groups: of those in whom a feature fires, how many where it fires on a token, in a bin, after another token."""

from collections.abc import Mapping
from math import log
from typing import NamedTuple

import numpy as np

from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason, d1_rounded, d2_rest_is_safe, d4_dominated, d7_digits
from seqsae.disclosure.safe import COUNT, LABEL, NUMBER_LABEL, STATISTIC, SafeTable, sealed

LEAVES_FEW = "leaves out too few (D2)"
NONE = -1


class Seen(NamedTuple):
    """Observations: n firings of features on N rows of S subjects."""

    feature: np.ndarray
    """[n]"""
    row: np.ndarray
    """[n] on which each fires."""
    label: np.ndarray
    """[N] number of each row's label, NONE without one."""
    subject: np.ndarray
    """[N] 0 to S-1."""
    cluster: np.ndarray
    """[S] 0 or more."""


class Sizes(NamedTuple):
    """Of K cells: who is in each, and what the largest contributors bring to its observations."""

    cell: np.ndarray
    """[K] ascending."""
    subjects: np.ndarray
    clusters: np.ndarray
    total: np.ndarray
    top: np.ndarray
    largest: np.ndarray
    families: np.ndarray
    """[P] cell * clusters + cluster of each pair of them, ascending."""
    members: np.ndarray
    """[P] subjects of each pair."""


def nested(seen: Seen, by: str, names: Mapping[int, str], policy: Policy, most: int | None = None) -> SafeTable:
    """Distinct subjects of each (feature, label), their share of the feature's observations, and the lift of that share.

    D1 and D2 against both margins: a cell that leaves out too few of its feature's subjects counts as all of them, one that leaves
    out too few of the label's holders is withheld. D4: shares and lifts that few subjects make are null. Lift: the share of the
    feature's observations that bear the label over the share of all labelled observations that do; both from rounded counts.

    Args:
        by: what labels are called; names: number to name.
        most: cells a feature at most, those whose share and lift tell most (share x log lift).
    """
    n_labels = int(seen.label.max(initial=0)) + 1
    label = seen.label[seen.row]
    held = seen.label != NONE
    margins = (
        sizes(seen.feature, seen.subject[seen.row], seen.cluster, policy),
        sizes(seen.label[held], seen.subject[held], seen.cluster, policy),
    )
    on = label != NONE
    cells = sizes(seen.feature[on] * n_labels + label[on], seen.subject[seen.row[on]], seen.cluster, policy)
    total = d1_rounded(int(held.sum()), policy)
    made, reasons = [], {}
    for cell in _told(cells, margins, n_labels, seen.cluster, policy, reasons):
        row = _row(cell, total, policy)
        if row is None:
            reasons[LEAVES_FEW] = reasons.get(LEAVES_FEW, 0) + 1
        else:
            made.append(row)
    table = [{"feature": row.pop("feature"), by: names[row.pop("label")], **row} for row in _most(made, most)]
    columns = {"feature": NUMBER_LABEL, by: LABEL, "subjects": COUNT, "share": STATISTIC, "lift": STATISTIC}
    return sealed(("feature", by), policy, table, columns, ("D1", "D2", "D4", "D7", "D9", "D10", "D11"), reasons)


def sizes(cell: np.ndarray, subject: np.ndarray, cluster: np.ndarray, policy: Policy) -> Sizes:
    """Sizes of the cells of n observations.

    Args:
        cell: [n] 0 or more; subject: [n] whose each is; cluster: [S] of each subject.
    """
    n_subjects, n_clusters = len(cluster), int(cluster.max(initial=0)) + 1
    pair, weight = np.unique(cell.astype(np.int64) * n_subjects + subject, return_counts=True)
    owner, who = pair // n_subjects, pair % n_subjects
    found, start, subjects = np.unique(owner, return_index=True, return_counts=True)
    heavy = np.lexsort((-weight, owner))
    rank = np.arange(len(pair)) - np.repeat(start, subjects)
    top = np.where(rank < policy.dominance_top, weight[heavy], 0)
    families, members = np.unique(owner * n_clusters + cluster[who], return_counts=True)
    clusters = np.unique(families // n_clusters, return_counts=True)[1]

    def summed(values: np.ndarray, how=np.add) -> np.ndarray:
        return how.reduceat(values, start) if len(start) else values

    return Sizes(found, subjects, clusters, summed(weight), summed(top), summed(weight, np.maximum), families, members)


def _told(
    cells: Sizes, margins: tuple[Sizes, Sizes], n_labels: int, cluster: np.ndarray, policy: Policy, reasons: dict
):
    """Each cell of enough subjects and clusters with all that the rules ask of it; the others are counted in `reasons`."""
    keys = cells.cell // n_labels, cells.cell % n_labels
    places = [np.searchsorted(margin.cell, key) for margin, key in zip(margins, keys, strict=True)]
    whole = [_whole(cells, margin, place, cluster) for margin, place in zip(margins, places, strict=True)]
    for number, (subjects, clusters) in enumerate(zip(cells.subjects.tolist(), cells.clusters.tolist(), strict=True)):
        if reason := d1_reason(subjects, clusters, policy):
            reasons[reason] = reasons.get(reason, 0) + 1
            continue
        cell = {"feature": int(keys[0][number]), "label": int(keys[1][number]), "here": _of(cells, number)}
        for name, margin, place, inside in zip(("group", "held"), margins, places, whole, strict=True):
            at = int(place[number])
            rest = int(margin.subjects[at]) - subjects, int(margin.clusters[at] - inside[number])
            cell |= {name: _of(margin, at), f"{name} rest": rest}
        yield cell


def _of(sizes: Sizes, at: int) -> tuple[int, int, int, int]:
    """Subjects, then all observations, those of the largest contributors, and of the very largest."""
    return tuple(int(part[at]) for part in (sizes.subjects, sizes.total, sizes.top, sizes.largest))


def _whole(cells: Sizes, margin: Sizes, place: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """[K] clusters of the margin all of whose subjects in it are in the cell."""
    n_clusters = int(cluster.max(initial=0)) + 1
    at = np.searchsorted(cells.cell, cells.families // n_clusters)
    key = margin.cell[place[at]] * n_clusters + cells.families % n_clusters
    inside = cells.members >= margin.members[np.searchsorted(margin.families, key)]
    return np.bincount(at[inside], minlength=len(cells.cell))


def _row(cell: dict, total: int, policy: Policy) -> dict | None:
    """The row of a cell; None if it leaves out too few holders of its label."""
    if not d2_rest_is_safe(*cell["held rest"], policy):
        return None
    here, group, held = cell["here"], cell["group"], cell["held"]
    safe = cell["group rest"][0] and d2_rest_is_safe(*cell["group rest"], policy)
    subjects = d1_rounded(here[0] if safe else group[0], policy)
    told = {"feature": cell["feature"], "label": cell["label"], "subjects": subjects, "share": None, "lift": None}
    if any(d4_dominated(*part[1:], policy) for part in (here, group, held)):
        return told
    share = d1_rounded(here[1], policy) / d1_rounded(group[1], policy)
    lift = share / (d1_rounded(held[1], policy) / total)
    return told | {"share": d7_digits(share, policy.digits), "lift": d7_digits(lift, policy.digits)}


def _most(shown: list[dict], most: int | None) -> list[dict]:
    """Of each feature those that tell most, by what is published of them alone."""
    if most is None:
        return shown
    taken: dict = {}
    kept = []
    for row in sorted(shown, key=_telling):  # stable: ties stand by label
        taken[row["feature"]] = taken.get(row["feature"], 0) + 1
        if taken[row["feature"]] <= most and row["share"] is not None:
            kept.append(row)
    return sorted(kept, key=lambda row: row["feature"])


def _telling(row: dict) -> float:
    return 0.0 if not row["share"] else -row["share"] * log(row["lift"])
