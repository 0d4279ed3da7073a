"""Signs, in a sweep over sizes and sparsities, of where a dictionary has the right size: not too small, not too sparse.

Sharkey, Braun and Millidge 2022, "Taking features out of superposition with sparse autoencoders (interim research report)", look for
it by three signs that need no truth: dead latents, the "stickiness" of the loss, and agreement with larger dictionaries of the same sparsity
penalty. Their update of early 2023 marks the second as deprecated, and gives no formula: the one below is ours, and takes no part in the zone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from seqsae.sae.quality.dictionaries import mmcs

_LARGER = 2  # dictionaries that each is compared with: the next larger ones of its sparsity
_DRAWS, _SEED = 512, 0x601D


@dataclass(frozen=True)
class Member:
    """One SAE of a sweep."""

    name: str
    width: int
    sparsity: float
    """What is held equal when sizes are compared: k, a penalty, or a target."""
    directions: Tensor
    """[width, d] decoder rows in raw units (`dictionaries.directions`)."""
    dead: float | None
    """Share of latents that never fire on held-out rows."""
    rows: Sequence[float]
    """Training rows read at each measurement."""
    fvu: Sequence[float]
    """Held-out FVU at each measurement."""


def stickiness(rows: Sequence[float], loss: Sequence[float], start: float | None = 1.0) -> float | None:
    """How long a loss stays up before it falls: its mean height over training, 0 at its lowest and 1 where it began.

    (1/R) int_0^R (l(r) - min l) / (l(0) - min l) dr, with l linear between measurements: near 0 for a loss that falls at once,
    near 1 for one stuck until the end, and 1 for one that never falls.

    Args:
        rows: training rows read at each measurement, ascending.
        loss: the loss there; FVU is best, which is 1 for an SAE that has learnt nothing but the mean.
        start: the loss before the first row; None: the curve begins at its first measurement.
    Returns:
        None if there are fewer than two points or a value is missing.
    """
    known = [value for value in loss if value is not None and value == value]
    if len(known) < len(loss):
        return None
    points = list(zip(rows, loss, strict=True))
    points = points if start is None else [(0, start), *points]
    if len(points) < 2:
        return None
    lowest, first = min(value for _, value in points), points[0][1]
    if lowest >= first:
        return 1.0
    area = sum((b - a) * (x + y - 2 * lowest) / 2 for (a, x), (b, y) in zip(points[:-1], points[1:], strict=True))
    return area / (points[-1][0] - points[0][0]) / (first - lowest)


def zone(members: Sequence[Member], dead: float = 0.1, share: float = 0.9) -> pl.DataFrame:
    """A row for each SAE of a sweep, in the order given, with the signs and whether it lies in the Goldilocks zone.

    Columns: `name, width, sparsity, dead, fvu` (the last one); `fall`, the relative fall of FVU from the next smaller SAE of the
    same sparsity for each doubling of the width (a loss that sticks however large the dictionary: 0); `stickiness`; `agreement`,
    mean over up to two next larger SAEs of the same sparsity of MMCS(this one, larger one); `chance`, the same for random
    directions; `zone`: agreement over chance (a - c) / (1 - c) is at least `share` of the largest in the sweep, and at most `dead` of the
    latents are dead. All of an SAE's signs that need a larger or smaller one are null where there is none, and so is its `zone`.
    """
    rows = [_signs(member, members) for member in members]
    over = [_over_chance(row) for row in rows]
    best = max((value for value in over if value is not None), default=None)
    for row, value in zip(rows, over, strict=True):
        alive = row["dead"] is not None and row["dead"] <= dead
        row["zone"] = None if value is None else alive and best > 0 and value >= share * best
    return pl.DataFrame(rows, schema=_COLUMNS)


_COLUMNS = {"name": pl.String, "width": pl.Int64, "sparsity": pl.Float64}
_COLUMNS |= dict.fromkeys(("dead", "fvu", "fall", "stickiness", "agreement", "chance"), pl.Float64)
_COLUMNS |= {"zone": pl.Boolean}


def _signs(member: Member, members: Sequence[Member]) -> dict:
    same = sorted((other for other in members if other.sparsity == member.sparsity), key=lambda other: other.width)
    larger = _next_widths([other for other in same if other.width > member.width])
    smaller = [other for other in same if other.width < member.width]
    row = {"name": member.name, "width": member.width, "sparsity": member.sparsity, "dead": member.dead}
    row |= {"fvu": _last(member), "stickiness": stickiness(member.rows, member.fvu), "fall": None}
    if smaller:
        row["fall"] = _fall(smaller[-1], member)
    row["agreement"] = _mean([mmcs(member.directions, other.directions) for other in larger])
    row["chance"] = _mean([mmcs(_random(other.directions), other.directions) for other in larger])
    return row


def _next_widths(larger: list[Member]) -> list[Member]:
    """Of those larger, by width, all that have one of the two next widths (several seeds count each)."""
    widths = sorted({other.width for other in larger})[:_LARGER]
    return [other for other in larger if other.width in widths]


def _last(member: Member) -> float | None:
    return member.fvu[-1] if len(member.fvu) else None


def _fall(small: Member, large: Member) -> float | None:
    before, after = _last(small), _last(large)
    if before is None or after is None or not before > 0:
        return None
    doublings = torch.log2(torch.tensor(large.width / small.width, dtype=torch.float64)).item()
    return (1 - after / before) / doublings


def _random(like: Tensor) -> Tensor:
    """[512, d] seeded random directions."""
    return torch.randn(_DRAWS, like.shape[1], generator=torch.Generator().manual_seed(_SEED)).to(like)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _over_chance(row: dict) -> float | None:
    return None if row["agreement"] is None else (row["agreement"] - row["chance"]) / (1 - row["chance"])
