"""Whether a feature says more than the tokens that say most: its effect beyond the confounders and these tokens."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.baselines import FITTED, as_number, choose
from seqsae.associations.ranks import rank_excess
from seqsae.associations.refining import dense, of_targets
from seqsae.associations.refits import refitter
from seqsae.associations.screening import Bench
from seqsae.associations.targets import Target
from seqsae.associations.units import Units
from seqsae.associations.verdicts import LEVEL
from seqsae.features.sources import FeatureSource, Tokens

COLUMNS = ("effect_given_token", "ci_low_given_token", "ci_high_given_token")


def given_tokens(bench: Bench, aims: list[Target], table: pl.DataFrame, rivals: list[FeatureSource]) -> pl.DataFrame:
    """The table with COLUMNS, of the pairs that the test split holds for true beyond the confounders (Holm); null for all others.

    The confounders gain, of each rival, the value of its best unit on select (its ranks) and whether it is there at all; of one that is
    fitted to the target the ranks of its scores; and of the feature's own token, the one at which it fires most on select, the same as of
    a rival, in the feature's pooling. Refitted in full. 0, with an interval of no width, where these tell the feature without error.

    Args:
        rivals: the baselines that are tokens.
    """
    table = table.with_row_index("at")
    holds = table.filter(pl.col("selected") & (pl.col("p_test_adjusted_holm") <= LEVEL))
    beyond = _Beyond(bench, rivals, aims)
    rows = [
        row
        for here, aim, columns, chosen in of_targets(bench, aims, holds, "beyond the best tokens")
        for row in beyond.rows(here, aim, columns, chosen)
    ]
    found = pl.DataFrame(rows, schema={"at": pl.UInt32, **dict.fromkeys(COLUMNS, pl.Float64)}, orient="row")
    return table.join(found, on="at", how="left", maintain_order="left").drop("at")


class _Beyond:
    """What tokens say of targets and of features, made when it is asked for."""

    def __init__(self, bench: Bench, rivals: list[FeatureSource], aims: list[Target]):
        self.bench, self.rivals, self.aims, self.tokens = bench, rivals, aims, Tokens(bench.encoded.store)
        self._told: dict[str, dict[tuple, list[np.ndarray]]] = {}
        self._own: dict[str, np.ndarray] = {}
        self._pooled: dict[tuple[str, str | None], sp.csc_array] = {}

    def rows(self, here: Units, aim: Target, columns: sp.csc_array, chosen: pl.DataFrame) -> Iterator[tuple]:
        """(at, effect, ci_low, ci_high) of the rows `chosen`, of one pooling."""
        told, pooling = self._of_target(here, aim), chosen["pooling"][0]
        own = self._own_tokens(here.unit)[chosen["feature"].to_numpy()]
        z = self.bench.confounders.of(here.unit)[here.chosen]
        for token in np.unique(own):
            x = dense(self._values(here, pooling), token)
            refit = refitter(aim, here, np.column_stack([z, *told, *_ranked(x[:, None])]))
            for at, feature in chosen.filter(pl.Series(own == token)).select("at", "feature").iter_rows():
                found, _ = refit(dense(columns, feature))
                known = np.isfinite(found.value)
                yield at, *((found.value, found.ci_low, found.ci_high) if known else (0.0, 0.0, 0.0))

    def _of_target(self, here: Units, aim: Target) -> list[np.ndarray]:
        if here.unit not in self._told:
            group = [one for one in self.aims if one.unit == here.unit]
            told = _told(self.bench, self.rivals, group, here)
            self._told[here.unit] = {
                (one.covariate, one.category): columns for one, columns in zip(group, told, strict=True)
            }
        return self._told[here.unit][aim.covariate, aim.category]

    def _own_tokens(self, unit: str) -> np.ndarray:
        """[F] the token at which each feature fires most, on the rows of select."""
        if unit not in self._own:
            rows = Units(self.bench.encoded.store, unit, "select").rows
            fires = sp.csr_array(self.bench.encoded.values(rows) > 0, dtype=np.float64)
            self._own[unit] = np.asarray((fires.T @ self.tokens.values(rows)).argmax(axis=1)).ravel()
        return self._own[unit]

    def _values(self, here: Units, pooling: str | None) -> sp.csc_array:
        key = (here.unit, pooling)
        if key not in self._pooled:
            self._pooled[key] = sp.csc_array(
                here.pooled(self.tokens, (pooling,) if pooling else self.bench.config.poolings).make(pooling)
            )
        return self._pooled[key]


def _ranked(x: np.ndarray) -> list[np.ndarray]:
    """Of values [units, 1] the ranks, and whether they are there."""
    return [rank_excess(x).excess[:, 0], x[:, 0] > 0]


def _told(bench: Bench, rivals: list[FeatureSource], group: list[Target], test: Units) -> list[list[np.ndarray]]:
    """For each target the columns [test units] that say what the rivals say of it."""
    select = Units(bench.encoded.store, test.unit, "select")
    told: list[list[np.ndarray]] = [[] for _ in group]
    for rival in rivals:
        if rival.name in FITTED:
            scores = [rival.scores(as_number(aim, select), select, test) for aim in group]
            columns = [[] if x is None else [rank_excess(x[:, None]).excess[:, 0]] for x in scores]
        else:
            columns = _of_units(bench, rival, group, select, test)
        for mine, more in zip(told, columns, strict=True):
            mine += more
    return told


def _of_units(
    bench: Bench, rival: FeatureSource, group: list[Target], select: Units, test: Units
) -> list[list[np.ndarray]]:
    """The ranks of the best unit on select, and whether it is there."""
    picked = choose(select, rival, group, bench.config)
    pooled = test.pooled(rival, bench.config.poolings)
    made = {name: sp.csc_array(pooled.make(name)) for name in {choice[1] for choice in picked if choice is not None}}
    values = [None if one is None else made[one[1]][:, [one[0]]].toarray() for one in picked]
    return [[] if x is None else _ranked(x) for x in values]
