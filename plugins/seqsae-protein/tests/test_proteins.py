"""The source `proteins`, whole: files in, aligned labels out."""

import gzip
import json
import re

import polars as pl
import pytest
from seqsae_protein import hf, proteins
from tiny_models import AMINO, save

import seqsae
from seqsae.errors import SeqsaeError
from seqsae.progress import shown
from seqsae.records.reading import read_source
from seqsae.testing import check_source

SEQUENCES = {"P1": "MKVLAAGCTWC", "P2": "MSTNPKPQRKT", "P3": AMINO}
HEADERS = {
    "P1": "sp|P1|ONE_HUMAN Protein one OS=Homo sapiens OX=9606 GN=ONE PE=1 SV=2",
    "P2": "tr|P2|TWO_MOUSE Protein two (Fragment) OS=Mus musculus OX=10090 PE=4 SV=1",
    "P3": "tr|P3|THREE_MOUSE Protein three OS=Mus musculus OX=10090 GN=x PE=4 SV=1",
}
GFF = """##gff-version 3
P1\tUniProtKB\tDisulfide bond\t8\t11\t.\t.\t.\tNote=Interchain (with C-9)
P1\tUniProtKB\tBinding site\t3\t5\t.\t.\t.\tligand=ATP;ligand_id=ChEBI:CHEBI:30616
P2\tUniProtKB\tDomain\t<1\t6\t.\t.\t.\tNote=SH3 1
P2\tUniProtKB\tPropeptide\t?\t6\t.\t.\t.\tID=x
P2\tUniProtKB\tMutagenesis\t2\t2\t.\t.\t.\tNote=S->A
P9\tUniProtKB\tDomain\t1\t900\t.\t.\t.\tNote=SH3
"""


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "p.fasta.gz"
    text = "".join(f">{HEADERS[name]}\r\n{sequence[:7]}\r\n{sequence[7:]}\r\n" for name, sequence in SEQUENCES.items())
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.fixture
def table(tmp_path):
    columns = ["Entry", "Organism", "Length", "Sequence", "Binding site", "Cofactor", "Keywords"]
    rows = [
        [
            "P1",
            "Homo sapiens",
            "11",
            SEQUENCES["P1"],
            'BINDING 3..5; /ligand="ATP"',
            "COFACTOR: Name=Zn(2+);",
            "Kinase;Membrane",
        ],
        ["P2", "Mus musculus", "11", SEQUENCES["P2"], "", "", "Kinase"],
        ["P3", "Mus musculus", "20", SEQUENCES["P3"], 'BINDING 20; /ligand="heme"; /ligand_part="Fe"', "", ""],
    ]
    path = tmp_path / "u.tsv"
    path.write_text("\n".join("\t".join(row) for row in [columns, *rows]))
    return path


def labels(folder):
    found = pl.read_parquet(folder / "annotations.parquet")
    texts = [SEQUENCES[name][start:end] for name, start, end in found.select("subject_id", "start", "end").rows()]
    return [(*row, text) for row, text in zip(found.drop("start", "end", "instance").rows(), texts, strict=True)], found


def test_fasta_with_gff(fasta, tmp_path, capsys):
    (tmp_path / "x.gff3").write_text(GFF)
    with shown():
        folder = proteins.make(tmp_path / "out", fasta, annotations=[tmp_path / "x.gff3"])
    rows, table = labels(folder)
    assert rows == [
        ("P1", "Disulfide bond", "Interchain", "C"),
        ("P1", "Disulfide bond", "Interchain", "C"),
        ("P1", "Binding site", "ATP", "VLA"),
        ("P2", "Domain", "SH3", "MSTNPK"),
    ]
    assert table["instance"].to_list() == [0, 0, 1, 2], "both ends of a bond bear its number"
    told = capsys.readouterr().err
    for line in (
        "1 of 6 features with an uncertain end: taken at the number",
        "1 of 6 features at a place that is not known: left out",
        "1 of 6 features of kinds that are not asked for: left out",
        "1 of 6 features of proteins that are not in the data: left out",
    ):
        assert line in told
    covariates = pl.read_parquet(folder / "covariates.parquet")
    assert covariates["existence"].to_list() == [1, 4, 4] and covariates["length"].to_list() == [11, 11, 20]
    assert covariates.select("reviewed", "organism", "fragment").rows() == [
        ("yes", "Homo sapiens", "no"),
        ("no", "Mus musculus", "yes"),
        ("no", "Mus musculus", "no"),
    ]
    data = read_source(folder)
    assert data.annotations["sample"].to_list() == [0, 0, 0, 1]
    assert [entry["name"] for entry in data.covariate_schema["covariates"] if entry["level"] == "token"] == [
        *("Binding site", "Disulfide bond", "Domain")
    ]


