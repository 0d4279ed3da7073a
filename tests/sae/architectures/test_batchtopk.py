import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae import checkpoint
from seqsae.sae.architectures.batchtopk import BatchTopK
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.quality.metrics import best_match, measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.learner import Learner
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

D, WIDTH, K = 8, 24, 3


def _sae(**options):
    sae = BatchTopK(Recipe("batchtopk", D, WIDTH, K, options=options)).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():  # away from the tied start, so that no two gradients agree by chance
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return sae


def _rows(n=40):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def _state(dead=0, precision="float32"):
    return TrainingState(0, 10, torch.arange(WIDTH) < dead, precision)


def _dense_loss(sae, x, dead, aux_k):
    """The equations of the class's docstring, with every code written out and plain autograd."""
    read = x - sae.b_dec if sae.options["subtract_b_dec"] else x
    pre = read @ sae.W_enc + sae.b_enc
    z = pre * (pre >= pre.flatten().topk(sae.k * len(x)).values[-1]) * (pre > 0)
    x_hat = z @ sae.W_dec + sae.b_dec
    main = (x - x_hat).square().mean()
    if not dead:
        return main, main.detach()
    pre_dead = (read.detach() @ sae.W_enc + sae.b_enc)[:, :dead]
    straight = pre_dead + (pre_dead.relu() - pre_dead).detach()  # relu, its gradient taken to be 1
    z_dead = straight * (pre_dead >= pre_dead.topk(min(aux_k, dead), dim=1).values[:, -1:])
    error = (x - x_hat).detach() - z_dead @ sae.W_dec[:dead]
    return main + sae.options["aux_weight"] * error.square().mean(), main.detach()


@pytest.mark.parametrize("dead", [0, 3, 10])
@pytest.mark.parametrize("options", [{}, {"subtract_b_dec": False}, {"tied": True}], ids=str)
def test_loss_and_gradients_are_those_of_dense_autograd(dead, options):
    sae, x = _sae(aux_k=4, aux_weight=0.25, **options), _rows()
    loss = sae.loss(x, _state(dead))
    total, main = _dense_loss(sae, x, dead, 4)
    torch.testing.assert_close(loss.total, total)
    torch.testing.assert_close(loss.reconstruction, main)
    torch.testing.assert_close(loss.auxiliary, (total - main).detach())
    ours, dense = (torch.autograd.grad(value, list(sae.parameters())) for value in (loss.total, total))
    for (name, _), one, other in zip(sae.named_parameters(), ours, dense, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12, msg=name)


def test_a_row_takes_as_many_latents_as_it_needs():
    sae, x = _sae(), _rows() * torch.linspace(0.1, 3, 40)[:, None]
    sae.loss(x, _state())
    counts = (sae.codes(x).values > 0).sum(1)
    assert counts.min() < K < counts.max() and abs(counts.double().mean() - K) < 0.1


def test_negative_numbers_are_never_chosen():
    sae, x = _sae(), _rows()
    with torch.no_grad():
        sae.b_enc -= 2  # fewer than k positive ones a row
    loss = sae.loss(x, _state())
    pre = (x - sae.b_dec) @ sae.W_enc + sae.b_enc
    assert 0 < (pre > 0).sum() < K * len(x)
    torch.testing.assert_close(loss.reconstruction, (x - pre.relu() @ sae.W_dec - sae.b_dec).square().mean().detach())
    assert torch.equal(loss.fired, (pre > 0).any(0))


def test_the_threshold_is_a_running_mean_of_the_smallest_chosen_corrected_for_its_start():
    sae, smallest, expected, weight = _sae(), [], 0.0, 0.0
    for step in range(5):
        x = _rows() * (1 + step)
        pre = ((x - sae.b_dec) @ sae.W_enc + sae.b_enc).detach()
        smallest.append(pre.flatten().topk(K * len(x)).values[-1].item())
        sae.loss(x, _state())
        expected, weight = 0.7 * expected + 0.3 * smallest[-1], 0.7 * weight + 0.3
        assert sae.threshold.item() == pytest.approx(expected / weight, rel=1e-9)
    assert min(smallest) < sae.threshold < max(smallest)
    before = sae.threshold.clone()
    sae.eval().loss(_rows(), _state())  # measuring changes nothing
    assert torch.equal(sae.threshold, before)


