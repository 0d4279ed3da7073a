"""UniProt's feature tables: the text of its TSV columns, and GFF3, as one list of features.

A TSV column reads `BINDING 45; /ligand="ATP"; /evidence="ECO:..."; BINDING 50..58; /ligand=...`; a GFF3 line has the same
in nine columns. Positions count from 1, both ends included: `12`, `3..9`; `<1`, `>9`, `?4` are not certain; `?` is not
known; `P12345-2:3..9` is of another sequence.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from seqsae.errors import SeqsaeError

KEYS = {  # key in a TSV column -> name of the kind, as GFF3 and UniProt's pages have it
    "INIT_MET": "Initiator methionine",
    "SIGNAL": "Signal peptide",
    "TRANSIT": "Transit peptide",
    "PROPEP": "Propeptide",
    "CHAIN": "Chain",
    "PEPTIDE": "Peptide",
    "TOPO_DOM": "Topological domain",
    "TRANSMEM": "Transmembrane",
    "INTRAMEM": "Intramembrane",
    "DOMAIN": "Domain",
    "REPEAT": "Repeat",
    "CA_BIND": "Calcium binding",
    "ZN_FING": "Zinc finger",
    "DNA_BIND": "DNA binding",
    "NP_BIND": "Nucleotide binding",
    "REGION": "Region",
    "COILED": "Coiled coil",
    "MOTIF": "Motif",
    "COMPBIAS": "Compositional bias",
    "ACT_SITE": "Active site",
    "METAL": "Metal binding",
    "BINDING": "Binding site",
    "SITE": "Site",
    "NON_STD": "Non-standard residue",
    "MOD_RES": "Modified residue",
    "LIPID": "Lipidation",
    "CARBOHYD": "Glycosylation",
    "DISULFID": "Disulfide bond",
    "CROSSLNK": "Cross-link",
    "VAR_SEQ": "Alternative sequence",
    "VARIANT": "Natural variant",
    "MUTAGEN": "Mutagenesis",
    "UNSURE": "Sequence uncertainty",
    "CONFLICT": "Sequence conflict",
    "NON_CONS": "Non-adjacent residues",
    "NON_TER": "Non-terminal residue",
    "HELIX": "Helix",
    "STRAND": "Beta strand",
    "TURN": "Turn",
}
ENTRY = re.compile(r'([A-Z][A-Z_]+)\s+([^\s;"]+)')
QUALIFIER = re.compile(r'/(\w+)=(?:"((?:[^"]|"")*)"|([^;"]*))')
BETWEEN = re.compile(r"[\s;]*")
POSITION = re.compile(r"(?:(?P<other>[^:\s]+):)?(?P<first>[<>?]?[0-9]{0,9})(?:\.\.(?P<last>[<>?]?[0-9]{0,9}))?")
GFF_COLUMNS = 9


@dataclass(frozen=True)
class Feature:
    """One line of a feature table: an instance of what it names."""

    accession: str
    kind: str
    """Name of the kind, for example "Binding site"."""
    position: str
    """As UniProt writes it: `45`, `3..9`, `<1..>9`, `?..20`, `P12345-2:3..9`."""
    qualifiers: dict[str, str]
    """By name in small letters: note, ligand, ligand_id, evidence, ..."""
    where: str
    """Where it was read, for errors."""


@dataclass(frozen=True)
class Span:
    """Residues from 0, half open."""

    start: int
    end: int
    certain: bool


def column(text: str, accession: str, where: str) -> list[Feature]:
    """The features in one cell of a TSV column. Raises SeqsaeError at what is no feature."""
    found: list[Feature] = []
    at = BETWEEN.match(text).end()
    while at < len(text):
        qualifier = QUALIFIER.match(text, at) if found else None
        entry = None if qualifier else ENTRY.match(text, at)
        if entry:
            found.append(Feature(accession, KEYS.get(entry[1], entry[1]), entry[2], {}, where))
        elif qualifier:
            value = qualifier[3] if qualifier[2] is None else qualifier[2].replace('""', '"')
            found[-1].qualifiers.setdefault(qualifier[1].lower(), value.strip())
        else:
            raise SeqsaeError(f'{where}: {text[at : at + 30]!r} is no feature; expected KEY POSITION; /note="..."')
        after = (entry or qualifier).end()
        at = BETWEEN.match(text, after).end()
        if at < len(text) and ";" not in text[after:at]:
            raise SeqsaeError(f"{where}: {text[after : after + 30]!r} stands where a ';' should; is the file damaged?")
    return found


def gff(lines: list[str], path: Path | str) -> list[Feature]:
    """The features of a GFF3 file's lines. Raises SeqsaeError naming the line that is none."""
    found = []
    for number, line in enumerate(lines, 1):
        if line.startswith("##FASTA"):
            break
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        cells = cells[:-1] if len(cells) == GFF_COLUMNS + 1 and not cells[-1].strip() else cells  # UniProt's last tab
        where = f"{path}, line {number}"
        if len(cells) == GFF_COLUMNS and not cells[2].strip():
            raise SeqsaeError(f"{where}: the third column is empty; it names the kind of feature")
        if len(cells) != GFF_COLUMNS:
            raise SeqsaeError(f"{where}: {len(cells)} columns, GFF3 has {GFF_COLUMNS} with tabs between")
        first, last = ("?" if cell.strip(" ") == "." else cell.strip(" ") for cell in cells[3:5])
        qualifiers = _attributes(cells[8], where)
        found.append(Feature(accession(cells[0]), unquote(cells[2]).strip(), f"{first}..{last}", qualifiers, where))
    return found


