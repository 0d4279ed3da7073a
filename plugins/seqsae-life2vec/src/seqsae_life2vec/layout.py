"""How a life is laid out as a document: what of it is fixed by a model and kept with its weights."""

from dataclasses import dataclass
from datetime import date

from seqsae.errors import SeqsaeError

LONGEST = 1_048_576  # positions; no record is so long


@dataclass(frozen=True)
class Layout:
    """Options of the document; the published ones are the defaults."""

    max_length: int = 2560
    """Positions the network reads; a longer record keeps its latest whole moments."""
    separators: bool = True
    """[SEP] after the background and after each moment. Without them a document of one-code moments is half as long."""
    birth_tokens: bool = True
    """MONTH_m and YEAR_y of the birth among the background."""
    reference: str = "2008-01-01"
    """Day 1 of the absolute position."""
    whole_units: bool = True
    """Ages in whole years and positions in whole days, as published; else with their fractions."""

    def __post_init__(self):
        if not self.least <= self.max_length <= LONGEST:
            raise SeqsaeError(
                f"life2vec: max_length = {self.max_length!r}; it must be {self.least} ([CLS], an event and the separators) "
                f"to {LONGEST:,}"
            )
        try:
            date.fromisoformat(self.reference)
        except ValueError:
            raise SeqsaeError(f"life2vec: reference = {self.reference!r}; it must be a date, YYYY-MM-DD") from None

    @property
    def least(self) -> int:
        """The fewest positions a document with one event takes."""
        return 4 if self.separators else 2
