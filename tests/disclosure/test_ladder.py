"""Statistics as coarse as one subject can move them; p-values on a ladder."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.ladder import d7_p, d7_statistic, d7_unit
from seqsae.disclosure.policy import NAMED

DEFAULT = NAMED["default"]


@pytest.mark.parametrize(("least", "unit"), [(1, 1.0), (10, 0.1), (11, 0.1), (49, 0.05), (100, 0.01), (1000, 0.001)])
def test_the_unit_is_the_next_round_number_from_one_over_n_up(least, unit):
    assert d7_unit(least) == pytest.approx(unit)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(-1, 1), st.integers(2, 3000))
def test_what_one_subject_changes_is_hidden_and_the_rest_told(value, n):
    told = d7_statistic(value, n, DEFAULT)
    unit = max(d7_unit(n), 0.0)
    assert abs(told - value) <= max(unit, abs(value) * 10 ** -(DEFAULT.digits - 1)) * 0.5000001
    assert abs(told / unit - round(told / unit)) < 1e-6 or abs(value) >= 10 * unit


def test_public_data_keep_their_digits_and_nothing_is_made_of_nothing():
    assert d7_statistic(0.123456, 3, NAMED["open"]) == 0.123
    assert d7_statistic(None, 10, DEFAULT) is None and d7_statistic(math.nan, 10, DEFAULT) is None
    assert math.copysign(1, d7_statistic(-0.001, 10, DEFAULT)) == 1


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.9, 1.0),
        (0.5, 0.5),
        (0.049, 0.05),
        (0.0011, 0.002),
        (0.001, 0.001),
        (9e-4, 1e-3),
        (1e-4, 1e-4),
        (3e-9, 1e-8),
        (0.0, 1e-16),
        (1e-300, 1e-16),
        (None, None),
    ],
)
def test_a_p_is_told_as_the_rung_it_does_not_exceed(value, told):
    assert d7_p(value) == told
