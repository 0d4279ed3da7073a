import math

import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.quality.dictionaries import best_match
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.learner import Learner
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

NONE_DEAD = torch.zeros(24, dtype=torch.bool)


def _sae(shift=0.0, **options):
    sae = build(Recipe("jumprelu", 8, 24, options=options)).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        sae.b_enc.sub_(shift)
    return sae


def _rows(n=40):
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


class _Jump(torch.autograd.Function):
    """z = pre [pre > t] on the whole matrix, with equation 11's gradient."""

    @staticmethod
    def forward(ctx, pre, t, width):
        ctx.save_for_backward(pre, t)
        ctx.width = width
        return pre * (pre > t)

    @staticmethod
    def backward(ctx, g):
        pre, t = ctx.saved_tensors
        near = ((pre - t) / ctx.width).abs() < 0.5
        return g * (pre > t), (-t / ctx.width * near * g).sum(0), None


class _Step(torch.autograd.Function):
    """[pre > t] on the whole matrix, with equation 12's gradient."""

    @staticmethod
    def forward(ctx, pre, t, width):
        ctx.save_for_backward(pre, t)
        ctx.width = width
        return (pre > t).to(pre)

    @staticmethod
    def backward(ctx, g):
        pre, t = ctx.saved_tensors
        return None, (-1 / ctx.width * (((pre - t) / ctx.width).abs() < 0.5) * g).sum(0), None


def _dense_loss(sae, x, state):
    """The equations of the class's docstring, with every code written out."""
    options, t, width = sae.options, sae.log_threshold.exp(), sae.options["bandwidth"]
    pre = (x - sae.b_dec if options["subtract_b_dec"] else x) @ sae.W_enc + sae.b_enc
    z, l0 = _Jump.apply(pre, t, width), _Step.apply(pre, t, width).sum(1).mean()
    x_hat = z @ sae.W_dec + sae.b_dec
    penalty = {
        "l0": lambda: l0,
        "target": lambda: (l0 / options["target_l0"] - 1).square(),
        "tanh": lambda: (options["tanh_scale"] * z * sae.W_dec.norm(dim=1)).tanh().sum(1).mean(),
    }[options["penalty"]]()
    total = (x - x_hat).square().mean() + options["sparsity"] * penalty
    dead = state.dead.nonzero().squeeze(1)
    if not len(dead):
        return total
    pulled, lengths = pre, sae.W_dec.norm(dim=1)
    if options["penalty"] != "tanh":
        pulled, lengths = pre.detach(), lengths.detach()
    short = (t - pulled).relu() * lengths
    total = total + options["pre_act_weight"] / 8 * short[:, dead].sum(1).mean()
    still = (x - sae.b_dec.detach() if options["subtract_b_dec"] else x) @ sae.W_enc + sae.b_enc
    guess = (still + (still.relu() - still).detach())[:, dead] @ sae.W_dec[dead]
    return total + options["aux_weight"] * ((x - x_hat).detach() - guess).square().mean()


@pytest.mark.parametrize("shift", [0.0, 1.2], ids=["many near", "few near"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty": "target", "target_l0": 3.0},
        {"penalty": "tanh", "pre_act_weight": 0.1},
        {"penalty": "tanh", "pre_act_weight": 0.1, "aux_weight": 0.0},
        {"subtract_b_dec": True, "tied": True, "bandwidth": 0.5},
    ],
    ids=str,
)
def test_loss_and_gradients_are_those_of_dense_autograd(options, shift):
    sae, x = _sae(shift, aux_k=4, **options), _rows()
    for dead in (0, 3):
        state = TrainingState(50, 100, torch.arange(24) < dead)
        loss, dense = sae.loss(x, state), _dense_loss(sae, x, state)
        assert loss.total.item() == pytest.approx(dense.item(), rel=1e-10)
        ours = torch.autograd.grad(loss.total, list(sae.parameters()))
        theirs = torch.autograd.grad(dense, list(sae.parameters()))
        for (name, _), one, other in zip(sae.named_parameters(), ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12, msg=name)
        assert ours[-1].abs().max() > 0  # the thresholds'


