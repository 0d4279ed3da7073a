import polars as pl
import pytest
from seqsae_protein.germline import genes, v_family

from seqsae.errors import SeqsaeError

SPANS = "27-38;56-65;81-86;104-116"
FR1, CDR1, FR2, CDR2 = "EVQLVESGG.GLVQPGGSLRLSCAAS", "GFTF....SSYA", "MSWVRQAPGKGLEWVSA", "ISGS..GGST"
FR3, CDR3 = "YYADSVK.GRFTISRDNSKNTLYLQMNSLRAEDTAVYYC", "AK.........."
V = FR1 + CDR1 + FR2 + CDR2 + FR3 + CDR3


def table(path, rows):
    names = ("id", "organism", "chain", "region", "aligned_protseq", "cdr_columns")
    pl.DataFrame(rows, schema=names, orient="row").write_csv(path, separator="\t")
    return path


def v(name="IGHV3-23*01", species="human", sequence=V, spans=SPANS):
    return (name, species, "H", "V", sequence, spans)


def j(name="IGHJ4*01", sequence="......YFDYWGQGTLVTVSS"):
    return (name, "human", "H", "J", sequence, "1-11")


def test_regions_follow_the_rows_own_spans(tmp_path):
    (gene,), (end,) = genes(table(tmp_path / "t.tsv", [v(), j()]))
    bounds = [*gene.starts, len(gene.sequence)]
    found = [gene.sequence[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    assert found == [part.replace(".", "") for part in (FR1, CDR1, FR2, CDR2, FR3, CDR3)]
    assert (end.sequence[: end.fr4], end.sequence[end.fr4 :]) == ("YFDY", "WGQGTLVTVSS")
    (moved,), _ = genes(table(tmp_path / "m.tsv", [v(spans="28-38;56-65;81-86;104-116"), j()]))
    assert moved.starts[1] == gene.starts[1] + 1 and moved.starts[2:] == gene.starts[2:]


def test_what_is_left_out(tmp_path):
    changed = V.replace("SSYA", "SSYG")
    rows = [
        v(),
        v("IGHV3-23D*01"),  # the same protein under another name
        v("IGHV3-1*01", "rhesus", changed),
        v("TRAV1*01", sequence=changed),  # TRA rows of the real table are duplicated
        v("IGHV3-2*01", sequence=changed.replace("W", "*")),
        v("IGHV3-3*01", sequence=changed.replace("W", "X")),
        v("IGHV3-4*01", sequence="." * 50 + changed[50:]),  # under 80 residues
        j(),
        j("IGHJ3P*01", "......SFSFSSNGLVYAG"),  # no FR4 motif: a pseudogene
    ]
    v_genes, j_genes = genes(table(tmp_path / "t.tsv", rows))
    assert [gene.name for gene in v_genes] == ["IGHV3-23*01"]
    assert [gene.name for gene in j_genes] == ["IGHJ4*01"]


@pytest.mark.parametrize("spans", ["27-38;56-65", "56-65;27-38;81-86;104-116", "a-b", ""])
def test_spans_that_make_no_regions_are_an_error(tmp_path, spans):
    with pytest.raises(SeqsaeError, match=r"t\.tsv: gene IGHV3-23\*01 .*install tcrdist3==0\.3 again"):
        genes(table(tmp_path / "t.tsv", [v(spans=spans), j()]))


def test_a_file_that_is_no_gene_table_is_an_error(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(SeqsaeError, match="not the gene table of tcrdist3==0.3"):
        genes(tmp_path / "t.tsv")


def test_families():
    assert [v_family(name) for name in ("IGHV3-23*01", "IGKV17/OR16-3*01", "IGLV10-54*02")] == [
        "IGHV3",
        "IGKV17",
        "IGLV10",
    ]


def test_the_real_table(genes_package):
    v_genes, j_genes = genes()
    counts = {key: sum((g.species, g.locus) == key for g in v_genes) for key in {(g.species, g.locus) for g in v_genes}}
    assert counts == {
        ("human", "IGH"): 254,
        ("human", "IGK"): 89,
        ("human", "IGL"): 88,
        ("mouse", "IGH"): 269,
        ("mouse", "IGK"): 134,
        ("mouse", "IGL"): 3,
    }
    assert len({g.sequence for g in v_genes}) == len(v_genes)
    assert {(g.species, g.locus) for g in j_genes} == set(counts)
    # the cysteine of IMGT 104 ends FR3 in all but some pseudogenes, which confirms the numbering
    ends = [g.sequence[g.starts[5] - 1] for g in v_genes]
    assert ends.count("C") / len(ends) > 0.97
