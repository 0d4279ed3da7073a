"""The parts of the benchmark of error rates: each counts, tells what it counted, and holds it against the bars."""

from pathlib import Path

import numpy as np
from bars import Bars
from sheet import Sheet

from rated import grid as gridded
from rated.covered import MEASURES, POPULATIONS, intervals, truth
from rated.covered import count as count_interval
from rated.demo import demo as permuted_demo
from rated.nothing import study
from rated.tally import Share, Tally
from rated.tested import BANDS, LEVELS, STUDIES, WRONG
from rated.tested import count as count_test
from seqsae.progress import shown, track

N_TRUTH = (400_000, 100_000)
SIZE, COVERS = (0.03, 0.07), (0.93, 0.97)
WRONG_FROM = 0.1
FAR_OUT = 2.0
"""Times the level that a test may reject at .001 and 1e-4."""
EXPECTED = 20
"""Rejections by chance, below which a simulated cell is told but held to no bar."""


def grid(bars: Bars, sheet: Sheet, n: int, options) -> None:
    rng, told = np.random.default_rng(12), "".join(f"{level:>8g}" for level in gridded.LEVELS)
    sheet.line("exact size of the rank test, people alone, times the level; mean over counts that chance gives")
    sheet.line(f"{'people':>8} {'firing':>7} {'covariate':>10} {'meetings':>9} |{told}")
    held = []
    for people in gridded.PEOPLE:
        for firing, having in ((a, b) for a in gridded.SHARES for b in gridded.SHARES):
            size, counts = gridded.exact(rng, people, firing, having)
            if counts:
                sheet.line(f"{people:8,} {firing:7} {having:10} {people * firing * having:9.1f} |" + _cells(size))
                held += [size[0]] * (people * firing * having >= gridded.FEWEST)
    for name, extreme in (("smallest", min(held)), ("largest", max(held))):
        bars.within(
            f"exact size at .05, {gridded.FEWEST:g} meetings or more expected, {name}", 0.05 * extreme, *SIZE, 0
        )
    worst = np.array([gridded.worst(rng, people) for people in gridded.REGISTER])
    sheet.line(f"the worst of {gridded.MANY} counts")
    for people, size in zip(gridded.REGISTER, worst, strict=True):
        sheet.line(f"{people:8,} {'':28} |" + _cells(size))
    for j, level in enumerate(gridded.LEVELS[2:], 2):
        bars.at_most(f"exact size at {level:g} times the level, the worst of any counts", worst[:, j].max(), FAR_OUT)
    _households(bars, sheet, n)


def _households(bars: Bars, sheet: Sheet, n: int) -> None:
    tally, cells = Tally(), [(people, *cell) for people in gridded.PEOPLE for cell in gridded.CELLS]
    with shown():
        for number, (people, *cell) in enumerate(track(cells, "grid")):
            for seed in range(n):
                gridded.simulated(tally, np.random.default_rng([13, number, seed]), people, tuple(cell))
    sheet.line("simulated in households of 1 to 4 that are alike on both sides, times the level")
    far = {level: [] for level in gridded.LEVELS[2:]}
    for cell in cells:
        found = [tally.share(*cell, level) for level in gridded.LEVELS]
        if found[0].n >= 1000:
            people, firing, having = cell
            ratio = [share.value / level for share, level in zip(found, gridded.LEVELS, strict=True)]
            sheet.line(f"{people:8,} {firing:7} {having:10} {'':9} |{_cells(ratio)}  of {found[0].n:,} pairs")
            for level, value in zip(far, ratio[2:], strict=True):
                if found[0].n * level >= EXPECTED:
                    far[level].append(value)
    for level, ratios in ((level, ratios) for level, ratios in far.items() if ratios):
        bars.at_most(f"size at {level:g} times the level, in households, the worst cell", max(ratios), FAR_OUT)


