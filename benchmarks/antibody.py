"""The antibody study on published weights (examples/antibody.toml): reconstruction, loci, V families over resplits."""

import sys
from pathlib import Path

import polars as pl
from bars import Bars, arguments

from seqsae import pipeline
from seqsae.associations.resplits import paired
from seqsae.examples_folder import EXAMPLES
from seqsae.pages import text
from seqsae.progress import shown


def main() -> None:
    options = arguments(__doc__)
    name = "antibody_quick" if options.quick else "antibody"
    with shown():
        study = pipeline.run(EXAMPLES / f"{name}.toml", out=Path(options.out) / name)
    print(text.whole(study))
    bars = Bars()
    last = study.saes[0].artefact.table("metrics.parquet").row(-1, named=True)
    k = study.config.sae.k
    bars.at_most("held-out FVU", last["fvu"], 0.15)
    bars.at_most("mean L0, distance from k", abs(last["l0"] - k), 0.1)
    bars.at_most("dead", last["dead"], 0.01)
    bars.at_most("training rows, millions", last["rows"] / 1e6, 2.6)
    table = next(iter(study.associated.values())).resplits
    loci = table.filter((pl.col("covariate") == "locus") & (pl.col("source") == "sae"))
    for category, best in (
        loci.group_by("category", maintain_order=True).agg(pl.col("best").mean()).sort("category").iter_rows()
    ):
        bars.at_least(f"locus {category}, best unit, mean AUROC over resplits", best, 0.99)
    families = table.filter(pl.col("covariate") == "v_family").with_columns(pl.col("category").alias("covariate"))
    for source in ("random-dictionary", "neuron"):
        gap = paired(families, "sae", source)
        print(
            f"V families, {families['covariate'].n_unique()} in {gap.n_splits} resplits: SAE less {source} {gap.mean:+.4f} +- {gap.sd:.4f} (sd)"
        )
        bars.at_least(f"V families, mean of 5 best units: sae less {source}", gap.mean, 0.0)
    bars.tell(options.json)


if __name__ == "__main__":
    sys.exit(main())
