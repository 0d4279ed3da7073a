"""Cox models against lifelines, statsmodels and a slow reference, with ties, delayed entry and clusters."""

import warnings

import numpy as np
import pytest
from associations.survival import brute
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.associations.survival.cox import fit_cox
from seqsae.associations.survival.times import Times
from seqsae.errors import SeqsaeError


def lifelines_fit(times, Z, cluster=None):
    """Coefficients and standard errors of lifelines, whose own warnings are no concern here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from lifelines import CoxPHFitter

        frame = (
            pd.DataFrame(Z).add_prefix("z").assign(entry=times.entry, time=times.time, event=times.event.astype(int))
        )
        options = {"entry_col": "entry"}
        if cluster is not None:
            frame, options = frame.drop(columns="entry").assign(cluster=cluster), {"cluster_col": "cluster"}
        fitter = CoxPHFitter().fit(frame, "time", "event", **options, fit_options={"precision": 1e-11})
    return fitter.params_.to_numpy(), fitter.standard_errors_.to_numpy(), fitter.log_likelihood_


@pytest.mark.parametrize("tied", [False, True])
def test_efron_with_delayed_entry_as_lifelines(tied):
    rng = np.random.default_rng(0)
    times = brute.random_times(rng, 300, tied=tied)
    times = Times(np.maximum(times.entry - 0.1, 0), times.time, times.event)  # entries tied with events are not
    Z = rng.normal(size=(300, 3)) * [1, 0.1, 20] + [0, 5, 300]
    fit = fit_cox(times, Z)
    expected, errors, log_likelihood = lifelines_fit(times, Z)
    np.testing.assert_allclose((fit.coefficients - expected) / errors, 0, atol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), errors, rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-8)
    assert fit.converged and not fit.monotone.any() and not fit.aliased.any()


def test_cluster_variance_as_lifelines():
    rng = np.random.default_rng(1)
    times = brute.random_times(rng, 200, delayed=False, tied=False)
    Z, cluster = rng.normal(size=(200, 2)), rng.integers(0, 40, 200)
    fit = fit_cox(times, Z, cluster)
    expected, errors, _ = lifelines_fit(times, Z, cluster)
    np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.robust)), errors, rtol=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_ties_as_statsmodels(ties):
    from statsmodels.duration.api import PHReg

    rng = np.random.default_rng(2)
    times = brute.random_times(rng, 150, delayed=False)
    Z = rng.normal(size=(150, 2))
    model = PHReg(times.time, Z, status=times.event.astype(int), ties=ties).fit(disp=0)
    fit = fit_cox(times, Z, ties=ties)
    np.testing.assert_allclose(fit.coefficients, model.params, rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), model.bse, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 40), st.sampled_from(["efron", "breslow"]), st.booleans(), st.booleans())
def test_stationary_and_variances_exact(seed, n, ties, delayed, tied):
    rng = np.random.default_rng(seed)
    times = brute.random_times(rng, n, delayed, tied)
    Z, cluster = rng.normal(size=(n, 2)), rng.integers(0, max(2, n // 3), n)
    fit = fit_cox(times, Z, cluster, ties)
    assert fit.null_log_likelihood == pytest.approx(brute.likelihood(times, Z, np.zeros(2), ties)[0], abs=1e-9)
    if fit.monotone.any() or fit.aliased.any():
        return
    value, score, information = brute.likelihood(times, Z, fit.coefficients, ties)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(value, abs=1e-9)
    moved = np.linalg.solve(information, score)
    np.testing.assert_allclose(moved, 0, atol=1e-7)
    inverse = np.linalg.inv(information)
    np.testing.assert_allclose(fit.covariance, inverse, rtol=1e-6, atol=1e-9 * np.abs(inverse).max())
    squares = brute.cluster_squares(brute.residuals(times, Z, fit.coefficients, ties), cluster)
    robust = inverse @ squares @ inverse
    np.testing.assert_allclose(fit.robust, robust, rtol=1e-6, atol=1e-7 * np.abs(inverse).max())


def test_columns_without_information_are_told():
    rng = np.random.default_rng(3)
    times = brute.random_times(rng, 100)
    Z = rng.normal(size=(100, 2))
    fit = fit_cox(times, np.column_stack([Z[:, 0], np.full(100, 3.3), Z[:, 1], Z[:, 0] - 2 * Z[:, 1] + 7]))
    assert fit.aliased.tolist() == [False, True, False, True]
    assert np.isnan(fit.coefficients[fit.aliased]).all() and np.isnan(np.diag(fit.robust)[fit.aliased]).all()
    alone = fit_cox(times, Z)
    np.testing.assert_allclose(fit.coefficients[[0, 2]], alone.coefficients, rtol=1e-9)
    np.testing.assert_allclose(fit.robust[np.ix_([0, 2], [0, 2])], alone.robust, rtol=1e-9)


@pytest.mark.parametrize("prevalence", [0.02, 0.5])
def test_separation_is_told_and_spares_the_others(prevalence):
    rng = np.random.default_rng(4)
    times = brute.random_times(rng, 400)
    never = ~times.event & (rng.random(400) < prevalence)
    Z = np.column_stack([never, rng.normal(size=400)])
    fit = fit_cox(times, Z)
    assert fit.converged and fit.monotone.tolist() == [True, False] and fit.coefficients[0] < -8
    without = fit_cox(Times(times.entry[~never], times.time[~never], times.event[~never]), Z[~never, 1:])
    np.testing.assert_allclose(fit.coefficients[1], without.coefficients[0], atol=1e-6)


def test_units_never_at_risk_change_nothing():
    rng = np.random.default_rng(8)
    times = brute.random_times(rng, 100)
    Z = rng.normal(size=(100, 2))
    early, late = (np.append(part, extra) for part, extra in ((times.entry, [0, 90]), (times.time, [0.01, 99])))
    more = Times(early, late, np.append(times.event, [0, 0]))
    found = fit_cox(more, np.vstack([Z, [[1e9, -1e9], [-1e9, 1e9]]]))
    for one, other in zip(found, fit_cox(times, Z), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_no_columns_at_all():
    times = brute.random_times(np.random.default_rng(5), 30)
    for Z in (None, np.zeros((30, 0))):
        fit = fit_cox(times, Z)
        assert fit.converged and fit.coefficients.shape == (0,) and fit.robust.shape == (0, 0)
        assert fit.log_likelihood == fit.null_log_likelihood < 0


def test_wild_values_do_not_break_the_search():
    rng = np.random.default_rng(6)
    times = brute.random_times(rng, 200)
    fit = fit_cox(times, np.column_stack([rng.standard_cauchy(200) * 1e6, rng.exponential(1e-9, 200)]))
    assert fit.converged and np.isfinite(fit.coefficients).all()


def test_bad_input():
    times = brute.random_times(np.random.default_rng(7), 20)
    Z = np.zeros((20, 1))
    with pytest.raises(SeqsaeError, match="shape"):
        fit_cox(times, Z[:5])
    with pytest.raises(SeqsaeError, match="unknown"):
        fit_cox(times, Z, ties="exact")
    Z[[3, 4]] = np.nan
    with pytest.raises(SeqsaeError, match="2 units .* unit 3"):
        fit_cox(times, Z)