def tests(bars: Bars, sheet: Sheet, n: int, options) -> None:
    tally = Tally()
    with shown():
        for seed in track(range(n), "tests"):
            for number, draw in enumerate(STUDIES):
                for found in draw(np.random.default_rng([number, seed])):
                    count_test(tally, found)
    keys = [key for key in dict.fromkeys(key[:3] for key in tally.counts) if key[2] != "any"]
    often, seldom, least = LEVELS
    told = [f"fires in {low:.0%} to {high:.0%}" for low, high in zip(BANDS[:-1], BANDS[1:], strict=True)]
    sheet.line(f"share of p-values at most {often} among tested features, and in brackets at most {seldom} and {least}")
    sheet.line(f"{'test':29} {'covariate':20} {'pooling':9} {'all':32}" + "".join(f"{name:19}" for name in told))
    for key in keys:
        bands = [_rates(tally, key, band) for band in range(len(told))]
        beside = ", ".join(f"{tally.share(*key, level, None).value:.5f}" for level in (seldom, least))
        sheet.line(
            f"{key[0]:29} {key[1]:20} {key[2]:9} {f'{tally.share(*key, often, None)} ({beside})':32}"
            + "".join(f"{band:19}" for band in bands)
        )
    for test, covariate in dict.fromkeys(key[:2] for key in keys):
        found = tally.share(test, covariate, "any", often, None)
        if test in WRONG:
            bars.at_least(f"type-I error, fails as it must: {test}; {covariate}", found.value, WRONG_FROM)
        else:
            bars.within(f"type-I error: {test}; {covariate}", found.value, *SIZE, found.error)
    for test in dict.fromkeys(key[0] for key in keys if key[0] not in WRONG):
        for level in (seldom, least):
            found = tally.share(test, "any", "any", level, None)
            bars.at_most(f"type-I error at {level:g} times the level: {test}", found.value / level, FAR_OUT)


def covers(bars: Bars, sheet: Sheet, n: int, options) -> None:
    size = N_TRUTH[options.quick]
    tally, known = Tally(), truth(size)
    with shown():
        for seed in track(range(n), "intervals"):
            for number, (name, (people, sizes)) in enumerate(POPULATIONS.items()):
                for asked in intervals(np.random.default_rng([10, number, seed]), people, sizes):
                    count_interval(tally, name, asked, known[asked.key])
    sheet.line(
        f"share of 95% intervals over 1,000 people (few: 300) that hold the effect in {size:,}; of those wholly below and above"
    )
    for measure in MEASURES:
        for name in POPULATIONS:
            for key in (key for key in known if key[0] == measure):
                sheet.line(
                    _told(tally, (name, *key), f"{name:19} {key[1]:17} feature {key[2]}", f"true {known[key]:7.4f}")
                )
            sheet.line(_told(tally, (name, measure), f"{name:19} {'all':27}", " " * 12))
            held = tally.share(name, measure, "held")
            bars.within(f"coverage of 95% intervals: {measure}, {name}", held.value, *COVERS, held.error)


def _told(tally: Tally, key: tuple, name: str, true: str) -> str:
    held, below, above, firth, given = (
        tally.share(*key, what) for what in ("held", "below", "above", "firth", "given")
    )
    notes = (f"  Firth's {firth.value:.3f}" if firth.value else "") + (
        f"  none in {1 - given.value:.4f}" if given.value < 1 else ""
    )
    return f"{key[1]:17} {name} {true}  {held}  {below.value:.3f} {above.value:.3f}{notes}"


TOLD = {"selected": "selected", "crude": "that replicate crudely", "adjusted": "that replicate beyond the confounders"}


def nothing(bars: Bars, sheet: Sheet, n: int, options) -> None:
    out = Path(options.out) / "error_rates"
    found = [study(seed, out) for seed in track(range(n), "studies of nothing")]
    clean = sum(not one.supported for one in found)
    sheet.line(f"{np.mean([one.pairs for one in found]):,.0f} pairs in each; on average, and in how many studies any:")
    for name, told in TOLD.items():
        counts = np.array([getattr(one, name) for one in found])
        sheet.line(f"  pairs {told}: {counts.mean():.2f}, {(counts > 0).sum()}")
    for one in found:
        for claim in one.supported:
            sheet.line(f"  supported: {claim}")
    share = clean / n
    error = Share(share, float(np.sqrt(share * (1 - share) / n)), n)
    sheet.line(f"studies without any supported feature: {error}")
    bars.at_least(f"share of {n} studies of nothing without a supported feature", share, 0.95)


def demo(bars: Bars, sheet: Sheet, n: int, options) -> None:
    with shown():
        permuted_demo(Path(options.out), bars, n)


def _rates(tally: Tally, key: tuple, band: int) -> str:
    often, seldom = (tally.share(*key, level, band) for level in LEVELS[:2])
    return f"{often.value:.3f} ({seldom.value:.5f})" if often.n else "-"


def _cells(values) -> str:
    return "".join(f"{value:8.2f}" for value in values)
