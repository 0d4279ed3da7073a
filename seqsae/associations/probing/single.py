"""The loss of the best single unit as a probe: a logistic regression on each unit by itself, all units at once.

Letters: n rows, F units. Gao et al. (2024, arXiv 2406.04093, section 4.2) take for each task the least cross-entropy over latents;
here the latent and its two numbers are fixed on one split and the loss is read on another, in nats.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from seqsae.associations.ranks import Matrix

ITERATIONS = 60
HALVINGS = 12
TOLERANCE = 1e-10  # nats: a unit that gains less is done
STEEPEST = 40.0  # log odds between 0 and a unit's largest value: where classes can be told apart the slope has no end


class Regressions(NamedTuple):
    """logit P(y = 1) = intercept + slope x, for each unit."""

    intercept: np.ndarray
    """[F]."""
    slope: np.ndarray
    """[F] 0 for a unit that does not vary."""
    loss: np.ndarray
    """[F] mean cross-entropy on the rows learnt from, nats."""


class _Columns(NamedTuple):
    """The stored values of a matrix, unit by unit, and what is known of the rows at 0."""

    n: int
    starts: np.ndarray
    """[F + 1]."""
    values: np.ndarray
    """[m]."""
    y: np.ndarray
    """[m] the concept at each stored value."""
    rest: np.ndarray
    """[F] rows at 0."""
    rest_positive: np.ndarray
    """[F] those with the concept."""

    def sums(self, stored: np.ndarray) -> np.ndarray:
        """[F] sums of [m] by unit."""
        out = np.zeros(len(self.starts) - 1)
        filled = np.flatnonzero(np.diff(self.starts) > 0)
        if len(filled):
            out[filled] = np.add.reduceat(stored, self.starts[filled])
        return out

    def spread(self, by_unit: np.ndarray) -> np.ndarray:
        """[m] of [F]."""
        return np.repeat(by_unit, np.diff(self.starts))


class _State(NamedTuple):
    """Where each unit's regression stands, and what Newton's next step needs; all [F]."""

    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    da: np.ndarray
    db: np.ndarray


def regress(x: Matrix, y: np.ndarray) -> Regressions:
    """Every unit of `x` [n, F] by itself for y [n] of 0 and 1, by Newton's method, each unit with its own step length.

    Only stored values are visited, and of units that are not done: rows at 0 enter in closed form.
    """
    x = sp.csc_array(x)
    size = abs(x).max(axis=0).toarray().ravel() if x.nnz else np.zeros(x.shape[1])
    size = np.where(size > 0, size, 1).astype(np.float64)
    x = sp.csc_array((x.data / np.repeat(size, np.diff(x.indptr)), x.indices, x.indptr), shape=x.shape)
    share = np.clip(y.mean(), 1e-12, 1 - 1e-12)
    active, columns = np.arange(x.shape[1]), _columns(x, y)
    whole = _at(columns, np.full(x.shape[1], np.log(share / (1 - share))), np.zeros(x.shape[1]))
    state = whole
    for _ in range(ITERATIONS):
        then = _moved(columns, state)
        busy = state.loss - then.loss > TOLERANCE
        for mine, new in zip(whole, then, strict=True):
            mine[active] = new
        if not busy.any():
            break
        state = then
        if busy.mean() < 0.7:
            active, state = active[busy], _State(*[part[busy] for part in then])
            columns = _columns(x[:, active], y)
    return Regressions(whole.a, whole.b / size, whole.loss)


def losses(fitted: Regressions, x: Matrix, y: np.ndarray) -> np.ndarray:
    """[F] mean cross-entropy of the regressions on rows `x` [n, F] with y [n], nats."""
    return _at(_columns(x, y), fitted.intercept, fitted.slope).loss


def entropy(share: float, y: np.ndarray) -> float:
    """Mean cross-entropy on y [n] of always saying `share`, nats."""
    share = float(np.clip(share, 1e-12, 1 - 1e-12))
    return float(-(y.mean() * np.log(share) + (1 - y.mean()) * np.log(1 - share)))


def _columns(x: Matrix, y: np.ndarray) -> _Columns:
    x = sp.csc_array(x)
    held = y[x.indices]
    part = _Columns(x.shape[0], x.indptr.astype(np.int64), x.data.astype(np.float64), held, *[np.zeros(0)] * 2)
    stored = np.diff(x.indptr)
    return part._replace(rest=x.shape[0] - stored, rest_positive=y.sum() - part.sums(held))


def _at(columns: _Columns, a: np.ndarray, b: np.ndarray) -> _State:
    """Loss and Newton's step at intercepts and slopes; no step where a unit does not vary."""
    v = columns.values
    margin = columns.spread(a) + columns.spread(b) * v
    p, plus = _sigmoid(margin)
    at_rest, plus_rest = _sigmoid(a)
    stored = columns.sums(plus - columns.y * margin)
    loss = (stored + columns.rest * plus_rest - columns.rest_positive * a) / columns.n
    weight, missed = p * (1 - p), p - columns.y
    ga = columns.sums(missed) + columns.rest * at_rest - columns.rest_positive
    gb = columns.sums(missed * v)
    weighted = weight * v
    haa = columns.sums(weight) + columns.rest * at_rest * (1 - at_rest)
    hab, hbb = columns.sums(weighted), columns.sums(weighted * v)
    determinant = haa * hbb - hab**2
    sound = determinant > 1e-12 * np.maximum(haa * hbb, 1e-300)
    safe = np.where(sound, determinant, 1)
    da, db = (hbb * ga - hab * gb) / safe, (haa * gb - hab * ga) / safe
    beyond = np.abs(b - db) > STEEPEST  # cut back to the steepest
    db = np.where(beyond, b - STEEPEST * np.sign(b - db), db)
    return _State(a, b, loss, np.where(sound, da, 0), np.where(sound, db, 0))


def _sigmoid(margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / (1 + exp(-margin)) and log(1 + exp(margin)), of one exponential."""
    small = np.exp(-np.abs(margin))
    share = 1 / (1 + small)
    return np.where(margin >= 0, share, small * share), np.maximum(margin, 0) + np.log1p(small)


def _moved(columns: _Columns, now: _State) -> _State:
    """Each unit's next state, its step halved until the loss does not rise; as it was where it always does."""
    length = np.ones(len(now.a))
    for _ in range(HALVINGS):
        then = _at(columns, now.a - length * now.da, now.b - length * now.db)
        rises = ~(then.loss <= now.loss + TOLERANCE / 10)
        if not rises.any():
            return then
        length = np.where(rises, length / 2, length)
    return _State(*[np.where(rises, old, new) for old, new in zip(now, then, strict=True)])
