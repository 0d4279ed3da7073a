"""The attacker with a solver against every table that fits the shown cells, and levels merged in one table against their sizes."""

from itertools import product

import pytest
from exports.audit.made import Made
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.policy import Policy
from seqsae.exports.audit import audit
from seqsae.exports.audit.attack import Crossed, intervals

EXACT = Policy(name="exact", public=True, min_subjects=3, min_clusters=1, round_to=1)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=4), st.sets(st.integers(0, 3), min_size=1, max_size=3))
def test_an_interval_is_that_of_all_tables_that_fit(counts, hidden):
    """Two by two, all margins known: the interval of each hidden cell by trying every table."""
    order = list(product("ab", "xy"))
    true = dict(zip(order, counts, strict=True))
    shown = {cell: None if place in hidden else float(max(3, true[cell])) for place, cell in enumerate(order)}
    true = {cell: true[cell] if shown[cell] is None else shown[cell] for cell in order}
    rows = {row: float(sum(true[row, column] for column in "xy")) for row in "ab"}
    columns = {column: float(sum(true[row, column] for row in "ab")) for column in "xy"}
    found = intervals(Crossed(shown, rows, columns, None, {}), EXACT)
    free = [cell for cell in order if shown[cell] is None]
    fitting = []
    for guess in product(range(20), repeat=len(free)) if len(free) < 3 else (c for c in product(range(14), repeat=3)):
        table = shown | dict(zip(free, guess, strict=True))
        if all(table[r, "x"] + table[r, "y"] == rows[r] for r in "ab") and all(
            table["a", c] + table["b", c] == columns[c] for c in "xy"
        ):
            fitting.append(guess)
    for place, cell in enumerate(free):
        values = [guess[place] for guess in fitting]
        assert found[cell] == pytest.approx((min(values), max(values)), abs=1e-6)


def crossed(hidden: tuple[int, ...]) -> Made:
    """Three by two with all margins; these cells withheld."""
    counts = [40, 60, 15, 45, 5, 85]
    made = Made()
    rows = [
        [row, column, None if n in hidden else counts[n]]
        for n, (row, column) in enumerate(product(("north", "south", "west"), ("yes", "no")))
    ]
    rows += [
        ["north", "total", 100],
        ["south", "total", 60],
        ["west", "total", 90],
        ["total", "yes", 60],
        ["total", "no", 190],
        ["total", "total", 250],
    ]
    made.add("crossed", "level", "region:label smokes:label subjects:count", rows, ["D1", "D3"])
    return made


@pytest.mark.parametrize("hidden, safe", [((4,), False), ((2, 3, 4, 5), True)])
def test_withheld_cells_need_others_beside_them(hidden, safe, tmp_path):
    rules = {one.rule for one in audit(crossed(hidden).write(tmp_path)).violations}
    assert rules == (set() if safe else {"D3"})


def test_a_layout_of_the_manifest_is_attacked_in_each_group(tmp_path):
    made = Made()
    rows = [
        [feature, level, count]
        for feature in (3, 5)
        for level, count in (("low", 60), ("high", None), ("any dose", 65))
    ]
    made.add("doses", "level", "feature:label dose:label subjects:count", rows)
    assert {one.rule for one in audit(made.write(tmp_path / "without")).violations} == set()
    made.extra["doses"] = {"layout": {"labels": ["dose"], "count": "subjects", "total": "any dose"}}
    found = [one for one in audit(made.write(tmp_path / "with")).violations if one.rule == "D3"]
    assert [one.place for one in found] == ["tables/doses.csv:3 subjects", "tables/doses.csv:6 subjects"]


@pytest.mark.parametrize("firing, safe", [(60, True), (120, False), (15, True)])
def test_merged_levels_are_worked_out_from_their_sizes(firing, safe, tmp_path):
    """Of two merged levels of 100 and 15, `firing` of 115 (120 where rounded together) fire: if all do, so does the small level."""
    made = Made()
    made.tables["levels"]["rows"] = [["town", "a", 100, None], ["town", "b", 15, None], ["town", "c", 85, None]]
    made.add("crossed", "level", "feature:label covariate:label level:label subjects:count firing:count",
             [(3, "town", "c", 85, 40), (3, "town", "other", 120, firing)], ["D1", "D3"])  # fmt: skip
    assert {one.rule for one in audit(made.write(tmp_path)).violations} == (set() if safe else {"D3"})


def test_a_cell_withheld_here_and_shown_there(tmp_path):
    made = Made()
    rows = [tuple(row) for row in made.tables["tokens"]["rows"][:2]] + [(5, "DIAG//F43", None, 0.7)]
    made.add("tokens_again", "token of a feature", "feature:label token:label subjects:count lift:statistic", rows)
    assert {one.rule for one in audit(made.write(tmp_path)).violations} == {"D3"}


def test_what_a_part_leaves_out_of_its_whole(tmp_path):
    """Of 120 in whom a feature fires, all but 5 have the code."""
    made = Made()
    made.add("firing", "feature", "feature:label subjects:count", [(3, 120), (5, 80)])
    made.set("tokens", 0, "subjects", 115)
    made.tables.pop("when")
    assert {one.rule for one in audit(made.write(tmp_path)).violations} == {"D2"}


@pytest.mark.parametrize(("fires", "events", "safe"), [("yes", 20, False), ("yes", 25, True), ("no", 40, True)])
def test_what_a_curve_leaves_of_all_events(fires, events, safe, tmp_path):
    made = Made()
    made.add(
        "crossed",
        "level",
        "feature:label covariate:label level:label subjects:count firing:count",
        [(3, "died", "with the event", 80, 25)],
    )
    columns = "feature:label covariate:label fires:label time:statistic survival:statistic at_risk:count events:count"
    made.add("survival", "step", columns, [(3, "died", fires, 2, 0.8, 110, events)], ["D1", "D8"])
    found = audit(made.write(tmp_path))
    assert [one.rule for one in found.violations] == ([] if safe else ["D8"]), found.text()
