"""A PNG that holds its picture and nothing else (D15): no text, no EXIF, nothing after its end."""

import struct
import zlib

from seqsae.exports.audit.findings import Notes

MAGIC = b"\x89PNG\r\n\x1a\n"
PLAIN = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD"}
"""Chunks that say how to draw the picture (PNG specification, third edition, chapter 11)."""
STRIP = "write the picture again without text chunks"


def check_png(content: bytes, place: str, notes: Notes) -> None:
    """Every chunk is one of the drawing, whole, and the last is the end."""
    if not content.startswith(MAGIC):
        notes.against("D15", place, "is no PNG", "write the picture again")
        return
    at = len(MAGIC)
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        if kind not in PLAIN:
            name = kind.decode("ascii", "replace")
            notes.against("D15", f"{place} byte {at}", f"has a chunk {name!r}, which can hold text or data", STRIP)
        end = at + 12 + length
        if end > len(content) or zlib.crc32(kind + body) != struct.unpack(">I", content[end - 4 : end])[0]:
            notes.against("D15", f"{place} byte {at}", "has a chunk that is cut off or changed", STRIP)
            return
        if kind == b"IEND":
            if end < len(content):
                notes.against("D15", f"{place} byte {end}", f"{len(content) - end:,} bytes follow its end", STRIP)
            return
        at = end
    notes.against("D15", f"{place} byte {at}", "breaks off before its end", STRIP)
