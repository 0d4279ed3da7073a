"""What became of subjects in whom a feature fires, beside those in whom it does not: the curves behind a hazard ratio."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy import stats

from seqsae import schema
from seqsae.associations.screening import Bench
from seqsae.associations.screens import times_of
from seqsae.associations.survival.curves import Curve, aalen_johansen, kaplan_meier
from seqsae.associations.survival.times import Times
from seqsae.associations.targets import Target
from seqsae.associations.units import Units

DRAWN = 6
"""Features a covariate: the supported ones first, then by p beyond the confounders on the select split."""
STEPS = 200
"""Of a curve, at most: evenly over its events."""


def curves(bench: Bench, aims: list[Target], table: pl.DataFrame) -> pl.DataFrame:
    """Schema `curves`: by covariate, feature and group of subjects of the test split the probability over time.

    Survival (Kaplan & Meier 1958); of a covariate with competing events the incidence of the event (Aalen & Johansen 1978). Crude:
    nothing is adjusted for. Intervals on the scale log(-log), by subject.

    Args:
        table: schema `associations`.
    """
    aims = [aim for aim in aims if aim.is_survival]
    here = Units(bench.encoded.store, "subject", "test")
    parts = list(_parts(bench, here, aims, table)) if aims else []
    empty = pl.DataFrame(schema={name: _TYPES[name] for name in schema.columns("curves")})
    return schema.check_table(pl.concat([empty, *parts]), "curves", "curves")


_TYPES = {
    "covariate": pl.String, "feature": pl.Int32, "fires": pl.Boolean, "what": pl.String, "n": pl.UInt32, "time": pl.Float64,
    "estimate": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64, "at_risk": pl.UInt32, "events": pl.UInt32,
}  # fmt: skip


def _parts(bench: Bench, here: Units, aims: list[Target], table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    fires = here.pooled(bench.encoded, ("presence",)).make("presence").tocsc()
    for aim in aims:
        known, times = times_of(here, aim)
        if times is None:
            continue
        competed = aim.follow[here.chosen[known], 2] == 1
        for feature in _leading(table, aim.covariate):
            group = (fires[:, [feature]].toarray().ravel() > 0)[known]
            if min(group.sum(), (~group).sum()) >= bench.config.min_support:
                for curve in _drawn(times, competed, group):
                    yield _rows(curve, aim.covariate, feature, competed.any(), int((group == curve.group).sum()))


def _leading(table: pl.DataFrame, covariate: str) -> list[int]:
    mine = table.filter(pl.col("covariate") == covariate, pl.col("verdict") != "not-selected")
    order = mine.sort(pl.col("verdict") != "supported", "p_select_adjusted", "feature", nulls_last=True)
    return order["feature"].unique(maintain_order=True).head(DRAWN).to_list()


def _drawn(times: Times, competed: np.ndarray, group: np.ndarray) -> list[Curve]:
    if competed.any():
        return aalen_johansen(times, np.where(competed, 2, times.event), group)
    return kaplan_meier(times, group)


def _rows(curve: Curve, covariate: str, feature: int, competing: bool, n: int) -> pl.DataFrame:
    steps = np.unique(np.linspace(0, len(curve.time) - 1, min(len(curve.time), STEPS)).round().astype(int))
    low, high = interval(curve.estimate, curve.variance, competing)
    return pl.DataFrame(
        {
            "covariate": covariate, "feature": feature, "fires": bool(curve.group),
            "what": "incidence" if competing else "survival", "n": n, "time": curve.time[steps],
            "estimate": curve.estimate[steps], "ci_low": low[steps], "ci_high": high[steps],
            "at_risk": curve.at_risk[steps], "events": _between(curve.events, steps),
        },
        schema=_TYPES,
    ).with_columns(pl.col("ci_low", "ci_high").fill_nan(None))  # fmt: skip


def _between(events: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """[steps] events after the step before, up to this one."""
    return np.diff(np.concatenate([[0], np.cumsum(events)[steps]]))


def interval(estimate: np.ndarray, variance: np.ndarray, incidence: bool) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) [K] of the 95% interval on the scale log(-log) of survival (Kalbfleisch & Prentice 2002, section 1.4), or of 1 -
    incidence; NaN at 0 and 1."""
    survival = 1 - estimate if incidence else estimate
    with np.errstate(invalid="ignore", divide="ignore"):
        half = stats.norm.isf(0.025) * np.sqrt(variance) / (survival * np.abs(np.log(survival)))
        ends = survival ** np.exp(half), survival ** np.exp(-half)
    inside = (survival > 0) & (survival < 1)
    low, high = (np.where(inside, end, np.nan) for end in ends)
    return (1 - high, 1 - low) if incidence else (low, high)
