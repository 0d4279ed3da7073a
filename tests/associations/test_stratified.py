"""Rank tests within strata, against loops over strata and pairs, and against all permutations."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from seqsae.associations import support
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import rare_p, screen
from seqsae.associations.stratified import rank_strata, screen_strata
from seqsae.errors import SeqsaeError


def lives(seed, n=150, strata=6):
    """(X [n, 5] sparse with ties and a signed column, y [n, 4] of two binary and two numeric, stratum [n])."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 4, (n, 5)) * (rng.random((n, 5)) < [0.05, 0.3, 0.8, 0, 0.6])
    x = x.astype(float)
    x[:, 4] *= rng.choice([-1, 1], n)
    stratum = rng.integers(0, strata, n) ** 2
    y = np.column_stack([rng.random((n, 2)) < [0.1, 0.5], rng.integers(0, 3, n), rng.normal(size=n)]).astype(float)
    y[stratum == 1, 0] = 0
    y[stratum == 4, 0] = 1
    return x, y, stratum


def by_hand(x, y, stratum, binary, power=0):
    """(effect, z) by loops. `power` 0: strata weigh by pairs in the AUROC, 1: by pairs / (n_h + 1)."""
    total = variance = top = bottom = sxx = syy = 0.0
    for h in np.unique(stratum):
        a, b = x[stratum == h], y[stratum == h]
        n = len(a)
        ra = (stats.rankdata(a) - (n + 1) / 2) / (n + 1)
        rb = b - b.mean() if binary else (stats.rankdata(b) - (n + 1) / 2) / (n + 1)
        total += (ra * rb).sum()
        variance += (ra**2).sum() * (rb**2).sum() / max(n - 1, 1)
        if binary:
            pairs = [(p > q) + (p == q) / 2 for p, q in product(a[b == 1], a[b == 0])]
            top, bottom = top + sum(pairs) / (n + 1) ** power, bottom + len(pairs) / (n + 1) ** power
        elif b.min() < b.max():
            sxx, syy = sxx + (ra**2).sum(), syy + (rb**2).sum()
    if not binary:
        sxx = sum(
            (
                ((stats.rankdata(x[stratum == h]) - ((stratum == h).sum() + 1) / 2) / ((stratum == h).sum() + 1)) ** 2
            ).sum()
            for h in np.unique(stratum)
        )
        top, bottom = total, np.sqrt(sxx * syy)
    effect = top / bottom if bottom > 0 else np.nan
    return effect, total / np.sqrt(variance) if variance > 0 else np.nan


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_array, sparse.csr_array])
@pytest.mark.parametrize(("weights", "power"), [("pairs", 0), ("van-elteren", 1)])
def test_effects_and_z_are_those_of_loops(form, weights, power):
    x, y, stratum = lives(0)
    found = screen_strata(rank_strata(form(x), stratum), y, weights=weights)
    assert found.binary.tolist() == [True, True, False, False]
    for f in range(5):
        for j in range(4):
            expected = by_hand(x[:, f], y[:, j], stratum, j < 2, power)
            np.testing.assert_allclose((found.effect[f, j], found.z[f, j]), expected, rtol=1e-9, atol=1e-9)


def test_van_elteren_as_the_textbook_has_it():
    """Rank sums over n_h + 1, their variance with the correction for ties (Lehmann 1975)."""
    x, y, stratum = lives(1)
    for f, j in product((0, 1, 2, 4), (0, 1)):
        total = variance = 0.0
        for h in np.unique(stratum):
            a, b = x[stratum == h, f], y[stratum == h, j]
            n, n1 = len(a), b.sum()
            ties = np.unique(a, return_counts=True)[1].astype(float)
            total += (stats.rankdata(a)[b == 1].sum() - n1 * (n + 1) / 2) / (n + 1)
            correction = (ties**3 - ties).sum() / (n * (n - 1))
            variance += n1 * (n - n1) / 12 * (n + 1 - correction) / (n + 1) ** 2
        found = screen_strata(rank_strata(x, stratum), y)
        assert found.z[f, j] == pytest.approx(total / np.sqrt(variance), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 40), st.integers(1, 6))
