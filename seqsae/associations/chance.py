"""What luck and strata alone bring: the best of all features under permuted labels, and how inflated the tests of a covariate are."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from seqsae import schema
from seqsae.associations.inflation import inflation
from seqsae.associations.permutation import Plan, max_t
from seqsae.associations.ranks import RankMatrix, aurocs, rank_excess
from seqsae.associations.screen import Screen, scores_of
from seqsae.associations.targets import Target
from seqsae.associations.units import Units

BLOCK = 1 << 24  # numbers of turned labels held at a time


@dataclass(frozen=True)
class Chance:
    """Targets over some units, and how their labels are permuted."""

    here: Units
    aims: list[Target]
    plan: Plan
    stratum: np.ndarray | None
    """[units] within which labels of subjects change places; None: anywhere."""

    def diagnostics(self, pooling: str | None, crude: Screen, beyond: Screen, maxima: list[np.ndarray]) -> pl.DataFrame:
        """Schema `diagnostics`: a row an aim, of the tests `crude` and `beyond` the confounders; `maxima` of each block of features."""
        tested = np.isfinite(crude.p)
        null = ceiling(maxima)
        tests = ((crude.z, tested), (beyond.z, np.isfinite(beyond.p)))
        plain, adjusted = (inflation(np.where(there, z, np.nan)) for z, there in tests)
        rows = [
            {
                "covariate": aim.covariate, "category": aim.category, "unit": aim.unit, "pooling": pooling,
                "n_features": int(tested[:, j].sum()), "n_permutations": self.plan.n,
                "null_95": float(null[j]) if np.isfinite(null[j]) else None,
                "inflation": None if plain[j] is None else plain[j].value,
                "inflation_adjusted": None if adjusted[j] is None else adjusted[j].value,
            }
            for j, aim in enumerate(self.aims)
        ]  # fmt: skip
        return schema.check_table(pl.DataFrame(rows, infer_schema_length=None), "diagnostics", "diagnostics")

    def maxima(self, ranks: RankMatrix, tested: np.ndarray) -> np.ndarray:
        """[B, c] what the best of the `tested` [F, c] features reaches under each of B permutations; NaN where none is tested.

        Subjects: labels of whole clusters change places, within strata. Rows and events: the labels of each sample are turned round by a
        random number of places, so that what neighbours have to do with each other stays; only rows that have a label, and ranked among
        them. Every block of features sees the same permutations.
        """
        # Of the time to an event there is no such effect: the C-index of every feature under every permutation takes too long.
        y = np.column_stack([aim.y[self.here.chosen] * (np.nan if aim.is_survival else 1) for aim in self.aims])
        binary = np.array([aim.is_binary for aim in self.aims])
        if not self.plan.n:
            return np.empty((0, len(self.aims)))
        if self.here.unit == "subject":
            found = max_t(ranks, y, self.here.cluster, self.stratum, self.plan, binary, tested)
            return np.where(tested.any(axis=0), found.effect_maxima, np.nan)
        columns = zip(y.T, binary, tested.T, strict=True)
        return np.column_stack([self._turned(ranks, *one, [self.plan.seed, j]) for j, one in enumerate(columns)])

    def _turned(
        self, ranks: RankMatrix, y: np.ndarray, binary: bool, tested: np.ndarray, seed: list[int]
    ) -> np.ndarray:
        if not tested.any():
            return np.full(self.plan.n, np.nan)
        rng, known = np.random.default_rng(seed), np.flatnonzero(np.isfinite(y))
        ranks, y = ranks if len(known) == len(y) else rank_excess(ranks.excess[known]), y[known]
        _, start, counts = np.unique(self.here.sample[known], return_index=True, return_counts=True)
        scores = y if binary else scores_of(y[:, None], np.array([False]))[:, 0]
        width, best = max(1, BLOCK // len(y)), []
        for first in range(0, self.plan.n, width):
            turns = [_turn(start, counts, rng) for _ in range(min(width, self.plan.n - first))]
            best.append(_largest(ranks, scores[np.column_stack(turns)], binary, tested))
        return np.concatenate(best)


def ceiling(maxima: list[np.ndarray]) -> np.ndarray:
    """[c] what the best of all features reaches in one run of twenty by luck, from the `maxima` [B, c] of blocks of them; NaN without any."""
    best = np.fmax.reduce(maxima)
    return np.quantile(best, 0.95, axis=0, method="higher") if len(best) else np.full(best.shape[1], np.nan)


def _turn(start: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[n] which row gives each row its label."""
    by = rng.integers(0, counts)
    within = np.arange(counts.sum()) - np.repeat(start, counts)
    return np.repeat(start, counts) + (within + np.repeat(by, counts)) % np.repeat(counts, counts)


def _largest(ranks: RankMatrix, y: np.ndarray, binary: bool, tested: np.ndarray) -> np.ndarray:
    """[B] the largest distance from no effect of any tested feature, for scores y [n, B]."""
    if binary:
        size = np.abs(aurocs(ranks, y) - 0.5)
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.abs(ranks.excess.T @ y) / np.sqrt(np.outer(ranks.sum2, (y**2).sum(axis=0)))
    return np.nanmax(np.where(tested[:, None], size, np.nan), axis=0)
