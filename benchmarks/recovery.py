"""Recovery of planted concepts by small models of synthetic lives, against everything plainer, and against the truth.

Parts (--only): demo (the demo's own SAEs); causal (next event, read at every event); masked and observed (hidden
events guessed from both sides, read at hidden places and at all). For each: the model's loss between code frequencies
and an oracle who knows all states, the dense probe, and by level (token, spell, conjunction, person) the mean F1 and
AUROC of the best unit on held-out persons for SAEs, residual and MLP neurons, PCA, ICA, a random dictionary, an SAE
on a model that never learnt, and the tokens themselves; how many features other seeds find too. And links: of the ties that
were planted between concepts and covariates, how many are `supported`, for the concepts themselves and for the SAE; and of
covariates that no concept moves, how many have any supported feature, over fresh cohorts. Everything in steps and epochs, one
thread. --quick: one seed, fewer lives, two cohorts. --write also writes what links prints to benchmarks/results/links.md.
"""

import sys
from pathlib import Path

from bars import Bars, parser
from recovered.contest import contest
from recovered.demo import demo
from recovered.links import COHORTS, links
from recovered.study import CAUSAL, MASKED, OBSERVED
from sheet import Sheet

from seqsae.pipeline import limited_threads
from seqsae.progress import shown

RESULTS = Path(__file__).parent / "results" / "links.md"
KINDS = {"causal": CAUSAL, "masked": MASKED, "observed": OBSERVED}


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--only", default="demo,causal,masked,observed,links", help="parts, with commas between")
    options.add_argument("--seeds", type=int, default=3, help="seeds of data and model")
    options.add_argument("--cohorts", type=int, help=f"links: fresh cohorts of lives ({COHORTS})")
    options.add_argument("--write", action="store_true", help=f"links: also write {RESULTS.parent.name}/{RESULTS.name}")
    options = options.parse_args()
    bars, out = Bars(), Path(options.out) / "recovery"
    with shown(), limited_threads(1):
        for part in options.only.split(","):
            if part not in ("demo", "links", *KINDS):
                sys.exit(f"recovery: no part {part!r}; choose from demo, {', '.join(KINDS)}, links")
            if part == "demo":
                demo(Path(options.out), bars, options.quick)
            elif part == "links":
                told(out, bars, options)
            else:
                contest(KINDS[part], out, bars, options.quick, options.seeds)
            sys.stdout.flush()
    bars.tell(options.json)


def told(out: Path, bars: Bars, options) -> None:
    """The links, on a sheet of their own."""
    mine, sheet = Bars(), Sheet()
    links(out, mine, sheet, options.quick, options.cohorts)
    bars.rows.update(mine.rows)
    if options.write:
        sheet.write(RESULTS, "Planted links and decoys: what comes out, and nothing else", mine)


if __name__ == "__main__":
    sys.exit(main())
