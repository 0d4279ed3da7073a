"""The straight-through gradients against what they stand for: slopes of an expected loss."""

import pytest
import torch

from seqsae.sae.architectures.straight_through import jump
from seqsae.sae.products.sparse import Every, Ragged

N, BANDWIDTH = 400_000, 0.05


def _sample():
    generator = torch.Generator().manual_seed(0)
    pre = torch.randn(N, 1, generator=generator, dtype=torch.float64)
    return pre, 0.7 * pre[:, 0] + 0.3 * torch.randn(N, generator=generator, dtype=torch.float64)


def _expected(pre, x, threshold, weight):
    """Mean of (x - 1.3 z)^2 + weight [active], no estimate in it."""
    active = pre[:, 0] > threshold
    return ((x - 1.3 * pre[:, 0] * active).square() + weight * active).mean().item()


@pytest.mark.parametrize("threshold", [0.2, 0.6, 1.4])
@pytest.mark.parametrize("weight", [0.0, 0.4, 3.0])
def test_the_gradient_is_the_slope_of_the_expected_loss(threshold, weight):
    pre, x = _sample()
    at = torch.tensor([threshold], dtype=torch.float64, requires_grad=True)
    values, active = jump(pre, at, Every(), BANDWIDTH)
    ((x - 1.3 * values[:, 0]).square().mean() + weight * active / N).backward()
    step = BANDWIDTH / 2
    slope = (_expected(pre, x, threshold + step, weight) - _expected(pre, x, threshold - step, weight)) / BANDWIDTH
    assert at.grad.item() == pytest.approx(slope, rel=0.08, abs=0.01)


def test_descent_finds_the_threshold_of_least_expected_loss():
    pre, x = _sample()
    grid = torch.linspace(0.05, 2.5, 50).tolist()
    best = min(grid, key=lambda threshold: _expected(pre, x, threshold, 0.3))
    assert 0.3 < best < 2  # neither end
    for start in (0.1, 2.1):
        at = torch.tensor([start], dtype=torch.float64, requires_grad=True)
        for _ in range(200):
            values, active = jump(pre[:50_000], at, Every(), BANDWIDTH)
            loss = (x[:50_000] - 1.3 * values[:, 0]).square().mean() + 0.3 * active / 50_000
            (slope,) = torch.autograd.grad(loss, at)
            with torch.no_grad():
                at -= slope
        assert _expected(pre, x, at.item(), 0.3) < 1.01 * _expected(pre, x, best, 0.3)
        assert _expected(pre, x, start, 0.3) > 1.008 * _expected(pre, x, best, 0.3)


def test_pre_activations_get_the_slope_of_the_active_ones_alone():
    pre = torch.tensor([[0.4, 0.6, 2.0, -1.0]], requires_grad=True)
    values, active = jump(pre, torch.full((4,), 0.5), Every(), 0.3)
    assert values.tolist() == [[0.0, pytest.approx(0.6), 2.0, 0.0]] and active.item() == 2
    (values.sum() + active).backward()
    assert pre.grad.tolist() == [[0.0, 1.0, 1.0, 0.0]]


def test_listed_places_give_what_all_places_give():
    generator = torch.Generator().manual_seed(1)
    pre = torch.randn(30, 9, generator=generator, dtype=torch.float64)
    threshold = torch.rand(9, generator=generator, dtype=torch.float64) + 0.3
    coefficients = torch.randn(30, 9, generator=generator, dtype=torch.float64)
    there = pre > threshold - 0.1
    starts = torch.nn.functional.pad(there.sum(1).cumsum(0), (1, 0))
    found = []
    for pattern, at, by in (
        (Every(), pre, coefficients),
        (Ragged(there.nonzero()[:, 1], starts, 9), pre[there], coefficients[there]),
    ):
        at, over = at.clone().requires_grad_(), threshold.clone().requires_grad_()
        values, active = jump(at, over, pattern, 0.2)
        ((values * by).sum() + 2 * active).backward()
        found.append((values.sum(), active, over.grad, at.grad.sum()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    assert (found[0][2] != 0).sum() > 6
