"""Adjusted effects against statsmodels, and where they are not defined."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import rankdata, t

from seqsae.associations.effects import spearman
from seqsae.associations.freedom import quantile
from seqsae.associations.refits import NOTHING, odds_ratio, partial_spearman, ranked


def cohort(seed, n=300):
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, 2))
    x = np.round(np.maximum(random.normal(size=n) + z[:, 0] - 0.5, 0), 1)
    y = (random.random(n) < 1 / (1 + np.exp(-z[:, 0] - 0.8 * x + 0.5))).astype(float)
    return x, y, z, np.repeat(np.arange(n // 3), 3)


@pytest.mark.parametrize("seed", range(3))
def test_the_odds_ratio_is_that_of_statsmodels(seed):
    x, y, z, cluster = cohort(seed)
    found = odds_ratio(x, y, z, cluster)
    exog = sm.add_constant(np.column_stack([ranked(x), z]))
    model = sm.Logit(y, exog)
    plain = model.fit(disp=False, tol=1e-12)
    assert found.value == pytest.approx(plain.params[1], abs=1e-7) and not found.separated
    half = (found.ci_high - found.ci_low) / 2
    bread, mu = plain.cov_params()[1], plain.predict()
    clusters = [np.flatnonzero(cluster == c) for c in range(cluster.max() + 1)]
    reach = exog @ bread
    share = np.array([(mu * (1 - mu) * reach**2)[c].sum() for c in clusters]) / bread[1]
    votes = np.array([(model.score_obs(plain.params) @ bread)[c].sum() for c in clusters]) / np.sqrt(1 - share)
    assert share.sum() == pytest.approx(1) and share.max() < 0.2
    robust = np.sqrt((votes**2).sum())
    if robust > plain.bse[1]:
        assert half == pytest.approx(quantile(votes, 0.05) * robust, rel=1e-6)
    else:
        assert half == pytest.approx(t.isf(0.025, len(clusters) - 1) * plain.bse[1], rel=1e-6)


def test_what_is_separated_has_a_finite_estimate_and_says_so():
    random = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0], 30)
    x = np.where(y == 1, 1.0 + random.random(60), 0.0)
    found = odds_ratio(x, y, random.normal(size=(60, 1)), np.arange(60))
    assert found.separated and 0 < found.ci_low < found.value < found.ci_high < 20


def test_a_level_of_a_confounder_with_one_class_alone_does_no_harm():
    x, y, z, cluster = cohort(1)
    level = (np.arange(300) < 30).astype(float)
    y = np.where(level == 1, 0, y)
    found = odds_ratio(x, y, np.column_stack([z, level]), cluster)
    without = odds_ratio(x[30:], y[30:], z[30:], cluster[30:])
    scale = ranked(x)[30:].std() / 1.0
    assert not found.separated and found.value * scale == pytest.approx(without.value, rel=0.05)


def test_without_confounders_it_is_spearman():
    x, y, _, cluster = cohort(2)
    y = y + np.random.default_rng(0).normal(size=300)
    found, plain = partial_spearman(x, y, np.zeros((300, 0)), cluster), spearman(x, y, cluster, test=False)
    assert found.value == pytest.approx(plain.value, abs=1e-12)
    assert [found.ci_low, found.ci_high] == pytest.approx([plain.ci_low, plain.ci_high], abs=5e-3)


def test_the_partial_correlation_is_that_of_the_residuals():
    x, y, z, cluster = cohort(3)
    y = z[:, 1] + y + np.random.default_rng(0).normal(size=300)
    found = partial_spearman(x, y, z, cluster)
    design = sm.add_constant(z)
    left = [sm.OLS(rankdata(values), design).fit().resid for values in (x, y)]
    assert found.value == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-10)
    assert found.ci_low < found.value < found.ci_high


@pytest.mark.parametrize("effect", [odds_ratio, partial_spearman])
def test_what_does_not_vary_beyond_the_confounders_has_no_effect(effect):
    x, y, z, cluster = cohort(4)
    for flat in (np.zeros(300), np.ones(300)):
        assert np.isnan(effect(flat, y, z, cluster)).tolist()[:3] == [True] * 3
    told = np.column_stack([z, rankdata(x)])
    assert np.isnan(effect(x, y, told, cluster).value)
    assert np.isnan(odds_ratio(x, np.ones(300), z, cluster).value) and np.isnan(NOTHING.value)
