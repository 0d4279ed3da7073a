"""Kaplan-Meier and Aalen-Johansen curves with their variances, against lifelines and each other."""

import warnings

import numpy as np
import pytest
from associations.survival import brute
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.associations.survival.curves import aalen_johansen, kaplan_meier
from seqsae.associations.survival.times import Times
from seqsae.errors import SeqsaeError


def lifelines(fitter, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifelines

        return getattr(lifelines, fitter)(**({"calculate_variance": True} if fitter[0] == "A" else {})).fit(
            *arguments, **options
        )


def test_kaplan_meier_with_delayed_entry_as_lifelines():
    rng = np.random.default_rng(0)
    times = brute.random_times(rng, 300)
    # Nobody enters at a time of an event, where conventions differ, and enough stand at the start.
    times = Times(np.where(rng.random(300) < 0.3, 0, np.maximum(times.entry - 0.1, 0)), times.time, times.event)
    groups = rng.integers(0, 3, 300)
    for curve in kaplan_meier(times, groups):
        rows = groups == curve.group
        fitter = lifelines("KaplanMeierFitter", times.time[rows], times.event[rows], entry=times.entry[rows])
        expected = fitter.survival_function_.iloc[:, 0]
        np.testing.assert_allclose(curve.estimate, expected.loc[curve.time], rtol=1e-9)
        table = fitter.event_table.loc[curve.time]
        assert (
            curve.at_risk.tolist() == table["at_risk"].tolist() and curve.events.tolist() == table["observed"].tolist()
        )


@pytest.mark.parametrize("delayed", [False, True])
def test_aalen_johansen_as_lifelines(delayed):
    rng = np.random.default_rng(1)
    times = brute.random_times(rng, 200, delayed=False, tied=False)
    entry = np.where(rng.random(200) < 0.4, 0, times.time * rng.random(200)) * delayed
    times, kind = Times(entry, times.time, times.event), rng.integers(0, 3, 200)
    curve = aalen_johansen(times, kind)[0]
    fitter = lifelines("AalenJohansenFitter", times.time, kind, 1, entry=times.entry)
    np.testing.assert_allclose(curve.estimate, fitter.cumulative_density_.iloc[:, 0].loc[curve.time], rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans())
def test_curves_by_their_definitions(seed, n, delayed):
    rng = np.random.default_rng(seed)
    times = brute.random_times(rng, n, delayed)
    kind = np.where(times.event, rng.integers(1, 3, n), 0)
    alone, both = kaplan_meier(times)[0], aalen_johansen(times, kind)[0]
    other = aalen_johansen(times, np.array([0, 2, 1])[kind])[0]
    survival = 1.0
    for k, t in enumerate(alone.time):
        Y, d = brute.at_risk(times, t).sum(), (times.event & (times.time == t)).sum()
        survival *= 1 - d / Y
        assert (alone.at_risk[k], alone.events[k]) == (Y, d)
        assert alone.estimate[k] == pytest.approx(survival, abs=1e-12)
    np.testing.assert_allclose(both.estimate + other.estimate, 1 - alone.estimate, atol=1e-12)
    assert (both.events + other.events == alone.events).all()
    # Without competition the incidence is the complement, and both variances are Greenwood's.
    single = aalen_johansen(times, times.event.astype(int))[0]
    np.testing.assert_allclose(single.estimate, 1 - alone.estimate, atol=1e-12)
    left = alone.estimate > 0
    np.testing.assert_allclose(single.variance[left], alone.variance[left], atol=1e-12)
    assert np.isnan(alone.variance[~left]).all()


def greenwood_type(times, kind):
    """Variance of the incidence from the covariance of the matrix product, one event time after the other."""
    spread, P, out = np.zeros((2, 2)), np.array([1.0, 0.0]), []  # of (S, F)
    for t in np.unique(times.time[kind > 0]):
        Y = brute.at_risk(times, t).sum()
        p = np.array([(kind[times.time == t] == k).sum() for k in (1, 2)]) / Y
        step = np.array([[1 - p.sum(), 0], [p[0], 1]])
        multinomial = np.array([[p.sum() * (1 - p.sum()), -p[0] * (1 - p.sum())], [0, p[0] * (1 - p[0])]]) / Y
        multinomial[1, 0] = multinomial[0, 1]
        spread = step @ spread @ step.T + P[0] ** 2 * multinomial
        P = step @ P
        out.append(spread[1, 1])
    return np.array(out)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.booleans())
def test_variance_of_incidence_by_recursion(seed, n, delayed):
    rng = np.random.default_rng(seed)
    times = brute.random_times(rng, n, delayed)
    kind = np.where(times.event, rng.integers(1, 3, n), 0)
    curve = aalen_johansen(times, kind)[0]
    np.testing.assert_allclose(curve.variance, greenwood_type(times, kind), atol=1e-12)


def test_groups_and_bad_input():
    times = Times(None, [1, 2, 3, 4], [1, 0, 0, 1])
    curves = kaplan_meier(times, np.array(["b", "a", "a", "b"]))
    assert [(curve.group, curve.time.tolist()) for curve in curves] == [("a", []), ("b", [1, 4])]
    assert curves[1].estimate.tolist() == [0.5, 0]
    with pytest.raises(SeqsaeError, match="groups has shape"):
        kaplan_meier(times, [1, 2])
    with pytest.raises(SeqsaeError, match="0, 1 or 2"):
        aalen_johansen(times, np.array([0, 1, 2, 3]))
