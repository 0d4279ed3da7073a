"""Options of captions: short rules in words that predict where a feature fires."""

from typing import Annotated

from pydantic import Field, field_validator

from seqsae.options import Room


class CaptionConfig(Room):
    """Captions without a language model: a short rule for each feature, found on the select split, scored on the test split."""

    make: bool = True
    """Whether the associations come with captions."""
    terms: int = Field(3, ge=1, le=3)
    """Literals joined by `and`, at most; the first may be a union of tokens."""
    union: int = Field(5, ge=1, le=20)
    """Tokens or families in a union (`token is one of A, B`), at most."""
    margin: float = Field(0.01, ge=0, lt=1)
    """F1 on the select split that every further literal must add: within it the simpler rule wins."""
    windows: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = (1, 2, 5, 10)
    """Rows before a row in which a token may have been seen, ascending; `seen before`, at any distance, is always tried."""
    literals: int = Field(3000, ge=10)
    """Literals tried, at most: every token of the commonest first, then what stood before and after of the commonest."""
    rows: int = Field(50_000, ge=1)
    """Rows of the select split on which rules are found, at most: whole clusters, drawn by the seed. The test split counts in full."""
    min_clusters: int = Field(10, ge=1)
    """Clusters of the select split in which a feature must fire, and a literal hold, to be looked at."""
    nulls: int = Field(100, ge=0, le=100_000)
    """Features whose firing is dealt anew among samples and captioned all the same: what chance gives; 0: none."""

    @field_validator("windows")
    @classmethod
    def _ascending(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if list(given) != sorted(set(given)):
            raise ValueError("windows ascend, each once")
        return given
