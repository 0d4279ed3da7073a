"""Lists of features, statistics, facts, and persons in hexagons."""

import numpy as np
import polars as pl
import pytest

from seqsae.disclosure.policy import NAMED
from seqsae.disclosure.safe import COUNT, LABEL, NUMBER_LABEL, STATISTIC, P
from seqsae.disclosure.told import d2_statistics, d9_listed, d12_hexbins, stated

DEFAULT, OPEN = NAMED["default"], NAMED["open"]


def fires(sizes, size=1):
    """Feature to (train, test) subjects."""
    rows = [(feature, 1000 * split + who, (1000 * split + who) // size, ("train", "test")[split])
            for feature, counts in sizes.items() for split, count in enumerate(counts) for who in range(count)]  # fmt: skip
    return pl.DataFrame(rows, schema=["feature", "subject", "cluster", "split"], orient="row")


def test_features_of_few_in_either_split_are_not_listed():
    table = fires({0: (20, 20), 1: (500, 19), 2: (19, 500), 3: (40, 0), 4: (21, 300)})
    assert d9_listed(table, DEFAULT) == [0, 4]
    assert d9_listed(fires({0: (40, 40)}, size=4), DEFAULT) == []
    assert d9_listed(table, OPEN) == [0, 1, 2, 4]
    strict = DEFAULT.model_copy(update={"min_subjects": 100, "round_to": 5})
    assert d9_listed(table, strict) == []


def test_statistics_that_are_not_safe_leave_no_trace_and_others_are_rounded():
    rows = [
        {"feature": 1, "safe": True, "least": 40, "n": 80, "effect": 0.70312, "p": 0.0123, "verdict": "supported"},
        {"feature": 2, "safe": False, "least": 40, "n": 80, "effect": 0.9, "p": 0.5, "verdict": "supported"},
    ]
    kinds = {"n": COUNT, "effect": STATISTIC, "p": P, "verdict": LABEL}
    made = d2_statistics(rows, {"feature": NUMBER_LABEL}, kinds, DEFAULT)
    assert [dict(row) for row in made.rows] == [
        {"feature": 1, "n": 80, "effect": 0.7, "p": 0.02, "verdict": "supported"}
    ]
    assert sum(made.withheld.values()) == 1


@pytest.mark.parametrize("value", ["/home/somebody/run", "2016-03-17", "C:\\x", "a\nb", "", "=1+1", "x" * 80])
def test_what_is_no_plain_fact_is_refused(value):
    with pytest.raises(ValueError, match="no plain fact"):
        stated({"view": value}, DEFAULT)


def test_facts_are_settings():
    rows = stated({"architecture": "topk", "width": 128, "rate": 0.25}, DEFAULT).rows
    assert [row["value"] for row in rows] == ["topk", "128", "0.25"]


def test_persons_stand_in_hexagons_of_enough():
    rng = np.random.default_rng(0)
    x, y = (
        np.r_[rng.normal(0, 0.01, 60), 9.0, rng.normal(3, 0.01, 9)],
        np.r_[rng.normal(0, 0.01, 60), 9.0, rng.normal(3, 0.01, 9)],
    )
    points = pl.DataFrame({"subject": np.arange(70), "cluster": np.arange(70), "x": x, "y": y})
    made = d12_hexbins(points, DEFAULT)
    assert sum(row["subjects"] for row in made.rows) in range(40, 75) and all(row["x"] < 1 for row in made.rows)
    assert all(row["subjects"] >= 10 and row["subjects"] % 5 == 0 for row in made.rows)
    assert not len(d12_hexbins(points.with_columns(cluster=pl.col("subject") // 20), DEFAULT))
