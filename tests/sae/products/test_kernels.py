"""Compiled loops and their plain forms against each other and against torch.topk."""

import os
import subprocess
import sys

import pytest
import torch

from seqsae.sae.products import kernels
from seqsae.sae.products.compiled import decorator
from seqsae.sae.products.precision import Low


@pytest.fixture(params=["compiled", "plain"])
def form(request, monkeypatch):
    """Each form in turn; the compiled one must be there, or nothing here would test it."""
    assert kernels.compiled_loops() is not None
    if request.param == "plain":
        monkeypatch.setattr(kernels, "compiled_loops", lambda: None)
    return request.param


def _pre(n, width, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def _both(monkeypatch, work):
    """What a piece of work gives compiled and plain."""
    compiled = work()
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "compiled_loops", lambda: None)
        return compiled, work()


@pytest.mark.parametrize(
    ("n", "width", "k"),
    [
        (50, 512, 16), (50, 512, 31), (50, 512, 128), (50, 512, 511), (50, 512, 512), (50, 517, 3), (3, 8, 1), (5, 1, 1),
        (1, 4096, 64), (0, 512, 16), (20, 4099, 200), (300, 1000, 5),
    ],
)  # fmt: skip
def test_top_k_is_torch_topk(form, n, width, k):
    pre = _pre(n, width, width + k)
    values, latents = kernels.top_k(pre, k)
    assert latents.dtype == torch.int32 and values.shape == latents.shape == (n, k)
    assert torch.equal(latents.long().sort(1).values, pre.topk(k, dim=1).indices.sort(1).values)
    assert torch.equal(values, pre.gather(1, latents.long()))


@pytest.mark.parametrize("k", [1, 16, 100])
def test_top_k_with_ties_takes_distinct_places_of_the_right_values(form, k):
    pre = _pre(200, 512).mul(2).round()  # few distinct values
    pre[0], pre[1, 3:] = 0, -torch.inf
    values, latents = kernels.top_k(pre, k)
    assert all(len(set(row.tolist())) == k for row in latents)
    assert torch.equal(values.sort(1).values, pre.topk(k, dim=1).values.sort(1).values)
    again, same = kernels.top_k(pre, k)
    assert torch.equal(values, again) and torch.equal(latents, same)


def test_top_k_of_rows_that_hold_nan_still_takes_distinct_places():
    pre = _pre(4, 300)
    pre[0], pre[1, :290], pre[2, ::2] = torch.nan, torch.nan, torch.nan
    values, latents = kernels.top_k(pre, 16)
    assert all(len(set(row.tolist())) == 16 for row in latents)
    assert torch.equal(values[3].sort().values, pre[3].topk(16).values.sort().values)
    assert torch.equal(values[2].sort().values, pre[2, 1::2].topk(16).values.sort().values)


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
@pytest.mark.parametrize(("width", "k"), [(1024, 16), (100, 3), (40, 40)])
def test_near_numbers_propose_and_exact_ones_choose(form, precision, width, k):
    rows, table, bias = _pre(256, 64), _pre(width, 64, 1), _pre(1, width, 2)[0]
    exact = rows @ table.T + bias
    near = Low(rows, table, bias, precision).near(0, 256)
    values, latents = kernels.top_k_near(near, rows, table, k)
    expected = torch.zeros(256, width).scatter_(1, exact.topk(k, dim=1).indices, 1)
    assert expected.gather(1, latents.long()).mean() > 0.9995
    torch.testing.assert_close(values, exact.gather(1, latents.long()), rtol=1e-4, atol=1e-4)
    off = near.numbers().topk(k, dim=1).indices  # what choosing by the near numbers themselves would do
    assert width == k or expected.gather(1, off).mean() < 0.9995


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_the_slack_is_seldom_exceeded_and_not_idle(precision):
    rows, table, bias = _pre(200, 96), _pre(500, 96, 1) * torch.rand(500, 1), _pre(1, 500, 2)[0]
    near = Low(rows, table, bias, precision).near(0, 200)
    error = (near.numbers() - (rows @ table.T + bias)).abs()
    assert (error > near.slack()).double().mean() < 2e-4
    assert (error > near.slack() / 8).double().mean() > 0.2


@pytest.mark.parametrize("width", [512, 70, 3])
def test_above_lists_places_row_by_row(form, width):
    pre, bound = _pre(80, width), 1.5 + 0.2 * _pre(1, width, 5)[0]
    pre[7], pre[9] = -9, torch.nan
    values, latents, counts = kernels.above(pre, bound, 0.5)
    over = pre > bound
    assert torch.equal(counts.long(), over.sum(1)) and torch.equal(values, pre[over])
    assert torch.equal(latents.long(), over.nonzero()[:, 1])
    assert kernels.above(pre, torch.full((width,), -9.5), 0.5) is None
    assert kernels.above(pre[:0], bound, 0.5).values.shape == (0,)


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_above_in_low_precision_lists_all_that_may_be(form, precision):
    rows, table, bias = _pre(128, 64), _pre(700, 64, 1), _pre(1, 700, 2)[0]
    bound = torch.full((700,), 16.0)
    near = Low(rows, table, bias, precision).near(0, 128)
    _, latents, counts = kernels.above(near, bound, 0.5)
    listed = torch.zeros(128, 700, dtype=torch.bool)
    listed[torch.arange(128).repeat_interleave(counts.long()), latents.long()] = True
    true = rows @ table.T + bias > bound
    assert not (true & ~listed).any() and true.sum() < listed.sum() < 1.2 * true.sum()