def span(feature: Feature, length: int) -> Span | str:
    """Where a feature lies in its sequence of `length` residues, or why it lies nowhere that is known.

    Raises:
        SeqsaeError: no position, or one outside the sequence: the table belongs to another version of it.
    """
    match = POSITION.fullmatch(feature.position)
    if match is None or not match["first"] or match["last"] == "":
        raise SeqsaeError(
            f"{feature.where}: position {feature.position!r} of {feature.kind!r} cannot be read; positions are whole numbers "
            "from 1 on"
        )
    if match["other"] not in (None, feature.accession):
        return "of another sequence"
    ends = [match["first"], match["last"] or match["first"]]
    if any(end in ("?", "<", ">") for end in ends):
        return "at a place that is not known"
    start, end = (int(one.lstrip("<>?")) for one in ends)
    if not 1 <= start <= end <= length:
        raise SeqsaeError(f"{feature.where}: {feature.kind} at {feature.position} of {_misplaced(feature, length)}")
    return Span(start - 1, end, all(one.isdigit() for one in ends))


def _misplaced(feature: Feature, length: int) -> str:
    """The sequence of a feature that lies outside it or is reversed, and what to do."""
    numbers = [int(one) for one in re.findall("[0-9]+", feature.position.rpartition(":")[2])]
    if min(numbers) < 1:
        return f"{feature.accession!r}: positions count from 1"
    if numbers[0] > numbers[-1]:
        return f"{feature.accession!r} is reversed: its end stands before its start; mend the line"
    return f"{feature.accession!r}, which has {length:,} residues; give the table of this very sequence"


def accession(name: str) -> str:
    """P12345 of `sp|P12345|NAME_HUMAN` or `tr|...`; other names as they are."""
    parts = name.split("|")
    return parts[1] if len(parts) == 3 and parts[0] in ("sp", "tr") and parts[1] else name


def _attributes(text: str, where: str) -> dict[str, str]:
    """Column 9 of GFF3: name=value; ... with %XX for what would part them."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if part.strip() in ("", "."):
            continue
        if not equals:
            raise SeqsaeError(f"{where}: attribute {part.strip()[:30]!r} has no '='; GFF3 writes name=value;name=value")
        found.setdefault(unquote(name).strip().lower(), unquote(value).strip())
    return found
