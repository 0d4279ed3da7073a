import pytest
import torch
from torch.nn.functional import one_hot

from seqsae.errors import SeqsaeError
from seqsae.sae.architectures import switch
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.quality.metrics import measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

NONE_DEAD = torch.zeros(24, dtype=torch.bool)


def _sae(experts=4, k=3, **options):
    sae = build(Recipe("switch", 8, 24, k, options={"experts": experts, **options})).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return sae


def _rows(n=40):
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def _dense(sae, x):
    """Codes [n, width], the mask of each row's expert's latents, its probability [n, 1] and all of them [n, experts]."""
    experts = sae.options["experts"]
    chances = ((x - sae.b_router) @ sae.W_router.T).softmax(1)
    own = one_hot(chances.argmax(1), experts).repeat_interleave(sae.width // experts, dim=1).bool()
    pre = (x - sae.b_dec if sae.options["subtract_b_dec"] else x) @ sae.W_enc + sae.b_enc
    top = one_hot(pre.masked_fill(~own, -torch.inf).topk(sae.k, dim=1).indices, sae.width).sum(1)
    share = chances.max(1, keepdim=True).values
    return pre.relu() * top * share, own, share, chances


def _dense_loss(sae, x, dead, aux_k):
    """The equations of the class's docstring, with every code written out and plain autograd."""
    z, own, share, chances = _dense(sae, x)
    x_hat = z @ sae.W_dec + sae.b_dec
    sent = one_hot(chances.argmax(1), chances.shape[1]).double().mean(0)
    total = (x - x_hat).square().mean() + sae.options["balance"] * chances.shape[1] * (sent * chances.mean(0)).sum()
    if not dead.any():
        return total
    still = x - sae.b_dec.detach() if sae.options["subtract_b_dec"] else x
    pre = still @ sae.W_enc + sae.b_enc
    reach = pre.detach().masked_fill(~(own & dead), -torch.inf)
    best = reach.topk(aux_k, dim=1)
    chosen = one_hot(best.indices, sae.width).mul(best.values.isfinite()[..., None]).sum(1)
    pre = pre + (pre.relu() - pre).detach()  # a relu, straight through
    guess = (pre * chosen * share.detach()) @ sae.W_dec
    return total + sae.options["aux_weight"] * ((x - x_hat).detach() - guess).square().mean()


@pytest.mark.parametrize("options", [{}, {"subtract_b_dec": False, "unit_decoder": False}, {"tied": True}], ids=str)
@pytest.mark.parametrize("dead", [0, 9])
def test_loss_and_gradients_are_those_of_dense_autograd(options, dead):
    sae, x, mask = _sae(aux_k=2, **options), _rows(), torch.arange(24) < dead
    loss, dense = sae.loss(x, TrainingState(0, 10, mask)), _dense_loss(sae, x, mask, 2)
    assert loss.total.item() == pytest.approx(dense.item(), rel=1e-10)
    ours = torch.autograd.grad(loss.total, list(sae.parameters()))
    theirs = torch.autograd.grad(dense, list(sae.parameters()))
    for (name, _), one, other in zip(sae.named_parameters(), ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12, msg=name)
        assert one.abs().max() > 0, name


def test_codes_are_of_each_rows_own_expert_and_in_the_rows_order():
    sae, x = _sae(), _rows()
    codes, (z, own, _, _) = sae.codes(x), _dense(sae, x)
    assert own.sum(0).unique().numel() > 1  # experts get different numbers of rows
    torch.testing.assert_close(torch.zeros_like(z).scatter_add_(1, codes.indices, codes.values), z)
    assert own.gather(1, codes.indices).all()


def test_a_step_multiplies_each_row_with_one_expert_alone(monkeypatch):
    asked, real = [], switch.picked
    monkeypatch.setattr(
        switch, "picked", lambda rows, W, *rest: asked.append((len(rows), W.shape[1])) or real(rows, W, *rest)
    )
    _sae().loss(_rows(), TrainingState(0, 10, NONE_DEAD))
    assert sum(rows for rows, _ in asked) == 40 and {width for _, width in asked} == {6}


def test_an_expert_without_rows_is_no_trouble():
    sae, x = _sae(), _rows()
    with torch.no_grad():
        sae.W_router.zero_()
        sae.W_router[2] = 50 * x[0]
        sae.b_router.copy_(-50 * x[0])
    loss = sae.loss(x, TrainingState(0, 10, NONE_DEAD))
    loss.total.backward()
    assert torch.isfinite(loss.total) and loss.fired[12:18].any() and loss.fired.sum() == loss.fired[12:18].sum()
    assert ((sae.codes(x).indices // 6) == 2).all()
    assert sae.codes(x[:0]).values.shape == (0, 3)


def test_the_balance_term_is_one_when_even_and_pulls_towards_it():
    sae, x = _sae(balance=1.0, aux_weight=0.0), _rows(400)
    with torch.no_grad():
        sae.b_router.zero_()
        sae.W_router.copy_(torch.eye(8)[:4])
    extra = sae.loss(x, TrainingState(0, 10, NONE_DEAD)).auxiliary.item()
    with torch.no_grad():
        sae.b_router[0] = -3.0  # nearly all rows to the first expert
    loss = sae.loss(x, TrainingState(0, 10, NONE_DEAD))
    assert 0.9 < extra < 1.5 < 2.0 < loss.auxiliary.item() <= 4.0
    (slope,) = torch.autograd.grad(loss.total, sae.b_router)
    with torch.no_grad():
        sae.b_router.sub_(0.01 * slope)
    assert sae.loss(x, TrainingState(0, 10, NONE_DEAD)).auxiliary < loss.auxiliary


def test_the_auxiliary_loss_reaches_the_encoder_of_latents_that_no_row_excites():
    sae, x = _sae(aux_k=4), _rows()
    with torch.no_grad():
        sae.b_enc[:3] = -50.0
    for dead, reached in ((3, True), (0, False)):
        loss = sae.loss(x, TrainingState(0, 10, torch.arange(24) < dead))
        gradient = torch.autograd.grad(loss.total, sae.W_enc)[0]
        assert (gradient[:, :3].norm(dim=0) > 1e-6).any().item() == reached


def test_training_uses_all_experts_and_beats_one_dictionary_of_an_experts_size(planted):
    rows, held = planted.rows[:10_000], [planted.rows[10_000:]]
    specs = [Spec(128, 4, "switch", options={"experts": 4}), Spec(32, 4, "topk")]
    saes = train(ArrayStream(rows), "array", specs, Budget(800, 256, every=800)).saes
    many, one = (measure(sae, held) for sae in saes)
    assert many.fvu < 0.9 * one.fvu
    with torch.no_grad():
        sizes = saes[0]._routed(saes[0].normalise(held[0])).sizes
    assert min(sizes) > 0.1 * len(held[0])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"options": {"experts": 3}, "width": 8},
            "3 experts do not divide a width of 8; give a width that is a multiple",
        ),
        ({"options": {"experts": 4}, "width": 8, "k": 3}, "k is 3, but each of 4 experts has 2 latents"),
        ({"options": {"experts": 0}}, "experts is 0; give a whole number of at least 1"),
        ({"options": {"balance": -1}}, "balance is -1; give a number of at least 0"),
        ({"k": None}, "'switch': no k; give the number"),
    ],
)
def test_wrong_options_are_refused_in_one_line(settings, words):
    with pytest.raises(SeqsaeError, match=words) as caught:
        build(Recipe(**{"architecture": "switch", "d_model": 4, "width": 16, "k": 1, **settings}))
    assert "\n" not in str(caught.value)
