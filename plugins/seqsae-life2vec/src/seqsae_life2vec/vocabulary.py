"""From event codes and values to token ids, and the counts of what a vocabulary cannot say."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from seqsae.errors import SeqsaeError

SPECIALS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[PLCH0]", "[PLCH1]", "[PLCH2]", "[PLCH3]", "[PLCH4]", "[UNK]")
PAD, CLS, SEP, MASK, UNK = 0, 1, 2, 3, 9
IGNORED = (0, 4, 5, 6, 7, 8)  # [PAD] and the placeholders: never read, and no part of the mean token
BIRTH = "MEDS_BIRTH"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens by id: ten specials in Life2Vec's order, then the others in alphabetical order.

    Raises:
        SeqsaeError: the specials are not in front, or a token stands twice.
    """

    tokens: list[str]
    edges: dict[str, list[float]] = field(default_factory=dict)
    """Code to ascending inner edges of its quantiles; a value below the first of them is `CODE//Q1`."""
    rolled: dict[str, str] = field(default_factory=dict)
    """Rare token to the frequent one it is read as: its code without the quantile, or its nearest frequent parent."""
    counts: dict[str, int] = field(default_factory=dict)
    """What happened to the train events when the vocabulary was made."""

    def __post_init__(self):
        if tuple(self.tokens[: len(SPECIALS)]) != SPECIALS:
            raise SeqsaeError(
                f"vocabulary: starts with {self.tokens[:4]}, not {list(SPECIALS[:4])} and the other specials; "
                "give the one that was trained with"
            )
        if len(set(self.tokens)) < len(self.tokens):
            twice = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise SeqsaeError(f"vocabulary: the token {twice!r} stands twice; give the one that was trained with")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def index(self) -> dict[str, int]:
        """Token to id, rare tokens and what they are read as included; specials are no event's token."""
        index = {token: i for i, token in enumerate(self.tokens) if i >= len(SPECIALS)}
        return index | {rare: index[token] for rare, token in self.rolled.items() if token in index}

    def names(self, codes: np.ndarray, values: np.ndarray | None) -> np.ndarray:
        """[n] token of each event before any roll-up: `CODE//Qk` where the code has quantiles and the event a value."""
        if not self.edges or values is None:
            return codes
        return np.array([quantile_token(str(c), float(v), self.edges) for c, v in zip(codes, values, strict=True)], str)

    def ids(self, names: np.ndarray) -> np.ndarray:
        """[n] int64: the id of each token; `CODE//Qk` falls back on `CODE`, and what is not known on [UNK]."""
        return np.fromiter((self._id(str(name)) for name in names), np.int64, len(names))

    def _id(self, name: str) -> int:
        found = self.index.get(name)
        if found is None:
            found = self.index.get(without_quantile(name, self.edges), UNK)
        return found


def quantile_token(code: str, value: float, edges: dict[str, list[float]]) -> str:
    """`CODE//Qk`, k = 1 + the number of edges at or below the value; the code itself without edges or value."""
    if code not in edges or np.isnan(value):
        return code
    return f"{code}//Q{1 + int(np.searchsorted(edges[code], value, side='right'))}"


def without_quantile(name: str, edges: dict[str, list[float]]) -> str:
    """`CODE` from `CODE//Qk`, if the code is one that has quantiles; else the name itself."""
    code, mark, last = name.rpartition("//Q")
    return code if mark and last.isdigit() and code in edges else name


def is_birth(code: str) -> bool:
    """MEDS writes a birth as MEDS_BIRTH or MEDS_BIRTH//anything."""
    return code == BIRTH or code.startswith(BIRTH + "//")
