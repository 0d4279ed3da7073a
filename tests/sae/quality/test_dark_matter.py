import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score

from seqsae.sae.base import Recipe, build
from seqsae.sae.quality.dark_matter import DarkMatter, Regression, fit_error


def _data(n=600, d=5, q=3):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=generator) * torch.tensor([1.0, 0.1, 5, 2, 1]) + torch.tensor([1e4, 0, -3, 5, 0])
    y = x @ torch.randn(d, q, generator=generator) + 0.5 * torch.randn(n, q, generator=generator) + 2
    return x, y


@pytest.mark.parametrize("sizes", [600, 7, [599, 1, 0]])
def test_streaming_least_squares_are_scikit_learns(sizes):
    x, y = _data()
    regression = Regression()
    for a, b in zip(x.split(sizes), y.split(sizes), strict=True):
        regression.update(a, b)
    fit = regression.fit(0.0)
    oracle = LinearRegression().fit(x.double().numpy(), y.double().numpy())
    np.testing.assert_allclose(fit.weights.T, oracle.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit(x), oracle.predict(x.double().numpy()), rtol=1e-8)


def test_ridge_is_scikit_learns_and_a_singular_system_is_solved():
    x, y = _data()
    regression, twice = Regression(), Regression()
    regression.update(x, y)
    variance = (x.double() - x.double().mean(0)).square().sum(0).mean().item()
    oracle = Ridge(alpha=0.3 * variance, solver="cholesky").fit(x.double().numpy(), y.double().numpy())
    np.testing.assert_allclose(regression.fit(0.3).weights.T, oracle.coef_, rtol=1e-6)
    twice.update(torch.cat([x, x], dim=1), y)
    fitted = twice.fit()(torch.cat([x, x], dim=1))
    np.testing.assert_allclose(fitted, regression.fit()(x), atol=1e-4)


def test_the_sums_merge_over_shards():
    x, y = _data()
    whole, one, other = Regression(), Regression(), Regression()
    whole.update(x, y)
    one.update(x[:100], y[:100])
    other.update(x[100:], y[100:])
    one.merge(other)
    one.merge(Regression())
    np.testing.assert_allclose(one.fit().weights, whole.fit().weights, rtol=1e-8)


def _split(x, x_hat, train):
    regression = Regression()
    error = (x - x_hat).double()
    regression.update(x[:train], torch.cat([error, error.square().sum(1, keepdim=True)], dim=1)[:train])
    found = DarkMatter(regression.fit())
    for start in range(train, len(x), 37):
        found.update(x[start : start + 37], x_hat[start : start + 37])
    return found.values()


def test_a_planted_linear_error_is_split_from_noise():
    """x_hat = x - A x - noise, with known variances of both."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(40_000, 6, generator=generator)
    noise = 0.2 * torch.randn(40_000, 6, generator=generator)
    found = _split(x, x - 0.3 * x - noise, 20_000)
    assert found["linear_fvu"] == pytest.approx(0.09, rel=0.03)
    assert found["nonlinear_fvu"] == pytest.approx(0.04, rel=0.03)
    assert found["linear_share"] == pytest.approx(0.09 / 0.13, rel=0.02)


def test_the_shares_are_those_of_scikit_learn_on_rows_it_was_not_fitted_on():
    x, y = _data(1000, 5, 5)
    x, y = x - x.mean(0) + 3, y - y.mean(0)
    x_hat = x - 0.2 * y - 0.1 * y.square()
    found = _split(x, x_hat, 500)
    a, e = x.double().numpy(), (x.double() - x_hat.double()).numpy()
    norm = (e**2).sum(1)
    told = Ridge(1e-6 * 500 * a[:500].var(0).mean()).fit(a[:500], e[:500]).predict(a[500:])
    of_norm = Ridge(1e-6 * 500 * a[:500].var(0).mean()).fit(a[:500], norm[:500]).predict(a[500:])
    left = ((e[500:] - told) ** 2).sum()
    about_mean = lambda v: ((v - v.mean(0)) ** 2).sum()  # noqa: E731
    assert found["linear_share"] == pytest.approx(1 - left / about_mean(e[500:]), rel=1e-6)
    assert found["nonlinear_fvu"] == pytest.approx(left / about_mean(a[500:]), rel=1e-6)
    assert found["norm_r2"] == pytest.approx(r2_score(norm[500:], of_norm), rel=1e-6)
    assert found["linear_fvu"] + found["nonlinear_fvu"] == pytest.approx((e[500:] ** 2).sum() / about_mean(a[500:]))


def test_an_error_that_nothing_linear_predicts_has_no_share():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(20_000, 4, generator=generator)
    found = _split(x, x - (x.square() - 1), 10_000)
    assert abs(found["linear_share"]) < 0.01 and found["nonlinear_fvu"] == pytest.approx(2, rel=0.1)
    assert found["linear_fvu"] == pytest.approx(0, abs=0.02)


def test_the_fit_wants_rows_enough():
    sae = build(Recipe("topk", 8, 16, 2)).eval()
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    assert fit_error(sae, [x[:39]]) is None and fit_error(sae, []) is None
    fit = fit_error(sae, x.split(11))
    assert fit(x).shape == (40, 9)
