"""Targets: each covariate, or each category of one, as a column of numbers over the units of a view.

A unit is a sample of the view (level subject), an event of a sample (level event) or a row (level token). NaN: missing, or not in
this comparison.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from seqsae.activations.store import Store
from seqsae.associations.observations import cluster_codes, split_of, subject_of
from seqsae.associations.origins import looks_ahead
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.columns import as_text, listed
from seqsae.records.covariates import Covariates, check_levels, numbers
from seqsae.records.follow_up import PARTS, column_of

TESTED = ("target", "negative-control")  # the other roles are what associations are adjusted for
MIN_LEVEL_N = 5  # clusters a category needs in the select and in the test split


@dataclass(frozen=True)
class Target:
    """One column to be tied to features."""

    covariate: str
    category: str | None
    kind: str
    """binary, categorical, ordinal, continuous."""
    unit: str
    """subject, event or token."""
    y: np.ndarray
    """[units] float64: 0 and 1, or any increasing scale, or the time at which observation ended; NaN where it does not count."""
    follow: np.ndarray | None = None
    """[units, 3] survival: when observation began, whether the event ended it, and whether a competing event did."""
    looks_ahead: bool = False
    """Whether features may count what came after follow-up began; of those who died early they then count little."""
    same_as: str | None = None
    """The confounder that puts all units in the same order, so that beyond it there is no effect; None: no such one."""

    @property
    def is_binary(self) -> bool:
        return self.kind in ("binary", "categorical")

    @property
    def is_survival(self) -> bool:
        return self.follow is not None

    @property
    def effect_name(self) -> str:
        """Of the crude effect."""
        return "C-index" if self.is_survival else "AUROC" if self.is_binary else "spearman"

    @property
    def nothing(self) -> float:
        """The crude effect of no tie at all."""
        return 0.0 if self.effect_name == "spearman" else 0.5


def targets(covariates: Covariates, store: Store) -> list[Target]:
    """Every target there is for the view of `store`, in the schema's order."""
    found: list[Target] = []
    for entry in covariates.schema["covariates"]:
        if entry["role"] not in TESTED:
            continue
        if entry["type"] == "survival" and store.samples["subject"].is_duplicated().any():
            say(
                f"covariate {entry['name']!r}: survival holds once for each subject, and view {store.view} has several samples of some: not tested"
            )
        elif entry["type"] == "survival":
            found.append(_of_follow_up(entry, covariates, store))
        elif entry["level"] != "subject" and is_pooled(store):
            say(f"covariate {entry['name']!r}: annotations hold at single events, and rows here are pooled: not tested")
        elif entry["level"] != "subject":
            found += _of_annotations(entry, covariates, store)
        else:
            found += _of_column(entry, covariates, store)
    found += _of_labels(covariates, store)
    return [_without_empty(target, store) for target in found]


def supported(found: list[Target], covariates: Covariates, store: Store) -> list[Target]:
    """The targets with enough clusters on either side in the select and in the test split; how many have not is said."""
    kept, lost = _parted(found, covariates, store)
    for line in lost:
        say(f"{line}: not tested")
    return kept


def why_none(found: list[Target], covariates: Covariates, store: Store) -> str:
    """Why none of the targets is `supported`."""
    lost, entries = _parted(found, covariates, store)[1], covariates.schema["covariates"]
    if lost:
        why = "; ".join(lost[:3]) + ("; ..." if len(lost) > 3 else "")
    elif entries and not any(entry["role"] in TESTED for entry in entries):
        why = f"{listed([entry['name'] for entry in entries])}: no role is target; give it to what is to be tested"
    elif entries:
        why = f"{listed([entry['name'] for entry in entries])}: nothing of it can be compared in this view"
    else:
        why = "there is none; add covariates to the schema, or annotations or labels to the data"
    return f"no covariate has enough subjects in the select and test splits to be tied to anything: {why}"


def _parted(found: list[Target], covariates: Covariates, store: Store) -> tuple[list[Target], list[str]]:
    """The targets with enough clusters, and a line for each covariate that has others."""
    least = {entry["name"]: entry.get("min_level_n") or MIN_LEVEL_N for entry in covariates.schema["covariates"]}
    kept, lost = [], {}
    for target in found:
        needed = least.get(target.covariate, MIN_LEVEL_N)
        if min(clusters_on_a_side(target, store, split) for split in ("select", "test")) >= needed:
            kept.append(target)
        else:
            lost.setdefault((target.covariate, target.kind, needed), []).append(target.category)
    return kept, [_too_few(*key, categories) for key, categories in lost.items()]