def test_both_ways_through_the_loss_are_tested_above():
    share = [(_sae(shift).codes(_rows()).values > 0).double().sum().item() / (40 * 24) for shift in (0.0, 1.2)]
    assert share[0] > 0.12 and 0 < share[1] < 0.1  # above a tenth products are dense, below they are listed


def test_latents_are_active_above_their_own_threshold_and_keep_their_whole_value():
    sae, x = _sae(), _rows()
    pre = x @ sae.W_enc + sae.b_enc
    codes = sae.codes(x)
    dense = torch.zeros_like(pre).scatter_add_(1, codes.indices, codes.values)
    assert torch.equal(dense > 0, pre > sae.threshold)
    torch.testing.assert_close(dense, pre * (pre > sae.threshold))


@pytest.mark.parametrize(
    "options", [{"aux_weight": 0.5}, {"penalty": "tanh", "aux_weight": 0.0, "pre_act_weight": 0.1}]
)
def test_each_term_for_dead_latents_reaches_their_encoder(options):
    sae, x = _sae(sparsity=0.0, **options), _rows()
    with torch.no_grad():
        sae.b_enc[:6] = -50.0
    for dead, reached in ((6, True), (0, False)):
        loss = sae.loss(x, TrainingState(0, 10, torch.arange(24) < dead))
        gradient = torch.autograd.grad(loss.total, sae.W_enc)[0]
        assert (gradient[:, :6].norm(dim=0) > 1e-6).any().item() == reached


def test_the_pre_activation_loss_alone_brings_killed_latents_back(planted):
    x = (planted.rows[:10_000] - planted.rows[:10_000].mean(0)) / planted.rows.std(0).mean()
    back = {}
    for weight in (0.0, 3e-2):
        options = {"penalty": "tanh", "aux_weight": 0.0, "pre_act_weight": weight, "sparsity": 0.02}
        spec = Spec(64, None, "jumprelu", options=options)
        sae = build(spec.recipe(32)).train()
        with torch.no_grad():
            sae.b_enc[:32] = -1.0
        learner, stream = Learner(sae, spec, Budget(600, 256, dead_after=1024), 1024), ArrayStream(x)
        for step in range(600):
            learner.learn(stream.next(256)["array"], step)
        back[weight] = (measure(sae.eval(), [x[:2000]]).density[:32] > 0).double().mean()
    assert back[0.0] == 0 and back[3e-2] > 0.5


@pytest.mark.parametrize("target", [3.0, 6.0])
def test_a_wanted_number_of_active_latents_is_met_on_rows_not_seen(planted, target):
    spec = Spec(96, None, "jumprelu", options={"penalty": "target", "target_l0": target})
    sae = train(ArrayStream(planted.rows[:10_000]), "array", [spec], Budget(500, 256, every=500)).saes[0]
    assert measure(sae, [planted.rows[10_000:]]).l0 == pytest.approx(target, rel=0.1)


def test_the_target_falls_by_equal_factors_from_a_tenth_of_the_latents():
    sae = build(Recipe("jumprelu", 8, 800, options={"penalty": "target", "target_l0": 5.0, "sparsity_warmup": 0.4}))
    dead = torch.zeros(800, dtype=torch.bool)
    found = [sae._target(TrainingState(step, 100, dead)) for step in (0, 10, 20, 30, 40, 99)]
    assert found == pytest.approx([80.0, 40.0, 20.0, 10.0, 5.0, 5.0])
    wide = build(Recipe("jumprelu", 8, 20, options={"penalty": "target", "target_l0": 5.0}))
    assert wide._target(TrainingState(0, 100, NONE_DEAD)) == 5.0  # never from below


