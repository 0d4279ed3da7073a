"""What the input normaliser and the first bias are made of: mean, variance, covariance, mean length and geometric median of rows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError

_CHUNK = 4096  # rows asked of the stream at a time
_MEDIAN_ROWS = 8_192  # rows the geometric median is taken over, at most


class Moments(NamedTuple):
    """Of rows [n, d], in float64."""

    mean: Tensor
    """[d]."""
    variance: Tensor
    """[d], about the mean."""
    covariance: Tensor | None
    """[d, d], about the mean; None unless asked for."""
    length: Tensor
    """[] mean Euclidean length of a row."""
    rows: Tensor
    """[m, d] the first of them, at most 8,192, in their own format."""


def sample(stream, site: str, rows: int) -> Iterator[Tensor]:
    """About `rows` rows [n, d] that training will read first; the stream is put back where it stood."""
    before = stream.state()
    rows = min(rows, stream.n_rows)
    try:
        for start in range(0, rows, _CHUNK):
            yield stream.next(min(_CHUNK, rows - start))[site]
    finally:
        stream.restore(before)


def moments(batches: Iterable[Tensor], site: str, covariance: bool = False) -> Moments:
    """Moments of rows in batches. Sums are taken about the first row, so that equal rows give a variance of exactly 0.

    Raises:
        SeqsaeError: no rows, NaN or infinite values, or rows that are all equal; names the site.
    """
    n, kept = 0, []
    for batch in batches:
        if not torch.isfinite(batch).all():
            raise SeqsaeError(
                f"site {site!r}: the activations hold NaN or infinite values; mend the model or drop those rows and harvest again"
            )
        if not n:
            origin = batch[0].double()
            total, squares, length = torch.zeros_like(origin), torch.zeros_like(origin), origin.new_zeros(())
            products = origin.new_zeros(len(origin), len(origin)) if covariance else None
        if n < _MEDIAN_ROWS:
            kept.append(batch[: _MEDIAN_ROWS - n])
        shifted = batch.double() - origin
        n += len(batch)
        total += shifted.sum(0)
        squares += shifted.square().sum(0)
        length += torch.linalg.vector_norm(batch.double(), dim=1).sum()
        if products is not None:
            products.addmm_(shifted.T, shifted)
    if not n:
        raise SeqsaeError(f"site {site!r}: no rows to train on; harvest the train split first")
    step = total / n
    variance = squares / n - step.square()
    if not squares.sum() > 0:
        raise SeqsaeError(
            f"site {site!r}: all {n} sampled rows are equal, nothing can be learnt; check what the model was shown"
        )
    about = None if products is None else products / n - torch.outer(step, step)
    return Moments(origin + step, variance.clamp_min(0), about, length / n, torch.cat(kept))


def geometric_median(rows: Tensor, steps: int = 100, tolerance: float = 1e-6) -> Tensor:
    """[d] float64: the point with the least sum of Euclidean distances to rows [n, d].

    Weiszfeld's iteration in the form of Vardi and Zhang 2000 ("The multivariate L1-median and associated data depth"),
    which neither divides by zero nor stops wrongly when the point falls on a row, however many rows are equal.

    Args:
        steps: iterations at most.
        tolerance: the iteration ends when the point moves by less than this share of the mean distance.
    """
    rows = rows.double()
    point = rows.mean(0)
    for _ in range(steps):
        distance = torch.linalg.vector_norm(rows - point, dim=1)
        scale = distance.mean()
        away = distance > 1e-12 * scale
        if not away.any():
            return point
        weight = torch.where(away, 1 / distance, 0)
        target = (weight[:, None] * rows).sum(0) / weight.sum()
        pull = torch.linalg.vector_norm((target - point) * weight.sum())
        held = (
            ((~away).sum() / pull).clamp_max(1) if pull > 0 else rows.new_ones(())
        )  # rows that lie on the point hold it
        step = (1 - held) * (target - point)
        point = point + step
        if torch.linalg.vector_norm(step) <= tolerance * scale:
            break
    return point
