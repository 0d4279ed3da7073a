import json
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from seqsae_protein import antibody, packages

import seqsae
from seqsae.errors import SeqsaeError

FILES = ["annotations.parquet", "covariates.parquet", "covariates.schema.json", "sequences.parquet", "subjects.parquet"]


def regions(folder):
    spans = pl.read_parquet(folder / "annotations.parquet")
    found = spans.join(pl.read_parquet(folder / "sequences.parquet"), on="subject_id", maintain_order="left")
    text = [s[a:b] for s, a, b in found.select("sequence", "start", "end").rows()]
    return found.with_columns(text=pl.Series(text))


def test_the_table_is_as_large_as_the_genes_allow(domains):
    # 837 V genes and a copy of each, less a few that are alike once the J gene stands behind them
    assert 1660 < domains.height <= 2 * 837
    assert domains["sequence"].n_unique() == domains["subject_id"].n_unique() == domains.height
    assert 190_000 < domains["sequence"].str.len_chars().sum() < 198_000
    assert domains["cluster"].n_unique() == 229
    assert domains["length"].to_list() == domains["sequence"].str.len_chars().to_list()
    assert domains["length"].max() <= 142  # the VH model of sapiens reads no more


def test_regions_cover_every_residue_once_and_in_order(antibodies):
    for name, rows in groupby(regions(antibodies).rows(named=True), key=lambda row: row["subject_id"]):
        rows = list(rows)
        assert "".join(row["text"] for row in rows) == rows[0]["sequence"], name
        assert [row["value"] for row in rows] == ["FR1", "CDR1", "FR2", "CDR2", "FR3", "CDR3", "FR4"]


def test_a_known_gene_has_its_known_regions(antibodies):
    found = regions(antibodies).filter(subject_id="human_IGKV1-12*01")
    parts = dict(found.select("value", "text").rows())
    assert (parts["CDR1"], parts["CDR2"]) == ("QGISSW", "AAS")
    assert parts["FR2"] == "LAWYQQKPGKAPKLLIY" and parts["FR3"].endswith("YYC") and parts["CDR3"].startswith("QQANSFP")


def test_fr4_opens_with_its_motif_in_every_domain(antibodies, domains):
    originals = domains.filter(mutated_copy="no")["subject_id"]
    fr4 = regions(antibodies).filter(pl.col("value") == "FR4", pl.col("subject_id").is_in(originals.implode()))
    assert fr4["text"].str.contains("^[FW]G.G").all()
    light = domains.filter(pl.col("locus") != "IGH")["subject_id"]
    assert (fr4.filter(pl.col("subject_id").is_in(light.implode()))["text"].str.head(1) == "F").all()


def test_the_parts_are_of_one_species_and_locus_and_only_heavy_chains_have_a_junction(genes_package):
    v_genes, j_genes = antibody.genes()
    lengths = set()
    for domain in antibody.domains(v_genes, j_genes, seed=0, copies=0):
        assert (domain.v.species, domain.v.locus) == (domain.j.species, domain.j.locus)
        assert domain.sequence.startswith(domain.v.sequence) and domain.sequence.endswith(domain.j.sequence)
        junction = len(domain.sequence) - len(domain.v.sequence) - len(domain.j.sequence)
        lengths.add(junction)
        assert domain.v.locus == "IGH" or junction == 0
    assert lengths == {0, *range(2, 10)}


def test_copies_differ_by_six_percent_and_keep_c_and_w(domains):
    sequences = dict(domains.select("subject_id", "sequence").rows())
    pairs = [(sequences[name.removesuffix("_copy1")], s) for name, s in sequences.items() if name.endswith("_copy1")]
    assert len(pairs) == (domains["mutated_copy"] == "yes").sum() > 830
    letters = np.array([list(pair) for one, other in pairs for pair in zip(one, other, strict=True)])
    free = ~np.isin(letters[:, 0], ["C", "W"])
    changed = letters[:, 0] != letters[:, 1]
    assert not changed[~free].any() and not np.isin(letters[changed, 1], ["C", "W"]).any()
    assert abs(changed[free].mean() - 0.06) < 0.003  # 5 standard errors


