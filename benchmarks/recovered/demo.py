"""The demo's own recovery: best-unit F1 by source and level, median over its three SAE seeds."""

import shutil
import statistics
from pathlib import Path

from bars import Bars

from seqsae import pipeline
from seqsae.associations.concept_scores import concept_table, found
from seqsae.examples_folder import EXAMPLES
from seqsae.features.encoding import encode

OVER = {"pca": {"spell": 0.05, "conjunction": 0.05}, "random-dictionary": {"spell": 0.12, "conjunction": 0.08}}
LEAST = {"spell": 0.45, "conjunction": 0.35}


def demo(out: Path, bars: Bars, quick: bool) -> None:
    """Run the demo anew and hold its SAEs against the bars of the demo."""
    folder = out / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    study = pipeline.run(EXAMPLES / "synthetic_lives.toml", out=folder)
    seeds = [f1_table(study, sae, seed) for seed, sae in enumerate(study.saes[: 1 if quick else None])]
    for level, least in LEAST.items():
        bars.at_least(f"demo: sae mean F1, {level}", median(one["sae", level] for one in seeds), least)
    for source, by_level in OVER.items():
        for level, margin in by_level.items():
            bars.at_least(
                f"demo: sae less {source}, {level}",
                median(one["sae", level] - one[source, level] for one in seeds),
                margin,
            )
    bars.at_most("demo: seconds after installation", sum(study.seconds.values()), 360)
    for seed, one in enumerate(seeds):
        print(
            f"seed {seed}: "
            + ", ".join(f"{source} {level} {f1:.3f}" for (source, level), f1 in one.items() if level in LEAST)
        )


def f1_table(study: pipeline.Study, sae, seed: int) -> dict[tuple[str, str], float]:
    """(source, level) to mean F1 of the best unit; the random dictionary of each seed is another one."""
    encoded = encode(sae, study.first, out=study.out.with_name("seeds"))
    table = found(concept_table(encoded, study.data.covariates, seed))
    return {(row["source"], row["level"]): row["f1"] for row in table.iter_rows(named=True)}


def median(values) -> float:
    return statistics.median(values)
