"""Logistic regression with a ridge penalty by Newton's method, strongest penalty first, each start from the one before.

Letters: n units, d columns, S strengths.
"""

import numpy as np
from scipy.special import expit

from seqsae.associations.probing.ridge import Fitted

STRENGTHS = np.logspace(-5, 0, 6)
"""Of half the squared weights on columns of unit variance, beside the mean log loss."""
ITERATIONS = 40
TOLERANCE = 1e-12  # of the mean loss


def path(x: np.ndarray, y: np.ndarray, strengths: np.ndarray = STRENGTHS) -> np.ndarray:
    """[S, d + 1] weights, the intercept last and free, that minimise mean log loss + strength / 2 |weights|^2.

    Args:
        x: [n, d] standardised.
        y: [n] of 0 and 1, both there.
    """
    share = np.clip(y.mean(), 1e-6, 1 - 1e-6)
    now = np.zeros(x.shape[1] + 1)
    now[-1] = np.log(share / (1 - share))
    x = np.column_stack([x, np.ones(len(x))])
    out = np.empty((len(strengths), len(now)))
    for place in np.argsort(-strengths):
        now = _newton(x, y, now, float(strengths[place]))
        out[place] = now
    return out


def log_loss(margin: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean over units of the log loss, nats, of margins [n, ...] for y [n] of 0 and 1."""
    y = y.reshape(-1, *[1] * (margin.ndim - 1))
    return (np.logaddexp(0, margin) - y * margin).mean(axis=0)


def nested(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Fitted:
    """One target y [n] on columns x [n, d], strength by the log loss on each of the folds [n] left out in turn."""
    loss = np.zeros(len(STRENGTHS))
    for held in np.unique(fold):
        fit, rest = fold != held, fold == held
        if 0 < y[fit].mean() < 1:
            mean, sd = _moments(x[fit])
            weights = path((x[fit] - mean) / sd, y[fit])
            loss += rest.sum() * log_loss((x[rest] - mean) / sd @ weights[:, :-1].T + weights[:, -1], y[rest])
    mean, sd = _moments(x)
    weights = path((x - mean) / sd, y)
    best = int(loss.argmin())
    slope = weights[best, :-1] / sd
    spread = float((x @ slope).std())
    return Fitted(
        weights=slope[:, None],
        intercept=weights[best, -1:] - mean @ slope,
        centre=np.array([mean @ slope]),
        spread=np.array([spread if spread > 0 else 1.0]),
        strength=STRENGTHS[[best]],
    )


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = x.mean(axis=0), x.std(axis=0)
    return mean, np.where(sd > 1e-9 * np.maximum(np.abs(mean), 1e-300), sd, np.inf)


def _newton(x: np.ndarray, y: np.ndarray, start: np.ndarray, strength: float) -> np.ndarray:
    """The minimum, from `start`; each step is halved until the loss falls."""
    n, penalty = len(x), np.full(x.shape[1], strength)
    penalty[-1] = 0
    now, value = start, _value(x, y, start, penalty)
    for _ in range(ITERATIONS):
        p = expit(x @ now)
        gradient = x.T @ (p - y) / n + penalty * now
        weight = p * (1 - p)
        hessian = (x * weight[:, None]).T @ x / n + np.diag(penalty + 1e-12)
        step = np.linalg.solve(hessian, gradient)
        for _ in range(30):
            then = now - step
            there = _value(x, y, then, penalty)
            if there <= value:
                break
            step = step / 2
        else:
            return now
        gained, now, value = value - there, then, there
        if gained < TOLERANCE:
            break
    return now


def _value(x: np.ndarray, y: np.ndarray, weights: np.ndarray, penalty: np.ndarray) -> float:
    return float(log_loss(x @ weights, y) + (penalty * weights**2).sum() / 2)
