"""How good an SAE is on rows it was not trained on. Streaming, in float64, mergeable over shards."""

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from seqsae.sae.base import SAE, Codes
from seqsae.sae.quality.density import DENSE, histogram
from seqsae.sae.quality.dictionaries import Match, best_match
from seqsae.sae.quality.shrinkage import Shrinkage, base_of

__all__ = ["HELDOUT", "Firing", "Match", "Quality", "Unexplained", "best_match", "measure"]

HELDOUT = {
    "fvu": pl.Float64,
    "l0": pl.Float64,
    "dead_heldout": pl.Float64,
    "dense": pl.Float64,
    "shrinkage": pl.Float64,
    "density": pl.List(pl.Int64),
}
"""Columns of training metrics that need held-out rows (`Quality.row`)."""


class Unexplained:
    """Fraction of variance unexplained: sum |x - x_hat|^2 / sum |x - mean|^2, the mean taken per dimension over all rows.

    Predicting that mean gives 1, however the rows are cut into batches: means and squares about them are merged by Chan
    et al. 1983, "Algorithms for computing the sample variance", in float64.
    """

    def __init__(self):
        self.n = 0
        self._mean: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0
        self._residual: Tensor | float = 0.0

    def update(self, x: Tensor, x_hat: Tensor) -> None:
        """Add rows [n, d] and their reconstruction, in the same units."""
        if not len(x):
            return
        x, x_hat = x.double(), x_hat.double()
        part = Unexplained()
        part.n, part._mean = len(x), x.mean(0)
        part._squares = (x - part._mean).square().sum(0)
        part._residual = (x - x_hat).square().sum(0)
        self.merge(part)

    def merge(self, other: "Unexplained") -> None:
        """Add what another one has seen."""
        n = self.n + other.n
        if not n:
            return
        step = other._mean - self._mean
        self._squares = self._squares + other._squares + step**2 * (self.n * other.n / n)
        self._mean = self._mean + step * (other.n / n)
        self._residual = self._residual + other._residual
        self.n = n

    def parts(self) -> tuple[Tensor, Tensor]:
        """[d] float64 each: sum of squared errors, and of squares about the mean. Numbers ([]) before the first row."""
        return torch.as_tensor(self._residual), torch.as_tensor(self._squares)

    def value(self) -> float:
        """FVU over all dimensions; NaN without rows or without variance."""
        residual, squares = self.parts()
        return self._ratio(residual.sum(), squares[self._varies()].sum() if squares.ndim else squares).item()

    def explained(self) -> Tensor:
        """[d] float64: 1 - FVU of each dimension; NaN where it does not vary."""
        residual, squares = self.parts()
        return 1 - self._ratio(residual, torch.where(self._varies(), squares, 0))

    def _varies(self) -> Tensor:
        """[d] bool: whether a dimension varies by more than its mean's rounding."""
        return torch.as_tensor(self._squares) > self.n * (2**-52 * torch.as_tensor(self._mean)) ** 2

    @staticmethod
    def _ratio(residual: Tensor, squares: Tensor) -> Tensor:
        return torch.where(squares > 0, residual / squares, torch.nan)


class Firing:
    """How often each latent is active.

    Args:
        width: number of latents.
    """

    def __init__(self, width: int):
        self.n = 0
        self.counts = torch.zeros(width, dtype=torch.int64)

    def update(self, codes: Codes) -> None:
        """Add codes [n, k]; a value above 0 is active."""
        self.n += len(codes.values)
        self.counts += torch.bincount(codes.indices[codes.values > 0].cpu(), minlength=len(self.counts))

    def merge(self, other: "Firing") -> None:
        """Add what another one has seen."""
        self.n += other.n
        self.counts += other.counts

    def density(self) -> Tensor:
        """[width] float64: share of rows in which each latent is active."""
        return self.counts.double() / max(self.n, 1)

    def l0(self) -> float:
        """Mean number of active latents a row."""
        return self.density().sum().item()

    def dead(self) -> float:
        """Share of latents that are never active."""
        return (self.counts == 0).double().mean().item()

    def dense(self) -> float:
        """Share of latents that are active in more than a tenth of the rows."""
        return (self.density() > DENSE).double().mean().item()


class Quality(NamedTuple):
    """An SAE on a set of rows."""

    fvu: float
    """Fraction of variance unexplained."""
    l0: float
    """Mean active latents a row."""
    dead: float
    """Share of latents active in no row."""
    dense: float
    """Share of latents active in more than a tenth of the rows."""
    shrinkage: float
    """Relative reconstruction bias: 1 is none, below 1 the latents' values are too small."""
    density: Tensor
    """[width] float64, share of rows in which each latent is active."""
    n: int
    """Rows seen."""

    def row(self) -> dict:
        """Its columns of the training metrics (`HELDOUT`); all None if no rows were seen."""
        found = {name: getattr(self, name) for name in ("fvu", "l0", "dense", "shrinkage")}
        found |= {"dead_heldout": self.dead, "density": histogram(self.density)}
        return {name: found[name] if self.n else None for name in HELDOUT}


@torch.no_grad()
def measure(sae: SAE, batches: Iterable[Tensor]) -> Quality:
    """Quality on raw rows [n, d]; the SAE is left as it is."""
    unexplained, firing, shrinkage = Unexplained(), Firing(sae.width), Shrinkage()
    for x in batches:
        x = x.to(sae.W_dec.device)
        codes = sae.encode(x)
        x_hat = sae.decode(codes, x)
        unexplained.update(x, x_hat)
        shrinkage.update(x, x_hat, base_of(sae, x))
        firing.update(codes)
    density = firing.density()
    return Quality(
        unexplained.value(), firing.l0(), firing.dead(), firing.dense(), shrinkage.gamma(), density, firing.n
    )
