"""A stand-in for data that may not leave: the same form, drawn from a profile of its margins alone.

What stands in the profile is all that is known here, and a profile holds no word on how two variables go together.
So nothing in the stand-in depends on anything else beyond these margins: no feature found in it means anything, and no
covariate can be predicted. It is there so that a study's config, code and report can be built and tested where the data may not be.
"""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import polars as pl

from synthetic_lives import like_covariates, like_events, like_people, like_profile, like_sequences, like_tables

BLOCK = 20_000
"""Persons in one data file, each file drawn from a random stream of its own: workers change nothing but the time it takes."""
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
    _check(out, n, seed, workers)
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _fill(building, known, n, seed, workers)
        building.chmod(0o755)  # mkdtemp makes a folder that only its owner can read
        if out.exists():
            out.rmdir()  # empty, as checked above
        building.rename(out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return out


def _check(out: Path, persons: int, seed: int, workers: int) -> None:
    for name, value, least in (("persons", persons, 2), ("seed", seed, 0), ("workers", workers, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name}: {value!r} is not a whole number of at least {least}")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: a file stands there; choose another folder")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out}: the folder is not empty; remove it or choose another")


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
    starts = range(0, n, BLOCK)
    width = len(str(len(starts) - 1))
    jobs = [
        (folder / "data" / f"{number:0{width}d}.parquet", events, span.part(low, low + BLOCK), low + 1, seed, number,
         bool(known["labels"])) for number, low in enumerate(starts)
    ]  # fmt: skip
    counts, times = zip(*_done(jobs, workers), strict=True)
    _write_metadata(folder, events)
    return np.concatenate(counts), pl.concat(times)


def _done(jobs: list[tuple], workers: int) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
    """Each job's result in order, made by so many processes."""
    if workers == 1 or len(jobs) == 1:
        yield from map(_block, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_block, jobs)


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
