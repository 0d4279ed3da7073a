"""SafeTable: only `aggregate` makes one, and only what passed the rules is in it."""

import copy

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqsae.disclosure.policy import NAMED, Policy
from seqsae.disclosure.rules import DOMINATED, FEW_CLUSTERS, FEW_SUBJECTS, d7_mean
from seqsae.disclosure.table import Base, SafeTable, aggregate, base_of
from seqsae.errors import SeqsaeError

DEFAULT = NAMED["default"]


def people(n: int, size: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"subject": list(range(n)), "cluster": [number // size for number in range(n)]})


def labelled(sizes: dict[str, int], size: int = 1) -> pl.DataFrame:
    """People of whom so many carry each label."""
    names = [name for name, number in sizes.items() for _ in range(number)]
    return people(len(names), size).with_columns(pl.Series("value", names))


def cells(table: SafeTable) -> dict:
    return {row["value"]: (row["subjects"], row["reason"]) for row in table.rows}


def test_counts_are_rounded_and_small_cells_leave_no_trace_but_their_number():
    rows = labelled({"many": 33, "some": 10, "secret": 9})
    made = aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT)
    assert cells(made) == {"many": (35, None), "some": (10, None)}
    assert dict(made.withheld) == {FEW_SUBJECTS: 1} and "secret" not in repr([made.rows, made.withheld, made.frame()])


def test_a_label_that_is_public_knowledge_stands_with_null_and_the_reason_whether_rare_or_absent():
    rows = labelled({"many": 33, "rare": 3})
    made = aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT, levels=[("many",), ("rare",), ("none",)])
    assert cells(made) == {"many": (35, None), "none": (None, FEW_SUBJECTS), "rare": (None, FEW_SUBJECTS)}
    assert dict(made.withheld) == {FEW_SUBJECTS: 2}


def test_many_subjects_of_few_households_are_withheld():
    rows = labelled({"home": 30, "town": 40}, size=10)
    dst = Policy(name="own", min_clusters=5)
    base = Base(pl.concat([rows.select("subject", "cluster"), people(200).with_columns(pl.all() + 1000)]), 270)
    assert cells(aggregate(rows, ("value",), base, dst)) == {}
    assert dict(aggregate(rows, ("value",), base, dst).withheld) == {FEW_CLUSTERS: 2}


def test_a_cell_of_nearly_all_is_shown_as_all():
    rows = labelled({"yes": 97, "no": 3})
    assert cells(aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT)) == {"yes": (100, None)}
    rows = labelled({"yes": 88, "no": 12})
    assert cells(aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT)) == {"no": (10, None), "yes": (90, None)}


def test_a_subject_counts_once_however_often_it_stands_in_a_cell():
    once = labelled({"a": 9, "b": 41})
    rows = pl.concat([once, *[once.filter(pl.col("value") == "a")] * 5])
    assert cells(aggregate(rows, ("value",), base_of(once, DEFAULT), DEFAULT)) == {"b": (50, None)}


def test_shares_means_and_numbers_a_subject():
    rows = labelled({"a": 20, "b": 20}).with_columns(
        weight=pl.when(pl.col("value") == "a").then(3).otherwise(1), measure=pl.col("subject").cast(pl.Float64)
    )
    made = aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT, extras=("share", "per_subject", "mean"))
    a, b = made.rows
    assert (a["share"], a["per_subject"], a["mean"]) == (0.75, 3.0, 9.6)
    assert (b["share"], b["per_subject"], b["mean"]) == (0.25, 1.0, 29.6)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.integers(0, 10_000),
    st.integers(20, 80),
    st.sampled_from([1.0, 0.25, 1000.0]),
    st.sampled_from(["default", "dst"]),
)
def test_no_mean_tells_of_how_many_it_is_one(seed, n, lattice, name):
    """Whole numbers, quarters, thousands: each n that the rounded count leaves open has a sum whose mean would be shown so."""
    policy, rng = NAMED[name], np.random.default_rng(seed)
    missing = int(rng.integers(0, policy.min_subjects))
    values = [None] * missing + (rng.poisson(4, n - missing) * lattice).tolist()
    rows = labelled({"a": n}).with_columns(measure=pl.Series(values, dtype=pl.Float64))
    [cell] = aggregate(rows, ("value",), base_of(rows, policy), policy, extras=("mean",)).rows
    fewest = cell["subjects"] - policy.round_to // 2 - policy.min_subjects + 1
    for count in range(fewest, cell["subjects"] + policy.round_to // 2 + 1):
        nearest = round(cell["mean"] * count / lattice) * lattice
        least = n - missing - policy.round_to - policy.min_subjects
        assert d7_mean(nearest, count, lattice, policy.digits, least) == cell["mean"]


def test_a_mean_that_one_subject_makes_is_null_and_so_is_a_share():
    rows = labelled({"a": 20, "b": 20}).with_columns(
        weight=pl.when(pl.col("subject") == 3).then(2000).otherwise(1), measure=pl.lit(1.0)
    )
    made = aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT, extras=("share", "per_subject", "mean"))
    assert [(row["share"], row["per_subject"], row["reason"]) for row in made.rows] == [
        (None, None, DOMINATED), (1.0, 1.0, None),
    ]  # fmt: skip
    far = labelled({"a": 20}).with_columns(measure=pl.when(pl.col("subject") == 3).then(-5000.0).otherwise(1.0))
    [row] = aggregate(far, ("value",), base_of(far, DEFAULT), DEFAULT, extras=("mean",)).rows
    assert row["subjects"] == 20 and row["mean"] is None and row["reason"] == DOMINATED


