"""Life2Vec documents: one JSON object a person and line, and the vocabulary as a table (ID, TOKEN, CATEGORY).

The keys are those of that project's PersonDocument, the order of the vocabulary is the published one: ten general tokens,
background, months and years of birth, then the fields of an event, each sorted naturally.
"""

import gzip
import io
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np

from synthetic_lives.codes import OUTSIDE
from synthetic_lives.people import BORN, DAY, People
from synthetic_lives.process import CUT, Lives
from synthetic_lives.rules import YEAR
from synthetic_lives.world import World

GENERAL = ["[PAD]", "[CLS]", "[SEP]", "[MASK]", *(f"[PLCH{i}]" for i in range(5)), "[UNK]"]
BACKGROUND = ["F", "M", "DK", "NON_DK"]
REFERENCE = np.datetime64("2008-01-01", "s").astype(np.int64)
"""Day 1 of the absolute positions."""

ALONE = {"DIAG": "", "PATTYPE": "", "INDM": ""}
"""Fields whose tokens bear no prefix."""


def token(code: str) -> str:
    """The token of an event code: I21 for DIAG//I21, POS_2221 for POS//2221, EDU_ENROL_VOC for EDU//ENROL//VOC."""
    head, *rest = code.split("//")
    return "_".join([head, *rest] if head not in ALONE or not rest else rest)


def vocabulary(world: World) -> list[tuple[str, str]]:
    """(token, category) by id."""
    first, last = BORN
    listed = [(name, "GENERAL") for name in GENERAL]
    listed += [(name, "BACKGROUND") for name in BACKGROUND]
    listed += [(f"MONTH_{month}", "BACKGROUND") for month in range(1, 13)]
    listed += [(f"YEAR_{year}", "BACKGROUND") for year in range(first, last + 1)]
    codes = world.vocabulary.codes[: -len(OUTSIDE)]
    kinds = list(dict.fromkeys(code.split("//")[0] for code in codes))
    order = {field: place for place, field in enumerate(("DIAG", "INDM", "PATTYPE", *kinds))}
    drawn = sorted(codes, key=lambda code: (order[code.split("//")[0]], _natural(code)))
    return listed + [(token(code), code.split("//")[0]) for code in drawn]


def write_vocabulary(path: Path, world: World) -> None:
    """vocabulary.tsv."""
    lines = ["ID\tTOKEN\tCATEGORY", *(f"{i}\t{name}\t{kind}" for i, (name, kind) in enumerate(vocabulary(world)))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(path: Path, world: World, people: People, lives: Lives) -> None:
    """The documents of a block, gzip with no time in its header so that the bytes repeat."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8") as out,
    ):
        for document in documents(world, people, lives):
            out.write(json.dumps(document, separators=(",", ":")) + "\n")


def documents(world: World, people: People, lives: Lives) -> Iterator[dict]:
    """One PersonDocument a person, whole and in order: not clipped, not masked, not shuffled. Events of OUTSIDE are no sentences."""
    drawn = lives.topic < world.vocabulary.n_topics
    lives = Lives(**{column.name: getattr(lives, column.name)[drawn] for column in fields(Lives)})
    names = [token(code) for code in world.vocabulary.codes]
    start = np.searchsorted(lives.person, np.arange(len(people.birth) + 1))
    day = (lives.time - REFERENCE) // DAY + 1
    age = np.round((lives.time - people.birth[lives.person]) / YEAR, 2)
    for person, (low, high) in enumerate(zip(start[:-1], start[1:], strict=True)):
        born = people.birth[person].astype("datetime64[s]").astype("datetime64[M]").astype(int)
        yield {
            "person_id": int(people.subject_id[person]),
            "sentences": [[names[code] for code in event if code >= 0] for event in lives.tokens[low:high].tolist()],
            "abspos": day[low:high].tolist(),
            "age": age[low:high].tolist(),
            "segment": [(2, 3, 1)[place % 3] for place in range(high - low)],
            "background": {
                "origin": "NON_DK" if people.traits["migrant_origin"][person] else "DK",
                "gender": "F" if people.traits["female"][person] else "M",
                "birth_month": f"MONTH_{born % 12 + 1}",
                "birth_year": f"YEAR_{born // 12 + 1970}",
            },
            "timecut_pos": int((lives.time[low:high] < CUT).sum()),
            "shuffled": False,
        }


def _natural(text: str) -> list:
    """A key by which D2 stands before D10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
