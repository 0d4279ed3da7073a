"""Sequences of residues: FASTA (plain or gzip) and parquet with `subject_id` (or `sequence_id`) and `sequence`."""

import gzip
import zlib
from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.records.data import Dataset, subjects_table
from seqsae.shelf import read_parquet

FASTA = (".fasta", ".fa", ".faa", ".fas")


def read(path: Path | str) -> Dataset:
    """A Dataset of sequences. Raises SeqsaeError naming the file and line, or the entry, that is wrong."""
    path = Path(path)
    names, sequences = _from_parquet(path) if path.suffix == ".parquet" else _from_fasta(path)
    for name, sequence in zip(names, sequences, strict=True):
        odd = next((letter for letter in sequence if not ("A" <= letter <= "Z" or letter == "*")), None)
        if odd is not None or not sequence:
            raise SeqsaeError(
                f"{path}: sequence {name!r} "
                + (f"holds {odd!r}; letters A to Z only" if odd else "is empty; remove it")
            )
    subjects = subjects_table(names, path.name)
    table = pl.DataFrame({"subject": subjects["subject"], "sequence": pl.Series(sequences, dtype=pl.String)})
    return Dataset("sequences", subjects, schema.check_table(table, "sequences", str(path)))


def _from_parquet(path: Path) -> tuple[list, list[str]]:
    table = read_parquet(path)
    key = next((name for name in ("subject_id", "sequence_id") if name in table.columns), None)
    if key is None or "sequence" not in table.columns:
        raise SeqsaeError(f"{path}: needs the columns 'subject_id' and 'sequence', found {', '.join(table.columns)}")
    if table["sequence"].dtype != pl.String or table.select(pl.col(key, "sequence").null_count()).row(0) != (0, 0):
        raise SeqsaeError(f"{path}: '{key}' and 'sequence' must be filled in every row, 'sequence' as text")
    return table[key].to_list(), table["sequence"].str.to_uppercase().to_list()


def _from_fasta(path: Path) -> tuple[list[str], list[str]]:
    names: list[str] = []
    parts: list[list[str]] = []
    for number, line in enumerate(_lines(path), 1):
        if line.startswith(">"):
            name = line[1:].split(maxsplit=1)
            if not name:
                raise SeqsaeError(f"{path}, line {number}: a header without a name; write >NAME")
            names.append(name[0])
            parts.append([])
        elif line and not names:
            raise SeqsaeError(f"{path}, line {number}: sequence before the first '>' header; is this a FASTA file?")
        elif line:
            parts[-1].append(line.upper())
    if not names:
        raise SeqsaeError(f"{path}: no sequences in it; give a FASTA file")
    return names, ["".join(part) for part in parts]


def _lines(path: Path) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else Path.open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            return [line.strip() for line in file]
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; check the path") from None
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError, IsADirectoryError) as cause:
        raise SeqsaeError(f"{path}: not a readable FASTA file ({cause}); give plain or gzip text") from None
