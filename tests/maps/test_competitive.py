"""The competitive test: least squares by hand, CAMERA's formula, permuted labels, and its size where features of a set go together."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from seqsae.maps.competitive import Widening, camera, competitive, strata


def made(n: int = 60, m: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    stratum = np.arange(n) % 3
    return rng.normal(size=n) + stratum, rng.permutation(n) < m, stratum


def test_without_correlation_it_is_least_squares_on_strata_and_membership():
    z, member, stratum = made()
    fit = sm.OLS(z, np.column_stack([member, *(stratum == s for s in range(3))]).astype(float)).fit()
    found = competitive(z, member, stratum, Widening())
    low, high = fit.conf_int()[0]
    expected = (z[member].mean(), fit.params[0], low, high, fit.pvalues[0])
    assert found == pytest.approx(expected, rel=1e-10)


def test_in_one_stratum_it_is_camera():
    """Wu and Smyth (2012), section 3.4: pooled variance, the set's part of it times 1 + (m - 1) rho."""
    z, member, _ = made(seed=1)
    n, m, rho = 60, 12, 0.3
    delta = n / (n - m) * (z[member].mean() - z.mean())
    variance = ((n - 1) * z.var(ddof=1) - delta**2 * m * (n - m) / n) / (n - 2)
    t = delta / np.sqrt(variance * ((1 + (m - 1) * rho) / m + 1 / (n - m)))
    found = competitive(z, member, np.zeros(n, int), camera(rho, m, n))
    assert found.difference == pytest.approx(delta) and found.p == pytest.approx(2 * stats.t.sf(abs(t), n - 2))


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_labels_permuted_within_strata_agree(shift):
    z, member, stratum = made(120, 24, seed=2)
    z = z + shift * member
    rng, seen = np.random.default_rng(3), []
    found = competitive(z, member, stratum, Widening())
    for _ in range(2000):
        drawn = np.empty_like(member)
        for s in range(3):
            drawn[stratum == s] = rng.permutation(member[stratum == s])
        centred = z - np.array([z[stratum == s].mean() for s in range(3)])[stratum]
        seen.append(abs(centred[drawn].sum()))
    p = (1 + np.sum(np.array(seen) >= abs(centred[member].sum()))) / 2001
    assert abs(np.log((found.p + 0.003) / (p + 0.003))) < 0.35


def test_size_is_kept_where_the_sets_features_go_together_and_lost_if_that_is_not_heard():
    rng, n, m, rho = np.random.default_rng(4), 100, 15, 0.3
    member, heard, deaf = np.arange(n) < m, 0, 0
    for _ in range(600):
        z = rng.normal(size=n)
        z[:m] = np.sqrt(rho) * rng.normal() + np.sqrt(1 - rho) * z[:m]
        heard += competitive(z, member, np.zeros(n, int), camera(rho, m, n)).p < 0.05
        deaf += competitive(z, member, np.zeros(n, int), Widening()).p < 0.05
    assert heard / 600 < 0.08 < 0.25 < deaf / 600


@pytest.mark.parametrize(("n", "m"), [(5, 1), (5, 5), (0, 0), (9, 2), (9, 7)])
def test_too_few_are_not_tested(n, m):
    found = competitive(np.arange(float(n)), np.arange(n) < m, np.zeros(n, int), Widening())
    assert np.isnan(found.p) and np.isnan(found.difference)


def test_a_set_that_fills_its_strata_or_a_z_that_never_varies_is_not_tested():
    z, stratum = np.random.default_rng(0).normal(size=20), np.arange(20) // 10
    assert np.isnan(competitive(z, stratum == 0, stratum, Widening()).p)
    assert np.isnan(competitive(np.ones(20), np.arange(20) < 5, np.zeros(20, int), Widening()).p)


def test_strata_are_groups_of_like_rates():
    rate = np.random.default_rng(0).random(100)
    groups = strata(rate)
    assert np.bincount(groups).tolist() == [20] * 5
    assert all(rate[groups == s].max() < rate[groups == s + 1].min() for s in range(4))
    assert set(strata(rate[:7])) == {0} and len(strata(rate[:0])) == 0
