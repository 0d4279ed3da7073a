"""Mid-ranks and AUROCs against scipy and scikit-learn."""

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.metrics import roc_auc_score

from seqsae.associations.ranks import aurocs, midranks, rank_excess
from seqsae.errors import SeqsaeError


def features(rng, n=200):
    """Columns with ties, without zeros, never active, always active, with negative values."""
    x = rng.integers(1, 5, (n, 7)) * (rng.random((n, 7)) < [0.02, 0.3, 0.9, 0, 1, 0.5, 0.5])
    x = x.astype(float)
    x[:, 5] *= rng.choice([-1, 1], n)
    x[:, 6] = rng.normal(size=n)
    return x


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_array, sparse.csr_array])
def test_ranks_and_their_sums_are_those_of_scipy(form):
    x = features(np.random.default_rng(0))
    ranks = rank_excess(form(x))
    excess = ranks.excess.toarray() if sparse.issparse(ranks.excess) else ranks.excess
    expected = stats.rankdata(x, axis=0)
    centred = expected - (len(x) + 1) / 2
    np.testing.assert_array_equal(excess + ranks.base, expected)
    np.testing.assert_allclose(excess - ranks.shift, centred)
    np.testing.assert_allclose(ranks.sum2, (centred**2).sum(axis=0))
    np.testing.assert_allclose(ranks.sum3, (centred**3).sum(axis=0), atol=1e-6)
    np.testing.assert_array_equal(np.sign(excess), np.sign(x))


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_array])
def test_ranking_the_excess_of_some_rows_ranks_their_values(form):
    rng = np.random.default_rng(1)
    x, rows = features(rng), rng.choice(200, 60, replace=False)
    again, direct = rank_excess(rank_excess(form(x)).excess[rows]), rank_excess(form(x[rows]))
    np.testing.assert_array_equal(again.base, direct.base)
    assert abs(again.excess - direct.excess).max() == 0


def test_stored_zeros_are_zeros():
    stored = sparse.csc_array((np.array([0.0, 2.0, 0.0]), ([0, 1, 2], [0, 0, 0])), shape=(5, 1))
    assert rank_excess(stored).base == [2.5]
    assert rank_excess(stored).excess.nnz == 1


def test_midranks_of_nothing_is_nothing():
    assert len(midranks(np.array([]))) == 0


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_aurocs_are_those_of_scikit_learn(form):
    rng = np.random.default_rng(2)
    x, y = features(rng), (rng.random((200, 3)) < [0.05, 0.5, 0.9]).astype(float)
    expected = [[roc_auc_score(y[:, j], x[:, f]) for j in range(3)] for f in range(7)]
    np.testing.assert_allclose(aurocs(rank_excess(form(x)), y), expected, atol=1e-12)


def test_auroc_of_one_class_is_undefined():
    table = aurocs(rank_excess(np.eye(4)), np.column_stack([np.ones(4), [0, 1, 0, 1]]))
    assert np.isnan(table[:, 0]).all() and np.isfinite(table[:, 1]).all()


@pytest.mark.parametrize("bad", [np.array([[np.nan], [1.0]]), sparse.csc_array([[np.inf], [1.0]]), np.ones(3)])
def test_what_cannot_be_ranked_is_refused(bad):
    with pytest.raises(SeqsaeError, match="NaN or infinite|give a matrix"):
        rank_excess(bad)