def test_a_tsv_download_alone(table, tmp_path):
    folder = proteins.make(tmp_path / "out", table, min_proteins=1)
    assert labels(folder)[0] == [("P1", "Binding site", "ATP", "VLA"), ("P3", "Binding site", "heme", "Y")]
    covariates = pl.read_parquet(folder / "covariates.parquet")
    assert covariates["cofactor Zn(2+)"].to_list() == ["yes", "no", "no"]
    assert covariates["keyword Kinase"].to_list() == ["yes", "yes", "no"]
    assert proteins.make(tmp_path / "rare", table).joinpath("covariates.parquet").is_file()
    assert "keyword Kinase" not in pl.read_parquet(tmp_path / "rare" / "covariates.parquet").columns
    entries = json.loads((folder / "covariates.schema.json").read_text())["covariates"]
    assert {entry["name"]: entry["type"] for entry in entries}["cofactor Zn(2+)"] == "binary"


def test_kinds_are_chosen_by_name_or_key(fasta, tmp_path):
    (tmp_path / "x.gff").write_text(GFF)
    for index, (asked, expected) in enumerate(
        [(["BINDING"], {"Binding site"}), ("disulfide bond", {"Disulfide bond"}), (["Mutagenesis"], {"Mutagenesis"})]
    ):
        folder = proteins.make(tmp_path / f"out{index}", fasta, annotations=tmp_path / "x.gff", features=asked)
        assert set(labels(folder)[1]["covariate"]) == expected
    everything = proteins.make(
        tmp_path / "all", fasta, annotations=tmp_path / "x.gff", features="all", uncertain="leave"
    )
    assert set(labels(everything)[1]["covariate"]) == {"Disulfide bond", "Binding site", "Mutagenesis"}
    with pytest.raises(SeqsaeError, match="no kind of feature 'Bindng site'; UniProt has"):
        proteins.make(tmp_path / "none", fasta, features=["Bindng site"])


def test_region_tables_are_taken_as_they_are(fasta, tmp_path):
    regions = pl.DataFrame(
        {"subject_id": ["P2", "P8"], "start": [0, 0], "end": [3, 9], "covariate": ["loop"] * 2, "value": ["a", "b"]}
    )
    regions.write_parquet(tmp_path / "r.parquet")
    folder = proteins.make(tmp_path / "out", fasta, annotations=[tmp_path / "r.parquet"])
    assert labels(folder)[0] == [("P2", "loop", "a", "MST")]
    for change, complaint in (
        ({"end": [12, 9]}, "from 0 to 12 in 'P2', which has 11 residues"),
        ({"start": [3, 0]}, r"r\.parquet, row 1: 'loop' from 3 to 3 in 'P2' is empty"),
        ({"end": [3, 0], "start": [0, 4]}, r"r\.parquet, row 2: 'loop' from 4 to 0 in 'P8' is reversed"),
        (
            {"start": [-1, 0]},
            r"row 1: column 'start' holds -1 \('loop' from -1 to 3 in 'P2'\); .* whole numbers from 0 on",
        ),
        ({"start": [1.0, 1.5]}, "row 2: column 'start' holds 1.5"),
        ({"end": [3.0, float("nan")]}, "row 2: column 'end' holds nan"),
        ({"start": [False, False]}, "row 1: column 'start' is Boolean, no number"),
        ({"end": ["3", "9"]}, "row 1: column 'end' is String, no number"),
        ({"end": [3, None]}, "row 2: column 'end' is empty"),
        ({"value": [None, "b"]}, "row 1: column 'value' is empty; have every column filled"),
        ({"covariate": ["loop", ""]}, "row 2: column 'covariate' is empty"),
        ({"value": [["a"], ["b"]]}, r"row 1: column 'value' is List\(String\), not text"),
    ):
        regions.with_columns(**{key: pl.Series(value) for key, value in change.items()}).write_parquet(
            tmp_path / "r.parquet"
        )
        with pytest.raises(SeqsaeError, match=complaint):
            proteins.make(tmp_path / "bad", fasta, annotations=[tmp_path / "r.parquet"])
        assert not (tmp_path / "bad").exists()
    regions.drop("end").write_parquet(tmp_path / "r.parquet")
    with pytest.raises(SeqsaeError, match="no column 'end'"):
        proteins.make(tmp_path / "bad", fasta, annotations=[tmp_path / "r.parquet"])


