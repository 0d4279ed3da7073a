import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures.penalties import FLOOR
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.quality.dictionaries import best_match
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

NONE_DEAD = torch.zeros(24, dtype=torch.bool)


def _sae(shift=0.0, d=8, width=24, **options):
    sae = build(Recipe("relu", d, width, options=options)).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        sae.b_enc.sub_(shift)
    return sae


def _rows(n=40, d=8):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def _dense_loss(sae, x, state, p, factor=1.0):
    """The equations of the class's docstring, with every code written out and plain autograd."""
    read = x - sae.b_dec if sae.options["subtract_b_dec"] else x
    z = (read @ sae.W_enc + sae.b_enc).relu()
    main = (x - z @ sae.W_dec - sae.b_dec).square().mean()
    amounts = z * sae.W_dec.norm(dim=1) / sae.d_model**0.5
    powers = amounts if p == 1 else (amounts + FLOOR) ** p - FLOOR**p
    total = main + factor * sae.options["sparsity"] * powers.sum(1).mean()
    dead = state.dead.nonzero().squeeze(1)
    if len(dead):
        still = x - sae.b_dec.detach() if sae.options["subtract_b_dec"] else x
        pre = (still @ sae.W_enc + sae.b_enc)[:, dead]
        pre = pre + (pre.relu() - pre).detach()  # a relu, straight through
        left = (x - z @ sae.W_dec - sae.b_dec).detach()
        total = (
            total
            + sae.options["aux_weight"] * (left - (pre + (pre.relu() - pre).detach()) @ sae.W_dec[dead]).square().mean()
        )
    return total


@pytest.mark.parametrize("shift", [0.0, 1.3], ids=["many active", "few active"])
@pytest.mark.parametrize(
    ("options", "p"),
    [
        ({}, 1),
        ({"penalty": "sqrt"}, 0.5),
        ({"penalty": "lp", "p": 0.3}, 0.3),
        ({"subtract_b_dec": True, "unit_decoder": True}, 1),
        ({"tied": True, "subtract_b_dec": True}, 1),
    ],
    ids=str,
)
def test_loss_and_gradients_are_those_of_dense_autograd(options, p, shift):
    sae, x = _sae(shift, aux_k=4, **options), _rows()
    for dead in (0, 3):
        state = TrainingState(50, 100, torch.arange(24) < dead)
        loss, dense = sae.loss(x, state), _dense_loss(sae, x, state, p)
        assert loss.total.item() == pytest.approx(dense.item(), rel=1e-10)
        assert loss.total.item() == pytest.approx(loss.reconstruction.item() + loss.auxiliary.item())
        ours = torch.autograd.grad(loss.total, list(sae.parameters()))
        theirs = torch.autograd.grad(dense, list(sae.parameters()))
        for (name, _), one, other in zip(sae.named_parameters(), ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12, msg=name)


def test_both_ways_through_the_loss_are_tested_above():
    share = [(_sae(shift).codes(_rows()).values > 0).double().sum().item() / (40 * 24) for shift in (0.0, 1.3)]
    assert share[0] > 0.3 and 0 < share[1] < 0.1  # above a tenth products are dense, below they are listed


def test_the_penalty_warms_up():
    sae, x = _sae(), _rows()
    parts = [sae.loss(x, TrainingState(step, 100, NONE_DEAD)).auxiliary.item() for step in (0, 1, 5, 90)]
    assert parts[0] == 0 and parts[1] == pytest.approx(parts[2] / 5) and parts[2] == parts[3] > 0


def test_the_auxiliary_loss_reaches_the_encoder_of_latents_that_no_row_excites():
    sae, x = _sae(aux_k=4), _rows()
    with torch.no_grad():
        sae.b_enc[:6] = -50.0
    for dead, reached in ((6, True), (0, False)):
        loss = sae.loss(x, TrainingState(0, 10, torch.arange(24) < dead))
        gradient = torch.autograd.grad(loss.total, sae.W_enc)[0]
        assert (gradient[:, :6].norm(dim=0) > 1e-6).any().item() == reached


