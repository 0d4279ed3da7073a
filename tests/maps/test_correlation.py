"""How tests of features go together: against the whole correlation matrix, and the size of the test that hears it."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from seqsae.associations.nulls import basis
from seqsae.maps.competitive import Widening, competitive, within
from seqsae.maps.correlation import Correlation, of_sizes

N, F = 400, 30


def left_over(x: np.ndarray, told: np.ndarray, sums: np.ndarray | None) -> np.ndarray:
    """[F, F] the correlation by hand; zeros of what never varies."""
    left = x - told @ (told.T @ x) / len(x)
    left = left if sums is None else sums @ left
    length = np.linalg.norm(left, axis=0)
    left = np.divide(left, length, out=np.zeros_like(left), where=length > 1e-6)
    return left.T @ left


@pytest.fixture(scope="module", params=["alone", "in households"])
def case(request) -> tuple[Correlation, np.ndarray]:
    """Features 0 to 9 go together, the last is never on; the confounders tell part of it."""
    rng = np.random.default_rng(5)
    told = basis(np.column_stack([np.ones(N), rng.normal(size=(N, 2))]))
    shared = rng.normal(size=(N, 1)) * (np.arange(F) < 10) + 2 * told[:, [1]]
    x = np.where(rng.random((N, F)) < 0.3, np.maximum(shared + rng.normal(size=(N, F)), 0), 0)
    x[:, -1] = 0
    sums = np.kron(np.eye(N // 4), np.ones(4)) if request.param == "in households" else None
    return Correlation(sp.csc_array(x), told, None if sums is None else sp.csr_array(sums)), left_over(x, told, sums)


def test_products_are_those_of_the_whole_matrix(case):
    found, r = case
    u = np.random.default_rng(0).normal(size=(F, 20))
    assert np.allclose(found.times(u), r @ u) and np.allclose(found.quadratic(u), np.diag(u.T @ r @ u))
    assert not found.live[-1] and found.live[:-1].all()


def test_means_are_those_of_the_pairs(case):
    found, r = case
    mine = r[:10, :10][~np.eye(10, dtype=bool)]
    rho, sizes = found.mean(np.array([*range(10), F - 1]))
    assert rho == pytest.approx(mine.mean()) and sizes == pytest.approx(of_sizes(mine).mean())
    assert found.mean(np.array([3, F - 1])) == (0, 0)


def test_the_widening_is_that_of_the_whole_matrix(case):
    found, r = case
    tested = np.arange(F) != 12
    stratum, member = np.arange(F - 1) % 3, np.zeros((F, 2), bool)
    member[:8, 0] = member[5:20, 1] = True
    flat = (stratum[:, None] == np.arange(3)) / np.sqrt(np.bincount(stratum))
    inner = r[np.ix_(tested, tested)]
    for mine, got in zip(member.T, found.widenings(member, tested, stratum), strict=True):
        h = within(mine[tested].astype(float), stratum)
        ratio = h @ inner @ h / (h @ h)
        off = np.eye(F - 1) - flat @ flat.T
        trace = np.trace(off @ inner) - ratio
        assert got.factor == pytest.approx(max(ratio, 1) * (F - 1 - 4) / trace)
        pr = off @ inner @ off
        expected = np.trace(pr) ** 2 / (pr**2).sum() - 1
        assert got.freedom == pytest.approx(expected, rel=0.25)  # drawn probes


def test_size_is_kept_where_both_the_set_and_the_others_go_together():
    """The mean of either side swings as one, which the set's own correlation does not tell."""
    rng = np.random.default_rng(6)
    people, width = 300, 60
    kind = rng.random((people, 2))[:, np.arange(width) // 30]
    x = (rng.random((people, width)) < np.where(kind > 0.5, 0.4, 0.1)).astype(float)
    told, member = np.ones((people, 1)), np.arange(width) < 30
    found = Correlation(sp.csc_array(x), told, None)
    [heard] = found.widenings(member[:, None], np.ones(width, bool), np.zeros(width, int))
    left = x - x.mean(axis=0)
    y = rng.normal(size=(people, 500))
    z = (left / np.linalg.norm(left, axis=0)).T @ (y - y.mean(axis=0))
    p = np.array([[competitive(one, member, np.zeros(width, int), by).p for by in (heard, Widening())] for one in z.T])
    assert (p[:, 0] < 0.05).mean() < 0.075 and (p[:, 1] < 0.05).mean() > 0.3
    assert (p[:, 0] < 0.05).mean() > 0.01


def test_correlation_of_sizes_is_that_of_normal_numbers():
    for r in (-0.8, 0.3, 0.6):
        pairs = np.random.default_rng(7).multivariate_normal([0, 0], [[1, r], [r, 1]], 200_000)
        assert stats.pearsonr(*np.abs(pairs).T)[0] == pytest.approx(of_sizes(np.array(r)), abs=0.01)
    assert of_sizes(np.array([0.0, 1.0, -1.0])) == pytest.approx([0, 1, 1])


def test_copies_of_one_feature_and_features_that_never_vary():
    x = (np.random.default_rng(8).random((50, 1)) < 0.4).astype(float)
    one, four = np.ones((50, 1)), np.arange(4)
    assert Correlation(sp.csc_array(np.repeat(x, 4, axis=1)), one, None).mean(four) == pytest.approx((1, 1))
    assert Correlation(sp.csc_array((50, 4)), one, None).mean(four) == (0, 0)
    none = Correlation(sp.csc_array((50, 4)), one, None).widenings(np.eye(4) > 0, np.zeros(4, bool), np.zeros(0, int))
    assert [widening.factor for widening in none] == [1] * 4
