"""Where the time of a training step goes: sums over listed places, and choices among dense pre-activations.

Each function has a plain PyTorch form, for any device and format, and a compiled one for float32 on the CPU, which does it in
one pass while a row is in cache (`seqsae.sae.products.compiled`). They agree up to rounding, the chosen places exactly, but for NaN,
which torch takes for the largest number and the compiled forms for the smallest; the results do not depend on the number of
threads. `NUMBA_DISABLE_JIT=1` leaves the plain forms alone. Compiled loops do not check indices: callers must.

Places are listed row by row: `latents` [places] int32, and `starts` [n + 1] int32, the place at which each row begins.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from seqsae.sae.products.threads import in_parts

_MARGIN = 8  # latents a row proposed beyond k, and a quarter of k, where plain PyTorch chooses by near numbers


class Near(NamedTuple):
    """A product [n, width] in low precision and the numbers it stands for, as `seqsae.sae.products.compiled.near` defines them."""

    product: Tensor
    """[n, width] int32 or bfloat16."""
    rough: Tensor
    """[n, 3] float32."""
    fine: Tensor
    """[4, width] float32."""

    def numbers(self) -> Tensor:
        """[n, width] float32: what the product stands for."""
        return self.product.float() * (self.rough[:, :1] * self.fine[0]) + self.fine[1]

    def slack(self) -> Tensor:
        """[n, width] float32: how far from the truth they may be."""
        return self.rough[:, 1:] @ self.fine[2:]


class Listed(NamedTuple):
    """Places of a product, row by row."""

    values: Tensor
    """[places] float32."""
    latents: Tensor
    """[places] int32."""
    counts: Tensor
    """[n] int32: how many of each row."""


def gather_sum(values: Tensor, table: Tensor, latents: Tensor, starts: Tensor) -> Tensor:
    """[n, d]: row i is the sum over its places p of values[p] * table[latents[p]]; table [width, d]."""
    loops = _loops(values, table)
    if loops is None:
        values = values.to(table)
        return embedding_bag(latents, table, starts, mode="sum", per_sample_weights=values, include_last_offset=True)
    out = _room(len(starts) - 1, table.shape[1])
    v, t, j, s, o = _arrays(values, table, latents, starts, out)
    in_parts(len(o), lambda a, b: loops.gather_sum(v, t, j, s[a : b + 1], o[a:b]))
    return out


def dots(rows: Tensor, table: Tensor, latents: Tensor, starts: Tensor) -> Tensor:
    """[places]: rows[i] . table[latents[p]] for the places p of each row i, without building [places, d]."""
    loops = _loops(rows, table)
    if loops is None:
        # the derivative of embedding_bag by its weights is exactly this product, and torch has a kernel for it
        return torch.ops.aten._embedding_bag_per_sample_weights_backward(
            rows.contiguous(), table.contiguous(), latents, starts[:-1], row_of(starts, len(latents)), 0
        )
    out = torch.empty(len(latents))
    r, t, j, s, o = _arrays(rows, table, latents, starts, out)
    in_parts(len(r), lambda a, b: loops.dots(r[a:b], t, j, s[a : b + 1], o))
    return out


def miss(values: Tensor, table: Tensor, latents: Tensor, starts: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """What codes leave of a target, [n, d]: target - gather_sum; and its `dots` with the same places of the table."""
    loops = _loops(values, table, target)
    if loops is None:
        left = target - gather_sum(values, table, latents, starts)
        return left, dots(left, table, latents, starts)
    left, along = _room(*target.shape), torch.empty(len(latents))
    v, t, j, s, x, o, p = _arrays(values, table, latents, starts, target, left, along)
    in_parts(len(o), lambda a, b: loops.miss(v, t, j, s[a : b + 1], x[a:b], o[a:b], p))
    return left, along


def latent_sum(values: Tensor, latents: Tensor, width: int) -> Tensor:
    """[width]: the sum of each latent's values."""
    loops = _loops(values)
    if loops is None:
        return _repeatable_sum(values, latents, width)
    out = torch.empty(width)
    loops.latent_sum(*_arrays(values, latents, out))
    return out


