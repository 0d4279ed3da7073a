"""Categories merged, codes rolled up: by hand, and so that nothing too small is left."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.codes import d10_rolled_up
from seqsae.disclosure.levels import d3_merged, d3_neighbours
from seqsae.disclosure.policy import NAMED

DEFAULT = NAMED["default"]


def labelled(sizes: dict, column: str = "value", kind=pl.String) -> pl.DataFrame:
    names = [name for name, number in sizes.items() for _ in range(number)]
    who = range(len(names))
    return pl.DataFrame({"subject": who, "cluster": who, column: pl.Series(names, dtype=kind)})


@pytest.mark.parametrize(
    ("sizes", "names"),
    [
        ({"a": 50, "b": 10}, {"a": "a", "b": "b"}),
        ({"a": 50, "b": 9, "c": 1}, {"a": "a", "b": "other", "c": "other"}),
        ({"a": 50, "b": 9, None: 4}, {"a": "a", "b": "other", None: "other"}),
        ({"a": 50, None: 40}, {"a": "a", None: None}),
        ({"a": 50, "b": 30, "c": 3}, {"a": "a", "b": "b", "c": "a"}),  # too few to be called anything
        ({"a": 30, None: 50, "c": 3}, {"a": "a", None: None, "c": "a"}),
        ({"a": 50, "other": 20, "c": 3}, {"a": "a", "other": "other", "c": "other"}),
        ({str(number): 3 for number in range(7)}, {str(number): "other" for number in range(7)}),
    ],
)
def test_d3_rare_categories_are_merged(sizes, names):
    assert d3_merged(labelled(sizes), DEFAULT) == names


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["a", "b", "c", "other", None]), st.integers(1, 30), min_size=1))
def test_d3_what_is_published_has_enough_subjects_and_nobody_is_left_out(sizes):
    sizes = {"z": 10, **sizes}
    names = d3_merged(labelled(sizes), DEFAULT)
    after = {}
    for value, shown in names.items():
        after[shown] = after.get(shown, 0) + sizes[value]
    assert min(after.values()) >= 10 and sum(after.values()) == sum(sizes.values())


def test_d3_a_rare_ordered_level_is_counted_with_a_neighbour_that_is_not():
    rows = labelled({0.0: 2, 1.0: 40, 2.0: 3, 3.0: 30, 8.0: 4, 9.0: 9}, kind=pl.Float64)
    assert d3_neighbours(rows, DEFAULT) == {0.0: 1.0, 1.0: 1.0, 2.0: 1.0, 3.0: 3.0, 8.0: 3.0, 9.0: 3.0}
    assert d3_neighbours(labelled({1.0: 9, 2.0: 9}, kind=pl.Float64), DEFAULT) == {}


def test_d10_rare_codes_rise_to_parent_prefix_or_other():
    codes = {"D//F32": 40, "D//F320": 4, "D//F321": 7, "D//G1": 6, "D//G2": 6, "X//1": 3, "LONE": 4, "Y//2": 5}
    parents = {"D//F320": "D//F32", "D//F321": "D//F32"}
    assert d10_rolled_up(labelled(codes, "code"), DEFAULT, parents) == {
        "D//F32": "D//F32", "D//F320": "D//F32", "D//F321": "D//F32", "D//G1": "D//OTHER", "D//G2": "D//OTHER",
        "X//1": "OTHER", "LONE": "OTHER", "Y//2": "OTHER",
    }  # fmt: skip


def test_d10_what_fills_no_bucket_goes_and_circles_of_parents_end():
    codes = {"A//1": 50, "B//1": 4, "C": 5}
    assert d10_rolled_up(labelled(codes, "code"), DEFAULT) == {"A//1": "A//1", "B//1": None, "C": None}
    round_and_round = {"B//1": "B//2", "B//2": "B//1"}
    assert d10_rolled_up(labelled({"A//1": 50, "B//1": 4}, "code"), DEFAULT, round_and_round)["B//1"] is None


def test_d10_subjects_are_counted_once_in_a_bucket():
    rows = labelled({"D//1": 6, "D//2": 6, "E": 30}, "code").with_columns(
        pl.when(pl.col("code").str.starts_with("D")).then(pl.col("subject") % 6).otherwise("subject").alias("subject")
    )
    assert d10_rolled_up(rows, DEFAULT)["D//1"] is None
