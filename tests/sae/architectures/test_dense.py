"""The doors against the whole dense product."""

import pytest
import torch

from seqsae.sae.architectures.dense import above, largest, picked
from seqsae.sae.products import kernels
from seqsae.sae.products.sparse import Every, Picked, Ragged

N, D, WIDTH = 300, 48, 640
PRECISIONS = ["float32", "int8", "bfloat16", "autocast"]


@pytest.fixture(params=["compiled", "plain", "float64"])
def case(request, monkeypatch):
    """Rows, W_enc (stored latent by latent), b_enc; several chunks of rows a product, the last one short."""
    monkeypatch.setattr("seqsae.sae.base.CHUNK", 70 * WIDTH)
    if request.param == "plain":
        monkeypatch.setattr(kernels, "compiled_loops", lambda: None)
    dtype = torch.float64 if request.param == "float64" else torch.float32
    generator = torch.Generator().manual_seed(0)
    rows, table = torch.randn(N, D, generator=generator), torch.randn(WIDTH, D, generator=generator)
    bias = torch.randn(WIDTH, generator=generator)
    parameters = [torch.nn.Parameter(tensor.to(dtype)) for tensor in (table.T, bias)]
    return rows.to(dtype), *parameters


def _dense(pattern, values):
    row = pattern.rows.long()
    out = torch.zeros(N, WIDTH, dtype=values.dtype)
    assert len(set(zip(row.tolist(), pattern.latents.tolist(), strict=True))) == len(row)
    out[row, pattern.latents.long()] = values.flatten()
    return out


def _check(found, expected, tolerance=1e-4):
    """The same places, but for one in a thousand that lies at the edge, and exact numbers at them."""
    ours, theirs = _dense(found.pattern, found.pre), expected
    assert ours.dtype == theirs.dtype and not found.pre.requires_grad
    assert ((ours != 0) != (theirs != 0)).sum() <= 2e-3 * (theirs != 0).sum()
    both = (ours != 0) & (theirs != 0)
    torch.testing.assert_close(ours[both], theirs[both], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_picked_is_the_k_largest_of_each_row(case, precision):
    rows, W_enc, b_enc = case
    pre = (rows @ W_enc + b_enc).detach()
    found = picked(rows, W_enc, b_enc, 12, precision)
    assert isinstance(found.pattern, Picked) and found.pre.shape == (N, 12) and found.also.shape == (N, 0)
    chosen = pre.topk(12, dim=1).indices
    _check(found, torch.zeros_like(pre).scatter_(1, chosen, pre.gather(1, chosen)))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("share", [0.01, 0.07, 0.3], ids=["few", "some", "many"])
def test_above_is_all_places_above_a_bound_of_each_latent(case, precision, share):
    rows, W_enc, b_enc = case
    pre = (rows @ W_enc + b_enc).detach()
    bound = pre.quantile(1 - share, dim=0) + torch.linspace(0, 1e-3, WIDTH)
    found = above(rows, W_enc, b_enc, bound.to(pre), precision)
    if share > 0.1:
        assert isinstance(found.pattern, Every)
        torch.testing.assert_close(found.pre, pre)
    else:
        assert isinstance(found.pattern, Ragged)
        _check(found, pre * (pre > bound))


def test_above_takes_one_bound_for_all(case):
    rows, W_enc, b_enc = case
    pre = (rows @ W_enc + b_enc).detach()
    _check(above(rows, W_enc, b_enc, 14.0), pre * (pre > 14))
    nothing = above(rows, W_enc, b_enc, 1e6)
    assert nothing.pre.shape == (0,) and nothing.pattern.starts.tolist() == [0] * (N + 1)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("count", [1, 700, N * 16, N * 200])
def test_largest_is_the_largest_of_the_batch(case, precision, count):
    rows, W_enc, b_enc = case
    pre = (rows @ W_enc + b_enc).detach()
    found = largest(rows, W_enc, b_enc, count, precision)
    assert isinstance(found.pattern, Ragged) and len(found.pre) == count
    _check(found, pre * (pre >= pre.flatten().topk(count).values[-1]))


def test_largest_takes_no_negative_numbers_and_survives_a_bad_guess(case, monkeypatch):
    rows, W_enc, b_enc = case
    pre = (rows @ W_enc + b_enc).detach()
    _check(largest(rows, W_enc, b_enc, N * WIDTH), pre.relu())
    monkeypatch.setattr("seqsae.sae.architectures.dense._SPARE", 0.1)  # guesses far too high
    found = largest(rows, W_enc, b_enc, 3000)
    assert len(found.pre) == 3000
    _check(found, pre * (pre >= pre.flatten().topk(3000).values[-1]))
    with torch.no_grad():
        b_enc -= 1000
    assert largest(rows, W_enc, b_enc, 50).pre.shape == (0,)


def test_equal_numbers_are_taken_from_the_front(case):
    rows, W_enc, b_enc = case
    same = torch.ones_like(rows)
    found = largest(same, W_enc.detach() * 0 + 1, b_enc.detach() * 0, 1000)
    assert len(found.pre) == 1000 and found.pattern.rows.max() == 1 and (found.pattern.rows == 0).sum() == WIDTH


@pytest.mark.parametrize("door", [picked, above, largest])
def test_further_latents_are_told_exactly(case, door):
    rows, W_enc, b_enc = case
    also = torch.tensor([3, 600, 17])
    for precision in PRECISIONS:
        told = door(rows, W_enc, b_enc, 20, precision, also).also
        torch.testing.assert_close(told, (rows @ W_enc + b_enc).detach()[:, also])


def test_choices_and_numbers_are_the_same_within_autocast(case):
    rows, W_enc, b_enc = case
    outside = picked(rows, W_enc, b_enc, 12, "float32")
    with torch.autocast("cpu", torch.bfloat16):
        inside = picked(rows, W_enc, b_enc, 12, "float32")
    assert torch.equal(outside.pre, inside.pre) and torch.equal(outside.pattern.indices, inside.pattern.indices)


def test_weights_stored_row_by_row_give_the_same(case):
    rows, W_enc, b_enc = case
    for precision in ("float32", "int8"):
        one, other = (picked(rows, weights, b_enc, 12, precision) for weights in (W_enc, W_enc.detach().contiguous()))
        torch.testing.assert_close(_dense(one.pattern, one.pre), _dense(other.pattern, other.pre))


def test_no_rows_give_no_places(case):
    rows, W_enc, b_enc = case
    for precision in ("float32", "int8"):
        assert picked(rows[:0], W_enc, b_enc, 12, precision).pre.shape == (0, 12)
        assert above(rows[:0], W_enc, b_enc, 0.0, precision).pre.shape == (0,)
        assert largest(rows[:0], W_enc, b_enc, 0, precision).pre.shape == (0,)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_bound_guessed_too_high_loses_no_larger_place(precision):
    """Some rows are longer than those the bound is guessed from."""
    generator = torch.Generator().manual_seed(0)
    rows, W_enc = torch.randn(512, 32, generator=generator), 0.2 * torch.randn(512, 32, generator=generator).T
    for longer in torch.arange(1.0, 1.4, 0.02):
        x = rows * torch.where(torch.arange(512) % 8 == 0, longer, 1.0)[:, None]
        pre = (x @ W_enc).flatten()
        found = largest(x, W_enc, torch.zeros(512), 4096, precision)
        places = found.pattern.rows.long() * 512 + found.pattern.latents.long()
        assert pre[places].sum().item() == pytest.approx(pre.topk(4096).values.sum().item(), rel=1e-6)
