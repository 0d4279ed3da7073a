"""Are some features more associated with a covariate than others that fire as often? A competitive test that hears their correlation.

Letters: F features, h [F] which are in the set, m of them, z [F] test statistics, s the stratum (of firing rate) of each feature, R
[F, F] the correlation of the z under the null.

With z~ and h~ what is left of z and h within strata, d = h~'z~ / h~'h~ is the difference of the set's mean z from that of others of
its strata, and its variance, were the z independent, sigma^2 / h~'h~ (least squares of z on strata and h). Features that go together
have z that go together, so that this is widened by a factor:

- of what is known of R within the set alone, ((1 + (m - 1) rho) (F - m) + m) / F with rho its mean (Wu & Smyth 2012, CAMERA, here with
  strata), which takes all others as independent;
- of all of R, h~'R h~ / h~'h~ times (F - strata - 1) / tr(P R), P the projection off strata and h, which is by how much correlation
  makes sigma^2 look smaller. Size for random covariates with the two large clusters of a study (88 and 33 of 121 features): .20 by the
  former at the level .05, .05 by this.

d over its root has Student's t with F - strata - 1 degrees of freedom, or tr(P R)^2 / tr((P R)^2) if these are fewer (Satterthwaite 1946).
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

FEWEST = 3  # features of a set, and outside it, below which nothing is tested
IN_STRATUM = 20  # features a stratum of firing rates, about
MOST_STRATA = 10


class Competitive(NamedTuple):
    """What a set's mean statistic is above that of others; NaN where nothing is tested."""

    mean: float
    difference: float
    ci_low: float
    ci_high: float
    p: float


NOTHING = Competitive(*[float("nan")] * 5)


class Widening(NamedTuple):
    """How correlation widens the variance of a difference."""

    factor: float = 1.0
    freedom: float = np.inf


def competitive(z: np.ndarray, member: np.ndarray, stratum: np.ndarray, widening: Widening) -> Competitive:
    """Whether `z` [F] (finite) of the `member` [F] bool differs from that of others of the same `stratum` [F]."""
    n, m = len(z), int(member.sum())
    mean = float(z[member].mean()) if m else float("nan")
    df = n - len(np.unique(stratum)) - 1
    if min(m, n - m, df) < FEWEST:
        return NOTHING._replace(mean=mean)
    left, held = (within(values, stratum) for values in (z, member.astype(float)))
    squares = held @ held
    if squares < 1e-9:
        return NOTHING._replace(mean=mean)
    d = float(held @ left / squares)
    se = np.sqrt(((left - d * held) ** 2).sum() / df / squares * widening.factor)
    if not se > 0:
        return NOTHING._replace(mean=mean)
    df = min(df, widening.freedom)
    half = stats.t.ppf(0.975, df) * se
    return Competitive(mean, d, float(d - half), float(d + half), float(2 * stats.t.sf(abs(d) / se, df)))


def within(values: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """`values` [F] or [F, k] less the mean of their stratum."""
    _, code = np.unique(stratum, return_inverse=True)
    means = np.stack([values[code == s].mean(axis=0) for s in range(code.max(initial=-1) + 1)]) if len(code) else values
    return values - means[code]


def strata(rate: np.ndarray) -> np.ndarray:
    """[F] int: features that fire about equally often, in groups of equal size."""
    groups = int(np.clip(len(rate) // IN_STRATUM, 1, MOST_STRATA))
    return np.argsort(np.argsort(rate, kind="stable"), kind="stable") * groups // max(len(rate), 1)


def camera(rho: float, m: int, n: int) -> Widening:
    """Of the mean correlation `rho` within a set of m of n features."""
    return Widening(((1 + (m - 1) * rho) * (n - m) + m) / max(n, 1))
