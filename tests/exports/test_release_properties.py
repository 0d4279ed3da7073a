"""What every release promises, on random cohorts: a sample of those that `benchmarks/release.py` attacks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests_support import benchmark_package


@pytest.fixture(scope="module")
def attacks():
    with pytest.MonkeyPatch.context() as patch:
        yield from benchmark_package(patch, "release", "released")


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_no_cell_is_small_or_recoverable_no_canary_stands_and_pairs_are_blocked(attacks, seed):
    found = attacks.attacked(seed, files=seed == 0)
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
