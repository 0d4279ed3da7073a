"""The SAEs of a sweep side by side, measured on the same held-out rows: reconstruction against sparsity, and agreement."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from seqsae import schema
from seqsae.sae.base import SAE, Codes
from seqsae.sae.choosing.goldilocks import Member, zone
from seqsae.sae.quality.dictionaries import directions, mmcs
from seqsae.sae.quality.metrics import Firing, Unexplained

_ROWS = 4096  # live latents whose nearest in another dictionary is looked for, evenly spaced, at most
_SEED = 0xF807
_SAME_L0 = 1.05  # ratio up to which two L0 are one: SAEs of one k differ by rows on which fewer latents fire
_LEAST = 1e-9  # FVU below which nothing is left to explain


class Point(NamedTuple):
    """One SAE of a sweep."""

    name: str
    sae: SAE
    sparsity: float | None
    """The swept option of an architecture whose sparsity is one; None where k is swept."""
    metrics: pl.DataFrame
    """Its measurements during training (schema `metrics`)."""

    @property
    def level(self) -> float:
        """What is held equal when sizes are compared: k or the swept option; 0 where there is neither."""
        return float(self.sparsity if self.sparsity is not None else self.sae.k or 0)


class Seen:
    """Reconstruction and firing of one SAE, over batches of rows."""

    def __init__(self, sae: SAE):
        self._sae = sae
        self._unexplained, self._firing = Unexplained(), Firing(sae.width)

    def update(self, x: Tensor, codes: Codes) -> None:
        """Add raw rows [n, d] and their codes."""
        x = x.to(self._sae.W_dec.device)
        self._unexplained.update(x, self._sae.decode(codes, x))
        self._firing.update(codes)

    @property
    def n(self) -> int:
        """Rows seen."""
        return self._firing.n

    @property
    def live(self) -> Tensor:
        """[width] bool: latents that fire."""
        return self._firing.counts > 0

    def row(self) -> dict:
        """Its columns of the schema `frontier`."""
        fvu, firing = self._unexplained.value(), self._firing
        fvu = fvu if math.isfinite(fvu) else None
        return {"fvu": fvu, "l0": firing.l0(), "dead": firing.dead(), "dense": firing.dense()}


def frontier(points: Sequence[Point], seen: Sequence[Seen]) -> pl.DataFrame:
    """Schema `frontier`: a row for each SAE, in the order given; none is `recommended` yet.

    An SAE is on the frontier if no other width and sparsity of the sweep beats it in the means over seeds (`beats`). Only live
    latents (firing on a held-out row) take part in comparisons of dictionaries: `mmcs_seeds` with the other seeds, `agreement`
    with the next larger ones (`goldilocks.zone`). Each stands beside what directions without any knowledge of the features
    reach, since the larger the dictionary and the fewer the dimensions, the nearer the nearest latent of anything.
    """
    live = [_live(point.sae, one) for point, one in zip(points, seen, strict=True)]
    rows = [
        {
            "name": point.name,
            "architecture": point.sae.config.architecture,
            "width": point.sae.width,
            "k": point.sae.k,
            "sparsity": point.sparsity,
            "seed": point.sae.config.seed,
            **one.row(),
            "loss_recovered": None,
            **_between_seeds(live[index], _other_seeds(index, points, live)),
            "recommended": False,
        }
        for index, (point, one) in enumerate(zip(points, seen, strict=True))
    ]
    table = pl.DataFrame(rows, schema_overrides=schema.columns("frontier"), infer_schema_length=None)
    table = table.hstack(_signs(points, seen, live)).with_columns(on_frontier=_undominated(table))
    return schema.check_table(table, "frontier", "the sweep")


def cells(table: pl.DataFrame) -> pl.DataFrame:
    """A row for each width and sparsity of a table `frontier`, in order: means over its seeds of what is measured.

    Columns: width, k, sparsity, seeds (how many), fvu (geometric mean), l0, dead, dense, spread (standard deviation of log FVU over
    seeds; null with one) and stability: agreement over chance, (a - c) / (1 - c), with the other seeds, or with one seed with
    the next larger dictionaries. Cells in which a seed has no FVU are left out.
    """
    log_fvu = pl.col("fvu").clip(_LEAST).log()
    return (
        table.with_columns(stability=_stability())
        .group_by("width", "k", "sparsity", maintain_order=True)
        .agg(
            seeds=pl.len(),
            whole=pl.col("fvu").is_not_null().all(),
            fvu=log_fvu.mean().exp(),
            l0=pl.col("l0").mean(),
            dead=pl.col("dead").mean(),
            dense=pl.col("dense").mean(),
            spread=log_fvu.std(),
            stability=pl.col("stability").mean(),
        )
        .filter("whole")
        .drop("whole")
        .sort("width", "l0", "k", "sparsity")
    )


def _stability() -> pl.Expr:
    def over(agreement: str, chance: str) -> pl.Expr:
        return (pl.col(agreement) - pl.col(chance)) / (1 - pl.col(chance))

    return pl.coalesce(over("mmcs_seeds", "chance_seeds"), over("agreement", "chance"))


def _live(sae: SAE, one: Seen) -> Tensor:
    """[live, d] directions of the latents that fire."""
    return directions(sae).cpu()[one.live]


def _other_seeds(index: int, points: Sequence[Point], live: Sequence[Tensor]) -> list[Tensor]:
    """Live directions of the SAEs of the same width and sparsity, of those that have any."""
    cell = points[index].sae.width, points[index].level
    same = [other for other, point in enumerate(points) if (point.sae.width, point.level) == cell and other != index]
    return [live[other] for other in same if len(live[other])]


def _between_seeds(mine: Tensor, others: Sequence[Tensor]) -> dict:
    """MMCS with the other seeds of the same width and sparsity, and that of random directions."""
    if not len(mine) or not others:
        return {"mmcs_seeds": None, "chance_seeds": None}
    mine = mine[:: -(-len(mine) // _ROWS)]
    found = [(mmcs(mine, rows), mmcs(_spanned(rows, len(mine)), rows)) for rows in others]
    same, chance = (sum(column) / len(found) for column in zip(*found, strict=True))
    return {"mmcs_seeds": same, "chance_seeds": chance}


def _spanned(rows: Tensor, n: int) -> Tensor:
    """[n, d] random directions with the covariance of the rows' directions [w, d], about 0."""
    generator = torch.Generator().manual_seed(_SEED)
    unit = torch.nn.functional.normalize(rows.double(), dim=1)
    values, vectors = torch.linalg.eigh(unit.T @ unit / len(unit))
    noise = torch.randn(n, rows.shape[1], generator=generator, dtype=torch.float64)
    return ((noise * values.clamp_min(0).sqrt()) @ vectors.T).to(rows)


