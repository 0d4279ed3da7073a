"""Size of the rank test at and far beyond 0.05, over how often features fire, how rare covariates are, and how many people there are.

Of a binary feature with a binary covariate among people who live alone it is exact, by the hypergeometric law. Households are simulated.
"""

import numpy as np
import scipy.sparse as sp
from cohorts import above, people, shared
from scipy import stats

from rated.tally import Tally
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import MIN_MINORITY, rare_p, screen

LEVELS = np.array([0.05, 0.01, 1e-3, 1e-4])
PEOPLE = (300, 1000, 5000)
SHARES = (0.01, 0.05, 0.2, 0.5)
"""Of people in whom a feature fires, or who have a covariate."""
CELLS = ((0.01, 0.01), (0.01, 0.5), (0.05, 0.05), (0.05, 0.2), (0.5, 0.01), (0.2, 0.2), (0.5, 0.5))
"""(firing, covariate) of the simulated ones."""
SUPPORT, PAIRS_OF = 10, 300
DRAWS = (60, 10)
"""Of counts, with fewer than 20 meetings expected and with more."""
REGISTER = (300, 1000, 5000, 100_000, 1_000_000)
MANY = 400
"""Pairs of counts for each of these numbers of people."""
FEWEST = 2.0
"""Meetings to expect, from which the size at 0.05 is held to a bar: with fewer, no test of so few values can have it."""


def size(n: int, active: int, positive: int) -> np.ndarray:
    """[4] chance, times the level, that p is at or below it; p as `screen` finds it without clusters."""
    mean = active * positive / n
    most = min(active, positive, int(mean + 15 * np.sqrt(mean) + 40))
    both = np.arange(max(0, active + positive - n), most + 1)
    variance = mean * (n - active) * (n - positive) / (n * (n - 1))
    # Of the hypergeometric law (Johnson, Kemp & Kotz 2005, section 6.3).
    skew = (n - 2 * active) * (n - 2 * positive) / (n * (n - 2) * np.sqrt(variance))
    p = rare_p((both - mean) / np.sqrt(variance), np.full(len(both), skew))
    chance = stats.hypergeom.pmf(both, n, active, positive)
    return np.array([chance[p <= level].sum() for level in LEVELS]) / LEVELS


def exact(rng: np.random.Generator, n: int, firing: float, having: float) -> tuple[np.ndarray, int]:
    """(mean size over counts as people chance to have them, [4]; of how many counts that have support)."""
    counts = [(rng.binomial(n, firing), rng.binomial(n, having)) for _ in range(DRAWS[n * firing * having >= 20])]
    sizes = [size(n, *both) for both in counts if both[0] >= SUPPORT and both[1] >= MIN_MINORITY]
    return np.mean(sizes, axis=0) if sizes else np.full(len(LEVELS), np.nan), len(sizes)


def worst(rng: np.random.Generator, n: int) -> np.ndarray:
    """[4] the largest size of any of MANY counts between support and a half."""
    found = []
    for _ in range(MANY):
        active, positive = (int(np.exp(rng.uniform(np.log(least), np.log(n / 2)))) for least in (SUPPORT, MIN_MINORITY))
        if active * positive / n < 300:  # beyond it, size is the level
            found.append(size(n, active, positive))
    return np.max(found, axis=0)


def simulated(tally: Tally, rng: np.random.Generator, n: int, cell: tuple[float, float]) -> None:
    """One cohort, with 300 features and 300 covariates of one cell in which households are alike; every other feature a rate."""
    who = people(rng, n)
    firing, having = cell
    latent = shared(rng, who.cluster, 0.7, PAIRS_OF)
    x = above(latent, firing) * np.where(np.arange(PAIRS_OF) % 2, 1.0, rng.random((n, PAIRS_OF)))
    y = above(shared(rng, who.cluster, 0.7, PAIRS_OF), having) * 1.0
    p = screen(rank_excess(sp.csc_array(x)), y, who.cluster, SUPPORT).p
    for level in LEVELS:
        tally.add((n, *cell, level), p <= level, np.isfinite(p))
