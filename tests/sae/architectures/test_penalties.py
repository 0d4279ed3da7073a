import pytest
import torch

from seqsae.sae.architectures.penalties import FLOOR, latent_sums, lengths, power, warmed
from seqsae.sae.base import TrainingState
from seqsae.sae.products.sparse import Every, Ragged


def _state(step, steps=100):
    return TrainingState(step, steps, torch.zeros(1, dtype=torch.bool))


def test_a_weight_climbs_over_its_share_of_the_steps():
    assert [warmed(2.0, 0.1, _state(step)) for step in (0, 5, 10, 99)] == [0.0, 1.0, 2.0, 2.0]
    assert warmed(2.0, 0.0, _state(0)) == 2.0
    assert warmed(2.0, 1.0, _state(50)) == 1.0


@pytest.mark.parametrize("p", [1, 0.5, 0.2])
def test_powers_are_those_of_the_amount_but_finite_in_slope_at_zero(p):
    amounts = torch.tensor([0.0, 1e-9, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    found = power(amounts, p)
    assert found[0] == 0
    torch.testing.assert_close(found[2:], amounts[2:] ** p, rtol=0.3, atol=0)
    (slopes,) = torch.autograd.grad(found.sum(), amounts)
    assert torch.isfinite(slopes).all() and slopes[0] <= p * FLOOR ** (p - 1) * (1 + 1e-9)


def test_sums_of_latents_and_their_gradients():
    values = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    sums = latent_sums(values, Ragged(torch.tensor([2, 0, 2]), torch.tensor([0, 1, 3]), 4))
    assert sums.tolist() == [2.0, 0.0, 5.0, 0.0]
    (sums * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert values.grad.tolist() == [100.0, 1.0, 100.0]
    dense = torch.arange(6.0).view(2, 3).requires_grad_()
    sums = latent_sums(dense, Every())
    assert sums.tolist() == [3.0, 5.0, 7.0]
    (sums * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert dense.grad.tolist() == [[1.0, 2.0, 3.0]] * 2


def test_a_row_of_zeros_has_no_slope():
    rows = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    found = lengths(rows)
    assert found.tolist() == [5.0, 0.0]
    found.sum().backward()
    assert torch.isfinite(rows.grad).all()
