"""Every pattern's products against the dense codes written out, compiled (float32) and plain (float64)."""

import pytest
import torch
from torch.nn.functional import mse_loss

from seqsae.sae.products.sparse import Columns, Every, Picked, Ragged, at_latents, decode_at, encode_at, miss_at

N, WIDTH, D = 7, 11, 5
FORMATS = [torch.float64, torch.float32]


def _random(*shape, seed, dtype):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def _picked(dtype):
    indices = torch.rand(N, WIDTH - 2, generator=torch.Generator().manual_seed(1)).topk(3, dim=1).indices
    mask = torch.zeros(N, WIDTH, dtype=torch.bool).scatter_(1, indices, True)  # the last two latents stay empty
    return Picked(indices, WIDTH), mask, lambda dense: dense.gather(1, indices)


def _ragged(dtype):
    mask = torch.rand(N, WIDTH, generator=torch.Generator().manual_seed(2)) < 0.4
    mask[3], mask[:, 6], mask[5] = False, False, True  # an empty row, an empty latent, a full row
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), mask.sum(1).cumsum(0)])
    return Ragged(mask.nonzero()[:, 1], starts, WIDTH), mask, lambda dense: dense[mask]


def _columns(dtype):
    latents = torch.tensor([8, 0, 3])
    mask = torch.zeros(N, WIDTH, dtype=torch.bool)
    mask[:, latents] = True
    return Columns(latents, WIDTH), mask, lambda dense: dense[:, latents]


def _every(dtype):
    return Every(), torch.ones(N, WIDTH, dtype=torch.bool), lambda dense: dense


def _none(dtype):
    mask = torch.zeros(N, WIDTH, dtype=torch.bool)
    return Ragged(torch.zeros(0), torch.zeros(N + 1), WIDTH), mask, lambda dense: dense[mask]


@pytest.fixture(params=[_picked, _ragged, _columns, _every, _none], ids=lambda make: make.__name__.strip("_"))
def make(request):
    return request.param


@pytest.mark.parametrize("dtype", FORMATS, ids=["plain", "compiled"])
def test_products_are_those_of_the_dense_codes(make, dtype):
    pattern, mask, at = make(dtype)
    table, rows = _random(WIDTH, D, seed=3, dtype=dtype), _random(N, D, seed=4, dtype=dtype)
    dense = _random(N, WIDTH, seed=5, dtype=dtype) * mask
    values = at(dense)
    torch.testing.assert_close(pattern.gather_sum(values, table), dense @ table)
    torch.testing.assert_close(pattern.scatter_sum(values, rows), dense.T @ rows)
    torch.testing.assert_close(pattern.latent_sum(values), dense.sum(0))
    torch.testing.assert_close(pattern.dots(rows, table), at(rows @ table.T))
    left, along = pattern.miss(values, table, rows)
    torch.testing.assert_close(left, rows - dense @ table)
    torch.testing.assert_close(along, at((rows - dense @ table) @ table.T))
    spread = pattern.spread(table[:, 0]).expand(values.shape)
    torch.testing.assert_close(spread, at(table[:, 0].expand(N, WIDTH)))


@pytest.mark.parametrize("dtype", FORMATS, ids=["plain", "compiled"])
@pytest.mark.parametrize("subtracted", [True, False])
@pytest.mark.parametrize("fused", [True, False])
def test_gradients_are_those_of_dense_autograd(make, dtype, subtracted, fused):
    pattern, mask, at = make(dtype)
    x, W_enc = _random(N, D, seed=3, dtype=dtype), _random(WIDTH, D, seed=4, dtype=dtype).T.requires_grad_()
    W_dec, b_enc = (_random(*shape, seed=6, dtype=dtype).requires_grad_() for shape in ((WIDTH, D), (WIDTH,)))
    b_dec, theta = (_random(size, seed=7, dtype=dtype).requires_grad_() for size in (D, WIDTH))
    weights = [W_enc, W_dec, b_enc, b_dec, theta]

    pre = (x - b_dec * subtracted) @ W_enc + b_enc
    dense = torch.autograd.grad(mse_loss(((pre - theta).relu() * mask) @ W_dec + b_dec, x), weights)

    centred = (x - b_dec * subtracted).detach()
    values = encode_at(centred, (W_enc, b_enc, b_dec if subtracted else None), at(pre).detach(), pattern)
    values = (values - at_latents(theta, pattern)).relu()
    if fused:
        loss, left = miss_at(values, W_dec, b_dec, (x - b_dec).detach(), pattern)
        assert not left.requires_grad
    else:
        loss = mse_loss(decode_at(values, W_dec, pattern) + b_dec, x)
    for ours, expected in zip(torch.autograd.grad(loss, weights), dense, strict=True):
        torch.testing.assert_close(ours, expected)


def test_ragged_knows_the_row_of_each_place():
    pattern, mask, _ = _ragged(None)
    assert torch.equal(pattern.rows.long(), mask.nonzero()[:, 0])


@pytest.mark.parametrize("latents", [[-1, 2], [0, WIDTH]])
def test_latents_that_are_none_are_refused_before_they_are_followed(latents):
    with pytest.raises(IndexError, match=f"a pattern of {WIDTH} latents names latents from"):
        Picked(torch.tensor([latents]), WIDTH)


@pytest.mark.parametrize("wrong", ["values", "table", "rows"])
def test_sizes_that_do_not_fit_are_refused(wrong):
    pattern, mask, _ = _ragged(None)
    values, table, rows = torch.ones(int(mask.sum())), torch.ones(WIDTH, D), torch.ones(N, D)
    cut = {"values": (values[1:], table, rows), "table": (values, table[1:], rows), "rows": (values, table, rows[1:])}
    with pytest.raises(ValueError, match="where the pattern has"):
        pattern.miss(*cut[wrong])