def by_latent(latents: Tensor, starts: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Places in the order of their latents, else in their own, all int32: the order [places], the row of each [places], and
    where each latent's begin [width + 1]."""
    loops = _loops(latents, dtype=torch.int32)
    if loops is None:
        latent, order = latents.sort(stable=True)
        every = torch.arange(width + 1, dtype=torch.int32, device=latents.device)
        return order.int(), row_of(starts, len(latents))[order], torch.searchsorted(latent, every, out_int32=True)
    order, row, begins = torch.empty_like(latents), torch.empty_like(latents), torch.empty(width + 1, dtype=torch.int32)
    loops.by_latent(*_arrays(latents, starts, order, row, begins))
    return order, row, begins


def row_of(starts: Tensor, places: int) -> Tensor:
    """[places] int32: the row of each place."""
    row = torch.arange(len(starts) - 1, dtype=torch.int32, device=starts.device)
    return row.repeat_interleave(starts.diff(), output_size=places)


def top_k(product: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row of a product [n, width] and their latents, int32, both [n, k], in no order.

    Of equal numbers at the end of the choice any may be taken, always the same ones.
    """
    loops = _loops(product)
    if loops is None:
        values, latents = product.topk(k, dim=1, sorted=False)
        return values, latents.int()
    values, latents = torch.empty(len(product), k), torch.empty(len(product), k, dtype=torch.int32)
    p, v, j = _arrays(product, values, latents)
    in_parts(len(p), lambda a, b: loops.top_k(p[a:b], v[a:b], j[a:b]))
    return values, latents


def top_k_near(near: Near, rows: Tensor, table: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """As `top_k`, of rows @ table^T + bias, which the product only stands near: it proposes latents, whose numbers are then
    computed in float32 and chosen by."""
    loops = _loops(rows, table)
    if loops is None:
        proposed = near.numbers().topk(min(k + k // 4 + _MARGIN, len(table)), dim=1, sorted=False).indices
        n, m = proposed.shape
        starts = torch.arange(0, (n + 1) * m, m, dtype=torch.int32, device=rows.device)
        exact = dots(rows, table, proposed.flatten().int(), starts).view(n, m) + near.fine[1][proposed]
        values, place = exact.topk(k, dim=1, sorted=False)
        return values, proposed.gather(1, place).int()
    values, latents = torch.empty(len(rows), k), torch.empty(len(rows), k, dtype=torch.int32)
    p, g, f, r, t, v, j = _arrays(*near, rows, table, values, latents)
    in_parts(len(p), lambda a, b: loops.top_k_near(p[a:b], g[a:b], f, r[a:b], t, v[a:b], j[a:b]))
    return values, latents


def above(product: Tensor | Near, bound: Tensor, most: float) -> Listed | None:
    """Places above a bound [width]; of a `Near`, those that may be. None if they are clearly more than the share `most`."""
    near = isinstance(product, Near)
    whole = product.product if near else product
    loops = _loops(*(product[1:] if near else (product,)))
    if loops is None:
        numbers = product.numbers() if near else product
        over = numbers + product.slack() > bound if near else numbers > bound
        if over.sum() > most * over.numel():
            return None
        return Listed(numbers[over], over.nonzero()[:, 1].int(), over.sum(1, dtype=torch.int32))
    arrays = _arrays(*product) if near else _arrays(product)
    limit, loop = bound.contiguous().numpy(), loops.above_near if near else loops.above
    parts = in_parts(len(whole), lambda a, b: _above(loop, arrays, limit, (a, b), most))
    return None if None in parts else Listed(*(torch.cat(side) for side in zip(*parts, strict=True)))


def _above(loop: Callable, arrays: list[np.ndarray], bound: np.ndarray, part: tuple[int, int], most: float):
    """Rows [a, b) of `above`."""
    a, b = part
    width = len(bound)
    room = int(most * (b - a) * width) + width
    values, latents, counts = torch.empty(room), torch.empty(room, dtype=torch.int32), torch.empty(b - a).int()
    rows = [array[a:b] for array in arrays[:2]] + arrays[2:]  # the product and its `rough`; `fine` whole
    found = loop(*rows, bound, *_arrays(values, latents, counts))
    return None if found < 0 else Listed(values[:found].clone(), latents[:found].clone(), counts)


def reached(values: Tensor, count: int, most: int) -> Tensor:
    """[] a number that at least `count` of values [places] reach, and at most `most` if ties allow it."""
    loops = _loops(values)
    if loops is None or not count < len(values):
        return values.topk(min(count, len(values)), sorted=False).values.min()
    return torch.tensor(loops.cut(*_arrays(values), count, most))


def kept(listed: Listed, keep: Tensor) -> Listed:
    """The listed places for which keep [places] bool."""
    loops = _loops(listed.values)
    if loops is None:
        row = row_of(torch.nn.functional.pad(listed.counts.cumsum(0), (1, 0)), len(keep))
        counts = torch.zeros_like(listed.counts).index_add_(0, row[keep], torch.ones_like(listed.latents[keep]))
        return Listed(listed.values[keep], listed.latents[keep], counts)
    room = len(keep) + 1  # the loop writes before it knows whether to keep
    found = Listed(torch.empty(room), torch.empty(room, dtype=torch.int32), listed.counts.clone())
    values, latents, counts = _arrays(*found)
    number = loops.kept(*_arrays(keep.view(torch.int8), listed.values, listed.latents), counts, values, latents)
    return Listed(found.values[:number], found.latents[:number], found.counts)


def quantised(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [n, d] as int8 [n, d] in steps of each row's largest absolute number / 127; the steps [n]; the lengths [n]."""
    loops = _loops(rows)
    if loops is None:
        step = rows.abs().amax(1) / 127
        whole = torch.where(step > 0, rows.T / step, 0).T.round().to(torch.int8)
        return whole, step, torch.linalg.vector_norm(rows, dim=1)
    out = torch.empty(rows.shape, dtype=torch.int8)
    steps, lengths = torch.empty(len(rows)), torch.empty(len(rows))
    r, o, s, t = _arrays(rows, out, steps, lengths)
    in_parts(len(r), lambda a, b: loops.quantise(r[a:b], o[a:b], s[a:b], t[a:b]))
    return out, steps, lengths


def drop_along(gradients: Tensor, rows: Tensor) -> None:
    """Take from each gradient [n, d], in place, its part along the same one of rows [n, d]."""
    loops = _loops(gradients, rows)
    if loops is None or not (gradients.is_contiguous() and rows.is_contiguous()):
        gradients.addcmul_(rows, torch.linalg.vecdot(gradients, rows)[:, None], value=-1)
        return
    g, r = _arrays(gradients, rows)
    in_parts(len(r), lambda a, b: loops.drop_along(g[a:b], r[a:b]))


def unit_rows(rows: Tensor, least: float = 1e-12) -> None:
    """Bring each of rows [n, d], in place, to length 1; one shorter than `least` is divided by that."""
    loops = _loops(rows)
    if loops is None or not rows.is_contiguous():
        rows.div_(torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min_(least))
        return
    (r,) = _arrays(rows)
    in_parts(len(r), lambda a, b: loops.unit_rows(r[a:b], np.float32(least)))


def finite(x: Tensor) -> bool:
    """Whether no number of x is NaN or infinite. Twenty times faster than torch.isfinite(x).all(), with no tensor of x's size."""
    return x.numel() == 0 or bool(torch.isfinite(torch.stack(x.aminmax())).all())


def _loops(*tensors: Tensor, dtype: torch.dtype = torch.float32):
    """The compiled loops, or None if these tensors are not for them or numba is not to be had."""
    if any(tensor.device.type != "cpu" or tensor.dtype != dtype for tensor in tensors):
        return None
    return compiled_loops()


@cache
def compiled_loops():
    """`seqsae.sae.products.compiled`, imported at first use, since that takes numba's time; None without it."""
    try:
        import numba

        if numba.config.DISABLE_JIT:
            return None
        from seqsae.sae.products import compiled
    except ImportError:
        return None
    return compiled


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    """The same memory, as numpy sees it; bfloat16 as uint16."""
    found = []
    for tensor in tensors:
        tensor = tensor.detach().contiguous()
        low = tensor.dtype == torch.bfloat16
        found.append(tensor.view(torch.int16).numpy().view(np.uint16) if low else tensor.numpy())
    return found


def _room(*shape: int) -> Tensor:
    """An empty float32 tensor. numpy asks for large pages, which a large gradient gets in half the time of small ones."""
    return torch.from_numpy(np.empty(shape, np.float32))


def _repeatable_sum(values: Tensor, latents: Tensor, width: int) -> Tensor:
    """`latent_sum` in an order that is always the same, on CUDA too."""
    latent, order = latents.sort(stable=True)
    every = torch.arange(width + 1, dtype=torch.int32, device=latents.device)
    begins = torch.searchsorted(latent, every, out_int32=True)
    ones = values.new_ones(len(values), 1)
    return embedding_bag(
        order.int(), ones, begins, mode="sum", per_sample_weights=values.flatten()[order], include_last_offset=True
    ).squeeze(1)