def test_what_stands_in_two_files_counts_once_and_that_is_said(fasta, tmp_path, capsys):
    (tmp_path / "x.gff3").write_text(GFF)
    (tmp_path / "y.gff3").write_text(GFF + "P1\tUniProtKB\tDisulfide bond\t5\t11\t.\t.\t.\tNote=Interchain\n")
    same = {"subject_id": ["P1"], "start": [2], "end": [5], "covariate": ["Binding site"], "value": ["ATP"]}
    pl.DataFrame(same).write_parquet(tmp_path / "z.parquet")
    once = proteins.make(tmp_path / "one", fasta, annotations=tmp_path / "x.gff3")
    with shown():
        files = [tmp_path / name for name in ("x.gff3", "y.gff3", "z.parquet")]
        folder = proteins.make(tmp_path / "two", fasta, annotations=files)
    assert "source proteins: 6 annotations repeat another one" in capsys.readouterr().err
    more = labels(folder)[1]
    assert more[:4].equals(labels(once)[1])
    assert more[4:].select("start", "end").rows() == [(4, 5)], "of a second bond the end that the first has not"


OPTIONS = {
    "annotations": (3, [3], True, "", {"a": 1}, [""], b"x"),
    "features": (3, [3], True, "", {"a": 1}, [["Domain"]]),
    "clusters": (3, True, "", ["x"], {"a": 1}),
    "min_proteins": (1.5, True, "a", 0),
    "uncertain": (3, ["take"]),
    "case": (3, ["upper"]),
    "duplicates": (3, {"a": 1}),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_another_type_is_named(option, fasta):
    for value in OPTIONS[option]:
        with pytest.raises(SeqsaeError, match=rf"{option} = {re.escape(repr(value))}; (give|it is) ") as refused:
            proteins.open(fasta, **{option: value})
        assert "\n" not in str(refused.value)


def test_labels_stay_with_their_residues_through_gaps_stops_and_windows(tmp_path):
    """Annotations count in the sequence as given, gaps and all; so does `event`."""
    given = "--MKV-LAAG.CTWC*" + AMINO
    (tmp_path / "s.fasta").write_text(f">P1 x\n{given}\n>P2\nMKVLL\n")
    (tmp_path / "x.gff").write_text("##gff-version 3\nP1\tU\tDomain\t5\t15\t.\t.\t.\tNote=SH3\n")
    data = seqsae.dataset(proteins.make(tmp_path / "out", tmp_path / "s.fasta", annotations=tmp_path / "x.gff"))
    model = hf.open(
        save("EsmForMaskedLM", tmp_path / "m"), gaps="skip", stops="skip", long="window", longest=8, overlap=3
    )
    rows = seqsae.harvest(model, data, out=tmp_path / "run").rows
    ((sample, start, end),) = data.annotations.select("sample", "start", "end").rows()
    labelled = rows.filter(pl.col("sample") == sample, pl.col("event") >= start, pl.col("event") < end)
    assert "".join(labelled["token"]) == given[4:15].replace("-", "").replace(".", "") == "VLAAGCTWC"
    assert all(given[event] == token for event, token in rows.filter(sample=0).select("event", "token").rows())


def test_it_keeps_the_contract_of_a_source(fasta, tmp_path):
    (tmp_path / "x.gff").write_text(GFF)
    data = check_source(proteins.open, fasta, annotations=str(tmp_path / "x.gff"))
    assert len(data) == 3


def test_duplicates_and_case_are_policies(tmp_path):
    path = tmp_path / "s.fasta"
    path.write_text(">sp|P1|A\nmkv\n>tr|P1|B\nMKVL\n>P1#2\nMK\n")
    with pytest.raises(SeqsaeError, match="'P1' stands twice"):
        proteins.make(tmp_path / "a", path)
    folder = proteins.make(tmp_path / "b", path, duplicates="number")
    assert pl.read_parquet(folder / "sequences.parquet").rows() == [("P1", "MKV"), ("P1#3", "MKVL"), ("P1#2", "MK")]
    with pytest.raises(SeqsaeError, match="'P1' has small letters"):
        proteins.make(tmp_path / "c", path, duplicates="number", case="refuse")


def test_clusters_of_mmseqs_keep_relatives_in_one_split(fasta, tmp_path):
    path = tmp_path / "c.tsv"
    path.write_text("sp|P1|ONE_HUMAN\tP1\nP1\ttr|P3|THREE_MOUSE\nP2\tP2\nP7\tP7\n")
    data = seqsae.dataset(proteins.make(tmp_path / "out", fasta, clusters=path))
    assert data.subjects["cluster"].to_list() == ["P1", "P2", "P1"]
    for text, complaint in (
        ("P1\tP1\nP2\tP2\n", "1 of 3 sequences are in no cluster, 'P3' for one"),
        ("P1\tP1\nP2\tP1\n", "line 2: 'P1' is in two clusters"),
        ("P1 P1\n", "line 1: expected a representative and a member"),
    ):
        path.write_text(text)
        with pytest.raises(SeqsaeError, match=complaint):
            proteins.make(tmp_path / "never", fasta, clusters=path)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"colour": 1}, "no option 'colour'"),
        ({"uncertain": "guess"}, "uncertain = 'guess'"),
        ({"min_proteins": 0}, "min_proteins = 0"),
        ({"case": "lower"}, "case = 'lower'; it is 'upper' or 'refuse'"),
    ],
)
def test_options_that_are_none_are_refused(fasta, options, complaint):
    with pytest.raises(SeqsaeError, match=complaint):
        proteins.open(fasta, **options)
    with pytest.raises(SeqsaeError, match="no path"):
        proteins.open()


