"""The screen: exact effects, and p-values that keep their promise for rare features, rare covariates and clusters."""

from itertools import permutations

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.metrics import roc_auc_score

from seqsae.associations.fdr import benjamini_hochberg
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import pearson3_p, rare_p, same_missing, screen
from seqsae.errors import SeqsaeError


def sparse_features(rng, n, prevalence):
    """[n, F] zero-inflated positive values with ties."""
    fires = rng.random((n, len(prevalence))) < prevalence
    return sparse.csc_array(np.ceil(rng.exponential(4, fires.shape)) * fires)


def token_rows(rng, n_subjects, n_features):
    """(X [n, F], subject [n]): rare features that a few subjects have in bursts."""
    subject = np.repeat(np.arange(n_subjects), rng.integers(2, 40, n_subjects))
    taste = rng.gamma(0.7, 1, (n_subjects, n_features)) * (rng.random((n_subjects, n_features)) < 0.3)
    rate = np.minimum(0.15 * taste[subject], 1)
    fires = rng.random((len(subject), n_features)) < rate
    return sparse.csc_array(rng.exponential(1, fires.shape) * fires), subject


def test_effects_are_exact_with_ties_and_gaps():
    rng = np.random.default_rng(0)
    x = sparse_features(rng, 300, [0.05, 0.4, 1.0]).toarray()
    y = np.column_stack([rng.random(300) < 0.2, rng.random(300) < 0.5, rng.integers(0, 4, 300), rng.normal(size=300)])
    y[rng.random(300) < 0.3, 1:3] = np.nan
    dense, compact = screen(rank_excess(x), y), screen(rank_excess(sparse.csc_array(x)), y)
    for j in range(4):
        there = np.isfinite(y[:, j])
        for f in range(3):
            a, b = x[there, f], y[there, j]
            expected = roc_auc_score(b, a) if j < 2 else stats.spearmanr(a, b).statistic
            assert dense.effect[f, j] == pytest.approx(expected, abs=1e-12)
            assert dense.n_active[f, j] == (a > 0).sum()
        assert dense.n[j] == there.sum()
    assert dense.binary.tolist() == [True, True, False, False]
    assert dense.n_positive[1] == np.nansum(y[:, 1])
    for one, other in zip(dense, compact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_gap_is_the_same_as_dropping_the_rows():
    rng = np.random.default_rng(1)
    x, subject = token_rows(rng, 80, 20)
    y = rng.random((x.shape[0], 1)) < 0.2
    gappy = np.where(rng.random(y.shape) < 0.4, np.nan, y)
    kept = np.isfinite(gappy[:, 0])
    whole, part = screen(rank_excess(x), gappy, subject), screen(rank_excess(x[kept]), y[kept], subject[kept])
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert np.isfinite(part.p).any()


def test_moments_are_those_of_all_permutations():
    x, y = np.array([0, 0, 0, 1, 2, 2, 5.0]), np.array([1, 0, 3, 3, 4, 7, 9.0])
    rx, ry = stats.rankdata(x) - 4, stats.rankdata(y) - 4
    every = np.array([rx @ np.array(order) for order in permutations(ry)])
    found = screen(rank_excess(x[:, None]), y[:, None], min_support=1)
    assert found.z[0, 0] == pytest.approx(rx @ ry / every.std())
    assert found.p[0, 0] == pytest.approx(rare_p(rx @ ry / every.std(), stats.skew(every)), rel=1e-9)


@pytest.mark.parametrize("skew", [-1.5, -0.3, 0.0, 1e-3, 0.3, 1.5])
def test_tails_are_those_of_pearson_iii(skew):
    z = np.array([-4.0, -1.0, 0.5, 1.0, 4.0, 8.0])
    tails = np.where(z > 0, stats.pearson3.sf(z, skew), stats.pearson3.cdf(z, skew))
    np.testing.assert_allclose(pearson3_p(z, np.full(6, skew)), np.clip(2 * tails, 1e-300, 1), rtol=1e-2)


def meetings(n, active, positive):
    """(chance, p) of every count of meetings of a binary feature with a binary covariate; chances by the hypergeometric law."""
    both = np.arange(min(active, positive) + 1)
    chance = stats.hypergeom.pmf(both, n, active, positive)
    both, chance = both[chance > 1e-12], chance[chance > 1e-12]
    y = np.zeros((n, len(both)))
    for column, k in enumerate(both):
        y[:k, column] = y[active : active + positive - k, column] = 1
    x = sparse.csc_array((np.ones(active), (np.arange(active), np.zeros(active, int))), shape=(n, 1))
    return chance, screen(rank_excess(x), y).p[0]


@pytest.mark.parametrize("expected", (1.0, 4.0, 12.0))
def test_a_light_tail_ends_nowhere_and_holds_the_chance_of_no_meeting(expected):
    z, skew = -np.sqrt(expected), 1 / np.sqrt(expected)
    assert 0.3 * np.exp(-expected) < rare_p(z, skew) / 2 < 6 * np.exp(-expected)
    beyond = rare_p(np.array([-1.0, -2.24, -5.0]), np.array([2.1, 0.95, 1.5]))  # where Pearson's own tail has ended
    assert (pearson3_p(np.array([-1.0, -2.24, -5.0]), np.array([2.1, 0.95, 1.5])) == 1e-300).all()
    np.testing.assert_allclose(beyond, 2 * stats.norm.sf([1.0, 2.24, 5.0]) ** 2)


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
def test_chance_meetings_of_rare_with_rare_are_not_oversold(n):
    """The exact size of the test, for any counts and on average over them."""
    sizes = []
    for active in (10, 15, 40, 100):
        for positive in (5, 15, 60, 200):
            chance, p = meetings(n, active, positive)
            assert np.isfinite(p).all()
            sizes.append([chance[p <= level].sum() / level for level in (0.05, 0.01, 1e-3, 1e-4)])
    assert (np.max(sizes, axis=0) <= [2.1, 1.8, 1.55, 1.55]).all()
    assert (np.mean(sizes, axis=0) <= [1, 1, 0.7, 0.7]).all()
    assert np.mean(sizes, axis=0)[0] > 0.15


def test_one_meeting_where_none_is_expected_has_the_p_of_its_chance():
    for n, active, positive in ((200_000, 10, 5), (300_000, 12, 9)):
        chance, p = meetings(n, active, positive)
        assert p[0] == 1
        assert p[1] == pytest.approx(chance[1], rel=0.02)
    assert (
        pearson3_p(1 / np.sqrt(chance[1]), 1 / np.sqrt(chance[1])) < 0.4 * chance[1]
    )  # without which it would be oversold


@pytest.mark.parametrize("ties", [False, True])
def test_it_is_the_mann_whitney_test_of_scipy(ties):
    """z always; p where the null is symmetric, as it is without ties."""
    rng = np.random.default_rng(2)
    y = (rng.random((400, 3)) < [0.4, 0.1, 0.03]).astype(float)
    x = rng.normal(size=(400, 1)) + 0.3 * y[:, [0]]
    x = np.maximum(np.round(x), 0) if ties else x
    found = screen(rank_excess(x), y)
    for j in range(3):
        sides = x[y[:, j] == 1, 0], x[y[:, j] == 0, 0]
        expected = stats.mannwhitneyu(*sides, use_continuity=False, method="asymptotic").pvalue
        assert 2 * stats.norm.sf(np.abs(found.z[0, j])) == pytest.approx(expected, rel=1e-9)
        if not ties:
            assert found.p[0, j] == pytest.approx(expected, rel=1e-9)
    assert found.p[0, 0] < 0.05


def test_it_is_spearmans_test_by_the_permutation_variance():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 300, 1))
    found = screen(rank_excess(x), y)
    rho = stats.spearmanr(x[:, 0], y[:, 0]).statistic
    assert found.z[0, 0] == pytest.approx(rho * np.sqrt(299), rel=1e-9)
    assert found.p[0, 0] == pytest.approx(2 * stats.norm.sf(abs(rho) * np.sqrt(299)), rel=1e-9)


