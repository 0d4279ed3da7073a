"""Out-of-fold scores of dense and k-sparse probes, with and without the confounders, for targets known of the same units."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from seqsae.associations.probing import logistic
from seqsae.associations.probing.bases import Pooled
from seqsae.associations.probing.choosing import basis_of, columns_of, greedy, strongest, support, ties
from seqsae.associations.probing.ridge import LOOSE, Design, Fitted
from seqsae.associations.ranks import Matrix, midranks, rank_excess
from seqsae.associations.survival.null import null_model
from seqsae.associations.survival.times import Times
from seqsae.associations.targets import Target
from seqsae.probe_options import ProbeConfig

CANDIDATES = 200  # ranked units that a greedy choice looks at
LOGISTIC_WIDTH = 1024  # units of a dense logistic probe at most
SHOWN = 5  # chosen units that are named


@dataclass
class Scores:
    """What a probe says of the units of a `Group`, each unit scored by the probe that has not seen its fold."""

    standard: np.ndarray
    """[n] in standard deviations over the units learnt from."""
    predicted: np.ndarray
    """[n] on the target's own scale."""
    strength: list[float] = field(default_factory=list)
    """By fold."""
    used: Counter = field(default_factory=Counter)
    """How many folds chose each unit of the basis."""

    @classmethod
    def empty(cls, n: int) -> "Scores":
        return cls(np.full(n, np.nan), np.full(n, np.nan))

    def enter(self, rows: np.ndarray, fitted: Fitted, x: Matrix, target: int = 0) -> None:
        """The scores of one fold."""
        self.standard[rows] = fitted.standard(x)[:, target]
        self.predicted[rows] = fitted.predicted(x)[:, target]
        self.strength.append(float(fitted.strength[target]))


@dataclass(frozen=True)
class Group:
    """Targets that are known of the same units.

    Letters: n units with a value, T targets, q confounders.
    """

    aims: list[Target]
    rows: np.ndarray
    """[n] which of the held-out units have a value."""
    units: np.ndarray
    """[n] the same as units of the view."""
    fold: np.ndarray
    """[n]."""
    cluster: np.ndarray
    """[n]."""
    z: np.ndarray
    """[n, q] confounders, finite."""
    config: ProbeConfig

    @cached_property
    def responses(self) -> dict[int, np.ndarray]:
        """By held-out fold [n, T]: what a probe is fitted to; nothing in it comes from the fold that is held out."""
        return {int(held): self._responses(self.fold != held) for held in np.unique(self.fold)}

    def _responses(self, seen: np.ndarray) -> np.ndarray:
        """[n, T]; of a time to an event its martingale residual among `seen` (Therneau & Grambsch 1990)."""
        columns = []
        for aim in self.aims:
            y = self.values(aim)
            if aim.is_survival:
                follow, residual = aim.follow[self.units], np.zeros(len(y))
                residual[seen] = null_model(Times(follow[seen, 0], y[seen], follow[seen, 1])).martingale
                y = residual
            columns.append(y)
        return np.column_stack(columns)

    def values(self, aim: Target) -> np.ndarray:
        """[n] the target; numbers by a power of two no larger than 1, so that no square is lost and no digit changes."""
        y = aim.y[self.units].astype(float)
        if aim.is_binary or aim.is_survival:
            return y
        return np.ldexp(y, -int(np.frexp(np.abs(y).max(initial=0))[1]))

    def mean_seen(self, target: int) -> np.ndarray:
        """[n] mean response over the units that each unit's probe has learnt from."""
        out = np.empty(len(self.rows))
        for held, y in self.responses.items():
            out[self.fold == held] = y[self.fold != held, target].mean()
        return out


def confounders_alone(group: Group) -> list[Scores]:
    """Of each target."""
    return dense(group, group.z, np.ones(group.z.shape[1]))


def dense_pair(group: Group, x: Matrix) -> tuple[list[Scores], list[Scores]]:
    """All units, alone and beside the confounders; for each target."""
    z = sp.csr_array(group.z) if sp.issparse(x) else group.z
    both = sp.hstack([z, x], format="csr") if sp.issparse(x) else np.hstack([z, x])
    weight = np.r_[np.full(group.z.shape[1], LOOSE), np.ones(x.shape[1])]
    return dense(group, x, np.ones(x.shape[1])), dense(group, both, weight)


def dense(group: Group, x: Matrix, weight: np.ndarray) -> list[Scores]:
    """A probe on all columns of `x` [n, d], for each target."""
    design = Design(x, group.fold, weight)
    found = [Scores.empty(len(group.rows)) for _ in group.aims]
    for held, y in group.responses.items():
        rows = design.rows[held]
        [fitted] = design.fit(y, held)
        for target, scores in enumerate(found):
            one, place = fitted, target
            if _by_logistic(group, group.aims[target]) and x.shape[1] <= LOGISTIC_WIDTH:
                one, place = _logistic(_plain(design.x), y[:, target], group.fold, held), 0
            scores.enter(rows, one, _plain(design.x[rows]), place)
    return found


