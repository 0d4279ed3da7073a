"""What the confounders alone say of each covariate: the null model against which features are tested.

Letters: n units, c covariates, q columns of confounders Z, the constant among them.

Binary: logistic regression of y on Z by iteratively reweighted least squares (McCullagh & Nelder 1989); residual y - mu, variance
mu (1 - mu). Numeric: least squares of y's mid-ranks on Z; the residuals' variance may differ from unit to unit with Z and is
estimated by regressing their squares on it (Breusch & Pagan 1979), since rarer features meet too few units for a sandwich.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from seqsae.associations.ranks import midranks

STEPS = 60
_LEAST_SHARE = 0.05  # of the mean variance, below which the fitted variance of a numeric covariate is not believed


class Null(NamedTuple):
    """Null models of c covariates over the same n units; every array is [n, c] unless said otherwise."""

    residual: np.ndarray
    """Orthogonal to every column of Z."""
    variance: np.ndarray
    """Of each residual."""
    third: np.ndarray
    """Third central moment of each residual."""
    logistic: np.ndarray
    """[c] bool."""
    score: np.ndarray
    """[n, c] the numbers that were regressed: 0/1, or mid-ranks."""


def basis(z: np.ndarray) -> np.ndarray:
    """[n, q'] an orthogonal basis of the columns of `z` [n, q], each of mean square 1; columns that others tell are left out."""
    q, r, _ = linalg.qr(z, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    return q[:, size > 1e-9 * max(size.max(initial=0), 1e-300)] * np.sqrt(len(z))


def null_models(y: np.ndarray, z: np.ndarray, binary: np.ndarray) -> Null:
    """The null model of every column of `y` [n, c], without missing values, on `z` [n, q] from `basis`."""
    parts = [_logistic(y[:, j], z) if binary[j] else _linear(y[:, j], z) for j in range(y.shape[1])]
    residual, variance, third, score = (np.column_stack(part) for part in zip(*parts, strict=True))
    return Null(residual, variance, third, np.asarray(binary, bool), score)


def _logistic(y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
    mu = logistic_fit(y, z)
    variance = mu * (1 - mu)
    return y - mu, variance, variance * (1 - 2 * mu), y


def _linear(y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
    ranks = midranks(y)
    n, q = z.shape
    residual = ranks - z @ (z.T @ ranks) / n
    residual -= z @ (z.T @ residual) / n  # once more, against rounding
    squares = residual**2 * n / max(n - q, 1)
    mean = squares.mean()
    variance = np.maximum(z @ (z.T @ squares) / n, _LEAST_SHARE * mean)
    variance *= mean / variance.mean() if mean > 0 else 1
    shape = (residual**3).mean() / mean**1.5 if mean > 0 else 0.0
    return residual, variance, shape * variance**1.5, ranks


def logistic_fit(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """[n] fitted probabilities of `y` [n] in {0, 1} on `z` [n, q].

    Steps are halved while the deviance rises. Where Z separates some units its coefficients run to infinity; their fitted
    probabilities still converge, to 0 and 1, and such units then carry no weight.
    """
    beta = np.zeros(z.shape[1])
    mu = np.full(len(y), 0.5)
    deviance = _deviance(y, mu)
    for _ in range(STEPS):
        weight = np.maximum(mu * (1 - mu), 1e-12)
        hessian = z.T @ (z * weight[:, None]) + 1e-9 * np.eye(z.shape[1])
        step = linalg.solve(hessian, z.T @ (y - mu), assume_a="pos")
        for _ in range(30):
            new = _probability(z @ (beta + step))
            if (found := _deviance(y, new)) <= deviance + 1e-12:
                break
            step = step / 2
        beta, mu, gain, deviance = beta + step, new, deviance - found, found
        if gain < 1e-11 * (1 + deviance):
            break
    return mu


def _probability(eta: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(eta, -35, 35)))


def _deviance(y: np.ndarray, mu: np.ndarray) -> float:
    return float(-2 * np.log(np.where(y == 1, mu, 1 - mu)).sum())
