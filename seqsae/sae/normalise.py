"""The input normaliser: fitted on rows of the training stream, stored with the weights, undone on decoding."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError

KINDS = ("center-scale", "none")
_CHUNK = 4096  # rows asked of the stream at a time


class Normaliser(NamedTuple):
    """x_normalised = (x - mean) / scale."""

    mean: Tensor
    """[d] float32, subtracted; zeros for "none"."""
    scale: Tensor
    """[] float32 > 0, the divisor; 1 for "none"."""
    data_mean: Tensor
    """[d] float32, mean of the rows it was fitted on, whatever the kind."""


def fit(batches: Iterable[Tensor], kind: str, site: str) -> Normaliser:
    """A normaliser from rows [n, d] in raw units, summed in float64.

    "center-scale" subtracts the mean and scales so that the mean squared length of a row is d (one number for all
    dimensions, so directions keep their angles); "none" leaves rows as they are.

    Raises:
        SeqsaeError: unknown kind, no rows, NaN or infinite values, or rows that are all equal; names the site.
    """
    if kind not in KINDS:
        raise SeqsaeError(f"SAE: unknown normalisation {kind!r}; choose one of {', '.join(KINDS)}")
    mean, variance = _moments(batches, site)
    if kind == "none":
        return Normaliser(torch.zeros_like(mean).float(), torch.ones(()), mean.float())
    scale = (variance.sum() / len(mean)).sqrt()
    return Normaliser(mean.float(), scale.float(), mean.float())


def sample(stream, site: str, rows: int) -> Iterator[Tensor]:
    """About `rows` rows [n, d] that training will read first; the stream is put back where it stood."""
    before = stream.state()
    rows = min(rows, stream.n_rows)
    try:
        for start in range(0, rows, _CHUNK):
            yield stream.next(min(_CHUNK, rows - start))[site]
    finally:
        stream.restore(before)


def _moments(batches: Iterable[Tensor], site: str) -> tuple[Tensor, Tensor]:
    """Mean [d] and variance [d], float64. Sums are taken about the first row, so that equal rows give exactly 0."""
    n, origin = 0, None
    for batch in batches:
        if not torch.isfinite(batch).all():
            raise SeqsaeError(
                f"site {site!r}: the activations hold NaN or infinite values; mend the model or drop those rows and harvest again"
            )
        if origin is None:
            origin = batch[0].double()
            total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
        shifted = batch.double() - origin
        n += len(batch)
        total += shifted.sum(0)
        squares += shifted.square().sum(0)
    if not n:
        raise SeqsaeError(f"site {site!r}: no rows to train on; harvest the train split first")
    variance = squares / n - (total / n).square()
    if not variance.sum() > 1e-13 * (origin.square().sum() + squares.sum() / n):
        raise SeqsaeError(
            f"site {site!r}: all {n} sampled rows are equal, nothing can be learnt; check what the model was shown"
        )
    return origin + total / n, variance.clamp_min(0)
