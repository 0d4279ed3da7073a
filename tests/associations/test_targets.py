"""Targets against loops over subjects and rows: annotations, strata, label views, support."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from associations.planted import covariates_of
from features.small_stores import parts, store_of

from seqsae.associations.targets import cluster_codes, split_of, supported, targets
from seqsae.errors import SeqsaeError

SPANS = {"sample": pl.UInt32, "start": pl.UInt32, "end": pl.UInt32, "covariate": pl.String, "value": pl.String}


def by_name(found):
    return {(target.covariate, target.category): target for target in found}


def same(mine, expected):
    return np.array_equal(mine, np.array(expected, dtype=float), equal_nan=True)


def test_binary_and_categorical_columns_keep_missing_values_missing(tmp_path):
    store = store_of(tmp_path, [2] * 5)
    columns = {"sex": ["f", "m", None, "m"], "region": ["a", None, "b", "c"], "age": [1.5, None, 3.0, 2.0]}
    entries = [
        {"name": "sex", "type": "binary", "positive": "f"},
        {"name": "region", "type": "categorical"},
        {"name": "age", "type": "ordinal"},
    ]
    found = by_name(targets(covariates_of(columns, entries), store))
    nan = np.nan  # the fifth subject has no row in the table
    assert same(found["sex", "f"].y, [1, 0, nan, 0, nan])
    assert same(found["region", "b"].y, [0, nan, 1, 0, nan]) and ("region", "a") in found and ("region", "c") in found
    assert same(found["age", None].y, [1.5, nan, 3, 2, nan])
    assert [target.is_binary for target in found.values()] == [True, True, True, True, False]


def test_a_binary_covariate_means_the_same_in_every_view(tmp_path):
    """Which value is the positive one is read from the table, not from who happens to be in the view."""
    columns, entries = {"sex": ["f", "f", "m", "m"]}, [{"name": "sex", "type": "binary"}]
    full = targets(covariates_of(columns, entries), store_of(tmp_path, [1] * 4))
    some = targets(covariates_of(columns, entries), store_of(tmp_path, [1] * 2, subject=[0, 1], view="ill"))
    assert full[0].category == some[0].category == "m" and some[0].y.tolist() == [0, 0]


def test_a_covariate_unknown_to_everyone_in_the_view_is_not_tested(tmp_path):
    columns, entries = {"sex": [None, None, "m", "f"]}, [{"name": "sex", "type": "binary"}]
    store = store_of(tmp_path, [1] * 2, subject=[0, 1], view="ill")
    assert supported(targets(covariates_of(columns, entries), store), covariates_of(columns, entries), store) == []


def test_within_compares_a_category_with_the_rest_of_its_stratum(tmp_path):
    store = store_of(tmp_path, [1] * 9)
    family, species, chain = list("xyxyzzx") + [None, "y"], ["h"] * 4 + ["m"] * 3 + ["h", None], ["1"] * 9
    entries = [{"name": "family", "type": "categorical", "within": ["species", "chain"]}]
    document = [*entries, {"name": "species", "type": "categorical"}, {"name": "chain", "type": "categorical"}]
    found = by_name(targets(covariates_of({"family": family, "species": species, "chain": chain}, document), store))
    for category, stratum in (("x", "h"), ("y", "h"), ("z", "m"), ("x", "m")):
        expected = [
            float(f == category) if s == stratum and f is not None else np.nan
            for f, s in zip(family, species, strict=True)
        ]
        assert same(found["family", f"{category} ({stratum}, 1)"].y, expected)
    assert ("family", "y (m, 1)") not in found and len([name for name, _ in found if name == "family"]) == 4


def spans(*rows):
    return pl.DataFrame(rows, schema=SPANS, orient="row")


def naive_rows(store, annotations, covariate, category):
    """[N] 1 where a span of the category holds, 0 elsewhere in a subject that the covariate is annotated for, else NaN."""
    mine = [row for row in annotations.rows() if row[3] == covariate]
    annotated = {row[0] for row in mine}
    out = []
    for subject, event in zip(store.row_subject, store.rows["event"], strict=True):
        held = any(s == subject and start <= event < end and value == category for s, start, end, _, value in mine)
        out.append(float(held) if subject in annotated else np.nan)
    return out


@pytest.mark.parametrize("view", ["full", "full-masked", "ill"])
def test_annotations_are_read_by_subject_and_event_in_every_view(tmp_path, view):
    subject = [0, 0, 1, 2, 3] if view == "ill" else None
    store = store_of(tmp_path, [2, 4, 5, 0, 3] if view == "ill" else [6, 5, 4, 3], subject=subject, view=view)
    annotations = spans(
        (0, 1, 3, "part", "head"),
        (0, 3, 99, "part", "tail"),
        (1, 0, 1, "part", "tail"),
        (3, 0, 3, "part", "head"),
        (2, 0, 2, "spell", "yes"),
        (1, 2, 4, "spell", "yes"),
    )
    entries = [
        {"name": "part", "type": "categorical", "level": "token"},
        {"name": "spell", "type": "binary", "level": "token", "positive": "yes"},
    ]
    found = by_name(targets(covariates_of({}, entries, annotations), store))
    assert set(found) == {("part", "head"), ("part", "tail"), ("spell", "yes")}
    for (covariate, category), target in found.items():
        assert target.unit == "token" and same(target.y, naive_rows(store, annotations, covariate, category)), covariate


def test_overlapping_annotations_hold_together(tmp_path):
    store = store_of(tmp_path, [5, 5])
    annotations = spans((0, 0, 4, "site", "a"), (0, 1, 3, "site", "b"), (1, 2, 3, "site", "b"), (1, 0, 5, "site", "c"))
    found = by_name(
        targets(covariates_of({}, [{"name": "site", "type": "categorical", "level": "token"}], annotations), store)
    )
    assert {category for _, category in found} == {"a", "b", "c"}
    for (_, category), target in found.items():
        assert same(target.y, naive_rows(store, annotations, "site", category)), category


def test_numbers_and_orders_at_token_level(tmp_path):
    store = store_of(tmp_path, [3, 2])
    annotations = spans(
        (0, 0, 2, "dose", "1.5"),
        (1, 0, 1, "dose", "-2"),
        (0, 0, 1, "level", "low"),
        (0, 1, 2, "level", "high"),
        (1, 1, 2, "level", "mid"),
    )
    entries = [
        {"name": "dose", "type": "continuous", "level": "token"},
        {"name": "level", "type": "ordinal", "level": "token", "order": ["low", "mid", "high"]},
    ]
    found = by_name(targets(covariates_of({}, entries, annotations), store))
    nan = np.nan
    assert same(found["dose", None].y, [1.5, 1.5, nan, -2, nan])
    assert same(found["level", None].y, [0, 2, nan, nan, 1])


@pytest.mark.parametrize("more", [{"type": "continuous"}, {"type": "ordinal", "order": ["low"]}])
def test_an_annotation_that_fits_no_number_or_order_is_refused(tmp_path, more):
    entries = [{"name": "level", "level": "token", **more}]
    with pytest.raises(SeqsaeError, match="level"):
        targets(covariates_of({}, entries, spans((0, 0, 2, "level", "huge"))), store_of(tmp_path, [3]))


@pytest.mark.parametrize("masked", ["", "-masked"])
def test_the_label_table_of_a_view_labels_its_samples(tmp_path, masked):
    times = [datetime(2001, 1, day) for day in (1, 2, 1)]
    table = pl.DataFrame(
        {"subject": pl.Series([0, 0, 2], dtype=pl.UInt32), "prediction_time": pl.Series(times, dtype=pl.Datetime("us")),
         "boolean_value": [True, None, False], "categorical_value": ["x", "y", "x"],
         "float_value": [None, 2.0, 1.0], "integer_value": pl.Series([None] * 3, dtype=pl.Int64)}
    )  # fmt: skip
    covariates = covariates_of(
        {"age": [1.0, 2.0, 3.0]}, [{"name": "age", "type": "continuous"}], labels={"ill": table[::-1]}
    )
    store = store_of(tmp_path, [2, 3, 1], subject=[0, 0, 2], view=f"ill{masked}", times=times)
    found = by_name(targets(covariates, store))
    nan = np.nan
    assert set(found) == {
        ("age", None),
        ("ill boolean", "true"),
        ("ill categorical", "x"),
        ("ill categorical", "y"),
        ("ill float", None),
    }
    assert same(found["ill boolean", "true"].y, [1, nan, 0]) and same(found["ill categorical", "y"].y, [0, 1, 0])
    assert same(found["ill float", None].y, [nan, 2, 1]) and same(found["age", None].y, [1, 1, 3])
    assert set(by_name(targets(covariates, store_of(tmp_path, [2] * 3)))) == {("age", None)}, (
        "the full view has no labels"
    )


def test_support_counts_clusters_in_both_splits(tmp_path):
    split = np.array(parts(100)).repeat(2)
    store = store_of(tmp_path, [1] * 200, split=split, cluster=np.arange(200) // 2)
    y = np.array(["no"] * 200)
    for part in ("select", "test"):
        y[np.flatnonzero(split == part)[:8]] = "yes"  # eight subjects in four clusters
    entries = [{"name": "y", "type": "binary"}, {"name": "lax", "type": "binary", "min_level_n": 4}]
    covariates = covariates_of({"y": y.tolist(), "lax": y.tolist()}, entries)
    assert [target.covariate for target in supported(targets(covariates, store), covariates, store)] == ["lax"]


def test_clusters_and_splits_of_units(tmp_path):
    store = store_of(tmp_path, [2, 0, 1], subject=[1, 0, 1], split=["test", "select"], cluster=["z", "a"], view="ill")
    assert (
        split_of(store, "subject").tolist() == ["select", "test", "select"]
        and split_of(store, "token").tolist() == ["select"] * 3
    )
    codes = cluster_codes(store, "subject")
    assert codes[0] == codes[2] != codes[1] and cluster_codes(store, "token").tolist() == [codes[0]] * 3


def test_a_covariate_without_a_column_is_refused(tmp_path):
    with pytest.raises(SeqsaeError, match="'sex' has no column"):
        targets(covariates_of({"age": [1.0, 2.0]}, [{"name": "sex", "type": "binary"}]), store_of(tmp_path, [1] * 2))


def test_survival_is_left_out_of_a_view_with_several_times_of_a_subject(tmp_path, capsys):
    from datetime import datetime

    from associations.planted import covariates_of
    from features.small_stores import store_of

    from seqsae.progress import shown

    columns = {"death.time": [1.0, 2.0, 3.0], "death.event": [1.0, 0.0, 1.0], "sex": ["f", "m", "f"]}
    entries = [
        {"name": "death", "type": "survival", "time": "t", "event": "d"},
        {"name": "sex", "type": "binary", "positive": "f"},
    ]
    times = [datetime(2020, 1, 1 + i) for i in range(4)]
    several = store_of(tmp_path / "a", [2, 2, 2, 2], subject=[0, 0, 1, 2], times=times, view="ill")
    with shown():
        assert [aim.covariate for aim in targets(covariates_of(columns, entries), several)] == ["sex"]
    assert "'death': survival holds once for each subject, and view ill has several" in capsys.readouterr().err
    once = store_of(tmp_path / "b", [2, 2, 2])
    assert [aim.covariate for aim in targets(covariates_of(columns, entries), once)] == ["death", "sex"]
