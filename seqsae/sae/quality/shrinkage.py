"""Whether what the latents say comes out too small."""

import torch
from torch import Tensor

from seqsae.sae.base import SAE, Codes
from seqsae.sae.normalise import BY_ROW


class Shrinkage:
    """Size of the latents' part of the reconstruction, y = x_hat - b, against what they had to explain, t = x - b.

    b is what the SAE decodes from no active latent, so an offset shared by all rows can neither hide shrinkage nor pass
    for it. Wright and Sharkey 2024, "Addressing feature suppression in SAEs", name the effect.
    """

    def __init__(self):
        self._sums = torch.zeros(3, dtype=torch.float64)  # |y|^2, <y, t>, |y|/|t|
        self._n = 0  # rows with t != 0

    def update(self, x: Tensor, x_hat: Tensor, base: Tensor) -> None:
        """Add rows [n, d], their reconstruction and b ([n, d] or [1, d]), in the same units."""
        base = base.double()
        t, y = x.double() - base, x_hat.double() - base
        asked, given = torch.linalg.vector_norm(t, dim=1), torch.linalg.vector_norm(y, dim=1)
        some = asked > 0
        sums = torch.stack([given.square().sum(), (y * t).sum(), (given[some] / asked[some]).sum()])
        self._sums += sums.to(self._sums)
        self._n += int(some.sum())

    def merge(self, other: "Shrinkage") -> None:
        """Add what another one has seen."""
        self._sums += other._sums
        self._n += other._n

    def gamma(self) -> float:
        """argmin_g sum |y / g - t|^2 = sum |y|^2 / sum <y, t>: 1 is unbiased, below 1 the latents' values are too small.

        Multiplying every value by 1 / gamma would give the best reconstruction that one factor can. The relative
        reconstruction bias of Rajamanoharan et al. 2024 (arXiv 2404.16014, section 4.1), taken about b in place of 0.
        NaN where y does not point towards t at all.
        """
        squares, products = self._sums[0].item(), self._sums[1].item()
        return squares / products if products > 0 else float("nan")

    def l2_ratio(self) -> float:
        """Mean over rows of |y| / |t|; NaN without rows. Below 1 also where nothing is biased but much is left unexplained."""
        return self._sums[2].item() / self._n if self._n else float("nan")


def base_of(sae: SAE, x: Tensor) -> Tensor:
    """b: what the SAE decodes from no active latent, [1, d], or [n, d] if it depends on the raw rows `x` (`normalise.BY_ROW`)."""
    n = len(x) if sae.config.normalisation in BY_ROW else 1
    values = torch.zeros(n, 1, dtype=sae.W_dec.dtype, device=sae.W_dec.device)
    return sae.decode(Codes(values, values.long()), x[:n])
