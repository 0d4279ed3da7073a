"""Germline antibody genes of human and mouse, from the table that the package tcrdist3 ships.

The table holds immunoglobulin and T-cell receptor genes of three species, aligned to the IMGT unique numbering
(Lefranc et al. 2003, Dev. Comp. Immunol. 27:55): a gene's 1-based alignment columns are IMGT positions.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae_protein.packages import shipped

REQUIREMENT = "tcrdist3==0.3"
TABLE = "db/combo_xcr_2024-03-05.tsv"
COLUMNS = ("id", "organism", "chain", "region", "aligned_protseq", "cdr_columns")
REGIONS = ("FR1", "CDR1", "FR2", "CDR2", "FR3", "CDR3", "FR4")
SHORTEST = 80  # residues; shorter V genes lack a framework
STANDARD = re.compile("[ACDEFGHIKLMNPQRSTVWY]+")
FR4_MOTIF = re.compile("[FW]G.G")  # opens FR4 in every functional J gene; pseudogenes lack it


class VGene(NamedTuple):
    """A V gene as it stands in the germline, without gaps."""

    name: str
    """Gene and allele, for example IGHV3-23*01."""
    species: str
    """human or mouse."""
    locus: str
    """IGH, IGK or IGL."""
    sequence: str
    """Residues."""
    starts: tuple[int, ...]
    """0-based residue index where FR1, CDR1, FR2, CDR2, FR3 and CDR3 start; six numbers."""


class JGene(NamedTuple):
    """A J gene: the end of CDR3 and the whole of FR4."""

    name: str
    species: str
    locus: str
    sequence: str
    """Residues."""
    fr4: int
    """0-based residue index where FR4 starts."""


def genes(table: Path | None = None) -> tuple[list[VGene], list[JGene]]:
    """V and J genes in the table's order, one of each sequence.

    Left out: other species and receptors, genes with a stop or a letter beyond the twenty residues, V genes under 80
    residues, J genes without the FR4 motif [FW]G.G, and repeats (several alleles have the same protein).
    Raises SeqsaeError if the package or the table is missing or is not what this module expects.
    """
    table = table or shipped("tcrdist", REQUIREMENT, TABLE)
    rows = _rows(table)
    v_genes = [_v_gene(row, table) for row in rows if row["region"] == "V"]
    j_genes = [_j_gene(row, table) for row in rows if row["region"] == "J"]
    v_kept = [gene for gene in v_genes if len(gene.sequence) >= SHORTEST]
    j_kept = [gene for gene in j_genes if FR4_MOTIF.match(gene.sequence, gene.fr4)]
    return _first_of_each(v_kept), _first_of_each(j_kept)


def v_family(name: str) -> str:
    """IGHV3-23*01 -> IGHV3."""
    return re.match(r"IG[HKL]V\d+", name).group()


def _rows(table: Path) -> list[dict]:
    """Rows of human and mouse immunoglobulins whose sequence has only the twenty residues."""
    try:
        read = pl.read_csv(
            table, separator="\t", columns=list(COLUMNS), schema_overrides=dict.fromkeys(COLUMNS, pl.String)
        )
    except (pl.exceptions.PolarsError, OSError) as cause:
        reason = str(cause).splitlines()[0]
        raise SeqsaeError(
            f"{table}: not the gene table of {REQUIREMENT} ({reason}); install that version again"
        ) from None
    wanted = pl.col("id").str.starts_with("IG") & pl.col("organism").is_in(["human", "mouse"])
    rows = read.filter(wanted).to_dicts()
    return [row for row in rows if STANDARD.fullmatch((row["aligned_protseq"] or "").replace(".", ""))]


def _v_gene(row: dict, table: Path) -> VGene:
    aligned = row["aligned_protseq"]
    starts = [_residues_before(aligned, column) for column in _region_columns(row, table)]
    return VGene(row["id"], row["organism"], f"IG{row['chain']}", aligned.replace(".", ""), tuple(starts))


def _region_columns(row: dict, table: Path) -> list[int]:
    """1-based alignment columns where FR1, CDR1, FR2, CDR2, FR3, CDR3 start, from the row's own CDR spans.

    The row's spans are CDR1; CDR2; CDR2.5; CDR3. The third lies within FR3. The fourth starts at the conserved
    cysteine (IMGT 104), which IMGT counts to FR3: CDR3 starts a column later.
    """
    spans = _spans(row, table)
    if len(spans) != 4:
        raise SeqsaeError(
            f"{table}: gene {row['id']} has {len(spans)} CDR spans, expected 4; install {REQUIREMENT} again"
        )
    (cdr1, cdr1_end), (cdr2, cdr2_end), _, (cysteine, _) = spans
    columns = [1, cdr1, cdr1_end + 1, cdr2, cdr2_end + 1, cysteine + 1]
    if any(left >= right for left, right in pairwise(columns)):
        raise SeqsaeError(f"{table}: gene {row['id']} has CDR spans out of order; install {REQUIREMENT} again")
    return columns


def _j_gene(row: dict, table: Path) -> JGene:
    """The row's only span is CDR3 with the conserved W or F (IMGT 118), which IMGT counts to FR4."""
    aligned = row["aligned_protseq"]
    fr4 = _residues_before(aligned, _spans(row, table)[0][1])
    return JGene(row["id"], row["organism"], f"IG{row['chain']}", aligned.replace(".", ""), fr4)


def _spans(row: dict, table: Path) -> list[tuple[int, int]]:
    """1-based inclusive alignment columns: "27-38;56-65" -> [(27, 38), (56, 65)]."""
    text = row["cdr_columns"] or ""
    if not re.fullmatch(r"\d+-\d+(;\d+-\d+)*", text):
        raise SeqsaeError(f"{table}: gene {row['id']} has CDR columns {text!r}; install {REQUIREMENT} again")
    return [tuple(int(end) for end in span.split("-")) for span in text.split(";")]


def _residues_before(aligned: str, column: int) -> int:
    """How many residues stand before a 1-based alignment column."""
    before = aligned[: column - 1]
    return len(before) - before.count(".")


def _first_of_each(found: list) -> list:
    """Genes whose sequence has not been seen before in their species and locus."""
    kept = {}
    for gene in found:
        kept.setdefault((gene.species, gene.locus, gene.sequence), gene)
    return list(kept.values())
