"""What is known of a row beside its tokens: covariates of its subject, annotations it stands under, its place and its time.

Thresholds are quantiles of the rows on which rules are found, rounded to what the caption says. Planted truth is never read.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
import scipy.sparse as sp

from seqsae.activations.store import Store
from seqsae.associations.captions.lines import place_of
from seqsae.associations.concept_spans import Part, placed, spans_of
from seqsae.associations.concept_support import named
from seqsae.associations.targets import per_sample
from seqsae.records.covariates import Covariates

QUANTILES = (0.25, 0.5, 0.75)  # of a covariate over samples
TWENTIETHS = tuple(part / 20 for part in range(1, 20))  # of places and times over rows
FIRST = (1, 3, 10)  # rows from a sample's start
LEVELS = 10  # an ordinal covariate with at most so many values is split at each of them
BIRTH = "MEDS_BIRTH"  # how MEDS calls a birth, where it stands among the rows
_UNITS = {"years": 365.25 * 86_400e6, "days": 86_400e6, "hours": 3_600e6}  # in microseconds


class Facts(NamedTuple):
    """Literals of one kind, and how to tell on which rows of a part they hold."""

    kind: str
    texts: list[str]
    at: Callable[[Part], sp.sparray]
    """Part -> [n, len(texts)] of 0 and 1."""


def facts(covariates: Covariates, store: Store, part: Part) -> list[Facts]:
    """Every such literal; `part` sets the thresholds."""
    spans = () if covariates.annotations is None else (_annotated(covariates, store),)
    by_time = _timed(store, part)
    return [*spans, _placed(part), *by_time, *_of_subjects(covariates, store, part)]


def _annotated(covariates: Covariates, store: Store) -> Facts:
    concepts = named(covariates)
    spans = spans_of(covariates.annotations, concepts, store)
    texts = [f"within {covariate} = {value}" for covariate, value in concepts.rows()]
    return Facts("spell", texts, lambda part: placed(spans, part).matrices(0, len(part.rows))[0])


def _placed(part: Part) -> Facts:
    """The first rows of a sample, and those from some place on."""
    place = place_of(part)
    later = sorted({int(np.quantile(place, q)) for q in TWENTIETHS}) if len(place) else []
    later = [one for one in later if one > 0]
    texts = [f"among the first {n} rows" if n > 1 else "in the first row" for n in FIRST]
    texts += [f"from row {one + 1} on" for one in later]

    def at(part: Part) -> sp.sparray:
        place = place_of(part)
        return sp.csr_array(np.column_stack([*(place < n for n in FIRST), *(place >= one for one in later)]))

    return Facts("position", texts, at)


def _timed(store: Store, part: Part) -> Iterator[Facts]:
    """Years (or days, hours) since the sample's first row, the calendar year, and age where births stand among the rows."""
    time = store.rows["time"].cast(pl.Int64).to_numpy().astype(float)  # microseconds, NaN where null
    if not np.isfinite(time[part.rows]).any():
        return

    def since(part: Part) -> np.ndarray:
        first = np.repeat(part.rows[part.first[:-1].clip(max=max(len(part.rows) - 1, 0))], np.diff(part.first))
        return time[part.rows] - time[first]

    if np.isfinite(since(part)).any():  # first rows may have no time
        spread = np.nanquantile(since(part), TWENTIETHS[-1])
        unit = next((name for name, size in _UNITS.items() if spread >= size), "hours")
        words = (f"at least {{}} {unit} after the first row", f"less than {{}} {unit} after the first row")
        yield _above("position", since, part, _UNITS[unit], words)
    year = store.rows["time"].dt.year().cast(pl.Float64).fill_null(float("nan")).to_numpy()
    yield _above("position", lambda part: year[part.rows], part, 1, ("year {} or later", "before year {}"))
    born = _births(store, time)
    if np.isfinite(born).any():
        yield _aged(lambda part: (time[part.rows] - born[part.samples][part.sample_of]) / _UNITS["years"])


