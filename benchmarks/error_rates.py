"""Noise: the covariate rows of the demo permuted over subjects; how often is anything found at q 0.05?"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from bars import Bars, arguments

from seqsae import pipeline
from seqsae.associations.fdr import benjamini_hochberg
from seqsae.associations.ranks import rank_excess
from seqsae.associations.screen import screen
from seqsae.associations.targets import supported, targets
from seqsae.associations.units import Units
from seqsae.examples_folder import EXAMPLES
from seqsae.progress import shown, track

LEVEL = 0.05


def main() -> None:
    options = arguments(__doc__)
    with shown():
        study = pipeline.run(EXAMPLES / "synthetic_lives.toml", out=Path(options.out) / "demo")
        n = 20 if options.quick else 100
        hits = [discoveries(study, seed) for seed in track(range(n), "permutations")]
    bars = Bars()
    print(f"discoveries by permutation: {sorted(hits, reverse=True)[:12]} ...")
    bars.at_most(f"permutations of {n} with any discovery", sum(hit > 0 for hit in hits), n // 10)
    bars.tell(options.json)


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
    y = np.column_stack([aim.y[here.chosen] for aim in aims])
    binary = np.array([aim.is_binary for aim in aims])
    pooled = here.pooled(encoded, config.poolings)
    p = [
        screen(rank_excess(pooled.make(pooling)), y, here.cluster, config.min_support, binary).p
        for pooling in pooled.poolings
    ]
    return int((benjamini_hochberg(np.stack(p)) <= LEVEL).sum())


if __name__ == "__main__":
    sys.exit(main())
