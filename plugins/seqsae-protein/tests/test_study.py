"""The quick antibody study, whole: real weights, real genes, from table to page."""

import polars as pl

from seqsae import pipeline
from seqsae.examples_folder import EXAMPLES
from seqsae.pages import text


def test_the_quick_study_ties_features_to_species_family_and_region(genes_package, sapiens, tmp_path):
    study = pipeline.run(EXAMPLES / "antibody_quick.toml", out=tmp_path / "run")
    last = study.saes[0].artefact.table("metrics.parquet").row(-1, named=True)
    assert last["fvu"] <= 0.12 and abs(last["l0"] - 16) < 0.1 and last["dead"] <= 0.05

    associated = study.associated["full"]
    assert set(associated.table["covariate"]) >= {"species", "region"}
    best = {
        (row["covariate"], row["category"], row["source"]): row["effect"]
        for row in associated.baselines.iter_rows(named=True)
    }
    assert best["region", "CDR3", "sae"] > 0.6
    assert best["region", "CDR3", "position"] > best["region", "CDR3", "sae"], (
        "position nearly solves regions, and the table says so"
    )
    regions = associated.table.filter(pl.col("covariate") == "region")
    assert len(regions) and "supported" not in set(regions["verdict"]), "where a residue stands tells its region"
    assert associated.resplits.filter(pl.col("covariate") == "v_family")["category"].n_unique() >= 3

    printed = text.whole(study)
    assert "region = CDR3" in printed and "v_family" in printed and str(study.out / "report/index.html") in printed
    assert study.report.is_file()
