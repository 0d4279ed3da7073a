"""Effects and intervals: values against oracles, variances against naive forms, intervals by coverage."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from seqsae.associations.effects import auroc, auroc_variance, spearman
from seqsae.errors import SeqsaeError


def tied(rng, n=120):
    """(x, y, cluster): a sparse feature with ties, a binary covariate it goes with, clusters of unequal size."""
    y = (rng.random(n) < 0.3).astype(float)
    return rng.integers(1, 6, n) * (rng.random(n) < 0.3 + 0.3 * y), y, rng.integers(0, 40, n)


def kernel(x, y):
    """[n+, n-] 1 where the positive stands higher, 1/2 at a tie."""
    difference = x[y == 1][:, None] - x[y == 0]
    return (difference > 0) + (difference == 0) / 2


def naive_delong(x, y):
    pairs = kernel(x, y)
    return pairs.mean(axis=1).var(ddof=1) / len(pairs) + pairs.mean(axis=0).var(ddof=1) / pairs.shape[1]


def naive_obuchowski(x, y, cluster):
    """Equation by equation, cluster by cluster."""
    pairs, theta = kernel(x, y), kernel(x, y).mean()
    labels, positive, negative = np.unique(cluster), cluster[y == 1], cluster[y == 0]
    a = np.array([(pairs.mean(axis=1)[positive == c] - theta).sum() for c in labels])
    b = np.array([(pairs.mean(axis=0)[negative == c] - theta).sum() for c in labels])
    (m, n), i10, i01, i = pairs.shape, len(set(positive)), len(set(negative)), len(labels)
    s10, s01 = i10 / (i10 - 1) / m * (a**2).sum(), i01 / (i01 - 1) / n * (b**2).sum()
    return s10 / m + s01 / n + 2 * i / (i - 1) * (a * b).sum() / (m * n)


def test_auroc_and_its_variance():
    x, y, cluster = tied(np.random.default_rng(0))
    assert auroc(x, y).value == pytest.approx(roc_auc_score(y, x), abs=1e-12)
    assert auroc_variance(x, y) == pytest.approx(naive_delong(x, y), rel=1e-9)
    assert auroc_variance(x, y, cluster) == pytest.approx(naive_obuchowski(x, y, cluster), rel=1e-9)


def test_spearman_is_that_of_scipy():
    rng = np.random.default_rng(1)
    x, _, _ = tied(rng)
    y = np.round(rng.normal(size=120) + 0.3 * x, 1)
    assert spearman(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def naive_rho(u, v, weights):
    """Spearman's rho of a weighted sample, ranks and all."""

    def weighted_rank(a):
        above = (a[:, None] > a) + (a[:, None] == a) / 2
        return above @ weights / weights.sum()

    a, b = weighted_rank(u), weighted_rank(v)
    covariance = np.cov(a, b, aweights=weights, ddof=0)
    return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


@pytest.mark.parametrize("decimals", [0, 6])
def test_the_standard_error_of_rho_is_the_infinitesimal_jackknife(decimals):
    """Each unit's influence, by the derivative of rho in that unit's weight (Jaeckel 1972), gives the same interval."""
    rng = np.random.default_rng(2)
    x, y = np.round(rng.normal(size=(2, 90)), decimals)
    y = np.round(y + 0.6 * x, decimals)
    step, influence = 1e-5, np.empty(90)
    for k in range(90):
        shifted = [naive_rho(x, y, np.ones(90) + sign * step * (np.arange(90) == k)) for sign in (1, -1)]
        influence[k] = (shifted[0] - shifted[1]) / (2 * step)
    se = np.sqrt((influence**2).sum() * 90 / 89)
    found = spearman(x, y)
    squares, fourth = (influence**2).sum(), (influence**4).sum()
    freedom = 2 * squares**2 / (fourth - squares**2 / 90)
    half = stats.t.isf(0.025, freedom) * se / (1 - found.value**2)
    assert np.arctanh([found.ci_low, found.ci_high]) == pytest.approx(np.arctanh(found.value) + [-half, half], rel=1e-4)


def coverage(truth, make, measure, repeats=250):
    """(share of intervals wholly above the truth, wholly below it)."""
    found = [measure(*make(np.random.default_rng(seed))) for seed in range(repeats)]
    return np.mean([one.ci_low > truth for one in found]), np.mean([one.ci_high < truth for one in found])


def rare_binary(n, prevalence, if_positive, if_negative):
    def make(rng):
        y = (rng.permutation(n) < prevalence * n).astype(float)
        return rng.gamma(1, 1, n) * (rng.random(n) < np.where(y == 1, if_positive, if_negative)), y

    truth = 0.5 * (1 - if_positive) * (1 - if_negative) + if_positive * (1 - if_negative / 2)
    return truth, make


