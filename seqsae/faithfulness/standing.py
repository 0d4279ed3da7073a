"""Where a feature stands among its like, and how sure that is."""

from typing import NamedTuple

import numpy as np

from seqsae.faithfulness.bootstrap import FEWEST, LEVEL


class Standing(NamedTuple):
    """A percentile with its interval."""

    value: float | None
    low: float | None
    high: float | None


UNKNOWN = Standing(None, None, None)


def percentile(value: float, among: np.ndarray) -> float | None:
    """Share, in percent, of the finite numbers `among` [m] that lie below `value`, ties by half; None without any."""
    among = among[np.isfinite(among)]
    if not len(among) or not np.isfinite(value):
        return None
    return float(100 * ((among < value).mean() + (among == value).mean() / 2))


def standing(own: np.ndarray, rivals: np.ndarray, draws: int, seed: int) -> Standing:
    """The percentile of a ratio's size among those of its rivals, and the 95% interval over clusters and over rivals.

    In each draw the clusters, the same for all, and the rivals are drawn with replacement: few subjects and few rivals both
    widen it. Rivals that were measured nowhere are left out; the ends are None where `own` has fewer than five clusters.

    Args:
        own: [C, 2] sums and counts of each cluster.
        rivals: [m, C, 2].
    """
    rivals = rivals[rivals[:, :, 1].sum(1) > 0]
    if not len(rivals) or own[:, 1].sum() <= 0:
        return UNKNOWN
    value, among = _sizes(own.sum(0)), _sizes(rivals.sum(1))
    if (own[:, 1] > 0).sum() < FEWEST:
        return Standing(percentile(value, among), None, None)
    random = np.random.default_rng([seed, len(own), len(rivals)])
    weights = random.multinomial(len(own), np.full(len(own), 1 / len(own)), size=draws).astype(float)
    values = _sizes(weights @ own)
    drawn = _sizes(np.einsum("bc,mcs->bms", weights, rivals, optimize=True))
    drawn = np.take_along_axis(drawn, random.integers(len(rivals), size=drawn.shape), 1)
    return Standing(percentile(value, among), *_ends(values, drawn))


def _sizes(parts: np.ndarray) -> np.ndarray:
    """|sum / count| of [.., 2]; NaN without a count."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(parts[..., 0] / parts[..., 1])


def _ends(values: np.ndarray, drawn: np.ndarray) -> tuple[float | None, float | None]:
    """Of the draws [B] and [B, m] in which both could be measured."""
    there = np.isfinite(drawn)
    with np.errstate(invalid="ignore"):
        below = ((drawn < values[:, None]) + (drawn == values[:, None]) / 2) * there
        found = 100 * below.sum(1) / there.sum(1)
    kept = found[np.isfinite(values) & there.any(1)]
    return tuple(np.quantile(kept, LEVEL).tolist()) if len(kept) else (None, None)