def test_any_small_data_with_ties(seed, n, strata):
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, 3, (n, 2)) * (rng.random((n, 2)) < 0.5).astype(float)
    y = np.column_stack([rng.random(n) < 0.4, rng.integers(0, 3, n)]).astype(float)
    y[rng.random(n) < 0.1, 1] = np.nan
    stratum = rng.integers(0, strata, n)
    found = screen_strata(rank_strata(sparse.csc_array(x), stratum), y, binary=np.array([True, False]))
    for f, j in product(range(2), range(2)):
        there = np.isfinite(y[:, j])
        if there.sum() >= 3:
            expected = by_hand(x[there, f], y[there, j], stratum[there], j == 0)
            np.testing.assert_allclose((found.effect[f, j], found.z[f, j]), expected, rtol=1e-9, atol=1e-9)


def test_one_stratum_is_the_screen_without_strata(monkeypatch):
    x, y, _ = lives(2)
    cluster = np.arange(len(x)) // 3
    monkeypatch.setattr(support, "MEETINGS", np.inf)  # unevenness between clusters is heard without strata alone
    for groups in (None, cluster):
        within = screen_strata(rank_strata(x, np.zeros(len(x))), y, groups)
        plain = screen(rank_excess(x), y, groups)
        np.testing.assert_allclose(within.effect, plain.effect, atol=1e-12)
        np.testing.assert_allclose(within.z, plain.z, atol=1e-9)


def test_moments_are_those_of_all_permutations_within_strata():
    x, y = np.array([0, 0, 1, 3, 0, 2, 2, 0, 1.0]), np.array([1, 0, 1, 0, 0, 0, 1, 0, 0.0])
    stratum = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    ranks = [stats.rankdata(x[stratum == h]) / ((stratum == h).sum() + 1) for h in (0, 1)]
    apart = [[r @ np.array(order) for order in permutations(y[stratum == h])] for h, r in enumerate(ranks)]
    every = np.array([a + b for a, b in product(*apart)])
    seen = sum(r @ y[stratum == h] for h, r in enumerate(ranks))
    found = screen_strata(rank_strata(x[:, None], stratum), y[:, None], min_support=1)
    assert found.z[0, 0] == pytest.approx((seen - every.mean()) / every.std(), rel=1e-9)
    assert np.isnan(found.p[0, 0])  # three positives are too few


def test_p_has_the_skewness_of_all_permutations():
    rng = np.random.default_rng(3)
    n = 3000
    x, stratum = (rng.random((n, 1)) < 0.01).astype(float), rng.integers(0, 3, n)
    y = (rng.random((n, 1)) < 0.01).astype(float)
    found = screen_strata(rank_strata(x, stratum), y)
    both = [stats.hypergeom((stratum == h).sum(), x[stratum == h].sum(), y[stratum == h].sum()) for h in range(3)]
    sizes = np.array([(stratum == h).sum() for h in range(3)])
    scale = sizes / 2 / (sizes + 1)  # one meeting moves the rank sum by half the stratum
    sd = np.sqrt(sum((s**2) * d.var() for s, d in zip(scale, both, strict=True)))
    third = sum(s**3 * float(d.stats("s")) * d.std() ** 3 for s, d in zip(scale, both, strict=True))
    skew = third / sd**3
    z = found.z[0, 0]
    assert found.p[0, 0] == pytest.approx(rare_p(z, skew), rel=1e-6)


