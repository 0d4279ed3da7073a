"""Bins: enough subjects in each, round edges, open ends."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.bins import MOST, Edges, d5_clipped, d5_edges
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
        assert min(subjects for subjects, _ in found) >= 10 and min(clusters for _, clusters in found) >= 10


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(40, 250), st.sampled_from([(0, 21), (20, 95), (-40, 400)]))
def test_an_edge_tells_of_nothing_that_fewer_than_the_threshold_have(seed, n, span):
    """Who sees 47 where 40 would be rounder knows that 40 would not have done: enough subjects lie from 40 to 46."""
    rng = np.random.default_rng(seed)
    values = np.floor(rng.integers(*span, n) * rng.choice([1.0, rng.random()], n))
    for edge in d5_edges(rows(values), DST).inner:
        assert edge == round(edge)
        tens = (np.floor(edge / 10**power) * 10**power for power in range(1, 9))
        rounder = next((ten for ten in tens if ten < edge), -np.inf)  # nothing is rounder than 0
        assert ((values >= rounder) & (values < edge)).sum() >= 5 and (values >= edge).sum() >= 5


def test_there_are_few_bins_about_equally_full_with_edges_of_two_digits():
    values = np.exp(np.random.default_rng(0).normal(3, 1, 4000))
    edges = d5_edges(rows(values), DST)
    assert MOST // 2 <= len(edges) <= MOST
    counts = [subjects for subjects, _ in sizes(rows(values), edges)]
    assert min(counts) >= 4000 / MOST / 1.5 and max(counts) < 4 * min(counts)
    assert all(float(f"{edge:.1e}") == edge for edge in edges.inner)


@pytest.mark.parametrize("odd", [1872.0, -7.25e8, 0.123456789])
def test_a_far_value_is_no_edge_and_stands_in_an_open_bin_with_others(odd):
    values = np.append(np.random.default_rng(1).normal(50, 5, 200), [odd] * 4)
    edges = d5_edges(rows(values), DST)
    assert min(abs(edge - odd) for edge in edges.inner) > 1e-9
    place = int(edges.place(np.array([odd]))[0])
    assert None in edges.bounds(place) and sizes(rows(values), edges)[place][0] >= 10


def test_too_few_for_two_bins_or_one_value_only_make_one_open_bin():
    for values in (np.arange(19.0), np.full(300, 30.0)):
        edges = d5_edges(rows(values), DST)
        assert len(edges) == 1 and edges.bounds(0) == (None, None)


def test_steps_keep_whole_years_whole():
    edges = d5_edges(rows(np.random.default_rng(2).uniform(-60, 24, 900).round(2)), DST, step=1.0)
    assert all(edge == round(edge) for edge in edges.inner) and len(edges) > 8


def clipped(table: pl.DataFrame, edges: Edges) -> pl.DataFrame:
    placed = table.with_columns(pl.Series("bin", edges.place(table["value"].to_numpy())))
    return placed.with_columns(d5_clipped(placed, DST).alias("coded"))


def test_what_four_subjects_have_moves_no_mean_and_what_five_have_does():
    for far, moves in ((4, False), (5, True)):
        values = np.append(np.random.default_rng(1).normal(50, 5, 200), [1e6] * far + [-1e6] * far)
        coded = clipped(rows(values), d5_edges(rows(values), DST))
        assert (coded["coded"].max() > 100, coded["coded"].min() < 0) == (moves, moves)
        assert not coded["coded"].null_count()


def test_one_who_lies_alone_beside_an_inner_edge_moves_no_mean_either():
    lone = rows([1.0, 2.0, 3.0] * 20 + [7.0] + [9.0] * 39)
    other = rows([1.0, 2.0, 3.0] * 20 + [6.0] + [9.0] * 39)
    means = [
        clipped(one, d5_edges(one, DST)).group_by("bin").agg(pl.col("coded").mean()).sort("bin")
        for one in (lone, other)
    ]
    assert len(means[0]) > 1 and means[0].equals(means[1])


def test_a_bin_of_fewer_than_twice_the_threshold_tells_no_value_of_its_own():
    one = rows([1e6, *range(10), -1e6]).with_columns(bin=0)
    assert d5_clipped(one, DST).sort().to_list() == [3.0] * 5 + [4.0] + [5.0] + [6.0] * 5
    assert d5_clipped(rows(range(9)).with_columns(bin=0), DST).null_count() == 9
    two = rows(range(19)).with_columns(bin=pl.when(pl.col("value") < 9).then(0).otherwise(1))
    coded = d5_clipped(two, DST)
    assert coded[:9].null_count() == 9 and coded[9:].to_list() == [*[13] * 5, *[14] * 5]


def test_a_household_is_one_however_many_of_it_lie_far_out():
    values = np.append(np.arange(100.0), np.full(20, 5000.0))
    table = rows(values).with_columns(cluster=pl.when(pl.col("subject") < 100).then("subject").otherwise(1000), bin=0)
    assert d5_clipped(table, DST).max() < 100
