"""JSON for a script element: short numbers, no way out."""

import json

import pytest

from seqsae.pages.compact import rounded, script_json


@pytest.mark.parametrize(("given", "kept"), [(0.123456, 0.1235), (123456.0, 123500.0), (1.23456e-12, 1.235e-12)])
def test_floats_keep_four_significant_digits(given, kept):
    assert rounded({"a": [given]}) == {"a": [kept]}


def test_whole_numbers_and_texts_are_kept_and_what_is_no_number_becomes_null():
    assert rounded([123456, "0.123456", True, None]) == [123456, "0.123456", True, None]
    assert script_json([float("nan"), float("inf")]) == "[null,null]"


def test_no_text_can_end_the_script_and_all_of_it_comes_back(nasty):
    text = nasty + "\u2028\u2029æ"
    written = script_json({text: text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: text}
