"""The pieces of a SentencePiece model file, as ProtT5 ships its vocabulary; nothing but the list is read.

Protocol buffers' wire format: a key (field number << 3 | wire type), then a varint, 8 or 4 bytes, or a length and so many
bytes. In ModelProto field 1 is a piece, in a piece field 1 is its text.
"""

from collections.abc import Iterator
from pathlib import Path

from seqsae.errors import SeqsaeError

PIECE = TEXT = 1
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5


def pieces(path: Path) -> list[str]:
    """Every piece, in order of id. Raises SeqsaeError if the file is damaged or none."""
    try:
        found = [value for number, value in _fields(path.read_bytes()) if number == PIECE and isinstance(value, bytes)]
        texts = [next(value for number, value in _fields(piece) if number == TEXT).decode() for piece in found]
    except (OSError, ValueError, IndexError, StopIteration, AttributeError):
        texts = []
    if not texts:
        raise SeqsaeError(f"{path}: not a readable SentencePiece model; fetch it again, or give vocab.txt")
    return texts


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field. Raises ValueError or IndexError at a cut or unknown one."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
            value, at = data[at : at + size], at + size
        elif kind == BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(data):
            raise ValueError("cut short")
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