def test_rare_features_with_rare_covariates_under_permutation():
    """100 permutations of 10 covariates against 500 features: level 0.001 held, and BH seldom finds anything."""
    rng = np.random.default_rng(3)
    x = sparse_features(rng, 2000, rng.choice([0.01, 0.02, 0.05], 500))
    y = (rng.random((2000, 10)) < rng.choice([0.01, 0.03, 0.2], 10)).astype(float)
    shuffled = np.hstack([y[rng.permutation(2000)] for _ in range(100)])
    p = screen(rank_excess(x), shuffled).p
    tested = p[np.isfinite(p)]
    assert len(tested) > 300_000
    assert (tested < 1e-3).mean() <= 1.5e-3
    assert (tested < 1e-5).mean() <= 1e-4
    discoveries = [np.nanmin(benjamini_hochberg(p[:, 10 * i : 10 * i + 10])) <= 0.05 for i in range(100)]
    assert sum(discoveries) <= 10
    # Normal tails, for comparison, are wrong here: the check above is able to fail.
    ranks, centred = rank_excess(x), shuffled - shuffled.mean(axis=0)
    variance = np.outer(ranks.sum2, (centred**2).sum(axis=0)) / (ranks.n - 1)
    normal = 2 * stats.norm.sf(np.abs(ranks.excess.T @ centred) / np.sqrt(variance))
    assert (normal[np.isfinite(p)] < 1e-5).mean() > 5e-4


