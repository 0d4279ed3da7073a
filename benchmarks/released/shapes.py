"""Cohorts of the odd shapes that data come in: one row a subject, few people, one huge household, covariates that say nothing."""

from dataclasses import replace

import numpy as np
import polars as pl
import scipy.sparse as sp

from released.cohorts import Cohort, cohort, presence_of
from seqsae.exports.evidence import Evidence

SHAPES = 8
FEW = (3, 4, 5, 9, 10, 11)
"""How many subjects a feature leaves out, or fires in."""


def shaped(seed: int) -> Cohort:
    """A random cohort; of every eight one with a row a subject, one of few, one of a huge household and one whose covariates are empty."""
    rng = np.random.default_rng(seed)
    kind = seed % SHAPES
    if kind == 5:
        return cohort(seed, int(rng.integers(11, 90)))
    one = cohort(seed)
    if kind == 4:
        return one._replace(evidence=_single(one.evidence, rng))
    if kind == 6:
        return _huge_household(one, rng)
    return one._replace(evidence=_empty(one.evidence, rng)) if kind == 7 else one


def _single(evidence: Evidence, rng: np.random.Generator) -> Evidence:
    """The first row of each alone: tokens, years and places then divide the subjects of a feature between them."""
    first = np.unique(evidence.rows["subject"].to_numpy(), return_index=True)[1]
    rows = evidence.rows[first].with_columns(year=pl.Series(2000 + rng.poisson(4, len(first))))
    odds = rng.uniform(0.2, 0.98, evidence.codes.shape[1])
    return _with_codes(evidence, rows, rng.random((len(first), len(odds))) < odds)


def _empty(evidence: Evidence, rng: np.random.Generator) -> Evidence:
    """Covariates that are the same in all, or known of nobody; features of a few, and of all but a few."""
    owner, n = evidence.rows["subject"].to_numpy(), len(evidence.people)
    on = np.zeros((len(owner), evidence.codes.shape[1]), bool)
    for feature in range(on.shape[1]):
        number = int(rng.choice(FEW))
        chosen = rng.permutation(n) < (number if feature % 3 == 0 else n - number if feature % 3 == 1 else n)
        on[:, feature] = chosen[owner]
    values = (np.zeros, np.ones, lambda size: np.full(size, np.nan))
    aims = [
        replace(aim, y=values[int(rng.integers(3))](len(aim.y))) if aim.covariate in ("sick", "income") else aim
        for aim in evidence.aims
    ]
    return replace(_with_codes(evidence, evidence.rows, on), aims=aims)


def _with_codes(evidence: Evidence, rows: pl.DataFrame, on: np.ndarray) -> Evidence:
    """The evidence with features that fire on these rows [N, F]."""
    codes = sp.csr_array(np.where(on, 1.0 + np.arange(len(on))[:, None] % 7, 0.0))
    owner, everybody = rows["subject"].to_numpy(), np.arange(len(evidence.people))
    units = {"subject": (presence_of(codes, owner, len(everybody)), everybody), "token": (codes, owner)}
    return replace(evidence, rows=rows, codes=codes, units=units)


def _huge_household(one: Cohort, rng: np.random.Generator) -> Cohort:
    """Half of them under one roof."""
    cluster = np.where(rng.random(len(one.evidence.people)) < 0.5, 0, one.evidence.people["cluster"].to_numpy() + 1)
    people = one.evidence.people.with_columns(cluster=pl.Series(cluster))
    subjects = one.subjects.with_columns(pl.format("home-{}", pl.Series("cluster", cluster)).alias("cluster"))
    return one._replace(evidence=replace(one.evidence, people=people), subjects=subjects)
