"""Antibody variable domains with labels, built from real germline genes: the source `antibody`.

**Partly synthetic.** V genes, J genes and the region labels are real germline genes of human and mouse (`germline`).
A domain is a V gene and a J gene of the same species and locus; which J gene follows is drawn at random. In heavy
chains a *random* junction of 2 to 9 residues stands between them, and every domain has *synthetic* copies with about
6% of the residues outside C and W substituted at random (`mutated_copy` = yes). No domain here was observed in a
person or a mouse: conclusions about junctions, J usage or somatic mutation would be conclusions about a random number
generator.
"""

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from seqsae.errors import SeqsaeError
from seqsae_protein import asked
from seqsae_protein.germline import REGIONS, JGene, VGene, genes, v_family
from seqsae_protein.homology import clusters
from seqsae_protein.labels import COVARIATES

LOCI = ("IGH", "IGK", "IGL")
FREE = "ADEFGHIKLMNPQRSTVY"  # residues a junction or a substitution may have: all but the structural C and W
JUNCTION = (2, 9)  # residues, both ends included
SUBSTITUTED = 0.06  # chance that a residue other than C and W is substituted in a copy


class Domain(NamedTuple):
    """One variable domain: a subject of the table."""

    subject_id: str
    sequence: str
    bounds: tuple[int, ...]
    """Eight residue indices: the starts of FR1 to FR4, and the length."""
    v: VGene
    j: JGene
    copy: int
    """0 for the domain itself, 1.. for a copy with substitutions."""


