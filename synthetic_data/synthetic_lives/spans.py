"""Where concepts hold: the maximal runs of rows, as half-open intervals. The first row of a person is 0."""

import numpy as np
import pyarrow as pa

from synthetic_lives.people import People
from synthetic_lives.process import Lives
from synthetic_lives.rows import Rows, head_words
from synthetic_lives.world import World

SPANS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),
        pa.field("start", pa.uint32(), nullable=False),
        pa.field("end", pa.uint32(), nullable=False),
    ]
)


def spans(world: World, people: People, lives: Lives, table: Rows) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """The table by subject, concept and start; for each concept the persons [C] and the rows [C] that it covers.

    A spell or conjunction covers whole events, a token concept the rows of its codes, a person concept the whole record.
    """
    place = {concept.name: i for i, concept in enumerate(world.concepts)}
    parts = []
    for concept in world.tokens:
        inside = np.concatenate([np.zeros(head_words(world), bool), world.vocabulary.mask(concept.topics)])
        first, last = _runs(inside[table.word], table.person)
        row = np.arange(len(table.person)) - (table.length.cumsum() - table.length)[table.person]
        parts.append((place[concept.name], table.person[first], row[first], row[last] + 1))
    for i, concept in enumerate(world.moving):
        first, last = _runs(lives.holds[:, i], lives.person)
        end = table.first[last] + table.size[last]
        parts.append((place[concept.name], lives.person[first], table.first[first], end))
    for concept in world.persons:
        has = np.flatnonzero(people.traits[concept.name])
        parts.append((place[concept.name], has, np.zeros(len(has), int), table.length[has]))
    return _table(world, people, parts)


def _runs(holds: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last place of each maximal run of `holds` within a person."""
    same = np.concatenate([[False], person[1:] == person[:-1]])
    before = np.concatenate([[False], holds[:-1]]) & same
    after = np.concatenate([holds[1:] & same[1:], [False]])
    return np.flatnonzero(holds & ~before), np.flatnonzero(holds & ~after)


def _table(world: World, people: People, parts: list) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    rank = np.concatenate([np.full(len(person), which) for which, person, _, _ in parts])
    person, start, end = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
    order = np.lexsort((start, rank, person))
    rank, person, start, end = rank[order], person[order], start[order], end[order]
    names = pa.array([concept.name for concept in world.concepts])
    columns = [
        pa.array(people.subject_id[person]),
        names.take(pa.array(rank)),
        pa.array(start.astype(np.uint32)),
        pa.array(end.astype(np.uint32)),
    ]
    many = len(world.concepts)
    covered = np.bincount(rank, end - start, many).astype(np.int64)
    persons = np.bincount(np.unique(rank * len(people.birth) + person) // len(people.birth), minlength=many)
    return pa.Table.from_arrays(columns, schema=SPANS), persons, covered