def test_thresholds_learn_by_the_loss_and_not_alike(planted):
    spec = Spec(96, None, "jumprelu", options={"sparsity": 0.02})
    start = build(spec.recipe(32)).threshold
    sae = train(ArrayStream(planted.rows[:10_000]), "array", [spec], Budget(400, 256, every=400)).saes[0]
    held = planted.rows[10_000:]
    moved = (sae.threshold / start).log()
    assert moved.mean() > 0.5 and moved.std() > 0.05
    density = measure(sae, [held]).density > 0

    def objective(factor):  # of s l0 and the error, with all thresholds changed by one factor
        with torch.no_grad():
            sae.log_threshold.add_(math.log(factor))
            x = sae.normalise(held)
            codes = sae.codes(x)
            error = (sae.decode_normalised(codes) - x).square().mean().item()
            sae.log_threshold.sub_(math.log(factor))
        return error + 0.02 * (codes.values > 0).sum().item() / len(x)

    assert density.double().mean() > 0.5
    assert objective(1.0) < min(objective(0.6), objective(1.6))


def test_thresholds_move_as_far_as_weights_turn_whatever_the_width():
    for d in (4, 64):
        spec = Spec(
            8, None, "jumprelu", clip=None, warmup=0.0, decay="none", options={"sparsity": 1.0, "bandwidth": 9.0}
        )
        sae = build(spec.recipe(d)).train()
        learner = Learner(sae, spec, Budget(10, 32), 10**9)
        before = sae.log_threshold.detach().clone()
        learner.learn(torch.randn(32, d, generator=torch.Generator().manual_seed(0)), 5)
        torch.testing.assert_close(sae.log_threshold - before, torch.full((8,), 0.11 / 4), rtol=1e-3, atol=0)


def test_resampled_latents_get_a_threshold_they_can_reach():
    sae = build(Recipe("jumprelu", 8, 24))
    with torch.no_grad():
        sae.log_threshold[:5] = 9.0
        sae.W_enc[:, :5] *= 0.2
        sae.restart(torch.arange(5))
    torch.testing.assert_close(sae.threshold[:5], 0.2 * sae.threshold[10].expand(5))


def test_decoder_and_start_follow_the_penalty_unless_they_are_given():
    made = {penalty: build(Recipe("jumprelu", 8, 24, options={"penalty": penalty})) for penalty in ("l0", "tanh")}
    assert made["l0"].options["unit_decoder"] and not made["tanh"].options["unit_decoder"]
    tied = build(Recipe("jumprelu", 8, 24, options={"tied": True}))
    x = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))
    x = x / x.norm(dim=1, keepdim=True) * math.sqrt(8)
    for sae in (*made.values(), tied):
        assert 0.05 < (sae.codes(x).values > 0).double().sum() / (4000 * 24) < 0.15
    assert build(Recipe("jumprelu", 8, 24, options={"threshold": 2.0})).threshold[0].item() == pytest.approx(2.0)


def test_planted_directions_are_found_at_the_planted_number(planted):
    spec = Spec(96, None, "jumprelu", options={"penalty": "target", "target_l0": 4.0})
    sae = train(ArrayStream(planted.rows[:10_000]), "array", [spec], Budget(1000, 256, every=1000)).saes[0]
    assert (best_match(planted.directions, sae.W_dec.detach()).cosine > 0.9).double().mean() > 0.9
    assert measure(sae, [planted.rows[10_000:]]).fvu < 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"penalty": "l2"}, "unknown penalty 'l2'; choose one of l0, tanh, target"),
        ({"penalty": "target"}, "target_l0 is None; give a number from 0.1 to 8"),
        ({"penalty": "target", "target_l0": 9}, "target_l0 is 9; give a number from 0.1 to 8"),
        ({"penalty": "l0", "target_l0": 4}, "target_l0 belongs to penalty 'target', this is 'l0'; set that penalty"),
        ({"bandwidth": 0}, "bandwidth is 0; give a number above 0"),
        ({"threshold": -1}, "threshold is -1; give a number of at least 0"),
        ({"sparsity": "high"}, "sparsity is 'high'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        build(Recipe("jumprelu", 4, 8, options=options))
    assert "\n" not in str(caught.value)


def test_a_k_is_refused():
    with pytest.raises(SeqsaeError, match="SAE 'jumprelu': k is 4.*leave k out"):
        build(Recipe("jumprelu", 4, 8, 4))
