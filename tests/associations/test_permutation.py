"""Max-T: which labels may move, exact moments and p-values on small data, and error rates under clusters and strata."""

import tracemalloc
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from seqsae.associations.inflation import inflation
from seqsae.associations.permutation import Exchange, Plan, adjusted_p, max_t
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import screen
from seqsae.errors import SeqsaeError


def household(seed, n=240, n_features=60):
    """(X sparse, y [n, 3] binary, numeric and binary, cluster of 1 to 3 units, stratum)."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n), rng.integers(1, 4, n))[:n]
    taste = rng.gamma(1, 1, (n, n_features))[cluster]
    x = rng.poisson(taste * 0.3) * (rng.random((n, n_features)) < 0.7)
    lean = rng.normal(size=n)[cluster]
    y = np.column_stack([lean + rng.normal(size=n) > 0.5, rng.normal(size=n) + lean, rng.random(n) < 0.3])
    return sparse.csc_array(x.astype(float)), y.astype(float), cluster, rng.integers(0, 3, n)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, 4))
def test_clusters_hand_over_whole_label_vectors_within_strata(seed, n, strata):
    rng = np.random.default_rng(seed)
    cluster, stratum = rng.integers(0, max(1, n // 2), n) * 7, rng.integers(0, strata, n)
    moves = Exchange(cluster, stratum)
    take = moves.draw(rng)
    assert sorted(take) == list(range(n)) and (stratum[take] == stratum).all()
    signatures = []
    for c in np.unique(cluster):
        units = np.flatnonzero(cluster == c)
        source = np.unique(cluster[take[units]])
        assert len(source) == 1 and (cluster == source[0]).sum() == len(units)
        for s in np.unique(stratum[units]):  # the order of the rows is kept within a stratum
            assert (np.diff(take[units[stratum[units] == s]]) > 0).all()
        signatures.append(tuple(sorted(stratum[units])))
    assert moves.n_fixed == sum(signatures.count(s) == 1 for s in signatures)


def test_every_permutation_is_as_likely():
    moves, rng = Exchange(np.array([0, 0, 1, 1, 2, 2, 3]), np.zeros(7)), np.random.default_rng(0)
    drawn = [tuple(moves.draw(rng)) for _ in range(3000)]
    seen, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(seen) == 6 and (seen[:, 6] == 6).all() and moves.n_fixed == 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_without_strata_and_clusters_z_is_that_of_the_screen():
    x, y, _, _ = household(1)
    y[::7, 1] = np.nan
    for form in (x, x.toarray()):
        found = max_t(rank_excess(form), y, plan=Plan(n=20))
        np.testing.assert_allclose(found.z, screen(rank_excess(x), y).z, rtol=1e-9, atol=1e-9)
        assert found.n_clusters.tolist() == [240, 205, 240] and found.n_fixed.tolist() == [0, 0, 0]


def test_z_is_standardised_by_all_permutations_within_strata():
    x, y = np.array([0, 0, 1, 3, 0, 2, 2, 0, 1.0]), np.array([1, 0, 1, 0, 0, 4, 1, 0, 3.0])
    stratum = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    rx, ry = stats.rankdata(x), stats.rankdata(y)
    apart = [[rx[stratum == h] @ np.array(order) for order in permutations(ry[stratum == h])] for h in (0, 1)]
    every = np.array([a + b for a, b in product(*apart)])
    found = max_t(rank_excess(x[:, None]), y[:, None], stratum=stratum, plan=Plan(n=2000))
    assert found.z[0, 0] == pytest.approx((rx @ ry - every.mean()) / every.std(), rel=1e-9)
    # With one feature p is the exact permutation p, up to the permutations drawn.
    exact = (np.abs(every - every.mean()) >= np.abs(rx @ ry - every.mean()) - 1e-9).mean()
    assert found.p[0, 0] == pytest.approx(exact, abs=0.04)
    rho = (every - 9 * 25) / np.sqrt(((rx - 5) ** 2).sum() * ((ry - 5) ** 2).sum())
    assert np.isin(found.effect_maxima[:, 0].round(9), np.abs(rho).round(9)).all()
    assert found.null_95[0] == pytest.approx(np.quantile(np.abs(rho), 0.95), abs=0.05)


@pytest.mark.parametrize("alike", [True, False])
def test_v_is_that_of_permuting_clusters_and_places(alike):
    """Four pairs: V over all orders of clusters and of the places, never less than without ties within pairs."""
    x, y = np.array([0, 1, 2, 5, 0, 0, 7, 6.0]), np.array([0, 0, 1, 1, 0, 1, 1, 1.0])
    if not alike:
        x = np.array([0, 5, 7, 1, 2, 6, 3, 3.0])
    rx, ry = (values.reshape(4, 2) - values.reshape(4, 2).mean(axis=0) for values in (stats.rankdata(x), y))
    every = [(rx * ry[list(order)][:, place]).sum() for order in permutations(range(4)) for place in ([0, 1], [1, 0])]
    apart = (rx**2).sum() * (ry**2).sum() / 2 / 3
    assert (np.mean(np.square(every)) > apart) == alike
    found = max_t(rank_excess(x[:, None]), y[:, None], np.repeat(np.arange(4), 2), plan=Plan(n=10))
    v = max(np.mean(np.square(every)), apart)
    assert found.z[0, 0] == pytest.approx((rx * ry).sum() / np.sqrt(v), rel=1e-9)


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_against_a_loop_over_permutations(form):
    x, y, cluster, stratum = household(2)
    ranks = rank_excess(x if form == "sparse" else x.toarray())
    tested = np.random.default_rng(3).random((60, 3)) < 0.9
    found = max_t(ranks, y, cluster, stratum, Plan(n=30, seed=5), tested=tested)
    moves, rng = Exchange(cluster, stratum), np.random.default_rng(5)
    rx = stats.rankdata(x.toarray(), axis=0)
    scores = np.column_stack([y[:, 0], stats.rankdata(y[:, 1]), y[:, 2]])
    for b in range(30):
        moved = scores[moves.draw(rng)]
        rho = np.corrcoef(rx.T, moved.T)[:60, 60:]
        distance = np.abs(rho)
        for j in (0, 2):
            m = int(y[:, j].sum())
            ranksum = rx.T @ moved[:, j] - m * (m + 1) / 2
            distance[:, j] = np.abs(ranksum / (m * (240 - m)) - 0.5)
        np.testing.assert_allclose(found.effect_maxima[b], np.where(tested, distance, 0).max(axis=0), rtol=1e-9)
    assert np.isnan(found.z[~tested]).all() and np.isfinite(found.z[tested]).all()
    expected = (1 + (found.maxima[:, None] >= np.abs(found.z) * (1 - 1e-9)).sum(axis=0)) / 31
    np.testing.assert_array_equal(found.p[tested], expected[tested])


def test_blocks_of_permutations_covariates_and_features_change_nothing():
    x, y, cluster, stratum = household(4)
    ranks, plan = rank_excess(x), Plan(n=25, seed=1)
    whole = max_t(ranks, y, cluster, stratum, plan)
    again = max_t(ranks, y, cluster, stratum, plan)
    for size in (1, 8 * 240 * 2, 8 * 240 * 7):
        small = max_t(ranks, y, cluster, stratum, plan._replace(block_bytes=size))
        for one, other in zip(whole, small, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(whole.p, small.p)
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    alone = max_t(ranks, y[:, 1:2], cluster, stratum, plan)
    np.testing.assert_allclose(alone.maxima[:, 0], whole.maxima[:, 1], rtol=1e-12)
    halves = [max_t(rank_excess(x[:, part]), y, cluster, stratum, plan) for part in (slice(25), slice(25, 60))]
    best = np.maximum(*[half.maxima for half in halves])
    np.testing.assert_allclose(best, whole.maxima, rtol=1e-12)
    z = np.concatenate([half.z for half in halves])
    np.testing.assert_array_equal(adjusted_p(z, best), whole.p)
    assert not np.array_equal(whole.maxima, max_t(ranks, y, cluster, stratum, Plan(n=25, seed=2)).maxima)


def test_equal_maxima_count_whatever_their_rounding():
    maxima = np.array([[2 - 1e-12], [2 + 1e-12], [2.0], [1.99]])
    np.testing.assert_allclose(
        adjusted_p(np.array([[2.0], [-2.0], [3.0], [np.nan]]), maxima)[:, 0], [0.8, 0.8, 0.2, np.nan]
    )


def test_memory_is_that_of_a_block():
    rng = np.random.default_rng(9)
    ranks = rank_excess(sparse.csc_array(rng.random((2000, 60)) * (rng.random((2000, 60)) < 0.1)))
    y = rng.random((2000, 2))
    tracemalloc.start()
    max_t(ranks, y, plan=Plan(n=1000, block_bytes=1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 << 20  # all at once would be 32 MB


def test_missing_values_are_left_out():
    x, y, cluster, stratum = household(5)
    y[np.random.default_rng(0).random(240) < 0.3, 1] = np.nan
    there = np.isfinite(y[:, 1])
    whole = max_t(rank_excess(x), y, cluster, stratum, Plan(n=20))
    part = max_t(rank_excess(x[there]), y[there, 1:2], cluster[there], stratum[there], Plan(n=20))
    np.testing.assert_allclose(whole.maxima[:, 1], part.maxima[:, 0], rtol=1e-12)
    np.testing.assert_allclose(whole.z[:, 1], part.z[:, 0], rtol=1e-12)
    assert whole.n_clusters[1] == len(np.unique(cluster[there])) == part.n_clusters[0]


def test_a_planted_feature_is_found_and_others_are_not():
    x, y, cluster, stratum = household(6)
    rng = np.random.default_rng(7)
    x = x.toarray()
    x[:, 3] = y[:, 2] * (rng.random(240) < 0.6)
    found = max_t(rank_excess(x), y[:, 2:], cluster, stratum, Plan(n=199))
    assert found.p[3, 0] == 1 / 200 and (found.p[np.arange(60) != 3, 0] > 0.05).all()
    assert found.null_95[0] < 0.25


def test_where_nothing_can_move_nothing_is_said():
    x, y, _, _ = household(8)
    found = max_t(rank_excess(x), y, np.zeros(240), plan=Plan(n=9))
    assert found.n_clusters.tolist() == found.n_fixed.tolist() == [1, 1, 1]
    for empty in (found.z, found.p, found.null_95, found.maxima, found.lambdas):
        assert np.isnan(empty).all()
    constant = max_t(rank_excess(x), np.column_stack([np.ones(240), np.full(240, np.nan)]), plan=Plan(n=9))
    assert np.isnan(constant.p).all() and constant.n_clusters.tolist() == [240, 0]


def test_p_holds_under_clusters_and_strata_and_lambda_is_one():
    """60 null cohorts whose labels and features go with clusters and strata: p holds, lambda is near 1, the crude one is not."""
    smallest, lambdas = [], []
    for seed in range(60):
        x, _, cluster, stratum = household(100 + seed)
        rng, stratum = np.random.default_rng(seed), stratum[cluster]
        lean = rng.normal(size=240)[cluster] + rng.normal(size=240) / 4
        y = (lean + stratum > 1.4).astype(float)[:, None]
        ranks = rank_excess(x * (rng.random(x.shape) < (stratum[:, None] + 1) / 3))
        found = max_t(ranks, y, cluster, stratum, Plan(n=99, seed=seed))
        smallest.append(np.nanmin(found.p))
        crude = inflation(screen(ranks, y, cluster).z)[0].value
        lambdas.append((inflation(found.z)[0].value, np.median(found.lambdas), crude))
    assert (np.array(smallest) <= 0.05).mean() <= 0.12
    observed, permuted, crude = np.mean(lambdas, axis=0)
    assert 0.8 < observed < 1.25 and 0.8 < permuted < 1.25 and crude > 2


def test_what_does_not_fit_is_refused():
    ranks = rank_excess(np.eye(4))
    with pytest.raises(SeqsaeError, match="does not fit"):
        max_t(ranks, np.ones((4, 1)), stratum=np.zeros(3))
    with pytest.raises(SeqsaeError, match="does not fit"):
        max_t(ranks, np.ones((4, 1)), tested=np.ones((4, 2)))
