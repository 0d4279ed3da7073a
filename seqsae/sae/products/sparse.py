"""Products with a matrix of codes that is mostly zeros, and the gradients that follow from them.

The codes C [n, width] are never built. A pattern says at which places C may be non-zero and gives the products with it:
`gather_sum` C @ T, `scatter_sum` C^T @ R, `latent_sum` the sums of C's columns, and `dots`, the entries of R @ T^T at the
pattern's places. Encoder and decoder share one pattern, hence one sort by latent. Tables T are [width, d], rows R [n, d]; the
shape of the values is the pattern's own:

    Picked   [n, k]      every row has k latents of its own
    Ragged   [places]    every row has its own number of latents
    Columns  [n, m]      every row has the same m latents
    Every    [n, width]  every row has all latents: dense, for codes that are not sparse
"""

from functools import cached_property

import torch
from torch import Tensor

from seqsae.sae.products import kernels


class _Listed:
    """Places listed row by row: `latents` [places] int32, and `starts` [n + 1] int32, where each row's places begin."""

    def __init__(self, latents: Tensor, starts: Tensor, width: int):
        self.latents = latents.int()  # half the memory traffic of int64
        self.starts = starts.int()
        self.width = width
        if latents.device.type == "cpu" and len(
            latents
        ):  # compiled loops check no index; elsewhere to ask would be to wait
            least, most = (int(end) for end in self.latents.aminmax())
            if least < 0 or most >= width:
                raise IndexError(f"a pattern of {width} latents names latents from {least} to {most}")

    def _check(self, places: Tensor | None = None, table: Tensor | None = None, rows: Tensor | None = None) -> None:
        """Raises ValueError if one of these does not have the pattern's size."""
        sizes = (places, len(self.latents)), (table, self.width), (rows, len(self.starts) - 1)
        for tensor, size in sizes:
            if tensor is not None and len(tensor) != size:
                raise ValueError(f"{len(tensor)} rows or values, where the pattern has {size}")

    def gather_sum(self, values: Tensor, table: Tensor) -> Tensor:
        """[n, d]: row i is the sum over its places p of values[p] * table[latents[p]]."""
        self._check(values.flatten(), table)
        return kernels.gather_sum(values.flatten(), table, self.latents, self.starts)

    def scatter_sum(self, values: Tensor, rows: Tensor) -> Tensor:
        """[width, d]: entry j is the sum of values[p] * rows[row of p] over the places p of latent j."""
        self._check(values.flatten(), rows=rows)
        order, row, begins = self._by_latent
        return kernels.gather_sum(values.flatten().index_select(0, order), rows, row, begins)

    def latent_sum(self, values: Tensor) -> Tensor:
        """[width]: the sum of each latent's values."""
        self._check(values.flatten())
        return kernels.latent_sum(values.flatten(), self.latents, self.width)

    def dots(self, rows: Tensor, table: Tensor) -> Tensor:
        """In the shape of the values: rows[i] . table[latents[p]] for every place p of every row i."""
        self._check(table=table, rows=rows)
        return self._shaped(kernels.dots(rows, table, self.latents, self.starts))

    def miss(self, values: Tensor, table: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """target - gather_sum [n, d], and its `dots` with the same table."""
        self._check(values.flatten(), table, target)
        left, along = kernels.miss(values.flatten(), table, self.latents, self.starts, target)
        return left, self._shaped(along)

    def spread(self, values: Tensor) -> Tensor:
        """Values [width] at the places of their latents."""
        return self._shaped(values[self.latents])

    def _shaped(self, flat: Tensor) -> Tensor:
        return flat

    @cached_property
    def rows(self) -> Tensor:
        """[places] int32: the row of each place."""
        return kernels.row_of(self.starts, len(self.latents))

    @cached_property
    def _by_latent(self) -> tuple[Tensor, Tensor, Tensor]:
        """Places in the order of their latents: the order, the row of each place, where each latent's places begin."""
        return kernels.by_latent(self.latents, self.starts, self.width)


class Picked(_Listed):
    """A pattern in which every row has its own k latents; values [n, k].

    Args:
        indices: [n, k] latents, distinct within a row.
        width: number of latents.
    """

    def __init__(self, indices: Tensor, width: int):
        n, k = indices.shape
        self.indices = indices.int()
        starts = torch.arange(0, (n + 1) * k, k, dtype=torch.int32, device=indices.device)
        super().__init__(self.indices.reshape(-1), starts, width)

    def _shaped(self, flat: Tensor) -> Tensor:
        return flat.view(self.indices.shape)


class Ragged(_Listed):
    """A pattern in which every row has its own number of latents, none included; values [places].

    Args:
        latents: [places] row after row, distinct within a row.
        starts: [n + 1] the place at which each row begins; the last is the number of places.
        width: number of latents.
    """


class _Dense:
    """What patterns have in common whose products are dense."""

    def miss(self, values: Tensor, table: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """target - gather_sum [n, d], and its `dots` with the same table."""
        left = target - self.gather_sum(values, table)
        return left, self.dots(left, table)


class Columns(_Dense):
    """A pattern in which every row has the same latents, so that its products are dense and small; values [n, m].

    Args:
        latents: [m] distinct latents.
        width: number of latents.
    """

    def __init__(self, latents: Tensor, width: int):
        self.latents = latents
        self.width = width

    def gather_sum(self, values: Tensor, table: Tensor) -> Tensor:
        """[n, d] from values [n, m]."""
        return values @ table[self.latents]

    def scatter_sum(self, values: Tensor, rows: Tensor) -> Tensor:
        """[width, d], 0 for the latents that are not in the pattern."""
        return self._spread(values.T @ rows)

    def latent_sum(self, values: Tensor) -> Tensor:
        """[width]."""
        return self._spread(values.sum(0))

    def dots(self, rows: Tensor, table: Tensor) -> Tensor:
        """[n, m]."""
        return rows @ table[self.latents].T

    def spread(self, values: Tensor) -> Tensor:
        """Values [width] at the places of their latents, [n, m] by widening."""
        return values[self.latents]

    def _spread(self, part: Tensor) -> Tensor:
        whole = part.new_zeros(self.width, *part.shape[1:])
        whole[self.latents] = part
        return whole


class Every(_Dense):
    """The pattern of all places; values [n, width]. For codes of which more than about a tenth is not zero."""

    def gather_sum(self, values: Tensor, table: Tensor) -> Tensor:
        """[n, d]."""
        return values @ table

    def scatter_sum(self, values: Tensor, rows: Tensor) -> Tensor:
        """[width, d]."""
        return values.T @ rows

    def latent_sum(self, values: Tensor) -> Tensor:
        """[width], also of values [width] that stand for rows already summed."""
        return values.sum(0) if values.ndim == 2 else values

    def dots(self, rows: Tensor, table: Tensor) -> Tensor:
        """[n, width]."""
        return rows @ table.T

    def spread(self, values: Tensor) -> Tensor:
        """Values [width], which widen to [n, width]."""
        return values


Pattern = Picked | Ragged | Columns | Every


class _Encode(torch.autograd.Function):
    """The pre-activations at a pattern's places, with gradients for the weights through those places alone.

    pre = (x - b_dec) W_enc + b_enc; with g the gradient at the places (a sparse G):
    dW_enc = (x - b_dec)^T G,  db_enc = sum of G's rows,  db_dec = -W_enc db_enc.
    """

    @staticmethod
    def forward(ctx, centred, W_enc, b_enc, b_dec, pre, pattern):
        ctx.save_for_backward(centred, W_enc)
        ctx.pattern = pattern
        return pre.clone()

    @staticmethod
    def backward(ctx, g):
        centred, W_enc = ctx.saved_tensors
        g = g.contiguous()
        by_latent = ctx.pattern.latent_sum(g)
        by_center = -(W_enc @ by_latent) if ctx.needs_input_grad[3] else None
        return None, ctx.pattern.scatter_sum(g, centred).T, by_latent, by_center, None, None


class _Decode(torch.autograd.Function):
    """C W_dec; with g [n, d] the gradient: dC = g W_dec^T at the pattern's places, dW_dec = C^T g."""

    @staticmethod
    def forward(ctx, values, W_dec, pattern):
        ctx.save_for_backward(values, W_dec)
        ctx.pattern = pattern
        return pattern.gather_sum(values, W_dec).to(W_dec.dtype)  # within autocast a dense product is bfloat16

    @staticmethod
    def backward(ctx, g):
        values, W_dec = ctx.saved_tensors
        g = g.contiguous()
        return ctx.pattern.dots(g, W_dec), ctx.pattern.scatter_sum(values, g), None


class _Miss(torch.autograd.Function):
    """mean (t - C W_dec)^2 with t = x - b_dec. With e [n, d] what is left and s = -2 g / (n d): dC = s e W_dec^T at the
    pattern's places, dW_dec = s C^T e, db_dec = s times the sum of e's rows."""

    @staticmethod
    def forward(ctx, values, W_dec, b_dec, target, pattern):
        left, along = pattern.miss(values, W_dec, target)
        ctx.save_for_backward(values, left, along.to(values.dtype))
        ctx.pattern = pattern
        ctx.mark_non_differentiable(left)
        ctx.set_materialize_grads(False)  # or `left` would be handed a gradient of zeros of its own size
        flat = left.flatten()
        return torch.dot(flat, flat) / max(1, len(flat)), left

    @staticmethod
    def backward(ctx, g, _):
        values, left, along = ctx.saved_tensors
        factor = -2 * g / max(1, left.numel())
        by_center = factor * (left.T @ left.new_ones(len(left))) if ctx.needs_input_grad[2] else None
        return along * factor, ctx.pattern.scatter_sum(values * factor, left), by_center, None, None


class _AtLatents(torch.autograd.Function):
    """Numbers of latents at listed places; the gradient is `latent_sum`, where indexing would add up place by place."""

    @staticmethod
    def forward(ctx, values, pattern):
        ctx.pattern = pattern
        return pattern.spread(values)

    @staticmethod
    def backward(ctx, g):
        return ctx.pattern.latent_sum(g.contiguous()), None


def encode_at(centred: Tensor, weights: tuple[Tensor, Tensor, Tensor | None], pre: Tensor, pattern: Pattern) -> Tensor:
    """`pre` itself, tied to the encoder's weights so that gradients flow to them.

    Args:
        centred: [n, d] what the encoder reads, taken as data: no gradient reaches it.
        weights: W_enc [d, width], b_enc [width], and b_dec [d] if `centred` is x - b_dec, else None; a detached one gets
            no gradient.
        pre: pre-activations at the pattern's places, already computed, in the shape of the pattern's values.
    """
    return _Encode.apply(centred, *weights, pre, pattern)


def decode_at(values: Tensor, W_dec: Tensor, pattern: Pattern) -> Tensor:
    """[n, d] sum of decoder rows weighted by the values; gradients for both, never of size n x width unless the
    pattern is `Every`."""
    return _Decode.apply(values, W_dec, pattern)


def miss_at(values: Tensor, W_dec: Tensor, b_dec: Tensor, target: Tensor, pattern: Pattern) -> tuple[Tensor, Tensor]:
    """The mean squared error [] of a reconstruction, and as data what it leaves over, x - x_hat [n, d].

    What `decode_at` and a loss do, in one pass; with gradients for the values, W_dec and b_dec.

    Args:
        target: [n, d] x - b_dec, as data.
    """
    return _Miss.apply(values, W_dec, b_dec, target, pattern)


def at_latents(values: Tensor, pattern: Pattern) -> Tensor:
    """A number of each latent [width] at the pattern's places, in the shape of its values, or one that widens to it."""
    return pattern.spread(values) if isinstance(pattern, _Dense) else _AtLatents.apply(values, pattern)
