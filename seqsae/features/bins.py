"""Round bins in which rows and activations are counted: position in the input, calendar year, age, strength."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae.activations.store import Store
from seqsae.records.data import Dataset

MOST = 16  # bins of one kind, about
YEAR = 365.25 * 86_400e6  # microseconds
BIRTH = "MEDS_BIRTH"  # how MEDS calls a birth, where it stands among the rows


class Bins(NamedTuple):
    """Bins of equal width: bin i holds values from `start + i * step` up to `start + (i + 1) * step`."""

    start: float
    step: float
    n: int

    def place(self, values: np.ndarray) -> np.ndarray:
        """[n] int64 bin of each value, values beyond the ends in the outer bins, -1 where it is NaN."""
        known = np.isfinite(values)
        at = np.floor((np.where(known, values, self.start) - self.start) / self.step + 1e-9)
        return np.where(known, np.clip(at, 0, self.n - 1), -1).astype(np.int64)

    def edges(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high ends of bins."""
        return self.start + which * self.step, self.start + (which + 1) * self.step


def round_bins(low: float, high: float, most: int = MOST, finest: float = 0.0) -> Bins:
    """At most `most` bins of 1, 2 or 5 times a power of ten that hold everything from `low` to `high`, ends included."""
    step = max(round_step((high - low) / most), finest)
    start = np.floor(low / step + 1e-9) * step
    n = int(np.floor((high - start) / step + 1e-9)) + 1
    if n > most and step > 0:  # the start was moved down: the next width holds it
        return round_bins(low, high, most, round_step(step * 1.0001))
    return Bins(float(start), float(step), n)


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `least`; 1 for nothing."""
    if not least > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(power * one for one in (1, 2, 5, 10) if power * one >= least * (1 - 1e-9)))


def births(data: Dataset) -> pl.DataFrame | None:
    """`subject`, `time` of the first dated birth of each record that has one; None where the records have none."""
    if data.kind != "events":
        return None
    is_birth = (pl.col("code") == BIRTH) | pl.col("code").str.starts_with(f"{BIRTH}//")
    dated = data.table.filter(is_birth & pl.col("time").is_not_null())
    return dated.group_by("subject").agg(pl.col("time").min()).sort("subject") if len(dated) else None


class Axis(NamedTuple):
    """A kind of bins of rows and a function that gives each of some rows its bin, -1 where it has none."""

    kind: str
    bins: Bins
    place: Callable[[np.ndarray], np.ndarray]


def axes(store: Store, births: pl.DataFrame | None = None) -> list[Axis]:
    """The axes that the rows of the train split have values on: position; and where there are times, the calendar year, and years of age.

    Age counts from the births given, else from births among the rows; where there are none, years since the sample's
    first row stand in its place.

    Args:
        births: `subject`, `time` (datetime), once a subject.
    """
    train = store.rows_in("train")
    position = store.rows["position"].to_numpy().astype(np.float64)
    found = [_axis("position", position, train, 1.0)]
    time = store.rows["time"].cast(pl.Int64).to_numpy().astype(np.float64)
    if np.isfinite(time[train]).any():
        year = store.rows["time"].dt.year().cast(pl.Float64).fill_null(np.nan).to_numpy()
        kind, since = _ages(store, time, births)
        found += [_axis("year", year, train, 1.0), _axis(kind, since, train, 0.0)]
    return [axis for axis in found if axis is not None]


def _axis(kind: str, values: np.ndarray, train: np.ndarray, finest: float) -> Axis | None:
    known = values[train][np.isfinite(values[train])]
    if not len(known):
        return None
    low, high = np.quantile(known, [0.001, 0.999])  # few far out must not widen every bin
    bins = round_bins(float(low), float(high), finest=finest)
    return Axis(kind, bins, lambda rows: bins.place(values[rows]))


def _ages(store: Store, time: np.ndarray, births: pl.DataFrame | None) -> tuple[str, np.ndarray]:
    """What is counted, and [N] years of it, NaN where unknown."""
    born = np.full(len(store.subjects), np.nan)
    if births is not None and len(births):
        born[births["subject"].to_numpy()] = births["time"].cast(pl.Datetime("us")).cast(pl.Int64).to_numpy()
    else:
        at = np.flatnonzero(store.rows["token"].str.starts_with(BIRTH).to_numpy())[::-1]
        born[store.row_subject[at]] = time[at]
    if np.isfinite(born).any():
        return "age", (time - born[store.row_subject]) / YEAR
    known = pl.DataFrame({"sample": store.row_sample, "time": time}).with_columns(pl.col("time").fill_nan(None))
    first = known.select(pl.col("time").min().over("sample"))["time"].fill_null(np.nan).to_numpy()
    return "years since the first row", (time - first) / YEAR
