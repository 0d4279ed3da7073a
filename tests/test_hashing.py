"""Hashes of tables whatever their columns are."""

import polars as pl
import pytest

from seqsae.hashing import hash_table

KINDS = [
    *(pl.Null, pl.Binary, pl.Date, pl.Datetime("us"), pl.Duration, pl.Time, pl.Categorical, pl.Enum(["a"]), pl.Boolean),
    *(pl.String, pl.Decimal(10, 2), pl.Int8, pl.UInt64, pl.Float64, pl.List(pl.Int64), pl.Struct({"a": pl.Int64})),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_empty_column_of_any_type_has_a_hash(kind):
    one, two = (pl.DataFrame({"x": pl.Series([None] * n, dtype=kind)}) for n in (2, 3))
    assert hash_table(one) == hash_table(one.clone()) != hash_table(two)


def test_categories_with_gaps_are_hashed_by_their_names():
    made = [pl.DataFrame({"x": pl.Series([*order, None], dtype=pl.Categorical)}) for order in ("ab", "ba")]
    again = pl.DataFrame({"x": pl.Series(["b", "a", "b", None], dtype=pl.Categorical)})[1:]
    assert hash_table(made[0]) != hash_table(made[1])
    assert hash_table(again) == hash_table(made[0])
