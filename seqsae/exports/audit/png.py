"""A PNG that holds its picture and nothing else (D15): no text, no EXIF, nothing after its end."""

import struct
import zlib

from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.reading import LARGEST

MAGIC = b"\x89PNG\r\n\x1a\n"
PLAIN = {b"IHDR": 13, b"PLTE": 768, b"IDAT": LARGEST, b"IEND": 0, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9,
         b"sBIT": 4, b"bKGD": 6}  # fmt: skip
"""Chunks that say how to draw the picture, and their longest (PNG specification, third edition, chapter 11)."""
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Numbers a dot, by the kind of colour."""
MOST_DOTS = 2**29
"""Bytes of an unpacked picture, at most."""
STRIP = "write the picture again without text chunks"


def check_png(content: bytes, place: str, notes: Notes) -> None:
    """Every chunk is one of the drawing, whole, and the last is the end."""
    if not content.startswith(MAGIC):
        notes.against("D15", place, "is no PNG", "write the picture again")
        return
    at, drawn, head = len(MAGIC), [], b""
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        if kind not in PLAIN:
            name = kind.decode("ascii", "replace")
            notes.against("D15", f"{place} byte {at}", f"has a chunk {name!r}, which can hold text or data", STRIP)
        elif length > PLAIN[kind]:
            notes.against("D15", f"{place} byte {at}", f"has a chunk {kind.decode()!r} longer than any", STRIP)
        end = at + 12 + length
        if end > len(content) or zlib.crc32(kind + body) != struct.unpack(">I", content[end - 4 : end])[0]:
            notes.against("D15", f"{place} byte {at}", "has a chunk that is cut off or changed", STRIP)
            return
        if kind == b"IEND":
            if end < len(content):
                notes.against("D15", f"{place} byte {end}", f"{len(content) - end:,} bytes follow its end", STRIP)
            elif not _is_picture(head, b"".join(drawn)):
                notes.against("D15", place, "packs more or less than its dots", STRIP)
            return
        head = body if kind == b"IHDR" else head
        drawn += [body] if kind == b"IDAT" else []
        at = end
    notes.against("D15", f"{place} byte {at}", "breaks off before its end", STRIP)


def _is_picture(head: bytes, packed: bytes) -> bool:
    """Whether what is packed is the dots that the head speaks of, no more; interlaced pictures are none."""
    if len(head) != 13:
        return False
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    size = height * (1 + (width * depth * SAMPLES.get(colour, 0) + 7) // 8)
    if interlaced or size > MOST_DOTS:
        return False
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(packed, size + 1)
    except zlib.error:
        return False
    return len(found) == size and reader.eof and not reader.unused_data