def test_annealing_takes_p_from_start_to_end_and_keeps_the_penaltys_scale():
    sae = _sae(penalty="lp", p_end=0.2, anneal_start=0.2, sparsity_warmup=0.0).train()
    assert [sae._power(step, 101) for step in (0, 20, 60, 100, 101)] == pytest.approx([1, 1, 0.6, 0.2, 0.2])
    x, sizes = _rows(), []
    for step in range(101):  # the same batch and weights throughout: the penalty may not move
        sizes.append(sae.loss(x, TrainingState(step, 101, NONE_DEAD)).auxiliary.item())
    assert max(sizes) == pytest.approx(min(sizes), rel=1e-6)
    assert sae.annealed != 1 and "annealed" in sae.state_dict()
    before = sae.annealed.clone()
    sae.eval().loss(x, TrainingState(50, 101, NONE_DEAD))  # a look at the loss is no step
    assert torch.equal(sae.annealed, before)


@pytest.mark.parametrize("step", [0, 60])
def test_gradients_are_right_while_p_anneals(step):
    sae, x = _sae(penalty="lp", p_end=0.2, anneal_start=0.2, sparsity_warmup=0.0).train(), _rows()
    sae.annealed.fill_(1.7)
    p, state = sae._power(step, 101), TrainingState(step, 101, NONE_DEAD)
    ours = torch.autograd.grad(sae.loss(x, state).total, list(sae.parameters()))
    theirs = torch.autograd.grad(_dense_loss(sae, x, state, p, 1.7), list(sae.parameters()))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_a_free_decoder_starts_short_and_stays_free_and_a_unit_one_does_not():
    free, unit = build(Recipe("relu", 8, 24)), build(Recipe("relu", 8, 24, options={"unit_decoder": True}))
    torch.testing.assert_close(free.W_dec.norm(dim=1), torch.full((24,), 0.1))
    torch.testing.assert_close(free.W_enc, free.W_dec.T)
    free.constrain_weights()
    torch.testing.assert_close(free.W_dec.norm(dim=1), torch.full((24,), 0.1))
    torch.testing.assert_close(unit.W_dec.norm(dim=1), torch.ones(24))


def test_annealing_p_comes_near_to_the_true_number_of_active_latents(planted):
    options = [{"sparsity": 0.1}, {"sparsity": 0.1, "penalty": "lp", "p_end": 0.2}]
    specs = [Spec(96, None, "relu", options=each) for each in options]
    held = [planted.rows[10_000:]]
    saes = train(ArrayStream(planted.rows[:10_000]), "array", specs, Budget(600, 256, every=600)).saes
    plain, annealed = (measure(sae, held) for sae in saes)
    assert 4 < annealed.l0 < 7 < 10 < plain.l0  # 4 are
    assert annealed.fvu < 0.15
    found = best_match(planted.directions, torch.nn.functional.normalize(saes[1].W_dec.detach(), dim=1))
    assert (found.cosine > 0.9).double().mean() > 0.8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"penalty": "l2"}, "unknown penalty 'l2'; choose one of l1, sqrt, lp"),
        ({"sparsity": -1}, "sparsity is -1; give a number of at least 0"),
        ({"sparsity_warmup": 2}, "sparsity_warmup is 2; give a number from 0 to 1"),
        ({"penalty": "lp", "p_end": 0}, "p_end is 0; give a number from 0.01 to 1"),
        ({"p": 0.5}, "p and p_end belong to penalty 'lp', this is 'l1'"),
        ({"aux_weight": "much"}, "aux_weight is 'much'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        build(Recipe("relu", 4, 8, options=options))
    assert "\n" not in str(caught.value)


def test_a_k_is_refused():
    with pytest.raises(SeqsaeError, match="SAE 'relu': k is 4.*leave k out"):
        build(Recipe("relu", 4, 8, 4))
