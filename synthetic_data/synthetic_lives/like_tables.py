"""Label tables and annotations drawn from the margins of a profile, each by itself."""

from pathlib import Path

import numpy as np
import polars as pl

from synthetic_lives import like_draw as draw
from synthetic_lives.like_checks import as_text
from synthetic_lives.like_covariates import SMALLEST_SHARE

KINDS = {"integer_value": (pl.Int64, 2.0**62), "float_value": (pl.Float32, draw.FLOAT32)}
"""Column to its type and the largest number that is written into it."""


def write_labels(folder: Path, entries: list[dict], events: pl.DataFrame, rng: np.random.Generator) -> None:
    """labels/NAME.parquet for each label table; a prediction time is the time of one of the person's own events.

    Args:
        events: `subject_id`, `time` of dated events (not of births), by person and time.
    """
    for entry in entries if len(events) else ():
        (folder / "labels").mkdir(exist_ok=True)
        _label_table(entry, events, rng).write_parquet(folder / "labels" / f"{entry['name']}.parquet")


def _label_table(entry: dict, events: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    persons = events["subject_id"].unique(maintain_order=True).to_numpy()
    bounds = np.searchsorted(events["subject_id"].to_numpy(), np.append(persons, persons[-1] + 1))
    # No more labels than events: a prediction time is one of theirs, and each has one label.
    count = np.minimum(_at_least_one(entry["per_subject"], len(persons), rng), np.diff(bounds))
    owner = np.repeat(np.arange(len(persons)), count)
    seen = draw.numbers(entry["seen"], rng.random(len(owner)), least=0.0, middle=0.5)
    size = (bounds[1:] - bounds[:-1])[owner]
    place = np.clip(np.ceil(np.nan_to_num(seen, nan=0.5) * size).astype(np.int64) - 1, 0, size - 1)
    time = events["time"].gather(bounds[:-1][owner] + place)
    table = pl.DataFrame({"subject_id": persons[owner], "prediction_time": time})
    values = [_values(column, margin, len(table), rng) for column, margin in sorted(entry["values"].items())]
    # One label a person and time: a second one could contradict the first.
    once = table.with_columns(*values).unique(["subject_id", "prediction_time"], keep="first", maintain_order=True)
    return once.sort("subject_id", "prediction_time")


def _at_least_one(margin: dict, n: int, rng: np.random.Generator) -> np.ndarray:
    """[n] how many each person has; somebody has one, or the table would be empty."""
    count = np.nan_to_num(draw.numbers(margin, draw.ranks(n, rng), least=0.0, middle=1.0)).astype(np.int64)
    if not count.any():
        count[0] = 1
    return count


def _values(column: str, margin: dict | None, n: int, rng: np.random.Generator) -> pl.Series:
    u = draw.ranks(n, rng)
    if column == "boolean_value":
        return pl.Series(column, u < _share_true(margin))
    if column == "categorical_value":
        return pl.Series(column, _named(margin, u), dtype=pl.String)
    kind, most = KINDS[column]
    return pl.Series(column, np.nan_to_num(draw.numbers(margin, u)).clip(-most, most)).cast(kind)


def _share_true(margin: dict | None) -> float:
    """Share of labels that are true, away from none and all: both occur, as the column says."""
    levels = margin["levels"] if margin else []
    weight = draw.weights(levels) if levels else np.zeros(0)
    if not weight.sum():
        return 0.5
    share = sum(part for level, part in zip(levels, weight, strict=True) if level["value"] == "true") / weight.sum()
    return float(np.clip(share, SMALLEST_SHARE, 1 - SMALLEST_SHARE))


def _named(margin: dict | None, u: np.ndarray) -> list[str]:
    """A category at each rank, `other` where the profile names none."""
    return [value or "other" for value in draw.categories(margin, u)] if margin else ["other"] * len(u)


def write_annotations(
    folder: Path,
    entries: list[dict],
    schema: list[dict],
    ids: np.ndarray | list[str],
    lengths: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """annotations.parquet: spans at random places of each record.

    Args:
        schema: entries of the profile's covariates, for what kind of values are wanted.
        lengths: [persons] events or letters of each record.
    """
    known = {entry["schema"]["name"]: entry["schema"] for entry in schema}
    plain = {"type": "categorical"}
    made = [_annotated(entry, known.get(entry["covariate"], plain), ids, lengths, rng) for entry in entries]
    if made:
        pl.concat(made).write_parquet(folder / "annotations.parquet")


def _annotated(
    entry: dict, document: dict, ids: np.ndarray | list[str], lengths: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    owner = np.repeat(np.arange(len(lengths)), _at_least_one(entry["per_subject"], len(lengths), rng))
    size = np.nan_to_num(draw.numbers(entry["length"], rng.random(len(owner)), least=1.0, middle=1.0), nan=1.0)
    size = np.minimum(size.astype(np.int64), lengths[owner])
    start = np.floor(rng.random(len(owner)) * (lengths[owner] - size + 1)).astype(np.int64)
    return pl.DataFrame(
        {
            "subject_id": pl.Series(ids).gather(owner),
            "start": start,
            "end": start + size,
            "covariate": pl.Series([entry["covariate"]] * len(owner), dtype=pl.String),
            "value": pl.Series(_mentions(entry, document, draw.ranks(len(owner), rng)), dtype=pl.String),
        }
    )


def _mentions(entry: dict, document: dict, u: np.ndarray) -> list[str]:
    margin, order = entry["values"], document.get("order")
    if document["type"] in ("continuous", "ordinal") and not order:
        drawn = np.nan_to_num(draw.numbers(margin if margin and "bins" in margin else None, u))
        return [repr(float(value)) for value in drawn]
    values = _named(margin, u)
    if order:
        levels = [as_text(value) for value in order]
        return [value if value in levels else levels[0] for value in values]
    positive = document.get("positive")
    wanted = None if positive is None else as_text(positive)
    return values if wanted is None or wanted in values else [wanted, *values[1:]]  # it must occur once
