"""The source `proteins`: proteins with UniProt's own labels, from files: FASTA or TSV, feature tables, region tables.

Positions in a feature table are those of the sequence as UniProt gives it; they become 0-based and half open here and are
never shifted: whatever a model leaves out of a sequence, its rows keep the residue's index.
"""

import atexit
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from seqsae.errors import SeqsaeError
from seqsae.records import sequences
from seqsae.records.companions_spans import once
from seqsae_protein import annotating, asked, feature_table, homology, protein_covariates
from seqsae_protein.feature_table import Feature, accession
from seqsae_protein.uniprot_tsv import LENGTH, SEQUENCE, Table

SOURCE = "source proteins"
OPTIONS = ("annotations", "features", "uncertain", "min_proteins", "case", "duplicates", "clusters")


@dataclass(frozen=True)
class Proteins:
    """Sequences by accession, and what the same file says of them."""

    names: list[str]
    sequences: list[str]
    values: list[dict]
    """One dict a protein: covariate -> value."""
    listed: list[dict[str, list[str]]]
    """One dict a protein: `cofactor` and `keyword` -> names."""
    features: list[Feature]


def open(path: str | Path | None = None, **options) -> Path:
    """The folder of tables that `make` writes, in a temporary place that goes when the process ends.

    Args:
        options: as in `make`.
    Raises:
        SeqsaeError: no path, an unknown option, or as `make`.
    """
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise SeqsaeError(f"{SOURCE}: no option {unknown[0]!r}; it has {', '.join(OPTIONS)}")
    if path is None:
        raise SeqsaeError(f"{SOURCE}: no path; give a FASTA file, or a TSV download with the column Sequence")
    scratch = tempfile.mkdtemp(prefix="seqsae-proteins-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return make(scratch, path, **options)


def make(  # noqa: PLR0913  every option of the source
    out: str | Path,
    path: str | Path,
    annotations: Sequence[str | Path] | str | Path = (),
    features: Sequence[str] | str = (),
    uncertain: str = "take",
    min_proteins: int = 10,
    case: str = "upper",
    duplicates: str = "refuse",
    clusters: str | Path | None = None,
) -> Path:
    """Write sequences, annotations, covariates and their schema into the folder `out` and return it.

    Args:
        path: FASTA (plain or gzip), parquet (`subject_id`, `sequence`), or a TSV download with the column Sequence.
        annotations: GFF3, TSV or parquet files (`subject_id, start, end, covariate, value`; 0-based, half open).
        features: kinds to keep, by name ("Binding site") or key (BINDING), or "all"; default: all but `categories.REPORTS`.
        uncertain: ends like `<1`, `>9`, `?4`: `take` them at the number, or `leave` the feature out; both are counted.
        min_proteins: a keyword or cofactor becomes a covariate if so many proteins have it and so many have not.
        case, duplicates: as in `seqsae.records.sequences.read`.
        clusters: mmseqs2's table of representatives and members; splits keep a cluster whole.
    Raises:
        SeqsaeError: in one line, what cannot be read, or a position outside its sequence.
    """
    out, files = Path(out), asked.texts(SOURCE, "annotations", annotations, "a path or a list of paths")
    asked.text(SOURCE, "clusters", clusters, "a path")
    _check(out, uncertain, min_proteins)
    sequences.check_policies(case=case, duplicates=duplicates)
    wanted = annotating.kinds(features)
    proteins = _read(Path(path), case, duplicates)
    lengths = {name: len(sequence) for name, sequence in zip(proteins.names, proteins.sequences, strict=True)}
    found, tables = list(proteins.features), []
    for file in map(Path, files):
        if file.suffix != ".parquet":
            found += _features(file)
    for file in (Path(file) for file in files if Path(file).suffix == ".parquet"):
        tables.append(annotating.regions(file, lengths, len(found) + sum(map(len, tables))))
    labelled = pl.concat([annotating.annotations(found, lengths, wanted, uncertain), *tables])
    labelled = once(labelled, "subject_id", SOURCE)
    cluster = None if clusters is None else homology.from_file(Path(clusters), proteins.names)
    _write(out, proteins, labelled, min_proteins)
    if cluster is not None:
        pl.DataFrame({"subject_id": proteins.names, "cluster": cluster}).write_parquet(out / "subjects.parquet")
    return out


def _check(out: Path, uncertain: str, min_proteins: int) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SeqsaeError(f"{out}: not an empty folder; choose another path, nothing is overwritten")
    if uncertain not in ("take", "leave"):
        raise SeqsaeError(f"{SOURCE}: uncertain = {uncertain!r}; it is 'take' or 'leave'")
    asked.whole(SOURCE, "min_proteins", min_proteins, 1)


def _read(path: Path, case: str, duplicates: str) -> Proteins:
    if path.suffix == ".parquet":
        data = sequences.read(path, case, duplicates)
        names = data.subjects["subject_id"].cast(pl.String).to_list()
        blank = [{} for _ in names]
        return Proteins(names, data.table["sequence"].to_list(), blank, blank, [])
    lines = sequences.read_lines(path)
    if next((line for line in lines if line.strip()), "").startswith(">"):
        headers, given = sequences.fasta(path)
        names = [accession(header.split(maxsplit=1)[0]) for header in headers]
        values = [protein_covariates.of_header(header) for header in headers]
        listed, features = [{} for _ in names], []
    else:
        table = Table(path, lines)
        names, given = list(table.rows), _sequences_of(table)
        values, listed = protein_covariates.of_table(table)
        features = table.features()
    given = sequences.checked(names, given, str(path), case)
    if duplicates == "number":
        names = sequences.numbered(names, str(path))
    twice = next((name for name, n in Counter(names).items() if n > 1), None)
    if twice is not None:
        raise SeqsaeError(f"{path}: {twice!r} stands twice; leave one out, or give duplicates = 'number'")
    return Proteins(names, given, values, listed, features)


def _sequences_of(table: Table) -> list[str]:
    if SEQUENCE not in table.columns or not table.rows:
        raise SeqsaeError(
            f"{table.path}: no column {SEQUENCE!r} with sequences in it; add it to the download, or give FASTA"
        )
    for name, row in table.rows.items():
        length = row.get(LENGTH, "")
        if length and length.replace(",", "") != str(len(row[SEQUENCE])):
            raise SeqsaeError(
                f"{table.path}, line {table.line[name]}: {name!r} has {len(row[SEQUENCE]):,} residues but the length {length}; "
                "is the file cut?"
            )
    return [row[SEQUENCE] for row in table.rows.values()]


def _features(path: Path) -> list[Feature]:
    """The features of a GFF3 or TSV file, told apart by its first lines."""
    lines = sequences.read_lines(path)
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    is_gff = any(line.startswith("##gff-version") for line in lines[:5]) or len(first.split("\t")) == 9
    return (
        feature_table.gff(lines, path) if is_gff and not first.startswith("Entry\t") else Table(path, lines).features()
    )


def _write(out: Path, proteins: Proteins, annotations: pl.DataFrame, min_proteins: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    ids = {"subject_id": pl.Series(proteins.names, dtype=pl.String)}
    pl.DataFrame({**ids, "sequence": proteins.sequences}).write_parquet(out / "sequences.parquet")
    covariates, entries = protein_covariates.table(proteins.values, proteins.listed, min_proteins)
    lengths = pl.Series("length", [len(one) for one in proteins.sequences])
    if lengths.n_unique() > 1:
        covariates = [*covariates, lengths]
        entries = [*entries, protein_covariates.LENGTH_ENTRY]
    pl.DataFrame([pl.Series("subject_id", proteins.names, dtype=pl.String), *covariates]).write_parquet(
        out / "covariates.parquet"
    )
    if len(annotations):
        annotations.write_parquet(out / "annotations.parquet")
        for name in annotations["covariate"].unique().sort():
            entries = [*entries, {"name": name, "type": "categorical", "role": "target", "level": "token"}]
    (out / "covariates.schema.json").write_text(json.dumps({"covariates": entries}, indent=2) + "\n")
