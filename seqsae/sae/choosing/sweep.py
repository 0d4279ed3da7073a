"""SAEs of several sizes and sparsities compared: frontier, splitting, stitching and which of them to take, in one pass."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.sae.choosing.frontier import Point, Seen, frontier
from seqsae.sae.choosing.recommending import Data, recommend
from seqsae.sae.choosing.splitting import Splitting
from seqsae.sae.choosing.stitching import Stitching


class Comparison(NamedTuple):
    """What is told of the SAEs of a sweep."""

    frontier: pl.DataFrame
    """Schema `frontier`: a row for each SAE."""
    splitting: pl.DataFrame
    """Schema `splitting`, of each width and the next, at each sparsity, lowest seed."""
    stitching: pl.DataFrame
    """Schema `stitching`, of the same pairs."""
    recommendation: dict
    """Schema `recommendation`."""


@torch.no_grad()
def compare(points: Sequence[Point], batches: Iterable[Tensor], data: Data) -> Comparison:
    """Compare SAEs in one pass over held-out raw rows [n, d]; a batch is encoded once by each SAE.

    Raises:
        SeqsaeError: there are no rows, or they have no variance.
    """
    seen = [Seen(point.sae) for point in points]
    pairs = {pair: (Splitting(*_named(points, pair)), Stitching(*_named(points, pair))) for pair in neighbours(points)}
    for x in batches:
        codes = []
        for point, one in zip(points, seen, strict=True):
            codes.append(point.sae.encode(x.to(point.sae.W_dec.device)))
            one.update(x, codes[-1])
        for (small, large), (splitting, stitching) in pairs.items():
            splitting.update(codes[small], codes[large])
            stitching.update(x, codes[small], codes[large])
    if not seen[0].n:
        raise SeqsaeError("sweep: there are no held-out rows to compare SAEs on; give some")
    table = frontier(points, seen)
    chosen = recommend(table, data)
    table = table.with_columns(recommended=pl.col("name").eq_missing(chosen["name"]))
    return Comparison(
        table,
        _joined("splitting", [one.table() for one, _ in pairs.values()]),
        _joined("stitching", [one.table() for _, one in pairs.values()]),
        chosen,
    )


def neighbours(points: Sequence[Point]) -> list[tuple[int, int]]:
    """Places of each SAE and the one of the next larger width, same sparsity, of the lowest seed."""
    first = min(point.sae.config.seed for point in points)
    order = [place for place, point in enumerate(points) if point.sae.config.seed == first]
    order.sort(key=lambda place: (points[place].level, points[place].sae.width))
    return [
        (small, large)
        for small, large in zip(order[:-1], order[1:], strict=True)
        if points[small].level == points[large].level and points[small].sae.width < points[large].sae.width
    ]


def _named(points: Sequence[Point], pair: tuple[int, int]) -> list[tuple]:
    return [(points[place].name, points[place].sae) for place in pair]


def _joined(name: str, tables: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(tables) if tables else schema.empty(name)
