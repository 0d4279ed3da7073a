"""From event codes to token ids, learnt from the train split alone."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae.records.record import Record

SPECIALS = ("[PAD]", "[CLS]", "[MASK]", "[UNK]")
PAD, CLS, MASK, UNK = range(len(SPECIALS))
BIRTH = "MEDS_BIRTH"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens by id: four specials, then the codes in alphabetical order.

    Raises:
        SeqsaeError: the specials are not in front, or a token stands twice.
    """

    tokens: list[str]
    left_out: dict[str, int] = field(default_factory=dict)
    """What became [UNK] when the vocabulary was made: `codes`, `events`, and the `min_subjects` that decided it."""

    def __post_init__(self):
        if tuple(self.tokens[: len(SPECIALS)]) != SPECIALS:
            raise SeqsaeError(
                f"vocabulary: starts with {self.tokens[:4]}, not {list(SPECIALS)}; give the one that was trained with"
            )
        if len(set(self.tokens)) < len(self.tokens):
            twice = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise SeqsaeError(f"vocabulary: the token {twice!r} stands twice; give the one that was trained with")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def index(self) -> dict[str, int]:
        """Token to id."""
        return {token: i for i, token in enumerate(self.tokens)}

    def ids(self, codes: np.ndarray) -> np.ndarray:
        """[n] int64: the id of each code. A code that is unknown, or is written like a special, becomes [UNK]."""
        found = np.fromiter((self.index.get(str(code), UNK) for code in codes), np.int64, len(codes))
        return np.where(found < len(SPECIALS), UNK, found)


def learn(records: Iterable[Record], min_subjects: int) -> Vocabulary:
    """The vocabulary of the codes that at least `min_subjects` of these subjects have. Births are left out: they give the age."""
    subjects, events = Counter(), Counter()
    for record in records:
        codes = [str(code) for code in record.code if not is_birth(str(code)) and code not in SPECIALS]
        subjects.update(set(codes))
        events.update(codes)
    kept = sorted(code for code, count in subjects.items() if count >= min_subjects)
    if not kept:
        raise SeqsaeError(
            f"no code is held by {min_subjects} or more subjects; lower min_subjects or give more records"
        )
    rare = set(subjects) - set(kept)
    return Vocabulary(
        [*SPECIALS, *kept],
        {"codes": len(rare), "events": sum(events[code] for code in rare), "min_subjects": min_subjects},
    )


def is_birth(code: str) -> bool:
    """MEDS writes a birth as MEDS_BIRTH or MEDS_BIRTH//anything."""
    return code == BIRTH or code.startswith(BIRTH + "//")