def test_compiled_and_plain_agree(monkeypatch):
    generator = torch.Generator().manual_seed(3)
    latents = torch.randint(0, 90, (700,), generator=generator, dtype=torch.int32)
    starts = torch.cat([torch.zeros(1), torch.full((150,), 5).scatter_(0, torch.arange(0, 100, 2), 4).cumsum(0)]).int()
    values, table, target = _pre(1, 700)[0], _pre(90, 33), _pre(150, 33)
    for work in (
        lambda: kernels.gather_sum(values, table, latents, starts),
        lambda: kernels.dots(target, table, latents, starts),
        lambda: kernels.miss(values, table, latents, starts, target)[0],
        lambda: kernels.miss(values, table, latents, starts, target)[1],
        lambda: kernels.latent_sum(values, latents, 90),
        lambda: kernels.quantised(table)[0].float(),
        lambda: kernels.quantised(table)[1],
        lambda: kernels.quantised(table)[2],
    ):
        torch.testing.assert_close(*_both(monkeypatch, work), rtol=1e-5, atol=1e-5)
    for ours, plain in zip(*_both(monkeypatch, lambda: kernels.by_latent(latents, starts, 90)), strict=True):
        assert torch.equal(ours, plain) and ours.dtype == plain.dtype == torch.int32


def test_quantised_steps_are_of_the_largest_number(form):
    rows = _pre(30, 40)
    rows[4], rows[5, 0] = 0, 1000
    whole, step, length = kernels.quantised(rows)
    torch.testing.assert_close(step, rows.abs().amax(1) / 127)
    assert (whole.float() * step[:, None] - rows).abs().le(step[:, None] * 0.501).all() and not whole[4].any()
    assert (whole.abs().amax(1)[step > 0] == 127).all()
    torch.testing.assert_close(length, rows.norm(dim=1))


def test_bits_do_not_depend_on_the_number_of_threads():
    rows, table, bias = _pre(600, 48), _pre(640, 48, 1), _pre(1, 640, 2)[0]
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        near = Low(rows, table, bias, "int8").near(0, 600)
        values, latents = kernels.top_k_near(near, rows, table, 8)
        starts = torch.arange(0, 4801, 8, dtype=torch.int32)
        order, row, begins = kernels.by_latent(latents.flatten(), starts, 640)
        sums = kernels.gather_sum(values.flatten()[order], rows, row, begins)
        results.append([values, latents, sums, *kernels.miss(values.flatten(), table, latents.flatten(), starts, rows)])
        results[-1] += kernels.above(near, bias + 15, 0.9)
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("wrong", "expected"), [(1.0, True), (torch.nan, False), (torch.inf, False), (-torch.inf, False)]
)
def test_finite_sees_one_wrong_number_anywhere(dtype, wrong, expected):
    for place in (0, 517, 999):
        x = _pre(50, 20).to(dtype)
        x.view(-1)[place] = wrong
        assert kernels.finite(x) == expected
    assert kernels.finite(x[:0])


_ALONE = """
import sys
import torch
from seqsae.sae.products import kernels
assert "numba" not in sys.modules
pre = torch.tensor([[1.0, 3, 2, 0]])
assert kernels.top_k(pre, 2)[1].sort().values.tolist() == [[1, 2]]
print(kernels.compiled_loops())
"""


def test_they_work_without_numba():
    settings = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    ran = subprocess.run([sys.executable, "-c", _ALONE], env=settings, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "None", ran.stderr


def test_loops_compile_where_their_machine_code_cannot_be_kept(monkeypatch):
    njit, tried = decorator.njit, []

    def picky(*, cache=False, **options):
        tried.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(decorator, "njit", picky)
    assert decorator.compiled(lambda x: x + 1)(1) == 2 and tried == [True, False]


def test_machine_code_of_other_sources_is_not_used(monkeypatch, tmp_path):
    """numba itself would go by the date of a function's own file, and these call each other across files."""
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    found = []
    for sources in ("one", "one", "other"):
        monkeypatch.setattr(decorator, "_SOURCES", sources)
        loop = decorator.compiled(_one_more)
        assert loop(1) == 2
        found.append(sum(loop.stats.cache_hits.values()))
    assert found == [0, 1, 0]


def _one_more(x):
    return x + 1