def _births(store: Store, time: np.ndarray) -> np.ndarray:
    """[samples] time of the row that is a birth, NaN without one."""
    born = np.full(len(store.samples), np.nan)
    at = np.flatnonzero(store.rows["token"].str.starts_with(BIRTH).to_numpy())[::-1]
    born[store.row_sample[at]] = time[at]
    return born


def _aged(age: Callable[[Part], np.ndarray]) -> Facts:
    decades = range(0, 100, 10)
    texts = [f"age {one} to {one + 9}" for one in decades] + [f"age {one} or more" for one in decades[1:]]

    def at(part: Part) -> sp.sparray:
        years = age(part)
        bands = [(years >= one) & (years < one + 10) for one in decades]
        return sp.csr_array(np.column_stack([*bands, *(years >= one for one in decades[1:])]))

    return Facts("position", texts, at)


def _above(kind: str, values: Callable[[Part], np.ndarray], part: Part, unit: float, texts: tuple[str, str]) -> Facts:
    """Two literals for each twentieth: at least that, and less; missing values hold in neither."""
    here = values(part) / unit
    cuts = thresholds(here[np.isfinite(here)], TWENTIETHS)
    return _cut(
        kind, lambda part: values(part) / unit, cuts, [text.format(f"{cut:g}") for text in texts for cut in cuts]
    )


def _cut(kind: str, values: Callable[[Part], np.ndarray], cuts: list[float], texts: list[str]) -> Facts:
    def at(part: Part) -> sp.sparray:
        x = values(part)[:, None]
        with np.errstate(invalid="ignore"):
            return sp.csr_array(np.hstack([x >= np.array(cuts), x < np.array(cuts)]).reshape(len(x), -1))

    return Facts(kind, texts, at)


def thresholds(values: np.ndarray, quantiles: tuple[float, ...]) -> list[float]:
    """Values at which `values` [n] are split: their quantiles, rounded to 3 digits (4 from 1,000 on)."""
    distinct = np.unique(values)
    if len(distinct) < 2:
        return []
    digits = 4 if abs(values).max() >= 1000 else 3
    cuts = {float(f"{one:.{digits}g}") for one in np.quantile(values, quantiles)}
    return sorted(cut for cut in cuts if distinct[0] < cut <= distinct[-1])


def _of_subjects(covariates: Covariates, store: Store, part: Part) -> Iterator[Facts]:
    """A literal for each category, two for each threshold of a number; negative controls and times of events are left out."""
    for entry in covariates.schema["covariates"] if covariates.table is not None else ():
        if entry["level"] != "subject" or entry["role"] == "negative-control" or entry["type"] == "survival":
            continue
        values = per_sample(covariates.table, entry["name"], store)
        yield (_grouped if entry["type"] in ("binary", "categorical") else _numbered)(entry, values, part)


def _grouped(entry: dict, values: pl.Series, part: Part) -> Facts:
    """A literal a category."""
    categories = values.gather(part.samples).drop_nulls().unique().sort()
    codes = values.replace_strict(categories, range(len(categories)), default=-1, return_dtype=pl.Int64).to_numpy()

    def at(part: Part) -> sp.sparray:
        return sp.csr_array(codes[part.samples][part.sample_of][:, None] == np.arange(len(categories)))

    return Facts("covariate", [f"{entry['name']} is {one}" for one in categories], at)


def _numbered(entry: dict, values: pl.Series, part: Part) -> Facts:
    """At least a threshold, and below it: a level of an ordinal covariate, a quantile over the samples of another."""
    x = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    here = x[part.samples]
    levels = np.unique(here[np.isfinite(here)])
    few = entry["type"] == "ordinal" and len(levels) <= LEVELS
    cuts = levels[1:].tolist() if few else thresholds(here[np.isfinite(here)], QUANTILES)
    order = entry.get("order")
    said = [str(order[int(cut)]) if order and cut == int(cut) and cut < len(order) else f"{cut:g}" for cut in cuts]
    texts = [f"{entry['name']} at least {one}" for one in said] + [f"{entry['name']} below {one}" for one in said]
    return _cut("covariate", lambda part: x[part.samples][part.sample_of], cuts, texts)
