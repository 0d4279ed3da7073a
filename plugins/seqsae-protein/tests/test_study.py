"""The quick antibody study, whole: real weights, real genes, from table to page."""

import polars as pl

from seqsae import config, pipeline
from seqsae.examples_folder import EXAMPLES
from seqsae.maps import umap_layout
from seqsae.pages import text


def quick() -> config.RunConfig:
    """The example; of what is not looked at here, only as much as shows that it runs."""
    whole = config.read(EXAMPLES / "antibody_quick.toml")
    few = whole.faithfulness.model_copy(update={"subjects": 16, "features": 2, "samples": 4})
    mute = whole.associate.captions.model_copy(update={"make": False})
    associate = whole.associate.model_copy(update={"captions": mute})
    return whole.model_copy(update={"threads": 1, "faithfulness": few, "associate": associate})


def test_the_quick_study_ties_features_to_species_family_and_region(genes_package, sapiens, tmp_path, monkeypatch):
    monkeypatch.setattr(umap_layout, "FEWEST", 10_000)  # the map is not looked at here, and compiling UMAP takes long
    study = pipeline.run(quick(), out=tmp_path / "run")
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