@pytest.mark.parametrize(("steps", "batch"), [(20, 512), (20, 128), (300, 512)])
def test_held_out_rows_have_k_latents_on_average_even_after_a_short_run(planted, steps, batch, tmp_path):
    train_rows, held = planted.rows[:10_000], planted.rows[10_000:]
    spec = Spec(64, 4, "batchtopk", lr=6e-3)
    sae = train(ArrayStream(train_rows), "array", [spec], Budget(steps, batch)).saes[0]
    assert measure(sae, [held]).l0 == pytest.approx(4, rel=0.1)
    checkpoint.save(sae, tmp_path)
    loaded = checkpoint.load(tmp_path)
    assert loaded.threshold == sae.threshold > 0
    for one, other in zip(loaded.encode(held), sae.encode(held), strict=True):
        assert torch.equal(one, other)


def test_codes_of_a_row_do_not_depend_on_its_neighbours(planted):
    spec = Spec(64, 4, "batchtopk")
    sae = train(ArrayStream(planted.rows), "array", [spec], Budget(20, 256)).saes[0]
    together, alone = sae.encode(planted.rows[:50]), sae.encode(planted.rows[7:8])
    dense = torch.zeros(50, 64).scatter_add_(1, together.indices, together.values)
    torch.testing.assert_close(torch.zeros(1, 64).scatter_add_(1, alone.indices, alone.values), dense[7:8])


def test_before_training_every_positive_latent_is_active(planted):
    sae = build(Recipe("batchtopk", 32, 64, 4))
    x = planted.rows[:20]
    assert (sae.encode(x).values > 0).sum() == ((x @ sae.W_enc) > 0).sum()


def test_the_auxiliary_loss_reaches_the_encoder_of_latents_that_no_row_excites():
    sae, x = _sae(aux_k=4), _rows()
    with torch.no_grad():
        sae.b_enc[:6] = -50.0
    for dead, reached in ((6, True), (0, False)):
        gradient = torch.autograd.grad(sae.loss(x, _state(dead)).total, sae.W_enc)[0]
        assert (gradient[:, :6].norm(dim=0) > 1e-6).any().item() == reached


def _killed(planted, aux_weight, architecture="batchtopk"):
    """Dead share of 64 of 128 latents, killed at the start, after 300 steps."""
    x = (planted.rows - planted.rows.mean(0)) / planted.rows.std()
    spec = Spec(128, 4, architecture, lr=3e-3, options={"aux_weight": aux_weight, "aux_k": 16})
    budget = Budget(steps=300, batch=256, dead_after=1024)
    sae = build(spec.recipe(32)).train()
    with torch.no_grad():
        sae.b_enc[:64] = -5.0
    learner = Learner(sae, spec, budget, budget.dead_after)
    stream = ArrayStream(x)
    for step in range(budget.steps):
        learner.learn(stream.next(budget.batch)["array"], step)
    return learner.dead()[:64].double().mean().item()


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka"])
def test_killed_latents_come_back_and_only_through_the_auxiliary_loss(planted, architecture):
    assert _killed(planted, 0.0, architecture) == 1.0
    assert _killed(planted, 1 / 32, architecture) < 0.7


def test_training_finds_the_planted_directions(planted):
    train_rows, held = planted.rows[:10_000], planted.rows[10_000:]
    sae = train(ArrayStream(train_rows), "array", [Spec(64, 4, "batchtopk", lr=6e-3)], Budget(300, 512)).saes[0]
    assert best_match(planted.directions, sae.W_dec).cosine.mean() > 0.9
    assert measure(sae, [held]).fvu < 0.2


def test_without_k_it_is_refused():
    with pytest.raises(SeqsaeError, match="SAE 'batchtopk': no k"):
        build(Recipe("batchtopk", 4, 8))
