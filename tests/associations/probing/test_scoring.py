"""Differences of effects against their definition and a bootstrap of clusters."""

import numpy as np
import pytest
from features.small_stores import store_of
from scipy.special import logit
from scipy.stats import spearmanr
from sklearn.metrics import r2_score, roc_auc_score

from seqsae.associations.effects import auroc, spearman
from seqsae.associations.probing.folds import HeldOut
from seqsae.associations.probing.scoring import WIDER, difference, effect, r_squared
from seqsae.associations.survival.concordance import harrell_c
from seqsae.associations.survival.times import Times
from seqsae.associations.targets import Target

N = 400


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    store = store_of(
        tmp_path_factory.mktemp("s"), np.ones(N, int), split=["select", "test"] * (N // 2), cluster=np.arange(N) // 2
    )
    return HeldOut(store, "subject")


def scores(seed):
    """A target of each kind, clusters of two, and two scores of which the second is the better."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.normal(size=N // 2), 2) + rng.normal(0, 0.5, N)
    one, other = (np.round(truth + rng.normal(0, s, N), 1) for s in (2, 1))
    binary = Target("b", "1", "binary", "subject", (truth + rng.normal(size=N) > 0).astype(float))
    number = Target("c", None, "continuous", "subject", np.round(truth + rng.normal(size=N), 1))
    time, event = np.round(rng.exponential(np.exp(-truth)) + 0.01, 2), rng.random(N) < 0.7
    survival = Target("s", None, "survival", "subject", time, np.column_stack([0 * time, event, 0 * time]))
    return one, other, {"binary": binary, "continuous": number, "survival": survival}


def measured(aim, x, rows):
    if aim.is_survival:
        return harrell_c(x[rows], Times(None, aim.y[rows], aim.follow[rows, 1])).value
    return roc_auc_score(aim.y[rows], x[rows]) if aim.is_binary else spearmanr(x[rows], aim.y[rows]).statistic


@pytest.mark.parametrize("kind", ["binary", "continuous", "survival"])
def test_a_difference_is_one_effect_less_the_other_with_the_spread_of_a_bootstrap(here, kind):
    one, other, aims = scores(0)
    aim, rng = aims[kind], np.random.default_rng(1)
    found = difference(aim, other, one, here)
    rows = np.arange(N)
    assert found.value == pytest.approx(measured(aim, other, rows) - measured(aim, one, rows), abs=1e-12)
    assert effect(aim, one, here).value == pytest.approx(measured(aim, one, rows), abs=1e-12)
    draws = []
    for _ in range(300):
        drawn = rng.integers(0, N // 2, N // 2)
        rows = np.concatenate([2 * drawn, 2 * drawn + 1])
        draws.append(measured(aim, other, rows) - measured(aim, one, rows))
    assert (found.ci_high - found.ci_low) / (2 * 1.96 * WIDER) == pytest.approx(np.std(draws), rel=0.15)
    assert difference(aim, one, one, here) == (0, 0, 0)


def test_units_without_a_score_do_not_count(here):
    one, other, aims = scores(2)
    one, other = one.copy(), other.copy()
    one[:50] = np.nan
    other[40:60] = np.nan
    rows = np.arange(60, N)
    for name, measure in (("binary", auroc), ("continuous", spearman)):
        aim = aims[name]
        wanted = measure(one[50:], aim.y[50:], here.cluster[50:], test=False)
        forth = logit if name == "binary" else np.arctanh
        given, plain = (forth(np.array(part[:3])) for part in (effect(aim, one, here), wanted))
        np.testing.assert_allclose(given - given[0], WIDER * (plain - plain[0]), atol=1e-9)
        found = difference(aim, other, one, here)
        assert found.value == pytest.approx(measured(aim, other, rows) - measured(aim, one, rows))


def test_scores_that_are_always_right_keep_their_exact_bound(here):
    aim = Target("b", "1", "binary", "subject", (np.arange(N) // 2 % 2).astype(float))
    found = effect(aim, aim.y, here)
    assert found[:3] == auroc(aim.y, aim.y, here.cluster, test=False)[:3] and found.value == 1 and found.ci_low < 1


def test_nothing_to_compare_gives_nan(here):
    aim = Target("b", "1", "binary", "subject", np.ones(N))
    assert np.isnan(difference(aim, np.zeros(N), np.zeros(N), here)).all()
    assert np.isnan(effect(aim, np.zeros(N), here).value)


def test_r_squared_is_that_of_scikit_learn_where_the_mean_is_the_same():
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    guess = y + rng.normal(size=50)
    assert r_squared(y, guess, np.full(50, y.mean())) == pytest.approx(r2_score(y, guess))
    y[3] = np.nan
    assert np.isfinite(r_squared(y, guess, np.zeros(50))) and np.isnan(r_squared(np.ones(9), np.ones(9), np.ones(9)))
