"""Ties against partial correlations by regression, support by a loop, greedy choice where ranking fails."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import pearsonr, rankdata, spearmanr

from seqsae.associations.probing.choosing import basis_of, columns_of, greedy, strongest, support, ties
from seqsae.associations.ranks import rank_excess


def drawn(seed=0, n=120, width=15):
    rng = np.random.default_rng(seed)
    x = np.round(rng.random((n, width)) * (rng.random((n, width)) < 0.3), 2)
    return rng, x


def partial(x, y, z):
    """Correlation of what regression on z leaves of both."""
    z = np.column_stack([np.ones(len(y)), z])
    rest = [v - z @ np.linalg.lstsq(z, v, rcond=None)[0] for v in (x, y)]
    return abs(pearsonr(*rest).statistic)


@pytest.mark.parametrize("sparse", [False, True])
def test_ties_are_partial_correlations(sparse):
    rng, x = drawn()
    y = np.column_stack([rng.random(120) < 0.3, rng.normal(size=120)]).astype(float)
    z = rng.normal(size=(120, 3))
    z = np.column_stack([z, z[:, 0]])  # one that says nothing new
    given = sp.csc_array(x) if sparse else x
    found, crude = ties(given, y, basis_of(z, 120)), ties(given, y, basis_of(None, 120))
    for f in range(x.shape[1]):
        for t in range(2):
            assert found[f, t] == pytest.approx(partial(x[:, f], y[:, t], z), abs=1e-9)
            assert crude[f, t] == pytest.approx(abs(pearsonr(x[:, f], y[:, t]).statistic), abs=1e-9)
    ranked = ties(rank_excess(given).excess, rankdata(y[:, 1])[:, None], basis_of(None, 120))[:, 0]
    np.testing.assert_allclose(ranked, [abs(spearmanr(x[:, f], y[:, 1]).statistic) for f in range(15)], atol=1e-9)


def test_the_order_is_that_of_the_standardised_difference_of_means():
    rng, x = drawn(1)
    y = rng.random(120) < 0.4
    x[y, :5] *= np.linspace(1, 3, 5)
    difference = np.abs(x[y].mean(0) - x[~y].mean(0)) / np.sqrt(
        (y.sum() * x[y].var(0) + (~y).sum() * x[~y].var(0)) / 120
    )
    tie = ties(sp.csr_array(x), y[:, None].astype(float), basis_of(None, 120))[:, 0]
    assert strongest(tie, 15).tolist() == np.argsort(-difference).tolist()


def test_what_does_not_vary_has_no_tie():
    x = np.column_stack([np.ones(30), np.zeros(30), np.arange(30.0)])
    assert ties(x, np.ones((30, 1)), basis_of(None, 30)).max() == 0
    tie = ties(x, np.arange(30.0)[:, None] ** 2, basis_of(None, 30))[:, 0]
    assert (tie[:2] == 0).all() and strongest(tie, 3).tolist() == [2]
    assert ties(x, np.arange(30.0)[:, None], basis_of(np.arange(30.0)[:, None], 30)).max() == 0


def test_support_counts_clusters():
    rng, x = drawn(2)
    cluster = rng.integers(0, 20, 120) * 7
    wanted = [len({c for c, v in zip(cluster, column, strict=True) if v}) for column in x.T]
    assert support(sp.csc_array(x), cluster).tolist() == wanted
    assert support(x, cluster).tolist() == [20] * 15


def test_columns_come_each_from_its_own_pooling():
    _, x = drawn(3)
    matrices = [sp.csc_array(x), sp.csc_array(10 * x)]
    found = columns_of(matrices, np.array([4, 1, 4]), np.array([1, 0, 0]))
    np.testing.assert_array_equal(found, np.column_stack([10 * x[:, 4], x[:, 1], x[:, 4]]))


def test_greedy_passes_over_what_repeats():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 200))
    x = np.column_stack([a, a + 0.01 * rng.normal(size=200), b, rng.normal(size=200)])
    y = a + 0.5 * b
    one = basis_of(None, 200)
    assert sorted(strongest(ties(x, y[:, None], one)[:, 0], 2)) == [0, 1]
    chosen = greedy(x, y, one, 2)
    assert chosen[0] in (0, 1) and chosen[1] == 2
    assert len(greedy(np.column_stack([a, a, 2 * a]), a, one, 3)) == 1