def _signs(points: Sequence[Point], seen: Sequence[Seen], live: Sequence[Tensor]) -> pl.DataFrame:
    """agreement, chance, stickiness and in_zone of the sweep."""
    members = [
        Member(
            point.name,
            point.sae.width,
            point.level,
            rows if len(rows) else directions(point.sae).cpu(),
            one.row()["dead"],
            point.metrics["rows"].to_list(),
            point.metrics["fvu"].to_list(),
        )
        for point, one, rows in zip(points, seen, live, strict=True)
    ]
    return zone(members).select("agreement", "chance", "stickiness", in_zone="zone")


def _undominated(table: pl.DataFrame) -> pl.Series:
    """[rows] bool: on the frontier, by the means of its cell."""
    key = ["width", "k", "sparsity"]
    means = table.select(pl.col("fvu").mean().over(key), pl.col("l0").mean().over(key))
    points = list(zip(means["l0"].to_list(), means["fvu"].to_list(), strict=True))
    known = {point for point in points if point[1] is not None}
    return pl.Series([one in known and not any(beats(other, one) for other in known) for one in points])


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether an L0 and FVU are better than others: FVU lower at an L0 no more than 5% higher, or L0 lower and FVU no higher."""
    return (one[1] < other[1] and one[0] <= _SAME_L0 * other[0]) or (one[1] <= other[1] and one[0] < other[0])
