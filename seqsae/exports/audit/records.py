"""The run's own records looked up in every text of a release, inside the server (D5, D10, D11, D13).

What is found is told by its place and never repeated.
"""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import polars as pl

from seqsae.exports.audit.contents import Contents, Said
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.known import Known
from seqsae.exports.audit.values import number

WORD = re.compile(r"[^\s\"'<>,;:()\[\]{}=|&\\]+")
PART = re.compile(r"\s*[>=:;,|()]\s*")
THOUSANDS = re.compile(r"(?<![\w,.])\d{1,3}(?:,\d{3})+(?![\w,])")
RESIDUES = re.compile(r"(?<![A-Za-z])[A-Z]{12,}(?![a-z])")
"""So many letters of a sequence, together, are one person's."""
REMOVE = "remove it, and look for how it came there; it stands in the run's records"
LONGEST = 400
"""Signs of a text that is looked up as a whole, at most."""


def check_records(found: Contents, known: Known, notes: Notes) -> None:
    """Look up every word, number and whole text of the release."""
    texts = [(said, normal(said.text)) for said in found.said]
    words = {word for _, text in texts for word in _words(text)}
    wholes = {part for said, text in texts if said.kind != "raw" for part in _wholes(text)}
    hits = _hits(known, words, of_words=True)
    parts = hits | _hits(known, wholes, of_words=False)
    pieces = {piece for _, text in texts for piece in RESIDUES.findall(text)} if known.sequences is not None else set()
    told = {piece for piece in pieces if known.sequences.str.contains(piece, literal=True).any()}
    counts = _counts(found)
    for said, text in texts if hits or parts or told else ():
        spoken = set(_words(text)) & hits.keys() if hits else set()
        spoken |= _wholes(text) & parts.keys() if parts and said.kind != "raw" else set()
        here = {parts[word] for word in spoken if not _is_count(word, said, counts)}
        for rule, what in sorted(here):
            notes.against(rule, _place(said, text, hits), f"holds {what}", REMOVE)
        if told and told & set(RESIDUES.findall(text)):
            notes.against("D11", said.place, "holds a part of a subject's sequence", REMOVE)
    short = f" ({known.short:,} too short to be told from other words were not looked up)" if known.short else ""
    notes.looked_at(
        f"{len(words):,} words and numbers against {len(known):,} identifiers, rare codes and ends of ranges of the run{short}"
    )


def _hits(known: Known, words: set[str], of_words: bool) -> dict[str, tuple[str, str]]:
    """Word to rule and what it is, of those that are secrets."""
    listed = pl.Series(sorted(words), dtype=pl.String)
    plain, small = known.hashed(listed), known.hashed(listed.str.to_lowercase())
    found: dict[str, tuple[str, str]] = {}
    for entry in known.entries:
        if entry.words == of_words:
            for at in np.flatnonzero(np.isin(small if entry.lower else plain, entry.hashes)):
                found.setdefault(listed[int(at)], (entry.rule, entry.what))
    return found


def _counts(found: Contents) -> set[float]:
    """Every count of the release."""
    datasets = [one for one in found.manifest.datasets if one.rows]
    return {
        count
        for one in datasets
        for row in one.rows
        for name in one.of_role("count")
        if (count := number(row[name])) is not None
    }


def _is_count(word: str, said: Said, counts: set[float]) -> bool:
    """Whether an identifier of digits alone stands where numbers stand, or is a count of the release: then it cannot be told from one."""
    return word.isdigit() and (said.kind in ("raw", "number") or float(word) in counts)


def _place(said: Said, text: str, hits: dict) -> str:
    """The place; in a block of many lines also the line."""
    at = min((text.find(word) for word in hits if word in text), default=0) if said.kind == "raw" else 0
    line = text.count("\n", 0, at)
    return f"{said.place} line {line + 1}" if line else said.place


def normal(text: str) -> str:
    """A text as a reader sees it: one form of each letter and digit, no signs without width, no commas within numbers."""
    seen = text
    if not text.isascii():
        seen = "".join(
            sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) not in ("Cf", "Cs")
        )
    return THOUSANDS.sub(lambda found: found[0].replace(",", ""), seen)


def _words(text: str) -> Iterator[str]:
    """The words of a text, also without signs at their ends."""
    for found in WORD.finditer(text):
        word = found[0]
        yield word
        bare = word.strip(".!?*#_-/+`")
        if bare != word:
            yield bare


def _wholes(text: str) -> set[str]:
    """A short text as a whole, and its parts between marks."""
    if len(text) > LONGEST:
        return set()
    return {part for part in (text.strip(), *(part.strip() for part in PART.split(text))) if part}
