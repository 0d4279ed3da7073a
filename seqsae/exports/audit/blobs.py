"""Encoded blocks in a text, decoded until something can be read in them."""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.png import MAGIC, check_png
from seqsae.exports.audit.reading import LARGEST

SHORTEST = 1_366
"""Signs of a run of base64 that is looked into: 1 kB of bytes."""
DEEPEST = 6
RUN = re.compile(rf"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{SHORTEST},}}={{0,2}}")
URI = re.compile(r"data:([\w/+.-]*)(?:;[\w=-]+)*;base64,([A-Za-z0-9+/_=-]*)", re.I)
PLAINLY = "embed data as plain JSON of a data set that the manifest lists"


def decoded(text: str, place: str, notes: Notes, depth: int = 0) -> Iterator[tuple[str, str]]:
    """(place, text) of every text that lies encoded in `text`, however often; findings for what cannot be read."""
    for number, run in enumerate(_runs(text)):
        where = f"{place} base64[{number}]"
        if depth >= DEEPEST:
            notes.against("M2", where, f"is encoded more than {DEEPEST} times over", PLAINLY)
            return
        content = _bytes(run)
        if content is None:
            notes.against("M2", where, "a long run of letters that is neither a text nor a known code", PLAINLY)
        else:
            yield from _opened(content, where, notes, depth)


def _runs(text: str) -> list[str]:
    found = [match[2] for match in URI.finditer(text)]
    return [*found, *(match[0] for match in RUN.finditer(text) if match[0] not in found)]


def _bytes(run: str) -> bytes | None:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _opened(content: bytes, place: str, notes: Notes, depth: int) -> Iterator[tuple[str, str]]:
    """The texts in decoded bytes: a picture has none, what is packed is unpacked."""
    if content.startswith(MAGIC):
        check_png(content, place, notes)
        return
    if content[:2] in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
        unpacked = _unpacked(content, place, notes)
        if unpacked is not None:
            yield from _opened(unpacked, f"{place} unpacked", notes, depth + 1) if depth < DEEPEST else ()
        return
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        notes.against("M2", place, "decodes to bytes that are neither a text nor a PNG", PLAINLY)
        return
    yield place, text
    yield from decoded(text, place, notes, depth + 1)


def _unpacked(content: bytes, place: str, notes: Notes) -> bytes | None:
    """Unpacked with a bound, or None after a finding."""
    reader = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever its head says
    try:
        found = reader.decompress(content, LARGEST)
    except zlib.error as cause:
        notes.against("M3", place, f"cannot be unpacked ({cause})", PLAINLY)
        return None
    if reader.unconsumed_tail or not reader.eof or reader.unused_data:
        notes.against("M3", place, "is packed data that is cut off, grows too large or has more behind it", PLAINLY)
        return None
    return found
