"""Releases of nearly the same people: every two that the run's ledgers list, by keyed hashes (D14).

A ledger lists releases with `cohorts`: name to Base64 of [n, 2] 8-byte hashes, of a subject and of its cluster.
"""

import base64
import binascii
import json
from itertools import combinations
from pathlib import Path

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit.findings import Notes

BYTES = 8
APART = "release the same people again, or a cohort that differs by more"
WHOLE = "put back a whole copy of the ledger: it says what left already"


def check_ledgers(run: Path, policy: Policy, notes: Notes) -> None:
    """Cohorts of one name, in two releases of a ledger (the run's, and one in the parent folder), are equal or far apart."""
    for path in (run / "ledger.json", run.resolve().parent / "ledger.json"):
        if policy.public or not path.is_file():
            continue
        listed = _listed(path, notes)
        for (first, one), (second, other) in combinations(listed, 2):
            for name in sorted(one.keys() & other.keys()):
                if few := _apart(one[name], other[name], policy):
                    what = (
                        f"releases {first} and {second} are of nearly the same people ({name}): {few} are in one alone"
                    )
                    notes.against("D14", path.name, what, APART)
        notes.looked_at(
            f"the {len(listed)} releases that {path.parent.name}/{path.name} lists, every two beside each other"
        )


def _listed(path: Path, notes: Notes) -> list[tuple[int, dict]]:
    """Number of each release from 1, and its cohorts by name."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8")).get("released", [])
        return [
            (number, {name: _read(text) for name, text in entry["cohorts"].items()})
            for number, entry in enumerate(entries, 1)
        ]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError, binascii.Error):
        notes.against("D14", path.name, "cannot be read as a list of releases", WHOLE)
        return []


def _read(text: str) -> dict[bytes, bytes]:
    """Subject to cluster, as hashes."""
    content = base64.b64decode(text, validate=True)
    if len(content) % (2 * BYTES):
        raise ValueError("not a fingerprint")
    pairs = [content[at : at + 2 * BYTES] for at in range(0, len(content), 2 * BYTES)]
    return {pair[:BYTES]: pair[BYTES:] for pair in pairs}


def _apart(one: dict, other: dict, policy: Policy) -> int:
    """How many subjects are in one cohort alone, if they or their clusters are too few; 0 for none and for enough."""
    alone = one.keys() ^ other.keys()
    clusters = {(one if subject in one else other)[subject] for subject in alone}
    few = len(alone) < policy.min_subjects or len(clusters) < policy.min_clusters
    return len(alone) if few else 0
