"""Recovery of planted concepts in the demo: best-unit F1 by source and level, against the bars of the demo.

The demo (examples/synthetic_lives.toml) is run afresh; each of its three SAE seeds is scored, and the median counts; --quick
scores the reported seed alone.
"""

import shutil
import statistics
import sys
from pathlib import Path

from bars import Bars, arguments

from seqsae import pipeline
from seqsae.associations.concept_scores import concepts, found
from seqsae.examples_folder import EXAMPLES
from seqsae.features.encoding import encode
from seqsae.progress import shown

OVER = {"pca": {"spell": 0.05, "conjunction": 0.05}, "random-dictionary": {"spell": 0.12, "conjunction": 0.08}}
LEAST = {"spell": 0.45, "conjunction": 0.35}


def main() -> None:
    options = arguments(__doc__.splitlines()[0])
    folder = Path(options.out) / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    with shown():
        study = pipeline.run(EXAMPLES / "synthetic_lives.toml", out=folder)
        seeds = [f1_table(study, sae, seed) for seed, sae in enumerate(study.saes[: 1 if options.quick else None])]
    bars = Bars()
    for level, least in LEAST.items():
        bars.at_least(f"sae mean F1, {level}", median(one["sae", level] for one in seeds), least)
    for source, by_level in OVER.items():
        for level, margin in by_level.items():
            bars.at_least(
                f"sae less {source}, {level}", median(one["sae", level] - one[source, level] for one in seeds), margin
            )
    bars.at_most("seconds of the demo after installation", sum(study.seconds.values()), 360)
    for seed, one in enumerate(seeds):
        print(
            f"seed {seed}: "
            + ", ".join(f"{source} {level} {f1:.3f}" for (source, level), f1 in one.items() if level in LEAST)
        )
    bars.tell(options.json)


def f1_table(study: pipeline.Study, sae, seed: int) -> dict[tuple[str, str], float]:
    """(source, level) to mean F1 of the best unit; the random dictionary of each seed is another one."""
    encoded = encode(sae, study.first, out=study.out.with_name("seeds"))
    table = found(concepts(encoded, study.data, seed=seed))
    return {(row["source"], row["level"]): row["f1"] for row in table.iter_rows(named=True)}


def median(values) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
