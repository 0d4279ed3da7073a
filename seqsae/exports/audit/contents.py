"""What a release says, file by file: its texts, its tables and the rows of its data sets, each with its place."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqsae.exports.audit.blobs import RUN, URI, decoded
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.manifest import NUMERIC, Manifest
from seqsae.exports.audit.markup import Page, page_of
from seqsae.exports.audit.png import check_png
from seqsae.exports.audit.policy_of_page import check_page, is_bundle
from seqsae.exports.audit.reading import UNREADABLE, bytes_of, document_of, text_of
from seqsae.exports.audit.tables import FEW, Fault, Leaf, Table, parts_of
from seqsae.exports.audit.weights import WEIGHTS, check_weights

MOST_LOOSE = 100
NUMBER, LETTER = re.compile(r"\d+(?:\.\d+)?"), re.compile(r"[^\W\d_]")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class Said:
    """A text of a release.

    `kind`: visible, attribute, comment, style, script, json, spec (within a chart), name, head, cell, number (a cell that is one),
    note or raw (a whole JSON block).
    """

    place: str
    text: str
    kind: str


@dataclass
class Contents:
    """Everything that was read."""

    manifest: Manifest
    folder: Path
    said: list[Said] = field(default_factory=list)
    tables: list[tuple[str, Table]] = field(default_factory=list)
    """(file, table) embedded in pages."""
    leaves: list[tuple[str, Leaf]] = field(default_factory=list)
    sheets: dict[str, tuple[list[str], list[dict]]] = field(default_factory=dict)
    """CSV to its columns and rows."""
    pages: dict[str, Page] = field(default_factory=dict)
    loose: dict[str, int] = field(default_factory=dict)
    """File to the numbers in it that stand in no table."""


def read(folder: Path, names: list[str], manifest: Manifest, document: Any, notes: Notes) -> Contents:
    """Every file of the release but its manifest, whose texts are looked at as well."""
    found = Contents(manifest, folder)
    _manifest(found, document)
    for name in names:
        if name == "manifest.json":
            continue
        found.said.append(Said(name, name, "name"))
        content = bytes_of(folder / name, name, notes)
        if content is not None:
            _file(found, name, content, notes)
    return found


def _manifest(found: Contents, document: Any) -> None:
    """The manifest's own texts; the hashes of files are what they are for."""
    hashes = {str(entry.get("sha256")) for entry in found.manifest.files.values()}
    for part in parts_of({"manifest": document}):
        if isinstance(part, Leaf) and isinstance(part.value, str) and part.value not in hashes:
            found.said.append(Said(f"manifest.json: {part.path}", part.value, "json"))
        for row in part.rows if isinstance(part, Table) else ():
            values = [value for value in row.values() if isinstance(value, str) and value not in hashes]
            found.said += [Said(f"manifest.json: {part.path}", value, "json") for value in values]


def _file(found: Contents, name: str, content: bytes, notes: Notes) -> None:
    suffix = Path(name).suffix.lower()
    if suffix == ".png":
        check_png(content, name, notes)
    elif suffix in WEIGHTS:
        check_weights(content, name, found.manifest, notes)
    elif suffix in (".html", ".csv", ".txt", ".md") and (text := text_of(content, name, notes)) is not None:
        if suffix == ".html":
            _page(found, name, text, notes)
        elif suffix == ".csv":
            _sheet(found, name, text, notes)
        else:
            _prose(found, name, text, notes)


def _prose(found: Contents, name: str, text: str, notes: Notes) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        found.said.append(Said(f"{name}:{number}", line, "note"))
    rows = sum(
        len(NUMBER.findall(line)) >= 2 and len(LETTER.findall(line)) < len(line) / 2 for line in text.splitlines()
    )
    if rows > FEW:
        notes.against("M2", name, f"{rows} lines of numbers in a text", "give them as a CSV that the manifest lists")
    _blocks(found, name, text, notes)


