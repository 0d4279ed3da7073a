"""A covariate schema drafted from a table file, for a person to decide on."""

from pathlib import Path

from seqsae.errors import SeqsaeError
from seqsae.files import write_json
from seqsae.records.columns import listed
from seqsae.records.proposals import Proposal, document_of, proposals
from seqsae.records.tables import read_table


def draft(table: Path, out: Path | None = None) -> tuple[list[Proposal], Path]:
    """What each column of a table is proposed as, and the schema document that was written of it.

    Args:
        table: CSV or parquet with a column `subject_id`.
        out: the file to write; default: covariates.schema.json beside the table.
    Raises:
        SeqsaeError: no such table, nothing in it to propose, or a file there already; nothing is written.
    """
    read = read_table(table)
    if "subject_id" not in read.columns:
        raise SeqsaeError(
            f"{table}: no column 'subject_id', by which covariates are keyed; it has {listed(read.columns, 6) or 'none'}: rename one"
        )
    found = proposals(read)
    document = document_of(found)
    out = out or table.with_name("covariates.schema.json")
    if out.exists():
        raise SeqsaeError(f"{out}: already there; give another --out, it is not overwritten")
    if not document["covariates"]:
        raise SeqsaeError(f"{table}: no column to propose{''.join(f'; {one.told()}' for one in found[:4])}")
    write_json(out, document, in_order=False)
    return found, out
