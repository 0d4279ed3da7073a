"""Texts that tell who, when, where or how many are told from those that do not."""

import pytest

from seqsae.disclosure.policy import NAMED
from seqsae.exports.audit.contents import is_formula
from seqsae.exports.audit.findings import Notes
from seqsae.exports.audit.policy_of_page import check_addresses
from seqsae.exports.audit.texts import check_prose, check_text, digits_of

HARMLESS = [
    "between 2000 and 2010", "year 1992 to 1997", "2000-2010", "seqsae 0.1.0, vega 6.1.0", "DIAG//F43.21", "NACE//47.11", "a ratio of 1:20",
    
    "and/or", "tables/levels.csv", "a 95% interval", "p < 0.001", "JOB//A > DIAG//F43 (within a year)", "position 17 to 32", "20 may leave",
    "at least 10 subjects", "6,000 subjects in 5,500 clusters", "n = 1,260", "width 4096", "decade 199", "MEDS_BIRTH", "0.71 (0.62 to 0.79)",
    "of features, 85 fire", "3 seeds", "split 50/20/10/20", "+12%", "feature 3", "LOINC//2093-3", "F43-45", "10-20 years", "0.001",
]  # fmt: skip
TELLING = {
    "D13": [
        "2016-03-17", "2016/3/7", "2016-03", "17.03.2016", "17/3/2016", 
        "20160317", "17 March 2016", "March 2016", "Mar 17, 2016", "at 14:35", "170316-1234", "1703161234",
        "123-45-6789", "17. marts 2016", "oktober 2016",
        "anna@hospital.dk", "/home/anna/run", "~/study/a.csv", "C:\\Users\\anna", "file:///x", "see /tmp here", "0123456789abcdef" * 2,
        "123e4567-e89b-12d3-a456-426614174000", "wandb run 7", '{"cell_type": 1}',
    ],
    "D1": ["7 subjects", "1 person", "12 patients", "n = 7", "n=1,003", "all 5,987 participants", "3 different people"],
    "D7": ["0.7123", "an effect of 12.345 here", "-0.01234", "1.2345e-05"],
    "D16": ["see https://host.org/a", "http://x", "wss://host", "ftp://host/a"],
}  # fmt: skip


def rules_of(text: str) -> set[str]:
    notes = Notes()
    check_text(text, "here", notes)
    check_prose(text, "here", NAMED["default"], notes)
    check_addresses(text, "here", notes)
    return {one.rule for one in notes.findings().violations}


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_passes(text):
    assert rules_of(text) == set()


@pytest.mark.parametrize("rule, text", [(rule, text) for rule, texts in TELLING.items() for text in texts])
def test_a_telling_text_is_found(rule, text):
    assert rules_of(text) == {rule}
    assert rule in rules_of(f"so it was: {text}, as said")


def test_digits_are_those_that_are_written():
    assert [digits_of(one) for one in (0.5, 100, 1200.0, 0.00123, 1e-16, 12.34, "0.7100", float("inf"))] == [
        1,
        1,
        2,
        3,
        1,
        4,
        2,
        0,
    ]


def test_formulas():
    assert [is_formula(one) for one in ("=1", "-1", "-a", "+1e3", "", "a", "@x", " =x")] == [
        True,
        False,
        True,
        False,
        False,
        False,
        True,
        True,
    ]
