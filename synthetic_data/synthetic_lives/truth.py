"""What was planted, where it holds, and how well it can be predicted: truth_spans.parquet and truth.json."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from synthetic_lives.codes import vocabulary
from synthetic_lives.concepts import CONCEPTS, TOKENS, Concept
from synthetic_lives.covariates import STATUS
from synthetic_lives.people import People
from synthetic_lives.process import MOVING, TRAITS, Lives
from synthetic_lives.tables import write_parquet

SPANS = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),
        pa.field("start", pa.uint32(), nullable=False),
        pa.field("end", pa.uint32(), nullable=False),
    ]
)


def spans(people: People, lives: Lives) -> pl.DataFrame:
    """The maximal runs in which a concept holds, as half-open event indices; the birth is event 0."""
    parts = [_runs(people, concept.name, holds) for concept, holds in _moving(lives)]
    for concept in TRAITS:
        has = np.flatnonzero(people.traits[concept.name])
        whole = people.n_events[has] + 1  # + 1: the birth
        parts.append(_table(people.subject_id[has], concept.name, np.zeros(len(has)), whole))
    order = [concept.name for concept in CONCEPTS]
    rank = pl.col("concept").replace_strict(order, list(range(len(order))))
    return pl.concat(parts).sort("subject_id", rank, "start")


def write(folder: Path, people: People, lives: Lives, table: pl.DataFrame, arguments: dict) -> None:
    """truth_spans.parquet and truth.json."""
    write_parquet(folder / "truth_spans.parquet", table, SPANS)
    rows = int(people.n_events.sum()) + len(people.n_events)
    document = {
        "format": 1,
        "generator": {"name": "synthetic-lives", **arguments},
        "concepts": [_describe(concept, table, len(people.n_events), rows) for concept in CONCEPTS],
        "covariates": [{"name": name, **status} for name, status in STATUS.items()],
        "loss": _loss(lives),
    }
    (folder / "truth.json").write_text(json.dumps(document, indent=1) + "\n")


def _moving(lives: Lives):
    """Each concept that comes and goes, with [P, LONGEST] bool of the events in which it holds."""
    alive = lives.code >= 0
    for concept in TOKENS:
        yield concept, vocabulary().mask(concept.topics)[lives.code] & alive
    for i, concept in enumerate(MOVING):
        yield concept, lives.holds[:, :, i] & alive


def _runs(people: People, name: str, holds: np.ndarray) -> pl.DataFrame:
    edges = np.diff(np.pad(holds, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    person, start = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    return _table(people.subject_id[person], name, start + 1, end + 1)  # + 1: the birth stands before them


def _table(subject_id: np.ndarray, name: str, start: np.ndarray, end: np.ndarray) -> pl.DataFrame:
    columns = {"subject_id": subject_id, "start": start.astype(np.uint32), "end": end.astype(np.uint32)}
    return pl.DataFrame(columns).with_columns(concept=pl.lit(name))


def _describe(concept: Concept, table: pl.DataFrame, persons: int, rows: int) -> dict:
    mine, words = table.filter(pl.col("concept") == concept.name), vocabulary()
    events = int((mine["end"].cast(pl.Int64) - mine["start"].cast(pl.Int64)).sum())
    return {
        "name": concept.name,
        "level": concept.level,
        "description": concept.description,
        "codes": words.members(concept.topics) or None,
        "rule": concept.rule.document(words) if concept.rule else None,
        "prevalence_persons": round(mine["subject_id"].n_unique() / persons, 6),
        "prevalence_events": round(events / rows, 6),
        "shifts": _shifts(concept),
        "effects": concept.effects,
    }


def _shifts(concept: Concept) -> str:
    if not concept.effects:
        return "Shifts nothing by itself: the code is the concept."
    raised = [topic for topic, size in concept.effects.items() if size > 0]
    lowered = [topic for topic, size in concept.effects.items() if size < 0]
    when = "in the whole life" if concept.level == "person" else "after the event that starts it"
    return f"Makes codes of {', '.join(raised)} likelier and codes of {', '.join(lowered)} rarer {when}."


def _loss(lives: Lives) -> dict:
    """Births are not drawn and not counted. `unigram`: entropy of the code frequencies in these lives."""
    drawn = lives.code[lives.code >= 0]
    share = np.bincount(drawn, minlength=len(vocabulary().codes)) / len(drawn)
    share = share[share > 0]
    return {
        "unit": "nats per event",
        "unigram": round(float(-(share * np.log(share)).sum()), 6),
        "oracle": round(float(lives.nats.sum() / len(drawn)), 6),
        "n_events": len(drawn),
    }
