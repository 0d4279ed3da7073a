"""Cohorts drawn by laws that are known: people in households, whose age and length of record move features and covariates alike.

A feature and a covariate never know of each other but through age, length, stratum, or a hidden state that the caller asks for. So every null
is true by construction given these, though households (and rows of one person) repeat each other on both sides.

Letters: n people or rows, F features, c covariates.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, ndtri

from seqsae.associations.splines import knots, spline
from seqsae.associations.survival.times import Times

HOUSEHOLDS = ((1, 2, 3, 4), (0.3, 0.4, 0.2, 0.1))
"""Sizes and how often they are met."""
ALONE = ((1,), (1.0,))
"""Households of one."""
COVARIATES = ("binary, common", "binary, rare", "numeric")
BINARY = np.array([True, True, False])
AHEAD = np.array([-1.0, -3.8, 0.0])  # on the logit scale: 30 and 4 % of people


class People(NamedTuple):
    """Who is in a cohort; every array is [n]."""

    cluster: np.ndarray
    age: np.ndarray
    length: np.ndarray
    """Rows of the record: longer with age."""

    @property
    def confounding(self) -> np.ndarray:
        """What age and length do to a covariate."""
        return 0.04 * (self.age - 50) + 0.6 * np.log(self.length / 20)

    @property
    def confounders(self) -> np.ndarray:
        """[n, q] as the associations room takes them: splines of age and of log length."""
        return curves(self.age, np.log1p(self.length))

    @property
    def bent(self) -> np.ndarray:
        """[n, 2] what no straight line tells: age as a U with its foot at 50, and whether the record is longer than 30 rows."""
        return np.column_stack([((self.age - 50) / 12) ** 2 - 1, self.length > 30])

    def some(self, kept: np.ndarray) -> "People":
        return People(*(part[kept] for part in self))


def curves(*columns: np.ndarray) -> np.ndarray:
    """[n, q] a spline of each."""
    return np.column_stack([spline(x, knots(x)) for x in columns])


def people(rng: np.random.Generator, n: int, median: int = 20, sizes: tuple = HOUSEHOLDS) -> People:
    """n people in households of these `sizes`, between which half of the spread in age lies, with `median` rows at age 50."""
    cluster = np.repeat(np.arange(n), rng.choice(sizes[0], n, p=sizes[1]))[:n]
    age = 50 + 12 * shared(rng, cluster, 0.5)[:, 0]
    length = np.maximum(2, median * np.exp(0.03 * (age - 50) + 0.5 * rng.normal(size=n))).astype(int)
    return People(cluster, age, length)


def shared(rng: np.random.Generator, cluster: np.ndarray, share: float, columns: int = 1) -> np.ndarray:
    """[n, columns] standard normal numbers of whose variance a cluster shares `share`."""
    common = rng.normal(size=(cluster.max() + 1, columns))[cluster]
    return np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=(len(cluster), columns))


def rates(rng: np.random.Generator, n_features: int) -> np.ndarray:
    """[F] chance to fire at a row, such that features fire in about 0.5 to 60 % of people."""
    return np.exp(rng.uniform(np.log(2.5e-4), np.log(0.05), n_features))


def counts(rng: np.random.Generator, who: People, rate: np.ndarray, lift: np.ndarray | float = 0.0) -> np.ndarray:
    """[n, F] rows at which each feature fires; households differ in how often. `lift` [n, F] is added to log rate."""
    often = rate * np.exp(lift + 0.8 * shared(rng, who.cluster, 0.7, len(rate)))
    return rng.binomial(who.length[:, None], -np.expm1(-often))


def drift(rng: np.random.Generator, who: People, n_features: int) -> np.ndarray:
    """[n, F] what age does to log rates, in every feature otherwise."""
    return rng.normal(0, 0.03, n_features) * (who.age - 50)[:, None]


def pooled(fired: np.ndarray, who: People) -> dict[str, sp.csc_array]:
    """Matrices [n, F] by pooling."""
    return {"presence": sp.csc_array(1.0 * (fired > 0)), "rate": sp.csc_array(fired / who.length[:, None])}


def covariates(rng: np.random.Generator, who: People, more: np.ndarray | float = 0.0) -> np.ndarray:
    """[n, 3] COVARIATES, in which households are alike; `more` [n] is added to the log odds and to the number, whose spread grows with it."""
    eta = more + shared(rng, who.cluster, 0.7)[:, 0]
    binary = rng.random((len(eta), 2)) < expit(eta[:, None] + AHEAD[:2])
    return np.column_stack([binary, eta + np.exp(0.5 * more) * rng.normal(size=len(eta))])


def strata(rng: np.random.Generator, who: People, n_strata: int) -> np.ndarray:
    """[n] stratum of each, of unequal sizes; one household may lie in several."""
    often = 1.0 / np.arange(1, n_strata + 1)
    mine, home = rng.choice(n_strata, (2, len(who.age)), p=often / often.sum())
    return np.where(rng.random(len(who.age)) < 0.8, home[who.cluster], mine)


def follow_up(
    rng: np.random.Generator, who: People, level: float, more: np.ndarray | float
) -> tuple[np.ndarray, Times]:
    """Who lives to enter the study [n], and their follow-up; households share a frailty, hazards rise by exp(level + more)."""
    n = len(who.age)
    end = rng.exponential(1 / np.exp(level + more + 0.7 * shared(rng, who.cluster, 0.7)[:, 0]))
    entry = 1.2 * rng.random(n)
    left = entry + rng.exponential(2.0, n)
    kept = end > entry
    return kept, Times(entry[kept], np.minimum(end, left)[kept], (end <= left)[kept])


class Rows(NamedTuple):
    """Rows of people's records; every array is [n]."""

    person: np.ndarray
    cluster: np.ndarray
    place: np.ndarray
    """Position in the record."""
    who: People
    """[people], not rows."""

    @property
    def confounders(self) -> np.ndarray:
        """[n, q] splines of age, log length and log position."""
        return np.column_stack([self.who.confounders[self.person], curves(np.log1p(self.place))])


def rows(rng: np.random.Generator, n_people: int, median: int = 20) -> Rows:
    """The rows of people's records."""
    who = people(rng, n_people, median)
    person = np.repeat(np.arange(n_people), who.length)
    place = np.arange(len(person)) - np.repeat(np.cumsum(who.length) - who.length, who.length)
    return Rows(person, who.cluster[person], place, who)


def spells(rng: np.random.Generator, at: Rows, columns: int, memory: float = 0.8) -> np.ndarray:
    """[n, columns] standard normal numbers: a third of the variance a person's own, a third of that the household's, the rest a process
    with `memory` from row to row."""
    out, noise = np.empty((2, len(at.place), columns))
    rng.standard_normal(out=noise)
    start = np.flatnonzero(at.place == 0)
    out[start] = noise[start]
    longest = at.who.length
    for t in range(1, int(longest.max())):
        now = start[longest > t] + t
        out[now] = memory * out[now - 1] + np.sqrt(1 - memory**2) * noise[now]
    return np.sqrt(2 / 3) * out + np.sqrt(1 / 3) * shared(rng, at.who.cluster, 1 / 3, columns)[at.person]


def above(values: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Where standard normal numbers are among the `share` highest; bool."""
    return values > -ndtri(share)
