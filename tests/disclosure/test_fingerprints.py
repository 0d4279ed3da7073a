"""Cohorts as keyed hashes, and how near two of them are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.fingerprints import d14_too_near, difference, fingerprint
from seqsae.disclosure.policy import NAMED

KEY, DEFAULT = b"k" * 32, NAMED["default"]


def of(subjects, size=1, key=KEY):
    return fingerprint(subjects, [subject // size for subject in subjects], key)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_the_difference_is_that_of_the_sets(one, other):
    alone = one ^ other
    assert difference(of(one, 3), of(other, 3)) == (len(alone), len({subject // 3 for subject in alone}))


@pytest.mark.parametrize(("less", "near"), [(0, False), (1, True), (9, True), (10, False)])
def test_few_apart_is_too_near_the_same_is_not(less, near):
    assert d14_too_near(of(range(100)), of(range(100 - less)), DEFAULT) is near
    assert d14_too_near(of(range(100 - less)), of(range(100)), DEFAULT) is near


def test_one_household_apart_is_too_near_and_public_data_never_are():
    assert d14_too_near(of(range(100), 20), of(range(80), 20), DEFAULT)
    assert not d14_too_near(of(range(100)), of(range(99)), NAMED["open"])


def test_without_the_key_it_tells_nothing_and_what_is_none_is_refused():
    assert (
        of(range(20)) != of(range(20), key=b"o" * 32)
        and difference(of(range(20)), of(range(20), key=b"o" * 32))[0] == 40
    )
    with pytest.raises(ValueError, match="not a fingerprint"):
        difference("%%%", of([1]))
