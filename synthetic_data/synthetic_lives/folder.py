"""From arguments to the folder on disk."""

import json
from contextlib import ExitStack
from math import isfinite
from pathlib import Path

import pyarrow.parquet as pq

from synthetic_lives import documents, metadata, truth
from synthetic_lives.block import Job, Made, Tally
from synthetic_lives.building import MOST_PERSONS, building, whole
from synthetic_lives.covariate_schema import SCHEMA
from synthetic_lives.workers import made
from synthetic_lives.worlds import PRESETS, world

FEWEST = 50
"""Persons; with fewer, the rare trait and the strata of the covariates are empty."""


def make(
    out: Path,
    persons: int | None = None,
    seed: int = 0,
    strength: float = 2.0,
    preset: str = "small",
    workers: int = 1,
    documents: bool = False,
) -> Path:
    """Write synthetic lives into the new folder `out`; the same arguments give the same bytes, with any number of workers.

    Args:
        persons: number of lives; None takes the preset's.
        seed: a whole number from 0 on; every block of people and every table has a stream of its own from it.
        strength: multiplies every effect that a concept has, on the logits of events, on incomes and on hazards: 0
            plants nothing, the README's numbers hold for 2.
        preset: `tiny` (300 persons) and `small` (6,000) of the small world, `full` (20,000) of the full one.
        workers: processes that make blocks of 2,000 persons side by side; more than three are not started.
        documents: write Life2Vec documents and vocabulary, too.

    The folder appears whole or not at all. Returns `out`.

    Raises ValueError, one line each, if an argument is out of range or `out` is not free.
    """
    out = Path(out)
    _check(persons, seed, strength, preset, workers)
    job = Job(Path(), PRESETS[preset].world, persons or PRESETS[preset].persons, seed, float(strength), documents)
    with building(out) as folder:
        _fill(Job(**{**vars(job), "folder": folder}), preset, workers)
    return out


def _check(persons: int | None, seed: int, strength: float, preset: str, workers: int) -> None:
    if preset not in PRESETS:
        raise ValueError(f"preset: {preset!r} is not known; choose one of {', '.join(PRESETS)}")
    if persons is not None:
        whole("persons", persons, FEWEST, MOST_PERSONS, "files are numbered with five digits, 2,000 lives each")
    whole("seed", seed, 0)
    whole("workers", workers, 1)
    if not isinstance(strength, int | float) or not isfinite(strength) or not 0 <= strength <= 10:
        raise ValueError(f"strength: {strength!r} is not a number from 0 to 10; 2 is the usual one")


def _fill(job: Job, preset: str, workers: int) -> None:
    here = world(job.world)
    for name in ("data", "metadata", "labels"):
        (job.folder / name).mkdir()
    if job.documents:
        (job.folder / "life2vec" / "documents").mkdir(parents=True)
        documents.write_vocabulary(job.folder / "life2vec" / "vocabulary.tsv", here)
    arguments = {"preset": preset, "persons": job.persons, "seed": job.seed, "strength": job.strength}
    metadata.write(job.folder / "metadata", here, arguments)
    (job.folder / "covariates.schema.json").write_text(json.dumps({"covariates": SCHEMA}, indent=1) + "\n")
    truth.write(job.folder / "truth.json", here, _collect(job, workers), arguments)


def _collect(job: Job, workers: int) -> Tally:
    """Append each block's rows to the tables as the blocks come, in their order; the sums of all."""
    total = None
    with ExitStack() as stack:
        writers: dict[str, pq.ParquetWriter] = {}
        for part in made(job, workers):
            _append(job.folder, part, writers, stack)
            if total is None:
                total = part.tally
            else:
                total.add(part.tally)
    return total


def _append(folder: Path, part: Made, writers: dict[str, pq.ParquetWriter], stack: ExitStack) -> None:
    for name, table in part.tables.items():
        if name not in writers:
            writer = pq.ParquetWriter(folder / name, table.schema, compression="zstd")
            writers[name] = stack.enter_context(writer)
        writers[name].write_table(table)
