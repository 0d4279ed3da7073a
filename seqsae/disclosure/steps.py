"""Survival and incidence on a grid of enough events a step and enough at risk, never at anybody's own time (D8)."""

from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae.disclosure.bins import d5_edges
from seqsae.disclosure.ladder import d7_statistic
from seqsae.disclosure.policy import Policy
from seqsae.disclosure.rules import d1_reason, d1_rounded
from seqsae.disclosure.safe import COUNT, FLAG, LABEL, NUMBER_LABEL, STATISTIC, SafeTable, sealed

TOO_FEW = "too few events for two steps, or too few at risk (D8)"


class Follow(NamedTuple):
    """Follow-up of n subjects by whether a feature fires."""

    covariate: str
    feature: int
    people: pl.DataFrame
    """`subject`, `cluster`, `fires`, `entry`, `time`, `kind` (0 censored, 1 the event, 2 a competing event)."""


def d8_curves(follows: list[Follow], policy: Policy) -> SafeTable:
    """Of each (covariate, feature) and group the estimate at round times: between two of them at least the threshold have the event, as
    many are at risk at each, and after the last as many have it, or nobody.

    Survival by Kaplan & Meier (1958), or incidence by Aalen & Johansen (1978) where other events compete.
    """
    made, lost = [], 0
    for follow in follows:
        rows = _curve_rows(follow, policy)
        made += rows
        lost += not rows
    columns = {"covariate": LABEL, "feature": NUMBER_LABEL, "fires": FLAG, "what": LABEL, "time": STATISTIC,
               "estimate": STATISTIC, "at_risk": COUNT, "events": COUNT}  # fmt: skip
    by = ("covariate", "feature", "fires", "time")
    return sealed(by, policy, made, columns, ("D1", "D5", "D7", "D8"), {TOO_FEW: lost} if lost else {})


def _curve_rows(follow: Follow, policy: Policy) -> list[dict]:
    groups = {fires: follow.people.filter(pl.col("fires") == fires) for fires in (False, True)}
    if any(d1_reason(len(part), part["cluster"].n_unique(), policy) for part in groups.values()):
        return []
    grid = _grid(follow.people, groups, policy)
    what = "incidence" if (follow.people["kind"] == 2).any() else "survival"
    rows = []
    for fires, part in groups.items():
        for start, end in zip([0.0, *grid], grid, strict=False):
            estimate, at_risk = estimate_at(part, end, what == "incidence")
            events = _events(part, start, end)
            rows.append({
                "covariate": follow.covariate, "feature": follow.feature, "fires": fires, "what": what, "time": end,
                "estimate": d7_statistic(estimate, at_risk - policy.round_to, policy),
                "at_risk": d1_rounded(at_risk, policy), "events": d1_rounded(len(events), policy),
            })  # fmt: skip
    return rows


def _grid(people: pl.DataFrame, groups: dict[bool, pl.DataFrame], policy: Policy) -> list[float]:
    """Round times such that in either group enough have the event between two of them, and enough are at risk."""
    events = people.filter(pl.col("kind") == 1).select("subject", "cluster", pl.col("time").alias("value"))
    if d1_reason(len(events), events["cluster"].n_unique(), policy):
        return []
    grid: list[float] = []
    for edge in d5_edges(events, policy).inner:
        start = grid[-1] if grid else 0.0
        if edge > 0 and all(_step_holds(part, start, edge, policy) for part in groups.values()):
            grid.append(edge)
    while grid and not all(_end_holds(part, grid[-1], policy) for part in groups.values()):
        grid.pop()
    return grid


def _end_holds(part: pl.DataFrame, last: float, policy: Policy) -> bool:
    """Whether nobody or enough have the event after the last time: who knows all events of a group has their number."""
    after = part.filter(pl.col("kind") == 1, pl.col("time") > last)
    return not len(after) or d1_reason(len(after), after["cluster"].n_unique(), policy) is None


def _step_holds(part: pl.DataFrame, start: float, end: float, policy: Policy) -> bool:
    events, left = _events(part, start, end), _at_risk(part, end)
    return all(d1_reason(len(some), some["cluster"].n_unique(), policy) is None for some in (events, left))


def _events(part: pl.DataFrame, start: float, end: float) -> pl.DataFrame:
    """Those with the event after start, up to end."""
    return part.filter(pl.col("kind") == 1, pl.col("time") > start, pl.col("time") <= end)


def _at_risk(part: pl.DataFrame, time: float) -> pl.DataFrame:
    return part.filter(pl.col("entry") < time, pl.col("time") >= time)


def estimate_at(part: pl.DataFrame, at: float, incidence: bool) -> tuple[float, int]:
    """Probability at a time (survival, or incidence of kind 1), and how many are at risk just before it."""
    entry, time, kind = (part[name].to_numpy() for name in ("entry", "time", "kind"))
    survival, risen = 1.0, 0.0
    for moment in np.unique(time[(kind > 0) & (time <= at)]):
        at_risk = ((entry < moment) & (time >= moment)).sum()
        here = kind[time == moment]
        risen += survival * (here == 1).sum() / at_risk
        survival *= 1 - (here > 0 if incidence else here == 1).sum() / at_risk
    return float(risen if incidence else survival), int(((entry < at) & (time >= at)).sum())