@pytest.mark.parametrize("level", ["subject", "token"])
def test_clusters_are_not_counted_as_independent(level):
    """Token rows of subjects who differ; a covariate of the subject, or one of tokens that subjects have in bursts."""
    rng = np.random.default_rng(4)
    x, subject = token_rows(rng, 300, 100)
    n_subjects, n = 300, len(subject)
    inclined = rng.random((n_subjects, 200)) < rng.choice([0.03, 0.1, 0.3], 200)
    y = inclined[subject] & (rng.random((n, 200)) < (1 if level == "subject" else 0.3))
    honest, naive = screen(rank_excess(x), y, subject).p, screen(rank_excess(x), y).p
    tested = honest[np.isfinite(honest)]
    assert len(tested) > 15_000
    assert (tested < 0.05).mean() <= 0.06
    assert (tested < 1e-3).mean() <= 1.5e-3
    assert (naive[np.isfinite(honest)] < 1e-3).mean() > 0.01


def test_copies_of_a_unit_add_nothing():
    rng = np.random.default_rng(5)
    x = sparse_features(rng, 500, [0.03, 0.3])
    y = (rng.random((500, 2)) < 0.03) | ((x.toarray() > 0) & (rng.random((500, 2)) < 0.3))
    once = screen(rank_excess(x), y)
    copies = np.repeat(np.arange(500), 4)
    four = screen(rank_excess(x[copies]), y[copies], copies)
    np.testing.assert_allclose(four.effect, once.effect)
    strong = np.array([[False, False], [False, True]])  # a tie this strong is itself unevenness between clusters
    np.testing.assert_allclose(four.z[~strong], once.z[~strong], rtol=2e-3)
    np.testing.assert_allclose(np.log(four.p[~strong]), np.log(once.p[~strong]), rtol=0.05, atol=0.01)
    assert once.z[strong] > 9 and 0.75 * once.z[strong] < four.z[strong] <= once.z[strong]
    assert once.p[~strong].min() < 1e-3


def test_a_rare_pair_in_households_is_found():
    """The sandwich variance would stop at z = sqrt(meetings); here ten meetings of ten with ten say what they are."""
    household = np.repeat(np.arange(2000), 2)
    x = sparse.csc_array((np.ones(10), (np.arange(0, 40, 4), np.zeros(10, int))), shape=(4000, 1))
    found = screen(rank_excess(x), x.toarray(), household)
    assert found.p[0, 0] < 1e-9
    assert found.effect[0, 0] == pytest.approx(1)


def test_too_little_support_is_not_tested():
    x = sparse.csc_array((np.arange(3000) < np.array([[9], [10], [0], [3000]])).T.astype(float))
    y = np.column_stack([np.arange(3000) % 1000 == 0, np.arange(3000) % 500 == 0, np.full(3000, np.nan)])
    p = screen(rank_excess(x), y).p
    assert np.isfinite(p).tolist() == [
        [False, False, False],
        [False, True, False],
        [False, False, False],
        [False, False, False],  # active everywhere with one value: nothing to rank
    ]
    in_one = screen(rank_excess(x), y, np.arange(3000) // 20)
    assert np.isnan(in_one.p).all()
    assert in_one.n_active[:, 1].tolist() == [1, 1, 0, 150]
    in_four = np.where(np.arange(3000) < 2000, np.arange(3000) % 4, np.arange(3000))  # the larger class, y = 0
    fires = np.random.default_rng(0).random((3000, 1))
    assert np.isnan(screen(rank_excess(fires), np.arange(3000)[:, None] >= 2000, in_four).p).all()
    assert np.isfinite(screen(rank_excess(fires), np.arange(3000)[:, None] >= 2000).p).all()


def test_a_scale_of_two_values_may_be_called_ordinal():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(100, 1)), (rng.random((100, 1)) < 0.5).astype(float)
    found = screen(rank_excess(x), y, binary=np.array([False]))
    assert found.effect[0, 0] == pytest.approx(stats.spearmanr(x[:, 0], y[:, 0]).statistic)
    assert not found.binary[0]
    with pytest.raises(SeqsaeError, match="0 and 1 only"):
        screen(rank_excess(x), y + 1, binary=np.array([True]))


def test_columns_with_the_same_gaps_go_together():
    y = np.array([[1, np.nan, 2, 5], [1, 1, 2, np.nan], [0, 1, 3, 4]])
    assert [group.tolist() for group in same_missing(y)] == [[0, 2], [1], [3]]


def test_lengths_that_differ_are_refused():
    ranks = rank_excess(np.eye(4))
    with pytest.raises(SeqsaeError, match="one row for each unit"):
        screen(ranks, np.zeros((3, 1)))
    with pytest.raises(SeqsaeError, match="one label for each"):
        screen(ranks, np.zeros((4, 1)), np.zeros(3))
