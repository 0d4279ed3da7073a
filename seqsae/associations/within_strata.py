"""What is left of each tie among units that are alike in the declared strata, where a covariate has that role."""

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.associations.confounders import Confounders
from seqsae.associations.stratified import rank_strata, screen_strata
from seqsae.associations.targets import Target
from seqsae.associations.units import Units


def within_strata(
    confounders: Confounders, here: Units, aims: list[Target], columns: sp.csc_array | np.ndarray, min_support: int
) -> tuple[np.ndarray, np.ndarray]:
    """(effect, p) [F, c] of every feature of `columns` [units, F] with every aim, ranked inside strata (van Elteren 1960).

    NaN without strata, of the time to an event, and at the level of rows, whose strata are those of confounders alone.
    """
    effect, p = np.full((2, columns.shape[1], len(aims)), np.nan)
    stratum = confounders.strata(here)
    ranked = [j for j, aim in enumerate(aims) if not aim.is_survival]
    if stratum is None or not ranked:
        return effect, p
    y = np.column_stack([aims[j].y[here.chosen] for j in ranked])
    binary = np.array([aims[j].is_binary for j in ranked])
    found = screen_strata(rank_strata(columns, stratum), y, here.cluster, min_support, binary)
    effect[:, ranked], p[:, ranked] = found.effect, found.p
    return effect, p


def as_column(values: np.ndarray) -> pl.Series:
    """[n] with null where it is NaN."""
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)
