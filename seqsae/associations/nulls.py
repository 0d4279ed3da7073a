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
_ROWS = 4096  # of Z at a time
_LEAST_SHARE = 0.05  # of the mean variance, below which the fitted variance of a numeric covariate is not believed


class Null(NamedTuple):
    """Null models of c covariates over the same n units; every array is [n, c] unless said otherwise."""

    residual: np.ndarray
    """Orthogonal to every column of Z."""
    variance: np.ndarray
    """Of each residual."""
    skewness: np.ndarray
    """[c] of the residuals of a numeric covariate."""
    logistic: np.ndarray
    """[c] bool."""
    spread: np.ndarray
    """[c] variance of the numbers that were regressed: 0/1, or mid-ranks."""

    def third(self, units: slice, columns: slice) -> np.ndarray:
        """Third central moment of each residual."""
        r, variance = self.residual[units, columns], self.variance[units, columns]
        # mu (1 - mu) (1 - 2 mu), where a residual y - mu tells both y and mu.
        binary = variance * np.where(r > 0, 2 * r - 1, 1 + 2 * r)
        return np.where(self.logistic[columns], binary, self.skewness[columns] * variance * np.sqrt(variance))


def basis(z: np.ndarray) -> np.ndarray:
    """[n, q'] an orthogonal basis of the columns of `z` [n, q], each of mean square 1; columns that others tell are left out."""
    q, r, _ = linalg.qr(z, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    kept = q[:, size > 1e-9 * max(size.max(initial=0), 1e-300)]
    return np.ascontiguousarray(kept) * np.sqrt(len(z))


def weighted_gram(z: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Z'WZ [q, q] of `z` [n, q] and weights `w` [n], a piece at a time that stays in the processor's cache."""
    total = np.zeros((z.shape[1],) * 2)
    for first in range(0, len(z), _ROWS):
        part = z[first : first + _ROWS]
        total += part.T @ (part * w[first : first + _ROWS, None])
    return total


def null_models(y: np.ndarray, z: np.ndarray, binary: np.ndarray) -> Null:
    """The null model of every column of `y` [n, c], without missing values, on `z` [n, q] from `basis`."""
    residual, variance = (np.empty(y.shape) for _ in range(2))
    skewness, spread = np.zeros((2, y.shape[1]))
    for j in range(y.shape[1]):
        column = np.ascontiguousarray(y[:, j])
        score = column if binary[j] else midranks(column)
        spread[j] = score.var()
        if binary[j]:
            mu = logistic_fit(score, z)
            residual[:, j], variance[:, j] = score - mu, mu * (1 - mu)
        else:
            residual[:, j], variance[:, j], skewness[j] = _linear(score, z)
    return Null(residual, variance, skewness, np.asarray(binary, bool), spread)


def _linear(ranks: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(residual [n], its variance [n], its skewness) of mid-ranks [n]."""
    n, q = z.shape
    residual = ranks - z @ (z.T @ ranks) / n
    residual -= z @ (z.T @ residual) / n  # once more, against rounding
    squares = residual**2 * n / max(n - q, 1)
    mean = squares.mean()
    variance = np.maximum(z @ (z.T @ squares) / n, _LEAST_SHARE * mean)
    variance *= mean / variance.mean() if mean > 0 else 1
    return residual, variance, (residual * residual * residual).mean() / mean**1.5 if mean > 0 else 0.0


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
        hessian = weighted_gram(z, weight) + 1e-9 * np.eye(z.shape[1])
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
