"""Tables held against their schema: what is cast, and that no value becomes another one on the way."""

from datetime import date, datetime

import polars as pl
import pytest

from seqsae import schema
from seqsae.errors import SeqsaeError

KEYS = {"subject": [0, 1], "prediction_time": [datetime(2000, 1, 1)] * 2}


def labels(**column) -> pl.DataFrame:
    table = pl.DataFrame(KEYS | column, strict=False)
    return schema.check_table(table, "labels", "t")


@pytest.mark.parametrize(
    ("column", "given", "found"),
    [
        ("integer_value", pl.Series([1.0, 2.0]), [1, 2]),
        ("integer_value", pl.Series([True, False]), [1, 0]),
        ("integer_value", pl.Series([1, None], dtype=pl.UInt8), [1, None]),
        ("integer_value", pl.Series([None, None]), [None, None]),
        ("boolean_value", pl.Series([0, 1]), [False, True]),
        ("boolean_value", pl.Series([1.0, None]), [True, None]),
        ("float_value", pl.Series([0.5, float("inf")]), [0.5, float("inf")]),
        ("float_value", pl.Series([3, 4]), [3.0, 4.0]),
        ("categorical_value", pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        ("categorical_value", pl.Series([1, 2]), ["1", "2"]),
        ("prediction_time", pl.Series([date(2000, 1, 1)] * 2), KEYS["prediction_time"]),
        ("prediction_time", pl.Series(KEYS["prediction_time"], dtype=pl.Datetime("ms")), KEYS["prediction_time"]),
        ("subject", pl.Series([0.0, 1.0]), [0, 1]),
    ],
)
def test_a_cast_keeps_every_value(column, given, found):
    assert labels(**{column: given})[column].to_list() == found


@pytest.mark.parametrize(
    ("column", "given", "says"),
    [
        ("integer_value", pl.Series([1.7, 2.2]), "expected int64, and holds 1.7"),
        ("integer_value", pl.Series([1.0, float("nan")]), "Float64, expected int64"),
        ("integer_value", pl.Series([2**63, 1], dtype=pl.UInt64), "UInt64, expected int64"),
        ("integer_value", pl.Series(KEYS["prediction_time"]), "expected int64; convert"),
        ("boolean_value", pl.Series([2, -7]), "expected bool, and holds 2"),
        ("boolean_value", pl.Series([0.5, 1.0]), "holds 0.5"),
        ("float_value", pl.Series([1.0, 1e300]), "expected float32, and holds 1e"),
        ("float_value", pl.Series([0, 2**24 + 1]), "holds 16777217"),
        ("categorical_value", pl.Series([["a"], ["b"]]), "List"),
        ("categorical_value", pl.Series([{"a": 1}] * 2), "Struct"),
        ("categorical_value", pl.Series([b"a", b"b"]), "Binary"),
        ("prediction_time", pl.Series([0, 1]), "Int64, expected timestamp"),
        ("prediction_time", pl.Series([2**62, 1]).cast(pl.Datetime("ms")), "expected timestamp"),
        ("prediction_time", pl.Series([2**31 - 1, 1], dtype=pl.Int32).cast(pl.Date), "expected timestamp"),
        ("subject", pl.Series([0.0, 0.5]), "expected uint32, and holds 0.5"),
        ("subject", pl.Series([0, -1]), "expected uint32"),
    ],
)
def test_a_cast_that_would_change_a_value_is_refused(column, given, says):
    with pytest.raises(SeqsaeError, match=says) as refused:
        labels(**{column: given})
    assert column in str(refused.value) and "convert it first" in str(refused.value)
