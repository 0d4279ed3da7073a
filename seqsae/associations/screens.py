"""The test that fits each kind of target: ranks for what has two classes or an order, Cox scores for the time to an event."""

from collections.abc import Callable

import numpy as np

from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.clustered import screen_rows
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.screen import MIN_MINORITY, Screen, screen
from seqsae.associations.survival.null import null_model
from seqsae.associations.survival.score import cox_score
from seqsae.associations.survival.times import Times
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.errors import SeqsaeError


def crude_screen(here: Units, aims: list[Target], ranks: RankMatrix, min_support: int) -> Screen:
    """Every feature against every aim over these units; of a survival aim the effect is as in `beyond`."""
    test = screen_rows if here.repeats else screen
    return _each(
        aims,
        lambda some: test(ranks, _values(here, some), here.cluster, min_support, _binary(some)),
        lambda aim: _survival(here, aim, ranks, None, min_support),
    )


def beyond(here: Units, aims: list[Target], ranks: RankMatrix, z: np.ndarray, min_support: int) -> Screen:
    """The same given the confounders `z` [units, q]; effects as in `screen_adjusted`, of a survival aim the one-step log hazard
    ratio for a standard deviation of the feature's ranks (Cox 1972), which is too large where it is large."""
    there = np.isfinite(z).all(axis=1)
    filled = np.where(there[:, None], z, 0)

    def plain(some: list[Target]) -> Screen:
        free = np.array([aim.same_as is None for aim in some])
        y = np.where(there[:, None] & free, _values(here, some), np.nan)
        return screen_adjusted(ranks, y, filled, here.cluster, min_support, _binary(some), here.repeats)

    return _each(
        aims,
        plain,
        lambda aim: _survival(here, aim, ranks, z, min_support),
    )


def times_of(here: Units, aim: Target, z: np.ndarray | None = None) -> tuple[np.ndarray, Times | None]:
    """Which of the units have a value, and one of each confounder `z`, and their follow-up; None where nobody of them has the event."""
    y, follow = aim.y[here.chosen], aim.follow[here.chosen]
    known = np.isfinite(y) & (True if z is None else np.isfinite(z).all(axis=1))
    if not (follow[known, 1] == 1).any():
        return known, None
    return known, Times(follow[known, 0], y[known], follow[known, 1])


def _values(here: Units, aims: list[Target]) -> np.ndarray:
    return np.column_stack([aim.y[here.chosen] for aim in aims])


def _binary(aims: list[Target]) -> np.ndarray:
    return np.array([aim.is_binary for aim in aims])


def _each(aims: list[Target], plain: Callable[[list[Target]], Screen], survival: Callable[[Target], Screen]) -> Screen:
    """Aims of either kind tested in their own way, in the order given."""
    others = [aim for aim in aims if not aim.is_survival]
    found = iter(_columns(plain(others), len(others)) if others else ())
    columns = [survival(aim) if aim.is_survival else next(found) for aim in aims]
    return Screen(*[np.concatenate(part, axis=-1) for part in zip(*columns, strict=True)])


def _columns(found: Screen, n: int) -> list[Screen]:
    return [Screen(*[part[..., [j]] for part in found]) for j in range(n)]


def _survival(here: Units, aim: Target, ranks: RankMatrix, z: np.ndarray | None, min_support: int) -> Screen:
    if here.repeats:
        raise SeqsaeError(
            f"covariate {aim.covariate!r}: survival holds once for each subject, and this view has several samples of some; "
            "give a view with one prediction time a subject"
        )
    known, times = times_of(here, aim, z)
    none, count = np.full((len(ranks.base), 1), np.nan), np.zeros((len(ranks.base), 1), np.int64)
    n = np.array([int(known.sum())])
    if times is None:
        return Screen(none, none, none, count, n, np.zeros(1, np.int64), np.array([False]))
    kept = ranks if known.all() else rank_excess(ranks.excess[np.flatnonzero(known)])
    cluster = here.cluster[known]
    null = null_model(times, None if z is None else z[known])
    found = cox_score(kept.excess, null, cluster if len(np.unique(cluster)) < len(cluster) else None)
    enough = (found.n_active >= min_support) & (times.event.sum() >= MIN_MINORITY) & null.fit.converged
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = np.where(found.v > 0, found.u / found.v, np.nan) * np.sqrt(kept.sum2 / kept.n)
    p, events = np.where(enough, found.p, np.nan), np.array([int(times.event.sum())])
    return Screen(effect[:, None], found.z[:, None], p[:, None], found.n_active[:, None], n, events, np.array([False]))
