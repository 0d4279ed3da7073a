"""Covariates of whole proteins, from UniProt's FASTA headers and TSV rows, as a table with its schema."""

import re
from collections import Counter

import polars as pl

from seqsae_protein.uniprot_tsv import Table, listed, subject_values

HEADER = re.compile(
    r"(?P<db>sp|tr)\|[^|\s]+\|\S*\s*(?P<name>.*?)"
    r"(?:\s+OS=(?P<organism>.*?))?(?:\s+OX=\d+)?(?:\s+GN=\S+)?(?:\s+PE=(?P<existence>[1-5]))?(?:\s+SV=\d+.*)?"
)
LENGTH_ENTRY = {
    "name": "length",
    "type": "continuous",
    "role": "confounder",
    "level": "subject",
    "unit": "residues",
    "description": "residues of the sequence as given",
}
KNOWN = {  # covariate -> type and meaning
    "organism": ("categorical", "organism that the protein is of"),
    "superkingdom": ("categorical", "top of the organism's lineage"),
    "reviewed": ("binary", "yes if a curator has reviewed the entry (Swiss-Prot)"),
    "existence": (
        "ordinal",
        "evidence that the protein exists: 1 protein, 2 transcript, 3 homology, 4 predicted, 5 uncertain",
    ),
    "enzyme": ("binary", "yes if the entry has an EC number"),
    "enzyme_class": ("categorical", "first number of the EC numbers, where they agree"),
    "fragment": ("binary", "yes if only a part of the sequence is known"),
}
PREFIXES = {"cofactor": "yes if UniProt names this cofactor", "keyword": "yes if the entry has this keyword"}


def of_header(header: str) -> dict[str, str | int]:
    """Covariates of a FASTA header: `sp|P12345|NAME Protein name OS=... OX=... GN=... PE=1 SV=2`; none of another's."""
    match = HEADER.fullmatch(header)
    if match is None:
        return {}
    found: dict[str, str | int] = {"reviewed": "yes" if match["db"] == "sp" else "no"}
    if match["name"]:
        found["fragment"] = "yes" if "(Fragment" in match["name"] else "no"
    if match["organism"]:
        found["organism"] = match["organism"]
    if match["existence"]:
        found["existence"] = int(match["existence"])
    return found


def of_table(given: Table) -> tuple[list[dict], list[dict[str, list[str]]]]:
    """Covariates of each row of a TSV download, and the values of its columns that list several."""
    rows = list(given.rows.values())
    return [subject_values(row) for row in rows], [listed(row) for row in rows]


def table(values: list[dict], lists: list[dict[str, list[str]]], least: int) -> tuple[list[pl.Series], list[dict]]:
    """Columns, one row a protein, and their entries in a covariate schema; only what varies.

    Args:
        least: proteins that must have a keyword or cofactor, and must not.
    """
    columns, entries = [], []
    for name, (kind, meaning) in KNOWN.items():
        column = pl.Series(name, [row.get(name) for row in values], dtype=pl.Int64 if kind == "ordinal" else pl.String)
        if column.drop_nulls().n_unique() > 1:
            columns.append(column)
            entries.append(_entry(name, kind, meaning))
    for prefix, meaning in PREFIXES.items():
        told = [row.get(prefix) for row in lists]
        counts = Counter(word for words in told for word in set(words or []))
        for word in sorted(
            word for word, n in counts.items() if least <= n <= sum(one is not None for one in told) - least
        ):
            said = [None if words is None else "yes" if word in words else "no" for words in told]
            columns.append(pl.Series(f"{prefix} {word}", said, dtype=pl.String))
            entries.append(_entry(f"{prefix} {word}", "binary", meaning))
    return columns, entries


def _entry(name: str, kind: str, meaning: str) -> dict:
    positive = {"positive": "yes"} if kind == "binary" else {}
    return {"name": name, "type": kind, "role": "target", "level": "subject", "description": meaning, **positive}
