"""Type-I error: each screening test where it is the right one, and two where they are the wrong ones."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from cohorts import (
    BINARY,
    COVARIATES,
    People,
    above,
    counts,
    covariates,
    drift,
    follow_up,
    people,
    pooled,
    rates,
    rows,
    shared,
    spells,
    strata,
)
from scipy.special import ndtri

from rated.tally import Tally
from seqsae.associations import omnibus
from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.clustered import screen_rows
from seqsae.associations.ranks import RankMatrix, rank_excess
from seqsae.associations.screen import MIN_MINORITY, screen
from seqsae.associations.stratified import rank_strata, screen_strata
from seqsae.associations.survival.null import null_model
from seqsae.associations.survival.score import cox_score
from seqsae.associations.survival.times import Times

N, N_ROWED, FEATURES, SUPPORT = 2000, 400, 60, 10
BANDS = (0.0, 0.02, 0.1, 0.3, 1.0)
"""Edges, of the share of units in which a feature fires."""
LEVELS = (0.05, 0.001, 1e-4)
LEVELLED = {"three levels": (0.5, 0.8), "eight levels, rare": (0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.99)}
"""Quantiles between levels."""
ROW_COVARIATES = ("a person's own", "by row, common", "by row, rare", "by row, numeric")
ROW_BINARY = np.array([True, True, True, False])


class Tested(NamedTuple):
    """p-values of one test in one cohort."""

    test: str
    pooling: str
    covariates: tuple[str, ...]
    firing: np.ndarray
    """[F] share of units."""
    p: np.ndarray
    """[F, c]"""


def without_confounding(rng: np.random.Generator) -> Iterator[Tested]:
    who = people(rng, N)
    y = covariates(rng, who)
    for pooling, x in pooled(counts(rng, who, rates(rng, FEATURES)), who).items():
        found = screen(rank_excess(x), y, who.cluster, SUPPORT, BINARY)
        yield Tested("ranks", pooling, COVARIATES, _firing(x), found.p)


def with_uneven_families(rng: np.random.Generator) -> Iterator[Tested]:
    """Families of eight; in half of them all are of one piece."""
    who = people(rng, N, sizes=((8,), (1.0,)))
    of = _of_one_piece(rng, who)
    fired, y, who = counts(rng, who, rates(rng, FEATURES))[of], covariates(rng, who)[of], who.some(of)
    for pooling, x in pooled(fired, who).items():
        ranks = rank_excess(x)
        found = screen(ranks, y, who.cluster, SUPPORT, BINARY)
        yield Tested("ranks, uneven families", pooling, COVARIATES, _firing(x), found.p)
        found = screen_adjusted(ranks, y, who.confounders, who.cluster, SUPPORT, BINARY, repeats=False)
        yield Tested("adjusted score, uneven families", pooling, COVARIATES, _firing(x), found.p)


def with_survival_of_uneven_families(rng: np.random.Generator) -> Iterator[Tested]:
    who = people(rng, N, sizes=((8,), (1.0,)))
    of = _of_one_piece(rng, who)
    end = rng.exponential(np.exp(-0.7 * shared(rng, who.cluster, 0.7)[:, 0]))[of]
    times = Times(np.zeros(N), np.minimum(end, 2.0), end <= 2.0)
    fired, who = counts(rng, who, rates(rng, FEATURES))[of], who.some(of)
    null = null_model(times, who.confounders)
    for pooling, x in pooled(fired, who).items():
        found = cox_score(rank_excess(x).excess, null, who.cluster)
        p = np.where(found.n_active >= SUPPORT, found.p, np.nan)[:, None]
        yield Tested("Cox score, uneven families", pooling, ("survival, common",), _firing(x), p)


def _of_one_piece(rng: np.random.Generator, who: People) -> np.ndarray:
    """[n] whose values each has: in half of the families all have those of the first."""
    _, first = np.unique(who.cluster, return_index=True)
    alike = rng.random(len(first)) < 0.5
    return np.where(alike[who.cluster], first[who.cluster], np.arange(N))


def with_confounding(rng: np.random.Generator) -> Iterator[Tested]:
    who = people(rng, N)
    z, y = who.confounders, covariates(rng, who, who.confounding)
    fired = counts(rng, who, rates(rng, FEATURES), drift(rng, who, FEATURES))
    for pooling, x in pooled(fired, who).items():
        ranks = rank_excess(x)
        found = screen_adjusted(ranks, y, z, who.cluster, SUPPORT, BINARY, repeats=False)
        yield Tested("adjusted score", pooling, COVARIATES, _firing(x), found.p)
        crude = screen(ranks, y, who.cluster, SUPPORT, BINARY)
        yield Tested("ranks, confounders not told", pooling, COVARIATES, _firing(x), crude.p)


def with_bends(rng: np.random.Generator) -> Iterator[Tested]:
    """Age as a U and a threshold of length move both sides: what only curves can adjust for."""
    who = people(rng, N)
    y = covariates(rng, who, who.bent @ [0.6, 0.8])
    fired = counts(rng, who, rates(rng, FEATURES), who.bent @ rng.normal(0, 0.4, (2, FEATURES)))
    for pooling, x in pooled(fired, who).items():
        found = screen_adjusted(rank_excess(x), y, who.confounders, who.cluster, SUPPORT, BINARY, repeats=False)
        yield Tested("adjusted score, bent", pooling, COVARIATES, _firing(x), found.p)


def with_levels(rng: np.random.Generator) -> Iterator[Tested]:
    """Levels of one covariate, in which households are alike."""
    who = people(rng, N)
    latent = shared(rng, who.cluster, 0.7, len(LEVELLED))
    for pooling, x in pooled(counts(rng, who, rates(rng, FEATURES)), who).items():
        ranks = rank_excess(x)
        p = [level_p(ranks, np.digitize(latent[:, j], ndtri(at)), who) for j, at in enumerate(LEVELLED.values())]
        yield Tested("Kruskal-Wallis", pooling, tuple(LEVELLED), _firing(x), np.column_stack(p))


def level_p(ranks: RankMatrix, code: np.ndarray, who: People) -> np.ndarray:
    """[F]"""
    return omnibus.levels_tested(ranks, code, who.cluster, SUPPORT, (0, "", ""))["p"].fill_null(np.nan).to_numpy()


def within_strata(rng: np.random.Generator) -> Iterator[Tested]:
    """What moves both sides is the stratum, differently for every feature."""
    who, H = people(rng, N), 15
    stratum = strata(rng, who, H)
    lift = rng.normal(0, 0.7, (H, FEATURES))[stratum]
    y = covariates(rng, who, rng.normal(0, 0.7, H)[stratum])
    for pooling, x in pooled(counts(rng, who, rates(rng, FEATURES), lift), who).items():
        found = screen_strata(rank_strata(x, stratum), y, who.cluster, SUPPORT, BINARY)
        yield Tested("ranks in strata", pooling, COVARIATES, _firing(x), found.p)


def with_survival(rng: np.random.Generator) -> Iterator[Tested]:
    everyone = people(rng, 2 * N)
    for name, level in (("survival, common", -1.0), ("survival, rare", -3.5)):
        kept, times = follow_up(rng, everyone, level, everyone.confounding)
        who = everyone.some(kept)
        null = null_model(times, who.confounders)
        fired = counts(rng, who, rates(rng, FEATURES), drift(rng, who, FEATURES))
        for pooling, x in pooled(fired, who).items():
            found = cox_score(rank_excess(x).excess, null, who.cluster)
            enough = (found.n_active >= SUPPORT) & (times.event.sum() >= MIN_MINORITY)
            yield Tested("Cox score", pooling, (name,), _firing(x), np.where(enough, found.p, np.nan)[:, None])


def with_rows(rng: np.random.Generator) -> Iterator[Tested]:
    at = rows(rng, N_ROWED)
    x = _row_features(rng, spells(rng, at, FEATURES))
    y = _row_covariates(rng, at, 0.0)
    ranks = rank_excess(x)
    found = screen_rows(ranks, y, at.cluster, SUPPORT, ROW_BINARY)
    yield Tested("rows, t over clusters", "rows", ROW_COVARIATES, _firing(x), found.p)
    naive = screen(ranks, y, None, SUPPORT, ROW_BINARY)
    yield Tested("rows, taken for independent", "rows", ROW_COVARIATES, _firing(x), naive.p)


def with_rows_confounded(rng: np.random.Generator) -> Iterator[Tested]:
    """Age, length and position move both sides."""
    at = rows(rng, N_ROWED)
    moved = np.column_stack([(at.who.age[at.person] - 50) / 12, (np.log1p(at.place) - 2.3) / 0.8])
    latent = spells(rng, at, FEATURES) + moved @ rng.normal(0, 0.4, (2, FEATURES))
    x = _row_features(rng, latent)
    y = _row_covariates(rng, at, moved @ np.array([0.4, 0.4]))
    found = screen_adjusted(rank_excess(x), y, at.confounders, at.cluster, SUPPORT, ROW_BINARY, repeats=True)
    yield Tested("rows, adjusted score", "rows", ROW_COVARIATES, _firing(x), found.p)


STUDIES = (
    without_confounding,
    with_confounding,
    with_bends,
    within_strata,
    with_levels,
    with_survival,
    with_rows,
    with_rows_confounded,
    with_uneven_families,
    with_survival_of_uneven_families,
)
WRONG = ("ranks, confounders not told", "rows, taken for independent")


def count(tally: Tally, found: Tested) -> None:
    """One cohort's p-values below each level, in all bands of firing and in each."""
    band = np.digitize(found.firing, BANDS[1:-1])
    for j, covariate in enumerate(found.covariates):
        p = found.p[:, j]
        tested = np.isfinite(p)
        for level in LEVELS:
            key = (found.test, covariate, found.pooling, level)
            tally.add((*key, None), p <= level, tested)
            for whole in (covariate, "any"):
                tally.add((found.test, whole, "any", level, None), p <= level, tested)
            for b in range(len(BANDS) - 1):
                tally.add((*key, b), p <= level, tested & (band == b))


def _firing(x: sp.csc_array) -> np.ndarray:
    return np.diff(x.indptr) / x.shape[0]


def _row_features(rng: np.random.Generator, latent: np.ndarray) -> sp.csc_array:
    """Features that fire at 0.5 to 60 % of rows, harder where their latent number is higher."""
    share = np.exp(rng.uniform(np.log(0.005), np.log(0.6), latent.shape[1]))
    return sp.csc_array(np.where(above(latent, share), np.exp(latent), 0))


def _row_covariates(rng: np.random.Generator, at, more: np.ndarray | float) -> np.ndarray:
    """[n, 4] ROW_COVARIATES."""
    own = above(shared(rng, at.who.cluster, 0.5)[:, 0][at.person] + _per_person(at, more), 0.3)
    latent = spells(rng, at, 3) + np.reshape(more, (-1, 1))
    return np.column_stack([own, above(latent[:, 0], 0.25), above(latent[:, 1], 0.03), latent[:, 2]])


def _per_person(at, more: np.ndarray | float) -> np.ndarray | float:
    """What moves a row, without its place: the mean over each person's rows, the same for all of them."""
    if np.ndim(more) == 0:
        return more
    return (np.bincount(at.person, more) / at.who.length)[at.person]