def subjects(rng, shared):
    """Token rows of 60 subjects; `shared`: the covariate is the subject's own."""
    subject = np.repeat(np.arange(60), rng.integers(2, 15, 60))
    y = (rng.random(60) < 0.4)[subject] if shared else rng.random(len(subject)) < 0.4
    return rng.normal(size=60)[subject] + rng.normal(size=len(subject)) + 0.8 * y, y.astype(float), subject


@pytest.mark.parametrize(
    "case", [(1000, 0.05, 0.0, 0.01), (1000, 0.05, 0.02, 0.01), (800, 0.05, 0.5, 0.02), (300, 0.1, 0.95, 0.05)]
)
def test_intervals_of_rare_features_cover(case):
    """Also where the few positives never fire: DeLong's own interval is then far too short."""
    truth, make = rare_binary(*case)
    above, below = coverage(truth, make, auroc)
    assert above <= 0.06 and below <= 0.06


@pytest.mark.parametrize("shared", [True, False])
def test_intervals_over_token_rows_cover(shared):
    truth = stats.norm.cdf(0.8 / 2)
    above, below = coverage(truth, lambda rng: subjects(rng, shared), auroc)
    assert above <= 0.06 and below <= 0.06
    if shared:  # and would not, were tokens taken for independent
        assert sum(coverage(truth, lambda rng: subjects(rng, shared)[:2], auroc)) > 0.2


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_intervals_of_rho_cover(rho):
    def make(rng):
        x, y = rng.normal(size=(2, 80))
        return x, rho * x + np.sqrt(1 - rho**2) * y

    above, below = coverage(6 / np.pi * np.arcsin(rho / 2), make, spearman)
    assert above <= 0.06 and below <= 0.06


def test_intervals_of_rho_cover_over_clusters():
    def make(rng):
        subject = np.repeat(np.arange(60), rng.integers(2, 12, 60))
        own = rng.normal(size=(60, 2)) @ [[1, 0.5], [0, np.sqrt(0.75)]]
        return *(own[subject] + rng.normal(size=(len(subject), 2))).T, subject

    truth = 6 / np.pi * np.arcsin(0.25 / 2)
    above, below = coverage(truth, make, spearman)
    assert above <= 0.07 and below <= 0.07
    assert sum(coverage(truth, lambda rng: make(rng)[:2], spearman)) > 0.15


def test_perfect_separation_keeps_a_width():
    y = np.repeat([0.0, 1.0], [100, 20])
    high, low = auroc(np.arange(120), y), auroc(-np.arange(120), y)
    assert (high.value, high.ci_high) == (1, 1)
    assert high.ci_low == pytest.approx(stats.beta.ppf(0.025, 20, 1))
    assert (low.value, low.ci_low, low.ci_high) == pytest.approx((0, 0, 1 - high.ci_low))
    assert high.p < 1e-8
    same = spearman(np.arange(50), np.arange(50) ** 3)
    assert same.value == same.ci_high == 1 and 0.9 < same.ci_low < 0.99
    opposite = spearman(np.arange(50), -np.arange(50))
    assert (opposite.ci_low, opposite.ci_high) == pytest.approx((-1, -same.ci_low))


def test_what_cannot_be_known_is_said():
    x, y, one = np.arange(20.0), np.arange(20) % 2, np.zeros(20)
    assert np.isnan(auroc(x, one)).all() and np.isnan(auroc_variance(x, one))
    assert np.isnan(spearman(x, one)).all() and np.isnan(spearman([], [])).all() and np.isnan(auroc([], [])).all()
    silent = auroc(one, y)
    assert silent.value == 0.5 and silent.ci_low < 0.4 and silent.ci_high > 0.6 and np.isnan(silent.p)
    assert auroc(x, y, one)[1:3] == (0, 1) and spearman(x, x % 3, one)[1:3] == (-1, 1)


def test_wider_confidence_is_wider():
    x, y, cluster = tied(np.random.default_rng(3))
    for measure in (auroc, spearman):
        usual, wide = measure(x, y, cluster), measure(x, y, cluster, confidence=0.999)
        assert wide.ci_low < usual.ci_low < usual.value < usual.ci_high < wide.ci_high


def test_bad_input_is_refused():
    with pytest.raises(SeqsaeError, match="have 3, 2 and 3 units"):
        auroc(np.zeros(3), np.zeros(2))
    with pytest.raises(SeqsaeError, match="drop these units"):
        spearman(np.array([1.0, np.nan]), np.zeros(2))
