"""AuxK by itself; its revivals and its gradients within a loss stand in the tests of the architectures that use it."""

import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures.auxiliary import auxiliary, dead_latents
from seqsae.sae.base import Recipe, TrainingState, build

N, D, WIDTH = 30, 8, 40


def _sae(**options):
    sae = build(Recipe("topk", D, WIDTH, 3, options={"aux_weight": 0.5, **options}))
    with torch.no_grad():
        sae.b_dec += 1
    return sae


def _rows(seed):
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("dead", "aux_k"), [(3, 5), (5, 5), (12, 5), (39, 2), (10, None)])
def test_it_is_the_error_of_the_largest_dead_latents_of_each_row(dead, aux_k):
    sae, centred, error, latents = _sae(aux_k=aux_k), _rows(1), _rows(2), torch.arange(dead)
    pre = (centred @ sae.W_enc + sae.b_enc)[:, :dead]
    k = min(aux_k or D // 2, dead)
    mask = torch.zeros(N, dead).scatter_(1, pre.topk(k, dim=1).indices, 1)
    straight = pre + (pre.relu() - pre).detach()  # relu, its gradient taken to be 1
    expected = 0.5 * (error - (straight * mask) @ sae.W_dec[:dead]).square().mean()
    found = auxiliary(sae, centred, error, latents, pre.detach())
    torch.testing.assert_close(found, expected)
    weights = [sae.W_enc, sae.b_enc, sae.W_dec]
    for ours, dense in zip(torch.autograd.grad(found, weights), torch.autograd.grad(expected, weights), strict=True):
        torch.testing.assert_close(ours, dense)


def test_b_dec_does_not_learn_from_it():
    sae, latents = _sae(), torch.arange(9)
    pre = (_rows(1) @ sae.W_enc)[:, :9].detach()
    auxiliary(sae, _rows(1), _rows(2), latents, pre).backward()
    assert sae.b_dec.grad is None and sae.W_enc.grad.norm() > 0 and sae.W_enc.grad[:, 9:].norm() == 0


def test_nobody_dead_or_no_weight_is_nothing():
    sae, state = _sae(), TrainingState(0, 1, torch.arange(WIDTH) % 3 == 0)
    assert dead_latents(sae, state).tolist() == list(range(0, WIDTH, 3))
    assert len(dead_latents(_sae(aux_weight=0), state)) == 0
    assert auxiliary(sae, _rows(1), _rows(2), torch.arange(0), torch.zeros(N, 0)) == 0


@pytest.mark.parametrize("options", [{"aux_k": 2.5}, {"aux_k": 0}, {"aux_weight": None}, {"aux_weight": torch.inf}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(SeqsaeError, match="SAE 'topk': aux_"):
        _sae(**options)
