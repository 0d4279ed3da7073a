"""The antibody study on published weights (examples/antibody.toml): reconstruction, loss recovered, loci, V families, regions, layers.

The same is done with an SAE on the same network untrained, whose features stand beside in the table of regions.
"""

import sys
from pathlib import Path

import polars as pl
from bars import Bars, arguments

from seqsae import pipeline
from seqsae.associations.resplits import paired
from seqsae.config import RunConfig, parse
from seqsae.examples_folder import EXAMPLES
from seqsae.faithfulness.words import told
from seqsae.pages import concept_text, text
from seqsae.progress import shown


def main() -> None:
    options = arguments(__doc__.splitlines()[0])
    name = "antibody_quick" if options.quick else "antibody"
    with shown():
        study = pipeline.run(EXAMPLES / f"{name}.toml", out=Path(options.out) / name)
        print(text.whole(study))
        control = None if options.quick else untrained(study, Path(options.out) / f"{name}-untrained")
        beside = {} if control is None else {"random-model": next(iter(control.encoded.values()))}
        [scored] = study.concepts(beside).values()
    print(concept_text.told(scored))
    if study.faithful is not None:
        print(f"The model as published:\n{told(study.faithful)}")
    if control is not None and control.faithful is not None:
        print(f"The same network with random weights:\n{told(control.faithful)}")
    bars = Bars()
    reconstruction(study, bars)
    if study.faithful is not None:
        recovered(study.faithful.recovered, study.faithful.summary["objectives"][0], bars)
    associations(next(iter(study.associated.values())).resplits, bars)
    bars.tell(options.json)


def untrained(study: pipeline.Study, out: Path) -> pipeline.Study:
    """The study's SAE, trained, read and judged in the same way on the network with random weights; no feature is changed there."""
    config = study.config.model_dump()
    config["model"]["options"] = {**config["model"]["options"], "untrained": True}
    config["harvest"]["sites"] = (config["sae"]["site"],)
    config["faithfulness"] |= {"features": 0, "covariates": ()}
    return pipeline.Study(parse(RunConfig, config, "untrained"), out=out)


def reconstruction(study: pipeline.Study, bars: Bars) -> None:
    last = study.saes[0].artefact.table("metrics.parquet").row(-1, named=True)
    bars.at_most("held-out FVU", last["fvu"], 0.15)
    bars.at_most("mean L0, distance from k", abs(last["l0"] - study.config.sae.k), 0.1)
    bars.at_most("dead", last["dead"], 0.01)
    bars.at_most("training rows, millions", last["rows"] / 1e6, 2.6)


def recovered(table: pl.DataFrame, about: dict, bars: Bars) -> None:
    """With all rows replaced, as the field reports it; other kinds of rows stand in the table."""
    for against in ("zero", "mean"):
        mine = table.filter((pl.col("where") == "all") & (pl.col("against") == against))
        found = dict(mine.select("source", "recovered").iter_rows())
        bars.at_least(f"loss recovered against {against} ablation, all rows replaced", found["sae"], 0.98)
        for other in ("pca", "random-dictionary"):
            if found[other] is not None:
                bars.at_least(f"  sae less {other}, against {against}", found["sae"] - found[other], 0.0)
    bars.at_most("replacement identity, relative", about["identity_error"], 1e-6)


def associations(table: pl.DataFrame, bars: Bars) -> None:
    loci = table.filter((pl.col("covariate") == "locus") & (pl.col("source") == "sae"))
    means = loci.group_by("category", maintain_order=True).agg(pl.col("best").mean()).sort("category")
    for category, best in means.iter_rows():
        bars.at_least(f"locus {category}, best unit, mean AUROC over resplits", best, 0.99)
    families = table.filter(pl.col("covariate") == "v_family").with_columns(pl.col("category").alias("covariate"))
    for source in ("random-dictionary", "neuron"):
        gap = paired(families, "sae", source)
        several = f"V families, {families['covariate'].n_unique()} in {gap.n_splits} resplits"
        print(f"{several}: SAE less {source} {gap.mean:+.4f} +- {gap.sd:.4f} (sd)")
        bars.at_least(f"V families, mean of 5 best units: sae less {source}", gap.mean, 0.0)


if __name__ == "__main__":
    sys.exit(main())
