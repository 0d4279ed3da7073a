"""Covariates drawn from the margins of a profile, each by itself."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_lives import like_checks
from synthetic_lives import like_draw as draw

SMALLEST_SHARE = 0.02
"""Share of persons given a value that a profile may not name, where a covariate needs it to have two values."""
LONGEST = 10.0
"""Time to event is drawn from 0 to this where a profile has no margin of it."""


def write(folder: Path, entries: list[dict], ids: np.ndarray | list[str], rng: np.random.Generator) -> None:
    """covariates.parquet and its schema: the names, types and margins of the profile."""
    if not entries:
        return
    columns, documents = {"subject_id": ids}, []
    for entry in entries:
        document = dict(entry["schema"])
        for name in like_checks.columns(document):
            columns[name] = _column(document, entry["margins"].get(name), name, draw.ranks(len(ids), rng))
        documents.append(document)
    if len(columns) > 1:
        pl.DataFrame(columns).write_parquet(folder / "covariates.parquet")
    (folder / "covariates.schema.json").write_text(json.dumps({"covariates": documents}, indent=1) + "\n")


def _column(document: dict, margin: dict | None, name: str, u: np.ndarray) -> pl.Series:
    if document["type"] == "survival" and margin is None:
        return _unknown_survival(document, name, u)
    if margin is None and (document["type"] in like_checks.GROUPED or "order" in document):
        margin = {"levels": [], "other": len(u), "missing": 0}
    if margin is None or "bins" in margin:
        return _numbers(margin, u)
    numeric = document["type"] == "ordinal" and "order" not in document
    values = draw.categories(margin, u, 0.0 if numeric else "other")
    if document["type"] in ("binary", "ordinal"):
        values = _at_least_two(values, _wanted(document, margin, values), u)
    if document["type"] == "categorical" and "positive" in document:
        values = _once(values, like_checks.as_text(document["positive"]), u)
    return pl.Series(values, strict=False)


def _unknown_survival(document: dict, name: str, u: np.ndarray) -> pl.Series:
    """A survival column without a margin: any time, an early entry, an even yes and no."""
    if name == document.get("time"):
        return pl.Series(LONGEST * (0.1 + 0.9 * u))
    return pl.Series(0.1 * LONGEST * u) if name == document.get("entry") else pl.Series(u < 0.5)


def _numbers(margin: dict | None, u: np.ndarray) -> pl.Series:
    found = draw.numbers(margin, u)
    if len(np.unique(found[~np.isnan(found)])) < 2:  # a covariate needs two values
        found[np.argsort(u, kind="stable")[:2]] = [0.0, 1.0]
    return pl.Series(found).fill_nan(None)


def _wanted(document: dict, margin: dict, values: list) -> list:
    """The levels that are to occur: those named, and a second one where the profile may name only one (or none)."""
    if document["type"] == "binary":
        named = [level["value"] for level in margin["levels"]]
        positive = [like_checks.as_text(document["positive"])] if "positive" in document else []
        return list(dict.fromkeys([*named, *positive, "other", "another"]))[:2]
    order = document.get("order")
    present = [value for value in dict.fromkeys(values) if value is not None]
    wanted = present if order is None else [str(value) for value in order]
    if len(wanted) < 2:
        numeric = order is None and all(isinstance(value, int | float) for value in wanted)
        spare = [max(wanted, default=0.0) + 1.0, -1.0] if numeric else ["other", "another"]
        wanted = [*wanted, *spare][:2]
    if order is not None:
        document["order"] = wanted
    return wanted


def _at_least_two(values: list, wanted: list, u: np.ndarray) -> list:
    """The values with only the wanted levels, each of which occurs."""
    values = [value if value is None or value in wanted else wanted[-1] for value in values]
    share = max(1, int(SMALLEST_SHARE * len(u)))
    places = np.argsort(u, kind="stable")
    for number, level in enumerate(wanted):
        if level not in values:
            for place in places[number * share : (number + 1) * share]:
                values[place] = level
    return values


def _once(values: list, wanted: str, u: np.ndarray) -> list:
    """The values with the wanted one among them."""
    if wanted not in values:
        values[int(np.argmin(u))] = wanted
    return values
