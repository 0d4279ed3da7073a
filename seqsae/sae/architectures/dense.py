"""The doors to the one dense product of a training step, pre = centred W_enc + b_enc.

Only some rows' pre-activations [rows, width] exist at a time. Each door gives a pattern and the pre-activations at its places,
as data: tie them to the weights with `sparse.encode_at`. In low precision the dense product only proposes places; what is
chosen among them, and by, are float32 numbers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from seqsae.sae.base import row_chunks
from seqsae.sae.products import kernels
from seqsae.sae.products.kernels import Listed, Near, kept, reached
from seqsae.sae.products.precision import Low
from seqsae.sae.products.scratch import scratch
from seqsae.sae.products.sparse import Every, Picked, Ragged

_MANY = 0.1  # share of active places above which dense products beat listed ones ...
_MANY_NEAR = 0.04  # ... and above which a float32 product beats computing proposed places one by one
_SAMPLE = 64  # rows from which `largest` guesses where its bound will lie ...
_SPARE = 1.3  # ... with so many times the places it needs above it


class Found(NamedTuple):
    """What a door gives."""

    pattern: Picked | Ragged | Every
    """Where."""
    pre: Tensor
    """The pre-activations there, in the shape of the pattern's values and the format of the weights."""
    also: Tensor
    """[n, m] pre-activations at the m latents that were asked for besides."""


def picked(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, k: int, precision: str = "float32", also: Tensor | None = None
) -> Found:
    """The k largest latents of each row, a `Picked`.

    Args:
        centred: [n, d] what the encoder reads.
        precision: format of the dense product, see `Spec.precision`; "auto" has to be resolved before.
        also: [m] int64 further latents.
    """
    with _as_data(centred):
        product = _Product(centred, W_enc, b_enc, precision)
        values, latents = product.top_k(k)
        return Found(Picked(latents, product.width), values, product.at(also))


def above(
    centred: Tensor,
    W_enc: Tensor,
    b_enc: Tensor,
    bound: float | Tensor,
    precision: str = "float32",
    also: Tensor | None = None,
) -> Found:
    """All places with a pre-activation above the bound: a `Ragged`, or `Every` if they are more than about a tenth.

    Args:
        centred: [n, d] what the encoder reads.
        bound: a number, or one for each latent [width].
        precision: format of the dense product, see `Spec.precision`; "auto" has to be resolved before.
        also: [m] int64 further latents.
    """
    with _as_data(centred):
        product = _Product(centred, W_enc, b_enc, precision)
        bound = torch.as_tensor(bound, dtype=centred.dtype, device=centred.device).detach().expand(product.width)
        listed = product.above(bound, _MANY_NEAR if product.low else _MANY)
        if listed is None and product.low:
            product = _Product(centred, W_enc, b_enc, "float32")
            listed = product.above(bound, _MANY)
        if listed is None:
            return Found(Every(), torch.addmm(b_enc, centred, W_enc), product.at(also))
        if product.low:
            listed = product.exact(listed)
            listed = kept(listed, listed.values > bound[listed.latents])
        return Found(Ragged(listed.latents, _starts(listed), product.width), listed.values, product.at(also))


def largest(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, count: int, precision: str = "float32", also: Tensor | None = None
) -> Found:
    """The `count` largest positive pre-activations of the whole batch, all of them if there are fewer: a `Ragged`.

    Args:
        centred: [n, d] what the encoder reads.
        precision: format of the dense product, see `Spec.precision`; "auto" has to be resolved before.
        also: [m] int64 further latents.
    """
    with _as_data(centred):
        product = _Product(centred, W_enc, b_enc, precision)
        bound = _guess(product, count)
        listed = product.above(bound, 1.0)
        if len(listed.values) < count and bound.any():  # guessed too high
            listed = product.above(centred.new_zeros(product.width), 1.0)
        if product.low:
            listed = product.exact(listed)
            if (
                int((listed.values > bound[0]).sum()) < count and bound.any()
            ):  # larger ones may stand below the bound, unproposed
                listed = product.exact(product.above(centred.new_zeros(product.width), 1.0))
        listed = kept(listed, (listed.values > 0) & _top(listed.values, count))
        return Found(Ragged(listed.latents, _starts(listed), product.width), listed.values, product.at(also))


