"""The linear-programming attacker: what it recovers where single cells are blanked, and that its short form agrees with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.attack import Known, intervals, is_safe, known_of, merged_interval
from seqsae.disclosure.policy import NAMED

DEFAULT, OPEN = NAMED["default"], NAMED["open"]


def test_a_blanked_cell_beside_exact_margins_is_recovered():
    rows = [Known((0, 1, 2), 30, 30), Known((3, 4, 5), 40, 40)]
    columns = [Known((0, 3), 20, 20), Known((1, 4), 25, 25), Known((2, 5), 25, 25)]
    shown = [Known((1,), 14, 14), Known((2,), 12, 12)]
    found = intervals(6, [*rows, *columns, *shown], [0, 3])
    assert np.allclose(found, [[4, 4], [16, 16]]) and not is_safe(*found[0], DEFAULT)


def test_what_nothing_bounds_is_infinite_and_contradictions_are_told():
    assert intervals(2, [Known((0,), 3, 7)], [0, 1]).tolist() == [[3, 7], [0, np.inf]]
    with pytest.raises(ValueError, match="no counts agree"):
        intervals(1, [Known((0,), 1, 2), Known((0,), 5, 6)], [0])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 5000), st.sampled_from([3, 5, 7, 10]))
def test_a_rounded_count_is_known_to_within_its_base(count, base):
    policy = DEFAULT.model_copy(update={"round_to": base})
    published = (2 * count + base) // (2 * base) * base
    known = known_of((0,), published, policy)
    assert known.low <= count <= known.high and known.high - known.low <= base
    beyond = [
        other
        for other in range(max(0, count - 2 * base), count + 2 * base)
        if (2 * other + base) // (2 * base) * base == published
    ]
    assert (known.low, known.high) == (min(beyond), max(beyond))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=4))
def test_the_short_form_for_merged_rows_finds_what_the_programs_find(cells):
    """Rows of (firing, silent) of which the sizes and the total firing are known."""
    n = len(cells)
    sizes = [known_of((2 * row, 2 * row + 1), sum(cell) // 5 * 5, DEFAULT) for row, cell in enumerate(cells)]
    total = known_of([2 * row for row in range(n)], sum(cell[0] for cell in cells) // 5 * 5, DEFAULT)
    try:
        found = intervals(2 * n, [*sizes, total], [2 * row for row in range(n)])
    except ValueError:
        return
    for row in range(n):
        short = merged_interval(sizes[row], sizes[:row] + sizes[row + 1 :], total)
        assert np.allclose(found[row], short)


def test_public_data_need_no_width():
    assert (
        is_safe(3, 3, OPEN) and not is_safe(0, 9, DEFAULT) and not is_safe(20, 29, DEFAULT) and is_safe(0, 10, DEFAULT)
    )
