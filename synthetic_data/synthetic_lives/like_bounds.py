"""How much a stand-in may be: what could not be made is refused before anything is drawn."""

from synthetic_lives import like_draw as draw
from synthetic_lives.like_people import EVENTS
from synthetic_lives.like_sequences import LENGTH

MOST_EVENTS = 5_000_000_000
"""Dated events altogether; they are written file by file."""
MOST_LETTERS = 1_000_000_000
"""Letters of all sequences, which are drawn in memory, as spans are."""
MOST_SPANS = 100_000_000
"""Spans of one covariate of the annotations."""


def check(known: dict, n: int) -> None:
    """Raises ValueError, one line, if n subjects of this profile are more than can be made."""
    if known["kind"] == "events":
        _most("events", n * draw.mean(known["events"]["per_subject"], middle=EVENTS), MOST_EVENTS, n)
    else:
        _most("letters", n * draw.mean(known["sequences"]["length"], middle=LENGTH), MOST_LETTERS, n)
    for entry in known["annotations"]:
        _most(f"spans of {entry['covariate'][:80]!r}", n * draw.mean(entry["per_subject"], middle=1.0), MOST_SPANS, n)


def _most(what: str, expected: float, most: int, n: int) -> None:
    if expected > most:
        fewer = int(n * most / expected)
        raise ValueError(
            f"persons: {n:,} of this profile have about {expected:.3g} {what}, more than the {most:,} that can be made; "
            f"ask for {fewer:,} at most"
        )
