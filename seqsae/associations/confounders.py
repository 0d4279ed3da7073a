"""What every association is adjusted for: the covariates declared as confounders or strata, and always the length of the record."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from seqsae.activations.store import Store
from seqsae.associations.splines import knots, spline
from seqsae.associations.targets import per_sample, row_values
from seqsae.associations.units import Units
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.covariates import Covariates, numbers

ROLES = ("confounder", "stratum")
RARE = 20  # units of a level; levels with fewer are taken together
DUMMIES = 5  # an ordinal confounder of at most so many values has one column a value


@dataclass(frozen=True)
class Confounders:
    """The confounders of a view's samples and rows; an association is adjusted for all of them."""

    covariates: Covariates
    store: Store

    @cached_property
    def entries(self) -> list[dict]:
        return [entry for entry in self.covariates.schema["covariates"] if entry.get("role") in ROLES]

    @property
    def names(self) -> list[str]:
        """As told to a reader: the declared ones and those that are always there."""
        return [*(entry["name"] for entry in self.entries), "log rows"]

    @cached_property
    def by_sample(self) -> np.ndarray:
        """[samples, q] float64: splines of numbers, a column for each other level; NaN in the rows of who is left out."""
        length = np.log1p(self.store.samples["n_rows"].to_numpy().astype(float))
        parts = [spline(length, knots(length))]
        for entry in self.entries:
            if entry["level"] == "subject":
                parts.append(_columns(entry, per_sample(self.covariates.table, entry["name"], self.store)))
        return np.column_stack(parts)

    @cached_property
    def by_row(self) -> np.ndarray:
        """[N, q] the same of each row's sample, where the row stands in it, and confounders of level token."""
        place = np.log1p(self.store.rows["position"].to_numpy().astype(float))
        parts = [self.by_sample[self.store.row_sample], spline(place, knots(place))]
        for entry in self.entries:
            if entry["level"] == "token":
                parts.append(_columns(entry, row_values(self.covariates.annotations, entry["name"], self.store)))
        return np.column_stack(parts)

    def strata(self, here: Units) -> np.ndarray | None:
        """[units] the stratum of each, of all covariates of that role; None without any."""
        names = [entry["name"] for entry in self.entries if entry["role"] == "stratum" and entry["level"] == "subject"]
        if not names or here.unit == "token":
            return None
        columns = [per_sample(self.covariates.table, name, self.store).cast(pl.String).fill_null("") for name in names]
        whole = pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator="\0")).to_series()
        return whole.rank("dense").to_numpy().astype(np.int64)[here.chosen]

    def of(self, unit: str) -> np.ndarray:
        """[units, q]."""
        return self.by_row if unit == "token" else self.by_sample


def _columns(entry: dict, values: pl.Series) -> np.ndarray:
    if entry["type"] == "survival":
        raise SeqsaeError(
            f"covariate {entry['name']!r}: a survival covariate cannot be a {entry['role']}; make it a target"
        )
    if entry["type"] in ("binary", "categorical"):
        return _kept(_levels(values.cast(pl.String)), values, entry, "level")
    x = numbers(values, entry, "annotations") if values.dtype == pl.String else values.cast(pl.Float64)
    x = x.fill_nan(None)
    few = entry["type"] == "ordinal" and x.n_unique() <= DUMMIES + x.has_nulls()
    made = _levels(x.cast(pl.String)) if few else _numbers(x.fill_null(float("nan")).to_numpy())
    return _kept(made, x, entry, "exclude")


def _kept(made: np.ndarray, values: pl.Series, entry: dict, usual: str) -> np.ndarray:
    """The columns, NaN for who is left out because the value is missing; how many is said."""
    if (entry.get("missing") or usual) == "level" or not values.null_count():
        return made
    say(
        f"confounder {entry['name']}: {values.null_count():,} of {len(values):,} have no value and are left out of what is adjusted for it"
    )
    made = made.copy()
    made[values.is_null().to_numpy()] = np.nan
    return made


def _levels(values: pl.Series) -> np.ndarray:
    """[n, levels - 1] a column a level but the commonest; rare ones are taken together, missing is a level."""
    values = values.fill_null("\0missing")
    counts = values.value_counts(sort=True)
    names = counts.filter(pl.col("count") >= RARE)[values.name].sort().to_list()
    codes = values.replace_strict(names, range(len(names)), default=len(names), return_dtype=pl.Int64).to_numpy()
    whole = np.eye(len(names) + 1)[codes]
    counted = whole.sum(axis=0)
    return whole[:, (counted > 0) & (np.arange(len(counted)) != counted.argmax())]


def _numbers(x: np.ndarray) -> np.ndarray:
    """[n, columns] a spline, at the median where missing, and then a column that says so."""
    missing = ~np.isfinite(x)
    if missing.all():
        return np.zeros((len(x), 0))
    filled = np.where(missing, np.nanmedian(np.where(missing, np.nan, x)), x)
    filled = (filled - filled.mean()) / (filled.std() or 1.0)
    curve = spline(filled, knots(filled[~missing]))
    return np.column_stack([curve, missing]) if missing.any() else curve
