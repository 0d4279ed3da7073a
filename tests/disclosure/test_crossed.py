"""Fires x levels: nothing small is shown, and no linear program gets at what was merged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.attack import intervals, known_of
from seqsae.disclosure.crossed import Question, crossed
from seqsae.disclosure.policy import NAMED

DEFAULT = NAMED["default"]


def asked(cells, cluster=1):
    """A table of one feature from (firing, silent) by level."""
    level = np.repeat(np.arange(len(cells)), [sum(cell) for cell in cells])
    fires = np.concatenate([np.repeat([True, False], cell) for cell in cells])
    question = Question("place", level, [f"l{number}" for number in range(len(cells))], [0])
    return crossed(fires[:, None].astype(float), np.arange(len(level)) // cluster, [question], DEFAULT)


def shown(table):
    return {row["level"]: (row["subjects"], row["firing"]) for row in table.rows}


def test_levels_without_small_cells_are_told_as_they_are():
    assert shown(asked([(12, 33), (40, 21)])) == {"l0": (45, 10), "l1": (60, 40)}


def test_a_small_cell_takes_others_with_it_and_a_table_of_one_level_is_none():
    made = asked([(12, 33), (40, 21), (3, 30), (60, 60)])
    assert set(shown(made)) == {"l1", "l3", "other"}
    assert shown(made)["other"] == (80, 15)
    lone = asked([(3, 30), (40, 40)])
    assert not len(lone) and sum(lone.withheld.values()) == 1
    assert not len(asked([(40, 40)]))


def test_many_persons_of_few_households_are_small():
    assert not len(asked([(20, 40), (40, 40)], cluster=4))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 40)).filter(lambda cell: sum(cell) >= 10), min_size=2, max_size=5
    )
)
def test_no_program_gets_at_a_merged_cell(cells):
    made = shown(asked(cells))
    alone = [number for number in range(len(cells)) if f"l{number}" in made]
    merged = [number for number in range(len(cells)) if number not in alone]
    for number in alone:
        assert min(cells[number]) >= 10
    if not made or not merged:
        return
    assert sum(cells[number][0] for number in merged) >= 10 and sum(cells[number][1] for number in merged) >= 10
    known = [
        known_of((2 * number, 2 * number + 1), (2 * sum(cell) + 5) // 10 * 5, DEFAULT)
        for number, cell in enumerate(cells)
    ]
    known += [known_of((2 * number,), made[f"l{number}"][1], DEFAULT) for number in alone]
    known.append(known_of([2 * number for number in merged], made["other"][1], DEFAULT))
    hidden = [2 * number + side for number in merged for side in (0, 1)]
    found = intervals(2 * len(cells), known, hidden)
    assert (found[:, 1] - found[:, 0] >= 10 - 1e-6).all() and (found[:, 1] >= 10 - 1e-6).all(), (cells, made, found)


@pytest.mark.parametrize("size", [0, 1])
def test_few_levels(size):
    assert not len(asked([(20, 20)] * size) if size else asked([(0, 12)]))
