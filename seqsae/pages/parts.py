"""A section that is on the page only where its tables are: its text, what its script reads, its charts."""

from typing import NamedTuple


class Part(NamedTuple):
    """One such section."""

    heading: str
    short: str
    """What the navigation calls it."""
    body: str
    """HTML; the texts in it are escaped already."""
    data: dict
    """What the section's script reads."""
    charts: dict[str, dict]
    """Vega-Lite documents by name."""
