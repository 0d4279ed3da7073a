"""One block of people: its data file, its part of every table, and its sums. Blocks know nothing of each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from synthetic_lives import covariates, documents, labels, people, process, rows, spans, values, worlds
from synthetic_lives.people import BLOCK, People
from synthetic_lives.registers import Plain

SUBJECTS = pa.schema(
    [pa.field(name, kind, nullable=False) for name, kind in (("subject_id", pa.int64()), ("cluster", pa.string()))]
)
SPLITS = pa.schema(
    [pa.field(name, kind, nullable=False) for name, kind in (("subject_id", pa.int64()), ("split", pa.string()))]
)
SPLIT_NAMES = ("train", "tuning", "held_out")


@dataclass(frozen=True)
class Job:
    """What all blocks of a folder have in common."""

    folder: Path
    world: str
    persons: int
    seed: int
    strength: float
    documents: bool

    @property
    def blocks(self) -> int:
        return -(-self.persons // BLOCK)


@dataclass
class Tally:
    """Sums over blocks; added in the order of the blocks, so that they are the same with any number of workers."""

    persons: int
    rows: int
    counts: np.ndarray
    """[V] rows of each code that a softmax drew."""
    events: int
    """Events that a softmax drew; a sentence of several rows counts once."""
    nats: float
    worth: np.ndarray
    """[K] nats."""
    inside: np.ndarray
    """[K] drawn events in which the concept held beforehand."""
    had: np.ndarray
    """[C] persons who ever have each concept."""
    covered: np.ndarray
    """[C] rows that each concept covers."""
    endings: np.ndarray
    """[3] records closed, dead, gone."""

    def add(self, other: "Tally") -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class Made:
    """What a block hands back."""

    tables: dict[str, pa.Table]
    """Path within the folder to the block's rows."""
    tally: Tally


def make(job: Job, block: int) -> Made:
    """Make a block. Every table has a random stream of its own, so that a change to one leaves the others as they were."""
    with threadpool_limits(1):  # small products gain nothing from threads, and sums keep one order
        return _make(job, block)


def _make(job: Job, block: int) -> Made:
    world = worlds.world(job.world)
    who = people.draw(world, block, job.persons, job.seed)
    lives, outcome = process.live(world, who, job.strength, np.random.default_rng([job.seed, block, 2]))
    targets = covariates.draw(world, who, lives, outcome.ending, np.random.default_rng([job.seed, block, 3]))
    lives.value[:] = values.draw(world, lives, np.random.default_rng([job.seed, block, 4]))
    table = rows.rows(world, who, lives, (world.registers or Plain).value_field)
    rows.write(job.folder / "data" / f"{block:05d}.parquet", table, who, rows.words(world))
    if job.documents:
        documents.write(job.folder / "life2vec" / "documents" / f"{block:05d}.jsonl.gz", world, who, lives)
    held, had, covered = spans.spans(world, who, lives, table)
    tables = {"truth_spans.parquet": held, "covariates.parquet": targets, **_people(who)}
    for name, task in labels.tables(world, who, lives, outcome).items():
        tables[f"labels/{name}.parquet"] = task
    drawn = lives.topic < world.vocabulary.n_topics
    tokens = lives.tokens[drawn]
    tally = Tally(
        persons=len(who.birth),
        rows=len(table.person),
        counts=np.bincount(tokens[tokens >= 0], minlength=len(world.vocabulary.codes)),
        events=int(drawn.sum()),
        nats=float(lives.nats.sum()),
        worth=outcome.worth,
        inside=outcome.inside,
        had=had,
        covered=covered,
        endings=np.bincount(outcome.ending, minlength=3),
    )
    return Made(tables, tally)


def _people(who: People) -> dict[str, pa.Table]:
    cluster = pa.array([f"household-{number:07d}" for number in who.household])
    split = pa.array(SPLIT_NAMES).take(pa.array(who.split))
    return {
        "subjects.parquet": pa.Table.from_arrays([pa.array(who.subject_id), cluster], schema=SUBJECTS),
        "metadata/subject_splits.parquet": pa.Table.from_arrays([pa.array(who.subject_id), split], schema=SPLITS),
    }