def _by_logistic(group: Group, aim: Target) -> bool:
    return group.config.fit == "logistic" and aim.is_binary


def _plain(x: Matrix) -> np.ndarray:
    return x.toarray() if sp.issparse(x) and x.shape[1] <= LOGISTIC_WIDTH else x


def _logistic(x: np.ndarray, y: np.ndarray, fold: np.ndarray, held: int) -> Fitted:
    seen = fold != held
    return logistic.nested(x[seen], y[seen], fold[seen])


@dataclass(frozen=True)
class Ranked:
    """A basis over a group's units, ranked on the training units of each fold: shared by all targets and k."""

    group: Group
    pooled: Pooled

    @cached_property
    def spans(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """By held-out fold: the constant, and the constant with the confounders, orthonormal over the training units."""
        z, fold = self.group.z, self.group.fold
        return {
            held: (basis_of(None, int((fold != held).sum())), basis_of(z[fold != held]))
            for held in self.group.responses
        }

    @cached_property
    def tied(self) -> dict[tuple[int, bool], tuple[np.ndarray, np.ndarray]]:
        """By held-out fold and whether given the confounders: ties [F, T] under the best pooling, and which that is."""
        found = {}
        for held in self.group.responses:
            by_pooling = [self._ties(matrix, held) for matrix in self.pooled.matrices]
            for given in (False, True):
                ties_here = [one[given] for one in by_pooling]
                found[held, given] = np.max(ties_here, axis=0), np.argmax(ties_here, axis=0)
        return found

    def _ties(self, matrix: Matrix, held: int) -> tuple[np.ndarray, np.ndarray]:
        """[F, T] without and with the confounders, on the training units; 0 for units of too little support there."""
        seen = np.flatnonzero(self.group.fold != held)
        y, values = self.group.responses[held][seen], matrix[seen]
        binary = np.array([aim.is_binary for aim in self.group.aims])
        kinds = [(binary, values, y[:, binary])]
        if not binary.all():
            ranked = np.column_stack([midranks(column) for column in y[:, ~binary].T])
            kinds.append((~binary, rank_excess(values).excess, ranked))
        enough = support(values, self.group.cluster[seen]) >= self.group.config.min_support
        out = np.zeros((2, values.shape[1], len(binary)))
        for columns, x, asked in kinds:
            for given in (0, 1):
                out[given][:, columns] = ties(x, asked, self.spans[held][given])
        out[:, ~enough] = 0
        return out[0], out[1]

    def chosen(self, held: int, target: int, given: bool) -> tuple[np.ndarray, np.ndarray]:
        """(units, poolings) of the longest probe, in the order in which shorter ones read them."""
        tie, pooling = (part[:, target] for part in self.tied[held, given])
        most = max(self.group.config.ks)
        if self.group.config.choice == "ranked":
            units = strongest(tie, most)
            return units, pooling[units]
        units = strongest(tie, max(CANDIDATES, most))
        seen = self.group.fold != held
        x = columns_of([matrix[seen] for matrix in self.pooled.matrices], units, pooling[units])
        units = units[greedy(x, self.group.responses[held][seen, target], self.spans[held][given], most)]
        return units, pooling[units]


def sparse_curve(ranked: Ranked, target: int) -> Iterator[tuple[int, Scores | None, Scores | None]]:
    """(k, scores of the k-sparse probe, scores of one beside the confounders); None where no unit is tied to the target."""
    group = ranked.group
    alone, beside = ({k: Scores.empty(len(group.rows)) for k in group.config.ks} for _ in range(2))
    for given, made in ((False, alone), (True, beside)):
        for held in group.responses:
            _enter(ranked, target, held, given, made)
    for k in group.config.ks:
        yield k, *(None if np.isnan(made[k].standard).any() else made[k] for made in (alone, beside))


def _enter(ranked: Ranked, target: int, held: int, given: bool, made: dict[int, Scores]) -> None:
    """One fold's scores of every k; nothing where there is no unit to read."""
    group = ranked.group
    units, poolings = ranked.chosen(held, target, given)
    if not len(units):
        return
    x = columns_of(ranked.pooled.matrices, units, poolings)
    q = group.z.shape[1] if given else 0
    x = np.hstack([group.z, x]) if given else x
    y = group.responses[held][:, [target]]
    rows = np.flatnonzero(group.fold == held)
    design = Design(x, group.fold, np.r_[np.full(q, LOOSE), np.ones(len(units))])
    fits = design.fit(y, held, [slice(0, q + k) for k in made])
    for (k, scores), fitted in zip(made.items(), fits, strict=True):
        columns = x[:, : q + k]
        if _by_logistic(group, group.aims[target]):
            fitted = _logistic(columns, y[:, 0], group.fold, held)
        scores.enter(rows, fitted, columns[rows])
        scores.used.update(units[:k].tolist())