def test_no_split_parts_a_gene_from_its_copies_or_alleles(domains):
    gene = domains["subject_id"].str.replace(r"(_copy\d+)$", "").str.replace(r"\*\d+$", "")
    by_gene = domains.group_by(gene.alias("gene")).agg(pl.col("cluster").n_unique())
    assert by_gene["cluster"].max() == 1
    assert domains.group_by("cluster").agg(pl.col("locus").n_unique())["locus"].max() == 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(antibodies, tmp_path):
    again = antibody.make(tmp_path / "again")
    other = antibody.make(tmp_path / "other", seed=1)
    assert sorted(path.name for path in again.iterdir()) == FILES
    assert all((again / name).read_bytes() == (antibodies / name).read_bytes() for name in FILES)
    assert (other / "sequences.parquet").read_bytes() != (antibodies / "sequences.parquet").read_bytes()


def test_more_copies_and_fewer_loci_leave_the_other_domains_alone(domains, tmp_path):
    more = pl.read_parquet(antibody.make(tmp_path / "more", copies=2) / "sequences.parquet")
    heavy = pl.read_parquet(antibody.make(tmp_path / "heavy", loci=["IGH"]) / "sequences.parquet")
    base = domains.select("subject_id", "sequence")
    assert more.height > 2500 and more.head(base.height).equals(base)
    assert heavy.equals(domains.filter(locus="IGH").select("subject_id", "sequence"))


def test_the_schema_names_only_what_varies(antibodies, tmp_path):
    def schema(folder):
        entries = json.loads((folder / "covariates.schema.json").read_text())["covariates"]
        return {entry["name"]: entry for entry in entries}

    whole = schema(antibodies)
    assert set(whole) == {"species", "locus", "v_family", "mutated_copy", "length", "coin", "region"}
    assert whole["v_family"]["within"] == ["species", "locus"] and whole["region"]["level"] == "token"
    heavy = schema(antibody.make(tmp_path / "heavy", copies=0, loci=("IGH",)))
    assert set(heavy) == {"species", "v_family", "length", "coin", "region"}
    assert heavy["v_family"]["within"] == ["species"] and heavy["species"]["within"] == []


def test_the_coin_is_fair_and_goes_with_nothing(domains):
    heads = domains["coin"] == "heads"
    assert abs(heads.mean() - 0.5) < 0.05
    by_species = domains.group_by("species").agg((pl.col("coin") == "heads").mean().alias("rate"))["rate"]
    assert abs(by_species[0] - by_species[1]) < 0.1


def test_position_alone_nearly_tells_the_region(antibodies):
    """Why the schema says so: the commonest region at a residue's index is right nine times in ten."""
    spans = pl.read_parquet(antibodies / "annotations.parquet")
    residues = spans.with_columns(index=pl.int_ranges("start", "end")).explode("index")
    guess = residues.group_by("index", "value").len().sort("len").group_by("index").agg(pl.col("len").last())
    assert guess["len"].sum() / residues.height > 0.85


def test_the_core_reads_the_folder(antibodies, domains):
    data = seqsae.dataset(antibodies)
    assert data.subjects["subject_id"].to_list() == domains["subject_id"].to_list()
    assert data.subjects["cluster"].to_list() == domains["cluster"].to_list()
    assert set(data.splits["split"].to_list()) == {"train", "select", "calibrate", "test"}
    assert {"species", "locus", "v_family"} <= set(data.covariate_table.columns)
    assert data.annotations.height == 7 * domains.height


def test_open_makes_a_folder_of_its_own_or_the_one_it_is_given(genes_package, tmp_path):
    made = antibody.open(copies=0, loci=["IGL"])
    assert sorted(path.name for path in made.iterdir()) == FILES
    kept = (made / "covariates.parquet").read_bytes()
    assert antibody.open(made, copies=0) == made and (made / "covariates.parquet").read_bytes() == kept
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "subjects.parquet").write_text("someone's own")
    for write in (antibody.open, antibody.make):
        with pytest.raises(SeqsaeError):
            write(tmp_path / "registry")
    assert (tmp_path / "registry" / "subjects.parquet").read_text() == "someone's own"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copys": 1}, "no option 'copys'; it has seed, copies and loci"),
        ({"copies": -1}, "copies = -1"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"loci": ["IGX"]}, "IGH, IGK, IGL"),
        ({"loci": "IGH"}, "give a list"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(SeqsaeError, match=message):
        antibody.open(**options)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(SeqsaeError, match="not an empty folder"):
        antibody.make(tmp_path / "x")


def test_without_the_package_the_pip_line_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(SeqsaeError, match=r"pip install --no-deps tcrdist3==0\.3$"):
        antibody.make(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_nothing_is_printed(genes_package, tmp_path, capfd):
    antibody.make(tmp_path / "quiet")
    assert capfd.readouterr() == ("", "")
