"""Naive readers of FASTA, GFF3 and UniProt's TSV, character by character: what the package's own readers are held against."""

import gzip
import re
from collections import Counter

from seqsae_protein.categories import REPORTS
from seqsae_protein.feature_table import KEYS


def decoded(data: bytes) -> str:
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")


def naive_lines(text: str) -> list[str]:
    return re.split("\r\n|\r|\n", text)


def naive_fasta(text: str) -> list[tuple[str, str]]:
    """Accession and sequence of each entry."""
    found: list[list[str]] = []
    for line in naive_lines(text):
        line = line.strip()
        if line[:1] == ">":
            name = line[1:].split()[0]
            parts = name.split("|")
            found.append([parts[1] if parts[0] in ("sp", "tr") and len(parts) == 3 and parts[1] else name, ""])
        else:
            for letter in line:
                found[-1][1] += letter
    return [(name, sequence) for name, sequence in found]


def naive_end(text: str) -> int | None:
    """The number of an end of a span, None if it is not known."""
    digits = "".join(letter for letter in text if letter in "0123456789")
    return int(digits) if digits else None


def naive_cell(text: str) -> list[tuple[str, str, str]]:
    """Kind, position and the first ligand, else the note, of each feature in a TSV cell."""
    parts, inside = [""], False
    for letter in text:
        inside ^= letter == '"'
        if letter == ";" and not inside:
            parts.append("")
        else:
            parts[-1] += letter
    found: list[list] = []
    for part in filter(None, map(str.strip, parts)):
        if part[0] != "/":
            key, position = part.split()
            found.append([KEYS.get(key, key), position, {}])
        else:
            name, _, value = part[1:].partition("=")
            value = value[1:-1].replace('""', '"') if value[:1] == '"' else value
            found[-1][2].setdefault(name.lower(), value.strip())
    return [
        (kind, position, told.get("ligand") or told.get("note", "").split(";")[0].strip())
        for kind, position, told in found
    ]


def naive_row(line: str) -> list[str]:
    return [
        cell[1:-1].replace('""', '"') if cell[:1] == cell[-1:] == '"' and len(cell) > 1 else cell.strip()
        for cell in line.split("\t")
    ]


def spans(name: str, kind: str, first: str, last: str, told: str, options: dict) -> Counter:
    """(subject, start, end, kind, ligand) of one feature, start and end from 0, half open."""
    asked = {"all": True, "": kind not in REPORTS}.get("".join(options["features"]), kind == "Binding site")
    start, end = naive_end(first), naive_end(last)
    certain = (first + last).replace(" ", "").isdigit()
    if not asked or start is None or end is None or (options["uncertain"] == "leave" and not certain):
        return Counter()
    if kind in ("Disulfide bond", "Cross-link") and end > start:
        return Counter([(name, start - 1, start, kind, ""), (name, end - 1, end, kind, "")])
    return Counter([(name, start - 1, end, kind, told if kind == "Binding site" and "Zn" in told else "")])
