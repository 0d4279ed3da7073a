"""UniProtKB's TSV download: rows by accession, its feature columns, and what it says of whole proteins."""

import re
from collections.abc import Callable
from pathlib import Path

from seqsae.errors import SeqsaeError
from seqsae.records.sequences import read_lines
from seqsae_protein.feature_table import KEYS, Feature, column

KINDS = set(KEYS.values())
ENTRY, SEQUENCE, LENGTH = "Entry", "Sequence", "Length"
EXISTENCE = (  # protein existence, strongest evidence first, as numbered in FASTA headers (PE=1 to 5)
    "Evidence at protein level",
    "Evidence at transcript level",
    "Inferred from homology",
    "Predicted",
    "Uncertain",
)
COFACTOR = re.compile(r"(?:^|[\s;:])Name=([^;]+);")


class Table:
    """A TSV file: `rows` by accession, each a dict from column name to text."""

    def __init__(self, path: Path | str, lines: list[str] | None = None):
        self.path = Path(path)
        lines = read_lines(self.path) if lines is None else lines
        self.columns = _cells(lines[0]) if lines else []
        repeated = {name for name in self.columns if self.columns.count(name) > 1}
        if ENTRY not in self.columns or repeated:
            reason = f"column {min(repeated)!r} stands twice" if repeated else f"no column {ENTRY!r} in its first line"
            raise SeqsaeError(f"{self.path}: {reason}; give a TSV download of UniProtKB")
        self.rows: dict[str, dict[str, str]] = {}
        self.line: dict[str, int] = {}
        for number, line in enumerate(lines[1:], 2):
            if line.strip():
                self._add(line, number)

    def features(self) -> list[Feature]:
        """Those of every feature column, row by row."""
        names = [name for name in self.columns if name.removesuffix(" [FT]") in KINDS]
        found = []
        for accession, row in self.rows.items():
            for name in names:
                found += column(row[name], accession, f"{self.path}, line {self.line[accession]}, {name!r}")
        return found

    def _add(self, line: str, number: int) -> None:
        cells = _cells(line)
        cells += [""] * (len(self.columns) - len(cells))  # some tools strip the empty cells at the end
        if len(cells) != len(self.columns):
            raise SeqsaeError(
                f"{self.path}, line {number}: {len(cells)} columns where the first line names {len(self.columns)}"
            )
        row = dict(zip(self.columns, cells, strict=True))
        accession = row[ENTRY].strip()
        if not accession or accession in self.rows:
            reason = f"entry {accession!r} stands twice" if accession else f"no {ENTRY}"
            raise SeqsaeError(f"{self.path}, line {number}: {reason}; give each protein one line")
        self.rows[accession], self.line[accession] = row, number


def subject_values(row: dict[str, str]) -> dict[str, str | int]:
    """What a row says of its protein as a whole, by covariate; what it does not say is not among them."""
    found: dict[str, str | int] = {}
    for name, (of, read) in SINGLE.items():
        value = read(row[of]) if of in row else None
        if value is not None:
            found[name] = value
    return found


def listed(row: dict[str, str]) -> dict[str, list[str]]:
    """The values of the columns that list several, by covariate prefix: cofactors and keywords."""
    found = {}
    if "Cofactor" in row:
        found["cofactor"] = cofactors(row["Cofactor"])
    if "Keywords" in row:
        found["keyword"] = [word for part in row["Keywords"].split(";") if (word := part.strip())]
    return found


def cofactors(text: str) -> list[str]:
    """The names in a Cofactor cell, each once: `COFACTOR: Name=Zn(2+); Xref=...; Note=...; Name=Mg(2+); ...`."""
    return list(dict.fromkeys(name.strip() for name in COFACTOR.findall(text if text.endswith(";") else f"{text};")))


def _cells(line: str) -> list[str]:
    """The cells of a line; a cell in quotes, as spreadsheets write it, without them."""
    cells = line.rstrip("\r").split("\t")
    return [
        cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell.strip()
        for cell in cells
    ]


def _enzyme_class(text: str) -> str | None:
    """The first number of the EC numbers, where they agree."""
    classes = {part.strip().split(".")[0] for part in text.split(";") if part.strip()}
    return f"EC {classes.pop()}" if len(classes) == 1 else None


def _superkingdom(text: str) -> str | None:
    for part in text.split(","):
        name, _, rank = part.strip().rpartition(" (")
        if rank in ("superkingdom)", "domain)", "acellular root)"):
            return name
    return None


def _existence(text: str) -> int | None:
    return EXISTENCE.index(text) + 1 if text in EXISTENCE else None


def _fragment(text: str) -> str | None:
    return ("yes" if "(Fragment" in text else "no") if text else None


SINGLE: dict[str, tuple[str, Callable[[str], str | int | None]]] = {  # covariate -> column, how its text is read
    "organism": ("Organism", lambda text: text or None),
    "superkingdom": ("Taxonomic lineage", _superkingdom),
    "reviewed": ("Reviewed", lambda text: {"reviewed": "yes", "unreviewed": "no"}.get(text)),
    "existence": ("Protein existence", _existence),
    "enzyme": ("EC number", lambda text: "yes" if text else "no"),
    "enzyme_class": ("EC number", _enzyme_class),
    "fragment": ("Protein names", _fragment),
}
