"""What an SAE leaves unexplained, split into what a linear map of its input predicts and what none does ("dark matter").

Engels et al. 2024, "Decomposing the dark matter of sparse autoencoders" (arXiv 2410.14670): the error e(x) = x - x_hat is
regressed on x; W x + c is its linear part, the rest its non-linear part. Here the map is fitted on one set of rows and judged on
another, so that rows it has seen cannot flatter it.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from seqsae.sae.base import SAE
from seqsae.sae.quality.metrics import Unexplained

RIDGE = 1e-6  # of the mean variance of the inputs: no more than what keeps a singular system solvable
_FEWEST = 5  # rows to fit on, for each dimension; fewer fit noise


class Regression:
    """Second moments of inputs [n, p] with outputs [n, q] about their means: the normal equations, in float64.

    Batches are merged by the pairwise update of Chan et al. 1983, as in `Unexplained`, so no mean has to be known first.
    """

    def __init__(self):
        self.n = 0
        self._means: Tensor | float = 0.0
        self._products: Tensor | float = 0.0

    def update(self, x: Tensor, y: Tensor) -> None:
        """Add rows of inputs and outputs."""
        if not len(x):
            return
        both = torch.cat([x.double(), y.double()], dim=1)
        part = Regression()
        part.n, part._means = len(x), both.mean(0)
        centred = both - part._means
        part._products = centred[:, : x.shape[1]].T @ centred
        self.merge(part)

    def merge(self, other: "Regression") -> None:
        """Add what another one has seen."""
        n = self.n + other.n
        if not n:
            return
        step = torch.as_tensor(other._means - self._means)
        products = torch.as_tensor(other._products)
        across = torch.outer(step[: len(products)], step) if products.ndim else 0.0
        self._products = self._products + other._products + across * (self.n * other.n / n)
        self._means = self._means + step * (other.n / n)
        self.n = n

    def fit(self, ridge: float = RIDGE) -> "Linear":
        """Least squares of the outputs on the inputs, with a penalty of `ridge` times the mean variance of the inputs."""
        p = len(self._products)
        gram, cross = self._products[:, :p], self._products[:, p:]
        penalty = ridge * gram.diagonal().mean() + torch.finfo(torch.float64).tiny
        weights = torch.linalg.solve(gram + penalty * torch.eye(p, dtype=gram.dtype, device=gram.device), cross)
        return Linear(weights, self._means[p:] - self._means[:p] @ weights)


class Linear(NamedTuple):
    """y = x weights + offset."""

    weights: Tensor
    """[p, q] float64."""
    offset: Tensor
    """[q] float64."""

    def __call__(self, x: Tensor) -> Tensor:
        """[n, p] -> [n, q] float64."""
        return x.double() @ self.weights + self.offset


@torch.no_grad()
def fit_error(sae: SAE, batches: Iterable[Tensor]) -> Linear | None:
    """The linear map from raw rows x [n, d] to [n, d + 1]: the SAE's error x - x_hat, and last its squared norm.

    None with fewer than 5 d rows, too few to tell.
    """
    regression = Regression()
    for x in batches:
        x = x.to(sae.W_dec.device)
        regression.update(x, _errors(x, sae(x)))
    return regression.fit() if regression.n >= _FEWEST * sae.d_model else None


def _errors(x: Tensor, x_hat: Tensor) -> Tensor:
    """[n, d + 1] float64: x - x_hat and |x - x_hat|^2."""
    error = x.double() - x_hat.double()
    return torch.cat([error, error.square().sum(1, keepdim=True)], dim=1)


class DarkMatter:
    """The error of rows that the fit has not seen, split.

    Args:
        fit: from `fit_error`.
    """

    def __init__(self, fit: Linear):
        self._fit = fit
        self._inputs, self._errors = Unexplained(), Unexplained()

    def update(self, x: Tensor, x_hat: Tensor) -> None:
        """Add raw rows [n, d] and their reconstruction."""
        self._inputs.update(x, x_hat)
        self._errors.update(_errors(x, x_hat), self._fit(x))

    def values(self) -> dict[str, float]:
        """Shares; all may be slightly negative where nothing is predictable, NaN where nothing varies.

        `linear_share`: of the error's variance, what the linear map predicts (R2 of the error vector). `nonlinear_fvu`: the FVU
        once that is added to the reconstruction. `linear_fvu`: what it takes away from the FVU, so that both sum to it. `norm_r2`: R2
        of |e|^2 predicted from x.
        """
        left, variance = self._errors.parts()
        _, inputs = self._inputs.parts()
        nonlinear = (left[:-1].sum() / inputs.sum()).item()
        return {
            "linear_share": 1 - (left[:-1].sum() / variance[:-1].sum()).item(),
            "linear_fvu": self._inputs.value() - nonlinear,
            "nonlinear_fvu": nonlinear,
            "norm_r2": 1 - (left[-1] / variance[-1]).item(),
        }
