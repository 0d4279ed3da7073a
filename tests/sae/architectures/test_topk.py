from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures.topk import TopK
from seqsae.sae.base import Codes, Recipe, TrainingState, build
from seqsae.sae.quality.metrics import best_match, measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.learner import Learner
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train


def _sae(d=8, width=24, k=3, **options):
    sae = TopK(Recipe("topk", d, width, k, options=options)).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():  # away from the tied start, so that no two gradients agree by chance
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return sae


def _rows(n=40, d=8):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def _dead(width, count):
    return torch.arange(width) < count


def _dense_loss(sae, x, dead, aux_k, aux_weight):
    """The equations of the class's docstring, with every code written out and plain autograd."""
    read = x - sae.b_dec if sae.options["subtract_b_dec"] else x
    pre = read @ sae.W_enc + sae.b_enc

    def reconstruction(k):
        mask = one_hot(pre.topk(k, dim=1).indices, sae.width).sum(1)
        return (pre.relu() * mask) @ sae.W_dec + sae.b_dec

    x_hat = reconstruction(sae.k)
    main = (x - x_hat).square().mean()
    if sae.options["multi_weight"]:
        more = reconstruction(sae.options["multi_k"] * sae.k)
        main = main + sae.options["multi_weight"] * (x - more).square().mean()
    if not dead.any():
        return main, torch.zeros(())
    pre_dead = read.detach() @ sae.W_enc + sae.b_enc
    reach = pre_dead.masked_fill(~dead, -torch.inf)
    chosen = one_hot(reach.topk(min(aux_k, int(dead.sum())), dim=1).indices, sae.width).sum(1)
    straight = pre_dead + (pre_dead.relu() - pre_dead).detach()  # relu, its gradient taken to be 1
    guess = (straight * chosen) @ sae.W_dec
    return main, aux_weight * ((x - x_hat).detach() - guess).square().mean()


@pytest.mark.parametrize(
    ("dead", "aux_k"),
    [(0, 4), (3, 4), (10, 4), (20, 2)],
    ids=["none dead", "fewer than aux_k", "dense with a mask", "sparse"],
)
@pytest.mark.parametrize("options", [{}, {"subtract_b_dec": False}, {"tied": True}, {"multi_weight": 0.125}], ids=str)
def test_loss_and_gradients_are_those_of_dense_autograd(dead, aux_k, options):
    sae, x = _sae(aux_k=aux_k, aux_weight=0.25, **options), _rows()
    mask = _dead(24, dead)
    loss = sae.loss(x, TrainingState(0, 10, mask))
    ours = torch.autograd.grad(loss.total, list(sae.parameters()))
    main, auxiliary = _dense_loss(sae, x, mask, aux_k, 0.25)
    dense = torch.autograd.grad(main + auxiliary, list(sae.parameters()))
    torch.testing.assert_close(loss.total, (main + auxiliary).detach())
    torch.testing.assert_close(loss.total, loss.reconstruction + loss.auxiliary)
    if "multi_weight" not in options:
        assert loss.auxiliary.item() == pytest.approx(auxiliary.item(), rel=1e-12)
    for (name, _), one, other in zip(sae.named_parameters(), ours, dense, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12, msg=name)


