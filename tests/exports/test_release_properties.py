"""What every release promises, on random cohorts: a sample of those that `benchmarks/release.py` attacks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import benchmark_package


@pytest.fixture(scope="module")
def attacks():
    with pytest.MonkeyPatch.context() as patch:
        yield from benchmark_package(patch, "release", "released")


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_no_cell_is_small_or_recoverable_no_canary_stands_and_pairs_are_blocked(attacks, seed):
    found = attacks.attacked(seed)
    assert not {name: lines for name, lines in found.items() if isinstance(lines, list) and lines}, seed


def test_the_attackers_see_what_is_planted(attacks):
    """A release made under a laxer policy than it is held against."""
    from released.attacks import Truth, below_threshold
    from released.cohorts import cohort

    lax = attacks.Policy(name="lax", public=True, min_subjects=1, min_clusters=1, round_to=1)
    one = cohort(2)
    found = below_threshold(Truth(one), attacks.leaves(one.evidence, lax), attacks.NAMED["default"])
    assert any("subjects published as" in line for line in found)
    assert attacks.canaries({"x": "a CANARY-7"}) and not attacks.canaries({"x": "nothing"})


def test_the_attackers_subtract_parts_from_totals(attacks):
    from types import SimpleNamespace as Made

    from released.attacks import recovered

    def told(firing):
        curve = [{"feature": 3, "covariate": "died", "fires": True, "events": 20}]
        tables = {
            "crossed": [
                {"feature": 3, "covariate": "died", "level": "with the event", "firing": firing, "subjects": 80}
            ],
            "covariates": [{"covariate": "died", "level": "with the event", "subjects": 80}],
            "features": [{"feature": 3, "subjects": 90, "subjects_test": 40, "rows_each": 2.0}],
            "survival": curve,
        }
        made = [Made(id=name, table=Made(rows=rows)) for name, rows in tables.items()]
        return recovered(made, attacks.NAMED["default"])

    assert told(25) == ["survival 3 died after the end: between 1 and 9"] and not told(20) and not told(35)