def _too_few(covariate: str, kind: str, needed: int, categories: list[str | None]) -> str:
    where = f"fewer than {needed} clusters"
    if kind in ("binary", "categorical"):
        what = f"{len(categories)} categor{'y' if len(categories) == 1 else 'ies'}: {listed(categories)}"
        return f"covariate {covariate!r} ({what}): {where} on one side in the select or the test split"
    side = "have the event" if kind == "survival" else "are off its commonest value"
    return f"covariate {covariate!r}: {where} {side} in the select or the test split"


def is_pooled(store: Store) -> bool:
    """Whether rows stand for whole samples, so that none of them is an event."""
    return bool((store.rows["role"] == "pooled").any())


def _without_empty(target: Target, store: Store) -> Target:
    """A sample without rows is no observation: its pooled zeros are no values of any unit."""
    if target.unit != "subject":
        return target
    y = np.where(store.samples["n_rows"].to_numpy() > 0, target.y, np.nan)
    return replace(target, y=y)


def _of_follow_up(entry: dict, covariates: Covariates, store: Store) -> Target:
    """Time to an event, from entry on; a competing event that came first ends observation without it (cause-specific)."""
    parts = {part: column_of(entry["name"], part) for part in PARTS if entry.get(part)}
    column = {
        part: per_sample(covariates.table, name, store).cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
        for part, name in parts.items()
    }
    entered = column.get("entry", np.zeros(len(column["time"])))
    competed = column.get("competing", np.zeros(len(entered))) == 1
    event = np.where(competed, 0.0, column["event"])
    known = np.isfinite(column["time"]) & np.isfinite(event) & np.isfinite(entered)
    y, follow = np.where(known, column["time"], np.nan), np.column_stack([entered, event, competed])
    return Target(entry["name"], None, "survival", "subject", y, follow, looks_ahead(entry, store))


def _of_column(entry: dict, covariates: Covariates, store: Store) -> list[Target]:
    column = per_sample(covariates.table, entry["name"], store)
    if entry["type"] == "categorical" and entry.get("missing") == "level":
        column = column.fill_null("missing")
    if entry["type"] in ("ordinal", "continuous"):
        y = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return [Target(entry["name"], None, entry["type"], "subject", y)]
    if entry["type"] == "binary":
        return [_one(entry, column, _positive(entry, covariates.table[entry["name"]]))]
    if entry.get("within"):
        strata = [per_sample(covariates.table, other, store).cast(pl.String) for other in entry["within"]]
        return _within(entry, column, strata)
    return [_one(entry, column, category) for category in column.drop_nulls().unique().sort()]


def per_sample(table: pl.DataFrame | None, name: str, store: Store) -> pl.Series:
    """[n_samples] a covariate of each sample's subject, null where it has none. Raises SeqsaeError if there is no such column."""
    if table is None or name not in table.columns:
        raise SeqsaeError(f"covariate {name!r} has no column; give the covariate table with the schema")
    return store.samples.select("subject").join(
        table.select("subject", name), on="subject", how="left", maintain_order="left"
    )[name]


def _positive(entry: dict, column: pl.Series) -> str:
    given = entry.get("positive")
    return column.drop_nulls().unique().sort()[-1] if given is None else as_text(given)


def _one(entry: dict, column: pl.Series, category: str, counts: np.ndarray | None = None) -> Target:
    y = (column == category).cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    if counts is not None:
        y[~counts] = np.nan
    return Target(entry["name"], category, entry["type"], "subject", y)


def _within(entry: dict, column: pl.Series, strata: list[pl.Series]) -> list[Target]:
    """A target for each category and stratum: the category against the rest of the same stratum."""
    stratum = pl.select(pl.concat_str(strata, separator=", ")).to_series()
    found = []
    for name in stratum.drop_nulls().unique().sort():
        here = (stratum == name).fill_null(False).to_numpy()
        categories = column.filter(here).drop_nulls().unique().sort()
        for category in categories if len(categories) > 1 else []:
            target = _one(entry, column, category, here)
            found.append(Target(entry["name"], f"{category} ({name})", target.kind, "subject", target.y))
    return found