class _Product:
    """The dense product in a precision, some rows at a time."""

    def __init__(self, centred: Tensor, W_enc: Tensor, b_enc: Tensor, precision: str):
        self.centred, self.W_enc, self.b_enc = centred, W_enc.detach(), b_enc.detach()
        self.width = W_enc.shape[1]
        self.table = self.W_enc.T.contiguous()  # no copy where the weights are stored latent by latent
        self.low = None if precision == "float32" else Low(centred, self.table, self.b_enc, precision)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor | Near]]:
        """Rows and their product, some at a time; each product is gone when the next is asked for."""
        first = 0
        for rows in row_chunks(self.centred, self.width):
            last = first + len(rows)
            shape = (len(rows), self.width)
            if self.low:
                yield rows, self.low.near(first, last)
            else:
                yield rows, torch.addmm(self.b_enc, rows, self.W_enc, out=scratch(shape, rows.dtype, rows.device))
            first = last

    def at(self, also: Tensor | None) -> Tensor:
        """[n, m]: exact, of all rows and some latents."""
        if also is None or not len(also):
            return self.centred.new_empty(len(self.centred), 0)
        return torch.addmm(self.b_enc[also], self.centred, self.table[also].T)

    def top_k(self, k: int) -> tuple[Tensor, Tensor]:
        """The k largest of each row, and their latents."""
        parts = []
        for rows, product in self.chunks():
            near = isinstance(product, Near)
            parts.append(kernels.top_k_near(product, rows, self.table, k) if near else kernels.top_k(product, k))
        values, latents = (torch.cat(part) for part in zip(*parts, strict=True))
        return values, latents

    def above(self, bound: Tensor, most: float) -> Listed | None:
        """Places above a bound [width], proposed ones in low precision; None if they are more than the share `most`."""
        parts = []
        for _, product in self.chunks():
            parts.append(kernels.above(product, bound, most))
            if parts[-1] is None:
                return None
        return Listed(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def exact(self, listed: Listed) -> Listed:
        """The same places with exact values."""
        values = kernels.dots(self.centred, self.table, listed.latents, _starts(listed))
        return listed._replace(values=values + self.b_enc[listed.latents])


def _guess(product: _Product, count: int) -> Tensor:
    """[width]: a bound that rather more than `count` places of the batch are above, judged by rows spread over it; 0 at least."""
    rows = product.centred[:: max(1, len(product.centred) // _SAMPLE)]
    pre = torch.addmm(product.b_enc, rows, product.W_enc).flatten()
    wanted = int(_SPARE * count * len(rows) / max(1, len(product.centred))) + 1
    bound = reached(pre, wanted, wanted + wanted // 20) if len(pre) else pre.new_zeros(())
    return bound.clamp_min(0).expand(product.width)


def _top(values: Tensor, count: int) -> Tensor:
    """[places] bool: the `count` largest of values; among equal ones the first."""
    if len(values) <= count:
        return torch.ones_like(values, dtype=torch.bool)
    bound = reached(values, count, count)
    keep = values >= bound
    if keep.sum() > count:
        ties = values == bound
        keep &= ~ties | (ties.cumsum(0) <= count - (values > bound).sum())
    return keep


def _starts(listed: Listed) -> Tensor:
    return pad(listed.counts.cumsum(0, dtype=torch.int32), (1, 0))


@contextmanager
def _as_data(centred: Tensor):
    """No gradients; float32 within autocast too."""
    with torch.no_grad(), torch.autocast(centred.device.type, enabled=False):
        yield
