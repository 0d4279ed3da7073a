"""Error rates of the associations room, measured over independent cohorts whose truth is known, with Monte-Carlo standard errors.

Parts (--only):
- grid: size of the rank test at .05 to 1e-4 over rarity of features and covariates, exactly where people live alone, simulated in households.
- tests: type-I error of each screening test at 0.05 where it is the right test, with households on both sides, and age, length, position or
  stratum moving both where it adjusts for them, in lines and in bends; by band of firing and at .001 and 1e-4 beside; and of two wrong
  tests, the examples that fail.
- intervals: how often the 95% intervals hold the effect of a cohort of 400,000 from the same law, in households and alone.
- nothing: whole studies of nothing through `associate`, and how many have any supported feature.
- demo (only if asked for): permuted covariates of the demo.

The laws of cohorts stand in cohorts.py. A quarter of an hour of one core; --quick has too few cohorts to be held against the bars.
--write also writes what is printed to benchmarks/results/error_rates.md.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from bars import Bars, parser
from rated.parts import covers, demo, grid, nothing, tests
from sheet import Sheet

from seqsae.pipeline import limited_threads

COHORTS = {"grid": (10, 1), "tests": (400, 20), "intervals": (400, 20), "nothing": (200, 10), "demo": (100, 20)}
"""Of a whole and of a quick run."""
PARTS: dict[str, Callable] = {"grid": grid, "tests": tests, "intervals": covers, "nothing": nothing, "demo": demo}
RESULTS = Path(__file__).parent / "results" / "error_rates.md"


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--only", default="grid,tests,intervals,nothing", help="parts, with commas between")
    options.add_argument("--cohorts", type=int, help="cohorts of each part (default: as the part needs)")
    options.add_argument("--write", action="store_true", help=f"also write {RESULTS.parent.name}/{RESULTS.name}")
    options = options.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"error_rates: no part {unknown[0]!r}; choose from {', '.join(PARTS)}")
    bars, sheet = Bars(), Sheet()
    with limited_threads(1):
        for name in names:
            begin, n = time.process_time(), options.cohorts or COHORTS[name][options.quick]
            sheet.part(f"{name}: {n} cohorts")
            PARTS[name](bars, sheet, n, options)
            print(f"{name}: {time.process_time() - begin:,.0f} s of a core\n", flush=True)
    if options.write:
        sheet.write(RESULTS, __doc__.splitlines()[0], bars)
    bars.tell(options.json)


if __name__ == "__main__":
    sys.exit(main())
