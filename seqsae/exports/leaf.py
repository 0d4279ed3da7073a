"""One data set of a release: a SafeTable with what it is."""

from typing import NamedTuple

from seqsae.disclosure.safe import SafeTable


class Leaf(NamedTuple):
    """A table that leaves."""

    id: str
    """Its name; the file is tables/<id>.csv."""
    unit: str
    """What a row is."""
    what: str
    """A plain sentence for whoever checks the output."""
    table: SafeTable
    authored: dict[str, str] | None = None
    """Of vignettes: `author` and `statement`."""
