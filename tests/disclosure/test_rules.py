"""The primary rules, on numbers worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure import rules
from seqsae.disclosure.policy import NAMED, Policy

DEFAULT, OPEN = NAMED["default"], NAMED["open"]


def test_d1_asks_for_subjects_and_for_clusters():
    assert rules.d1_reason(10, 10, DEFAULT) is None
    assert rules.d1_reason(9, 9, DEFAULT) == rules.d1_reason(0, 0, DEFAULT) == rules.FEW_SUBJECTS
    assert rules.d1_reason(30, 9, DEFAULT) == rules.FEW_CLUSTERS
    assert rules.d1_reason(1, 1, OPEN) is None


@pytest.mark.parametrize(("count", "shown"), [(10, 10), (12, 10), (13, 15), (14, 15), (1002, 1000)])
def test_d1_rounds_to_the_nearest_multiple(count, shown):
    assert rules.d1_rounded(count, DEFAULT) == shown
    assert rules.d1_rounded(count, OPEN) == count


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from([(10, 5), (5, 5), (20, 10), (12, 4), (9, 3), (8, 4)]), st.integers(0, 200), st.integers(0, 200))
def test_d1_no_difference_of_a_whole_and_its_part_falls_below_the_threshold(thresholds, part, rest):
    least, base = thresholds
    policy = Policy(min_subjects=least, min_clusters=5, round_to=base)
    if part >= least and rest >= least:
        shown = rules.d1_rounded(part + rest, policy) - rules.d1_rounded(part, policy)
        assert shown >= least and rules.d1_rounded(part, policy) >= least


def test_d2_those_left_out_are_nobody_or_enough():
    assert rules.d2_rest_is_safe(0, 0, DEFAULT) and rules.d2_rest_is_safe(10, 10, DEFAULT)
    assert not rules.d2_rest_is_safe(1, 1, DEFAULT) and not rules.d2_rest_is_safe(40, 3, DEFAULT)


@pytest.mark.parametrize(
    ("total", "top", "largest", "dominated"),
    [
        (100.0, 20.0, 10.0, False),
        (100.0, 85.0, 50.0, True),  # two subjects make 85%
        (100.0, 84.0, 50.0, False),
        (100.0, 84.0, 84.0, False),
        (1000.0, 840.0, 830.0, False),
        (0.0, 0.0, 0.0, False),
    ],
)
def test_d4_sums_of_few_are_told_from_sums_of_many(total, top, largest, dominated):
    assert rules.d4_dominated(total, top, largest, DEFAULT) is dominated
    assert not rules.d4_dominated(total, top, largest, OPEN)


def test_d4_the_p_ratio_stands_by_itself():
    policy = Policy(dominance_share=0.9, p_ratio=0.2)
    assert rules.d4_dominated(112.0, 100.0, 95.0, policy)  # the others could tell 90 to within a tenth
    assert not rules.d4_dominated(120.0, 100.0, 90.0, policy)


@pytest.mark.parametrize(
    ("low", "high", "edge"),
    [(29.0, 31.0, 30.0), (9.9, 14.0, 10.0), (410.0, 470.0, 450.0), (-110.0, -99.0, -100.0), (-3.0, 4.0, 0.0), (0.28, 0.3, 0.3), (7.0, 8.0, 8.0)],
)  # fmt: skip
def test_d5_the_roundest_number_between_two_bins_is_the_edge(low, high, edge):
    found = rules.d5_rounder(low, high)
    assert low < found <= high
    assert found == edge or edge == 450.0 and found == 420.0 or len(f"{found:g}") <= len(f"{edge:g}")


def test_d7_digits():
    assert rules.d7_digits(1234.567, 3) == 1230.0 and rules.d7_digits(-0.0012345, 2) == -0.0012
    assert rules.d7_digits(float("inf"), 3) is None and rules.d7_digits(float("nan"), 3) is None