def test_a_relu_within_the_top_k_stops_the_gradient():
    sae, x = _sae(k=20), _rows()  # of 24 latents, 20 are taken: many are negative
    codes = sae.codes(x)
    assert (codes.values == 0).any()
    loss = sae.loss(x, TrainingState(0, 10, _dead(24, 0)))
    ours = torch.autograd.grad(loss.total, list(sae.parameters()))
    dense = torch.autograd.grad(_dense_loss(sae, x, _dead(24, 0), 4, 0)[0], list(sae.parameters()))
    for one, other in zip(ours, dense, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_fired_marks_active_latents():
    sae, x = _sae(), _rows()
    codes = sae.codes(x)
    expected = torch.zeros(24, dtype=torch.bool)
    expected[codes.indices[codes.values > 0]] = True
    assert torch.equal(sae.loss(x, TrainingState(0, 10, _dead(24, 0))).fired, expected)
    assert 0 < expected.sum() < 24


def test_the_auxiliary_loss_reaches_the_encoder_of_latents_that_no_row_excites():
    sae, x = _sae(aux_k=4), _rows()
    with torch.no_grad():
        sae.b_enc[:6] = -50.0  # negative on every row: behind a relu they would get nothing
    for dead, reached in ((_dead(24, 6), True), (_dead(24, 0), False)):
        gradient = torch.autograd.grad(sae.loss(x, TrainingState(0, 10, dead)).total, sae.W_enc)[0]
        assert (gradient[:, :6].norm(dim=0) > 1e-6).any().item() == reached


def test_multi_topk_gives_the_encoder_a_gradient_of_its_own():
    gradients = []
    for weight in (0.0, 0.125):
        sae = _sae(multi_weight=weight)
        loss = sae.loss(_rows(), TrainingState(0, 10, _dead(24, 0)))
        gradients.append(torch.autograd.grad(loss.total, sae.W_enc)[0])
    assert (gradients[1] - gradients[0]).norm() > 1e-3 * gradients[0].norm()


def test_multi_topk_keeps_codes_good_beyond_k(planted):
    """Section 5.3: without it a reconstruction from 4 k latents is worse than one from k."""
    train_rows, held = planted.rows[:10_000], planted.rows[10_000:]
    specs = [Spec(width=64, k=4, lr=6e-3, options={"multi_weight": weight}) for weight in (0.0, 0.125)]
    plain, multi = train(ArrayStream(train_rows), "array", specs, Budget(300, 512)).saes
    for sae in (plain, multi):
        sae.config = replace(sae.config, k=16)
    assert measure(multi, [held]).fvu < 0.8 * measure(plain, [held]).fvu


def _killed(planted, aux_weight):
    """Dead share after 300 steps, half of 128 latents killed at the start."""
    x = (planted.rows - planted.rows.mean(0)) / planted.rows.std()
    spec = Spec(width=128, k=4, lr=3e-3, options={"aux_weight": aux_weight, "aux_k": 16})
    budget = Budget(steps=300, batch=256, dead_after=1024)
    sae = build(spec.recipe(32)).train()
    with torch.no_grad():
        sae.b_enc[:64] = -5.0
    learner = Learner(sae, spec, budget, budget.dead_after)
    stream = ArrayStream(x)
    for step in range(budget.steps):
        learner.learn(stream.next(budget.batch)["array"], step)
    assert measure(sae, [x[:4000]]).fvu < 0.5
    return learner.dead()[:64].double().mean().item()


def test_killed_latents_come_back_and_only_through_the_auxiliary_loss(planted):
    assert _killed(planted, aux_weight=0.0) == 1.0
    assert _killed(planted, aux_weight=1 / 32) < 0.7


def test_training_finds_the_planted_directions_and_uses_all_k(planted):
    train_rows, held = planted.rows[:10_000], planted.rows[10_000:]
    trained = train(ArrayStream(train_rows), "array", [Spec(width=64, k=4, lr=6e-3)], Budget(300, 512), [held])
    sae = trained.saes[0]
    quality = measure(sae, [held])
    assert best_match(planted.directions, sae.W_dec).cosine.mean() > 0.9
    assert abs(quality.l0 - 4) < 0.1
    assert quality.fvu < 0.2
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(64))


@pytest.mark.parametrize("seed", range(3))
def test_untrained_directions_are_not_found_even_if_data_and_weights_share_a_seed(seed, plant):
    directions = plant(d=32, directions=64, active=4, n=1, seed=seed).directions
    sae = build(Recipe("topk", 32, 64, 4, seed=seed))
    assert best_match(directions, sae.W_dec).cosine.mean() < 0.7


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_low_precision_picks_and_float32_computes(planted, precision):
    sae = build(Recipe("topk", 32, 256, 4))
    x = (planted.rows[:500] - planted.rows.mean(0)) / planted.rows.std()
    exact = sae.loss(x, TrainingState(0, 10, _dead(256, 8)))
    low = sae.loss(x, TrainingState(0, 10, _dead(256, 8), precision))
    for one, other in zip(exact[:3], low[:3], strict=True):
        assert one.item() == pytest.approx(other.item(), rel=1e-5)  # the same latents, and float32 numbers of them
    low.total.backward()
    assert all(weight.grad.dtype == torch.float32 for weight in sae.parameters())