def test_it_cannot_be_made_changed_or_extended_otherwise():
    rows = labelled({"a": 20})
    made = aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT)
    with pytest.raises(TypeError, match="aggregate"):
        SafeTable()
    with pytest.raises(AttributeError, match="cannot be changed"):
        made.rows = ()
    with pytest.raises(TypeError):
        made.rows[0]["subjects"] = 3
    with pytest.raises(TypeError):
        made.withheld["x"] = 1
    with pytest.raises(AttributeError, match="cannot be changed"):
        del made.rows
    with pytest.raises(TypeError, match="no subclasses"):
        type("Loose", (SafeTable,), {})
    with pytest.raises((TypeError, AttributeError)):
        copy.copy(made).rows = ()
    made.frame().with_columns(subjects=pl.lit(1))
    assert made.rows[0]["subjects"] == 20


def test_two_labels_and_a_missing_one_make_cells_of_their_own():
    rows = labelled({"a": 20, "b": 20}).with_columns(
        pl.col("value").replace({"b": None}), other=pl.when(pl.col("subject") < 10).then(1).otherwise(2)
    )
    made = aggregate(rows, ("value", "other"), base_of(rows, DEFAULT), DEFAULT)
    assert [tuple(row.values())[:3] for row in made.rows] == [("a", 1, 10), ("a", 2, 10), (None, 2, 20)]
    with pytest.raises(ValueError, match="a table cannot be made by 'subjects'"):
        aggregate(rows.rename({"value": "subjects"}), ("subjects",), base_of(rows, DEFAULT), DEFAULT)


def test_a_cohort_below_the_threshold_is_refused():
    with pytest.raises(
        SeqsaeError, match="the data: fewer subjects or clusters than policy 'default' asks for"
    ) as caught:
        base_of(people(9), DEFAULT)
    assert " 9 " not in str(caught.value), "the message does not tell how many there are"
    with pytest.raises(SeqsaeError, match="fewer subjects or clusters"):
        base_of(people(50, size=10), DEFAULT)
    assert "people" not in repr(base_of(people(50), DEFAULT))


def test_one_person_under_many_clusters_or_from_elsewhere_is_still_one_or_none():
    base = base_of(people(40), DEFAULT)
    for subject in (7, 99, None):
        rows = pl.DataFrame(
            {"subject": [subject] * 12, "cluster": range(12), "value": ["ill"] * 12},
            schema_overrides={"subject": pl.Int64},
        )
        assert len(aggregate(rows, ("value",), base, DEFAULT)) == 0


@pytest.mark.parametrize("weight", (0, -1, None, 0.5))
def test_weights_that_no_observations_have_are_refused(weight):
    rows = labelled({"a": 20}).with_columns(weight=pl.lit(weight))
    with pytest.raises(ValueError, match="whole numbers"):
        aggregate(rows, ("value",), base_of(rows, DEFAULT), DEFAULT, extras=("share",))


def test_a_copy_of_a_policy_does_not_pass_under_the_floor():
    rows = labelled({"a": 20})
    loose = DEFAULT.model_copy(update={"min_subjects": 1, "round_to": 1})
    with pytest.raises(ValueError, match="must be 5 or more"):
        aggregate(rows, ("value",), base_of(rows, DEFAULT), loose)
