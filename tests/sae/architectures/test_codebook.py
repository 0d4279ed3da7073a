import pytest
import torch
from torch.nn.functional import normalize, one_hot

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.normalise import fit
from seqsae.sae.quality.dictionaries import best_match
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.learner import Learner
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

NONE_DEAD = torch.zeros(24, dtype=torch.bool)


def _sae(k=3, **options):
    sae = build(Recipe("codebook", 8, 24, k, options=options)).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in sae.named_parameters():
            if name != "b_enc":
                weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return sae


def _rows(n=40):
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def _cosines(sae, x):
    return normalize(x - sae.b_dec, dim=1) @ normalize(sae.W_enc, dim=0)


def _dense_loss(sae, x, dead, aux_k):
    """The equations of the class's docstring, with every code written out and plain autograd."""
    cosines = _cosines(sae, x)
    through = 0 if sae.options["tied"] else 1  # whether the encoder learns by the straight-through value
    ones = 1 + through * (cosines - cosines.detach())
    x_hat = (ones * one_hot(cosines.topk(sae.k, dim=1).indices, 24).sum(1)) @ sae.W_dec + sae.b_dec
    total = (x - x_hat).square().mean()
    if not dead.any():
        return total
    left = (x - x_hat).detach()
    near = (left @ normalize(sae.W_enc, dim=0)).masked_fill(~dead, -torch.inf)
    still = normalize(x - sae.b_dec, dim=1) @ normalize(sae.W_enc, dim=0)
    ones = 1 + through * (still - still.detach())
    guess = (ones * one_hot(near.topk(aux_k, dim=1).indices, 24).sum(1)) @ sae.W_dec
    return total + sae.options["aux_weight"] * (left - guess).square().mean()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dead", [0, 5])
def test_loss_and_gradients_are_those_of_dense_autograd(tied, dead):
    sae, x, mask = _sae(tied=tied, aux_k=2), _rows(), torch.arange(24) < dead
    loss, dense = sae.loss(x, TrainingState(0, 10, mask)), _dense_loss(sae, x, mask, 2)
    assert loss.total.item() == pytest.approx(dense.item(), rel=1e-10)
    weights = {name: weight for name, weight in sae.named_parameters() if name != "b_enc"}
    if not tied:
        weights.pop("b_dec")  # through the cosines too: the direction of x - b_dec is taken as data
    ours = torch.autograd.grad(loss.total, list(weights.values()))
    theirs = torch.autograd.grad(dense, list(weights.values()))
    for name, one, other in zip(weights, ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12, msg=name)
        assert one.abs().max() > 0, name


def test_a_code_is_there_or_not_and_its_length_is_no_matter_for_the_choice():
    sae, x = _sae(), _rows()
    codes = sae.codes(x)
    assert (codes.values == 1).all() and codes.values.shape == (40, 3)
    expected = _cosines(sae, x).topk(3, dim=1).indices
    assert torch.equal(codes.indices.sort(1).values, expected.sort(1).values)
    with torch.no_grad():
        sae.W_dec.mul_(torch.rand(24, 1, dtype=torch.float64) + 0.1)
    assert torch.equal(sae.codes(x).indices.sort(1).values, expected.sort(1).values)
    torch.testing.assert_close(sae.decode_normalised(codes), sae.W_dec[codes.indices].sum(1) + sae.b_dec)


def test_rows_get_the_straight_through_gradient_of_the_cosines():
    sae, x = _sae(), _rows().requires_grad_()
    (sae.codes(x).values * 2).sum().backward()
    expected = _rows().requires_grad_()
    (_cosines(sae, expected).topk(3, dim=1).values * 2).sum().backward()
    torch.testing.assert_close(x.grad, expected.grad)


@pytest.mark.parametrize("tied", [True, False])
def test_the_auxiliary_loss_reaches_dead_codes(tied):
    sae, x = _sae(tied=tied), _rows()
    with torch.no_grad():
        away = -normalize((x - sae.b_dec).mean(0), dim=0)
        (sae.W_dec if tied else sae.W_enc.T)[:4] = 1e-3 * away  # equal codes: one at most is chosen
    for dead, reached in ((4, True), (0, False)):
        mask = torch.arange(24) < dead
        assert not sae.loss(x, TrainingState(0, 10, mask)).fired[1:4].all()
        loss = sae.loss(x, TrainingState(0, 10, mask))
        dense = loss.total - sae.loss(x, TrainingState(0, 10, NONE_DEAD)).total
        gradient = torch.autograd.grad(dense, sae.W_enc if not tied else sae.W_dec)[0]
        gradient = gradient if tied else gradient.T
        assert (gradient[:4].norm(dim=1) > 1e-9).any().item() == reached


def test_unused_codes_come_back_by_the_auxiliary_loss_or_by_resampling(planted):
    rows = planted.rows.clone()
    rows[:, -1] = 0  # no row has a part along the last axis, where half of the codes lie
    rows, held, fired = rows[:10_000], rows[10_000:], {}
    for weight, resample in ((0.0, None), (1 / 32, None), (0.0, 50)):
        spec = Spec(64, 4, "codebook", resample=resample, options={"aux_weight": weight})
        sae = build(spec.recipe(32))
        sae.set_normaliser(fit([rows], "center-scale", "s"))
        with torch.no_grad():
            sae.W_dec[:32] = 3 * torch.eye(32)[-1]
        assert measure(sae, [held]).density[:32].max() == 0
        learner, stream = Learner(sae.train(), spec, Budget(300, 256, dead_after=2_000), 2_000), ArrayStream(rows)
        for step in range(300):
            learner.learn(stream.next(256)["array"], step)
        fired[weight, resample] = (measure(sae.eval(), [held]).density[:32] > 0.01).double().mean()
    assert fired[0.0, None] == 0 and fired[1 / 32, None] > 0.8 and fired[0.0, 50] > 0.8


def test_codes_start_at_a_length_of_which_k_make_a_row_and_resampled_ones_take_the_usual_length():
    sae = build(Recipe("codebook", 18, 24, 2))
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.full((24,), 3.0))
    with torch.no_grad():
        sae.W_dec[:4] *= 0.1
    sae.restart(torch.arange(4))
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.full((24,), 3.0))


def test_planted_directions_are_found_though_strengths_are_lost(planted):
    sae = train(
        ArrayStream(planted.rows[:10_000]), "array", [Spec(96, 4, "codebook")], Budget(1000, 256, every=1000)
    ).saes[0]
    found = best_match(planted.directions, normalize(sae.W_dec.detach(), dim=1)).cosine > 0.9
    assert found.double().mean() > 0.3
    assert measure(sae, [planted.rows[10_000:]]).fvu < 0.4


def test_a_k_is_needed():
    with pytest.raises(SeqsaeError, match="'codebook': no k; give the number"):
        build(Recipe("codebook", 4, 8))
