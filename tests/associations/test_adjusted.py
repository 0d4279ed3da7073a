"""The adjusted screen against statsmodels, and against the same written out densely in float64."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import rankdata

from seqsae.associations.adjusted import screen_adjusted
from seqsae.associations.nulls import basis, logistic_fit, null_models
from seqsae.associations.ranks import rank_excess
from seqsae.associations.splines import PLACES, knots, spline


def cohort(seed, n=120, n_features=7, q=3):
    """Sparse features with ties that go with the confounders, a binary and a numeric covariate."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(n, q))
    x = np.round(np.maximum(random.normal(size=(n, n_features)) + 0.5 * z[:, :1] - 0.8, 0), 1)
    y = np.column_stack([random.random(n) < 1 / (1 + np.exp(-z[:, 0])), np.round(z[:, 0] + random.normal(size=n), 1)])
    return x, y.astype(float), z, np.repeat(np.arange(n // 2), 2)


def ranked(x):
    return np.column_stack([rankdata(column) for column in x.T])


@pytest.mark.parametrize("seed", range(4))
def test_the_logistic_score_is_that_of_statsmodels(seed):
    x, y, z, _ = cohort(seed)
    found = screen_adjusted(
        rank_excess(sparse.csc_array(x)), y[:, :1], z, np.arange(len(x)), 1, np.array([True]), False
    )
    exog = sm.add_constant(z)
    null = sm.GLM(y[:, 0], exog, sm.families.Binomial()).fit(tol=1e-14)
    for j, r in enumerate(ranked(x).T):
        chi2 = _score(null, exog, r)
        assert found.z[j, 0] ** 2 == pytest.approx(chi2, rel=1e-7)


def _score(null, exog, r):
    """(x'(y - mu))^2 over the efficient information, from statsmodels' own fit."""
    mu = null.fittedvalues
    w = mu * (1 - mu)
    u = r @ (null.model.endog - mu)
    cross = exog.T @ (w * r)
    return u**2 / (r @ (w * r) - cross @ np.linalg.solve(exog.T @ (w[:, None] * exog), cross))


@pytest.mark.parametrize("seed", range(4))
def test_the_partial_correlation_is_that_of_least_squares(seed):
    x, y, z, _ = cohort(seed)
    found = screen_adjusted(
        rank_excess(sparse.csc_array(x)), y[:, 1:], z, np.arange(len(x)), 1, np.array([False]), False
    )
    target = rankdata(y[:, 1])
    for j, r in enumerate(ranked(x).T):
        fit = sm.OLS(target, sm.add_constant(np.column_stack([r, z]))).fit()
        t = fit.tvalues[1]
        assert found.effect[j, 0] == pytest.approx(t / np.sqrt(t**2 + fit.df_resid), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_every_number_is_that_of_the_dense_formula(seed, binary):
    x, y, z, cluster = cohort(seed, n=60, n_features=4, q=2)
    y = y[:, [0 if binary else 1]]
    if len(np.unique(y)) < 2:
        return
    ranks = rank_excess(sparse.csc_array(x))
    found = screen_adjusted(ranks, y, z, cluster, 1, np.array([binary]), True)
    exog = basis(np.column_stack([np.ones(len(z)), z]))
    null = null_models(y, exog, np.array([binary]))
    r, w = null.residual[:, 0], null.variance[:, 0]
    root = np.sqrt(w) if binary else np.ones(len(w))
    for j, rank in enumerate(ranked(x).T):
        g = np.linalg.lstsq(exog * root[:, None], rank * root, rcond=None)[0]
        left = rank - exog @ g
        if left @ left < 1e-6:
            continue
        sums = np.bincount(cluster, left * r)
        n = len(sums)
        t = sums.sum() / np.sqrt(n / (n - 1) * ((sums - sums.mean()) ** 2).sum())
        assert found.z[j, 0] == pytest.approx(t, rel=1e-6, abs=1e-8)
        plain = screen_adjusted(ranks, y, z, np.arange(len(x)), 1, np.array([binary]), False)
        assert plain.z[j, 0] == pytest.approx((rank @ r) / np.sqrt(left**2 @ w), rel=1e-6, abs=1e-8)


def test_dense_and_sparse_features_are_tested_alike():
    x, y, z, cluster = cohort(0)
    one, other = (
        screen_adjusted(rank_excess(form), y, z, cluster, 1, np.array([True, False]), True)
        for form in (x, sparse.csc_array(x))
    )
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b, rel=1e-8, abs=1e-10)


def test_who_has_no_value_is_left_out_with_features_and_confounders():
    x, y, z, cluster = cohort(1)
    gone = np.arange(len(x)) % 5 == 0
    holes = np.where(gone[:, None], np.nan, y)
    kinds = np.array([True, False])
    found = screen_adjusted(rank_excess(sparse.csc_array(x)), holes, z, cluster, 1, kinds, False)
    alone = screen_adjusted(
        rank_excess(sparse.csc_array(x[~gone])), y[~gone], z[~gone], cluster[~gone], 1, kinds, False
    )
    assert found.p == pytest.approx(alone.p) and found.effect == pytest.approx(alone.effect)
    assert found.n.tolist() == [(~gone).sum()] * 2


def test_what_the_confounders_tell_outright_has_no_effect_of_its_own():
    x, y, z, cluster = cohort(2)
    own = (z[:, 0] > 0).astype(float)
    doubled = np.column_stack([z, z, own])  # collinear, and y is one of them
    x = np.column_stack([x, own])
    found = screen_adjusted(
        rank_excess(sparse.csc_array(x)),
        np.column_stack([own, y[:, 1]]),
        doubled,
        cluster,
        1,
        np.array([True, False]),
        False,
    )
    assert np.isnan(found.p[:, 0]).all()  # separated: nothing is left to test
    assert np.isnan(found.p[-1, 1]) and np.isfinite(found.p[:-1, 1]).all()


def test_a_group_in_which_nobody_has_it_carries_no_weight():
    random = np.random.default_rng(0)
    z = (np.arange(300) < 60).astype(float)
    y = np.where(z == 1, 0.0, random.random(300) < 0.4)
    mu = logistic_fit(y, basis(np.column_stack([np.ones(300), z])))
    assert mu[:60].max() < 1e-6 and mu[60:] == pytest.approx(y[60:].mean(), abs=1e-6)


def test_splines_are_straight_beyond_their_knots_and_smooth_at_them():
    random = np.random.default_rng(0)
    at = knots(random.normal(size=500))
    assert len(at) == 5
    x = np.linspace(at[0] - 3, at[-1] + 3, 6001)
    basis_ = spline(x, at)
    assert basis_.shape == (6001, 4) and (basis_[:, 0] == x).all()
    step = x[1] - x[0]
    second = np.diff(basis_, 2, axis=0) / step**2
    outside = (x[1:-1] < at[0] - step) | (x[1:-1] > at[-1] + step)
    assert np.abs(second[outside]).max() < 1e-6 < np.abs(second).max()
    assert np.abs(np.diff(second, axis=0)).max() < 0.1  # second derivative without jumps


def test_knots_of_what_hardly_varies():
    assert knots(np.repeat([1.0, 2.0], 50)).tolist() == []
    assert knots(np.r_[np.zeros(50), np.arange(50)]).tolist() == [0, 22, 44]
    assert knots(np.array([np.nan])).tolist() == [] and sorted(PLACES) == [3, 4, 5]
    assert spline(np.array([3.0]), np.zeros(0)).tolist() == [[3.0]]
