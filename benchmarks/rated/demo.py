"""Noise: the covariate rows of the demo permuted over subjects; how often is anything found at q 0.05?"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from bars import Bars

from seqsae import pipeline
from seqsae.associations.fdr import benjamini_hochberg
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screens import crude_screen
from seqsae.associations.targets import supported, targets
from seqsae.associations.units import Units
from seqsae.examples_folder import EXAMPLES
from seqsae.progress import track

LEVEL = 0.05


def demo(out: Path, bars: Bars, n: int) -> None:
    study = pipeline.run(EXAMPLES / "synthetic_lives.toml", out=out / "demo")
    hits = [discoveries(study, seed) for seed in track(range(n), "permutations")]
    print(f"discoveries by permutation of the demo's covariates: {sorted(hits, reverse=True)[:12]} ...")
    bars.at_most(f"demo, permutations of {n} with any discovery", sum(hit > 0 for hit in hits), n // 10)


def discoveries(study: pipeline.Study, seed: int) -> int:
    """Pairs at q 0.05 on the select split when whole covariate rows are dealt anew over all subjects."""
    covariates = study.data.covariates
    order = np.random.default_rng(seed).permutation(len(covariates.table))
    shuffled = covariates.table.with_columns(covariates.table["subject"][order])
    covariates = replace(covariates, table=shuffled.sort("subject"))
    encoded, config = study.encoded[study.first.view], study.config.associate
    aims = [
        aim for aim in supported(targets(covariates, study.first), covariates, study.first) if aim.unit == "subject"
    ]
    here = Units(study.first, "subject", "select")
    pooled = here.pooled(encoded, config.poolings)
    p = [crude_screen(here, aims, rank_excess(pooled.make(name)), config.min_support).p for name in pooled.poolings]
    return int((benjamini_hochberg(np.stack(p)) <= LEVEL).sum())
