"""What every association is adjusted for: the covariates declared as confounders or strata, and always the length of the record."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from seqsae.activations.store import Store
from seqsae.associations.observations import position_of, sample_of, split_of
from seqsae.associations.ranks import midranks
from seqsae.associations.splines import knots, spline
from seqsae.associations.targets import Target, annotations_of, per_sample, values_at
from seqsae.associations.units import Units
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.covariates import Covariates, numbers

ROLES = ("confounder", "stratum")
NUMERIC = ("ordinal", "continuous")
RARE = 20  # units of a level; levels with fewer are taken together
FARTHEST = 20.0  # spans (of the middle nine tenths) from the median beyond which a number is far away
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
            else:
                annotations_of(self.covariates, entry["name"])
                say(f"confounder {entry['name']!r} is of level {entry['level']}: subjects are not adjusted for it")
        found = np.column_stack(parts)
        self._say_if_too_many(found.shape[1])
        return found

    def _say_if_too_many(self, q: int) -> None:
        for part in ("select", "test"):
            n = int((split_of(self.store, "subject") == part).sum())
            if q + 2 >= n > 0:
                say(
                    f"the confounders make {q:,} columns for {n:,} samples of the {part} split: nothing can be adjusted; take fewer"
                )

    @cached_property
    def by_row(self) -> np.ndarray:
        """[N, q] the same of each row's sample, where the row stands in it, and confounders of level token and event."""
        return self._placed("token")

    @cached_property
    def by_event(self) -> np.ndarray:
        """[E, q] the same of each event, which stands where its first row stands."""
        return self._placed("event")

    def _placed(self, unit: str) -> np.ndarray:
        place = np.log1p(position_of(self.store, unit).astype(float))
        parts = [self.by_sample[sample_of(self.store, unit)], spline(place, knots(place))]
        for entry in self.entries:
            if entry["level"] != "subject":
                spans = annotations_of(self.covariates, entry["name"])
                parts.append(_columns(entry, values_at(spans, entry["name"], self.store, unit)))
        return np.column_stack(parts)

    def strata(self, here: Units) -> np.ndarray | None:
        """[units] the stratum of each, of all covariates of that role; None without any."""
        names = [entry["name"] for entry in self.entries if entry["role"] == "stratum" and entry["level"] == "subject"]
        if not names or here.unit != "subject":
            return None
        columns = [per_sample(self.covariates.table, name, self.store).cast(pl.String).fill_null("") for name in names]
        whole = pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator="\0")).to_series()
        return whole.rank("dense").to_numpy().astype(np.int64)[here.chosen]

    def with_twins(self, aims: list[Target]) -> list[Target]:
        """The aims, those of numbers that a confounder of subjects repeats being marked so, and that is said."""
        names = [one["name"] for one in self.entries if one["level"] == "subject" and one["type"] in NUMERIC]
        column = {name: per_sample(self.covariates.table, name, self.store).cast(pl.Float64) for name in names}
        found = []
        for aim in aims:
            numeric = aim.unit == "subject" and aim.kind in NUMERIC
            twin = next((name for name in names if numeric and _same_order(aim.y, column[name].to_numpy())), None)
            if twin is not None:
                say(
                    f"covariate {aim.covariate!r} says the same as {twin!r}, which it is adjusted for: no effect beyond it"
                )
            found.append(replace(aim, same_as=twin))
        return found

    def of(self, unit: str) -> np.ndarray:
        """[units, q]."""
        return {"token": lambda: self.by_row, "event": lambda: self.by_event, "subject": lambda: self.by_sample}[unit]()


def _same_order(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two columns [n], where both are known, put their units in the same order, or in the very opposite one."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return False
    one, other = midranks(a[known]), midranks(b[known])
    return np.array_equal(one, other) or np.array_equal(one, known.sum() + 1 - other)


def _columns(entry: dict, values: pl.Series) -> np.ndarray:
    if values.null_count() == len(values):
        raise SeqsaeError(
            f"{entry['role']} {entry['name']!r} is missing for everybody in this view; take it out of the schema"
        )
    if entry["type"] in ("binary", "categorical"):
        return _kept(_levels(values.cast(pl.String), entry), values, entry, "level")
    x = numbers(values, entry, "annotations") if values.dtype == pl.String else values.cast(pl.Float64)
    x = x.fill_nan(None)
    few = entry["type"] == "ordinal" and x.n_unique() <= DUMMIES + x.has_nulls()
    made = _levels(x.cast(pl.String), entry) if few else _numbers(x.fill_null(float("nan")).to_numpy())
    return _kept(made, x, entry, "exclude")


def _kept(made: np.ndarray, values: pl.Series, entry: dict, usual: str) -> np.ndarray:
    """The columns, NaN for who is left out because the value is missing; how many is said.

    Raises:
        SeqsaeError: values that are all rare, which would adjust for nothing.
    """
    if not made.shape[1] and values.n_unique() > 1:
        raise SeqsaeError(
            f"{entry['role']} {entry['name']!r}: each of its {values.drop_nulls().n_unique():,} values has fewer than {RARE} of "
            f"{len(values):,} units, so that nothing is left to adjust for; group its values"
        )
    if not made.shape[1]:
        say(f"{entry['role']} {entry['name']!r} has one value in this view: there is nothing to adjust for")
    if (entry.get("missing") or usual) == "level" or not values.null_count():
        return made
    say(
        f"{entry['role']} {entry['name']!r}: {values.null_count():,} of {len(values):,} have no value and are left out of what is adjusted for it"
    )
    made = made.copy()
    made[values.is_null().to_numpy()] = np.nan
    return made


def _levels(values: pl.Series, entry: dict) -> np.ndarray:
    """[n, levels - 1] a column a level but the commonest; rare ones are taken together, which is said, missing is a level."""
    values = values.fill_null("\0missing")
    counts = values.value_counts(sort=True)
    names = counts.filter(pl.col("count") >= RARE)[values.name].sort().to_list()
    if names and (rare := len(counts) - len(names)) > 1:
        say(
            f"{entry['role']} {entry['name']!r}: {rare:,} values with fewer than {RARE} units each are adjusted for as if they were one"
        )
    codes = values.replace_strict(names, range(len(names)), default=len(names), return_dtype=pl.Int64).to_numpy()
    whole = np.eye(len(names) + 1)[codes]
    counted = whole.sum(axis=0)
    return whole[:, (counted > 0) & (np.arange(len(counted)) != counted.argmax())]


def _numbers(x: np.ndarray) -> np.ndarray:
    """[n, columns] a spline, at the median where missing or far away, and then columns that say so.

    One value far away, such as a code for missing, would press all others together, or draw the curve to itself.
    """
    missing = ~np.isfinite(x)
    if missing.all():
        return np.zeros((len(x), 0))
    low, middle, high = np.quantile(x[~missing], (0.05, 0.5, 0.95), method="inverted_cdf")
    span = (high - low) or np.abs(x[~missing] - middle).max() or 1.0
    with np.errstate(over="ignore"):  # what is too far to be divided by the span is far away
        scaled = np.where(missing, 0.0, (np.where(missing, middle, x) - middle) / span)
    said = [flag for flag in (missing, scaled < -FARTHEST, scaled > FARTHEST) if flag.any()]
    away = np.any(said, axis=0) if said else np.zeros(len(x), bool)
    return np.column_stack([spline(np.where(away, 0.0, scaled), knots(scaled[~away])), *said])
