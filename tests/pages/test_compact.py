"""JSON for a script element: short numbers, no way out."""

import json

import polars as pl
import pytest

from seqsae.pages.compact import coarse, columns, rounded, script_json


@pytest.mark.parametrize(("given", "kept"), [(0.123456, 0.1235), (123456.0, 123500.0), (1.23456e-12, 1.235e-12)])
def test_floats_keep_four_significant_digits(given, kept):
    assert rounded({"a": [given]}) == {"a": [kept]}


def test_a_coarse_table_keeps_three_digits_whole_numbers_and_the_columns_named():
    table = pl.DataFrame(
        {"n": [12345], "q": [1.23456e-40], "x": [1.23456], "none": [None]}, schema_overrides={"none": pl.Float32}
    )
    told = columns(coarse(table, but=("x",)))
    assert rounded(told) == {"n": [12345], "q": [1.23e-40], "x": [1.235], "none": [None]}


def test_whole_numbers_and_texts_are_kept_and_what_is_no_number_becomes_null():
    assert rounded([123456, "0.123456", True, None]) == [123456, "0.123456", True, None]
    assert script_json([float("nan"), float("inf")]) == "[null,null]"


def test_no_text_can_end_the_script_and_all_of_it_comes_back(nasty):
    text = nasty + "\u2028\u2029æ"
    written = script_json({text: text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: text}


def test_a_long_column_of_few_large_numbers_is_places_in_a_list_of_them():
    n = [1262, 997, None] * 200
    told = columns(pl.DataFrame({"n": n}))["n"]
    assert [None if at is None else told["of"][at] for at in told["at"]] == n


def test_a_long_column_of_few_words_is_numbers_into_a_list_of_them():
    words = ["b", None, "a", "b"] * 200
    short = columns(pl.DataFrame({"word": words[:400], "n": range(400)}))
    assert short["word"] == words[:400]
    told = columns(pl.DataFrame({"word": words, "n": range(800), "own": [f"x{n}" for n in range(800)]}))
    assert [None if at is None else told["word"]["of"][at] for at in told["word"]["at"]] == words
    assert told["word"]["of"] == ["a", "b"]
    assert told["n"][:3] == [0, 1, 2] and told["own"][799] == "x799"


@pytest.mark.parametrize("usual", [None, 1.0, "x"])
def test_a_long_column_that_mostly_holds_the_same_is_told_by_what_differs(usual):
    other = "y" if usual == "x" else 2.5
    values = [usual] * 400 + [other] + [usual] * 98 + [None, other]
    told = columns(pl.DataFrame({"value": values}))["value"]
    back, row = [told["usual"]] * told["length"], -1
    for gap, value in zip(told["gaps"], told["is"], strict=True):
        row += gap
        back[row] = value
    assert back == values and len(told["is"]) <= 3