def _sheet(found: Contents, name: str, text: str, notes: Notes) -> None:
    """A CSV: a head and rows as long as it, no cell a formula."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as cause:
        notes.against("M3", name, f"not a CSV ({cause})", UNREADABLE)
        return
    head, body = (rows[0], rows[1:]) if rows else ([], [])
    if len(set(head)) < len(head) or not head:
        notes.against("M3", f"{name}:1", "has no head, or two columns of one name", UNREADABLE)
        return
    numeric = {column for one in found.manifest.datasets if one.file == name for column in one.of_role(*NUMERIC)} | {
        "feature"
    }
    for number, row in enumerate(rows, 1):
        if len(row) != len(head):
            notes.against("M3", f"{name}:{number}", f"has {len(row)} cells under a head of {len(head)}", UNREADABLE)
        for column, cell in zip(head, row, strict=False):
            place = f"{name}:{number} {column}"
            if is_formula(cell):
                remedy = "put ' before it"
                notes.against("M4", place, f"begins with {cell[0]!r}, which a spreadsheet runs as a formula", remedy)
            found.said.append(Said(place, cell, "head" if number == 1 else "number" if column in numeric else "cell"))
    found.sheets[name] = head, [dict(zip(head, row, strict=False)) for row in body]
    _blocks(found, name, text, notes)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would take it for a formula; a negative number is none."""
    text = cell.lstrip(" \u00a0\u200b\ufeff")
    if not text.startswith(FORMULA) or not cell:
        return False
    try:
        return not (text[0] in "+-" and float(text) is not None)
    except ValueError:
        return True


def _page(found: Contents, name: str, text: str, notes: Notes) -> None:
    page = found.pages[name] = page_of(text, name, notes)
    check_page(page, notes)
    for one in page.visible():
        kind = "comment" if one.inside == "comment" else "visible"
        found.said.append(Said(f"{name}:{one.line} {one.inside}".rstrip(), one.text, kind))
    for element in page.elements:
        for key, value in element.attributes:
            if value and not (element.name == "meta" and key == "content" and "default-src" in value):
                found.said.append(Said(f"{name}:{element.line} <{element.name}> {key}", value, "attribute"))
    for block in page.blocks():
        _document(found, name, f"{name}:{block.line} JSON", block.text, notes)
    for script in page.scripts():
        if not is_bundle(script.text):
            found.said.append(Said(f"{name}:{script.line} <script>", script.text, "script"))
    found.said += [Said(f"{name}:{style.line} style", style.text, "style") for style in page.styles()]
    for one in [
        one for one in found.said if one.place.startswith(f"{name}:") and one.kind not in ("json", "name", "raw")
    ]:
        _blocks(found, one.place, one.text, notes)


def _document(found: Contents, file: str, place: str, text: str, notes: Notes) -> None:
    """A JSON block: its tables, leaves and faults; encoded blocks in it are opened in turn."""
    document = document_of(text, place, notes)
    if document is None:
        return
    found.said.append(Said(place, text, "raw"))
    for part in parts_of(document):
        if isinstance(part, Fault):
            notes.against(part.rule, f"{place} {part.path}", part.what, part.remedy)
        elif isinstance(part, Leaf):
            _leaf(found, file, f"{place} {part.path}", part, notes)
        else:
            found.tables.append((file, part))
            _texts_of_table(found, file, place, part, notes)


def _leaf(found: Contents, file: str, place: str, leaf: Leaf, notes: Notes) -> None:
    found.leaves.append((place, leaf))
    if isinstance(leaf.value, int | float) and not leaf.drawing and not isinstance(leaf.value, bool):
        found.said.append(Said(place, str(leaf.value), "json"))
        found.loose[file] = found.loose.get(file, 0) + 1
        if found.loose[file] > MOST_LOOSE:
            notes.against(
                "M2", file, f"more than {MOST_LOOSE} numbers outside tables", "embed them as a listed data set"
            )
    if isinstance(leaf.value, str):
        kind = "spec" if leaf.drawing else "name" if leaf.path.endswith("(name)") else "json"
        found.said.append(Said(place, leaf.value, kind))
        _blocks(found, place, leaf.value, notes, file)


def _texts_of_table(found: Contents, file: str, place: str, table: Table, notes: Notes) -> None:
    for name in sorted(table.columns()):
        found.said.append(Said(f"{place} {table.path}", name, "name"))
    for number, row in enumerate(table.rows):
        for name, value in row.items():
            if isinstance(value, str):
                where = f"{place} {table.path}[{number}].{name}"
                found.said.append(Said(where, value, "json"))
                _blocks(found, where, value, notes, file)


def _blocks(found: Contents, place: str, text: str, notes: Notes, file: str | None = None) -> None:
    """Texts that lie encoded in a text: read as JSON where they are some, else as notes."""
    if not (RUN.search(text) or URI.search(text)):
        return
    for where, inner in decoded(text, place, notes):
        if inner.lstrip().startswith(("{", "[")):
            _document(found, file or place.split(":")[0], where, inner, notes)
        else:
            found.said.append(Said(where, inner, "json"))
