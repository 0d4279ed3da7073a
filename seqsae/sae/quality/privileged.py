"""Whether latents' directions lie along the model's own coordinates rather than anywhere.

In a space without a privileged basis a direction is as likely to point anywhere; its d coordinates then look like draws from a
normal distribution. Elhage, Lasenby and Olah 2023, "Privileged bases in the transformer residual stream", measure the departure by
kurtosis over the coordinates; here it is taken of the decoder's rows in raw units (`dictionaries.directions`).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_DRAWS, _SEED, _CHUNK = 4096, 0x5AE, 2**22
FEWEST = 8  # coordinates; with fewer, kurtosis is all chance


class Privileged(NamedTuple):
    """Excess kurtosis of directions beside that of random ones."""

    kurtosis: float
    """Mean over the directions."""
    chance: float
    """Mean over uniformly random directions: -6 / (d + 1) exactly."""
    above: float
    """Share of the directions beyond the 99th percentile of random ones; .01 if nothing is privileged."""


def excess_kurtosis(rows: Tensor) -> Tensor:
    """[n] float64: over each row's coordinates, m4 / m2^2 - 3 with m_k the central moments (so about 0 if they are normal).

    NaN where all coordinates are equal.
    """
    rows = rows.detach().double()
    squares = (rows - rows.mean(1, keepdim=True)).square()
    return squares.square().mean(1) / squares.mean(1).square() - 3


def privileged(directions: Tensor) -> Privileged | None:
    """Kurtosis of directions [n, d] against chance; None for no direction or fewer than 8 dimensions.

    The excess kurtosis of d normal draws has mean -6 / (d + 1) (Fisher 1930, "The moments of the distribution for normal samples
    of measures of departure from normality"), and scaling them to a direction leaves it as it is. Its 99th percentile is taken
    from 4,096 seeded draws.
    """
    n, d = directions.shape
    if d < FEWEST or not n:
        return None
    found = torch.cat([excess_kurtosis(part) for part in directions.split(max(1, _CHUNK // d))]).cpu()
    found = found[~found.isnan()]
    bound = float(np.quantile(_random(d), 0.99))
    return Privileged(found.mean().item(), -6 / (d + 1), (found > bound).double().mean().item())


def _random(d: int) -> np.ndarray:
    """[4096] excess kurtosis of random directions."""
    generator = np.random.default_rng(_SEED)
    size = max(1, _CHUNK // d)
    parts = [
        excess_kurtosis(torch.from_numpy(generator.standard_normal((min(size, _DRAWS - start), d))))
        for start in range(0, _DRAWS, size)
    ]
    return torch.cat(parts).numpy()
