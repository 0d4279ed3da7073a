"""What may be named: years in place of dates, no long texts, units and parents that are what they are called."""

from datetime import date, datetime

import polars as pl
import pytest

from seqsae.disclosure.texts import d13_named, d13_unit, d13_word, d13_years


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("2016-03-17", "2016"), ("2016-03-17 12:30:00", "2016"), ("17-03-2016", "2016"), ("17.3.2016", "2016"), ("3/17/2016", "2016"),
        ("20160317", "2016"), ("20160317.0", "2016"), ("1/2/99", "1999"), ("20161317", "20161317"), ("12-13-14-15", "12-13-14-15"),
        ("H4", "H4"), ("married", "married"), ("x" * 40, "x" * 40), ("x" * 41, "other"),
        ("patient says his neighbour Jens is at home", "other"),
    ],
)  # fmt: skip
def test_a_date_is_told_by_its_year_and_a_sentence_not_at_all(given, named):
    assert d13_named(pl.Series([given, None]), "other").to_list() == [named, None]


def test_columns_of_dates_are_told_by_year_too():
    for values in ([date(2016, 3, 17), None], [datetime(2016, 3, 17, 5), None]):
        assert d13_named(pl.Series(values), "other").to_list() == ["2016", None]
    assert d13_years(pl.Series([20160317.0, 19991231.0, None])).to_list() == [2016.0, 1999.0, None]
    for plain in ([20160317.0, 20161317.0], [1.0, 2.0], [None, None]):
        assert d13_years(pl.Series(plain, dtype=pl.Float64)).to_list() == plain


def test_units_and_parents_are_words():
    assert [d13_unit(unit) for unit in ("kg/m^2", "mmol/l", "%", "years", "2016-03-17", "see Jens Jensen 010150-1234")] == [
        "kg/m^2", "mmol/l", "%", "years", None, None,
    ]  # fmt: skip
    assert [d13_word(code) for code in ("ICD10/E11", "A b", "", None)] == ["ICD10/E11", None, None, None]
