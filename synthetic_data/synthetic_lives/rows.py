"""Events as rows: the birth, the static codes, and one row for every code of an event. Also the data files themselves."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic_lives.codes import BIRTH
from synthetic_lives.people import People
from synthetic_lives.process import Lives
from synthetic_lives.world import World

DATA = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us")),
        pa.field("code", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("numeric_value", pa.float32()),
    ]
)


@dataclass(frozen=True)
class Rows:
    """The R rows of a block, by person and time, and where its E events stand among them."""

    person: np.ndarray
    """[R] place in People."""
    time: np.ndarray
    """[R] seconds since 1970; NEVER for static rows."""
    word: np.ndarray
    """[R] place in `words`."""
    value: np.ndarray
    """[R] float64, nan where there is none."""
    event: np.ndarray
    """[R] place in Lives, -1 for static rows and births."""
    first: np.ndarray
    """[E] row of the person at which the event begins; the first row of a person is 0."""
    size: np.ndarray
    """[E] rows of the event."""
    length: np.ndarray
    """[P] rows of each person."""


NEVER = np.iinfo(np.int64).min


def words(world: World) -> list[str]:
    """Every code that may be written: birth, static codes, then the vocabulary."""
    return [BIRTH, *(code for pair in world.static.values() for code in pair), *world.vocabulary.codes]


def rows(world: World, people: People, lives: Lives, value_field: int) -> Rows:
    """Lay the events of a block out as rows; an event's number goes to the row of the field `value_field`."""
    there = lives.tokens >= 0
    size = there.sum(axis=1)
    n, head = len(people.birth), world.head
    length = head + np.bincount(lives.person, size, n).astype(np.int64)
    start = length.cumsum() - length
    reached = size.cumsum() - size
    events = np.bincount(lives.person, minlength=n)
    opening = np.append(reached, size.sum())[events.cumsum() - events]  # rows of events before each person's first one
    first = head + reached - opening[lives.person]
    person = np.repeat(np.arange(n), length)
    table = {
        "time": np.full(len(person), NEVER),
        "word": np.zeros(len(person), np.int32),
        "value": np.full(len(person), np.nan),
        "event": np.full(len(person), -1),
    }
    event, field = np.nonzero(there)
    at = np.ones(len(person), bool)
    for row, code in enumerate(_head(world, people)):
        table["word"][start + row] = code
        at[start + row] = False
    table["time"][start + head - 1] = people.birth
    table["word"][at] = lives.tokens[event, field] + head_words(world)
    table["time"][at] = lives.time[event]
    table["event"][at] = event
    table["value"][at] = np.where(field == value_field, lives.value[event], np.nan)
    return Rows(person=person, first=first, size=size, length=length, **table)


def head_words(world: World) -> int:
    """Words that stand before the vocabulary's."""
    return 1 + 2 * len(world.static)


def _head(world: World, people: People) -> list[np.ndarray]:
    """Word [P] of each row before the first event: the static codes, then the birth."""
    static = [1 + 2 * i + people.traits[name].astype(int) for i, name in enumerate(world.static)]
    return [*static, np.zeros(len(people.birth), int)]


def write(path: Path, table: Rows, people: People, names: list[str]) -> None:
    """A data file after MEDS v0.4; subjects ascending, times ascending within a subject."""
    time = pa.array(table.time * 1_000_000 * (table.time != NEVER), pa.int64(), mask=table.time == NEVER)
    columns = [
        pa.array(people.subject_id[table.person]),
        time.cast(pa.timestamp("us")),
        pa.DictionaryArray.from_arrays(pa.array(table.word, pa.int32()), pa.array(names)),
        pa.array(table.value.astype(np.float32), mask=np.isnan(table.value)),
    ]
    # Without Arrow's own schema in the file, codes are read as plain strings wherever they are read.
    with pq.ParquetWriter(path, DATA, compression="zstd", store_schema=False) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=DATA))
