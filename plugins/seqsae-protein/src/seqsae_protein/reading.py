"""How a sequence becomes token ids where it holds more than the letters of a model: policies by name, and their counts.

Every policy leaves the index of a residue in the sequence as it was given untouched: what is not read has no row, and
all other rows keep their `event`. The default refuses whatever would be lost.
"""

from collections import Counter
from dataclasses import dataclass, fields

import numpy as np

from seqsae.errors import SeqsaeError
from seqsae_protein.alphabet import Alphabet

GAPS, STOPS, RARE = "-.", "*", "BJOUZ"
CHOICES = {
    "gaps": ("refuse", "skip", "read"),
    "stops": ("refuse", "trim", "skip", "read"),
    "rare": ("read", "X"),
    "unknown": ("refuse", "X", "unk"),
    "long": ("refuse", "window", "truncate"),
}
SKIP, UNKNOWN, REFUSED = -1, -2, -3


@dataclass(frozen=True)
class Reading:
    """Policies of a protein model."""

    gaps: str = "refuse"
    """`-` and `.`: refuse; skip (no row); or read, where the vocabulary has a token for them."""
    stops: str = "refuse"
    """`*`: refuse; trim (no row at the end of the sequence, refused inside); skip (no row anywhere); or read."""
    rare: str = "read"
    """B, J, O, U and Z: read, by the vocabulary's own token; or X (ProtBert and ProtT5 were trained so)."""
    unknown: str = "refuse"
    """A letter that the vocabulary has not: refuse, or read it as X, or as its unknown token (unk)."""
    long: str = "refuse"
    """A sequence beyond `longest`: refuse; window (all residues, in windows that overlap); truncate (the first ones)."""
    overlap: int | None = None
    """Residues that neighbouring windows share at least; None: a quarter of a window."""
    longest: int | None = None
    """Residues a window holds; None: as many as the model reads."""

    def __post_init__(self):
        for option, choices in CHOICES.items():
            if getattr(self, option) not in choices:
                raise SeqsaeError(
                    f"protein model: {option} = {getattr(self, option)!r}; it is one of {', '.join(choices)}"
                )
        for option, least in (("overlap", 0), ("longest", 1)):
            value = getattr(self, option)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise SeqsaeError(f"protein model: {option} = {value!r}; give a whole number from {least} on")


STRICT = Reading()


def reading(options: dict, model: str) -> Reading:
    """The policies among a model's options. Raises SeqsaeError for a name that is none."""
    known = [field.name for field in fields(Reading)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SeqsaeError(f"model {model}: no option {unknown[0]!r}; its policies are {', '.join(known)}")
    return Reading(**options)


class Encoder:
    """Letters to ids under a Reading; `counts` says what it did to how many letters, `sequences` to how many sequences."""

    def __init__(self, alphabet: Alphabet, policy: Reading):
        self.alphabet, self.policy = alphabet, policy
        self.counts: Counter[str] = Counter()
        self.sequences: Counter[str] = Counter()
        self._ids = np.full(128, UNKNOWN, dtype=np.int64)
        for letter, index in alphabet.letters.items():
            if letter.isascii():
                self._ids[ord(letter)] = index
        self._known = self._ids >= 0
        self._apply()

    def encode(self, sequence: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Token ids [m] of what is read, without special tokens, and the index of each in `sequence` [m].

        Args:
            name: what the sequence is called, for errors.
        Raises:
            SeqsaeError: no residues, or a letter that the policies refuse, with its place counted from 1.
        """
        codes = np.frombuffer(sequence.encode("utf-32-le"), dtype=np.uint32)
        ids = np.where(codes < 128, self._ids[np.minimum(codes, 127)], UNKNOWN)
        if self.policy.stops == "trim":
            ids[len(sequence.rstrip(STOPS)) :] = SKIP
        bad = np.flatnonzero(ids <= UNKNOWN)
        if len(bad):
            self._refuse(sequence, int(bad[0]), name)
        places = np.flatnonzero(ids != SKIP)
        if not len(places):
            raise SeqsaeError(f"sequence {name!r} has no residues; leave it out")
        if self.policy != STRICT:
            self._count(codes, ids)
        return ids[places], places

    def told(self, what: str, letters: int) -> None:
        """Count one sequence to which `what` was done, and its letters."""
        self.counts[what] += letters
        self.sequences[what] += 1

    def account(self) -> list[str]:
        """A line for each policy that changed anything since this was last asked."""
        lines = [
            f"{what}: {self.counts[what]:,} in {n:,} sequence{'s' * (n != 1)}"
            for what, n in sorted(self.sequences.items())
        ]
        self.counts.clear()
        self.sequences.clear()
        return lines

    def _apply(self) -> None:
        for letters, choice in ((GAPS, self.policy.gaps), (STOPS, self.policy.stops)):
            for letter in letters:
                if choice != "read":
                    self._ids[ord(letter)] = SKIP if choice == "skip" else REFUSED
        if self.policy.rare == "X":
            self._ids[_codes(RARE)] = self._token("X", 'rare = "X"')
        if self.policy.unknown != "refuse":
            option = f"unknown = {self.policy.unknown!r}"
            capitals = np.arange(ord("A"), ord("Z") + 1)
            lacking = capitals[self._ids[capitals] == UNKNOWN]
            self._ids[lacking] = self._token(self.policy.unknown, option)

    def _token(self, which: str, option: str) -> int:
        found = self.alphabet.unknown if which == "unk" else self.alphabet.letters.get("X")
        if found is None:
            what = "unknown token" if which == "unk" else "token X"
            raise SeqsaeError(
                f"{self.alphabet.where}: {option}, but the vocabulary has no {what}; choose another policy"
            )
        return found

    def _refuse(self, sequence: str, place: int, name: str) -> None:
        letter = sequence[place]
        what, remedy = "unknown", f"the model knows {''.join(self.alphabet.letters)}; leave the sequence out"
        if letter in GAPS:
            what, remedy = "a gap", 'give the model the option gaps = "skip", or take gaps out'
        elif letter in STOPS:
            what, remedy = "a stop", 'give the model the option stops = "trim" (at the end) or "skip", or take it out'
        elif letter.upper() in self.alphabet.letters:
            remedy = "write residues as capital letters"
        elif "A" <= letter <= "Z":
            remedy += ', or give the model the option unknown = "X" or "unk"'
        raise SeqsaeError(f"sequence {name!r}: letter {letter!r} at residue {place + 1} is {what}; {remedy}")

    def _count(self, codes: np.ndarray, ids: np.ndarray) -> None:
        rare = np.isin(codes, _codes(RARE)) & (self.policy.rare == "X")
        skipped = ids == SKIP
        found = {
            "gaps without a row": skipped & np.isin(codes, _codes(GAPS)),
            "stops without a row": skipped & np.isin(codes, _codes(STOPS)),
            "rare letters read as X": rare,
            f"unknown letters read as {self.policy.unknown}": ~(self._known[codes] | skipped | rare),
        }
        for what, where in found.items():
            if where.any():
                self.told(what, int(where.sum()))


def _codes(letters: str) -> list[int]:
    return [ord(letter) for letter in letters]
