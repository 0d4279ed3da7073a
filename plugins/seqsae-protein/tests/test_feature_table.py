"""UniProt's feature tables, as text of TSV columns and as GFF3: positions, qualifiers and categories."""

import pytest
from seqsae_protein.categories import category, pieces
from seqsae_protein.feature_table import Feature, Span, accession, column, gff, span
from seqsae_protein.uniprot_tsv import Table, cofactors, listed, subject_values

from seqsae.errors import SeqsaeError

BINDING = (
    'BINDING 107; /ligand="Zn(2+)"; /ligand_id="ChEBI:CHEBI:29105"; /ligand_note="catalytic"; '
    '/evidence="ECO:0000250|UniProtKB:P12345; ECO:0000255"; BINDING 110..118; /ligand="ATP"; '
    '/ligand_id="ChEBI:CHEBI:30616"; /evidence="ECO:0000255|PROSITE-ProRule:PRU00159"'
)


def one(kind="Domain", position="1..5", **qualifiers):
    return Feature("P1", kind, position, qualifiers, "here")


def test_a_cell_of_a_column_is_a_list_of_features():
    found = column(BINDING, "P1", "here")
    assert [(f.kind, f.position, f.qualifiers["ligand"]) for f in found] == [
        ("Binding site", "107", "Zn(2+)"),
        ("Binding site", "110..118", "ATP"),
    ]
    assert found[0].qualifiers["evidence"] == "ECO:0000250|UniProtKB:P12345; ECO:0000255", (
        "a ';' inside quotes parts nothing"
    )
    assert found[1].qualifiers["ligand_id"] == "ChEBI:CHEBI:30616"


def test_quotes_inside_notes_bare_values_and_nothing_at_all():
    assert column("", "P1", "here") == column(" ; ", "P1", "here") == []
    found = column('MOTIF 3..9; /note="the ""KDEL"" motif; DOMAIN 1..2"; /score=0.5; HELIX 2; /note=""', "P1", "here")
    assert [f.kind for f in found] == ["Motif", "Helix"]
    assert found[0].qualifiers == {"note": 'the "KDEL" motif; DOMAIN 1..2', "score": "0.5"}
    assert found[1].qualifiers == {"note": ""}


@pytest.mark.parametrize(
    "text",
    [
        '/note="x"',
        "domain 1..5",
        "DOMAIN",
        'DOMAIN 1..5; /note="open',
        'DOMAIN 1..5; /note="a" "b"',
        "DOMAIN 12 95 SH3.",
    ],
)
def test_what_is_no_feature_is_one_line(text):
    with pytest.raises(SeqsaeError) as caught:
        column(text, "P1", "t.tsv, line 3")
    assert str(caught.value).startswith("t.tsv, line 3: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("3..9", Span(2, 9, True)),
        ("7", Span(6, 7, True)),
        ("<1..>20", Span(0, 20, False)),
        ("?3..9", Span(2, 9, False)),
        ("3..?9", Span(2, 9, False)),
        ("?..9", "at a place that is not known"),
        ("3..?", "at a place that is not known"),
        ("?", "at a place that is not known"),
        ("P1-2:3..9", "of another sequence"),
        ("P1:3..9", Span(2, 9, True)),
    ],
)
def test_positions(position, expected):
    assert span(one(position=position), 20) == expected


@pytest.mark.parametrize(
    "position", ["0..3", "9..3", "3..21", "21", ">21", "", "..", "3..", "..9", "a..b", "3-9", "3.9", "9" * 5000]
)
def test_positions_that_are_none_or_lie_outside_are_refused(position):
    with pytest.raises(SeqsaeError) as caught:
        span(one(position=position), 20)
    assert str(caught.value).startswith("here: ")


def test_a_gff_line_is_the_same_feature():
    lines = [
        "##gff-version 3",
        "##sequence-region P1 1 300",
        "P1\tUniProtKB\tBinding site\t107\t107\t.\t.\t.\tligand=Zn(2%2B);Note=a%3B b;evidence=ECO:1|X:Y,ECO:2\t",
        "",
        "sp|P2|A_B\tUniProtKB\tSignal peptide\t1\t.\t.\t.\t.\t.",
        "##FASTA",
        "not a line of it",
    ]
    first, second = gff(lines, "x.gff")
    assert (first.accession, first.kind, first.position) == ("P1", "Binding site", "107..107")
    assert first.qualifiers == {"ligand": "Zn(2+)", "note": "a; b", "evidence": "ECO:1|X:Y,ECO:2"}
    assert (second.accession, second.position, second.qualifiers) == ("P2", "1..?", {})
    assert span(first, 300) == span(column(BINDING, "P1", "h")[0], 300)


def test_gff_that_is_none_is_named_by_its_line():
    with pytest.raises(SeqsaeError, match="x.gff, line 2: 3 columns, GFF3 has 9"):
        gff(["#", "a\tb\tc"], "x.gff")
    with pytest.raises(SeqsaeError, match="x.gff, line 1: attribute 'flag' has no '='"):
        gff(["P1\t.\tDomain\t1\t2\t.\t.\t.\tflag"], "x.gff")