def test_constraints_keep_unit_rows_and_drop_the_gradient_along_them():
    sae, x = _sae(), _rows()
    with torch.no_grad():
        sae.W_dec.mul_(3.0)
    sae.constrain_weights()
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(24, dtype=torch.float64))
    sae.loss(x, TrainingState(0, 10, _dead(24, 0))).total.backward()
    before = sae.W_dec.grad.clone()
    sae.constrain_gradients()
    along = (before * sae.W_dec).sum(1, keepdim=True)
    assert along.abs().max() > 1e-3
    torch.testing.assert_close(sae.W_dec.grad, before - along * sae.W_dec)


def test_encode_takes_raw_units_in_chunks_and_decode_gives_them_back(planted, monkeypatch):
    sae = build(Recipe("topk", 32, 64, 4))
    with torch.no_grad():
        sae.mean.copy_(planted.rows.mean(0))
        sae.scale.fill_(2.5)
        sae.b_dec.normal_(generator=torch.Generator().manual_seed(0))
    x = planted.rows[:300]
    codes = sae.encode(x)
    assert codes.values.dtype == torch.float32 and codes.indices.dtype == torch.int64
    assert codes.values.shape == codes.indices.shape == (300, 4) and (codes.values >= 0).all()
    normalised = (x.double() - sae.mean.double()) / 2.5
    pre = (normalised - sae.b_dec) @ sae.W_enc.double() + sae.b_enc
    expected = torch.zeros_like(pre).scatter_(1, pre.topk(4, dim=1).indices, pre.topk(4, dim=1).values.relu())
    dense = torch.zeros(300, 64).scatter_(1, codes.indices, codes.values)
    torch.testing.assert_close(dense.double(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sae.decode(codes), ((dense @ sae.W_dec + sae.b_dec) * 2.5 + sae.mean))
    monkeypatch.setattr("seqsae.sae.base.CHUNK", 64 * 7)
    cut = sae.encode(x)
    torch.testing.assert_close(torch.zeros(300, 64).scatter_(1, cut.indices, cut.values), dense)
    assert sae.encode(x[:0]).values.shape == (0, 4)
    assert torch.equal(sae.encode(x.half()).indices, sae.encode(x.half().float()).indices)


def test_encode_and_decode_pass_gradients():
    sae, x = _sae(), _rows().requires_grad_()
    sae(x).sum().backward()
    assert x.grad.norm() > 0
    values = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    sae.decode(Codes(values, torch.tensor([[0, 1, 2], [3, 4, 5]]))).sum().backward()
    torch.testing.assert_close(values.grad, sae.W_dec.sum(1)[:6].view(2, 3))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"k": 9, "width": 8}, "k is 9 with a width of 8"),
        ({"k": 0}, "k is 0"),
        ({"width": 0, "k": 1}, "width is 0"),
        ({"d_model": 0}, "d_model is 0"),
        ({"k": None}, "no k"),
        (
            {"options": {"auxk": 3}},
            "unknown option 'auxk'; it has subtract_b_dec, tied, unit_decoder, aux_k, aux_weight",
        ),
        ({"options": {"aux_k": 0}}, "aux_k is 0; give a whole number of at least 1"),
        ({"options": {"aux_weight": -1}}, "aux_weight is -1; give a number of at least 0"),
        ({"options": {"multi_k": 0.5}}, "multi_k is 0.5; give a number of at least 1"),
        ({"options": {"multi_weight": "1/8"}}, "multi_weight is '1/8'; give a number of at least 0"),
        ({"normalisation": "zscore"}, "unknown normalisation 'zscore'"),
        ({"architecture": "topkk"}, "did you mean 'topk'"),
    ],
)
def test_wrong_recipes_are_refused_in_one_line(settings, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        build(Recipe(**{"architecture": "topk", "d_model": 4, "width": 8, "k": 2, **settings}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.full((3, 4), torch.nan), "NaN, infinite or too large"),
        (torch.full((3, 4), torch.inf), "NaN, infinite or too large"),
        (torch.zeros(3, 5), r"shape \(3, 5\); this SAE reads \[n, 4\]"),
        (torch.zeros(4), r"shape \(4,\)"),
    ],
)
def test_wrong_activations_are_refused_in_one_line(x, words):
    with pytest.raises(SeqsaeError, match=words):
        build(Recipe("topk", 4, 8, 2)).encode(x)
