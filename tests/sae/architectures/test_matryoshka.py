import pytest
import torch

from seqsae.errors import SeqsaeError
from seqsae.sae import checkpoint
from seqsae.sae.architectures.matryoshka import Matryoshka
from seqsae.sae.base import Recipe, TrainingState, build
from seqsae.sae.quality.metrics import best_match, measure
from seqsae.sae.spec import Budget, Spec
from seqsae.sae.training.stream import ArrayStream
from seqsae.sae.training.train import train

D, WIDTH, K, GROUPS = 8, 24, 3, [2, 5, 7, 10]


def _sae(dtype=torch.float64, **options):
    sae = Matryoshka(Recipe("matryoshka", D, WIDTH, K, options={"groups": GROUPS, **options})).to(dtype)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in sae.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64).to(dtype))
    return sae


def _rows(n=40, dtype=torch.float64):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(dtype)


def _state(dead=0):
    return TrainingState(0, 10, torch.arange(WIDTH) < dead)


def _dense_loss(sae, x, dead):
    """The equations of the class's docstring, with every prefix written out and plain autograd."""
    read = x - sae.b_dec if sae.options["subtract_b_dec"] else x
    pre = read @ sae.W_enc + sae.b_enc
    z = pre * (pre >= pre.flatten().topk(sae.k * len(x)).values[-1]) * (pre > 0)
    errors = [x - z[:, :m] @ sae.W_dec[:m] - sae.b_dec for m in (2, 7, 14, 24)]
    total = sum(error.square().mean() for error in errors)
    if dead:
        pre_dead = (read.detach() @ sae.W_enc + sae.b_enc)[:, :dead]
        straight = pre_dead + (pre_dead.relu() - pre_dead).detach()  # relu, its gradient taken to be 1
        left = errors[-1].detach() - straight @ sae.W_dec[:dead]
        total = total + sae.options["aux_weight"] * left.square().mean()
    return total, errors[-1].square().mean().detach()


@pytest.mark.parametrize("dead", [0, 3])
@pytest.mark.parametrize("options", [{}, {"subtract_b_dec": False}, {"tied": True}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["plain", "compiled"])
def test_loss_and_gradients_are_those_of_dense_autograd(dead, options, dtype):
    sae, x = _sae(dtype, aux_k=3, aux_weight=0.25, **options), _rows(dtype=dtype)
    loss = sae.loss(x, _state(dead))
    total, full = _dense_loss(sae, x, dead)
    torch.testing.assert_close(loss.total, total)
    torch.testing.assert_close(loss.reconstruction, full)
    torch.testing.assert_close(loss.auxiliary, (total - full).detach())
    ours, dense = (torch.autograd.grad(value, list(sae.parameters())) for value in (loss.total, total))
    for (name, _), one, other in zip(sae.named_parameters(), ours, dense, strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_no_chosen_latent_leaves_the_bias_alone_to_learn():
    sae, x = _sae(), _rows()
    with torch.no_grad():
        sae.b_enc -= 100
    loss = sae.loss(x, _state())
    torch.testing.assert_close(loss.total, 4 * loss.reconstruction)
    loss.total.backward()
    assert sae.b_dec.grad.norm() > 0 and sae.W_dec.grad.norm() == 0


@pytest.mark.parametrize(
    ("width", "groups", "sizes"),
    [
        (64, None, [2, 4, 8, 16, 34]),
        (1000, [0.1, 0.2, 0.7], [100, 200, 700]),
        (10, [0.01, 0.01, 0.98], [1, 9]),  # too small to be two groups
        (10, [10], [10]),
        (10, [1.0], [10]),
        (7, [3, 4], [3, 4]),
    ],
)
def test_groups_are_sizes_or_shares(width, groups, sizes):
    options = {} if groups is None else {"groups": groups}
    sae = build(Recipe("matryoshka", 4, width, 2, options=options))
    assert sae.group_sizes == sizes and sae.prefixes[-1] == width


@pytest.mark.parametrize("groups", [[3, 4], [0.5, 0.6], [], [0, 8], ["half", "half"], 8, [-1, 9], [True, 7]])
def test_groups_that_do_not_add_up_are_refused(groups):
    with pytest.raises(SeqsaeError, match="whole numbers that sum to the width 8, or shares that sum to 1") as caught:
        build(Recipe("matryoshka", 4, 8, 2, options={"groups": groups}))
    assert "\n" not in str(caught.value)


def _first_prefix_fvu(sae, rows):
    """FVU of what the first group alone reconstructs."""
    codes = sae.encode(rows)
    kept = codes._replace(values=codes.values * (codes.indices < sae.prefixes[0]))
    return ((rows - sae.decode(kept)).square().sum() / (rows - rows.mean(0)).square().sum()).item()


def test_training_finds_the_planted_directions_and_early_latents_reconstruct_alone(planted, tmp_path):
    train_rows, held = planted.rows[:10_000], planted.rows[10_000:]
    nested, whole = (
        Spec(64, 4, "matryoshka", lr=6e-3, options={"groups": groups}) for groups in ([0.25, 0.25, 0.5], [1.0])
    )
    saes = train(ArrayStream(train_rows), "array", [nested, whole], Budget(300, 512)).saes
    assert best_match(planted.directions, saes[0].W_dec).cosine.mean() > 0.85
    quality = measure(saes[0], [held])
    assert quality.fvu < 0.25 and quality.l0 == pytest.approx(4, rel=0.1)
    saes[1].prefixes = saes[0].prefixes
    assert _first_prefix_fvu(saes[0], held) < 0.9 * _first_prefix_fvu(saes[1], held)
    checkpoint.save(saes[0], tmp_path)
    loaded = checkpoint.load(tmp_path)
    assert loaded.group_sizes == [16, 16, 32]
    assert torch.equal(loaded.encode(held).values, saes[0].encode(held).values)
