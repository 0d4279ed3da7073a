"""How the tests of features go together: the correlation of what is left of the features given the confounders.

Letters: n units, F features, q columns of confounders Z, R [F, F] that correlation, which is never held: R u is two sparse products.

Under the null of no tie two score statistics have the correlation of what is left of the two features given Z, added up by cluster
where units belong together.
"""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from seqsae.maps.competitive import Widening, within

COLUMNS = 16  # of u at a time
PROBES = 32
PAIRED = 512  # features of a set whose correlations are looked at one by one


class Correlation:
    """R of the features in the columns of `x`; a feature of which nothing is left has none.

    Args:
        x: [n, F] ranks or values.
        z: [n, q] orthogonal basis of the constant and the confounders, z'z = n (as from `nulls.basis`).
        sums: [C, n] of ones, which units are of which cluster; None: each is its own.
    """

    def __init__(self, x: sp.sparray, z: np.ndarray, sums: sp.sparray | None):
        x = sp.csc_array(x, dtype=np.float64)
        self.g = (x.T @ z).T / len(z)  # [q, F]
        if sums is not None:
            x, z = sp.csc_array(sums @ x), sums @ z
        self.x, self.z, self.gram = x, z, z.T @ z
        square = np.asarray(x.power(2).sum(axis=0)).ravel()
        left = square - 2 * (self.g * self.cross).sum(axis=0) + (self.g * (self.gram @ self.g)).sum(axis=0)
        self.live = left > 1e-9 * np.maximum(square, 1e-300)
        self.scale = np.where(self.live, 1 / np.sqrt(np.where(self.live, left, 1)), 0)

    @cached_property
    def cross(self) -> np.ndarray:
        """[q, F]."""
        return (self.x.T @ self.z).T

    def quadratic(self, u: np.ndarray) -> np.ndarray:
        """[k] u'R u of each column of `u` [F, k]."""
        return np.concatenate([np.zeros(0), *((self._mixed(part) ** 2).sum(axis=0) for part in _few(u))])

    def times(self, u: np.ndarray) -> np.ndarray:
        """[F, k] R u of `u` [F, k]."""
        parts = [np.zeros((len(u), 0))]
        for part in _few(u):
            mixed = self._mixed(part)
            parts.append(self.scale[:, None] * (self.x.T @ mixed - self.g.T @ (self.z.T @ mixed)))
        return np.concatenate(parts, axis=1)

    def _mixed(self, u: np.ndarray) -> np.ndarray:
        """[C, k] what is left of the features, each of length 1, mixed by the columns of `u` [F, k]."""
        w = self.scale[:, None] * u
        return self.x @ w - self.z @ (self.g @ w)

    def widenings(self, member: np.ndarray, tested: np.ndarray, stratum: np.ndarray) -> list[Widening]:
        """By how much R widens the competitive test of each set [F, k] of `member`; never below none.

        Args:
            tested: [F] bool, features that have a z; `stratum` [tested features] theirs.
        """
        held = np.zeros(member.shape)
        held[tested] = within(member[tested].astype(float), stratum)
        squares = (held**2).sum(axis=0)
        names = np.unique(stratum)
        flat = np.zeros((len(tested), len(names)))
        flat[tested] = (stratum[:, None] == names) / np.sqrt([max((stratum == name).sum(), 1) for name in names])
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(squares > 1e-9, self.quadratic(held) / squares, 1.0)
        live, df = self.live & tested, tested.sum() - len(names) - 1
        trace = live.sum() - self.quadratic(flat).sum()
        freedom = self._freedom(flat, live, trace)
        factors = np.maximum(ratio, 1) * df / np.clip(trace - ratio, 1, max(df, 1))
        return [Widening(float(factor), freedom) for factor in np.maximum(factors, 1)]

    def _freedom(self, flat: np.ndarray, live: np.ndarray, trace: float) -> float:
        """tr(P R)^2 / tr((P R)^2), the latter by Hutchinson's (1989) probes, the same ones every time; 3 at least."""
        probes = np.random.default_rng(0).choice([-1.0, 1.0], size=(len(live), PROBES)) * live[:, None]

        def off(u: np.ndarray) -> np.ndarray:
            return live[:, None] * (u - flat @ (flat.T @ u))

        square = (off(self.times(off(probes))) ** 2).sum() / PROBES
        return float(max(trace**2 / max(square, 1e-300) - 1, 3.0))

    def mean(self, features: np.ndarray) -> tuple[float, float]:
        """Mean correlation of the z of these features, and of their |z|; 0 at least, and of fewer than two."""
        features = features[self.live[features]]
        m = len(features)
        if m < 2:
            return 0.0, 0.0
        u = np.zeros((len(self.live), 1))
        u[features] = 1
        rho = (self.quadratic(u)[0] - m) / (m * (m - 1))
        few = features[np.linspace(0, m - 1, min(m, PAIRED)).astype(int)]
        eye = np.zeros((len(self.live), len(few)))
        eye[few, np.arange(len(few))] = 1
        sizes = of_sizes(self.times(eye)[few])
        return max(float(rho), 0.0), float(sizes[~np.eye(len(few), dtype=bool)].mean())


def of_sizes(r: np.ndarray) -> np.ndarray:
    """Correlation of |a| and |b| of two normal numbers whose correlation is r (Nabeya 1951)."""
    r = np.clip(r, -1, 1)
    return (np.sqrt(1 - r**2) + r * np.arcsin(r) - 1) / (np.pi / 2 - 1)


def _few(u: np.ndarray) -> list[np.ndarray]:
    return [u[:, first : first + COLUMNS] for first in range(0, u.shape[1], COLUMNS)]
