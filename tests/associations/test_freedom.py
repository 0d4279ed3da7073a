"""The t quantile of a variance estimated from influences: its degrees of freedom, and what they are for."""

import numpy as np
import pytest
from scipy import stats

from seqsae.associations.freedom import quantile


def test_normal_influences_have_as_many_degrees_as_clusters():
    sums = np.random.default_rng(0).normal(size=200_000)
    assert quantile(sums[:60], 0.05) == pytest.approx(stats.t.isf(0.025, 60), rel=0.02)
    assert quantile(sums, 0.01) == pytest.approx(stats.norm.isf(0.005), rel=1e-3)


def test_few_clusters_that_carry_the_sum_count_twice():
    sums = np.zeros(10_000)
    sums[:6] = [1, -1, 1, -1, 1, -1]
    assert quantile(sums, 0.05) == pytest.approx(stats.t.isf(0.025, 12), rel=1e-3)
    assert quantile(7 * sums, 0.05) == pytest.approx(quantile(sums, 0.05))


def test_it_never_fails_and_has_fewer_degrees_than_clusters():
    for sums, freedom in (([0, 0, 0], 2), ([1, -1, 1, -1], 3), ([3], 1), ([1, -1] * 500, 999)):
        assert quantile(np.array(sums, float), 0.05) == pytest.approx(stats.t.isf(0.025, freedom), rel=1e-12)


def test_means_of_rare_skewed_numbers_are_covered():
    """1 % of units have an exponential number: 15 expected. Normal quantiles miss oftener."""
    rng, hits = np.random.default_rng(1), {"t": 0, "normal": 0}
    for _ in range(2000):
        x = rng.exponential(1, 1500) * (rng.random(1500) < 0.01)
        centred, se = x - x.mean(), x.std(ddof=1) / np.sqrt(1500)
        for name, wide in (("t", quantile(centred, 0.05)), ("normal", stats.norm.isf(0.025))):
            hits[name] += abs(x.mean() - 0.01) <= wide * se
    assert hits["normal"] / 2000 < 0.9 < hits["t"] / 2000
