"""Lambda: its value by hand, its interval by simulation."""

import numpy as np
import pytest
from scipy import stats

from seqsae.associations.inflation import MEDIAN, inflation
from seqsae.errors import SeqsaeError


def test_lambda_is_the_median_over_that_of_chi_squared():
    assert pytest.approx(stats.chi2.median(1), rel=1e-12) == MEDIAN
    z = np.random.default_rng(0).normal(size=(501, 3)) * [1, 2, 1]
    z[:30, 1] = np.nan
    z[49:, 2] = np.nan
    one, two, none = inflation(z)
    assert one.value == pytest.approx(np.median(z[:, 0] ** 2) / stats.chi2.median(1))
    assert two.value == pytest.approx(np.median(z[30:, 1] ** 2) / stats.chi2.median(1)) and 3 < two.value < 5
    assert (one.n_features, two.n_features, none) == (501, 471, None)
    assert one.ci_low < one.value < one.ci_high and one.ci_low < 1 < one.ci_high


@pytest.mark.parametrize("n", [50, 51, 400])
def test_the_interval_covers_as_the_binomial_law_says(n):
    z = np.random.default_rng(1).normal(size=(n, 4000))
    covered = np.mean([one.ci_low <= 1 <= one.ci_high for one in inflation(z)])
    k = stats.binom.ppf(0.025, n, 0.5)
    exact = 1 - 2 * stats.binom.cdf(k - 1, n, 0.5)
    assert exact >= 0.95 and covered == pytest.approx(exact, abs=0.012)


def test_a_vector_is_refused():
    with pytest.raises(SeqsaeError, match="give a matrix"):
        inflation(np.zeros(60))
