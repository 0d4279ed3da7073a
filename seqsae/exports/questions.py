"""What is asked of a covariate on the test split: who is known, in which published level, and in which class."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.targets import Target
from seqsae.disclosure.fourfold import Cells, d2_four_cells, fourfold
from seqsae.disclosure.levels import OTHER, d3_merged
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason
from seqsae.disclosure.texts import d13_named
from seqsae.exports.evidence import Evidence

MISSING, REST, EVENT, NO_EVENT, KNOWN = "missing", "all others", "with the event", "without the event", "known"


@dataclass(frozen=True)
class Asked:
    """One covariate: its targets, and the level of each subject of the test split."""

    covariate: str
    kind: str
    unit: str
    aims: list[Target]
    people: pl.DataFrame
    """`subject`, `cluster`, `value`: the published level of everybody in the split."""
    named: bool
    """Whether each subject has one level, so that features can be crossed with them."""

    @property
    def levels(self) -> list[str]:
        """Published levels, sorted."""
        return sorted(self.people["value"].unique().to_list())


def asked(evidence: Evidence, policy: Policy) -> list[Asked]:
    """Every covariate there is a target of, in the targets' order, whose levels hold enough subjects."""
    groups: dict[tuple, list[Target]] = {}
    for aim in evidence.aims:
        groups.setdefault((aim.covariate, aim.kind, aim.unit), []).append(aim)
    found = [_asked(evidence, policy, *key, aims) for key, aims in groups.items()]
    return [one for one in found if one is not None]


def _asked(
    evidence: Evidence, policy: Policy, covariate: str, kind: str, unit: str, aims: list[Target]
) -> Asked | None:
    everybody = evidence.base(policy, "test").people
    values, single = _values(evidence, kind, unit, aims)
    people = everybody.join(values, on="subject", how="left", maintain_order="left").select(
        "subject", "cluster", "value"
    )
    names = d3_merged(people, policy)
    published = [MISSING if names[value] is None else names[value] for value in people["value"].to_list()]
    people = people.with_columns(pl.Series("value", published, dtype=pl.String))
    sizes = people.group_by("value").agg(pl.col("subject").n_unique(), pl.col("cluster").n_unique())
    if any(d1_reason(*size, policy) for _, *size in sizes.iter_rows()):
        return None
    return Asked(covariate, kind, unit, aims, people, single)


def _values(evidence: Evidence, kind: str, unit: str, aims: list[Target]) -> tuple[pl.DataFrame, bool]:
    """`subject`, `value`: a level for each subject of whom anything is known, and whether it has but that one."""
    owner = evidence.units[unit][1]
    if unit != "subject" or len(np.unique(owner)) < len(owner) or kind in ("ordinal", "continuous"):
        known = np.unique(owner[np.logical_or.reduce([np.isfinite(aim.y) for aim in aims])])
        return pl.DataFrame(
            {"subject": known.astype(np.int64), "value": [KNOWN] * len(known)}, schema_overrides={"value": pl.String}
        ), False
    value = np.full(len(owner), None, dtype=object)
    value[np.logical_or.reduce([np.isfinite(aim.y) for aim in aims])] = NO_EVENT if kind == "survival" else REST
    for aim in aims:
        inside = np.isfinite(aim.y) & (_class(aim) == 1)
        value[inside] = EVENT if kind == "survival" else aim.category
    named = d13_named(pl.Series("value", list(value), dtype=pl.String), OTHER)
    return pl.DataFrame({"subject": owner.astype(np.int64), "value": named}).drop_nulls(), True


def _class(aim: Target) -> np.ndarray:
    """[units] 1 in the class, 0 out of it, NaN where unknown: the category, the event, or the upper half."""
    if aim.is_survival:
        return np.where(np.isfinite(aim.y), aim.follow[:, 1], np.nan)
    if aim.is_binary:
        return aim.y
    middle = np.nanmedian(aim.y) if np.isfinite(aim.y).any() else 0.0
    upper = aim.y > middle if (aim.y > middle).any() else aim.y >= middle
    return np.where(np.isfinite(aim.y), upper.astype(float), np.nan)


def cells_of(evidence: Evidence, aim: Target, presence: sp.sparray | None = None) -> tuple[Cells, Cells]:
    """Distinct subjects, and clusters, of each cell of fires x class on the test split, for every feature (or other `presence`)."""
    given, owner = evidence.units[aim.unit]
    here = np.flatnonzero((evidence.people["split"] == "test").to_numpy()[owner])
    inside, subject = _class(aim)[here], owner[here]
    cluster = evidence.people["cluster"].to_numpy()[subject]
    on = sp.csr_array(given if presence is None else presence)[here]
    return fourfold(on, inside, subject), fourfold(on, inside, cluster)


def holds(cells: tuple[Cells, Cells], policy: Policy) -> np.ndarray:
    """[F] whether all four cells hold enough."""
    return d2_four_cells(*cells, policy)


def least(cells: Cells, feature: int, aim: Target) -> int:
    """Subjects of the smaller side that the effect compares: classes, or for numbers those in whom it fires and the others."""
    fires_in, fires_out, silent_in, silent_out = (int(part[feature]) for part in cells)
    if aim.is_binary or aim.is_survival:
        return min(fires_in + silent_in, fires_out + silent_out)
    return min(fires_in + fires_out, silent_in + silent_out)
