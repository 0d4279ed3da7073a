"""Bins: enough subjects in each, round edges, open ends."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.bins import MOST, Edges, d5_edges, d5_top_coded
from seqsae.disclosure.policy import NAMED, Policy

DST = NAMED["dst"]


def rows(values, subjects=None, size=1) -> pl.DataFrame:
    subjects = np.arange(len(values)) if subjects is None else np.asarray(subjects)
    return pl.DataFrame({"subject": subjects, "cluster": subjects // size, "value": np.asarray(values, dtype=float)})


def sizes(table: pl.DataFrame, edges: Edges) -> list[tuple[int, int]]:
    """Distinct subjects and clusters a bin."""
    placed = table.with_columns(pl.Series("bin", edges.place(table["value"].to_numpy())))
    found = placed.group_by("bin").agg(pl.col("subject").n_unique(), pl.col("cluster").n_unique()).sort("bin")
    return [(subjects, clusters) for _, subjects, clusters in found.rows()]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)) | st.integers(-30, 30), min_size=10, max_size=120),
    st.integers(1, 4), st.integers(1, 3), st.sampled_from([None, 1.0, 0.1]),
)  # fmt: skip
def test_every_bin_has_enough_subjects_and_clusters(values, repeats, size, step):
    subjects = np.arange(len(values)) // repeats
    table = rows(values, subjects, size)
    policy = Policy(min_subjects=5, min_clusters=5)
    edges = d5_edges(table, policy, step)
    found = sizes(table, edges)
    assert len(found) == len(edges) and list(edges.inner) == sorted(set(edges.inner))
    if len(edges) > 1:
        assert min(subjects for subjects, _ in found) >= 5 and min(clusters for _, clusters in found) >= 5


def test_there_are_few_bins_about_equally_full_with_edges_of_two_digits():
    values = np.exp(np.random.default_rng(0).normal(3, 1, 4000))
    edges = d5_edges(rows(values), DST)
    assert MOST // 2 <= len(edges) <= MOST
    counts = [subjects for subjects, _ in sizes(rows(values), edges)]
    assert min(counts) >= 4000 / MOST and max(counts) < 3 * min(counts)
    assert all(float(f"{edge:.1e}") == edge for edge in edges.inner)


@pytest.mark.parametrize("odd", [1872.0, -7.25e8, 0.123456789])
def test_a_far_value_is_no_edge_and_stands_in_an_open_bin_with_others(odd):
    values = np.append(np.random.default_rng(1).normal(50, 5, 200), [odd] * 4)
    edges = d5_edges(rows(values), DST)
    assert min(abs(edge - odd) for edge in edges.inner) > 1e-9
    place = int(edges.place(np.array([odd]))[0])
    assert None in edges.bounds(place) and sizes(rows(values), edges)[place][0] >= 9


def test_too_few_for_two_bins_or_one_value_only_make_one_open_bin():
    for values in (np.arange(7.0), np.full(300, 30.0)):
        edges = d5_edges(rows(values), DST)
        assert len(edges) == 1 and edges.bounds(0) == (None, None)


def test_steps_keep_whole_years_whole():
    edges = d5_edges(rows(np.random.default_rng(2).uniform(-60, 24, 900).round(2)), DST, step=1.0)
    assert all(edge == round(edge) for edge in edges.inner) and len(edges) > 8


def test_what_four_subjects_have_moves_no_mean_and_what_five_have_does():
    for far, moves in ((4, False), (5, True)):
        values = np.append(np.random.default_rng(1).normal(50, 5, 200), [1e6] * far + [-1e6] * far)
        table = rows(values)
        edges = d5_edges(table, DST)
        placed = table.with_columns(pl.Series("bin", edges.place(values)))
        coded = placed.with_columns(d5_top_coded(placed, len(edges) - 1, DST).alias("coded"))
        assert (coded["coded"].max() > 100, coded["coded"].min() < 0) == (moves, moves)
        inner = coded.filter(pl.col("bin").is_between(1, len(edges) - 2))
        assert inner["coded"].to_list() == inner["value"].to_list()


def test_a_single_bin_is_open_at_both_ends_and_a_small_one_tells_no_value_of_its_own():
    one = rows([1e6, *range(10), -1e6]).with_columns(bin=0)
    assert one.select(d5_top_coded(one, 0, DST)).to_series().sort().to_list() == [3.0] * 5 + [4.0] + [5.0] + [6.0] * 5
    few = rows(range(9)).with_columns(bin=0)
    assert few.select(d5_top_coded(few, 0, DST)).to_series().to_list() == list(range(9))
    two = rows(range(19)).with_columns(bin=pl.when(pl.col("value") < 9).then(0).otherwise(1))
    coded = two.select(d5_top_coded(two, 1, DST)).to_series()
    assert coded[:9].null_count() == 9 and coded[9:].to_list() == [9, 10, 11, 12, 13, *[14] * 5]


def test_a_household_is_one_however_many_of_it_lie_far_out():
    values = np.append(np.arange(100.0), np.full(20, 5000.0))
    table = rows(values).with_columns(cluster=pl.when(pl.col("subject") < 100).then("subject").otherwise(1000), bin=0)
    assert table.select(d5_top_coded(table, 0, DST)).to_series().max() < 100