def open(path: str | Path | None = None, **options) -> Path:
    """The folder of the antibody table, for the core to read: `path` if one lies there, else a new temporary one.

    Nothing is written to `path`; the temporary folder goes when the process ends. `make` writes a table to keep.

    Args:
        options: `seed`, `copies` and `loci`, as in `make`.
    Raises:
        SeqsaeError: an unknown option, or as `make`.
    """
    unknown = sorted(set(options) - {"seed", "copies", "loci"})
    if unknown:
        raise SeqsaeError(f"source antibody: no option {unknown[0]!r}; it has seed, copies and loci")
    if path is not None:
        if not (Path(path) / "sequences.parquet").is_file():
            raise SeqsaeError(f"{path}: no antibody table there (no sequences.parquet); leave the path out to make one")
        return Path(path)
    scratch = tempfile.mkdtemp(prefix="seqsae-antibody-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return make(scratch, **options)


def make(out: str | Path, seed: int = 0, copies: int = 1, loci: Sequence[str] = LOCI) -> Path:
    """Write the table into the folder `out` and return the folder.

    Writes sequences.parquet (subject_id, sequence), subjects.parquet (subject_id, cluster), covariates.parquet,
    covariates.schema.json and annotations.parquet (subject_id, start, end, covariate, value; 0-based residues,
    half-open). The same seed gives the same bytes; other copies or loci leave the remaining domains as they are.

    Args:
        seed: of J genes, junctions, substitutions and the coin.
        copies: substituted copies of each domain, 0 or more. They share the domain's cluster, so no split parts them.
        loci: which chains to keep: IGH (heavy), IGK, IGL. A model of heavy chains wants ("IGH",).
    Raises:
        SeqsaeError: tcrdist3==0.3 is not installed, `out` is a file, or an option is out of range.
    """
    out = Path(out)
    _check(out, seed, copies, loci)
    v_genes, j_genes = genes()
    cluster = _cluster_names(v_genes)
    table = [domain for domain in domains(v_genes, j_genes, seed, copies) if domain.v.locus in loci]
    out.mkdir(parents=True, exist_ok=True)
    _sequences(table).write_parquet(out / "sequences.parquet")
    _subjects(table, cluster).write_parquet(out / "subjects.parquet")
    _annotations(table).write_parquet(out / "annotations.parquet")
    covariates = _covariates(table, seed)
    covariates.write_parquet(out / "covariates.parquet")
    (out / "covariates.schema.json").write_text(json.dumps(_schema(covariates), indent=2) + "\n")
    return out


def _check(out: Path, seed: int, copies: int, loci: Sequence[str]) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SeqsaeError(f"{out}: not an empty folder; choose another path, nothing is overwritten")
    for name, value in (("seed", seed), ("copies", copies)):
        asked.whole("source antibody", name, value, 0)
    wanted = f"a list of one or more of {', '.join(LOCI)}"
    given = asked.texts("source antibody", "loci", loci, wanted)
    if isinstance(loci, str) or not given or not set(given) <= set(LOCI):
        raise SeqsaeError(f"source antibody: loci = {loci!r}; give {wanted}")


def domains(v_genes: list[VGene], j_genes: list[JGene], seed: int, copies: int) -> list[Domain]:
    """Each V gene's domain, then the substituted copies of each; no sequence stands twice.

    Every domain and every copy draws from a stream of its own, so that no other one changes it.
    """
    originals = {}
    for index, v in enumerate(v_genes):
        choice = [j for j in j_genes if (j.species, j.locus) == (v.species, v.locus)]
        domain = _joined(v, choice, np.random.default_rng([seed, index, 0]))
        originals.setdefault(domain.sequence, (index, domain))
    found = {sequence: domain for sequence, (_, domain) in originals.items()}
    for copy in range(1, copies + 1):
        for index, domain in originals.values():
            changed = _substituted(domain, copy, np.random.default_rng([seed, index, copy]))
            found.setdefault(changed.sequence, changed)
    return list(found.values())


def _joined(v: VGene, choice: list[JGene], random: np.random.Generator) -> Domain:
    """V gene, junction (heavy chains only), J gene."""
    j = choice[random.integers(len(choice))]
    junction = ""
    if v.locus == "IGH":
        length = random.integers(JUNCTION[0], JUNCTION[1] + 1)
        junction = "".join(random.choice(list(FREE), size=length))
    sequence = v.sequence + junction + j.sequence
    fr4 = len(v.sequence) + len(junction) + j.fr4
    return Domain(f"{v.species}_{v.name}", sequence, (*v.starts, fr4, len(sequence)), v, j, 0)


def _substituted(domain: Domain, copy: int, random: np.random.Generator) -> Domain:
    """A copy in which each residue but C and W is another one with chance `SUBSTITUTED`; never C or W."""
    residues = list(domain.sequence)
    for place in np.flatnonzero(random.random(len(residues)) < SUBSTITUTED):
        if residues[place] in FREE:
            others = FREE.replace(residues[place], "")
            residues[place] = others[random.integers(len(others))]
    return domain._replace(subject_id=f"{domain.subject_id}_copy{copy}", sequence="".join(residues), copy=copy)


def _cluster_names(v_genes: list[VGene]) -> dict[VGene, str]:
    """Homology cluster of each V gene: 3-mer Jaccard >= 0.6 within a locus, named after its first gene.

    Of the germline V gene, not of the whole domain: junctions and J genes are drawn from a common pot, so they would
    push alleles of one gene apart and unlike genes together.
    """
    named: dict[VGene, str] = {}
    for locus in dict.fromkeys(v.locus for v in v_genes):
        members = [v for v in v_genes if v.locus == locus]
        first: dict[int, str] = {}
        for v, number in zip(members, clusters([v.sequence for v in members]).tolist(), strict=True):
            named[v] = first.setdefault(number, f"{v.species}_{v.name}")
    return named


def _sequences(table: list[Domain]) -> pl.DataFrame:
    return pl.DataFrame({"subject_id": [d.subject_id for d in table], "sequence": [d.sequence for d in table]})


def _subjects(table: list[Domain], cluster: dict[VGene, str]) -> pl.DataFrame:
    return pl.DataFrame({"subject_id": [d.subject_id for d in table], "cluster": [cluster[d.v] for d in table]})


def _covariates(table: list[Domain], seed: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "subject_id": [d.subject_id for d in table],
            "species": [d.v.species for d in table],
            "locus": [d.v.locus for d in table],
            "v_family": [v_family(d.v.name) for d in table],
            "mutated_copy": ["yes" if d.copy else "no" for d in table],
            "length": [len(d.sequence) for d in table],
            "coin": [_coin(d.subject_id, seed) for d in table],
        }
    )


def _schema(covariates: pl.DataFrame) -> dict:
    """The schema of the covariates that vary: without copies nothing is mutated, one locus tells nothing apart."""
    varies = {name for name in covariates.columns if covariates[name].n_unique() > 1}
    entries = [dict(entry) for entry in COVARIATES if entry["level"] == "token" or entry["name"] in varies]
    for entry in entries:
        if "within" in entry:
            entry["within"] = [name for name in entry["within"] if name in varies]
    return {"covariates": entries}


def _coin(subject_id: str, seed: int) -> str:
    """A toss that depends on the subject's name and the seed alone."""
    return ("heads", "tails")[hashlib.sha256(f"{seed} {subject_id}".encode()).digest()[0] % 2]


def _annotations(table: list[Domain]) -> pl.DataFrame:
    """Region spans; a region without residues (some V genes end at the cysteine) has no row."""
    spans = [
        (d.subject_id, start, end, region)
        for d in table
        for region, (start, end) in zip(REGIONS, pairwise(d.bounds), strict=True)
        if start < end
    ]
    kinds = {"subject_id": pl.String, "start": pl.UInt32, "end": pl.UInt32, "value": pl.String}
    frame = pl.DataFrame(spans, schema=kinds, orient="row").with_columns(covariate=pl.lit("region"))
    return frame.select("subject_id", "start", "end", "covariate", "value")
