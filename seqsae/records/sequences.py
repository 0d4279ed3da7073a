"""Sequences of residues: FASTA (plain or gzip) and parquet with `subject_id` (or `sequence_id`) and `sequence`.

A sequence is kept as it was given, gaps (`-`, `.`) and stops (`*`) too, so that every index into it, an annotation's
or a row's, means the same residue everywhere; whether a model reads gaps, stops and rare letters is the model's policy.
"""

import gzip
import re
import zlib
from pathlib import Path

import polars as pl

from seqsae import schema
from seqsae.errors import SeqsaeError
from seqsae.progress import say
from seqsae.records.data import Dataset, subjects_table
from seqsae.shelf import read_parquet

FASTA = (".fasta", ".fa", ".faa", ".fas")
ODD = re.compile(r"[^A-Za-z*.\-]")  # looked for before capitals are made: 'ſ'.upper() is S, 'ß'.upper() is two letters
POLICIES = {"case": ("upper", "refuse"), "duplicates": ("refuse", "number")}
ZIPPED = b"\x1f\x8b"  # the first two bytes of every gzip file (RFC 1952, 2.3.1)


def read(path: Path | str, case: str = "upper", duplicates: str = "refuse") -> Dataset:
    """A Dataset of sequences.

    Args:
        case: small letters: `upper` reads them as capitals and says how many sequences had some, `refuse` is an error.
        duplicates: a name that stands twice: `refuse`, or `number`: the second NAME is called NAME#2, and this is said.
    Raises:
        SeqsaeError: naming the file and line, or the entry, that is wrong.
    """
    path = Path(path)
    check_policies(case=case, duplicates=duplicates)
    names, given = _from_parquet(path) if path.suffix == ".parquet" else _from_fasta(path)
    sequences = checked(names, given, str(path), case)
    names = numbered(names, str(path)) if duplicates == "number" else names
    subjects = subjects_table(names, path.name)
    table = pl.DataFrame({"subject": subjects["subject"], "sequence": pl.Series(sequences, dtype=pl.String)})
    return Dataset("sequences", subjects, schema.check_table(table, "sequences", str(path)))


def check_policies(**given: str) -> None:
    """Raises SeqsaeError for a policy that is none of `POLICIES`."""
    for option, value in given.items():
        if value not in POLICIES[option]:
            raise SeqsaeError(f"sequences: {option} = {value!r}; it is {' or '.join(map(repr, POLICIES[option]))}")


def checked(names: list, sequences: list[str], where: str, case: str = "upper") -> list[str]:
    """The sequences in capital letters. Raises SeqsaeError for one that is empty or holds what is no residue, gap or stop."""
    for name, sequence in zip(names, sequences, strict=True):
        odd = ODD.search(sequence)
        if odd is not None:
            hint = "a header begins its line" if odd[0] == ">" else "letters A to Z, gaps '-' '.' and stops '*' only"
            raise SeqsaeError(f"{where}: sequence {name!r} holds {odd[0]!r} at residue {odd.start() + 1}; {hint}")
        if not sequence:
            raise SeqsaeError(f"{where}: sequence {name!r} is empty; remove it")
    upper = [sequence.upper() for sequence in sequences]
    small = [name for name, one, other in zip(names, sequences, upper, strict=True) if one != other]
    if small and case == "refuse":
        raise SeqsaeError(f"{where}: sequence {small[0]!r} has small letters; write capitals, or give case = 'upper'")
    if small:
        say(f"{where}: {len(small):,} of {len(upper):,} sequences have small letters, read as capitals")
    return upper


def numbered(names: list, where: str) -> list[str]:
    """The names, each that stood before with #2, #3, ... behind it; no two are alike."""
    if any(not isinstance(name, str) for name in names) and len(set(names)) < len(names):
        raise SeqsaeError(f"{where}: names that are integers stand twice; only text names can be numbered")
    taken, next_number, found = set(names), {}, []
    for name in names:
        new, number = name, next_number.get(name, 1)
        while number > 1 and new in taken:  # NAME itself stands, and a NAME#2 may stand in the file
            new, number = f"{name}#{number}", number + 1
        next_number[name] = max(number, 2)
        taken.add(new)
        found.append(new)
    changed = sum(one != other for one, other in zip(names, found, strict=True))
    if changed:
        say(f"{where}: {changed:,} names stand more than once and were numbered")
    return found


def fasta(path: Path) -> tuple[list[str], list[str]]:
    """Headers without their '>' and sequences as they stand, lines joined. Raises SeqsaeError naming the line at fault."""
    headers: list[str] = []
    parts: list[list[str]] = []
    for number, line in enumerate(map(str.strip, read_lines(path)), 1):
        if line.startswith(">"):
            if not line[1:].strip():
                raise SeqsaeError(f"{path}, line {number}: a header without a name; write >NAME")
            headers.append(line[1:].strip())
            parts.append([])
        elif line and not headers:
            raise SeqsaeError(f"{path}, line {number}: sequence before the first '>' header; is this a FASTA file?")
        elif line:
            parts[-1].append(line)
    if not headers:
        raise SeqsaeError(f"{path}: no sequences in it; give a FASTA file")
    return headers, ["".join(part) for part in parts]


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, plain or gzip by its first bytes, without their ends. Raises SeqsaeError."""
    try:
        with Path(path).open("rb") as file:
            opener = gzip.open if file.read(2) == ZIPPED else open
        with opener(path, "rt", encoding="utf-8-sig") as file:
            return [line.removesuffix("\n") for line in file]
    except FileNotFoundError:
        raise SeqsaeError(f"{path}: no such file; check the path") from None
    except (UnicodeDecodeError, zlib.error, EOFError, OSError) as cause:
        raise SeqsaeError(f"{path}: not a readable text file ({cause}); give plain or gzip text") from None


def _from_parquet(path: Path) -> tuple[list, list[str]]:
    table = read_parquet(path)
    key = next((name for name in ("subject_id", "sequence_id") if name in table.columns), None)
    if key is None or "sequence" not in table.columns:
        raise SeqsaeError(f"{path}: needs the columns 'subject_id' and 'sequence', found {', '.join(table.columns)}")
    if table["sequence"].dtype != pl.String or table.select(pl.col(key, "sequence").null_count()).row(0) != (0, 0):
        raise SeqsaeError(f"{path}: '{key}' and 'sequence' must be filled in every row, 'sequence' as text")
    return table[key].to_list(), table["sequence"].to_list()


def _from_fasta(path: Path) -> tuple[list[str], list[str]]:
    headers, sequences = fasta(path)
    return [header.split(maxsplit=1)[0] for header in headers], sequences
