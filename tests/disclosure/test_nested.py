"""Cells of features and labels against sets counted by hand."""

import numpy as np
import pytest

from seqsae.disclosure.nested import LEAVES_FEW, NONE, Seen, nested
from seqsae.disclosure.policy import NAMED
from seqsae.disclosure.rules import FEW_SUBJECTS

DEFAULT, OPEN = NAMED["default"], NAMED["open"]
NAMES = {number: f"t{number}" for number in range(9)}


def seen(pairs, n=100, size=1):
    """From (feature or None, label, subject) a row."""
    feature = [(row, pair[0]) for row, pair in enumerate(pairs) if pair[0] is not None]
    fired = [np.array([pair[place] for pair in feature], np.int64) for place in (1, 0)]
    return Seen(*fired, *(np.array([pair[place] for pair in pairs]) for place in (1, 2)), np.arange(n) // size)


def rows(table):
    return {(row["feature"], row["token"]): row for row in table.rows}


def test_counts_shares_and_lifts_of_random_firings():
    rng = np.random.default_rng(1)
    pairs = [
        (int(rng.integers(3)) if rng.random() < 0.5 else None, int(rng.integers(-1, 4)), int(who))
        for who in np.repeat(np.arange(80), 6)
    ]
    table = rows(nested(seen(pairs), "token", NAMES, OPEN))
    for (feature, token), row in table.items():
        label = int(token[1:])
        here = [who for one, name, who in pairs if one == feature and name == label]
        mine, held = [one for one in pairs if one[0] == feature], [one for one in pairs if one[1] == label]
        assert row["subjects"] == len(set(here))
        share = len(here) / len(mine)
        assert row["share"] == pytest.approx(share, rel=6e-3)
        assert row["lift"] == pytest.approx(share / (len(held) / sum(one[1] != NONE for one in pairs)), rel=6e-3)
    assert len(table) == len({(one[0], one[1]) for one in pairs if one[0] is not None and one[1] != NONE})


def test_small_cells_and_those_that_leave_out_few_holders_are_not_told():
    pairs = [(0, 0, who) for who in range(40)] + [(0, 1, who) for who in range(9)] + [(0, 2, who) for who in range(30)]
    pairs += [(None, 2, who) for who in range(30, 36)] + [(None, 1, who) for who in range(40, 90)]
    table = nested(seen(pairs), "token", NAMES, DEFAULT)
    assert set(rows(table)) == {(0, "t0")} and dict(table.withheld) == {FEW_SUBJECTS: 1, LEAVES_FEW: 1}


def test_a_cell_of_nearly_all_in_whom_it_fires_is_told_as_all():
    pairs = (
        [(0, 0, who) for who in range(40)]
        + [(0, 1, who) for who in range(36)]
        + [(None, 1, who) for who in range(60, 80)]
    )
    assert rows(nested(seen(pairs), "token", NAMES, DEFAULT))[0, "t1"]["subjects"] == 40


def test_few_households_and_few_makers_are_withheld():
    pairs = (
        [(0, 0, who) for who in range(40)]
        + [(0, 1, who) for who in range(40, 60)]
        + [(None, 1, who) for who in range(60, 100)]
    )
    assert (0, "t1") not in rows(nested(seen(pairs, size=10), "token", NAMES, DEFAULT))
    heavy = (
        [(0, 0, who) for who in range(50)]
        + [(0, 1, 0)] * 900
        + [(0, 1, who) for who in range(30)]
        + [(None, 1, who) for who in range(60, 90)]
    )
    row = rows(nested(seen(heavy), "token", NAMES, DEFAULT))[0, "t1"]
    assert row["subjects"] == 30 and row["share"] is None and row["lift"] is None


def test_the_most_telling_are_kept_by_what_is_published():
    pairs = [(0, label, who) for label in range(4) for who in range(20 + 20 * label)]
    pairs += [(None, label, who) for label in range(3) for who in range(100)]
    table = nested(seen(pairs), "token", NAMES, DEFAULT, most=2)
    assert [row["token"] for row in table.rows] == ["t3", "t2"]


def test_nothing_fires():
    assert not len(nested(seen([(None, 0, who) for who in range(30)]), "token", NAMES, DEFAULT))
