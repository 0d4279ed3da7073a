"""How often the test split was opened, and what was released: `ledger.json` of a run folder."""

from pathlib import Path

from seqsae import shelf
from seqsae.errors import SeqsaeError


def _read(ledger: Path) -> dict:
    """The ledger with its list `test_opened`. Raises SeqsaeError if it cannot be read: it must not be forgotten."""
    if not ledger.exists():
        return {"test_opened": [], "released": []}
    remedy = "put back a whole copy: it counts how often the test split was opened"
    document = shelf.read_json(ledger, remedy)
    entries = document.get("test_opened") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise SeqsaeError(f"{ledger}: has no list test_opened; {remedy}")
    return document


def note_opening(ledger: Path, artefact: shelf.Artefact, stage: str = "associate", view: str | None = None) -> None:
    """Count each different look at the test split once: what was asked of it is in the artefact's key.

    Args:
        artefact: in a folder FEATURES/VIEW, or FEATURES if `view` is given.
    """
    document = _read(ledger)
    entry = {
        "stage": stage,
        "features": artefact.path.parent.name if view is None else artefact.path.name,
        "view": view or artefact.path.name,
        "key": artefact.manifest["key"],
    }
    if entry not in document["test_opened"]:
        shelf.write_json(ledger, document | {"test_opened": [*document["test_opened"], entry]})
