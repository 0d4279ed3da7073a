"""Error rates of the associations room, measured over independent cohorts whose truth is known, with Monte-Carlo standard errors.

Parts (--only):
- tests: type-I error of each screening test at 0.05 where it is the right test, with households on both sides, and age, length, position or
  stratum moving both where it adjusts for them; by band of firing and at 0.001 beside; and of two wrong tests, the examples that fail.
- intervals: how often the 95% intervals hold the effect of a cohort of 400,000 from the same law.
- nothing: whole studies of nothing through `associate`, and how many have any supported feature.
- demo (only if asked for): permuted covariates of the demo.

The laws of cohorts stand in cohorts.py. A quarter of an hour of one core; --quick has too few cohorts to be held against the bars.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bars import Bars, parser
from rated.covered import MEASURES, N, intervals, truth
from rated.covered import count as count_interval
from rated.demo import demo
from rated.nothing import study
from rated.tally import Share, Tally
from rated.tested import BANDS, LEVELS, STUDIES, WRONG
from rated.tested import count as count_test

from seqsae.pipeline import limited_threads
from seqsae.progress import shown, track

COHORTS = {"tests": (400, 20), "intervals": (1000, 20), "nothing": (200, 10), "demo": (100, 20)}
"""Of a whole and of a quick run."""
N_TRUTH = (400_000, 100_000)
SIZE, COVERS = (0.03, 0.07), (0.93, 0.97)
WRONG_FROM = 0.1


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--only", default="tests,intervals,nothing", help="parts, with commas between")
    options.add_argument("--cohorts", type=int, help="cohorts of each part (default: as the part needs)")
    options = options.parse_args()
    bars = Bars()
    parts: dict[str, Callable] = {"tests": tests, "intervals": covers, "nothing": nothing, "demo": _demo}
    for name in options.only.split(","):
        if name not in parts:
            sys.exit(f"error_rates: no part {name!r}; choose from {', '.join(parts)}")
    with limited_threads(1):
        for name in options.only.split(","):
            begin, n = time.process_time(), options.cohorts or COHORTS[name][options.quick]
            parts[name](bars, n, options)
            print(f"{name}: {n} cohorts, {time.process_time() - begin:,.0f} s of a core\n", flush=True)
    bars.tell(options.json)


def tests(bars: Bars, n: int, options) -> None:
    tally = Tally()
    with shown():
        for seed in track(range(n), "tests"):
            for number, draw in enumerate(STUDIES):
                for found in draw(np.random.default_rng([number, seed])):
                    count_test(tally, found)
    keys = [key for key in dict.fromkeys(key[:3] for key in tally.counts) if key[2] != "any"]
    told = [f"fires in {low:.0%} to {high:.0%}" for low, high in zip(BANDS[:-1], BANDS[1:], strict=True)]
    print(f"share of p-values at most {LEVELS[0]} (and, in brackets, at most {LEVELS[1]}) among tested features")
    print(f"{'test':29} {'covariate':17} {'pooling':9} {'all':24}" + "".join(f"{name:19}" for name in told))
    for key in keys:
        bands = [_rates(tally, key, band) for band in range(len(told))]
        whole = f"{tally.share(*key, LEVELS[0], None)} ({tally.share(*key, LEVELS[1], None).value:.5f})"
        print(f"{key[0]:29} {key[1]:17} {key[2]:9} {whole:24}" + "".join(f"{band:19}" for band in bands))
    for test, covariate in dict.fromkeys(key[:2] for key in keys):
        found = tally.share(test, covariate, "any", LEVELS[0], None)
        if test in WRONG:
            bars.at_least(f"type-I error, fails as it must: {test}; {covariate}", found.value, WRONG_FROM)
        else:
            bars.within(f"type-I error: {test}; {covariate}", found.value, *SIZE, found.error)


def covers(bars: Bars, n: int, options) -> None:
    tally, known = Tally(), truth(N_TRUTH[options.quick])
    with shown():
        for seed in track(range(n), "intervals"):
            for asked in intervals(np.random.default_rng([10, seed]), N):
                count_interval(tally, asked, known[asked.key])
    print(
        f"share of 95% intervals over {N:,} people that hold the effect in {N_TRUTH[options.quick]:,}; and of those wholly below and above it"
    )
    for measure in MEASURES:
        for key, true in known.items():
            if key[0] == measure:
                held, below, above = (tally.share(*key, name) for name in ("held", "below", "above"))
                print(
                    f"{key[0]:17} {key[1]:17} feature {key[2]}  true {true:7.4f}  {held}  {below.value:.3f} {above.value:.3f}"
                )
        held, given = tally.share(measure, "held"), tally.share(measure, "given")
        print(f"{measure}: {held}; an interval in {given.value:.4f} of cases")
        bars.within(f"coverage of 95% intervals: {measure}", held.value, *COVERS, held.error)


def nothing(bars: Bars, n: int, options) -> None:
    out = Path(options.out) / "error_rates"
    found = [study(seed, out) for seed in track(range(n), "studies of nothing")]
    clean = sum(not one.supported for one in found)
    print(
        f"{n} studies of nothing, {np.mean([one.pairs for one in found]):,.0f} pairs each; on average, and in how many studies any:"
    )
    for name in ("selected", "crude", "adjusted"):
        counts = np.array([getattr(one, name) for one in found])
        print(f"  pairs {TOLD[name]}: {counts.mean():.2f}, {(counts > 0).sum()}")
    for one in found:
        for claim in one.supported:
            print(f"  supported: {claim}")
    share = clean / n
    error = Share(share, float(np.sqrt(share * (1 - share) / n)), n)
    print(f"studies without any supported feature: {error}")
    bars.at_least(f"share of {n} studies of nothing without a supported feature", share, 0.95)


TOLD = {"selected": "selected", "crude": "that replicate crudely", "adjusted": "that replicate beyond the confounders"}


def _demo(bars: Bars, n: int, options) -> None:
    with shown():
        demo(Path(options.out), bars, n)


def _rates(tally: Tally, key: tuple, band: int) -> str:
    often, seldom = (tally.share(*key, level, band) for level in LEVELS)
    return f"{often.value:.3f} ({seldom.value:.5f})" if often.n else "-"


if __name__ == "__main__":
    sys.exit(main())
