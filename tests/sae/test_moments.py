import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from seqsae.sae.moments import geometric_median, moments


def _rows(n=400, d=5):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, d + 1) + 100


def test_moments_are_numpys_whatever_the_batches():
    x = _rows()
    wide = x.numpy().astype(np.float64)
    for size in (1, 7, 400):
        found = moments(x.split(size), "s", covariance=True)
        np.testing.assert_allclose(found.mean, wide.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.variance, wide.var(0), rtol=1e-10)
        np.testing.assert_allclose(found.covariance, np.cov(wide.T, bias=True), rtol=1e-9, atol=1e-9)
        assert found.length.item() == pytest.approx(np.linalg.norm(wide, axis=1).mean(), rel=1e-12)
        assert torch.equal(found.rows, x)


def test_the_geometric_median_is_the_point_of_least_distance():
    x = torch.cat([_rows(), torch.full((60, 5), 300.0)])
    wide = x.numpy().astype(np.float64)
    best = minimize(lambda point: np.linalg.norm(wide - point, axis=1).sum(), wide.mean(0), tol=1e-12).x
    np.testing.assert_allclose(geometric_median(x, steps=1000, tolerance=1e-9), best, atol=1e-3)


def test_the_geometric_median_is_safe_against_equal_rows():
    same = torch.full((50, 3), 2.5)
    assert torch.equal(geometric_median(same), same[0].double())
    mostly = torch.cat([same, torch.randn(20, 3, generator=torch.Generator().manual_seed(1))])
    np.testing.assert_allclose(geometric_median(mostly, steps=2000), same[0], atol=1e-3)  # more than half of the rows
    assert torch.isfinite(geometric_median(torch.zeros(4, 2))).all()


def test_a_start_on_one_of_the_rows_does_not_hold_the_iteration():
    x = torch.tensor([[0.0, 0.0], [3.0, 0.0], [-1.0, 0.0], [-2.0, 0.0], [0.0, 9.0]])
    x[0] = x[1:].mean(0)  # the mean of all is this row
    wide = x.numpy().astype(np.float64)
    best = minimize(
        lambda point: np.linalg.norm(wide - point, axis=1).sum(), [0.1, 0.2], method="Nelder-Mead", tol=1e-10
    ).x
    np.testing.assert_allclose(geometric_median(x, steps=5000, tolerance=1e-12), best, atol=1e-3)
