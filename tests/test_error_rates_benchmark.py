"""The benchmark of error rates: its last line names what was measured, and its counting is right."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests_support import benchmark_package

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def rated(monkeypatch):
    """The benchmark's package, importable for one test."""
    yield from benchmark_package(monkeypatch, "rated", "cohorts")


def test_it_tells_every_test_and_leaves_nothing_behind(tmp_path):
    command = [sys.executable, BENCHMARKS / "error_rates.py", "--only", "tests,nothing", "--cohorts", "1", "--json"]
    done = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True, check=True)
    bars = json.loads(done.stdout.splitlines()[-1])
    right = (
        "ranks",
        "adjusted score",
        "adjusted score, bent",
        "ranks in strata",
        "Kruskal-Wallis",
        "Cox score",
        "rows, t over clusters",
    )
    for test in right:
        found = [row for name, row in bars.items() if name.startswith(f"type-I error: {test};")]
        assert found and all(row["bar"] == [0.03, 0.07] and 0 <= row["value"] <= 0.2 for row in found)
    wrong = [row["value"] for name, row in bars.items() if "fails as it must" in name]
    assert len(wrong) == 7 and np.mean(wrong) > 0.2
    assert "share of 1 studies of nothing without a supported feature" in bars
    assert all(f"type-I error at 0.001 times the level: {test}" in bars for test in right)
    assert "fires in 2% to 10%" in done.stdout and not list(tmp_path.rglob("*.parquet"))


def test_a_share_is_over_things_and_its_error_over_cohorts(rated):
    from rated.tally import Tally

    tally = Tally()
    for hits in ([True, True, False, False], [False, False, False, True]):
        tally.add(("a",), np.array(hits), np.array([True, True, True, False]))
    found = tally.share("a")
    assert (found.value, found.n) == (2 / 6, 6)
    assert found.error == pytest.approx(np.sqrt(2 * (1 + 1)) / 6)  # residuals of both cohorts: 2 - 1 and 0 - 1
    assert tally.share("b").n == 0 and str(tally.share("b")) == "-"


def test_large_cohorts_know_the_effect_that_intervals_are_held_against(rated):
    from rated.covered import Asked, count, intervals
    from rated.tally import Tally

    asked = list(intervals(np.random.default_rng(0), 1200))
    assert len(asked) == len({one.key for one in asked}) == 3 * 2 * 5
    nothing = {"AUROC": 0.5, "C-index": 0.5}
    strong = [one for one in asked if one.feature == 2]
    assert all(one.low < one.value < one.high and one.value > nothing.get(one.measure, 0) for one in strong)
    tally = Tally()
    count(tally, "alone", Asked("m", "c", 0, 0.5, 0.4, 0.6), 0.61)
    count(tally, "alone", Asked("m", "c", 0, 0.5, np.nan, np.nan), 0.5)
    assert (tally.share("alone", "m", "held").value, tally.share("alone", "m", "given").value) == (0.0, 0.5)
    assert tally.share("alone", "m", "c", 0, "below").value == 1.0


def test_features_that_hardly_fire_are_not_asked(rated):
    from cohorts import HOUSEHOLDS
    from rated.covered import intervals

    few = {one.feature for one in intervals(np.random.default_rng(3), 150, HOUSEHOLDS)}
    assert few and 0 not in few


def test_the_size_in_closed_form_is_that_of_the_screen(rated):
    from rated.grid import LEVELS, size
    from scipy import sparse, stats

    from seqsae.associations.ranks import rank_excess
    from seqsae.associations.screen import screen

    n, active, positive = 700, 30, 60
    both = np.arange(active + 1)
    y = np.zeros((n, len(both)))
    for k in both:
        y[:k, k] = y[active : active + positive - k, k] = 1
    x = sparse.csc_array((np.arange(n) < active).astype(float)[:, None])
    p, chance = screen(rank_excess(x), y).p[0], stats.hypergeom.pmf(both, n, active, positive)
    assert size(n, active, positive) == pytest.approx([chance[p <= level].sum() / level for level in LEVELS], rel=1e-9)
    assert (size(n, active, positive) <= 2.1).all()


def test_a_sheet_is_written_as_it_was_printed(rated, tmp_path, capsys):
    from bars import Bars
    from sheet import Sheet

    bars, sheet = Bars(), Sheet()
    sheet.part("first: 3 cohorts")
    sheet.line("a  b")
    bars.within("size", 0.05, 0.03, 0.07, 0.001)
    bars.at_most("far out", 2.5, 2.0)
    sheet.write(tmp_path / "results" / "it.md", "Title", bars)
    written = (tmp_path / "results" / "it.md").read_text()
    assert written.startswith("# Title\n") and "## first: 3 cohorts\n\n```\na  b\n```\n" in written
    assert (
        "| size | 0.0500 | 0.0010 | 0.03 to 0.07 | holds |" in written
        and "| far out | 2.5000 |  | 2 | MISSED |" in written
    )
    assert capsys.readouterr().out == "first: 3 cohorts\na  b\n"
