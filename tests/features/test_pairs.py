"""Two tokens side by side, against loops."""

from collections import defaultdict

import numpy as np
import pytest
from features.small_stores import store_of

from seqsae.features.pairs import TokenPairs

CLUSTERS = [i // 3 for i in range(90)]


@pytest.fixture(params=[0, 1, 2])
def store(request, tmp_path):
    rng = np.random.default_rng(request.param)
    n_rows = rng.integers(0, 9, 90)
    split = rng.choice(["train", "select", "calibrate", "test"], 30).repeat(3)
    tokens = rng.choice(["x", "yy", "z//1", "z//2", "then"], n_rows.sum(), p=[0.5, 0.2, 0.15, 0.1, 0.05])
    return store_of(tmp_path, n_rows, tokens=tokens, split=split, cluster=CLUSTERS)


def by_loop(store):
    """(label of the pair that ends at each row or None, label to clusters of select that hold it)."""
    tokens, sample = store.rows["token"].to_list(), store.row_sample
    ends, held = [], defaultdict(set)
    for row in range(store.n_rows):
        label = None
        if row and sample[row - 1] == sample[row]:
            label = f"{tokens[row - 1]} then {tokens[row]}"
            if store.row_split[row] == "select":
                held[label].add(CLUSTERS[sample[row]])
        ends.append(label)
    return ends, held


@pytest.mark.parametrize("least", [1, 3])
def test_pairs_are_those_of_a_loop(store, least):
    ends, held = by_loop(store)
    source = TokenPairs(store, least)
    assert sorted(source.labels) == sorted(label for label, clusters in held.items() if len(clusters) >= least)
    assert 0 < len(source.labels) < 25 + (least == 1)
    for rows in (np.arange(store.n_rows), np.arange(1, store.n_rows, 3), np.arange(0)):
        expected = [[label == ends[row] for label in source.labels] for row in rows]
        found = source.values(rows)
        assert found.toarray().tolist() == (expected or np.empty((0, len(source.labels))).tolist())
        assert found.dtype == np.float32 and found.has_sorted_indices


def test_the_most_widespread_are_kept(store):
    _, held = by_loop(store)
    kept = TokenPairs(store, 1, most=4).labels
    least = min(len(held[label]) for label in kept)
    assert len(kept) == 4 and all(len(held[label]) <= least for label in set(held) - set(kept))


def test_rows_that_stand_alone_have_no_pairs(tmp_path):
    source = TokenPairs(store_of(tmp_path, [1, 1, 0, 1] * 10))
    assert source.labels == [] and source.values(np.arange(30)).shape == (30, 0)


def test_what_the_held_out_subjects_hold_chooses_nothing(tmp_path):
    tokens = ["a", "b"] * 20
    split = ["select", "test"] * 10
    changed = [("q" if i % 4 > 1 else token) for i, token in enumerate(tokens)]
    one, other = (
        TokenPairs(store_of(tmp_path / name, [2] * 20, tokens=given, split=split))
        for name, given in (("one", tokens), ("other", changed))
    )
    assert one.labels == other.labels == ["a then b"]
