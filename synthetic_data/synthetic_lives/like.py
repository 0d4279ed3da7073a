"""A stand-in for data that may not leave: the same form, drawn from a profile of its margins alone.

What stands in the profile is all that is known here, and a profile holds no word on how two variables go together.
So nothing in the stand-in depends on anything else beyond these margins: no feature found in it means anything, and no
covariate can be predicted. It is there so that a study's config, code and report can be built and tested where the data may not be.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl

from synthetic_lives import (
    like_bounds,
    like_covariates,
    like_events,
    like_people,
    like_profile,
    like_sequences,
    like_tables,
)
from synthetic_lives.building import MOST_PERSONS, building, whole
from synthetic_lives.workers import in_order

BLOCK = 20_000
"""Persons in one data file, each file drawn from a random stream of its own: workers change nothing but the time it takes."""
ROWS = 4_000_000
"""Rows in one data file, about: where persons have many events, a file holds fewer of them, so that memory stays bounded."""
_STREAMS = ("clusters", "splits", "labels", "sequences", "covariates", "annotations", "spans", "blocks")


def make_like(
    profile: dict | Path | str, out: Path | str, persons: int | None = None, seed: int = 0, workers: int = 1
) -> Path:
    """Write a synthetic stand-in for the data that `profile` describes into the new folder `out`, and return it.

    The same arguments give the same bytes, with any number of workers. The folder appears whole or not at all.

    Args:
        profile: a data profile, or the path of one.
        persons: subjects to draw; None: as many as were profiled.
        workers: processes that draw events.
    Raises:
        ValueError, one line each: no such profile, cut, of another version; an argument out of range; `out` is not free.
    """
    known = like_profile.read(profile)
    out = Path(out)
    n = known["subjects"] if persons is None else persons
    whole("persons", n, 2, MOST_PERSONS, "more than any register holds")
    whole("seed", seed, 0)
    whole("workers", workers, 1)
    like_bounds.check(known, n)
    with building(out) as folder:
        _fill(folder, known, n, seed, workers)
    return out


def _fill(folder: Path, known: dict, n: int, seed: int, workers: int) -> None:
    """Every table from its own random stream, so that a change to one leaves the others as they were."""
    streams = {name: np.random.default_rng([seed, place]) for place, name in enumerate(_STREAMS)}
    cluster = like_people.clusters(known["clusters"], n, streams["clusters"])
    if known["kind"] == "events":
        ids = np.arange(1, n + 1)
        lengths, dated = _events(folder, known, n, seed, workers)
        like_people.write_splits(folder, known["splits"], ids, cluster, streams["splits"])
        like_tables.write_labels(folder, known["labels"], dated, streams["labels"])
    else:
        ids = np.arange(1, n + 1) if known["id_type"] == "int" else [f"like-{number:07d}" for number in range(1, n + 1)]
        lengths = like_sequences.write(folder, known["sequences"], ids, streams["sequences"])
    like_people.write_subjects(folder, known["clusters"], ids, cluster)
    like_covariates.write(folder, known["covariates"], ids, streams["covariates"])
    like_tables.write_annotations(
        folder, known["annotations"], known["covariates"], ids, lengths, streams["annotations"]
    )


def _events(folder: Path, known: dict, n: int, seed: int, workers: int) -> tuple[np.ndarray, pl.DataFrame]:
    """The MEDS data and metadata; returns rows a person, and `subject_id`, `time` of dated events."""
    events = {**known["events"], "subjects": known["subjects"]}
    (folder / "data").mkdir()
    (folder / "metadata").mkdir()
    span = like_people.spans(events, n, np.random.default_rng([seed, _STREAMS.index("spans")]))
    if known["labels"] and not span.events.any():
        span.events[0] = 1  # a prediction time is the time of an event
    block = int(np.clip(ROWS // max(span.events.mean(), 1.0), 1, BLOCK))
    starts = range(0, n, block)
    width = len(str(len(starts) - 1))
    jobs = [
        (folder / "data" / f"{number:0{width}d}.parquet", events, span.part(low, low + block), low + 1, seed, number,
         bool(known["labels"])) for number, low in enumerate(starts)
    ]  # fmt: skip
    counts, times = zip(*in_order(_block, jobs, workers), strict=True)
    _write_metadata(folder, events)
    return np.concatenate(counts), pl.concat(times)


def _block(job: tuple) -> tuple[np.ndarray, pl.DataFrame]:
    """Write one file; rows a person, and the times of dated events where labels need them."""
    path, events, span, first_id, seed, number, labelled = job
    rng = np.random.default_rng([seed, _STREAMS.index("blocks"), number])
    table = like_events.write_block(path, events, span, first_id, rng)
    counts = np.bincount(table["subject_id"].to_numpy() - first_id, minlength=len(span.events))
    dated = table.filter(pl.col("time").is_not_null() & (pl.col("code") != "MEDS_BIRTH")).select("subject_id", "time")
    return counts, dated if labelled else dated.clear()


def _write_metadata(folder: Path, events: dict) -> None:
    """metadata/codes.parquet, every code that may be drawn, and dataset.json."""
    parents = {entry["code"]: entry.get("parent") for entry in [*events["codes"], *events["static_codes"]]}
    named = {*parents, *(parent for parent in parents.values() if parent), "MEDS_BIRTH", "MEDS_DEATH", "OTHER"}
    codes = sorted(named)
    above = [[parents[code]] if parents.get(code) else [] for code in codes]
    table = {
        "code": codes,
        "description": pl.Series([None] * len(codes), dtype=pl.String),
        "parent_codes": pl.Series(above, dtype=pl.List(pl.String)),
    }
    pl.DataFrame(table).write_parquet(folder / "metadata" / "codes.parquet")
    about = {"dataset_name": "stand-in", "etl_name": "synthetic_lives.like", "meds_version": "0.4.1"}
    (folder / "metadata" / "dataset.json").write_text(json.dumps(about, indent=1) + "\n")
