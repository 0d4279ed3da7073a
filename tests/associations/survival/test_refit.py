"""Hazard ratios by refit, and the check of proportional hazards, against lifelines; degenerate features are flagged."""

import warnings

import numpy as np
import pytest
from associations.survival import brute
from scipy import stats

from seqsae.associations.survival.cox import fit_cox
from seqsae.associations.survival.refit import refit
from seqsae.associations.survival.times import Times
from seqsae.errors import SeqsaeError


def study(seed, n=400, **how):
    rng = np.random.default_rng(seed)
    times, Z = brute.random_times(rng, n, **how), rng.normal(size=(n, 2))
    x = np.ceil(rng.exponential(3, n)) * (rng.random(n) < 0.3)
    return times, Z, x, rng.integers(0, n // 3, n)


def test_as_the_full_fit_per_standard_deviation():
    times, Z, x, cluster = study(0)
    found, fit = refit(x, times, Z, cluster), fit_cox(times, np.column_stack([x, Z]), cluster)
    assert found.log_hr == pytest.approx(fit.coefficients[0] * x.std(), rel=1e-7)
    assert found.se_robust == pytest.approx(np.sqrt(fit.robust[0, 0]) * x.std(), rel=1e-7)
    assert found.se_model == pytest.approx(np.sqrt(fit.covariance[0, 0]) * x.std(), rel=1e-7)
    larger = max(found.se_robust, found.se_model)
    assert found.ci_high - found.log_hr == pytest.approx(stats.norm.isf(0.025) * larger)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.log_hr / larger)))
    assert found.flag == ""
    scaled = refit(1e6 * x, times, Z, cluster)
    np.testing.assert_allclose(scaled[:6], found[:6], rtol=1e-7)


def test_proportionality_as_lifelines():
    times, Z, x, _ = study(1, delayed=False, tied=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from lifelines import CoxPHFitter
        from lifelines.statistics import proportional_hazard_test

        frame = pd.DataFrame(Z).add_prefix("z").assign(x=x, time=times.time, event=times.event.astype(int))
        frame = frame.sort_values("time", ignore_index=True)
        fitter = CoxPHFitter().fit(frame, "time", "event", fit_options={"precision": 1e-11})
        expected = proportional_hazard_test(fitter, frame, time_transform="rank").summary.loc["x", "p"]
    assert refit(x, times, Z).ph_p == pytest.approx(expected, rel=1e-5)


def test_a_hazard_that_fades_is_seen():
    rng = np.random.default_rng(2)
    x = (rng.random(2000) < 0.5).astype(float)
    # All of the excess hazard lies before time 0.3.
    early = rng.exponential(1 / np.where(x == 1, 3, 1))
    time = np.where(early < 0.3, early, 0.3 + rng.exponential(1, 2000))
    found = refit(x, Times(None, time, np.ones(2000)))
    assert found.ph_p < 1e-6 and found.ph_rho < 0
    same = refit(x, Times(None, rng.exponential(np.exp(-x)), np.ones(2000)))
    assert same.ph_p > 0.01 and same.ci_low < x.std() < same.ci_high


def test_proportionality_keeps_its_level():
    rng, low = np.random.default_rng(3), 0
    for _ in range(200):
        x = rng.normal(size=100)
        times = Times(None, rng.exponential(np.exp(-0.5 * x)), rng.random(100) < 0.7)
        low += refit(x, times).ph_p < 0.05
    assert 2 <= low <= 22


def test_degenerate_features_are_flagged():
    times, Z, x, cluster = study(4)
    assert refit(np.full(400, 2.0), times, Z, cluster).flag == "constant"
    assert refit(Z @ [1, 2], times, Z, cluster).flag == "explained"
    spared = refit((~times.event) & (x > 0), times, Z, cluster)
    assert spared.flag == "separates" and spared.log_hr == -np.inf and np.isnan(spared.p)
    assert refit(x, times, Z, np.arange(400) % 4).flag == "few clusters"
    beside = refit(x, times, np.column_stack([Z, ~times.event & (x < 1) & (Z[:, 0] > 0)]), cluster)
    assert beside.flag == "confounder separates" and np.isfinite(beside.log_hr) and beside.se_robust > 0
    only = Times(None, [1, 2, 3], [0, 0, 1])
    assert refit([1, 2, 3], only).flag == "explained"  # the one event has nobody to be compared with


def test_intervals_cover():
    rng, inside = np.random.default_rng(5), 0
    for _ in range(300):
        frailty, x = np.repeat(rng.normal(0, 0.7, 60), 3), np.repeat(rng.normal(size=60), 3)
        time = rng.exponential(np.exp(-frailty))
        found = refit(x, Times(None, time, rng.random(180) < 0.8), cluster=np.repeat(np.arange(60), 3))
        inside += found.ci_low < 0 < found.ci_high
    assert 270 <= inside <= 297


def test_intervals_of_rare_features_do_not_rest_on_a_handful_of_events():
    rng, found = np.random.default_rng(9), []
    for _ in range(200):
        x, length = (rng.random(800) < 0.015) * np.ceil(rng.exponential(3, 800)), rng.normal(size=800)
        found.append(refit(x, Times(None, rng.exponential(np.exp(-length)), rng.random(800) < 0.3), length[:, None]))
    found = [one for one in found if not one.flag]
    robust_alone = np.mean([abs(one.log_hr) < 1.96 * one.se_robust for one in found])
    assert np.mean([one.ci_low < 0 < one.ci_high for one in found]) > 0.9 > robust_alone


def test_bad_input():
    times = study(6)[0]
    with pytest.raises(SeqsaeError, match="x has 3 units"):
        refit([1, 2, 3], times)
    with pytest.raises(SeqsaeError, match="NaN"):
        refit(np.full(400, np.nan), times)
