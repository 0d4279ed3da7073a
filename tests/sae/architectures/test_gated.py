import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.fold import folded
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

NONE_DEAD = torch.zeros(24, dtype=torch.bool)


def _sae(shift=0.0, **options):
    sae = build(Recipe("gated", 8, 24, options=options)).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        sae.b_enc.sub_(shift)
    return sae


def _rows(n=40):
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def _dense_parts(sae, x, state):
    """The terms of the class's docstring, with every code written out and plain autograd."""
    read = x - sae.b_dec if sae.options["subtract_b_dec"] else x
    gate = read @ sae.W_enc + sae.b_enc
    strong = read @ (sae.W_enc * sae.r_mag.exp()) + sae.b_mag
    z = strong.relu() * (gate > 0)
    main = (x - z @ sae.W_dec - sae.b_dec).square().mean()
    penalty = sae.options["sparsity"] * (gate.relu() * sae.W_dec.detach().norm(dim=1)).sum(1).mean() / 8**0.5
    by_gate = (x - gate.relu() @ sae.W_dec.detach() - sae.b_dec.detach()).square().mean()
    dead = state.dead.nonzero().squeeze(1)
    if not len(dead):
        return main, penalty, by_gate
    still = x - sae.b_dec.detach() if sae.options["subtract_b_dec"] else x
    pre, left = still @ sae.W_enc + sae.b_enc, (x - z @ sae.W_dec - sae.b_dec).detach()
    pre = ((pre + still @ (sae.W_enc * sae.r_mag.exp()) + sae.b_mag) / 2)[:, dead]
    straight = pre + (pre.relu() - pre).detach()  # a relu, straight through
    return main, penalty, by_gate, sae.options["aux_weight"] * (left - straight @ sae.W_dec[dead]).square().mean()


@pytest.mark.parametrize("shift", [0.0, 3.2], ids=["many active", "few active"])
@pytest.mark.parametrize("options", [{}, {"subtract_b_dec": False, "unit_decoder": False}, {"tied": True}], ids=str)
def test_loss_and_gradients_are_those_of_dense_autograd(options, shift):
    sae, x = _sae(shift, aux_k=4, **options), _rows()
    for dead in (0, 3):
        state = TrainingState(50, 100, torch.arange(24) < dead)
        loss, dense = sae.loss(x, state), sum(_dense_parts(sae, x, state))
        assert loss.total.item() == pytest.approx(dense.item(), rel=1e-10)
        ours = torch.autograd.grad(loss.total, list(sae.parameters()))
        theirs = torch.autograd.grad(dense, list(sae.parameters()))
        for (name, _), one, other in zip(sae.named_parameters(), ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12, msg=name)


def test_both_ways_through_the_loss_are_tested_above():
    for shift, low, high in ((0.0, 0.3, 0.6), (3.2, 0.001, 0.1)):
        sae, x = _sae(shift), _rows()
        open_ = ((x - sae.b_dec) @ sae.W_enc + sae.b_enc > 0).double().mean()
        assert low < open_ < high


def test_the_gates_own_reconstruction_is_what_teaches_it_and_moves_no_decoder():
    sae, x = _sae(), _rows()
    main, _, by_gate = _dense_parts(sae, x, TrainingState(0, 10, NONE_DEAD))
    total = sae.loss(x, TrainingState(0, 10, NONE_DEAD)).total
    biases = torch.autograd.grad(main, sae.b_enc, retain_graph=True, allow_unused=True)
    assert biases == (None,)  # the step has no slope: the gate's bias learns nothing from x - x_hat
    assert torch.autograd.grad(total, sae.b_enc, retain_graph=True)[0].abs().max() > 1e-4
    decoders = [torch.autograd.grad(loss, sae.W_dec, retain_graph=True)[0] for loss in (main, total)]
    torch.testing.assert_close(*decoders)
    assert torch.autograd.grad(by_gate, sae.W_enc)[0].abs().max() > 1e-4


def test_the_auxiliary_loss_reaches_the_encoder_of_latents_that_no_row_excites():
    sae, x = _sae(aux_k=4), _rows()
    with torch.no_grad():
        sae.b_enc[:6] = -50.0
    for dead, reached in ((6, True), (0, False)):
        loss = sae.loss(x, TrainingState(0, 10, torch.arange(24) < dead))
        gradient = torch.autograd.grad(loss.total, sae.W_enc)[0]
        assert (gradient[:, :6].norm(dim=0) > 1e-6).any().item() == reached


def test_a_latent_is_active_where_gate_and_strength_are_above_zero():
    sae, x = _sae(), _rows()
    with torch.no_grad():
        sae.b_mag[:12] -= 1.0  # gates open where no strength follows
    codes = sae.codes(x)
    gate = (x - sae.b_dec) @ sae.W_enc + sae.b_enc
    strong = (x - sae.b_dec) @ sae.W_enc * sae.r_mag.exp() + sae.b_mag
    dense = torch.zeros_like(gate).scatter_add_(1, codes.indices, codes.values)
    torch.testing.assert_close(dense, strong.relu() * (gate > 0))
    assert ((gate > 0) & (strong < 0)).any() and ((gate < 0) & (strong > 0)).any()
    fired = torch.zeros(24, dtype=torch.bool)
    fired[codes.indices[codes.values > 0]] = True
    assert torch.equal(sae.loss(x, TrainingState(0, 10, NONE_DEAD)).fired, fired)


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("kind", ["center-scale", "whiten"])
def test_folding_the_normaliser_moves_both_biases(planted, kind, subtract):
    spec = Spec(64, None, "gated", normalisation=kind, options={"subtract_b_dec": subtract, "sparsity": 0.4})
    sae = train(ArrayStream(planted.rows[:4000]), "array", [spec], Budget(60, 256, every=60)).saes[0]
    with torch.no_grad():
        sae.r_mag.add_(0.2 * torch.randn(64, generator=torch.Generator().manual_seed(1)))
    x = planted.rows[:50]
    one, other = sae.encode(x), folded(sae).encode(x)
    dense = [torch.zeros(50, 64).scatter_add_(1, codes.indices, codes.values) for codes in (one, other)]
    torch.testing.assert_close(*dense, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(sae.decode(one), folded(sae).decode(other), rtol=1e-3, atol=1e-2)
    assert dense[0].any()


def test_strengths_are_not_shrunk_where_a_plain_penalty_shrinks_them(planted):
    specs = [Spec(96, None, "gated", options={"sparsity": 0.4}), Spec(96, None, "relu", options={"sparsity": 0.4})]
    saes = train(ArrayStream(planted.rows[:10_000]), "array", specs, Budget(400, 256, every=400)).saes
    gated, plain = (measure(sae, [planted.rows[10_000:]]) for sae in saes)
    assert gated.fvu < 0.5 * plain.fvu
    assert 0.9 < gated.shrinkage < 1.1 and plain.shrinkage < 0.9


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe("gated", 4, 8, 3), "'gated': k is 3.*leave k out"),
        (Recipe("gated", 4, 8, options={"sparsity": -1}), "sparsity is -1; give a number of at least 0"),
        (Recipe("gated", 4, 8, options={"sparsity_warmup": 3}), "sparsity_warmup is 3; give a number from 0 to 1"),
    ],
)
def test_wrong_options_are_refused_in_one_line(recipe, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        build(recipe)
    assert "\n" not in str(caught.value)
