"""The input normaliser: fitted on rows of the training stream, stored with the weights, undone on decoding."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from seqsae.errors import SeqsaeError
from seqsae.sae.moments import Moments, geometric_median, moments

KINDS = ("center-scale", "none", "mean-norm", "layer-norm", "row-norm", "standardise", "whiten")
BY_ROW = ("layer-norm", "row-norm")  # each row by itself: undone with that row at hand
BIASES = ("mean", "geometric-median", "zeros")
_SHRINK = 1e-3  # share of the mean eigenvalue that whitening adds to each: directions of no variance are not blown up
_ROUNDING = 1e-7  # relative error of a float32: what varies by less of its mean is rounding
_EPSILON = 1e-5  # added to the deviation that a row is divided by, as layer-normalising SAEs in the literature do


class Normaliser(NamedTuple):
    """x_normalised = ((x - mean) / scale) whiten, after each row was brought to its own scale if the kind is of BY_ROW."""

    mean: Tensor
    """[d] float32, subtracted."""
    scale: Tensor
    """[] or, for "standardise", [d], float32 > 0: the divisor."""
    whiten: Tensor | None
    """[d, d] float32, symmetric; None but for "whiten"."""
    unwhiten: Tensor | None
    """[d, d] float32, its inverse."""
    center: Tensor
    """[d] float32, where the decoder's bias starts, normalised units."""


def fit(batches: Iterable[Tensor], kind: str, site: str, bias: str = "mean") -> Normaliser:
    """A normaliser from rows [n, d] in raw units, summed in float64.

    "none": rows as they are. "center-scale": the mean taken off, then one divisor for all dimensions, so that the mean
    squared length of a row is d and directions keep their angles. "mean-norm": one divisor alone, so that the mean length
    is sqrt(d) (Conerly et al. 2024, "Update on how we train SAEs"). "layer-norm": each row less its own mean, over its own
    standard deviation (Gao et al. 2024, appendix A). "row-norm": each row to the length sqrt(d). Both are undone on
    decoding with that row at hand. "standardise": each
    dimension to mean 0, variance 1. "whiten": the covariance to the identity by its inverse square root, symmetric, so
    that dimensions keep their meaning.

    Args:
        bias: where the decoder's bias starts: the rows' mean, their geometric median, or zeros.
    Raises:
        SeqsaeError: unknown kind or bias, no rows, NaN or infinite values, or rows that are all equal; names the site.
    """
    check(kind, bias)
    if kind in BY_ROW:
        batches = (by_row(batch, kind) for batch in batches)
    found = moments(batches, site, covariance=kind == "whiten")
    mean, scale, whiten, unwhiten = _affine(found, kind)
    center = (_start(found, bias) - mean) / scale
    center = center if whiten is None else center @ whiten
    if bias == "zeros":
        center = torch.zeros_like(center)
    parts = (mean, scale, whiten, unwhiten, center)
    return Normaliser(*(part if part is None else part.float() for part in parts))


def check(kind: str, bias: str = "mean") -> None:
    """Raises SeqsaeError if there is no such kind of normaliser, or of first bias."""
    for what, name, known in (("normalisation", kind, KINDS), ("bias", bias, BIASES)):
        if name not in known:
            raise SeqsaeError(f"SAE: unknown {what} {name!r}; choose one of {', '.join(known)}")


def by_row(x: Tensor, kind: str) -> Tensor:
    """Rows [n, d], each by itself. "layer-norm": less its mean, over its standard deviation plus 1e-5 (decoding multiplies by
    the deviation alone, so that SAEs of Gao et al. and those that follow them give their own numbers to the last digit).
    "row-norm": times sqrt(d) over its length; a row of zeros stays as it is."""
    mean, size = _row_moments(x, kind)
    return (x - mean) / (size + _EPSILON) if kind == "layer-norm" else x / torch.where(size > 0, size, 1)


def undone_by_row(x_hat: Tensor, rows: Tensor, kind: str) -> Tensor:
    """[n, d]: reconstructions in the scales of the raw rows [n, d] that they are of."""
    mean, size = _row_moments(rows, kind)
    return x_hat * size + mean


def _row_moments(x: Tensor, kind: str) -> tuple[Tensor | float, Tensor]:
    """What is taken off each row of x [n, d], and what it is divided by [n, 1]."""
    if kind == "layer-norm":
        return x.mean(1, keepdim=True), x.std(1, keepdim=True)  # n - 1 in the denominator
    most = x.abs().amax(1, keepdim=True)  # taken out first, so that squares do not overflow
    length = torch.linalg.vector_norm(x / torch.where(most > 0, most, 1), dim=1, keepdim=True)
    return 0.0, most * length / x.shape[1] ** 0.5


def _start(found: Moments, bias: str) -> Tensor:
    return geometric_median(found.rows) if bias == "geometric-median" else found.mean


def _affine(found: Moments, kind: str) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """mean [d], scale [] or [d], whiten and unwhiten [d, d] or None; float64."""
    zero, one = torch.zeros_like(found.mean), found.mean.new_ones(())
    spread = (found.variance.sum() / len(found.mean)).sqrt()
    if kind == "center-scale":
        return found.mean, spread, None, None
    if kind == "mean-norm":
        return zero, found.length / len(zero) ** 0.5, None, None
    if kind == "standardise":  # a dimension that does not vary is only centred
        still = found.variance <= (_ROUNDING * found.mean) ** 2
        return found.mean, torch.where(still, spread, found.variance.sqrt()), None, None
    if kind == "whiten":
        return found.mean, one, *_whitening(found.covariance)
    return zero, one, None, None


def _whitening(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse square root and the square root of the covariance [d, d], a little of the mean eigenvalue added."""
    values, vectors = torch.linalg.eigh(covariance)
    root = (values.clamp_min(0) + _SHRINK * values.clamp_min(0).mean()).sqrt()
    return (vectors / root) @ vectors.T, (vectors * root) @ vectors.T
