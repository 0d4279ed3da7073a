"""Bytes and texts of a release read with bounds: what cannot be read is a finding, never a crash."""

import json
from pathlib import Path
from typing import Any

from seqsae.exports.audit.findings import Notes

LARGEST = 32 * 2**20
"""Bytes of one file, or of one block decoded from it, at most."""
DEEPEST = 60
"""JSON nested deeper than this is refused."""
UNREADABLE = "write the release again with `seqsae release`"


def bytes_of(path: Path, place: str, notes: Notes) -> bytes | None:
    """The whole file, or None after a finding."""
    try:
        if (size := path.stat().st_size) > LARGEST:
            notes.against(
                "M3", place, f"is {size:,} bytes, more than an audit reads ({LARGEST:,})", "split or shrink it"
            )
            return None
        return path.read_bytes()
    except OSError as cause:
        notes.against("M3", place, f"cannot be read ({cause.strerror or cause})", UNREADABLE)
        return None


def text_of(content: bytes, place: str, notes: Notes) -> str | None:
    """UTF-8 text without NUL, or None after a finding."""
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        notes.against("M3", f"{place}:{line}", "holds NUL bytes, which hide what follows from readers", UNREADABLE)
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        notes.against("M3", f"{place}:{line}", "is not UTF-8 text", UNREADABLE)
        return None


def document_of(text: str, place: str, notes: Notes) -> Any:
    """A JSON document, or None after a finding. A name given twice is one: readers differ in which they take."""
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        notes.against("M3", place, "JSON nested too deep", UNREADABLE)
        return None
    except ValueError as cause:
        notes.against("M3", place, f"not a JSON document ({cause})", UNREADABLE)
        return None
    if _deeper(document, DEEPEST):
        notes.against("M3", place, f"JSON nested deeper than {DEEPEST} levels", UNREADABLE)
        return None
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _deeper(document: Any, most: int) -> bool:
    """Whether it is nested deeper, level by level: no recursion that a deep one could exhaust."""
    level = [document]
    for _ in range(most):
        level = [item for one in level for item in _children(one) if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _children(one: Any) -> list:
    return list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else []