def _of_annotations(entry: dict, covariates: Covariates, store: Store) -> list[Target]:
    name, unit = entry["name"], entry["level"]
    spans = annotations_of(covariates, name)
    if entry["type"] in ("ordinal", "continuous"):
        y = numbers(values_at(spans, name, store, unit), entry, "annotations").fill_null(float("nan")).to_numpy()
        return [Target(name, None, entry["type"], unit, y)]
    counts = np.isin(subject_of(store, unit), spans["sample"].unique().to_numpy())
    categories = spans["value"].unique().sort()
    check_levels(name, len(categories), len(spans), "annotations")
    if entry["type"] == "binary":
        categories = [_positive(entry, spans["value"])]
    found = []
    for category in categories:
        held = values_at(spans.filter(pl.col("value") == category), name, store, unit)
        y = held.is_not_null().cast(pl.Float64).to_numpy().copy()
        y[~counts] = np.nan
        found.append(Target(name, category, entry["type"], unit, y))
    return found


def annotations_of(covariates: Covariates, name: str) -> pl.DataFrame:
    """The annotations of one covariate. Raises SeqsaeError if there are none."""
    there = covariates.annotations
    spans = None if there is None else there.filter(pl.col("covariate") == name)
    if spans is None or not len(spans):
        raise SeqsaeError(f"covariate {name!r} is in no annotation; give annotations, or take it out of the schema")
    return spans


def values_at(annotations: pl.DataFrame, covariate: str, store: Store, unit: str) -> pl.Series:
    """[units] the annotation's value at each row or event, null where none holds. Keyed by subject and event, so it fits every view."""
    spans = annotations.filter(pl.col("covariate") == covariate)
    events = spans.select(
        pl.col("sample").alias("subject"), pl.int_ranges("start", "end", dtype=pl.UInt32).alias("event"), "value"
    ).explode("event")
    event = store.events.event if unit == "event" else store.rows["event"]
    units = pl.DataFrame({"subject": subject_of(store, unit), "event": event}, schema_overrides={"event": pl.UInt32})
    first = events.unique(["subject", "event"], keep="first", maintain_order=True)
    return units.join(first, on=["subject", "event"], how="left", maintain_order="left")["value"]


def _of_labels(covariates: Covariates, store: Store) -> list[Target]:
    """The value columns of the view's own label table, at the samples' subjects and prediction times."""
    table = covariates.labels.get(store.view.removesuffix("-masked"))
    if table is not None:
        keys = ["subject", "prediction_time"]
        table = store.samples.select(keys).join(table, on=keys, how="left", maintain_order="left")
    found = []
    for column in [] if table is None else [name for name in table.columns if name.endswith("_value")]:
        values = table[column]
        if values.null_count() == len(values):
            continue
        name = f"{store.view.removesuffix('-masked')} {column.removesuffix('_value')}"
        if any(entry["name"] == name for entry in covariates.schema["covariates"]):
            raise SeqsaeError(f"covariate {name!r} is called like a label of the view {store.view!r}; rename it")
        if column in ("boolean_value", "categorical_value"):
            kind = "binary" if column == "boolean_value" else "categorical"
            text = values.cast(pl.String)
            categories = ["true"] if kind == "binary" else text.drop_nulls().unique().sort()
            check_levels(name, len(categories), len(text), f"labels {store.view!r}")
            found += [_one({"name": name, "type": kind}, text, category) for category in categories]
        else:
            found.append(
                Target(name, None, "continuous", "subject", values.cast(pl.Float64).fill_null(float("nan")).to_numpy())
            )
    return found


def clusters_on_a_side(target: Target, store: Store, part: str) -> int:
    """The smaller number of clusters in one split: with and without the category; with a value, and one off the commonest; with the event."""
    here = split_of(store, target.unit) == part
    y, cluster = target.y[here], cluster_codes(store, target.unit)[here]
    if target.is_binary:
        sides = [y == 1, y == 0]
    elif target.is_survival:
        sides = [np.isfinite(y), np.isfinite(y) & (target.follow[here, 1] == 1)]
    else:
        sides = [np.isfinite(y), np.isfinite(y) & (y != _commonest(y[np.isfinite(y)]))]
    return min(len(np.unique(cluster[side])) for side in sides)


def _commonest(y: np.ndarray) -> float:
    """The value that most of y [n] have; NaN of none."""
    values, counts = np.unique(y, return_counts=True)
    return values[counts.argmax()] if len(values) else np.nan