def test_design_effect_of_clusters_across_strata_is_that_of_loops():
    rng = np.random.default_rng(4)
    n = 200
    cluster, stratum = np.arange(n) // rng.integers(1, 5), rng.integers(0, 4, n)
    taste = rng.random(n)[cluster]
    x = np.column_stack([taste > 0.6, rng.random(n) < 0.3]) * rng.integers(1, 4, (n, 2)).astype(float)
    y = np.column_stack([taste + rng.random(n) / 3 > 0.7, rng.normal(size=n) + taste]).astype(float)
    cluster = np.arange(n) // 3
    alone, together = (screen_strata(rank_strata(x, stratum), y, c) for c in (None, cluster))
    same = (cluster[:, None] == cluster) & ~np.eye(n, dtype=bool)

    def within(values):
        out = np.empty(n)
        for h in range(4):
            m = (stratum == h).sum()
            out[stratum == h] = (stats.rankdata(values[stratum == h]) - (m + 1) / 2) / (m + 1)
        return out

    means = np.array([y[stratum == h, 0].mean() for h in range(4)])[stratum]
    for f in range(2):
        u = within(x[:, f])
        icc = (np.outer(u, u)[same].sum() / same.sum()) / (u**2).mean()
        for j, r in enumerate((y[:, 0] - means, within(y[:, 1]))):
            spread = np.outer(r, r)[same].sum() / (r**2).sum()
            expected = alone.z[f, j] / np.sqrt(max(1, 1 + icc * spread))
            assert together.z[f, j] == pytest.approx(expected, rel=1e-9)
    assert abs(together.z[0, 0]) < 0.95 * abs(alone.z[0, 0])


def test_what_bears_on_nothing_is_not_counted():
    """A stratum with one class, and one with a single unit, change no number."""
    x, y, stratum = lives(5)
    y = y[:, :1]
    x, y = np.vstack([x, np.ones((9, 5))]), np.vstack([y, np.ones((8, 1)), [[0.0]]])
    more = np.r_[stratum, np.full(8, 100), 101]
    with_them = screen_strata(rank_strata(x, more), y)
    without = screen_strata(rank_strata(x[:-9], stratum), y[:-9])
    for one, other in zip(with_them, without, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    mixed = [h for h in np.unique(stratum) if 0 < y[:-9][stratum == h].mean() < 1]
    assert with_them.n_strata.tolist() == [len(mixed)] and with_them.n.tolist() == [np.isin(stratum, mixed).sum()]
    there = np.isin(more, mixed)
    assert with_them.n_active[:, 0].tolist() == (x[there] != 0).sum(axis=0).tolist()
    assert with_them.n_minority.tolist() == [min((y[there] == v).sum() for v in (0, 1))]


def test_one_class_everywhere_is_undefined():
    found = screen_strata(rank_strata(np.eye(6), [0, 0, 0, 1, 1, 1]), np.array([[1.0, 1, 1, 0, 0, 0]]).T)
    assert np.isnan(found.effect).all() and np.isnan(found.z).all() and np.isnan(found.p).all()
    nothing = screen_strata(rank_strata(np.eye(6), np.zeros(6)), np.full((6, 1), np.nan))
    assert np.isnan(nothing.effect).all() and nothing.n.tolist() == [0]


def test_length_confounding_is_taken_away():
    """Firing and the covariate both follow length; within length bins nothing is left (20 cohorts of 50 features)."""
    rng = np.random.default_rng(6)
    crude, within = [], []
    for _ in range(20):
        length = np.exp(rng.normal(0, 0.5, 1000))
        x = sparse.csc_array(rng.poisson(np.outer(length, np.full(50, 0.2))).astype(float))
        y = (rng.random(1000) < np.minimum(0.3 * length, 0.95)).astype(float)[:, None]
        bins = np.searchsorted(np.quantile(length, np.arange(1, 20) / 20), length)
        crude.append(screen(rank_excess(x), y).p)
        within.append(screen_strata(rank_strata(x, bins), y).p)
    assert (np.array(crude) < 0.05).mean() > 0.5
    assert 0.03 < (np.array(within) < 0.05).mean() < 0.07


def test_what_does_not_fit_is_refused():
    ranks = rank_strata(np.eye(4), np.zeros(4))
    with pytest.raises(SeqsaeError, match="do not fit"):
        rank_strata(np.eye(4), np.zeros(3))
    with pytest.raises(SeqsaeError, match="NaN or infinite"):
        rank_strata(np.array([[np.nan], [1.0]]), np.zeros(2))
    with pytest.raises(SeqsaeError, match="weights 'equal' are not known"):
        screen_strata(ranks, np.ones((4, 1)), weights="equal")
    with pytest.raises(SeqsaeError, match="y has shape"):
        screen_strata(ranks, np.ones((3, 1)))