@pytest.mark.parametrize(
    ("kind", "qualifiers", "expected"),
    [
        ("Binding site", {"ligand": "ATP"}, "ATP"),
        ("Binding site", {"note": "heme; axial"}, "heme"),
        ("Binding site", {"ligand": "Mg(2+)", "note": "shared"}, "Mg(2+)"),
        ("Domain", {"note": "EF-hand 2"}, "EF-hand"),
        ("Domain", {"note": "SH3; atypical"}, "SH3"),
        ("Domain", {"note": "Protein kinase 1; first part"}, "Protein kinase"),
        ("Zinc finger", {"note": "C2H2-type 12"}, "C2H2-type"),
        ("Modified residue", {"note": "Phosphoserine; by PKA and PKC"}, "Phosphoserine"),
        ("Topological domain", {"note": "Cytoplasmic"}, "Cytoplasmic"),
        ("Peptide", {"note": "Peptide 2"}, "Peptide 2"),
        ("Glycosylation", {"note": "N-linked (GlcNAc...) asparagine"}, "N-linked (GlcNAc...) asparagine"),
        ("Disulfide bond", {"note": "Interchain (with C-34 in B chain)"}, "Interchain"),
        ("Disulfide bond", {}, "present"),
        ("Signal peptide", {}, "present"),
    ],
)
def test_categories(kind, qualifiers, expected):
    assert category(one(kind, **qualifiers)) == expected


def test_a_bond_is_its_two_ends_and_nothing_between():
    assert pieces(one("Disulfide bond"), Span(4, 30, True)) == [(4, 5), (29, 30)]
    assert pieces(one("Disulfide bond"), Span(4, 5, True)) == [(4, 5)]
    assert pieces(one("Domain"), Span(4, 30, True)) == [(4, 30)]


def test_accessions():
    assert [accession(name) for name in ("sp|P1|A_B", "tr|Q2-2|X", "gi|1|x", "P3", "sp||x", "a|b")] == [
        *("P1", "Q2-2", "gi|1|x", "P3", "sp||x", "a|b")
    ]


def test_cofactors_are_found_by_name():
    text = (
        "COFACTOR: Name=Zn(2+); Xref=ChEBI:CHEBI:29105; Evidence={ECO:0000269|PubMed:1}; Note=Binds 1 zinc ion per subunit.; "
        "Name=Mg(2+); Xref=ChEBI:CHEBI:18420; COFACTOR: [Isoform 2]: Name=Zn(2+); Xref=ChEBI:CHEBI:29105"
    )
    assert cofactors(text) == ["Zn(2+)", "Mg(2+)"] and cofactors("") == []
    assert cofactors("COFACTOR: Name=FAD") == ["FAD"]


def test_what_a_row_says_of_the_protein():
    row = {
        "Organism": "Homo sapiens (Human)",
        "EC number": "2.7.11.1; 2.7.10.2",
        "Keywords": "ATP-binding;Kinase; ",
        "Protein existence": "Inferred from homology",
        "Taxonomic lineage": "cellular organisms (no rank), Eukaryota (domain), Metazoa (kingdom)",
        "Reviewed": "reviewed",
        "Protein names": "Kinase X (EC 2.7.11.1) (Fragment)",
        "Cofactor": "",
    }
    assert subject_values(row) == {
        "organism": "Homo sapiens (Human)",
        "superkingdom": "Eukaryota",
        "reviewed": "yes",
        "existence": 3,
        "enzyme": "yes",
        "enzyme_class": "EC 2",
        "fragment": "yes",
    }
    assert listed(row) == {"cofactor": [], "keyword": ["ATP-binding", "Kinase"]}
    assert subject_values({"EC number": "1.1.1.1; 2.7.1.1"}) == {"enzyme": "yes"} and listed({}) == {}


def test_tables_with_quoted_cells_read_like_plain_ones():
    plain = Table("t.tsv", ["Entry\tDomain [FT]", 'P1\tDOMAIN 1..3; /note="SH3"', "", "P2"])
    quoted = Table("t.tsv", ["Entry\tDomain [FT]", 'P1\t"DOMAIN 1..3; /note=""SH3"""', 'P2\t""'])
    for table in (plain, quoted):
        (found,) = table.features()
        assert (found.kind, found.position, found.qualifiers) == ("Domain", "1..3", {"note": "SH3"})
    for lines, complaint in (
        ([], "no column 'Entry'"),
        (["Entry\tEntry"], "column 'Entry' stands twice"),
        (["Entry\tX", "P1\ta\tb"], "line 2: 3 columns where the first line names 2"),
        (["Entry\tX", "P1\ta", "P1\tb"], "line 3: entry 'P1' stands twice"),
        (["Entry\tX", "\ta"], "line 2: no Entry"),
    ):
        with pytest.raises(SeqsaeError, match=complaint):
            Table("t.tsv", lines)