def test_wrong_files_are_one_line(fasta, table, tmp_path):
    def refused(match, path, **options):
        with pytest.raises(SeqsaeError, match=match) as caught:
            proteins.make(tmp_path / "never", path, **options)
        assert "\n" not in str(caught.value) and not (tmp_path / "never").exists()

    refused("no such file", tmp_path / "nowhere.fasta")
    refused("not a readable text file", tmp_path)
    (tmp_path / "bad.gff").write_text("##gff-version 3\nP1\tU\tDomain\t5\t12\t.\t.\t.\tNote=x\n")
    refused(
        r"bad\.gff, line 2: Domain at 5..12 of 'P1', which has 11 residues", fasta, annotations=tmp_path / "bad.gff"
    )
    for start, end, complaint in (
        (7, 3, r"line 2: Domain at 7\.\.3 of 'P1' is reversed: its end stands before its start"),
        (0, 3, r"line 2: Domain at 0\.\.3 of 'P1': positions count from 1"),
        (-2, 3, r"line 2: position '-2\.\.3' of 'Domain' cannot be read; positions are whole numbers from 1 on"),
    ):
        (tmp_path / "bad.gff").write_text(f"##gff-version 3\nP1\tU\tDomain\t{start}\t{end}\t.\t.\t.\tNote=x\n")
        refused(complaint, fasta, annotations=tmp_path / "bad.gff")
        (tmp_path / "bad.tsv").write_text(f"Entry\tSequence\tDomain\nP1\tMKVLAAGCT\tDOMAIN {start}..{end}\n")
        refused(complaint.replace("line 2", r"bad\.tsv, line 2, 'Domain'"), tmp_path / "bad.tsv")
    (tmp_path / "bad.gff").write_text("##gff-version 3\nP1\tU\t\t5\t9\t.\t.\t.\tNote=x\n")
    refused(r"bad\.gff, line 2: the third column is empty", fasta, annotations=tmp_path / "bad.gff")
    table.write_text(table.read_text().replace(SEQUENCES["P2"], SEQUENCES["P2"][:-1]))
    refused("'P2' has 10 residues but the length 11", table)
    (tmp_path / "cut.fasta.gz").write_bytes(fasta.read_bytes()[:-9])
    refused("not a readable text file", tmp_path / "cut.fasta.gz")
