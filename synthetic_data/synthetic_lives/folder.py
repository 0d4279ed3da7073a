"""From arguments to the folder on disk."""

import json
import shutil
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from tempfile import mkdtemp

import pyarrow.parquet as pq

from synthetic_lives import documents, metadata, truth
from synthetic_lives.block import Job, Made, Tally
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
    _check_free(out)
    job = Job(Path(), PRESETS[preset].world, persons or PRESETS[preset].persons, seed, float(strength), documents)
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _fill(Job(**{**vars(job), "folder": building}), preset, workers)
        building.chmod(0o755)  # mkdtemp makes a folder that only its owner can read
        if out.exists():
            out.rmdir()  # empty, as checked above
        building.rename(out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return out


def _check(persons: int | None, seed: int, strength: float, preset: str, workers: int) -> None:
    if preset not in PRESETS:
        raise ValueError(f"preset: {preset!r} is not known; choose one of {', '.join(PRESETS)}")
    if persons is not None and (isinstance(persons, bool) or not isinstance(persons, int) or persons < FEWEST):
        raise ValueError(f"persons: {persons!r} is not a whole number; ask for {FEWEST} or more")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed: {seed!r} is not a whole number of at least 0; give one such as 0")
    if not isinstance(strength, int | float) or not isfinite(strength) or not 0 <= strength <= 10:
        raise ValueError(f"strength: {strength!r} is not a number from 0 to 10; 2 is the usual one")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers: {workers!r} is not a whole number of at least 1; 1 is always enough")


def _check_free(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: a file stands there; choose another folder")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out}: the folder is not empty; remove it or choose another")


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
