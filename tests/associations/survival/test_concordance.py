"""Concordance against lifelines and pair by pair; intervals against the jackknife and simulation."""

import warnings

import numpy as np
import pytest
from associations.survival import brute
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.associations.survival.concordance import harrell_c, uno_c
from seqsae.associations.survival.counting import weight_below
from seqsae.associations.survival.times import Times
from seqsae.errors import SeqsaeError


def test_harrell_as_lifelines():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifelines.utils import concordance_index
    rng = np.random.default_rng(0)
    times, x = brute.random_times(rng, 500, delayed=False), rng.poisson(1, 500)
    assert harrell_c(x, times).value == pytest.approx(concordance_index(times.time, -x, times.event), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans(), st.booleans())
def test_harrell_pair_by_pair(seed, n, delayed, tied):
    rng = np.random.default_rng(seed)
    times, x = brute.random_times(rng, n, delayed, tied), rng.poisson(1, n)
    won, total = brute.pairs(x, times, np.ones(n))
    found = harrell_c(x, times)
    assert found.n_pairs == total
    assert np.isnan(found.value) if total == 0 else found.value == pytest.approx(won / total, abs=1e-12)


def uno_weights(times, tau):
    """1 / G(t-)^2 of each event, from the definition."""
    out = np.zeros(len(times))
    for i in np.flatnonzero(times.event & (times.time < tau)):
        g = 1.0
        for s in np.unique(times.time[~times.event]):
            if s < times.time[i]:
                able = (times.time > s) | ((times.time == s) & ~times.event)
                g *= 1 - ((times.time == s) & ~times.event).sum() / able.sum()
        out[i] = g**-2
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.booleans(), st.floats(0.3, 4))
def test_uno_pair_by_pair(seed, n, tied, tau):
    rng = np.random.default_rng(seed)
    times, x = brute.random_times(rng, n, False, tied), rng.poisson(1, n)
    won, total = brute.pairs(x, times, uno_weights(times, tau))
    found = uno_c(x, times, tau)
    assert np.isnan(found.value) if total == 0 else found.value == pytest.approx(won / total, abs=1e-10)


@pytest.mark.parametrize("measure", [harrell_c, uno_c])
def test_standard_error_near_the_jackknife_over_clusters(measure):
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(60), 3)
    x = np.repeat(rng.normal(size=60), 3) + rng.normal(size=180)
    failing, leaving = rng.exponential(np.exp(-x / 2)), rng.exponential(1.5, 180)
    times = Times(None, np.minimum(failing, leaving), failing <= leaving)
    left_out = []
    for c in range(60):
        kept = cluster != c
        part = Times(None, times.time[kept], times.event[kept])
        left_out.append(measure(x[kept], part, **({"tau": 2.0} if measure is uno_c else {})).value)
    jackknife = np.sqrt(59 * np.var(left_out))
    found = measure(x, times, cluster=cluster, **({"tau": 2.0} if measure is uno_c else {}))
    assert found.se == pytest.approx(jackknife, rel=0.05)
    assert 0 < found.ci_low < found.value < found.ci_high < 1


def test_uno_counts_the_uncertainty_of_censoring():
    rng = np.random.default_rng(1)
    x = (rng.random(400) < 0.5).astype(float)
    # x hastens early events and delays late ones, so that the weights matter.
    early = rng.exponential(1 / np.where(x == 1, 4, 0.5))
    failing = np.where(early < 0.3, early, 0.3 + rng.exponential(1 / np.where(x == 1, 0.4, 3)))
    leaving = rng.exponential(0.7, 400)
    parts = x, np.minimum(failing, leaving), failing <= leaving
    left_out = []
    for i in range(400):
        one_less, time, event = (np.delete(part, i) for part in parts)
        left_out.append(uno_c(one_less, Times(None, time, event), tau=1.2).value)
    jackknife = np.sqrt(399 * np.var(left_out))
    # With the weights held fixed the standard error would be 12 % larger.
    assert uno_c(x, Times(None, *parts[1:]), tau=1.2).se == pytest.approx(jackknife, rel=0.02)


def test_uno_does_not_depend_on_censoring():
    rng = np.random.default_rng(2)
    x = (rng.random(20000) < 0.5).astype(float)
    # Excess hazard early on only: who is censored late decides Harrell's C, not Uno's.
    early = rng.exponential(1 / np.where(x == 1, 3, 1))
    failing = np.where(early < 0.3, early, 0.3 + rng.exponential(1, 20000))
    leaving = rng.exponential(0.5, 20000)
    whole = harrell_c(x, Times(None, np.minimum(failing, 1.5), failing < 1.5)).value
    times = Times(None, np.minimum(failing, leaving), failing <= leaving)
    assert harrell_c(x, times).value - whole > 0.015
    assert uno_c(x, times, tau=1.5).value == pytest.approx(whole, abs=0.01)


def test_perfect_order_and_no_pairs():
    times = Times(None, [1, 2, 3, 4], [1, 1, 1, 0])
    best, worst = harrell_c([4, 3, 2, 1], times), uno_c([1, 2, 3, 4], times)
    assert (best.value, best.ci_high, worst.value, worst.ci_low) == (1, 1, 0, 0)
    assert best.ci_low == pytest.approx(0.025 ** (1 / 3)) and worst.ci_high == pytest.approx(1 - 0.025 ** (1 / 3))
    assert np.isnan(harrell_c([1, 2], Times(None, [1, 2], [0, 1])).value)
    same = harrell_c(np.ones(4), times)
    assert same.value == 0.5 and same.se == 0


def test_bad_input():
    times = Times([0, 1], [2, 2], [1, 0])
    with pytest.raises(SeqsaeError, match="delayed entry"):
        uno_c([1, 2], times)
    with pytest.raises(SeqsaeError, match="x has 3 units"):
        harrell_c([1, 2, 3], times)
    with pytest.raises(SeqsaeError, match="NaN"):
        harrell_c([1, np.nan], times)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 50), st.integers(1, 40))
def test_weight_below(seed, m, n_values):
    rng = np.random.default_rng(seed)
    values, weights, at = rng.integers(0, n_values, m), rng.random(m), rng.integers(0, n_values, 20)
    start, stop = np.sort(rng.integers(0, m + 1, (2, 20)), axis=0)
    below, equal = weight_below(values, weights, start, stop, at)
    for q in range(20):
        part, weight = values[start[q] : stop[q]], weights[start[q] : stop[q]]
        assert below[q] == pytest.approx(weight[part < at[q]].sum(), abs=1e-12)
        assert equal[q] == pytest.approx(weight[part == at[q]].sum(), abs=1e-12)
