"""Kruskal-Wallis of every feature, against scipy feature by feature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.metrics import roc_auc_score

from seqsae.associations.groups import kruskal_wallis, level_aurocs
from seqsae.associations.ranks import rank_excess
from seqsae.errors import SeqsaeError


def features(rng, n):
    x = rng.integers(1, 4, (n, 5)) * (rng.random((n, 5)) < [0.1, 0.5, 0.9, 0, 0.5]).astype(float)
    x[:, 4] *= rng.choice([-1, 1], n)
    return x


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_array, sparse.csr_array])
def test_h_and_p_are_those_of_scipy(form):
    rng = np.random.default_rng(0)
    x, codes = features(rng, 400), rng.integers(0, [2, 7, 100], (400, 3))
    codes[rng.random(400) < 0.2, 1:2] = -1
    codes[codes[:, 2] == 5, 2] = 6  # a number that no unit bears
    found = kruskal_wallis(rank_excess(form(x)), codes)
    for j in range(3):
        there = codes[:, j] >= 0
        levels = np.unique(codes[there, j])
        assert found.n[j] == there.sum() and found.n_levels[j] == len(levels)
        for f in (0, 1, 2, 4):
            expected = stats.kruskal(*[x[codes[:, j] == k, f] for k in levels])
            np.testing.assert_allclose((found.h[f, j], found.p[f, j]), expected, rtol=1e-9)
            n = there.sum()
            assert found.epsilon2[f, j] == pytest.approx(expected.statistic / ((n**2 - 1) / (n + 1)))
            assert found.n_active[f, j] == (x[there, f] != 0).sum()
    assert np.isnan(found.h[3]).all() and np.isnan(found.p[3]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(4, 40), st.integers(2, 6))
def test_any_small_data_with_ties(seed, n, k):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (n, 3)) * (rng.random((n, 3)) < 0.5).astype(float)
    codes = rng.integers(-1, k, (n, 1))
    found = kruskal_wallis(rank_excess(sparse.csc_array(x)), codes, min_support=1)
    levels = np.unique(codes[codes >= 0])
    for f in range(3):
        there = x[codes[:, 0] >= 0, f]
        if len(levels) < 2 or there.min() == there.max():
            assert np.isnan(found.h[f, 0]) and np.isnan(found.p[f, 0])
            continue
        expected = stats.kruskal(*[x[codes[:, 0] == level, f] for level in levels])
        np.testing.assert_allclose(found.h[f, 0], expected.statistic, rtol=1e-9, atol=1e-12)
        # Near H = 0, rounding of H is magnified by its root.
        np.testing.assert_allclose(found.p[f, 0], expected.pvalue, rtol=1e-9, atol=1e-6)


def test_support_gates_p_alone():
    rng = np.random.default_rng(1)
    x, codes = (rng.random((300, 1)) < 0.02).astype(float), rng.integers(0, 3, (300, 1))
    few = int(x.sum())
    ranks = rank_excess(x)
    assert np.isfinite(kruskal_wallis(ranks, codes, min_support=few).p).all()
    above = kruskal_wallis(ranks, codes, min_support=few + 1)
    assert np.isnan(above.p).all() and np.isfinite(above.h).all()


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_array])
def test_each_level_against_the_rest(form):
    rng = np.random.default_rng(2)
    x, codes = features(rng, 200), rng.integers(-1, 4, 200)
    codes[codes == 2] = 3
    found = level_aurocs(rank_excess(form(x)), codes)
    there = codes >= 0
    for f in range(5):
        for k in (0, 1, 3):
            assert found[f, k] == pytest.approx(roc_auc_score(codes[there] == k, x[there, f]), abs=1e-12)
    assert found.shape == (5, 4) and np.isnan(found[:, 2]).all()


def test_nothing_and_one_level_are_undefined():
    ranks = rank_excess(np.eye(5))
    found = kruskal_wallis(ranks, np.column_stack([np.full(5, -1), np.zeros(5, int)]))
    assert np.isnan(found.h).all() and found.n.tolist() == [0, 5] and found.n_levels.tolist() == [0, 1]
    assert np.isnan(level_aurocs(ranks, np.full(5, -1))).all()


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((4, 1), int), "codes has shape"),
        (np.zeros(5, int), "codes has shape"),
        (np.zeros((5, 1)), "integers from 0"),
        (np.full((5, 1), -2), "integers from 0"),
    ],
)
def test_codes_that_do_not_fit_are_refused(codes, message):
    with pytest.raises(SeqsaeError, match=message):
        kruskal_wallis(rank_excess(np.eye(5)), codes)
