"""Annotations as places on the rows of a view, split by split, and shifted ones."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from features.small_stores import store_of

from seqsae.associations.concept_counts import count, f1, f1_per_domain, levels
from seqsae.associations.concept_spans import part_of, placed, shifted, spans_of, stacked

ANNOTATIONS = [
    (0, 1, 3, "a"),
    (0, 2, 4, "a"),
    (2, 0, 99, "b"),
    (1, 7, 9, "a"),
    (0, 4, 5, "b"),
    (2, 1, 2, "c"),
    (3, 0, 2, "a"),
]
CONCEPTS = pl.DataFrame({"covariate": ["region"] * 3, "value": ["a", "b", "none"]})


def annotations(rows):
    table = pl.DataFrame(rows, schema=["sample", "start", "end", "value"], orient="row")
    return table.with_columns(pl.col("sample").cast(pl.UInt32), covariate=pl.lit("region"))


@pytest.fixture(params=["full", "label"])
def store(request, tmp_path):
    split = ["select", "select", "test", "select"]
    if request.param == "full":
        return store_of(tmp_path, [5, 3, 4, 0], split=split)
    return store_of(tmp_path, [2, 5, 0, 4, 1], subject=[0, 0, 1, 2, 3], split=split, view="label")


def held(store, row, start, end, subject):
    return store.row_subject[row] == subject and start <= store.rows["event"][int(row)] < end


@pytest.mark.parametrize("split", ["select", "test"])
def test_labels_and_members_are_those_of_a_loop(store, split):
    spans, part = spans_of(annotations(ANNOTATIONS), CONCEPTS, store), part_of(store, split)
    labels, members, concept = placed(spans, part).matrices(0, len(part.rows))
    assert (store.row_split[part.rows] == split).all() and len(part.rows) == (store.row_split == split).sum()
    for place, row in enumerate(part.rows):
        for c, value in enumerate(CONCEPTS["value"]):
            here = any(held(store, row, a, b, who) for who, a, b, v in ANNOTATIONS if v == value)
            assert labels.toarray()[place, c] == here
    expected = []
    for who, a, b, value in ANNOTATIONS:
        for sample in store.samples.filter(pl.col("subject") == who)["sample"]:
            rows = [int(held(store, row, a, b, who) and store.row_sample[row] == sample) for row in part.rows]
            if value != "c" and sum(rows):
                expected.append((["a", "b"].index(value), rows))
    assert sorted((int(c), rows) for c, rows in zip(concept, members.toarray().tolist(), strict=True)) == sorted(
        expected
    )


def test_the_two_ends_of_a_bond_are_two_instances_each_to_be_found(tmp_path):
    """InterPLM scores a bond by residue: there F1 per domain is F1 by residue, so a column `instance` joins nothing."""
    store = store_of(tmp_path, [40, 40], split=["select", "select"])
    bonds = annotations([(0, 3, 4, "a"), (0, 30, 31, "a"), (1, 5, 6, "a"), (1, 9, 10, "a")])
    joined = bonds.with_columns(instance=pl.Series([0, 0, 1, 1]))
    part = part_of(store, "select")
    spans = placed(spans_of(joined, CONCEPTS[:1], store), part)
    labels, members, concept = spans.matrices(0, 80)
    assert (members.sum(1) == 1).all() and len(concept) == 4
    on = np.zeros((80, 1))
    on[[3, 30, 45, 60]] = 1  # both ends of one bond, one of the other, and one residue that is none
    counts = count(levels(sp.csr_array(on), [0.5]), labels, members, concept, 1)
    assert counts.instances.tolist() == [4] and counts.hits.ravel().tolist() == [3]
    assert f1_per_domain(counts) == f1(counts) == 0.75


def test_rows_out_of_order_are_put_in_the_order_of_their_events(tmp_path):
    store = store_of(tmp_path, [4, 3], split=["select", "select"])
    turned = store.rows.with_columns(event=pl.Series([3, 1, 0, 2, 2, 0, 1], dtype=pl.UInt32))
    vars(store)["rows"] = turned
    part = part_of(store, "select")
    assert part.rows.tolist() == [2, 1, 3, 0, 5, 6, 4]
    labels = placed(spans_of(annotations([(0, 1, 3, "a"), (1, 2, 9, "a")]), CONCEPTS, store), part).matrices(0, 7)[0]
    assert part.rows[labels.toarray()[:, 0] == 1].tolist() == [1, 3, 4]


def test_a_shift_keeps_every_instance_and_its_length_and_turns_each_sample_by_one_number(tmp_path):
    n_rows = np.array([30, 1, 12, 0, 30])
    store = store_of(tmp_path, n_rows, split=["test"] * 5)
    rows = [(0, 3, 9, "a"), (0, 7, 20, "b"), (1, 0, 1, "a"), (2, 0, 12, "a"), (4, 3, 9, "a"), (4, 7, 20, "b")]
    spans, part = spans_of(annotations(rows), CONCEPTS, store), part_of(store, "test")
    true = placed(spans, part).matrices(0, 73)[0].toarray()
    seen = set()
    for seed in range(60):
        moved = shifted(spans, n_rows, np.random.default_rng(seed))
        assert (moved.lengths() == spans.lengths()).all() and (moved.concept == spans.concept).all()
        labels, members, _ = placed(moved, part).matrices(0, 73)
        assert (members.sum(1) == spans.lengths()).all(), "both pieces of a cut instance are one instance"
        for low, high in zip(part.first, part.first[1:], strict=False):
            steps = [
                s for s in range(high - low) if (np.roll(true[low:high], s, 0) == labels.toarray()[low:high]).all()
            ]
            assert steps or low == high
            seen.add((int(low), steps[0] if steps else 0))
    assert len([step for low, step in seen if low == 0]) > 20 and {s for low, s in seen if low == 31} == {0}, (
        "a whole sequence stays"
    )


def test_spans_side_by_side_and_some_of_them_keep_their_instances(store):
    spans = spans_of(annotations(ANNOTATIONS), CONCEPTS, store)
    part = part_of(store, "select")
    plain = placed(spans, part).matrices(0, len(part.rows))[0].toarray()
    twice = placed(stacked([spans, spans]), part).matrices(0, len(part.rows))
    assert (twice[0].toarray() == np.hstack([plain, plain])).all() and len(twice[2]) == 2 * (twice[2] < 3).sum()
    only = placed(spans.only(np.array([1])), part).matrices(0, len(part.rows))
    assert (only[0].toarray() == plain[:, [1]]).all() and set(only[2]) <= {0}
