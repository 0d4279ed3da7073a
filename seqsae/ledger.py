"""How often the test split was opened, and what was released: `ledger.json` of a run folder."""

from pathlib import Path

from seqsae import shelf
from seqsae.errors import SeqsaeError


def _opened(ledger: Path) -> list[dict]:
    """The looks at the test split so far. Raises SeqsaeError if the ledger cannot be read: it must not be forgotten."""
    if not ledger.exists():
        return []
    remedy = "put back a whole copy: it counts how often the test split was opened"
    document = shelf.read_json(ledger, remedy)
    entries = document.get("test_opened") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise SeqsaeError(f"{ledger}: has no list test_opened; {remedy}")
    return entries


def note_opening(ledger: Path, artefact: shelf.Artefact, stage: str = "associate") -> None:
    """Count each different look at the test split once: what was asked of it is in the artefact's key."""
    entries = _opened(ledger)
    entry = {
        "stage": stage,
        "features": artefact.path.parent.name,
        "view": artefact.path.name,
        "key": artefact.manifest["key"],
    }
    if entry not in entries:
        shelf.write_json(ledger, {"test_opened": [*entries, entry], "released": []})
